//! Sealed values opened for whoever may have them opened: each with the key of the column, row and subject that it was
//! sealed for, and no other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, StringArray, StringBuilder};
use lockgate_crypto::{DekId, OpenError, Opener, SealedValue, Secret};
use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind};
use lockgate_plan::{Governed, Plan, SealedColumn, Unsealer};
use lockgate_trust::{Keyring, SubjectSalts, SubjectState};

use crate::failures;
use crate::protectors::canonical;

/// What opens each column that a plan opens.
pub(crate) type Unsealers = BTreeMap<(DatasetName, ColumnName), Arc<dyn Unsealer>>;

/// Prepares the keys of every column that a plan opens: fails where the key service refuses one, before a row is read.
pub(crate) fn unsealers(plan: &Governed<Plan>, keyring: &Keyring) -> Result<Unsealers, Failure> {
    let mut salts: BTreeMap<DatasetName, Option<Salts>> = BTreeMap::new();
    let mut unsealers = Unsealers::new();
    for (place, sealed) in plan.unseals() {
        let SealedColumn { sealed_for, erase_by, .. } = sealed;
        let mut openers = BTreeMap::new();
        for (dataset, column) in sealed_for {
            openers.extend(keyring.openers(dataset, column)?);
        }
        let salts = match erase_by {
            None => None,
            Some(subjects) => {
                if !salts.contains_key(subjects) {
                    let known = keyring.known_subject_salts(subjects)?.map(|salts| Arc::new(Mutex::new(salts)));
                    salts.insert(subjects.clone(), known);
                }
                salts.get(subjects).cloned().flatten()
            }
        };
        let (dataset, column) = place.clone();
        unsealers.insert(place.clone(), Arc::new(Unseal { dataset, column, openers, salts }));
    }
    Ok(unsealers)
}

type Salts = Arc<Mutex<SubjectSalts>>;

struct Unseal {
    dataset: DatasetName,
    column: ColumnName,
    /// By data key; without an opener where the key was shredded.
    openers: BTreeMap<DekId, Option<Opener>>,
    salts: Option<Salts>,
}

impl fmt::Debug for Unseal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unseal {}.{}", self.dataset, self.column)
    }
}

impl Unsealer for Unseal {
    fn unseal(&self, values: &StringArray, subjects: Option<&ArrayRef>) -> Result<StringArray, Failure> {
        let subjects = subjects.map(canonical).transpose().map_err(failures::bug)?;
        let mut opened = StringBuilder::with_capacity(values.len(), values.value_data().len());
        for row in 0..values.len() {
            if values.is_null(row) {
                opened.append_null();
                continue;
            }
            let subject = subjects.as_ref().filter(|subjects| subjects.is_valid(row));
            match self.open(values.value(row), subject.map(|subjects| subjects.value(row)))? {
                None => opened.append_null(),
                Some(value) => opened.append_value(str::from_utf8(value.expose()).map_err(failures::bug)?),
            }
        }
        Ok(opened.finish())
    }
}

impl Unseal {
    /// The value; `None` where its key or its subject's salt was destroyed.
    fn open(&self, text: &str, subject: Option<&str>) -> Result<Option<Secret<Vec<u8>>>, Failure> {
        let sealed: SealedValue = text.parse().map_err(|error| self.tampered(&error))?;
        let opener = match self.openers.get(&sealed.dek_id()) {
            Some(Some(opener)) => opener,
            Some(None) => return Ok(None),
            None => return Err(self.tampered(&"it was sealed under a key of another column, or of another project")),
        };
        let opened = match (subject, sealed.is_by_subject()) {
            (Some(subject), true) => match self.state_of(subject)? {
                SubjectState::Erased => return Ok(None),
                SubjectState::Known(salt) => opener.open_by_subject(&sealed, subject.as_bytes(), Some(&salt)),
                SubjectState::Unknown => Err(OpenError::NeedsSalt),
            },
            (subject, _) => opener.open(&sealed, subject.map(str::as_bytes)),
        };
        opened.map(Some).map_err(|error| self.tampered(&error))
    }

    fn state_of(&self, subject: &str) -> Result<SubjectState, Failure> {
        match &self.salts {
            None => Ok(SubjectState::Unknown),
            Some(salts) => Ok(salts.lock().unwrap_or_else(PoisonError::into_inner).find(subject.as_bytes())?),
        }
    }

    fn tampered(&self, reason: &dyn fmt::Display) -> Failure {
        let message = format!("a value of `{}.{}` can't be opened: {reason}", self.dataset, self.column);
        Failure::new(FailureKind::Tampered, message).with_help(
            "`lockgate verify` and the history of the table say who changed it; other columns can still be read",
        )
    }
}
