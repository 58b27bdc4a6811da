//! The keyed protections on whole columns: each value to text, null to null.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use lockgate_crypto::{DigitCipher, SEALED_OVERHEAD_BYTES, Sealer, Tokenizer};
use lockgate_plan::Protector;
use lockgate_trust::SubjectSalts;

/// The canonical text of a column's values: what is sealed and tokenized, whatever the type.
pub(crate) fn canonical(values: &ArrayRef) -> Result<StringArray, String> {
    let text = cast(values, &DataType::Utf8).map_err(|_| "its values have no text form".to_owned())?;
    Ok(text.as_string::<i32>().clone())
}

/// About how many bytes sealed values take, which grow most: so that the column is not copied while it grows.
fn protected_bytes(values: &StringArray) -> usize {
    (values.value_data().len() + values.len() * SEALED_OVERHEAD_BYTES) * 4 / 3 + values.len() * 8
}

/// Maps each value by appending to a buffer.
fn map_text(
    values: &StringArray,
    mut append: impl FnMut(usize, &str, &mut String) -> Result<(), String>,
) -> Result<ArrayRef, String> {
    let mut out = StringBuilder::with_capacity(values.len(), protected_bytes(values));
    let mut buffer = String::new();
    for row in 0..values.len() {
        if values.is_null(row) {
            out.append_null();
            continue;
        }
        buffer.clear();
        append(row, values.value(row), &mut buffer)?;
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}

/// Seals, binding each value to its row's subject if the plan gives one.
pub(crate) struct Seal(pub(crate) Mutex<Sealer>);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Protector for Seal {
    fn protect(&self, values: &ArrayRef, subjects: Option<&ArrayRef>) -> Result<ArrayRef, String> {
        let subjects = subjects.map(canonical).transpose()?;
        let mut sealer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map_text(&canonical(values)?, |row, value, out| {
            let subject = match &subjects {
                None => None,
                Some(subjects) if subjects.is_valid(row) => Some(subjects.value(row).as_bytes()),
                Some(_) => return Err("a row without a subject cannot be sealed: filter it out".into()),
            };
            sealer.seal_text_into(value.as_bytes(), subject, out).map_err(|error| error.to_string())
        })
    }
}

/// Seals each value under a key of its row's subject; what is of an erased subject becomes null.
pub(crate) struct SealBySubject {
    pub(crate) sealer: Mutex<Sealer>,
    pub(crate) salts: Arc<Mutex<SubjectSalts>>,
}

impl fmt::Debug for SealBySubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealBySubject")
    }
}

impl Protector for SealBySubject {
    fn protect(&self, values: &ArrayRef, subjects: Option<&ArrayRef>) -> Result<ArrayRef, String> {
        let (values, subjects) = (canonical(values)?, subjects.map(canonical).transpose()?);
        let subjects = subjects.ok_or("a column is erased by subject and has none: please report it")?;
        let mut sealer = self.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut salts = self.salts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = StringBuilder::with_capacity(values.len(), protected_bytes(&values));
        let mut buffer = String::new();
        for row in 0..values.len() {
            if values.is_null(row) {
                out.append_null();
                continue;
            }
            if subjects.is_null(row) {
                return Err("a row without a subject cannot be sealed: filter it out".into());
            }
            let (value, subject) = (values.value(row).as_bytes(), subjects.value(row).as_bytes());
            match salts.for_sealing(subject).map_err(|error| error.to_string())? {
                None => out.append_null(),
                Some(salt) => {
                    buffer.clear();
                    let sealed = sealer.seal_text_by_subject_into(value, subject, salt, &mut buffer);
                    sealed.map_err(|error| error.to_string())?;
                    out.append_value(&buffer);
                }
            }
        }
        Ok(Arc::new(out.finish()))
    }
}

/// Tokenizes.
pub(crate) struct Token(pub(crate) Tokenizer);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Protector for Token {
    fn protect(&self, values: &ArrayRef, _: Option<&ArrayRef>) -> Result<ArrayRef, String> {
        map_text(&canonical(values)?, |_, value, out| self.0.token_into(value, out).map_err(|error| error.to_string()))
    }
}

/// Encrypts the digits and keeps the format.
pub(crate) struct Digits(pub(crate) DigitCipher);

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits")
    }
}

impl Protector for Digits {
    fn protect(&self, values: &ArrayRef, _: Option<&ArrayRef>) -> Result<ArrayRef, String> {
        map_text(&canonical(values)?, |_, value, out| {
            self.0.encrypt_digits_into(value, out).map_err(|error| error.to_string())
        })
    }
}
