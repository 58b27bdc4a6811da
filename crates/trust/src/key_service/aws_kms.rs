//! A customer-managed key of AWS KMS (API version 2014-11-01): it never leaves the service, and every use is in CloudTrail.

use std::sync::Arc;

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
}

impl AwsKms {
    pub(crate) fn new(network: Arc<Network>, client: Client, key: String) -> Self {
        Self { network, client, key }
    }
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
        let request = self.client.decrypt().key_id(under).ciphertext_blob(blob_of(wrapped)?);
        let request =
            context.pairs().iter().fold(request, |request, (name, value)| request.encryption_context(name, value));
        let answer = self.network.wait(request.send()).map_err(|error| problem(&error))?;
        material(answer.plaintext().ok_or_else(|| missing("key"))?.as_ref())
    }

    fn rewrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<WrappedKey, Problem> {
        let request = self
            .client
            .re_encrypt()
            .source_key_id(under)
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
