//! An envelope opens with its own passphrase and within its limits only.

use lockgate_crypto::{
    PASSPHRASE_ITERATIONS, PASSPHRASE_ITERATIONS_MAX, PASSPHRASE_ITERATIONS_MIN, PASSPHRASE_PLAINTEXT_BYTES_MAX,
    PassphraseEnvelope, PassphraseError, Secret, seal_under_passphrase,
};
use serde_json::{Value, json};

use crate::support::{Counting, Empty, passphrase};

const RIGHT: &str = "correct horse battery staple";

fn envelope() -> PassphraseEnvelope {
    seal_under_passphrase(&passphrase(RIGHT), &Secret::new(vec![7; 32]), &Counting::from(0)).unwrap()
}

fn altered(field: &str, value: Value) -> Result<PassphraseEnvelope, String> {
    let mut stored = serde_json::to_value(envelope()).unwrap();
    stored[field] = value;
    serde_json::from_value(stored).map_err(|error| error.to_string())
}

#[test]
fn an_envelope_opens_with_its_passphrase_after_being_stored() {
    let stored = serde_json::to_string(&envelope()).unwrap();
    let read: PassphraseEnvelope = serde_json::from_str(&stored).unwrap();
    assert_eq!(*read.open(&passphrase(RIGHT)).unwrap().expose(), vec![7; 32]);
    let wrong = read.open(&passphrase("correct horse battery stapler"));
    assert_eq!(wrong.err(), Some(PassphraseError::DoesNotOpen));
    assert_eq!(read.open(&passphrase("")).err(), Some(PassphraseError::Length));
}

#[test]
fn an_altered_envelope_does_not_open() {
    let salt = altered("salt", json!("AAAAAAAAAAAAAAAAAAAAAA")).unwrap();
    let nonce = altered("nonce", json!("AAAAAAAAAAAAAAAA")).unwrap();
    let iterations = altered("iterations", json!(PASSPHRASE_ITERATIONS + 1)).unwrap();
    for envelope in [salt, nonce, iterations] {
        assert_eq!(envelope.open(&passphrase(RIGHT)).err(), Some(PassphraseError::DoesNotOpen));
    }
}

#[test]
fn an_envelope_outside_its_limits_is_not_read() {
    assert!(altered("iterations", json!(PASSPHRASE_ITERATIONS_MIN)).is_ok());
    assert!(altered("iterations", json!(PASSPHRASE_ITERATIONS_MAX)).is_ok());
    for iterations in [0, 1, PASSPHRASE_ITERATIONS_MIN - 1, PASSPHRASE_ITERATIONS_MAX + 1, u32::MAX] {
        assert!(altered("iterations", json!(iterations)).unwrap_err().contains("`iterations` is"), "{iterations}");
    }
    for (field, value) in [
        ("version", json!(2)),
        ("kdf", json!("pbkdf2-hmac-sha-1")),
        ("salt", json!("AAAA")),
        ("nonce", json!("")),
        ("ciphertext", json!("AAAA")),
        ("ciphertext", json!("=".repeat(64))),
        ("ciphertext", json!("A".repeat(100_000))),
        ("unknown", json!(1)),
    ] {
        assert!(altered(field, value.clone()).is_err(), "{field}: {value}");
    }
}

#[test]
fn the_longest_envelope_is_read_back_and_a_longer_one_is_not() {
    let longest = Secret::new(vec![7; PASSPHRASE_PLAINTEXT_BYTES_MAX]);
    let envelope = seal_under_passphrase(&passphrase(RIGHT), &longest, &Counting::from(0)).unwrap();
    let mut stored = serde_json::to_value(&envelope).unwrap();
    assert_eq!(serde_json::from_value::<PassphraseEnvelope>(stored.clone()).unwrap(), envelope);
    let longer = format!("{}AA", stored["ciphertext"].as_str().unwrap());
    stored["ciphertext"] = json!(longer);
    assert!(serde_json::from_value::<PassphraseEnvelope>(stored).is_err());
}

#[test]
fn without_randomness_nothing_is_sealed() {
    let refused = seal_under_passphrase(&passphrase(RIGHT), &Secret::new(vec![7; 32]), &Empty);
    assert!(matches!(refused, Err(PassphraseError::Random(_))));
}
