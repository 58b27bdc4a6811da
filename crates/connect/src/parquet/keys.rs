//! The keys that open files: by the id that a file names, or by unwrapping what the key tools stored in it.
//!
//! ```text
//! key metadata in the file               what opens it
//!   kf                                   the key declared as `kf`
//!   {"keyMaterialType":"PKMT1", ...}     the master key that it names; with double wrapping through a key of its own
//!   {"internalStorage":false, ...}       the same, from _KEY_MATERIAL_FOR_<file>.json beside the file
//! ```
//! Source: parquet-java's key tools (`KeyMaterial`, `KeyMetadata`, `FileKeyUnwrapper`).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockgate_crypto::{FileKeyError, FileMasterKey, Secret};
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use serde::Deserialize;
use serde_json::Value;

/// The largest file of external key material, in bytes.
pub const KEY_MATERIAL_BYTES_MAX: u64 = 1024 * 1024;
/// The type of key material that there is.
const MATERIAL_TYPE: &str = "PKMT1";

/// What is wrong with a key of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The file is encrypted, and no keys were given.
    #[error("it is encrypted; declare its keys under `at: parquet: keys:`")]
    NoKeys,
    /// The file demands an AAD prefix.
    #[error("it was written with an AAD prefix that it does not store; declare it under `at: parquet: aad_prefix:`")]
    NoAadPrefix,
    /// The file names a key that is not there.
    #[error("it names the key `{0}`, which is neither declared under `at: parquet: keys:` nor in the key table")]
    Unknown(String),
    /// The file's key metadata names nothing.
    #[error(
        "it does not say with which key it is encrypted; declare the only key that there is under `at: parquet: keys:`"
    )]
    Unnamed,
    /// Key metadata in a form that nobody writes.
    #[error("its key metadata is not what the key tools write: {0}")]
    Metadata(&'static str),
    /// The key material beside the file is missing or has no such key.
    #[error("its key material lies outside of it, and `{0}` is not there or has no such key")]
    External(String),
    /// A key does not unwrap.
    #[error(transparent)]
    Wrapped(#[from] FileKeyError),
}

/// Keys for reading files.
#[derive(Default)]
pub struct FileKeys {
    declared: BTreeMap<String, Secret<Vec<u8>>>,
    masters: BTreeMap<String, FileMasterKey>,
    aad_prefix: Option<Vec<u8>>,
}

impl FileKeys {
    /// Reads a key as its owner wrote it down: 16, 24 or 32 bytes as they are, or after `hex:` or `base64:`.
    pub fn read_key(text: &str) -> Option<Secret<Vec<u8>>> {
        let hex = |digits: &str| -> Option<Vec<u8>> {
            let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
            digits.len().is_multiple_of(2).then(|| digits.as_bytes().chunks(2).map(pair).collect()).flatten()
        };
        let bytes = match text.split_once(':') {
            Some(("hex", digits)) => hex(digits)?,
            Some(("base64", encoded)) => STANDARD.decode(encoded).ok()?,
            Some(_) | None => text.as_bytes().to_vec(),
        };
        matches!(bytes.len(), 16 | 24 | 32).then(|| Secret::new(bytes))
    }

    /// Adds a key under the id that files name; it opens files directly and unwraps keys that name it as their master
    /// key.
    pub fn declare(&mut self, id: &str, key: Secret<Vec<u8>>) -> Result<(), KeyProblem> {
        self.masters.insert(id.to_owned(), FileMasterKey::from_bytes(id, key.expose())?);
        self.declared.insert(id.to_owned(), key);
        Ok(())
    }

    /// Demands this AAD prefix of every file, whether or not the file stores one.
    pub fn set_aad_prefix(&mut self, prefix: &[u8]) {
        self.aad_prefix = Some(prefix.to_vec());
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.masters.is_empty()
    }

    fn master(&self, id: &str) -> Result<&FileMasterKey, KeyProblem> {
        self.masters.get(id).ok_or_else(|| KeyProblem::Unknown(id.to_owned()))
    }

    /// The key that a file's metadata leads to.
    fn find(&self, metadata: &[u8], external: &External) -> Result<Secret<Vec<u8>>, KeyProblem> {
        let text = str::from_utf8(metadata).map_err(|_| KeyProblem::Metadata("it is no text"))?;
        if let Some(key) = self.declared.get(text) {
            return Ok(Secret::new(key.expose().clone()));
        }
        if text.is_empty() {
            return Err(KeyProblem::Unnamed);
        }
        if !text.trim_start().starts_with('{') {
            return Err(KeyProblem::Unknown(text.chars().take(80).collect()));
        }
        let stored: KeyMetadata = parse(text)?;
        if stored.key_material_type != MATERIAL_TYPE {
            return Err(KeyProblem::Metadata("its type is not PKMT1"));
        }
        match (stored.internal_storage, stored.key_reference) {
            (false, Some(reference)) => self.unwrap(&parse(&external.material(&reference)?)?),
            (false, None) => Err(KeyProblem::Metadata("it refers to no key")),
            (true, _) => self.unwrap(&parse(text)?),
        }
    }

    fn unwrap(&self, material: &KeyMaterial) -> Result<Secret<Vec<u8>>, KeyProblem> {
        let master = self.master(&material.master_key_id)?;
        if !material.double_wrapping {
            return Ok(master.unwrap(&wrapped_text(&material.wrapped_dek)?)?);
        }
        let (Some(id), Some(wrapped)) = (&material.key_encryption_key_id, &material.wrapped_kek) else {
            return Err(KeyProblem::Metadata("it lacks the key-encryption key of a double wrapping"));
        };
        let kek = master.unwrap(&wrapped_text(wrapped)?)?;
        Ok(FileMasterKey::from_encoded_id(id, kek.expose())?.unwrap(&material.wrapped_dek)?)
    }
}

impl FromIterator<FileMasterKey> for FileKeys {
    /// Keys that unwrap those of a project's own files.
    fn from_iter<I: IntoIterator<Item = FileMasterKey>>(keys: I) -> Self {
        let masters = keys.into_iter().map(|key| (key.id().to_owned(), key)).collect();
        Self { masters, ..Self::default() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyMetadata {
    key_material_type: String,
    internal_storage: bool,
    key_reference: Option<String>,
}

#[derive(Deserialize)]
struct KeyMaterial {
    #[serde(rename = "masterKeyID")]
    master_key_id: String,
    #[serde(rename = "wrappedDEK")]
    wrapped_dek: String,
    #[serde(rename = "doubleWrapping")]
    double_wrapping: bool,
    #[serde(rename = "keyEncryptionKeyID")]
    key_encryption_key_id: Option<String>,
    #[serde(rename = "wrappedKEK")]
    wrapped_kek: Option<String>,
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, KeyProblem> {
    serde_json::from_str(text).map_err(|_| KeyProblem::Metadata("a field is missing or of another type"))
}

/// A wrapped key, also inside the envelope that clients of the local-wrap kind put around it.
fn wrapped_text(wrapped: &str) -> Result<String, KeyProblem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LocalWrap {
        encrypted_key: String,
    }
    match wrapped.starts_with('{') {
        true => parse::<LocalWrap>(wrapped).map(|envelope| envelope.encrypted_key),
        false => Ok(wrapped.to_owned()),
    }
}

/// The key material that lies beside a file, if it does.
pub(super) struct External {
    /// Its file.
    pub(super) path: String,
    /// Its content, read when the file was opened.
    pub(super) content: Option<Vec<u8>>,
}

impl External {
    fn material(&self, reference: &str) -> Result<String, KeyProblem> {
        let missing = || KeyProblem::External(self.path.clone());
        let content = self.content.as_ref().ok_or_else(missing)?;
        let all: BTreeMap<String, Value> = serde_json::from_slice(content).map_err(|_| missing())?;
        match all.get(reference).ok_or_else(missing)? {
            Value::String(text) => Ok(text.clone()),
            other => Ok(other.to_string()),
        }
    }
}

/// Answers Parquet's reader.
struct Retriever {
    keys: Arc<FileKeys>,
    external: External,
}

impl KeyRetriever for Retriever {
    fn retrieve_key(&self, metadata: &[u8]) -> parquet::errors::Result<Vec<u8>> {
        let key = self.keys.find(metadata, &self.external);
        key.map(|key| key.expose().clone())
            .map_err(|problem| parquet::errors::ParquetError::External(Box::new(problem)))
    }
}

/// What Parquet's reader needs to open a file with these keys; the footer's signature is always checked.
pub(super) fn decryption(
    keys: &Arc<FileKeys>,
    external: External,
    aad_prefix: Option<&[u8]>,
) -> parquet::errors::Result<Arc<FileDecryptionProperties>> {
    let retriever = Retriever { keys: Arc::clone(keys), external };
    let mut builder = FileDecryptionProperties::with_key_retriever(Arc::new(retriever));
    if let Some(prefix) = aad_prefix.or(keys.aad_prefix.as_deref()) {
        builder = builder.with_aad_prefix(prefix.to_vec());
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use lockgate_crypto::SystemRandom;

    use super::*;

    fn nothing_beside() -> External {
        External { path: "_KEY_MATERIAL_FOR_a.parquet.json".into(), content: None }
    }

    fn keys() -> FileKeys {
        let mut keys = FileKeys::default();
        keys.declare("kf", Secret::new(b"0123456789012345".to_vec())).unwrap();
        keys
    }

    #[test]
    fn a_key_is_found_by_name_or_unwrapped() {
        let keys = keys();
        assert_eq!(keys.find(b"kf", &nothing_beside()).unwrap().expose(), b"0123456789012345");
        let (file_key, wrapped) = keys.masters["kf"].new_file_key(&SystemRandom).unwrap();
        let material = format!(
            r#"{{"keyMaterialType":"PKMT1","internalStorage":true,"isFooterKey":false,"masterKeyID":"kf","wrappedDEK":"{wrapped}","doubleWrapping":false}}"#
        );
        assert_eq!(keys.find(material.as_bytes(), &nothing_beside()).unwrap().expose(), file_key.expose());
        let beside = External {
            path: "m.json".into(),
            content: Some(serde_json::to_vec(&BTreeMap::from([("columnKey1", &material)])).unwrap()),
        };
        let reference =
            |name: &str| format!(r#"{{"keyMaterialType":"PKMT1","internalStorage":false,"keyReference":"{name}"}}"#);
        assert_eq!(keys.find(reference("columnKey1").as_bytes(), &beside).unwrap().expose(), file_key.expose());
        assert_eq!(
            keys.find(reference("columnKey2").as_bytes(), &beside).err(),
            Some(KeyProblem::External("m.json".into()))
        );
    }

    #[test]
    fn keys_are_read_as_bytes_hexadecimal_or_base64() {
        let read = |text: &str| FileKeys::read_key(text).map(|key| key.expose().clone());
        assert_eq!(read("0123456789012345").unwrap(), b"0123456789012345");
        assert_eq!(read("hex:30313233343536373839303132333435").unwrap(), b"0123456789012345");
        assert_eq!(read("base64:MDEyMzQ1Njc4OTAxMjM0NQ==").unwrap(), b"0123456789012345");
        for wrong in ["", "short", "hex:3", "hex:zz", "base64:?", "hex:3031"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn metadata_that_leads_nowhere_is_named() {
        let keys = keys();
        let find = |metadata: &[u8]| keys.find(metadata, &nothing_beside()).err().unwrap();
        assert_eq!(find(b"kx"), KeyProblem::Unknown("kx".into()));
        assert_eq!(find(b""), KeyProblem::Unnamed);
        assert!(matches!(find(b"\xff"), KeyProblem::Metadata(_)));
        assert!(matches!(find(b"{}"), KeyProblem::Metadata(_)));
        let material = |master: &str, double: bool| {
            format!(
                r#"{{"keyMaterialType":"PKMT1","internalStorage":true,"masterKeyID":"{master}","wrappedDEK":"AAAA","doubleWrapping":{double}}}"#
            )
        };
        assert_eq!(find(material("ky", false).as_bytes()), KeyProblem::Unknown("ky".into()));
        assert!(matches!(find(material("kf", true).as_bytes()), KeyProblem::Metadata(_)));
        assert!(matches!(find(material("kf", false).as_bytes()), KeyProblem::Wrapped(_)));
    }
}
