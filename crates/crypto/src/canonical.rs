//! Two different lists of fields never become the same bytes.
//!
//! What is authenticated or fed to a key derivation is a list of fields; each is written with its length before it, so
//! that a boundary between two fields can't be moved.
//!
//! ```text
//! ["ab", "c"] ─► 00000002 6162 00000001 63
//! ["a", "bc"] ─► 00000001 61 00000002 6263     a plain concatenation would have made both 616263
//! ```

/// Appends a field: its length as four bytes, big end first, and its bytes. The callers' limits keep every field far
/// below 4 GiB.
pub(crate) fn append_field(out: &mut Vec<u8>, field: &[u8]) {
    out.extend_from_slice(&length(field).to_be_bytes());
    out.extend_from_slice(field);
}

/// The length of a field as it is written before it.
pub(crate) fn length(field: &[u8]) -> u32 {
    u32::try_from(field.len()).unwrap_or(u32::MAX)
}

/// Appends a field that may be absent: 0, or 1 and the field. Absent differs from empty.
pub(crate) fn append_optional_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => out.push(0),
        Some(field) => {
            out.push(1);
            append_field(out, field);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
        let mut out = Vec::new();
        for field in fields {
            append_optional_field(&mut out, field.as_deref());
        }
        out
    }

    #[test]
    fn absent_is_not_empty_and_a_boundary_does_not_move() {
        assert_ne!(encode(&[None]), encode(&[Some(vec![])]));
        let (mut one, mut other) = (Vec::new(), Vec::new());
        append_field(&mut one, b"ab");
        append_field(&mut one, b"c");
        append_field(&mut other, b"a");
        append_field(&mut other, b"bc");
        assert_ne!(one, other);
    }

    proptest! {
        #[test]
        fn different_lists_have_different_bytes(
            a in prop::collection::vec(prop::option::of(prop::collection::vec(0u8..3, 0..4)), 0..4),
            b in prop::collection::vec(prop::option::of(prop::collection::vec(0u8..3, 0..4)), 0..4),
        ) {
            prop_assert_eq!(encode(&a) == encode(&b), a == b);
        }
    }
}
