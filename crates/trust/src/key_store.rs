//! The key-encryption keys and the ledger's signing key, in one file that only its owner can read.
//!
//! The file is JSON: `{v, keys}` with the payload itself, or `{v, under_passphrase}` with the payload sealed under a
//! passphrase (PBKDF2, SP 800-132). `docs/formats/key-hierarchy.md` specifies it. Beside it lie, readable by all, the
//! ledger's verifier key and the last checkpoint that this machine has seen.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use lockgate_crypto::{
    KekMaterial, KeyMaterial, PassphraseEnvelope, Random, Secret, SigningKey, seal_under_passphrase,
};
use lockgate_project::LocalKeys;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::durable_file::write_durably;
use crate::error::TrustError;
use crate::secret_ref::fetch;

/// The file of the keys within the key store's folder.
pub const KEY_FILE: &str = "keys.json";
/// The ledger's verifier key, for whoever verifies.
pub const VERIFIER_KEY_FILE: &str = "ledger.vkey";
/// The last checkpoint that this machine has seen, kept apart from the ledger.
pub const SEEN_CHECKPOINT_FILE: &str = "seen.checkpoint";
/// The largest key file, in bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The algorithm by which a key-encryption key of this store wraps.
const KEK_ALGORITHM: &str = "AES-256-GCM";

/// What a key-encryption key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KekState {
    /// Wraps and unwraps; the newest one.
    Active,
    /// Unwraps what it wrapped before.
    Retired,
    /// Neither, until its owner says otherwise.
    Disabled,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKek {
    version: u32,
    algorithm: String,
    created: Timestamp,
    state: KekState,
    material: String,
}

impl Drop for StoredKek {
    fn drop(&mut self) {
        self.material.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    keks: Vec<StoredKek>,
    ledger_seed: String,
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.ledger_seed.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Payload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under_passphrase: Option<PassphraseEnvelope>,
}

struct Kek {
    version: u32,
    algorithm: String,
    created: Timestamp,
    state: KekState,
    material: KekMaterial,
}

/// An opened key store.
pub struct KeyStore {
    folder: PathBuf,
    passphrase: Option<Secret<String>>,
    keks: Vec<Kek>,
    signing: SigningKey,
}

impl KeyStore {
    /// Whether there is a key store in the folder.
    pub fn exists(keys: &LocalKeys) -> bool {
        keys.path.join(KEY_FILE).exists()
    }

    /// Makes a key store with one key-encryption key and a signing key. Fails if there is one.
    pub fn create(keys: &LocalKeys, random: &dyn Random, now: Timestamp) -> Result<Self, TrustError> {
        let path = keys.path.join(KEY_FILE);
        let failed = |source| TrustError::File { path: path.clone(), verb: "written", source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&keys.path).map_err(failed)?;
        if path.exists() {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        let signing = SigningKey::generate(random).map_err(crypto)?;
        let passphrase = keys.passphrase.as_ref().map(fetch).transpose()?;
        let mut store = Self { folder: keys.path.clone(), passphrase, keks: Vec::new(), signing };
        store.add_kek(random, now)?;
        Ok(store)
    }

    /// Opens a key store. Fails if it is gone, readable by others, damaged, or under another passphrase.
    pub fn open(keys: &LocalKeys) -> Result<Self, TrustError> {
        let path = keys.path.join(KEY_FILE);
        let bytes = read_private(&path)?;
        let damaged = |reason: &str| TrustError::Damaged { path: path.clone(), reason: reason.to_owned() };
        let file: KeyFile = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(&format!("it is no key file (line {})", error.line())))?;
        if file.v != 1 {
            return Err(damaged("it has another format version"));
        }
        let passphrase = keys.passphrase.as_ref().map(fetch).transpose()?;
        let payload = match (file.keys, file.under_passphrase, &passphrase) {
            (Some(payload), None, None) => payload,
            (None, Some(envelope), Some(passphrase)) => {
                let opened = envelope.open(passphrase).map_err(|error| TrustError::Passphrase(error.to_string()))?;
                serde_json::from_slice(opened.expose()).map_err(|_| damaged("its content is no key file"))?
            }
            (None, Some(_), None) => {
                let message = format!("{} is under a passphrase, and the project names none", path.display());
                return Err(TrustError::Passphrase(message));
            }
            (Some(_), None, Some(_)) => {
                let message = format!("the project names a passphrase, and {} is not under one", path.display());
                return Err(TrustError::Passphrase(message));
            }
            (Some(_), Some(_), _) | (None, None, _) => return Err(damaged("it has two payloads, or none")),
        };
        Self::from_payload(&keys.path, passphrase, &payload).map_err(|reason| damaged(&reason))
    }

