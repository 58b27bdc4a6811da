//! Keys, contexts and a random source that are known beforehand.

use std::sync::atomic::{AtomicU8, Ordering};

use lockgate_crypto::{
    ColumnKey, DomainKey, KeyMaterial, Opener, OpeningDek, Random, RandomError, Sealer, SealingDek, Secret,
    ValueContext, WriterId,
};

/// Counts upwards from where it was started.
pub(crate) struct Counting(AtomicU8);

impl Counting {
    pub(crate) fn from(first: u8) -> Self {
        Self(AtomicU8::new(first))
    }
}

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

/// Never has a byte.
pub(crate) struct Empty;

impl Random for Empty {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

/// Key material of 32 bytes, counting upwards from `first`.
pub(crate) fn material(first: u8) -> KeyMaterial {
    KeyMaterial::generate(&Counting::from(first)).unwrap()
}

pub(crate) fn column_key(first: u8) -> ColumnKey {
    ColumnKey::new(material(first))
}

pub(crate) fn domain_key(first: u8) -> DomainKey {
    DomainKey::new(material(first))
}

pub(crate) fn writer() -> WriterId {
    "01jd5k3v6x9w2c8m4n7p0qrstv:0".parse().unwrap()
}

pub(crate) fn context(project: &str, dataset: &str, column: &str) -> ValueContext {
    ValueContext {
        project: project.parse().unwrap(),
        dataset: dataset.parse().unwrap(),
        column: column.parse().unwrap(),
    }
}

pub(crate) fn names() -> ValueContext {
    context("retail", "customers", "name")
}

/// A data key whose id counts upwards from `id`, to seal and to open with.
pub(crate) fn deks(key: &ColumnKey, id: u8) -> (SealingDek, OpeningDek) {
    let sealing = key.sealing_dek(&writer(), &Counting::from(id)).unwrap();
    let opening = key.opening_dek(&writer(), sealing.id()).unwrap();
    (sealing, opening)
}

pub(crate) fn sealer_and_opener() -> (Sealer, Opener) {
    let (sealing, opening) = deks(&column_key(0), 0xd0);
    (Sealer::new(sealing, &names()).unwrap(), Opener::new(&opening, &names()).unwrap())
}

pub(crate) fn passphrase(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// What pipelines hand to their worker threads may be handed over.
#[test]
fn what_runs_in_parallel_may() {
    fn shared<T: Send + Sync>() {}
    shared::<(lockgate_crypto::Tokenizer, lockgate_crypto::DigitCipher, lockgate_crypto::Ff1)>();
    shared::<(Sealer, Opener, lockgate_crypto::SigningKey, lockgate_crypto::KekMaterial, ColumnKey)>();
}
