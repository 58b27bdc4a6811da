//! A wrapped key unwraps under its own key-encryption key, id and context only.

use lockgate_crypto::{KekMaterial, KeyContext, KeyId, WRAPPED_KEY_BYTES, WrapError, WrappedKey, WrappedKeyError};

use crate::support::{Counting, Empty, material};

fn column(project: &str, dataset: &str, column: &str) -> KeyContext {
    KeyContext::Column {
        project: project.parse().unwrap(),
        dataset: dataset.parse().unwrap(),
        column: column.parse().unwrap(),
    }
}

fn domain(project: &str, domain: &str) -> KeyContext {
    KeyContext::Domain { project: project.parse().unwrap(), domain: domain.parse().unwrap() }
}

const ID: KeyId = KeyId::from_bytes([3; 16]);

#[test]
fn a_key_unwraps_for_its_own_id_and_context_only() {
    let kek = KekMaterial::new(material(1));
    let contexts = [
        column("retail", "customers", "name"),
        column("retail", "customers", "email"),
        column("retail", "customers.name", "name"),
        column("retail2", "customers", "name"),
        domain("retail", "customers"),
        domain("retail", "name"),
    ];
    for wrapped_for in &contexts {
        let wrapped = kek.wrap(&material(9), ID, wrapped_for, &Counting::from(0)).unwrap();
        for unwrapped_for in &contexts {
            let outcome = kek.unwrap(&wrapped, ID, unwrapped_for);
            assert_eq!(outcome.is_ok(), wrapped_for == unwrapped_for, "{wrapped_for} {unwrapped_for}");
            assert!(outcome.is_err() || outcome.is_ok_and(|key| key.expose() == material(9).expose()));
        }
        let other_id = kek.unwrap(&wrapped, KeyId::from_bytes([4; 16]), wrapped_for);
        assert!(matches!(other_id, Err(WrapError::NotAuthentic { .. })));
        let other_kek = KekMaterial::new(material(2)).unwrap(&wrapped, ID, wrapped_for);
        assert!(matches!(other_kek, Err(WrapError::NotAuthentic { .. })));
    }
}

#[test]
fn no_flipped_bit_anywhere_unwraps() {
    let (kek, context) = (KekMaterial::new(material(1)), domain("retail", "customer"));
    let wrapped = kek.wrap(&material(9), ID, &context, &Counting::from(0)).unwrap();
    for bit in 0..WRAPPED_KEY_BYTES * 8 {
        let mut bytes = wrapped.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match WrappedKey::from_bytes(&bytes) {
            Ok(altered) => assert!(kek.unwrap(&altered, ID, &context).is_err(), "bit {bit}"),
            Err(WrappedKeyError::Version(_)) => assert!(bit < 8),
            Err(WrappedKeyError::Algorithm(_)) => assert!((8..16).contains(&bit)),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_wrapped_key_is_parsed_strictly() {
    let kek = KekMaterial::new(material(1));
    let wrapped = kek.wrap(&material(9), ID, &domain("retail", "customer"), &Counting::from(0)).unwrap();
    let text = wrapped.to_string();
    assert_eq!(text.parse(), Ok(wrapped.clone()));
    assert_eq!(serde_json::from_str::<WrappedKey>(&format!("\"{text}\"")).unwrap(), wrapped);
    assert_eq!(format!("{text}=").parse::<WrappedKey>(), Err(WrappedKeyError::NotBase64));
    for length in [0, WRAPPED_KEY_BYTES - 1, WRAPPED_KEY_BYTES + 1] {
        assert_eq!(WrappedKey::from_bytes(&vec![1; length]), Err(WrappedKeyError::Length(length)));
    }
}

#[test]
fn two_wraps_of_a_key_differ_and_without_randomness_there_is_none() {
    let (kek, context, random) = (KekMaterial::new(material(1)), domain("retail", "customer"), Counting::from(0));
    let [one, other] = [(); 2].map(|()| kek.wrap(&material(9), ID, &context, &random).unwrap());
    assert_ne!(one, other);
    assert!(matches!(kek.wrap(&material(9), ID, &context, &Empty), Err(WrapError::Random(_))));
}

#[test]
fn the_error_tells_the_place_and_no_key() {
    let kek = KekMaterial::new(material(1));
    let wrapped = kek.wrap(&material(9), ID, &domain("retail", "customer"), &Counting::from(0)).unwrap();
    let error = kek.unwrap(&wrapped, ID, &column("retail", "customers", "name")).err().unwrap().to_string();
    assert!(error.contains("column `name` of dataset `customers` in project `retail`"), "{error}");
    assert!(error.contains(&ID.to_string()), "{error}");
    assert!(!error.contains("090a0b"), "{error}");
}
