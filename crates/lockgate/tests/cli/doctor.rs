//! `doctor` on real services: well, and with each thing broken in turn.

use serde_json::{Value, json};

use crate::bucket::Lake;
use crate::cloud::{Cloud, Parts};

fn findings(cloud: &Cloud) -> (i32, Vec<Value>) {
    let said = cloud.lockgate(&["doctor", "--format", "json"]);
    (said.code, said.json().as_array().unwrap().clone())
}

fn state<'a>(findings: &'a [Value], what: &str) -> (&'a str, String) {
    let found =
        findings.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}: {findings:?}"));
    (found["state"].as_str().unwrap(), format!("{} {}", found["said"], found["help"]))
}

#[test]
fn what_is_well_is_told_in_a_line_each() {
    let Some(cloud) = Cloud::new(&Parts::default()) else { return };
    let (code, found) = findings(&cloud);
    assert_eq!(code, 0, "{found:#?}");
    for (what, said) in [
        ("keys", "AES256-GCM96"),
        ("ledger", "none at"),
        ("our certificate", "CN=svc-etl"),
        ("vault", "policies default, etl"),
        ("vault", "AES-128-GCM is approved (SP 800-38D)"),
        ("oauth tokens", "gives tokens"),
        ("store warehouse", "TLSv1_3 with TLS13_AES_"),
    ] {
        let (state, text) = state(&found, what);
        assert!(state == "ok" && text.contains(said), "{what}: {state} {text}");
    }
    // The bucket's own settings, of which the test's has none, are worth a word; its objects are under the key.
    let (state, text) = state(&found, "store landing");
    assert!(state == "warning" && text.contains("answers with our credentials"), "{state} {text}");
    let text = cloud.lockgate(&["doctor"]).exits(0).out;
    assert!(text.lines().count() <= 10 && text.ends_with("7 things are well\n"), "{text}");
    // What was lent is told once, whoever asked for it, and so is the token.
    let told = serde_json::to_string(&found).unwrap();
    for lease in ["leases database/creds/etl for ", "leases auth/approle/login for "] {
        assert!(self::state(&found, "vault").1.contains(lease), "{lease}: {found:#?}");
        assert_eq!(told.matches(lease).count(), 1, "{lease}: {found:#?}");
    }
}

