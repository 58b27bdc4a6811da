//! One record of the ledger: canonical JSON (RFC 8785), strict when it is read.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use lockgate_model::{PrincipalName, ProjectName, Sha256Digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest entry, in bytes: the limit of C2SP tlog-tiles.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// The most attachments of one entry.
pub const ATTACHMENTS_PER_ENTRY_MAX: usize = 64;
/// How deep lists and objects may lie within one another in a body; the body itself is the first.
pub const BODY_DEPTH_MAX: usize = 32;
/// The largest number, and with a minus sign the smallest, that a body may hold: 2^53 - 1 (RFC 7493 section 2.2). RFC 8785
/// writes numbers beyond it as others.
pub const BODY_NUMBER_MAX: u64 = (1 << 53) - 1;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $text:literal)*) => {
        /// What an entry tells of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The kind as it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    /// A project began its ledger.
    Project "project"
    /// A key was made.
    KeyCreate "key.create"
    /// A key was followed by a new one.
    KeyRotate "key.rotate"
    /// Keys were wrapped anew.
    KeyRewrap "key.rewrap"
    /// A key was destroyed.
    KeyShred "key.shred"
    /// The sealed values of one person were made unreadable.
    SubjectErase "subject.erase"
    /// A run is about to write.
    RunIntent "run.intent"
    /// A run has written.
    RunCommit "run.commit"
    /// A run has written nothing.
    RunAbort "run.abort"
    /// A dataset has a new version.
    DatasetVersion "dataset.version"
    /// Somebody is about to be shown rows.
    AccessIntent "access.intent"
    /// What somebody was shown.
    AccessResult "access.result"
}

impl FromStr for Kind {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        Self::ALL.iter().find(|kind| kind.as_str() == text).copied().ok_or(EntryError::Kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An object that an entry names by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// What it is to the entry.
    pub name: String,
    /// The digest of its content.
    pub sha256: Sha256Digest,
    /// Its size.
    pub bytes: u64,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it tells of.
    pub kind: Kind,
    /// When it was written.
    pub at: Timestamp,
    /// The project.
    pub project: ProjectName,
    /// Who acted; absent where nobody is named.
    pub principal: Option<PrincipalName>,
    /// What happened, in the shape of its kind.
    pub body: Map<String, Value>,
    /// The objects that belong to it.
    pub attachments: Vec<Attachment>,
}

/// Why an entry cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than [`ENTRY_BYTES_MAX`].
    #[error("an entry of {0} bytes is longer than {ENTRY_BYTES_MAX}: move what is large into an attachment")]
    TooLong(usize),
    /// More attachments than [`ATTACHMENTS_PER_ENTRY_MAX`].
    #[error("an entry has {0} attachments; the most is {ATTACHMENTS_PER_ENTRY_MAX}")]
    TooManyAttachments(usize),
    /// Deeper than [`BODY_DEPTH_MAX`].
    #[error("the body of an entry is nested deeper than {BODY_DEPTH_MAX}: make it an attachment")]
    TooDeep,
    /// Beyond [`BODY_NUMBER_MAX`].
    #[error("an entry has a number beyond ±{BODY_NUMBER_MAX}: write it as text")]
    Number,
    /// No kind that this version knows.
    #[error("it is of a kind that this version does not know")]
    Kind,
    /// Not the JSON of an entry.
    #[error("it is no entry: {0}")]
    Malformed(String),
    /// The right content in another encoding.
    #[error("it is not in the canonical form of RFC 8785")]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    v: u8,
    kind: Kind,
    at: Timestamp,
    project: ProjectName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<PrincipalName>,
    body: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
}

impl Entry {
    /// The entry's bytes. Fails where [`Entry::from_bytes`] would not give the same entry back: beyond a limit, or with a
    /// number that RFC 8785 would write as another.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        if self.attachments.len() > ATTACHMENTS_PER_ENTRY_MAX {
            return Err(EntryError::TooManyAttachments(self.attachments.len()));
        }
        self.body.values().try_for_each(|value| check_value(value, BODY_DEPTH_MAX - 1))?;
        if self.attachments.iter().any(|attachment| attachment.bytes > BODY_NUMBER_MAX) {
            return Err(EntryError::Number);
        }
        let encoded = Encoded {
            v: 1,
            kind: self.kind,
            at: self.at,
            project: self.project.clone(),
            principal: self.principal.clone(),
            body: self.body.clone(),
            attachments: self.attachments.clone(),
        };
        let bytes =
            serde_json_canonicalizer::to_vec(&encoded).map_err(|error| EntryError::Malformed(error.to_string()))?;
        if bytes.len() > ENTRY_BYTES_MAX { Err(EntryError::TooLong(bytes.len())) } else { Ok(bytes) }
    }

    /// Reads an entry; refuses every encoding but the canonical one, unknown keys and unknown kinds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong(bytes.len()));
        }
        let encoded: Encoded =
            serde_json::from_slice(bytes).map_err(|error| EntryError::Malformed(error.to_string()))?;
        if encoded.v != 1 {
            return Err(EntryError::Malformed(format!("it has the format version {}", encoded.v)));
        }
        let Encoded { kind, at, project, principal, body, attachments, .. } = encoded;
        let entry = Self { kind, at, project, principal, body, attachments };
        if entry.to_bytes()? == bytes { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }
}

