//! Every file gets keys of its own, one for each level and one for its footer, wrapped into the file as the key tools do.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_crypto::{FileMasterKey, Random, Secret};
use lockgate_model::ColumnName;
use parquet::encryption::encrypt::FileEncryptionProperties;
use serde::Serialize;

use super::error::ParquetError;

/// The key of one level, by which the keys of files are wrapped.
pub type LevelKey = Arc<FileMasterKey>;

/// How the files of one run are encrypted.
#[derive(Clone)]
pub struct ParquetEncryption {
    /// Wraps the key of each footer: the key of the lowest level, since who reads any column reads the footer.
    pub footer: LevelKey,
    /// Wraps the keys of the columns. A column that is not named is not encrypted.
    pub columns: BTreeMap<ColumnName, LevelKey>,
    /// Where each file belongs, bound into all of it: project and dataset. The file's name follows.
    pub belongs_to: String,
    /// Draws the keys.
    pub random: Arc<dyn Random>,
}

/// Key material as the key tools store it, version PKMT1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyMaterial<'a> {
    key_material_type: &'static str,
    internal_storage: bool,
    is_footer_key: bool,
    #[serde(rename = "kmsInstanceID", skip_serializing_if = "Option::is_none")]
    kms_instance_id: Option<&'static str>,
    #[serde(rename = "kmsInstanceURL", skip_serializing_if = "Option::is_none")]
    kms_instance_url: Option<&'static str>,
    #[serde(rename = "masterKeyID")]
    master_key_id: &'a str,
    #[serde(rename = "wrappedDEK")]
    wrapped_dek: &'a str,
    double_wrapping: bool,
}

impl ParquetEncryption {
    /// The prefix of the associated data of a file's every part.
    pub(super) fn aad_prefix(belongs_to: &str, file: &str) -> Vec<u8> {
        format!("{belongs_to}/{file}").into_bytes()
    }

    /// Draws and wraps the keys of one file.
    pub(super) fn of_file(&self, file: &str) -> Result<Arc<FileEncryptionProperties>, ParquetError> {
        let (footer, wrapped) = self.file_key(&self.footer)?;
        let metadata = material(&self.footer, &wrapped, true)?;
        let mut builder = FileEncryptionProperties::builder(footer.expose().to_vec())
            .with_footer_key_metadata(metadata)
            .with_aad_prefix(Self::aad_prefix(&self.belongs_to, file))
            .with_aad_prefix_storage(true);
        let mut of_level: BTreeMap<&str, (Secret<[u8; 32]>, Vec<u8>)> = BTreeMap::new();
        for (column, level) in &self.columns {
            if !of_level.contains_key(level.id()) {
                let (key, wrapped) = self.file_key(level)?;
                of_level.insert(level.id(), (key, material(level, &wrapped, false)?));
            }
            if let Some((key, metadata)) = of_level.get(level.id()) {
                builder =
                    builder.with_column_key_and_metadata(column.as_str(), key.expose().to_vec(), metadata.clone());
            }
        }
        builder.build().map_err(|error| ParquetError::Writer { reason: error.to_string() })
    }

    fn file_key(&self, level: &LevelKey) -> Result<(Secret<[u8; 32]>, String), ParquetError> {
        level.new_file_key(self.random.as_ref()).map_err(|error| ParquetError::Writer { reason: error.to_string() })
    }
}

fn material(master: &FileMasterKey, wrapped: &str, is_footer_key: bool) -> Result<Vec<u8>, ParquetError> {
    let material = KeyMaterial {
        key_material_type: "PKMT1",
        internal_storage: true,
        is_footer_key,
        kms_instance_id: is_footer_key.then_some("DEFAULT"),
        kms_instance_url: is_footer_key.then_some("DEFAULT"),
        master_key_id: master.id(),
        wrapped_dek: wrapped,
        double_wrapping: false,
    };
    serde_json::to_vec(&material).map_err(|error| ParquetError::Writer { reason: error.to_string() })
}