/// One setting after another is made, until nothing is left to warn of.
#[test]
fn what_a_bucket_does_by_default_and_whom_it_lets_in_is_told_with_what_mends_it() {
    let Some(lake) = Lake::new("mode: append") else { return };
    let bucket = format!("settings-{}", std::process::id());
    let key = lake.services.text("/s3/kms_key");
    let moto = lake.services.text("/aws/endpoint");
    lake.site.replace("lockgate.yaml", &format!("s3://landing/{}", lake.prefix), &format!("s3://{bucket}/lake"));
    lake.site.replace("lockgate.yaml", &lake.services.text("/s3/endpoint"), &moto);
    let encrypted = |algorithm: &str, key: Option<&str>, bucket_key: bool| {
        let mut default = json!({ "SSEAlgorithm": algorithm });
        key.into_iter().for_each(|key| default["KMSMasterKeyID"] = key.into());
        let rule = json!({ "ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key });
        json!({ "ServerSideEncryptionConfiguration": { "Rules": [rule] } })
    };
    let blocked = |policies: bool| {
        let all = json!({ "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": policies, "RestrictPublicBuckets": policies });
        json!({ "PublicAccessBlockConfiguration": all })
    };
    let policy = |effect: &str, action: &str, condition: Value| {
        let resources = [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")];
        let mut statement = json!({ "Effect": effect, "Principal": "*", "Action": action, "Resource": resources });
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        json!({ "Policy": json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string() })
    };
    let rule = |status: &str| {
        let aborts = json!({ "DaysAfterInitiation": 1 });
        let rule = json!({ "ID": "uploads", "Filter": { "Prefix": "" }, "Status": status, "AbortIncompleteMultipartUpload": aborts });
        json!({ "LifecycleConfiguration": { "Rules": [rule] } })
    };
    let without_tls = || json!({ "Bool": { "aws:SecureTransport": "false" } });
    let will_be_refused = "what others put there without naming a key will be refused";
    for (method, arguments, state, said) in [
        ("create_bucket", json!({}), "warning", &["its default is no encryption", will_be_refused][..]),
        (
            "put_bucket_encryption",
            encrypted("AES256", None, false),
            "warning",
            &["provider's own (SSE-S3)", will_be_refused],
        ),
        (
            "put_bucket_encryption",
            encrypted("aws:kms", None, true),
            "warning",
            &["that the provider manages", will_be_refused],
        ),
        (
            "put_bucket_encryption",
            encrypted("aws:kms", Some("another"), true),
            "warning",
            &["aws:kms under another, with a bucket key", will_be_refused],
        ),
        (
            "put_bucket_encryption",
            encrypted("aws:kms", Some(&key), false),
            "warning",
            &[
                "without a bucket key",
                "BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets on the bucket",
            ],
        ),
        (
            "put_public_access_block",
            blocked(false),
            "warning",
            &["not blocked: set BlockPublicPolicy, RestrictPublicBuckets on"],
        ),
        (
            "put_public_access_block",
            blocked(true),
            "warning",
            &["public access is blocked", "does not deny requests without TLS"],
        ),
        (
            "put_bucket_policy",
            policy("Allow", "s3:GetObject", Value::Null),
            "warning",
            &["lets everybody in", "does not deny requests without TLS"],
        ),
        (
            "put_bucket_policy",
            policy("Deny", "s3:GetObject", without_tls()),
            "warning",
            &["does not deny requests without TLS"],
        ),
        (
            "put_bucket_policy",
            policy("Deny", "s3:*", without_tls()),
            "warning",
            &["its policy denies requests without TLS"],
        ),
        (
            "put_bucket_lifecycle_configuration",
            rule("Disabled"),
            "warning",
            &["AbortIncompleteMultipartUpload after a day"],
        ),
        ("put_bucket_lifecycle_configuration", rule("Enabled"), "ok", &["its policy denies requests without TLS"]),
    ] {
        let mut arguments = arguments;
        arguments["Bucket"] = bucket.clone().into();
        lake.services.boto("aws", "s3", method, &arguments);
        let told = lake.lockgate(&["doctor", "--format", "json"]).exits(0).json();
        let (found, text) = self::state(told.as_array().unwrap(), "store warehouse");
        assert!(found == state && said.iter().all(|said| text.contains(said)), "{method} {arguments}: {found} {text}");
        assert_eq!(text.contains(will_be_refused), said.contains(&will_be_refused), "{method} {arguments}: {text}");
    }
}

#[test]
fn what_credentials_may_not_see_of_a_bucket_is_said_and_no_failure() {
    let Some(lake) = Lake::new("mode: append") else { return };
    let reader = [("AWS_ACCESS_KEY_ID", "reader"), ("AWS_SECRET_ACCESS_KEY", "readersecret")];
    let told = crate::support::said(&lake.command(&["doctor", "--format", "json"]).envs(reader).output().unwrap());
    let told = told.exits(0).json();
    let (_, text) = state(told.as_array().unwrap(), "store warehouse");
    for said in ["s3:GetEncryptionConfiguration would allow", "s3:GetBucketPublicAccessBlock would allow"] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn every_server_is_told_with_its_version_suite_rule_and_chain() {
    let Some(cloud) = Cloud::new(&Parts { keys: "aws-kms: 'KEY'", ..Parts::default() }) else { return };
    let (code, found) = findings(&cloud);
    assert_eq!(code, 0, "{found:#?}");
    for what in ["keys", "vault", "oauth tokens", "store landing", "store warehouse"] {
        let text = state(&found, what).1;
        for said in ["TLSv1_3 with TLS13_AES_", "is approved (", "certificate of CN=server by CN=ca lasts"] {
            assert!(text.contains(said), "{what}: {text}");
        }
    }
}

#[test]
fn each_thing_that_is_broken_is_named_with_what_mends_it() {
    let Some(cloud) = Cloud::new(&Parts::default()) else { return };
    let whole = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    let port = cloud.services.text("/postgres/port");
    let (ca, other) = (cloud.services.pki("ca.pem"), cloud.services.pki("other-ca.pem"));
    for (from, to, what, said) in [
        (format!("localhost:{port}"), "localhost:9".to_owned(), "store warehouse", "cannot be reached"),
        ("/warehouse'".into(), "/nowhere'".into(), "store warehouse", "no database `nowhere`"),
        ("vault-db:etl".into(), "vault-db:nobody".into(), "store warehouse", "there is no such thing"),
        (ca, other, "vault", "not trusted"),
        ("s3://landing/".into(), "s3://no-such-bucket/".into(), "store landing", ""),
        ("vault-transit: lockgate".into(), "vault-transit: nowhere".into(), "keys", "access is denied"),
        ("role_id: '".into(), "role_id: 'x".into(), "vault", "access is denied"),
        ("client_id: etl-assertion".into(), "client_id: nobody".into(), "oauth tokens", "access is denied"),
        ("svc-etl.crt".into(), "gone.crt".into(), "our certificate", "gone.crt"),
    ] {
        assert!(whole.contains(&from), "{from}");
        cloud.site.write("lockgate.yaml", whole.replace(&from, &to));
        let (code, found) = findings(&cloud);
        let (state, text) = state(&found, what);
        assert_eq!(code, 4, "{to}: {found:#?}");
        assert!(state == "failed" && text.contains(said) && !text.ends_with("null"), "{to}: {state} {text}");
    }
}
