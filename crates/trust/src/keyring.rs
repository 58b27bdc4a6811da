//! The keys of a project, opened: what a run protects with, and what `lockgate keys` shows and changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Span, Timestamp, ToSpan};
use lockgate_crypto::{
    ColumnKey, DekId, DigitCipher, DomainKey, FileMasterKey, KeyId, KeyMaterial, Opener, Random, Sealer, SealingDek,
    Tokenizer, ValueContext, WriterId, assess,
};
use lockgate_evidence::{
    ColumnProtectionKey, Event, KeyCreate, KeyReference, KeyRewrap, KeyRotate, KeyScope, KeyShred,
};
use lockgate_ledger::Revision;
use lockgate_model::{ColumnName, DatasetName, DomainName, ProjectName, RunId};
use serde::Serialize;

use crate::error::TrustError;
use crate::key_store::{KekState, KeyStore};
use crate::key_table::{DekRecord, KEY_TABLE_FILE, KeyRecord, KeyState, KeyTable};
use crate::ledger_place::LedgerPlace;
use crate::subject_salts::SubjectSalts;

/// The algorithm of sealed values.
const SEAL_ALGORITHM: &str = "AES-256-GCM";
/// The algorithm of tokens, under the domain's key.
const TOKEN_ALGORITHM: &str = "HMAC-SHA-256";
/// The algorithm of format-preserving encryption, under the domain's key.
const FPE_ALGORITHM: &str = "FF1";

/// The domain of the tokens that name subjects, under a key of their dataset's own.
const SUBJECTS_DOMAIN: &str = "subjects";

/// One key as `lockgate keys` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyStatus {
    /// Its id; `kek-N` for a key-encryption key.
    pub key: String,
    /// `kek`, `DATASET.COLUMN` or `domain:NAME`.
    pub scope: String,
    /// The period of its scope, from 1.
    pub period: u32,
    /// As the rule table names it.
    pub algorithm: String,
    /// What the rule table says of it today.
    pub rule: String,
    /// Whether the rule table forbids it to protect data.
    pub forbidden: bool,
    /// `active`, `retired`, `disabled` or `shredded`.
    pub state: String,
    /// When it was made.
    pub created: Timestamp,
    /// The version of the key-encryption key that wraps it.
    pub kek_version: u32,
    /// How many runs sealed under it.
    pub data_keys: usize,
}

/// The opened keys of a project.
pub struct Keyring {
    project: ProjectName,
    ledger: LedgerPlace,
    store: KeyStore,
    table: KeyTable,
    /// Which content of the table was read or written last.
    revision: Option<Revision>,
    /// The table as it lies with the ledger, if the ledger has all of its events.
    written: Option<KeyTable>,
    random: Arc<dyn Random>,
    now: Timestamp,
}

impl Keyring {
    /// Joins an opened key store with the key table that lies with the ledger. `now` is the time of the command.
    pub fn open(
        project: ProjectName,
        store: KeyStore,
        ledger: LedgerPlace,
        random: Arc<dyn Random>,
        now: Timestamp,
    ) -> Result<Self, TrustError> {
        let (table, revision) = KeyTable::load_revision(&ledger)?;
        let written = table.is_settled().then(|| table.clone());
        let mut keyring = Self { project, ledger, store, table, revision, written, random, now };
        keyring.announce_keks("found in the key store")?;
        Ok(keyring)
    }

    /// The key store behind it.
    pub fn store(&self) -> &KeyStore {
        &self.store
    }

    /// Whether anything was changed since the table was last written.
    pub fn is_changed(&self) -> bool {
        self.written.as_ref() != Some(&self.table)
    }

