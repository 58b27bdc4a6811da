//! A sealed value opens where it was sealed for and nowhere else.

use lockgate_crypto::{
    KeyError, OpenError, Opener, RandomError, SEALED_OVERHEAD_BYTES, SEALED_TEXT_PREFIX, SealError, SealedValue,
    SealedValueError, Sealer, SubjectSalt, ValueContext,
};
use proptest::prelude::*;

use crate::support::{Counting, Empty, column_key, context, deks, names, sealer_and_opener, writer};

fn opens(sealed: &SealedValue, opener: &Opener, subject: Option<&[u8]>) -> bool {
    match opener.open(sealed, subject) {
        Ok(_) => true,
        Err(OpenError::NotAuthentic(_) | OpenError::OtherKey { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

fn opener_for(context: &ValueContext) -> Opener {
    Opener::new(&deks(&column_key(0), 0xd0).1, context).unwrap()
}

#[test]
fn a_value_moved_to_another_column_dataset_or_project_does_not_open() {
    let (mut sealer, opener) = sealer_and_opener();
    let sealed = sealer.seal(b"Ada", Some(b"7")).unwrap();
    assert!(opens(&sealed, &opener, Some(b"7")));
    for elsewhere in [
        context("retail", "customers", "nam"),
        context("retail", "customers", "name2"),
        context("retail", "customer", "sname"),
        context("retail", "analytics.customers", "name"),
        context("retai", "lcustomers", "name"),
        context("retail-2", "customers", "name"),
    ] {
        assert!(!opens(&sealed, &opener_for(&elsewhere), Some(b"7")), "{elsewhere:?}");
    }
    assert!(opens(&sealed, &opener_for(&names()), Some(b"7")));
}

#[test]
fn a_value_moved_to_another_row_does_not_open_and_no_subject_differs_from_an_empty_one() {
    let (mut sealer, opener) = sealer_and_opener();
    let subjects: [Option<&[u8]>; 5] = [None, Some(b""), Some(b"7"), Some(b"77"), Some(b"8")];
    for sealed_for in subjects {
        let sealed = sealer.seal(b"Ada", sealed_for).unwrap();
        for opened_for in subjects {
            assert_eq!(opens(&sealed, &opener, opened_for), sealed_for == opened_for, "{sealed_for:?} {opened_for:?}");
        }
    }
}

#[test]
fn a_value_sealed_under_another_key_does_not_open() {
    let (mut sealer, _) = sealer_and_opener();
    let sealed = sealer.seal(b"Ada", None).unwrap();
    let other_column = Opener::new(&deks(&column_key(1), 0xd0).1, &names()).unwrap();
    assert_eq!(other_column.open(&sealed, None).err(), Some(OpenError::NotAuthentic(sealed.dek_id())));
    let other_dek = deks(&column_key(0), 0xd1).1;
    let expected = OpenError::OtherKey { expected: other_dek.id(), found: sealed.dek_id() };
    assert_eq!(Opener::new(&other_dek, &names()).unwrap().open(&sealed, None).err(), Some(expected));
    let other_writer = column_key(0).opening_dek(&"other".parse().unwrap(), sealed.dek_id()).unwrap();
    assert!(!opens(&sealed, &Opener::new(&other_writer, &names()).unwrap(), None));
}

#[test]
fn no_flipped_bit_anywhere_opens() {
    let (mut sealer, opener) = sealer_and_opener();
    let sealed = sealer.seal("Zoë".as_bytes(), Some(b"7")).unwrap();
    let mut parsed = 0;
    for bit in 0..sealed.as_bytes().len() * 8 {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match SealedValue::from_bytes(bytes) {
            Ok(altered) => {
                parsed += 1;
                assert!(!opens(&altered, &opener, Some(b"7")), "bit {bit}");
            }
            Err(error) => {
                assert!(matches!(error, SealedValueError::Version(_) | SealedValueError::Algorithm(_)), "bit {bit}");
                assert!(bit < 16, "bit {bit}");
            }
        }
    }
    assert_eq!(parsed, (sealed.as_bytes().len() - 2) * 8);
}

#[test]
fn a_value_cut_off_anywhere_does_not_open() {
    let (mut sealer, opener) = sealer_and_opener();
    let sealed = sealer.seal(b"Ada Lovelace", None).unwrap();
    for length in 0..sealed.as_bytes().len() {
        let cut = SealedValue::from_bytes(sealed.as_bytes()[..length].to_vec());
        assert_eq!(cut.is_ok(), length >= SEALED_OVERHEAD_BYTES);
        assert!(!cut.is_ok_and(|cut| opens(&cut, &opener, None)), "{length} bytes");
    }
}

#[test]
fn two_writers_of_a_column_have_two_keys() {
    let key = column_key(0);
    let [mut one, mut other] = [0x10, 0x20].map(|id| Sealer::new(deks(&key, id).0, &names()).unwrap());
    let (first, second) = (one.seal(b"Ada", None).unwrap(), other.seal(b"Ada", None).unwrap());
    assert_ne!(first.dek_id(), second.dek_id());
    assert_ne!(first.as_bytes()[22..], second.as_bytes()[22..]);
}

#[test]
fn without_randomness_there_is_no_data_key() {
    let refused = column_key(0).sealing_dek(&writer(), &Empty);
    assert_eq!(refused.err(), Some(KeyError::Random(RandomError)));
}

proptest! {
    #[test]
    fn sealed_text_reads_back_and_is_38_bytes_longer(
        value in prop::collection::vec(any::<u8>(), 0..200),
        subject in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
    ) {
        let (mut sealer, opener) = sealer_and_opener();
        let mut text = String::new();
        sealer.seal_text_into(&value, subject.as_deref(), &mut text).unwrap();
        prop_assert!(text.starts_with(SEALED_TEXT_PREFIX));
        let sealed: SealedValue = text.parse().unwrap();
        prop_assert_eq!(sealed.as_bytes().len(), value.len() + 38);
        prop_assert_eq!(sealed.to_string(), text);
        let opened = opener.open(&sealed, subject.as_deref()).unwrap();
        prop_assert_eq!(opened.expose(), &value);
    }

    #[test]
    fn a_value_opens_exactly_for_its_own_place(
        sealed_at in ("[ab]{1,2}", "[ab]{1,2}", "[ab]{1,2}", prop::option::of("[ab]{0,2}")),
        opened_at in ("[ab]{1,2}", "[ab]{1,2}", "[ab]{1,2}", prop::option::of("[ab]{0,2}")),
    ) {
        let (sealing, opening) = deks(&column_key(0), 1);
        let place = |at: &(String, String, String, Option<String>)| context(&at.0, &at.1, &at.2);
        let mut sealer = Sealer::new(sealing, &place(&sealed_at)).unwrap();
        let sealed = sealer.seal(b"x", sealed_at.3.as_ref().map(String::as_bytes)).unwrap();
        let opener = Opener::new(&opening, &place(&opened_at)).unwrap();
        let subject = opened_at.3.as_ref().map(String::as_bytes);
        prop_assert_eq!(opens(&sealed, &opener, subject), sealed_at == opened_at);
    }

    #[test]
    fn arbitrary_text_is_refused_or_spelled_back(text in "(lg1\\.)?[A-Za-z0-9_=+/-]{0,80}") {
        if let Ok(sealed) = text.parse::<SealedValue>() {
            prop_assert_eq!(sealed.to_string(), text);
        }
    }
}

#[test]
fn a_value_by_subject_opens_with_its_subject_and_salt_only() {
    let (sealing, opening) = deks(&column_key(0), 0xd0);
    let mut sealer = Sealer::by_subject(sealing, &names());
    let opener = Opener::new(&opening, &names()).unwrap();
    let salt = |first| SubjectSalt::generate(&Counting::from(first)).unwrap();
    let (ada, grace) = (salt(1), salt(2));
    let mut text = String::new();
    sealer.seal_text_by_subject_into(b"Ada", b"7", &ada, &mut text).unwrap();
    let sealed: SealedValue = text.parse().unwrap();
    assert!(sealed.is_by_subject());
    assert_eq!(opener.open_by_subject(&sealed, b"7", Some(&ada)).unwrap().expose().as_slice(), b"Ada");
    for (subject, salt) in [(&b"7"[..], &grace), (b"8", &ada)] {
        let refused = opener.open_by_subject(&sealed, subject, Some(salt));
        assert_eq!(refused.err(), Some(OpenError::NotAuthentic(sealed.dek_id())));
    }
    assert_eq!(opener.open_by_subject(&sealed, b"7", None).err(), Some(OpenError::NeedsSalt));
    assert_eq!(opener.open(&sealed, Some(b"7")).err(), Some(OpenError::NeedsSalt));
    // A value under the data key itself does not become one of a subject by another algorithm number, nor the reverse.
    let mut altered = sealed.as_bytes().to_vec();
    altered[1] = 1;
    let altered = SealedValue::from_bytes(altered).unwrap();
    assert!(opener.open(&altered, Some(b"7")).is_err());
    // Neither kind of sealer does the other's work.
    let mut out = String::new();
    assert_eq!(sealer.seal_text_into(b"x", Some(b"7"), &mut out), Err(SealError::Salt));
    let mut plain = sealer_and_opener().0;
    assert_eq!(plain.seal_text_by_subject_into(b"x", b"7", &ada, &mut out), Err(SealError::Salt));
    assert_eq!(out, "");
    assert_eq!(text, "lg1.AQLQ0dLT1NXW1wAAAAAAAAAAAAAAAMNyyboHar2l-tqJZqn6bXCDoN8");
}
