//! Ids of keys and writers, in the one spelling each has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::random::draw;
use crate::text::{array_from_hex, to_hex};
use crate::{Random, RandomError};

/// The longest writer id, in bytes.
pub const WRITER_ID_BYTES_MAX: usize = 128;

/// Why a text is not an id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: it takes {rule}")]
pub struct IdError {
    kind: &'static str,
    rule: &'static str,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $type:ident, $bytes:literal, $kind:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type([u8; $bytes]);

        impl $type {
            /// Takes the bytes of an id that was drawn before.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// A new id, of random bytes.
            pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
                draw(random).map(Self)
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                array_from_hex(text).map(Self).ok_or(IdError { kind: $kind, rule: $rule })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&to_hex(&self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// Names a data key in every value sealed under it, as 16 hexadecimal digits. The key table tells the column key
    /// and the writer that it was derived from.
    DekId, 8, "data key id", "16 lower-case hexadecimal digits"
);
hex_id!(
    /// Names a column key or a domain key in the key table, as 32 hexadecimal digits.
    KeyId, 16, "key id", "32 lower-case hexadecimal digits"
);

/// Names who seals under a data key: a run and, where a run has several tasks, the task. 1 to
/// [`WRITER_ID_BYTES_MAX`] printable ASCII characters without a space.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterId(String);

impl WriterId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WriterId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=WRITER_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let error = IdError { kind: "writer id", rule: "1 to 128 printable ASCII characters without a space" };
        if fits { Ok(Self(text.to_owned())) } else { Err(error) }
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for WriterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WriterId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_from_their_text() {
        let id = DekId::from_bytes([0, 1, 2, 3, 4, 5, 254, 255]);
        assert_eq!(id.to_string(), "000102030405feff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("000102030405FEFF".parse::<DekId>().is_err());
        assert!("00".repeat(16).parse::<KeyId>().is_ok());
        assert!("00".repeat(8).parse::<KeyId>().is_err());
    }

    #[test]
    fn a_writer_id_is_refused_from_its_first_byte_too_many() {
        assert!("w".repeat(WRITER_ID_BYTES_MAX).parse::<WriterId>().is_ok());
        for wrong in ["", "a b", "a\n", "é", &"w".repeat(WRITER_ID_BYTES_MAX + 1)] {
            assert!(wrong.parse::<WriterId>().is_err(), "{wrong:?}");
        }
    }
}