    /// Announces key-encryption keys of the key store that the ledger was not told of: a new one, or one that was made
    /// just before the program was stopped.
    fn announce_keks(&mut self, because: &str) -> Result<(), TrustError> {
        let versions: Vec<u32> = self.store.keks().map(|kek| kek.0).collect();
        let mut before: Option<u32> = None;
        for version in versions {
            if !self.table.keks.contains(&version) {
                let (key, because) = (self.kek_reference(version), because.to_owned());
                let event = match before {
                    None => Event::KeyCreate(KeyCreate { key, because }),
                    Some(before) => Event::KeyRotate(KeyRotate { key, follows: format!("kek-{before}"), because }),
                };
                self.table.announce(&event)?;
                self.table.keks.push(version);
            }
            before = Some(version);
        }
        Ok(())
    }

    /// A sealer for one column of a run, with a data key of its own. Makes the column's key where there is none, and
    /// begins a new period where the present one is older than `rotate_days`.
    pub fn sealer(
        &mut self,
        dataset: &DatasetName,
        column: &ColumnName,
        run: &RunId,
        rotate_days: Option<u32>,
    ) -> Result<(Sealer, ColumnProtectionKey), TrustError> {
        let (dek, context, key) = self.data_key(dataset, column, run, rotate_days)?;
        Ok((Sealer::new(dek, &context).map_err(crypto)?, key))
    }

    /// As [`sealer`](Self::sealer), for values that are sealed under the key of their row's subject.
    pub fn sealer_by_subject(
        &mut self,
        dataset: &DatasetName,
        column: &ColumnName,
        run: &RunId,
        rotate_days: Option<u32>,
    ) -> Result<(Sealer, ColumnProtectionKey), TrustError> {
        let (dek, context, key) = self.data_key(dataset, column, run, rotate_days)?;
        Ok((Sealer::by_subject(dek, &context), key))
    }

    fn data_key(
        &mut self,
        dataset: &DatasetName,
        column: &ColumnName,
        run: &RunId,
        rotate_days: Option<u32>,
    ) -> Result<(SealingDek, ValueContext, ColumnProtectionKey), TrustError> {
        let scope = KeyScope::Column { dataset: dataset.clone(), column: column.clone() };
        let key = self.active_key(&scope, SEAL_ALGORITHM, rotate_days)?;
        let column_key = ColumnKey::new(self.unwrap(&key)?);
        let writer: WriterId = run.as_str().parse().map_err(crypto)?;
        let dek = column_key.sealing_dek(&writer, self.random.as_ref()).map_err(crypto)?;
        let dek_id = dek.id();
        self.table.deks.push(DekRecord { id: dek_id, key: key.id, writer });
        let context = ValueContext { project: self.project.clone(), dataset: dataset.clone(), column: column.clone() };
        Ok((dek, context, protection_key(&key, SEAL_ALGORITHM, Some(dek_id))))
    }

    /// The salts of a dataset's subjects. Makes the key that names them where there is none.
    pub fn subject_salts(&mut self, dataset: &DatasetName) -> Result<SubjectSalts, TrustError> {
        let scope = KeyScope::Subjects { dataset: dataset.clone() };
        let key = self.active_key(&scope, TOKEN_ALGORITHM, None)?;
        self.open_salts(dataset, &key)
    }

    /// The salts of a dataset's subjects, if any were made.
    pub fn known_subject_salts(&self, dataset: &DatasetName) -> Result<Option<SubjectSalts>, TrustError> {
        let key = self.find_active(&KeyScope::Subjects { dataset: dataset.clone() });
        key.map(|key| self.open_salts(dataset, &key)).transpose()
    }

    fn open_salts(&self, dataset: &DatasetName, key: &KeyRecord) -> Result<SubjectSalts, TrustError> {
        let domain: DomainName = SUBJECTS_DOMAIN.parse().map_err(crypto)?;
        let names = DomainKey::new(self.unwrap(key)?).tokenizer(&self.project, &domain).map_err(crypto)?;
        let folder = self.ledger.as_folder().ok_or_else(|| TrustError::Salts {
            path: self.ledger.to_string().into(),
            reason: "the ledger lies in a bucket, which holds no file that is changed in place".into(),
        })?;
        SubjectSalts::open(folder, dataset.clone(), names, Arc::clone(&self.random))
    }

