//! The key-encryption keys and the ledger's signing key, in one file that only its owner can read.
//!
//! The file is JSON: `{v, keys}` with the payload itself, `{v, under_passphrase}` with the payload sealed under a
//! passphrase (PBKDF2, SP 800-132), or `{v, under_service}` with the seed of the signing key as a key service wrapped it, in
//! which case no key lies on this machine. `docs/formats/key-hierarchy.md` specifies it. Beside it lie, readable by all, the
//! ledger's verifier key and the last checkpoint that this machine has seen.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use lockgate_crypto::{
    KekMaterial, KeyContext, KeyId, KeyMaterial, PassphraseEnvelope, Random, Secret, SigningKey, WrappedKey,
    seal_under_passphrase,
};
use lockgate_model::ProjectName;
use lockgate_project::KeySettings;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::durable_file::write_durably;
use crate::error::TrustError;
use crate::key_service::{EncryptionContext, Guarded};
use crate::site::Site;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under_service: Option<ServicePayload>,
}

/// What is kept here where a service holds the key-encryption keys: nothing that opens anything.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicePayload {
    keks: Vec<ServiceKek>,
    ledger_seed: WrappedSeed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceKek {
    version: u32,
    algorithm: String,
    created: Timestamp,
    state: KekState,
    /// Its name at the service.
    key: String,
}

/// The seed of the ledger's signing key, wrapped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrappedSeed {
    id: KeyId,
    kek_version: u32,
    wrapped: WrappedKey,
}

struct Kek {
    version: u32,
    algorithm: String,
    created: Timestamp,
    state: KekState,
    held: Held,
}

/// Where a key-encryption key is.
enum Held {
    /// In this key store.
    Here(KekMaterial),
    /// At the service, under this name.
    There(String),
}

/// A key that was made for use.
pub(crate) struct MadeKey {
    pub(crate) wrapped: WrappedKey,
    pub(crate) kek_version: u32,
}

/// An opened key store.
pub struct KeyStore {
    folder: PathBuf,
    passphrase: Option<Secret<String>>,
    keks: Vec<Kek>,
    signing: SigningKey,
    service: Option<RemoteKeys>,
}

/// The service that holds the key-encryption keys.
struct RemoteKeys {
    service: Guarded,
    project: ProjectName,
    seed: WrappedSeed,
}

impl KeyStore {
    /// Whether there is a key store in the folder.
    pub fn exists(keys: &KeySettings) -> bool {
        keys.path.join(KEY_FILE).exists()
    }

