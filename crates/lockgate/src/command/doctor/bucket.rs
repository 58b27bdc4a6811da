//! What `doctor` thinks of a bucket's settings: what they do to objects whose writers say nothing, and whom they let in.

use lockgate_model::Failure;
use lockgate_project::S3Location;
use lockgate_trust::{BucketFacts, DefaultEncryption, Site, Told};

use super::Said;

/// Tells of the key that objects must be under and of a bucket's settings. None of them is a failure: objects are checked one
/// by one when they are read and written. `takes_uploads`: whether we put objects there in parts.
pub(super) fn settings(site: &Site, place: &S3Location, takes_uploads: bool, said: &mut Said) -> Result<(), Failure> {
    match &place.kms_key {
        Some(key) => said.well.push(format!("objects must be under {key}")),
        None => said.warnings.push("no customer-managed key is demanded of its objects".into()),
    }
    let BucketFacts { encryption, public_access, is_public, demands_tls, aborts_uploads } = site.probe_bucket(place)?;
    tell(&encryption, "default encryption", "s3:GetEncryptionConfiguration", said, |found, said| {
        default_encryption(found, place.kms_key.as_deref(), said)
    });
    tell(&public_access, "public access block", "s3:GetBucketPublicAccessBlock", said, |open, said| {
        if open.is_empty() {
            said.well.push("public access is blocked".into());
        } else {
            said.warnings.push(format!("public access is not blocked: set {} on the bucket", open.join(", ")));
        }
    });
    tell(&is_public, "policy status", "s3:GetBucketPolicyStatus", said, |is_public, said| {
        if *is_public {
            said.warnings.push("its policy lets everybody in: name the principals in it".into());
        }
    });
    tell(&demands_tls, "policy", "s3:GetBucketPolicy", said, |demands_tls, said| {
        if *demands_tls {
            said.well.push("its policy denies requests without TLS".into());
        } else {
            let advice = "deny s3:* where aws:SecureTransport is false, as docs/operations.md shows";
            said.warnings.push(format!("its policy does not deny requests without TLS: {advice}"));
        }
    });
    if takes_uploads {
        tell(&aborts_uploads, "lifecycle", "s3:GetLifecycleConfiguration", said, |aborts_uploads, said| {
            if !*aborts_uploads {
                let advice = "add a lifecycle rule with AbortIncompleteMultipartUpload after a day";
                said.warnings.push(format!("parts of an upload that was cut off stay for ever: {advice}"));
            }
        });
    }
    Ok(())
}

/// Tells of one setting, or why it cannot be seen.
fn tell<T>(told: &Told<T>, what: &str, right: &str, said: &mut Said, of: impl FnOnce(&T, &mut Said)) {
    match told {
        Told::Is(found) => of(found, said),
        Told::Denied => said.well.push(format!("its {what} is not shown to us, which {right} would allow")),
        Told::NotTold => said.well.push(format!("the service does not tell its {what}")),
    }
}

fn default_encryption(found: &DefaultEncryption, wanted: Option<&str>, said: &mut Said) {
    let described = match found {
        DefaultEncryption::Off => "its default is no encryption".to_owned(),
        DefaultEncryption::Provider => {
            "its default encryption is under a key of the provider's own (SSE-S3)".to_owned()
        }
        DefaultEncryption::Kms { key: None, .. } => {
            "its default encryption is under the key of KMS that the provider manages".to_owned()
        }
        DefaultEncryption::Kms { key: Some(key), bucket_key } => {
            let data_keys = if *bucket_key { "with a bucket key" } else { "without a bucket key" };
            format!("its default encryption is aws:kms under {key}, {data_keys}")
        }
    };
    match wanted {
        None => said.well.push(described),
        Some(wanted) if found.is_under(wanted) => said.well.push(described),
        Some(wanted) => {
            let advice = "what others put there without naming a key will be refused";
            said.warnings.push(format!("{described}: {advice}; make aws:kms with {wanted} its default"));
        }
    }
}
