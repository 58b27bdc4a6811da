//! The salts of a dataset's subjects, kept beside the key table: without a subject's salt, no value that was sealed for it
//! opens, wherever its copies lie.
//!
//! ```text
//! subject-salts.db   salts(dataset, subject, salt)     subject: a token under the dataset's key of subjects
//! ```
//! A subject that was erased stays as a token without a salt, so that what arrives of it later is not sealed anew.
//! SQLite overwrites what is deleted; what the disk or a copy of the file keeps is beyond that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockgate_crypto::{Random, Secret, SubjectSalt, Tokenizer};
use lockgate_model::DatasetName;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::TrustError;

/// The file within the ledger's folder.
pub const SUBJECT_SALTS_FILE: &str = "subject-salts.db";
/// Salts that are kept at hand.
const AT_HAND_MAX: usize = 65_536;

/// What is known of a subject.
pub enum SubjectState {
    /// It has a salt.
    Known(SubjectSalt),
    /// Its salt was destroyed.
    Erased,
    /// Nothing was ever sealed for it.
    Unknown,
}

/// The salts of one dataset's subjects, opened. New salts are durable with [`commit`](Self::commit).
pub struct SubjectSalts {
    database: Connection,
    dataset: DatasetName,
    names: Tokenizer,
    random: Arc<dyn Random>,
    at_hand: HashMap<Vec<u8>, Option<SubjectSalt>>,
    path: PathBuf,
}

impl SubjectSalts {
    pub(crate) fn open(
        ledger: &Path,
        dataset: DatasetName,
        names: Tokenizer,
        random: Arc<dyn Random>,
    ) -> Result<Self, TrustError> {
        let path = ledger.join(SUBJECT_SALTS_FILE);
        let opened = Connection::open(&path).and_then(|database| {
            // What is deleted is overwritten, and a salt is on the disk before anything is sealed with it.
            database.execute_batch(
                "PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE; PRAGMA cache_size = -16384;
                 CREATE TABLE IF NOT EXISTS salts (
                     dataset TEXT NOT NULL, subject TEXT NOT NULL, salt BLOB, PRIMARY KEY (dataset, subject)
                 ) STRICT, WITHOUT ROWID;
                 BEGIN IMMEDIATE",
            )?;
            Ok(database)
        });
        let database = opened.map_err(|error| failed(&path, &error))?;
        restrict(&path)?;
        Ok(Self { database, dataset, names, random, at_hand: HashMap::new(), path })
    }

    /// How the key table and the ledger name a subject.
    pub fn name(&self, subject: &[u8]) -> Result<String, TrustError> {
        let text = str::from_utf8(subject).map_err(|_| TrustError::Crypto("a subject is no text".into()))?;
        let mut name = String::new();
        self.names.token_into(text, &mut name).map_err(|error| TrustError::Crypto(error.to_string()))?;
        Ok(name)
    }

    /// What is known of a subject.
    pub fn find(&self, subject: &[u8]) -> Result<SubjectState, TrustError> {
        let sql = "SELECT salt FROM salts WHERE dataset = ?1 AND subject = ?2";
        let mut statement = self.database.prepare_cached(sql).map_err(|error| failed(&self.path, &error))?;
        let found: Option<Option<Vec<u8>>> = statement
            .query_row(params![self.dataset.as_str(), self.name(subject)?], |row| row.get(0))
            .optional()
            .map_err(|error| failed(&self.path, &error))?;
        Ok(match found {
            None => SubjectState::Unknown,
            Some(None) => SubjectState::Erased,
            Some(Some(salt)) => {
                let salt = SubjectSalt::from_secret_bytes(&Secret::new(salt));
                SubjectState::Known(salt.ok_or_else(|| TrustError::Crypto("a subject's salt is damaged".into()))?)
            }
        })
    }

    /// The salt to seal with: a new one for a subject that is not known, none for one that was erased.
    pub fn for_sealing(&mut self, subject: &[u8]) -> Result<Option<&SubjectSalt>, TrustError> {
        if !self.at_hand.contains_key(subject) {
            let salt = match self.add(subject)? {
                Some(new) => Some(new),
                None => match self.find(subject)? {
                    SubjectState::Known(salt) => Some(salt),
                    SubjectState::Erased | SubjectState::Unknown => None,
                },
            };
            if self.at_hand.len() >= AT_HAND_MAX {
                self.at_hand.clear();
            }
            self.at_hand.insert(subject.to_vec(), salt);
        }
        Ok(self.at_hand.get(subject).and_then(Option::as_ref))
    }

    /// A new salt, unless the subject has one or had one.
    fn add(&self, subject: &[u8]) -> Result<Option<SubjectSalt>, TrustError> {
        let random = self.random.as_ref();
        let salt = SubjectSalt::generate(random).map_err(|error| TrustError::Crypto(error.to_string()))?;
        let sql = "INSERT OR IGNORE INTO salts (dataset, subject, salt) VALUES (?1, ?2, ?3)";
        let values = params![self.dataset.as_str(), self.name(subject)?, salt.expose()];
        let added = self.database.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        Ok((added.map_err(|error| failed(&self.path, &error))? > 0).then_some(salt))
    }

    /// Destroys the salt of a subject, durably.
    pub fn erase(&mut self, subject: &[u8]) -> Result<(), TrustError> {
        self.at_hand.clear();
        let sql = "INSERT INTO salts (dataset, subject, salt) VALUES (?1, ?2, NULL)
                   ON CONFLICT (dataset, subject) DO UPDATE SET salt = NULL";
        let values = params![self.dataset.as_str(), self.name(subject)?];
        self.database.execute(sql, values).map_err(|error| failed(&self.path, &error))?;
        self.commit()
    }

    /// Makes new salts durable; to be called before what was sealed with them can be read by anybody.
    pub fn commit(&mut self) -> Result<(), TrustError> {
        self.database.execute_batch("COMMIT; BEGIN IMMEDIATE").map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &rusqlite::Error) -> TrustError {
    TrustError::Salts { path: path.to_path_buf(), reason: error.to_string() }
}

/// Salts are secrets: nobody else may read them.
fn restrict(path: &Path) -> Result<(), TrustError> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| TrustError::Salts { path: path.to_path_buf(), reason: error.to_string() })
}
