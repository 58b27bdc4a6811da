//! Two tokens are equal exactly when project, domain and value are; digits keep their shape.

use lockgate_crypto::{TOKEN_TEXT_BYTES, TOKEN_TEXT_PREFIX};
use proptest::prelude::*;

use crate::support::domain_key;

fn token(key: u8, project: &str, domain: &str, value: &str) -> String {
    let tokenizer = domain_key(key).tokenizer(&project.parse().unwrap(), &domain.parse().unwrap()).unwrap();
    tokenizer.token(value).unwrap()
}

#[test]
fn another_key_project_domain_or_value_gives_another_token() {
    let all = [
        token(0, "retail", "customer", "ada@example.com"),
        token(1, "retail", "customer", "ada@example.com"),
        token(0, "retail2", "customer", "ada@example.com"),
        token(0, "retail", "card", "ada@example.com"),
        token(0, "retail", "customer", "Ada@example.com"),
        token(0, "retail", "customer", ""),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(one));
        assert!(one.starts_with(TOKEN_TEXT_PREFIX) && one.len() == TOKEN_TEXT_BYTES);
    }
}

#[test]
fn one_tokenizer_serves_many_threads() {
    let tokenizer = domain_key(0).tokenizer(&"retail".parse().unwrap(), &"customer".parse().unwrap()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for value in 0..200 {
                    let value = value.to_string();
                    assert_eq!(tokenizer.token(&value).unwrap(), token(0, "retail", "customer", &value));
                }
            });
        }
    });
}

#[test]
fn digits_of_two_domains_differ_and_only_their_own_domain_decrypts_them() {
    let cipher = |domain: &str| domain_key(0).fpe(&"retail".parse().unwrap(), &domain.parse().unwrap()).unwrap();
    let card = cipher("card").encrypt_digits("4111-1111-1111-1111").unwrap();
    assert_ne!(card, cipher("account").encrypt_digits("4111-1111-1111-1111").unwrap());
    assert_eq!(cipher("card").decrypt_digits(&card).unwrap(), "4111-1111-1111-1111");
    assert_ne!(cipher("account").decrypt_digits(&card).unwrap(), "4111-1111-1111-1111");
}

proptest! {
    #[test]
    fn tokens_are_equal_exactly_when_domain_and_value_are(
        one in ("[ab]{1,2}", "[ab]{1,2}", "[ab]{0,2}"),
        other in ("[ab]{1,2}", "[ab]{1,2}", "[ab]{0,2}"),
    ) {
        let of = |(project, domain, value): &(String, String, String)| token(0, project, domain, value);
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }

    #[test]
    fn digits_come_back_and_no_two_texts_become_one(one in "[0-9]{6,24}", other in "[0-9]{6,24}") {
        let cipher = domain_key(0).fpe(&"retail".parse().unwrap(), &"card".parse().unwrap()).unwrap();
        let [a, b] = [&one, &other].map(|text| cipher.encrypt_digits(text).unwrap());
        prop_assert_eq!(cipher.decrypt_digits(&a).unwrap(), one.clone());
        prop_assert_eq!(a == b, one == other);
    }
}