/// Whether a value of a body comes back as it was written; `depth` more levels are allowed.
fn check_value(value: &Value, depth: usize) -> Result<(), EntryError> {
    let below = || depth.checked_sub(1).ok_or(EntryError::TooDeep);
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(whole), ..) => (whole <= BODY_NUMBER_MAX).then_some(()).ok_or(EntryError::Number),
            (_, Some(whole), _) => (whole.unsigned_abs() <= BODY_NUMBER_MAX).then_some(()).ok_or(EntryError::Number),
            (_, _, Some(real)) => (real.abs() <= BODY_NUMBER_MAX as f64).then_some(()).ok_or(EntryError::Number),
            (None, None, None) => Err(EntryError::Number),
        },
        Value::Array(values) => {
            let depth = below()?;
            values.iter().try_for_each(|value| check_value(value, depth))
        }
        Value::Object(values) => {
            let depth = below()?;
            values.values().try_for_each(|value| check_value(value, depth))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry {
            kind: Kind::RunAbort,
            at: "2026-11-01T00:00:00.5Z".parse().unwrap(),
            project: "retail".parse().unwrap(),
            principal: None,
            body: Map::from_iter([("reason".to_owned(), Value::from(text))]),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn an_entry_has_one_encoding() {
        let bytes = entry("x").to_bytes().unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            r#"{"at":"2026-11-01T00:00:00.5Z","body":{"reason":"x"},"kind":"run.abort","project":"retail","v":1}"#
        );
        assert_eq!(Entry::from_bytes(&bytes).unwrap(), entry("x"));
        let text = String::from_utf8(bytes).unwrap();
        for (wrong, expected) in [
            (text.replace(":{", ": {"), "NotCanonical"),
            (text.replace("run.abort", "run.other"), "Malformed"),
            (text.replace("\"v\":1", "\"v\":2"), "Malformed"),
            (text.replace("\"v\":1", "\"v\":1,\"x\":1"), "Malformed"),
            (text.replace("00.5Z", "00.50Z"), "NotCanonical"),
            (String::new(), "Malformed"),
        ] {
            let error = Entry::from_bytes(wrong.as_bytes()).unwrap_err();
            assert!(format!("{error:?}").starts_with(expected), "{wrong}: {error:?}");
        }
    }

    #[test]
    fn an_entry_is_refused_from_its_first_byte_too_many() {
        let overhead = entry("").to_bytes().unwrap().len();
        let of_length = |length: usize| entry(&"x".repeat(length - overhead)).to_bytes();
        assert_eq!(of_length(ENTRY_BYTES_MAX).unwrap().len(), ENTRY_BYTES_MAX);
        assert_eq!(of_length(ENTRY_BYTES_MAX + 1), Err(EntryError::TooLong(ENTRY_BYTES_MAX + 1)));
        let mut many = entry("");
        let one = Attachment { name: "a".into(), sha256: lockgate_crypto::sha256(b""), bytes: 0 };
        many.attachments = vec![one; ATTACHMENTS_PER_ENTRY_MAX + 1];
        assert!(matches!(many.to_bytes(), Err(EntryError::TooManyAttachments(_))));
        many.attachments.pop();
        assert!(many.to_bytes().is_ok());
        assert!(matches!(Entry::from_bytes(&[b' '; ENTRY_BYTES_MAX + 1]), Err(EntryError::TooLong(_))));
    }

    #[test]
    fn a_number_that_would_come_back_as_another_is_refused() {
        let with = |number: Value| {
            let mut entry = entry("");
            entry.body.insert("list".into(), Value::from(vec![Value::Null, number]));
            entry
        };
        let max = i64::try_from(BODY_NUMBER_MAX).unwrap();
        for number in
            [Value::from(max), Value::from(-max), Value::from(0.5), Value::from(-1e-300), Value::from(max as f64)]
        {
            let bytes = with(number.clone()).to_bytes().unwrap();
            assert_eq!(Entry::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes, "{number}");
        }
        for number in [Value::from(max + 1), Value::from(-max - 1), Value::from(u64::MAX), Value::from(1e16)] {
            assert_eq!(with(number.clone()).to_bytes(), Err(EntryError::Number), "{number}");
            let text = String::from_utf8(with(Value::from(7)).to_bytes().unwrap()).unwrap();
            let read = Entry::from_bytes(text.replace('7', &number.to_string()).as_bytes());
            assert_eq!(read, Err(EntryError::Number), "{number}");
        }
        let mut large = entry("");
        large.attachments.push(Attachment {
            name: "a".into(),
            sha256: lockgate_crypto::sha256(b""),
            bytes: BODY_NUMBER_MAX + 1,
        });
        assert_eq!(large.to_bytes(), Err(EntryError::Number));
    }

    #[test]
    fn a_body_is_refused_from_its_first_level_too_many() {
        let nested = |depth: usize| {
            let mut entry = entry("");
            // The body is the first level, so that this many lists lie within it.
            let value = (1..depth).fold(Value::Null, |inner, _| Value::from(vec![inner]));
            entry.body.insert("nested".into(), value);
            entry
        };
        let bytes = nested(BODY_DEPTH_MAX).to_bytes().unwrap();
        assert_eq!(Entry::from_bytes(&bytes).unwrap(), nested(BODY_DEPTH_MAX));
        assert_eq!(nested(BODY_DEPTH_MAX + 1).to_bytes(), Err(EntryError::TooDeep));
        let deeper = String::from_utf8(bytes).unwrap().replace("null", "[null]");
        assert_eq!(Entry::from_bytes(deeper.as_bytes()), Err(EntryError::TooDeep));
    }
}
