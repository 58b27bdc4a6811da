//! A sealer uses every nonce once and binds each value to its project, dataset, column and, where there is one, person.
//!
//! ```text
//! SealingDek ─► Sealer ─seal(value, subject)─► lg1.AQEAAQ…      nonce 0, 1, 2, … up to the limit, then refused
//!                └─ associated data: version, algorithm, data key, project, dataset, column, subject
//! ```
//! The nonce is the deterministic construction of SP 800-38D section 8.2.1: 32 fixed bits, zero since a data key has
//! one user, and a 64-bit invocation counter. The format is `docs/formats/sealed-value.md`.

use lockgate_model::{ColumnName, DatasetName, ProjectName};

use crate::aead::{AES_256_GCM_BY_SUBJECT_ID, AES_256_GCM_ID, AeadError, AeadKey, BLOCK_BYTES, NONCE_BYTES};
use crate::canonical::{append_field, append_optional_field};
use crate::sealed_value::{HEADER_BYTES, VERSION, append_text};
use crate::subject::{SubjectSalt, subject_key};
use crate::{DekId, SEALED_OVERHEAD_BYTES, SealedValue, SealingDek, Secret};

/// The longest value that is sealed, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest subject value, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 4096;

/// How many values one data key seals. SP 800-38D section 8.3 sets this number for nonces that aren't counted; it is
/// kept although they are, so that a key that leaks exposes no more than that.
pub const SEALS_PER_DEK_MAX: u64 = 1 << 32;

/// How many 16-byte blocks one data key encrypts, 16 TiB. At 2^40 blocks whoever sees all ciphertext can tell it from
/// randomness with a probability of about 2^-49 (the square of the blocks over 2^129).
pub const BLOCKS_PER_DEK_MAX: u64 = 1 << 40;

/// Where a value belongs; a sealed value opens nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ValueContext {
    /// The project.
    pub project: ProjectName,
    /// The dataset that the value was sealed in first.
    pub dataset: DatasetName,
    /// The column of that dataset.
    pub column: ColumnName,
}

/// Why a value was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value is longer than [`VALUE_BYTES_MAX`].
    #[error("a value of {0} bytes is longer than the {VALUE_BYTES_MAX} that are sealed: shorten it or drop the column")]
    ValueTooLong(usize),
    /// The subject value is longer than [`SUBJECT_BYTES_MAX`].
    #[error("a subject of {0} bytes is longer than the {SUBJECT_BYTES_MAX} allowed: name a shorter `subject:` column")]
    SubjectTooLong(usize),
    /// The data key has sealed as much as it may.
    #[error("data key {0} has sealed as much as it may: draw a new one for this writer")]
    KeyUsedUp(DekId),
    /// A key of subjects was used without a salt or without a subject, or another key with one.
    #[error("a value was not sealed: its data key and its subject's salt do not go together; please report it")]
    Salt,
    /// The module refused.
    #[error("the cryptographic module sealed nothing: the value was not written; please report it")]
    Module,
}

/// Seals the values of one column for one writer.
pub struct Sealer {
    dek_id: DekId,
    key: ValueKey,
    associated: AssociatedData,
    /// The associated data of the value at hand.
    scratch: Vec<u8>,
    /// The sealed value that is about to become text.
    sealed: Vec<u8>,
    next_nonce: u64,
    blocks: u64,
}

impl Sealer {
    /// Takes a data key for the column that `context` names. The key is used by this sealer alone.
    pub fn new(dek: SealingDek, context: &ValueContext) -> Result<Self, SealError> {
        let key = ValueKey::Data(AeadKey::new(&dek.key).map_err(|AeadError| SealError::Module)?);
        Ok(Self::with(dek.id, key, context))
    }

    /// As [`new`](Self::new), for values that are sealed under the key of their row's subject.
    pub fn by_subject(dek: SealingDek, context: &ValueContext) -> Self {
        Self::with(dek.id, ValueKey::BySubject(dek.key), context)
    }

    fn with(dek_id: DekId, key: ValueKey, context: &ValueContext) -> Self {
        Self {
            dek_id,
            associated: AssociatedData::new(key.algorithm(), dek_id, context),
            key,
            scratch: Vec::new(),
            sealed: Vec::new(),
            next_nonce: 0,
            blocks: 0,
        }
    }

    /// The data key in use.
    pub const fn dek_id(&self) -> DekId {
        self.dek_id
    }

    /// How many values were sealed, or begun.
    pub const fn sealed_values(&self) -> u64 {
        self.next_nonce
    }

