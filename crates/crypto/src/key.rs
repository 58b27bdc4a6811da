//! A data key that can seal is drawn anew and used by one holder; a data key found again can only open.
//!
//! ```text
//! ColumnKey ─sealing_dek(writer, random)─► SealingDek ─► Sealer     the id is drawn here, so nobody had this key yet
//!     └─────opening_dek(writer, id)──────► OpeningDek ─► Opener     refused: a Sealer from this one
//! DomainKey ─┬─ tokenizer(project, domain) ─► Tokenizer
//!            └─ fpe(project, domain) ───────► DigitCipher
//! ```
//! A writer that was killed and starts again draws a new data key, so no counter has to be remembered and no nonce is
//! used twice.

use lockgate_model::{DomainName, ProjectName};

use crate::canonical::append_field;
use crate::kdf::{KdfError, Label, derive};
use crate::{DekId, DigitCipher, FpeKey, Random, RandomError, Secret, Tokenizer, WriterId};

/// Why a key could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The key service gave something else than 32 bytes.
    #[error("a key of {0} bytes was given where 32 are needed: check that the key service unwrapped the right key")]
    Length(usize),
    /// The module refused.
    #[error("the cryptographic module derived no key: nothing was protected; please report it")]
    Module,
}

impl From<KdfError> for KeyError {
    fn from(KdfError: KdfError) -> Self {
        Self::Module
    }
}

/// The 32 secret bytes of a key, as they are wrapped and unwrapped.
pub struct KeyMaterial(Secret<[u8; 32]>);

impl KeyMaterial {
    /// New material, of random bytes.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut secret = Secret::new([0; 32]);
        random.fill(secret.expose_mut())?;
        Ok(Self(secret))
    }

    /// Takes material that a key service unwrapped.
    pub fn from_secret(secret: Secret<[u8; 32]>) -> Self {
        Self(secret)
    }

    /// Takes material of a length that isn't known yet; fails unless it is 32 bytes.
    pub fn from_secret_bytes(secret: &Secret<Vec<u8>>) -> Result<Self, KeyError> {
        let mut bytes = Secret::new([0; 32]);
        if secret.expose().len() != bytes.expose().len() {
            return Err(KeyError::Length(secret.expose().len()));
        }
        bytes.expose_mut().copy_from_slice(secret.expose());
        Ok(Self(bytes))
    }

    /// The bytes, for the key service that wraps them.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    pub(crate) fn secret(&self) -> &Secret<[u8; 32]> {
        &self.0
    }
}

/// The key of one column (or topic) for a period. It encrypts nothing itself: data keys are derived from it.
pub struct ColumnKey(KeyMaterial);

impl ColumnKey {
    /// Takes the material of a column key.
    pub fn new(material: KeyMaterial) -> Self {
        Self(material)
    }

    /// The material, to be wrapped.
    pub fn material(&self) -> &KeyMaterial {
        &self.0
    }

    /// Draws a data key that `writer` may seal with. Its id goes into the key table before the first value that is
    /// sealed under it can be read by anybody.
    pub fn sealing_dek(&self, writer: &WriterId, random: &dyn Random) -> Result<SealingDek, KeyError> {
        let id = DekId::generate(random)?;
        Ok(SealingDek { id, key: self.dek(writer, id)? })
    }

    /// Derives again the data key `id` of `writer`, to open what was sealed.
    pub fn opening_dek(&self, writer: &WriterId, id: DekId) -> Result<OpeningDek, KeyError> {
        Ok(OpeningDek { id, key: self.dek(writer, id)? })
    }

    fn dek(&self, writer: &WriterId, id: DekId) -> Result<Secret<[u8; 32]>, KeyError> {
        let mut context = Vec::new();
        append_field(&mut context, writer.as_str().as_bytes());
        append_field(&mut context, id.as_bytes());
        Ok(derive(self.0.secret(), Label::DataEncryption, &context)?)
    }
}

/// A data key that was drawn for one writer and seals; it can't be copied.
pub struct SealingDek {
    pub(crate) id: DekId,
    pub(crate) key: Secret<[u8; 32]>,
}

impl SealingDek {
    /// The id, for the key table.
    pub const fn id(&self) -> DekId {
        self.id
    }
}

/// A data key that opens and can't seal.
pub struct OpeningDek {
    pub(crate) id: DekId,
    pub(crate) key: Secret<[u8; 32]>,
}

impl OpeningDek {
    /// The id that sealed values name.
    pub const fn id(&self) -> DekId {
        self.id
    }
}

/// The key of a domain, from which its tokens and its format-preserving encryption derive keys of their own.
pub struct DomainKey(KeyMaterial);

impl DomainKey {
    /// Takes the material of a domain key.
    pub fn new(material: KeyMaterial) -> Self {
        Self(material)
    }

    /// The material, to be wrapped.
    pub fn material(&self) -> &KeyMaterial {
        &self.0
    }

    /// Makes the tokens of `domain` in `project`.
    pub fn tokenizer(&self, project: &ProjectName, domain: &DomainName) -> Result<Tokenizer, KeyError> {
        let key = derive(self.0.secret(), Label::Token, &domain_context(project, domain))?;
        Ok(Tokenizer::new(&key, project, domain))
    }

    /// The key of format-preserving encryption of `domain` in `project`, for another alphabet than digits.
    pub fn fpe_key(&self, project: &ProjectName, domain: &DomainName) -> Result<FpeKey, KeyError> {
        derive(self.0.secret(), Label::FormatPreserving, &domain_context(project, domain))
            .map(FpeKey::new)
            .map_err(KeyError::from)
    }

    /// Encrypts the digits of values of `domain` in `project`.
    pub fn fpe(&self, project: &ProjectName, domain: &DomainName) -> Result<DigitCipher, KeyError> {
        DigitCipher::new(&self.fpe_key(project, domain)?).map_err(|_| KeyError::Module)
    }
}

fn domain_context(project: &ProjectName, domain: &DomainName) -> Vec<u8> {
    let mut context = Vec::new();
    append_field(&mut context, project.as_str().as_bytes());
    append_field(&mut context, domain.as_str().as_bytes());
    context
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::fixed::Counting;

    #[test]
    fn material_of_another_length_than_32_bytes_is_refused() {
        for length in [0, 16, 31, 33] {
            let secret = Secret::new(vec![1; length]);
            assert_eq!(KeyMaterial::from_secret_bytes(&secret).err(), Some(KeyError::Length(length)));
        }
        assert!(KeyMaterial::from_secret_bytes(&Secret::new(vec![1; 32])).is_ok());
    }

    #[test]
    fn a_data_key_is_found_again_by_its_writer_and_id_and_by_nothing_else() {
        let column = ColumnKey::new(KeyMaterial::from_secret(Secret::new([1; 32])));
        let other_column = ColumnKey::new(KeyMaterial::from_secret(Secret::new([2; 32])));
        let (writer, other): (WriterId, WriterId) = ("run:1".parse().unwrap(), "run:2".parse().unwrap());
        let sealing = column.sealing_dek(&writer, &Counting::from(0)).unwrap();
        let found = |column: &ColumnKey, writer, id| *column.opening_dek(writer, id).unwrap().key.expose();
        assert_eq!(found(&column, &writer, sealing.id()), *sealing.key.expose());
        assert_ne!(found(&column, &other, sealing.id()), *sealing.key.expose());
        assert_ne!(found(&column, &writer, DekId::from_bytes([9; 8])), *sealing.key.expose());
        assert_ne!(found(&other_column, &writer, sealing.id()), *sealing.key.expose());
    }
}