    /// Makes a key store with one key-encryption key and a signing key. Fails if there is one.
    pub fn create(site: &Site, random: &dyn Random, now: Timestamp) -> Result<Self, TrustError> {
        let keys = &site.keys.default;
        let path = keys.path.join(KEY_FILE);
        let failed = |source| TrustError::File { path: path.clone(), verb: "written", source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&keys.path).map_err(failed)?;
        if path.exists() {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        let passphrase = keys.passphrase.as_ref().map(|reference| site.secret(reference)).transpose()?;
        let folder = keys.path.clone();
        let Some(service) = site.key_service(&keys.service)? else {
            let signing = SigningKey::generate(random).map_err(crypto)?;
            let mut store = Self { folder, passphrase, keks: Vec::new(), signing, service: None };
            store.add_kek(random, now)?;
            return Ok(store);
        };
        let project = site.name.clone();
        let at_service = |problem| service.failed(problem);
        let described = service.call(|service| service.describe()).map_err(at_service)?;
        let id = KeyId::generate(random).map_err(crypto)?;
        let context = EncryptionContext::new(id, &KeyContext::Ledger { project: project.clone() });
        let made = service.call(|service| service.generate(&context)).map_err(at_service)?;
        let version = made.version.or(described.version).unwrap_or(1);
        let signing = SigningKey::from_seed(Secret::new(*made.material.expose())).map_err(crypto)?;
        let held = Held::There(described.key);
        let kek = Kek { version, algorithm: described.algorithm, created: now, state: KekState::Active, held };
        let seed = WrappedSeed { id, kek_version: version, wrapped: made.wrapped };
        let service = Some(RemoteKeys { service, project, seed });
        let store = Self { folder, passphrase, keks: vec![kek], signing, service };
        store.save(random)?;
        Ok(store)
    }

    /// Opens a key store. Fails if it is gone, readable by others, damaged, or under another passphrase or service.
    pub fn open(site: &Site) -> Result<Self, TrustError> {
        let keys = &site.keys.default;
        let path = keys.path.join(KEY_FILE);
        let bytes = read_private(&path)?;
        let damaged = |reason: &str| TrustError::Damaged { path: path.clone(), reason: reason.to_owned() };
        let file: KeyFile = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(&format!("it is no key file (line {})", error.line())))?;
        if file.v != 1 {
            return Err(damaged("it has another format version"));
        }
        let service = site.key_service(&keys.service)?;
        if let (Some(payload), Some(service)) = (file.under_service, service) {
            return match (file.keys, file.under_passphrase) {
                (None, None) => Self::from_service(site, service, payload, &damaged),
                (Some(_), _) | (_, Some(_)) => Err(damaged("it has two payloads")),
            };
        }
        let passphrase = keys.passphrase.as_ref().map(|reference| site.secret(reference)).transpose()?;
        let payload = match (file.keys, file.under_passphrase, &passphrase) {
            (Some(_), _, _) | (_, Some(_), _) if !matches!(keys.service, lockgate_project::KeyService::Local) => {
                let message = format!("the project names a key service, and {} holds keys of its own", path.display());
                return Err(TrustError::Passphrase(message));
            }
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
            (Some(_), Some(_), _) => return Err(damaged("it has two payloads")),
            (None, None, _) => return Err(damaged("it is under a key service, and the project names local keys")),
        };
        Self::from_payload(&keys.path, passphrase, &payload).map_err(|reason| damaged(&reason))
    }

