//! C2SP tlog-proof: one file that proves one entry to be in a log, offline.

use std::fmt::Write as _;

use crate::{LedgerError, LedgerReader};

/// The text of a `.tlog-proof` file for the entry at an index.
pub async fn proof_file(reader: &LedgerReader, index: u64) -> Result<String, LedgerError> {
    let mut text = format!("c2sp.org/tlog-proof@v1\nindex {index}\n");
    for hash in reader.inclusion_proof(index).await? {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{hash}");
    }
    let _ = write!(text, "\n{}", reader.signed_checkpoint());
    Ok(text)
}