    /// The tokenizer of a domain; makes the domain's key where there is none.
    pub fn tokenizer(&mut self, domain: &DomainName) -> Result<(Tokenizer, ColumnProtectionKey), TrustError> {
        let (domain_key, key) = self.domain_key(domain)?;
        permit(&key.id.to_string(), TOKEN_ALGORITHM, self.now)?;
        let tokenizer = domain_key.tokenizer(&self.project, domain).map_err(crypto)?;
        Ok((tokenizer, protection_key(&key, TOKEN_ALGORITHM, None)))
    }

    /// The format-preserving cipher of a domain; makes the domain's key where there is none.
    pub fn digit_cipher(&mut self, domain: &DomainName) -> Result<(DigitCipher, ColumnProtectionKey), TrustError> {
        let (domain_key, key) = self.domain_key(domain)?;
        permit(&key.id.to_string(), FPE_ALGORITHM, self.now)?;
        let cipher = domain_key.fpe(&self.project, domain).map_err(crypto)?;
        Ok((cipher, protection_key(&key, FPE_ALGORITHM, None)))
    }

    /// The key that wraps the keys of a dataset's encrypted files, for columns of one level. Makes it where there is
    /// none, and begins a new period where the present one is older than `rotate_days`.
    pub fn file_key(
        &mut self,
        dataset: &DatasetName,
        level: &str,
        rotate_days: Option<u32>,
    ) -> Result<(FileMasterKey, ColumnProtectionKey), TrustError> {
        let scope = KeyScope::Files { dataset: dataset.clone(), level: level.to_owned() };
        let key = self.active_key(&scope, SEAL_ALGORITHM, rotate_days)?;
        let master = FileMasterKey::new(&key.id.to_string(), &self.unwrap(&key)?).map_err(crypto)?;
        Ok((master, protection_key(&key, SEAL_ALGORITHM, None)))
    }

    /// The keys that wrap keys of encrypted files, as far as they were not shredded: what reads this project's files.
    pub fn file_keys(&self) -> Result<Vec<FileMasterKey>, TrustError> {
        let readable = |key: &&KeyRecord| matches!(key.scope, KeyScope::Files { .. }) && key.wrapped.is_some();
        let master = |key: &KeyRecord| FileMasterKey::new(&key.id.to_string(), &self.unwrap(key)?).map_err(crypto);
        self.table.keys.iter().filter(readable).map(master).collect()
    }

