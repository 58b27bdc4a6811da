//! A secret that is kept on this machine, fetched when it is needed.

use std::fs;

use lockgate_crypto::Secret;
use lockgate_project::SecretRef;

use crate::TrustError;

/// The longest secret that a file may hold, in bytes.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Fetches a secret of this machine now. A file's one line break at the end does not belong to it.
pub(crate) fn fetch(reference: &SecretRef) -> Result<Secret<String>, TrustError> {
    let failed = |written: String, reason: String| TrustError::Secret { reference: written, reason };
    match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) => Ok(Secret::new(value)),
            Err(_) => Err(failed(format!("env:{name}"), "the environment variable is not set, or is no UTF-8".into())),
        },
        SecretRef::Vault { .. } | SecretRef::AwsSecretsManager { .. } => {
            Err(failed(reference.to_string(), "it is not kept on this machine".into()))
        }
        SecretRef::File(path) => {
            let written = format!("file:{}", path.display());
            let size = fs::metadata(path).map_err(|error| failed(written.clone(), error.to_string()))?.len();
            if size > SECRET_FILE_BYTES_MAX {
                return Err(failed(written, format!("the file is longer than {SECRET_FILE_BYTES_MAX} bytes")));
            }
            let mut text = fs::read_to_string(path).map_err(|error| failed(written, error.to_string()))?;
            if text.ends_with('\n') {
                text.pop();
            }
            Ok(Secret::new(text))
        }
    }
}