    /// Seals a value of the person whom `subject` names, `None` where the dataset names no subject column.
    pub fn seal(&mut self, value: &[u8], subject: Option<&[u8]>) -> Result<SealedValue, SealError> {
        let mut bytes = Vec::new();
        self.seal_into(value, subject, &mut bytes)?;
        SealedValue::from_bytes(bytes).map_err(|_| SealError::Module)
    }

    /// Seals a value and appends its bytes to `out`; after a failure `out` is as it was.
    pub fn seal_into(&mut self, value: &[u8], subject: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.seal_with(value, subject, None, out)
    }

    fn seal_with(
        &mut self,
        value: &[u8],
        subject: Option<&[u8]>,
        salt: Option<&SubjectSalt>,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(SealError::ValueTooLong(value.len()));
        }
        self.associated.write(subject, &mut self.scratch)?;
        let nonce = self.take_nonce(value.len())?;
        let of_subject;
        let key = match (&self.key, subject, salt) {
            (ValueKey::Data(key), _, None) => key,
            (ValueKey::BySubject(dek), Some(_), Some(salt)) => {
                of_subject = subject_key(dek, salt).map_err(|AeadError| SealError::Module)?;
                &of_subject
            }
            (ValueKey::Data(_), _, Some(_)) | (ValueKey::BySubject(_), _, _) => return Err(SealError::Salt),
        };
        let start = out.len();
        out.reserve(value.len() + SEALED_OVERHEAD_BYTES);
        out.extend_from_slice(&[VERSION, self.key.algorithm()]);
        out.extend_from_slice(self.dek_id.as_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(value);
        key.seal_tail(nonce, &self.scratch, out, start + HEADER_BYTES).map_err(|AeadError| {
            out.truncate(start);
            SealError::Module
        })
    }

    /// Seals a value and appends its text form to `out`; after a failure `out` is as it was.
    pub fn seal_text_into(&mut self, value: &[u8], subject: Option<&[u8]>, out: &mut String) -> Result<(), SealError> {
        self.seal_text_with(value, subject, None, out)
    }

    /// Seals a value under the key of its subject and appends its text form to `out`; after a failure `out` is as it
    /// was. For a sealer [by subject](Self::by_subject) only.
    pub fn seal_text_by_subject_into(
        &mut self,
        value: &[u8],
        subject: &[u8],
        salt: &SubjectSalt,
        out: &mut String,
    ) -> Result<(), SealError> {
        self.seal_text_with(value, Some(subject), Some(salt), out)
    }

    fn seal_text_with(
        &mut self,
        value: &[u8],
        subject: Option<&[u8]>,
        salt: Option<&SubjectSalt>,
        out: &mut String,
    ) -> Result<(), SealError> {
        let mut sealed = std::mem::take(&mut self.sealed);
        sealed.clear();
        let outcome = self.seal_with(value, subject, salt, &mut sealed);
        if outcome.is_ok() {
            append_text(&sealed, out);
        }
        self.sealed = sealed;
        outcome
    }

    /// The next nonce, which is used up even where sealing fails afterwards.
    fn take_nonce(&mut self, value_bytes: usize) -> Result<[u8; NONCE_BYTES], SealError> {
        let used_up = SealError::KeyUsedUp(self.dek_id);
        let blocks = u64::try_from(value_bytes.div_ceil(BLOCK_BYTES)).map_err(|_| used_up)?;
        let blocks = self.blocks.saturating_add(blocks);
        if self.next_nonce >= SEALS_PER_DEK_MAX || blocks > BLOCKS_PER_DEK_MAX {
            return Err(used_up);
        }
        let mut nonce = [0; NONCE_BYTES];
        nonce.iter_mut().skip(4).zip(self.next_nonce.to_be_bytes()).for_each(|(to, from)| *to = from);
        self.next_nonce += 1;
        self.blocks = blocks;
        Ok(nonce)
    }
}

/// What values are sealed with: the data key itself, or the keys that are derived from it for each subject.
pub(crate) enum ValueKey {
    Data(AeadKey),
    BySubject(Secret<[u8; 32]>),
}

impl ValueKey {
    const fn algorithm(&self) -> u8 {
        match self {
            Self::Data(_) => AES_256_GCM_ID,
            Self::BySubject(_) => AES_256_GCM_BY_SUBJECT_ID,
        }
    }
}

/// What a sealed value is bound to: version, algorithm, data key id, then project, dataset and column with their
/// lengths, then the subject, flagged.
pub(crate) struct AssociatedData {
    fixed: Vec<u8>,
}