    fn from_service(
        site: &Site,
        service: Guarded,
        payload: ServicePayload,
        damaged: &dyn Fn(&str) -> TrustError,
    ) -> Result<Self, TrustError> {
        let kek = |kek: ServiceKek| Kek {
            version: kek.version,
            algorithm: kek.algorithm,
            created: kek.created,
            state: kek.state,
            held: Held::There(kek.key),
        };
        let keks: Vec<Kek> = payload.keks.into_iter().map(kek).collect();
        in_order(&keks).map_err(|reason| damaged(&reason))?;
        let (project, seed) = (site.name.clone(), payload.ledger_seed);
        let under = keks.iter().find(|kek| kek.version == seed.kek_version).map(|kek| &kek.held);
        let Some(Held::There(under)) = under else { return Err(damaged("its signing key is under an unknown key")) };
        let context = EncryptionContext::new(seed.id, &KeyContext::Ledger { project: project.clone() });
        let opened = service.unwrap(&seed.wrapped, under, &context).map_err(|problem| service.failed(problem))?;
        let signing = SigningKey::from_seed(Secret::new(*opened.expose())).map_err(crypto)?;
        let service = Some(RemoteKeys { service, project, seed });
        Ok(Self { folder: site.keys.default.path.clone(), passphrase: None, keks, signing, service })
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
                held: Held::Here(KekMaterial::new(KeyMaterial::from_secret(material))),
            });
        }
        in_order(&keks)?;
        let seed = decode(&payload.ledger_seed).ok_or("it has no signing key")?;
        let signing = SigningKey::from_seed(seed).map_err(|error| error.to_string())?;
        Ok(Self { folder: folder.to_path_buf(), passphrase, keks, signing, service: None })
    }

    /// Adds a key-encryption key, which becomes the active one; those before it only unwrap from now on. Where a service
    /// holds them, it makes a new version of the one that the project names.
    pub(crate) fn add_kek(&mut self, random: &dyn Random, now: Timestamp) -> Result<(), TrustError> {
        let next = self.keks.last().map_or(1, |last| last.version + 1);
        let (version, algorithm, held) = match &mut self.service {
            None => {
                let material = KekMaterial::new(KeyMaterial::generate(random).map_err(crypto)?);
                (next, KEK_ALGORITHM.to_owned(), Held::Here(material))
            }
            Some(RemoteKeys { service, .. }) => {
                let at_service = |problem| service.failed(problem);
                let before = service.call(|service| service.describe()).map_err(at_service)?;
                let same =
                    self.keks.last().is_some_and(|last| matches!(&last.held, Held::There(key) if *key == before.key));
                if same {
                    service.call(|service| service.rotate()).map_err(at_service)?;
                }
                let described = service.call(|service| service.describe()).map_err(at_service)?;
                (described.version.unwrap_or(next).max(next), described.algorithm, Held::There(described.key))
            }
        };
        self.begin_kek(Kek { version, algorithm, created: now, state: KekState::Active, held });
        self.rewrap_seed()?;
        self.save(random)
    }

    fn begin_kek(&mut self, kek: Kek) {
        for before in self.keks.iter_mut().filter(|before| before.state == KekState::Active) {
            before.state = KekState::Retired;
        }
        self.keks.push(kek);
    }

    fn rewrap_seed(&mut self) -> Result<(), TrustError> {
        let Some(RemoteKeys { project, seed, .. }) = &self.service else { return Ok(()) };
        let (context, seed) = (KeyContext::Ledger { project: project.clone() }, seed.clone());
        let (wrapped, kek_version) = self.rewrap(&seed.wrapped, seed.kek_version, seed.id, &context, None)?;
        if let Some(remote) = &mut self.service {
            remote.seed = WrappedSeed { id: seed.id, kek_version, wrapped };
        }
        Ok(())
    }

    /// Makes a key for a context, wrapped under the active key-encryption key.
    pub(crate) fn make(
        &mut self,
        id: KeyId,
        context: &KeyContext,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<MadeKey, TrustError> {
        let active = self.active()?;
        let Some(remote) = &self.service else {
            let material = KeyMaterial::generate(random).map_err(crypto)?;
            let wrapped = self.kek(active)?.wrap(&material, id, context, random).map_err(crypto)?;
            return Ok(MadeKey { wrapped, kek_version: active });
        };
        let encryption = EncryptionContext::new(id, context);
        let made = remote.service.call(|service| service.generate(&encryption));
        let made = made.map_err(|problem| remote.service.failed(problem))?;
        let kek_version = made.version.unwrap_or(active);
        if kek_version > active {
            // Somebody made a new version at the service.
            let before = self.keks.last().map(|last| (last.algorithm.clone(), &last.held));
            let Some((algorithm, Held::There(key))) = before else { return Err(self.not_there(active)) };
            let held = Held::There(key.clone());
            self.begin_kek(Kek { version: kek_version, algorithm, created: now, state: KekState::Active, held });
            self.save(random)?;
        }
        Ok(MadeKey { wrapped: made.wrapped, kek_version })
    }

    /// Opens a key that was wrapped for a context.
    pub(crate) fn unwrap(
        &self,
        wrapped: &WrappedKey,
        kek_version: u32,
        id: KeyId,
        context: &KeyContext,
    ) -> Result<KeyMaterial, TrustError> {
        match &self.service {
            None => {
                let opened = self.kek(kek_version)?.unwrap(wrapped, id, context);
                opened.map_err(|error| TrustError::NotUsable { key: id.to_string(), reason: error.to_string() })
            }
            Some(RemoteKeys { service, .. }) => {
                let opened = service.unwrap(wrapped, self.name_of(kek_version)?, &EncryptionContext::new(id, context));
                opened.map_err(|problem| service.failed(problem))
            }
        }
    }

    /// Wraps a key under the active key-encryption key anew. `random` is needed where the keys are here.
    pub(crate) fn rewrap(
        &self,
        wrapped: &WrappedKey,
        kek_version: u32,
        id: KeyId,
        context: &KeyContext,
        random: Option<&dyn Random>,
    ) -> Result<(WrappedKey, u32), TrustError> {
        let active = self.active()?;
        let rewrapped = match (&self.service, random) {
            (None, Some(random)) => {
                let material = self.unwrap(wrapped, kek_version, id, context)?;
                self.kek(active)?.wrap(&material, id, context, random).map_err(crypto)?
            }
            (None, None) => return Err(self.not_there(active)),
            (Some(RemoteKeys { service, .. }), _) => {
                let (under, context) = (self.name_of(kek_version)?, EncryptionContext::new(id, context));
                let rewrapped = service.call(|service| service.rewrap(wrapped, under, &context));
                rewrapped.map_err(|problem| service.failed(problem))?
            }
        };
        Ok((rewrapped, active))
    }

    /// The name at the service of a key-encryption key.
    fn name_of(&self, version: u32) -> Result<&str, TrustError> {
        match self.keks.iter().find(|kek| kek.version == version).map(|kek| &kek.held) {
            Some(Held::There(key)) => Ok(key),
            Some(Held::Here(_)) | None => Err(self.not_there(version)),
        }
    }

    fn not_there(&self, version: u32) -> TrustError {
        TrustError::NotUsable { key: format!("kek-{version}"), reason: "the key store does not have it".into() }
    }

    fn save(&self, random: &dyn Random) -> Result<(), TrustError> {
        if let Some(remote) = &self.service {
            return self.save_remote(remote);
        }
        let stored = |kek: &Kek| match &kek.held {
            Held::There(_) => None,
            Held::Here(material) => Some(StoredKek {
                version: kek.version,
                algorithm: kek.algorithm.clone(),
                created: kek.created,
                state: kek.state,
                material: URL_SAFE_NO_PAD.encode(material.material().expose()),
            }),
        };
        let payload = Payload {
            keks: self.keks.iter().filter_map(stored).collect(),
            ledger_seed: URL_SAFE_NO_PAD.encode(self.signing.seed().expose()),
        };
        let path = self.folder.join(KEY_FILE);
        let unwritable =
            |error: serde_json::Error| TrustError::Damaged { path: path.clone(), reason: error.to_string() };
        let file = match &self.passphrase {
            None => KeyFile { v: 1, keys: Some(payload), under_passphrase: None, under_service: None },
            Some(passphrase) => {
                let plain = Secret::new(serde_json::to_vec(&payload).map_err(unwritable)?);
                let envelope = seal_under_passphrase(passphrase, &plain, random).map_err(crypto)?;
                KeyFile { v: 1, keys: None, under_passphrase: Some(envelope), under_service: None }
            }
        };
        let bytes = Zeroizing::new(serde_json::to_vec_pretty(&file).map_err(unwritable)?);
        write_durably(&path, &bytes, 0o600)
    }

    fn save_remote(&self, remote: &RemoteKeys) -> Result<(), TrustError> {
        let stored = |kek: &Kek| match &kek.held {
            Held::Here(_) => None,
            Held::There(key) => Some(ServiceKek {
                version: kek.version,
                algorithm: kek.algorithm.clone(),
                created: kek.created,
                state: kek.state,
                key: key.clone(),
            }),
        };
        let payload =
            ServicePayload { keks: self.keks.iter().filter_map(stored).collect(), ledger_seed: remote.seed.clone() };
        let file = KeyFile { v: 1, keys: None, under_passphrase: None, under_service: Some(payload) };
        let path = self.folder.join(KEY_FILE);
        let bytes = serde_json::to_vec_pretty(&file)
            .map_err(|error| TrustError::Damaged { path: path.clone(), reason: error.to_string() })?;
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

    /// A key-encryption key of this store for use; refused where it is disabled or gone.
    fn kek(&self, version: u32) -> Result<&KekMaterial, TrustError> {
        match self.keks.iter().find(|kek| kek.version == version).map(|kek| (&kek.held, kek.state)) {
            None | Some((Held::There(_), _)) => Err(self.not_there(version)),
            Some((Held::Here(material), KekState::Active | KekState::Retired)) => Ok(material),
            Some((Held::Here(_), KekState::Disabled)) => {
                Err(TrustError::NotUsable { key: format!("kek-{version}"), reason: "it is disabled".into() })
            }
        }
    }

    /// All key-encryption keys: version, algorithm, when made, state.
    pub(crate) fn keks(&self) -> impl Iterator<Item = (u32, &str, Timestamp, KekState)> {
        self.keks.iter().map(|kek| (kek.version, kek.algorithm.as_str(), kek.created, kek.state))
    }
}

fn in_order(keks: &[Kek]) -> Result<(), String> {
    match keks.windows(2).all(|pair| matches!(pair, [a, b] if a.version < b.version)) && !keks.is_empty() {
        true => Ok(()),
        false => Err("its key-encryption keys are not in order".into()),
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
