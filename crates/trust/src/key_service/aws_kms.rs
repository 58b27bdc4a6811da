//! A customer-managed key of AWS KMS (API version 2014-11-01): it never leaves the service, and every use is in CloudTrail.

use std::sync::{Arc, OnceLock};

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeyState};
use lockgate_crypto::{KeyMaterial, WrappedKey, WrappingService};

use super::{Described, EncryptionContext, Generated, KeyService, material};
use crate::aws::problem;
use crate::error::Problem;
use crate::network::Network;

/// One key of the service.
pub(crate) struct AwsKms {
    network: Arc<Network>,
    client: Client,
    key: String,
    /// The key behind an alias, once it was asked for.
    behind_alias: OnceLock<String>,
}

impl AwsKms {
    pub(crate) fn new(network: Arc<Network>, client: Client, key: String) -> Self {
        Self { network, client, key, behind_alias: OnceLock::new() }
    }

    /// The name by which a key that wrapped something is known here: after a fail-over to another region, what was wrapped
    /// under a multi-region key is opened by the replica that the project names now.
    fn present<'a>(&'a self, under: &'a str) -> Result<&'a str, Problem> {
        if under == self.key || !is_multi_region(under) {
            return Ok(under);
        }
        let present = match is_alias(&self.key) {
            false => &self.key,
            true => match self.behind_alias.get() {
                Some(key) => key,
                None => {
                    let described = self.describe()?.key;
                    self.behind_alias.get_or_init(|| described)
                }
            },
        };
        Ok(if is_same_multi_region_key(under, present) { present } else { under })
    }
}

/// The id of a key that is named by its ARN or by its id alone.
fn id_of(key: &str) -> &str {
    key.rsplit_once(":key/").map_or(key, |(_, id)| id)
}

fn is_alias(key: &str) -> bool {
    key.starts_with("alias/") || key.contains(":alias/")
}

/// Whether a key has one id, and one ARN for each, in several regions ("Multi-Region keys" of the KMS developer guide).
fn is_multi_region(key: &str) -> bool {
    id_of(key).starts_with("mrk-")
}

/// Whether two names are of one multi-region key: the same id, and the same account where both tell it. Ids are unique
/// inside an account only.
fn is_same_multi_region_key(one: &str, other: &str) -> bool {
    let account = |key: &str| key.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(3)).map(str::to_owned);
    let is_same_account = match (account(one), account(other)) {
        (Some(one), Some(other)) => one == other,
        (_, None) | (None, _) => true,
    };
    is_multi_region(one) && id_of(one) == id_of(other) && is_same_account
}

fn missing(what: &str) -> Problem {
    Problem::Answer(format!("it holds no {what}"))
}

fn wrapped_by_kms(blob: Option<&Blob>) -> Result<WrappedKey, Problem> {
    let blob = blob.ok_or_else(|| missing("ciphertext"))?;
    WrappedKey::by_service(WrappingService::AwsKms, blob.as_ref()).map_err(|error| Problem::Answer(error.to_string()))
}

fn blob_of(wrapped: &WrappedKey) -> Result<Blob, Problem> {
    wrapped.given_by(WrappingService::AwsKms).map(Blob::new).ok_or(Problem::NotAuthentic)
}

impl KeyService for AwsKms {
    fn name(&self) -> String {
        format!("AWS KMS, key {}", self.key)
    }

    fn generate(&self, context: &EncryptionContext) -> Result<Generated, Problem> {
        let request = self.client.generate_data_key().key_id(&self.key).key_spec(DataKeySpec::Aes256);
        let request =
            context.pairs().iter().fold(request, |request, (name, value)| request.encryption_context(name, value));
        let answer = self.network.wait(request.send()).map_err(|error| problem(&error))?;
        let plaintext = answer.plaintext().ok_or_else(|| missing("key"))?;
        let wrapped = wrapped_by_kms(answer.ciphertext_blob())?;
        Ok(Generated { material: material(plaintext.as_ref())?, wrapped, version: None })
    }

    fn unwrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<KeyMaterial, Problem> {
        let request = self.client.decrypt().key_id(self.present(under)?).ciphertext_blob(blob_of(wrapped)?);
        let request =
            context.pairs().iter().fold(request, |request, (name, value)| request.encryption_context(name, value));
        let answer = self.network.wait(request.send()).map_err(|error| problem(&error))?;
        material(answer.plaintext().ok_or_else(|| missing("key"))?.as_ref())
    }

    fn rewrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<WrappedKey, Problem> {
        let request = self
            .client
            .re_encrypt()
            .source_key_id(self.present(under)?)
            .destination_key_id(&self.key)
            .ciphertext_blob(blob_of(wrapped)?);
        let request = context.pairs().iter().fold(request, |request, (name, value)| {
            request.source_encryption_context(name, value).destination_encryption_context(name, value)
        });
        let answer = self.network.wait(request.send()).map_err(|error| problem(&error))?;
        wrapped_by_kms(answer.ciphertext_blob())
    }

    fn rotate(&self) -> Result<(), Problem> {
        let request = self.client.rotate_key_on_demand().key_id(&self.key);
        self.network.wait(request.send()).map(drop).map_err(|error| problem(&error))
    }

    fn describe(&self) -> Result<Described, Problem> {
        let answer =
            self.network.wait(self.client.describe_key().key_id(&self.key).send()).map_err(|error| problem(&error))?;
        let about = answer.key_metadata().ok_or_else(|| missing("description of the key"))?;
        match about.key_state() {
            Some(KeyState::Enabled) | None => {}
            Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => return Err(Problem::PendingDeletion),
            Some(_) => return Err(Problem::Disabled),
        }
        let key = about.arn().unwrap_or(about.key_id()).to_owned();
        Ok(Described { key, version: None, algorithm: "SYMMETRIC_DEFAULT".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_multi_region_key_is_told_from_others() {
        let primary = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0a";
        for (other, is_same) in [
            ("arn:aws:kms:eu-west-1:111122223333:key/mrk-0a", true),
            (primary, true),
            ("mrk-0a", true),
            ("arn:aws:kms:eu-west-1:111122223333:key/mrk-0b", false),
            ("arn:aws:kms:eu-west-1:999999999999:key/mrk-0a", false),
            ("arn:aws:kms:eu-west-1:111122223333:key/0a", false),
            ("arn:aws:kms:eu-west-1:111122223333:alias/mrk-0a", false),
            ("mrk-0", false),
        ] {
            assert_eq!(is_same_multi_region_key(primary, other), is_same, "{other}");
        }
        let single = "arn:aws:kms:eu-central-1:111122223333:key/0a";
        assert!(!is_same_multi_region_key(single, single), "a key of one region is what its ARN says");
        assert!(
            is_alias("alias/retail") && is_alias("arn:aws:kms:eu-west-1:111122223333:alias/x") && !is_alias(single)
        );
    }
}