    /// The randomness that keys are drawn from.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.random
    }

    /// What opens the values that were sealed with a data key. Fails if it is unknown or its key was shredded.
    pub fn opener(&self, dek: DekId) -> Result<Opener, TrustError> {
        let unknown = || TrustError::Unknown(dek.to_string());
        let record = self.table.deks.iter().find(|record| record.id == dek).ok_or_else(unknown)?;
        let key = self.table.keys.iter().find(|key| key.id == record.key).ok_or_else(unknown)?;
        let KeyScope::Column { dataset, column } = &key.scope else { return Err(unknown()) };
        self.opener_of(record, &ColumnKey::new(self.unwrap(key)?), dataset, column)
    }

    /// What opens the values that were sealed for a column, by their data keys; `None` for those whose key was shredded.
    /// Unwraps each of the column's keys once.
    pub fn openers(
        &self,
        dataset: &DatasetName,
        column: &ColumnName,
    ) -> Result<BTreeMap<DekId, Option<Opener>>, TrustError> {
        let scope = KeyScope::Column { dataset: dataset.clone(), column: column.clone() };
        let mut openers = BTreeMap::new();
        for key in self.table.keys.iter().filter(|key| key.scope == scope) {
            let column_key = match key.state {
                KeyState::Active | KeyState::Retired => Some(ColumnKey::new(self.unwrap(key)?)),
                KeyState::Shredded => None,
            };
            for record in self.table.deks.iter().filter(|record| record.key == key.id) {
                let opener = column_key.as_ref().map(|key| self.opener_of(record, key, dataset, column));
                openers.insert(record.id, opener.transpose()?);
            }
        }
        Ok(openers)
    }

    fn opener_of(
        &self,
        record: &DekRecord,
        key: &ColumnKey,
        dataset: &DatasetName,
        column: &ColumnName,
    ) -> Result<Opener, TrustError> {
        let opening = key.opening_dek(&record.writer, record.id).map_err(crypto)?;
        let context = ValueContext { project: self.project.clone(), dataset: dataset.clone(), column: column.clone() };
        Opener::new(&opening, &context).map_err(crypto)
    }

    /// Makes a new key-encryption key and wraps every key under it. No data changes.
    pub fn rotate_kek(&mut self, because: &str) -> Result<(), TrustError> {
        // Every key must open before anything changes.
        for key in self.table.keys.iter().filter(|key| key.wrapped.is_some()) {
            self.unwrap(key)?;
        }
        self.store.add_kek(self.random.as_ref(), self.now)?;
        self.announce_keks(because)?;
        self.rewrap()?;
        Ok(())
    }

    /// Wraps every key that is not under the active key-encryption key anew; says how many.
    pub fn rewrap(&mut self) -> Result<usize, TrustError> {
        let active = self.store.active()?;
        let mut wrapped_sha256 = BTreeMap::new();
        let stale: Vec<usize> = (0..self.table.keys.len())
            .filter(|index| {
                self.table.keys.get(*index).is_some_and(|key| key.wrapped.is_some() && key.kek_version != active)
            })
            .collect();
        for index in stale {
            let Some(key) = self.table.keys.get(index) else { continue };
            let (context, Some(wrapped)) = (key.context(&self.project)?, &key.wrapped) else { continue };
            let random = Some(self.random.as_ref());
            let (wrapped, _) = self.store.rewrap(wrapped, key.kek_version, key.id, &context, random)?;
            wrapped_sha256.insert(key.id.to_string(), lockgate_crypto::sha256(wrapped.as_bytes()));
            if let Some(key) = self.table.keys.get_mut(index) {
                key.wrapped = Some(wrapped);
                key.kek_version = active;
            }
        }
        let count = wrapped_sha256.len();
        if count > 0 {
            self.table.announce(&Event::KeyRewrap(KeyRewrap { kek_version: active, wrapped_sha256 }))?;
        }
        Ok(count)
    }

    /// Begins a new period for a column. Values sealed before stay readable.
    pub fn rotate_column(
        &mut self,
        dataset: &DatasetName,
        column: &ColumnName,
        because: &str,
    ) -> Result<(), TrustError> {
        let scope = KeyScope::Column { dataset: dataset.clone(), column: column.clone() };
        match self.find_active(&scope) {
            Some(key) => self.begin_period(&key, because).map(drop),
            None => Err(TrustError::Unknown(format!("{dataset}.{column}"))),
        }
    }

    /// Destroys a key: everything that it protected can no longer be read.
    pub fn shred(&mut self, id: &str, because: &str) -> Result<(), TrustError> {
        let unknown = || TrustError::Unknown(id.to_owned());
        let key = self.table.keys.iter_mut().find(|key| key.id.to_string() == id).ok_or_else(unknown)?;
        if key.state == KeyState::Shredded {
            return Err(TrustError::NotUsable { key: id.to_owned(), reason: "it is shredded already".into() });
        }
        key.state = KeyState::Shredded;
        key.wrapped = None;
        let event = KeyShred { key: id.to_owned(), scope: key.scope.clone(), because: because.to_owned() };
        self.table.announce(&Event::KeyShred(event))
    }

    /// All keys, key-encryption keys first.
    pub fn status(&self) -> Vec<KeyStatus> {
        let rule = |algorithm: &str| match assess(algorithm, day(self.now)) {
            Ok(assessment) => (assessment.to_string(), !assessment.permits_protecting()),
            Err(error) => (error.to_string(), true),
        };
        let keks = self.store.keks().map(|(version, algorithm, created, state)| KeyStatus {
            key: format!("kek-{version}"),
            scope: "kek".into(),
            period: version,
            algorithm: algorithm.to_owned(),
            rule: rule(algorithm).0,
            forbidden: rule(algorithm).1,
            state: match state {
                KekState::Active => "active",
                KekState::Retired => "retired",
                KekState::Disabled => "disabled",
            }
            .into(),
            created,
            kek_version: version,
            data_keys: 0,
        });
        let keys = self.table.keys.iter().map(|key| KeyStatus {
            key: key.id.to_string(),
            scope: written(&key.scope),
            period: key.period,
            algorithm: key.algorithm.clone(),
            rule: rule(&key.algorithm).0,
            forbidden: rule(&key.algorithm).1,
            state: match key.state {
                KeyState::Active => "active",
                KeyState::Retired => "retired",
                KeyState::Shredded => "shredded",
            }
            .into(),
            created: key.created,
            kek_version: key.kek_version,
            data_keys: self.table.deks.iter().filter(|dek| dek.key == key.id).count(),
        });
        keks.chain(keys).collect()
    }

    /// Writes the table durably, with the events that the ledger does not have yet, and gives those.
    pub fn save(&mut self) -> Result<Vec<Event>, TrustError> {
        self.revision = self.table.save(&self.ledger, self.revision.as_ref())?;
        self.written = self.table.is_settled().then(|| self.table.clone());
        let damaged = |reason| TrustError::Damaged { path: self.ledger.shown(KEY_TABLE_FILE).into(), reason };
        self.table.pending().map_err(damaged)
    }

    /// The ledger has the events that [`save`](Self::save) gave.
    pub fn acknowledge(&mut self) -> Result<(), TrustError> {
        self.table.clear_outbox();
        self.revision = self.table.save(&self.ledger, self.revision.as_ref())?;
        self.written = Some(self.table.clone());
        Ok(())
    }

    fn kek_reference(&self, version: u32) -> KeyReference {
        let algorithm = self.store.keks().find(|kek| kek.0 == version).map_or("", |kek| kek.1).to_owned();
        KeyReference {
            key: format!("kek-{version}"),
            scope: KeyScope::Kek,
            algorithm,
            kek_version: version,
            wrapped_sha256: None,
        }
    }

    fn domain_key(&mut self, domain: &DomainName) -> Result<(DomainKey, KeyRecord), TrustError> {
        let scope = KeyScope::Domain { domain: domain.clone() };
        let key = self.active_key(&scope, TOKEN_ALGORITHM, None)?;
        Ok((DomainKey::new(self.unwrap(&key)?), key))
    }

    fn find_active(&self, scope: &KeyScope) -> Option<KeyRecord> {
        self.table.keys.iter().find(|key| &key.scope == scope && key.state == KeyState::Active).cloned()
    }

    fn active_key(
        &mut self,
        scope: &KeyScope,
        algorithm: &str,
        rotate_days: Option<u32>,
    ) -> Result<KeyRecord, TrustError> {
        let key = match self.find_active(scope) {
            None => {
                let key = self.make_key(scope.clone(), 1 + self.last_period(scope), algorithm)?;
                let event = KeyCreate { key: key.reference(), because: "first use".into() };
                self.table.announce(&Event::KeyCreate(event))?;
                self.table.keys.push(key.clone());
                key
            }
            Some(key) if is_due(&key, rotate_days, self.now) => {
                self.begin_period(&key, &format!("rotate_days: {}", rotate_days.unwrap_or_default()))?
            }
            Some(key) => key,
        };
        permit(&key.id.to_string(), &key.algorithm, self.now)?;
        let kek = self.store.keks().find(|kek| kek.0 == key.kek_version);
        if let Some((version, algorithm, _, _)) = kek {
            permit(&format!("kek-{version}"), algorithm, self.now)?;
        }
        Ok(key)
    }

    fn last_period(&self, scope: &KeyScope) -> u32 {
        self.table.keys.iter().filter(|key| &key.scope == scope).map(|key| key.period).max().unwrap_or(0)
    }

    fn begin_period(&mut self, present: &KeyRecord, because: &str) -> Result<KeyRecord, TrustError> {
        let next = self.make_key(present.scope.clone(), present.period + 1, &present.algorithm)?;
        for key in self.table.keys.iter_mut().filter(|key| key.id == present.id) {
            key.state = KeyState::Retired;
        }
        let event = KeyRotate { key: next.reference(), follows: present.id.to_string(), because: because.to_owned() };
        self.table.announce(&Event::KeyRotate(event))?;
        self.table.keys.push(next.clone());
        Ok(next)
    }

    fn make_key(&mut self, scope: KeyScope, period: u32, algorithm: &str) -> Result<KeyRecord, TrustError> {
        let id = KeyId::generate(self.random.as_ref()).map_err(crypto)?;
        let mut key = KeyRecord {
            id,
            scope,
            period,
            algorithm: algorithm.to_owned(),
            created: self.now,
            state: KeyState::Active,
            kek_version: 0,
            wrapped: None,
        };
        let context = key.context(&self.project)?;
        let made = self.store.make(id, &context, self.random.as_ref(), self.now)?;
        (key.wrapped, key.kek_version) = (Some(made.wrapped), made.kek_version);
        self.announce_keks("made at the key service")?;
        Ok(key)
    }

    fn unwrap(&self, key: &KeyRecord) -> Result<KeyMaterial, TrustError> {
        let not_usable = |reason: &str| TrustError::NotUsable { key: key.id.to_string(), reason: reason.to_owned() };
        let wrapped = key.wrapped.as_ref().ok_or_else(|| not_usable("it is shredded"))?;
        self.store.unwrap(wrapped, key.kek_version, key.id, &key.context(&self.project)?)
    }
}

