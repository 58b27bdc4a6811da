//! The records of a run that were set aside: kept whole, sealed, and told of without a value.
//!
//! ```text
//! {"header":{"input":0,"raw":"lgs1:…"}}                                             the header of a CSV file
//! {"record":{"input":0,"row":17,"line":19,"reason":"the value of …","raw":"lgs1:…"}}
//! ```
//! JSON lines in `quarantine/RUN.jsonl` beside the ledger. The ledger's `run.commit` names the file by its digest.

use lockgate_model::RunId;
use serde::{Deserialize, Serialize};

/// The folder of quarantine files within a ledger's.
pub const QUARANTINE_DIR: &str = "quarantine";

/// The column under whose key a dataset's broken records are sealed. The dataset of the key is the one that the run
/// writes, so that no column of a file is meant.
pub const QUARANTINE_COLUMN: &str = "(quarantined records)";

/// One line of a quarantine file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuarantineLine {
    /// What comes before an input's records and is needed to read them.
    Header(QuarantinedHeader),
    /// A record.
    Record(QuarantinedRecord),
}

/// The header of an input of which records were set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantinedHeader {
    /// The input's ordinal in the run's manifest.
    pub input: u32,
    /// Its bytes, decoded to UTF-8, as sealed text.
    pub raw: String,
}

/// One record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantinedRecord {
    /// The input's ordinal in the run's manifest.
    pub input: u32,
    /// The zero-based record in it.
    pub row: u64,
    /// The one-based line on which it begins; absent in a format without lines.
    pub line: Option<u64>,
    /// Why, without a value.
    pub reason: String,
    /// Its bytes, decoded to UTF-8 where they are text, as sealed text.
    pub raw: String,
}

/// The name of a run's quarantine beside a ledger.
pub fn quarantine_name(run: &RunId) -> String {
    format!("{QUARANTINE_DIR}/{run}.jsonl")
}

/// The longest quarantine of one run, in bytes.
pub const QUARANTINE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// The bytes of a quarantine file.
pub fn quarantine_to_bytes(lines: &[QuarantineLine]) -> Result<Vec<u8>, serde_json::Error> {
    let mut content = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut content, line)?;
        content.push(b'\n');
    }
    Ok(content)
}

/// Reads a quarantine file; unknown keys are refused.
pub fn quarantine_from_bytes(content: &[u8]) -> Result<Vec<QuarantineLine>, serde_json::Error> {
    serde_json::Deserializer::from_slice(content).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back() {
        let record = QuarantinedRecord { input: 0, row: 1, line: Some(3), reason: "no".into(), raw: "lgs1:x".into() };
        let lines = vec![
            QuarantineLine::Header(QuarantinedHeader { input: 0, raw: "lgs1:y".into() }),
            QuarantineLine::Record(record),
        ];
        let bytes = quarantine_to_bytes(&lines).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 2);
        assert_eq!(quarantine_from_bytes(&bytes).unwrap(), lines);
        assert!(quarantine_from_bytes(b"{\"record\":{\"input\":0}}").is_err());
    }
}
