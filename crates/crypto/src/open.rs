//! An opener returns a value exactly as it was sealed, for the row, column, dataset and project it was sealed for, or
//! nothing.

use crate::aead::{AeadError, AeadKey};
use crate::seal::AssociatedData;
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
    /// The module refused.
    #[error("the cryptographic module refused the data key: nothing was opened; please report it")]
    Module,
}

/// Opens the values of one column that were sealed under one data key.
pub struct Opener {
    dek_id: DekId,
    key: AeadKey,
    associated: AssociatedData,
}

impl Opener {
    /// Takes the data key and the column that values were sealed for.
    pub fn new(dek: &OpeningDek, context: &ValueContext) -> Result<Self, OpenError> {
        Ok(Self {
            dek_id: dek.id,
            key: AeadKey::new(&dek.key).map_err(|AeadError| OpenError::Module)?,
            associated: AssociatedData::new(dek.id, context),
        })
    }

    /// The value in `sealed`, if it was sealed for `subject`.
    pub fn open(&self, sealed: &SealedValue, subject: Option<&[u8]>) -> Result<Secret<Vec<u8>>, OpenError> {
        let found = sealed.dek_id();
        if found != self.dek_id {
            return Err(OpenError::OtherKey { expected: self.dek_id, found });
        }
        let mut associated = Vec::new();
        self.associated.write(subject, &mut associated).map_err(|error| match error {
            SealError::SubjectTooLong(bytes) => OpenError::SubjectTooLong(bytes),
            SealError::ValueTooLong(_) | SealError::KeyUsedUp(_) | SealError::Module => OpenError::Module,
        })?;
        self.key.open(sealed.nonce(), &associated, sealed.body()).map_err(|AeadError| OpenError::NotAuthentic(found))
    }
}