    fn from_payload(folder: &Path, passphrase: Option<Secret<String>>, payload: &Payload) -> Result<Self, String> {
        let mut keks = Vec::new();
        for kek in &payload.keks {
            let material = decode(&kek.material).ok_or_else(|| format!("kek-{} has no 256-bit key", kek.version))?;
            keks.push(Kek {
                version: kek.version,
                algorithm: kek.algorithm.clone(),
                created: kek.created,
                state: kek.state,
                material: KekMaterial::new(KeyMaterial::from_secret(material)),
            });
        }
        if !keks.windows(2).all(|pair| matches!(pair, [a, b] if a.version < b.version)) || keks.is_empty() {
            return Err("its key-encryption keys are not in order".into());
        }
        let seed = decode(&payload.ledger_seed).ok_or("it has no signing key")?;
        let signing = SigningKey::from_seed(seed).map_err(|error| error.to_string())?;
        Ok(Self { folder: folder.to_path_buf(), passphrase, keks, signing })
    }

    /// Adds a key-encryption key, which becomes the active one; those before it only unwrap from now on.
    pub(crate) fn add_kek(&mut self, random: &dyn Random, now: Timestamp) -> Result<(), TrustError> {
        let material = KekMaterial::new(KeyMaterial::generate(random).map_err(crypto)?);
        let version = self.keks.last().map_or(1, |last| last.version + 1);
        for kek in self.keks.iter_mut().filter(|kek| kek.state == KekState::Active) {
            kek.state = KekState::Retired;
        }
        let algorithm = KEK_ALGORITHM.to_owned();
        self.keks.push(Kek { version, algorithm, created: now, state: KekState::Active, material });
        self.save(random)
    }

    fn save(&self, random: &dyn Random) -> Result<(), TrustError> {
        let stored = |kek: &Kek| StoredKek {
            version: kek.version,
            algorithm: kek.algorithm.clone(),
            created: kek.created,
            state: kek.state,
            material: URL_SAFE_NO_PAD.encode(kek.material.material().expose()),
        };
        let payload = Payload {
            keks: self.keks.iter().map(stored).collect(),
            ledger_seed: URL_SAFE_NO_PAD.encode(self.signing.seed().expose()),
        };
        let path = self.folder.join(KEY_FILE);
        let unwritable =
            |error: serde_json::Error| TrustError::Damaged { path: path.clone(), reason: error.to_string() };
        let file = match &self.passphrase {
            None => KeyFile { v: 1, keys: Some(payload), under_passphrase: None },
            Some(passphrase) => {
                let plain = Secret::new(serde_json::to_vec(&payload).map_err(unwritable)?);
                let envelope = seal_under_passphrase(passphrase, &plain, random).map_err(crypto)?;
                KeyFile { v: 1, keys: None, under_passphrase: Some(envelope) }
            }
        };
        let bytes = Zeroizing::new(serde_json::to_vec_pretty(&file).map_err(unwritable)?);
        write_durably(&path, &bytes, 0o600)
    }

    /// The ledger's signing key.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The folder that the key store lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version of the key-encryption key that wraps now.
    pub(crate) fn active(&self) -> Result<u32, TrustError> {
        self.keks.iter().rev().find(|kek| kek.state == KekState::Active).map(|kek| kek.version).ok_or_else(|| {
            TrustError::NotUsable { key: "kek".into(), reason: "no key-encryption key is active".into() }
        })
    }

    /// A key-encryption key for use; refused where it is disabled or gone.
    pub(crate) fn kek(&self, version: u32) -> Result<&KekMaterial, TrustError> {
        let key = format!("kek-{version}");
        match self.keks.iter().find(|kek| kek.version == version) {
            None => Err(TrustError::NotUsable { key, reason: "the key store does not have it".into() }),
            Some(kek) => match kek.state {
                KekState::Active | KekState::Retired => Ok(&kek.material),
                KekState::Disabled => Err(TrustError::NotUsable { key, reason: "it is disabled".into() }),
            },
        }
    }

    /// All key-encryption keys: version, algorithm, when made, state.
    pub(crate) fn keks(&self) -> impl Iterator<Item = (u32, &str, Timestamp, KekState)> {
        self.keks.iter().map(|kek| (kek.version, kek.algorithm.as_str(), kek.created, kek.state))
    }
}

fn crypto(error: impl std::fmt::Display) -> TrustError {
    TrustError::Crypto(error.to_string())
}

fn decode(text: &str) -> Option<Secret<[u8; 32]>> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Secret::new)
}

fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    let failed = |source| TrustError::File { path: path.to_path_buf(), verb: "read", source };
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(TrustError::Gone(path.to_path_buf())),
        other => other.map_err(failed)?,
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TrustError::ReadableByOthers { path: path.to_path_buf(), mode });
    }
    if metadata.len() > KEY_FILE_BYTES_MAX {
        let reason = format!("it is longer than {KEY_FILE_BYTES_MAX} bytes");
        return Err(TrustError::Damaged { path: path.to_path_buf(), reason });
    }
    fs::read(path).map(Zeroizing::new).map_err(failed)
}