impl AssociatedData {
    pub(crate) fn new(algorithm: u8, dek_id: DekId, context: &ValueContext) -> Self {
        let mut fixed = vec![VERSION, algorithm];
        fixed.extend_from_slice(dek_id.as_bytes());
        append_field(&mut fixed, context.project.as_str().as_bytes());
        append_field(&mut fixed, context.dataset.as_str().as_bytes());
        append_field(&mut fixed, context.column.as_str().as_bytes());
        Self { fixed }
    }

    /// Writes all of it into `out`, whatever that held.
    pub(crate) fn write(&self, subject: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), SealError> {
        match subject {
            Some(subject) if subject.len() > SUBJECT_BYTES_MAX => Err(SealError::SubjectTooLong(subject.len())),
            Some(_) | None => {
                out.clear();
                out.extend_from_slice(&self.fixed);
                append_optional_field(out, subject);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;
    use crate::{ColumnKey, KeyMaterial, Secret};

    fn sealer() -> Sealer {
        let column = ColumnKey::new(KeyMaterial::from_secret(Secret::new([1; 32])));
        let dek = column.sealing_dek(&"run:1".parse().unwrap(), &Counting::from(0)).unwrap();
        let context = ValueContext {
            project: "retail".parse().unwrap(),
            dataset: "customers".parse().unwrap(),
            column: "name".parse().unwrap(),
        };
        Sealer::new(dek, &context).unwrap()
    }

    #[test]
    fn nonces_count_from_zero() {
        let mut sealer = sealer();
        for count in 0..300u64 {
            let nonce = sealer.seal(b"x", None).unwrap().nonce();
            assert_eq!(nonce[..4], [0; 4]);
            assert_eq!(nonce[4..], count.to_be_bytes());
        }
        assert_eq!(sealer.sealed_values(), 300);
    }

    #[test]
    fn the_last_value_of_a_key_is_sealed_and_the_next_refused() {
        let mut sealer = sealer();
        sealer.next_nonce = SEALS_PER_DEK_MAX - 1;
        let mut out = b"kept".to_vec();
        sealer.seal_into(b"last", None, &mut out).unwrap();
        let used_up = Err(SealError::KeyUsedUp(sealer.dek_id()));
        let before = out.clone();
        assert_eq!(sealer.seal_into(b"more", None, &mut out), used_up);
        assert_eq!(out, before);
        assert_eq!(sealer.next_nonce, SEALS_PER_DEK_MAX);
    }

    #[test]
    fn the_last_block_of_a_key_is_sealed_and_the_next_refused() {
        let mut sealer = sealer();
        sealer.blocks = BLOCKS_PER_DEK_MAX - 2;
        assert!(sealer.seal(&[0; 33], None).is_err());
        assert!(sealer.seal(&[0; 32], None).is_ok());
        assert_eq!(sealer.seal(&[0; 1], None).err(), Some(SealError::KeyUsedUp(sealer.dek_id())));
        assert!(sealer.seal(&[], None).is_ok(), "an empty value takes no block");
    }

    #[test]
    fn values_and_subjects_are_refused_from_their_first_byte_too_many() {
        let mut sealer = sealer();
        let long = vec![0; VALUE_BYTES_MAX + 1];
        assert!(sealer.seal(&long[1..], None).is_ok());
        assert_eq!(sealer.seal(&long, None), Err(SealError::ValueTooLong(VALUE_BYTES_MAX + 1)));
        let subject = &long[..=SUBJECT_BYTES_MAX];
        assert!(sealer.seal(b"x", Some(&subject[1..])).is_ok());
        assert_eq!(sealer.seal(b"x", Some(subject)), Err(SealError::SubjectTooLong(SUBJECT_BYTES_MAX + 1)));
        assert_eq!(sealer.sealed_values(), 2, "a refused value takes no nonce");
    }

    #[test]
    fn text_is_appended_and_left_alone_after_a_failure() {
        let (mut one, mut other) = (sealer(), sealer());
        let mut text = String::from("kept ");
        one.seal_text_into(b"Ada", Some(b"7"), &mut text).unwrap();
        assert_eq!(text, format!("kept {}", other.seal(b"Ada", Some(b"7")).unwrap()));
        let before = text.clone();
        assert!(one.seal_text_into(b"Ada", Some(&[0; SUBJECT_BYTES_MAX + 1]), &mut text).is_err());
        assert_eq!(text, before);
    }
}
