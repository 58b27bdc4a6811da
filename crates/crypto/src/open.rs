//! An opener returns a value exactly as it was sealed, for the row, column, dataset and project it was sealed for, or
//! nothing.

use crate::aead::{AeadError, AeadKey};
use crate::seal::AssociatedData;
use crate::subject::{SubjectSalt, subject_key};
use crate::{DekId, OpeningDek, SealError, SealedValue, Secret, ValueContext};

/// Why a sealed value was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed under another data key than the opener's.
    #[error("a value sealed under data key {found} was given to data key {expected}: look {found} up in the key table")]
    OtherKey {
        /// The opener's key.
        expected: DekId,
        /// The value's key.
        found: DekId,
    },
    /// Moved or altered.
    #[error(
        "a value sealed under data key {0} does not open here: it was moved from another row, column, dataset or \
         project, its row's subject was changed, or it was altered; trace the row to find out which"
    )]
    NotAuthentic(DekId),
    /// A subject value that nothing can have been sealed for.
    #[error("a subject of {0} bytes is longer than any that values are sealed for: check the `subject:` column")]
    SubjectTooLong(usize),
    /// Sealed under the key of a subject whose salt was not given, or was destroyed.
    #[error("the value needs its subject's salt, which is not there: the subject was erased, or is not known")]
    NeedsSalt,
    /// The module refused.
    #[error("the cryptographic module refused the data key: nothing was opened; please report it")]
    Module,
}

/// Opens the values of one column that were sealed under one data key.
pub struct Opener {
    dek_id: DekId,
    dek: Secret<[u8; 32]>,
    key: AeadKey,
    context: ValueContext,
}

impl Opener {
    /// Takes the data key and the column that values were sealed for.
    pub fn new(dek: &OpeningDek, context: &ValueContext) -> Result<Self, OpenError> {
        Ok(Self {
            dek_id: dek.id,
            dek: Secret::new(*dek.key.expose()),
            key: AeadKey::new(&dek.key).map_err(|AeadError| OpenError::Module)?,
            context: context.clone(),
        })
    }

    /// The value in `sealed`, if it was sealed for `subject` and not under the key of a subject.
    pub fn open(&self, sealed: &SealedValue, subject: Option<&[u8]>) -> Result<Secret<Vec<u8>>, OpenError> {
        match sealed.is_by_subject() {
            true => Err(OpenError::NeedsSalt),
            false => self.open_with(&self.key, sealed, subject),
        }
    }

    /// The value in `sealed`, if it was sealed for `subject`, with the subject's salt where it needs one.
    pub fn open_by_subject(
        &self,
        sealed: &SealedValue,
        subject: &[u8],
        salt: Option<&SubjectSalt>,
    ) -> Result<Secret<Vec<u8>>, OpenError> {
        match (sealed.is_by_subject(), salt) {
            (false, _) => self.open_with(&self.key, sealed, Some(subject)),
            (true, None) => Err(OpenError::NeedsSalt),
            (true, Some(salt)) => {
                let key = subject_key(&self.dek, salt).map_err(|AeadError| OpenError::Module)?;
                self.open_with(&key, sealed, Some(subject))
            }
        }
    }

    fn open_with(
        &self,
        key: &AeadKey,
        sealed: &SealedValue,
        subject: Option<&[u8]>,
    ) -> Result<Secret<Vec<u8>>, OpenError> {
        let found = sealed.dek_id();
        if found != self.dek_id {
            return Err(OpenError::OtherKey { expected: self.dek_id, found });
        }
        let mut associated = Vec::new();
        let bound = AssociatedData::new(sealed.algorithm(), self.dek_id, &self.context);
        bound.write(subject, &mut associated).map_err(|error| match error {
            SealError::SubjectTooLong(bytes) => OpenError::SubjectTooLong(bytes),
            SealError::ValueTooLong(_) | SealError::KeyUsedUp(_) | SealError::Salt | SealError::Module => {
                OpenError::Module
            }
        })?;
        key.open(sealed.nonce(), &associated, sealed.body()).map_err(|AeadError| OpenError::NotAuthentic(found))
    }
}