fn protection_key(key: &KeyRecord, algorithm: &str, dek: Option<DekId>) -> ColumnProtectionKey {
    ColumnProtectionKey {
        key: key.id.to_string(),
        dek: dek.map(|dek| dek.to_string()),
        algorithm: algorithm.to_owned(),
        kek_version: key.kek_version,
    }
}

fn is_due(key: &KeyRecord, rotate_days: Option<u32>, now: Timestamp) -> bool {
    let hours = |days: u32| -> Span { (i64::from(days) * 24).hours() };
    rotate_days.and_then(|days| key.created.checked_add(hours(days)).ok()).is_some_and(|due| due <= now)
}

fn permit(key: &str, algorithm: &str, now: Timestamp) -> Result<(), TrustError> {
    let forbidden = |reason| TrustError::Forbidden { key: key.to_owned(), algorithm: algorithm.to_owned(), reason };
    match assess(algorithm, day(now)) {
        Ok(assessment) if assessment.permits_protecting() => Ok(()),
        Ok(assessment) => Err(forbidden(assessment.to_string())),
        Err(error) => Err(forbidden(error.to_string())),
    }
}

fn day(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
}

fn written(scope: &KeyScope) -> String {
    match scope {
        KeyScope::Kek => "kek".into(),
        KeyScope::Column { dataset, column } => format!("{dataset}.{column}"),
        KeyScope::Domain { domain } => format!("domain:{domain}"),
        KeyScope::Files { dataset, level } => format!("{dataset}:{level}"),
        KeyScope::Subjects { dataset } => format!("subjects:{dataset}"),
    }
}

fn crypto(error: impl std::fmt::Display) -> TrustError {
    TrustError::Crypto(error.to_string())
}
