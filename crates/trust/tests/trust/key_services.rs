//! How key services are used: for what they are told, how often they are asked, and what becomes of them when they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use jiff::Timestamp;
use lockgate_crypto::SystemRandom;
use lockgate_model::{Failure, FailureKind, RunId};
use lockgate_project::KeyService;
use lockgate_test_services::services;
use lockgate_trust::{KeyStore, Keyring, LedgerPlace, Site};
use serde_json::{Value, json};

use crate::services::{Place, ROOT, column, place, settle};
use crate::tls_server::{Answered, Asked, serve};

/// Every kind of key, made, opened and rewrapped.
fn use_every_kind_of_key(place: &Place) {
    std::fs::create_dir(place.ledger()).unwrap();
    KeyStore::create(&place.site, &SystemRandom, Timestamp::now()).unwrap();
    let (dataset, name) = column();
    let run = RunId::new(1, [0; 10]);
    let mut keyring = place.keyring("retail");
    keyring.sealer(&dataset, &name, &run, None).unwrap();
    keyring.tokenizer(&"customer".parse().unwrap()).unwrap();
    keyring.file_key(&dataset, "restricted", None).unwrap();
    keyring.subject_salts(&dataset).unwrap();
    settle(&mut keyring);
    let mut keyring = place.keyring("retail");
    keyring.sealer(&dataset, &name, &run, None).unwrap();
    keyring.rotate_kek("test").unwrap();
    settle(&mut keyring);
}

#[test]
fn every_use_of_a_key_of_kms_names_what_it_is_for() {
    let Some(services) = services() else { return };
    let key = services.new_kms_key();
    use_every_kind_of_key(&place(&services, &format!("aws-kms: '{key}'"), ROOT, ""));
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    let is_whole = |context: &Value| {
        context["project"] == "retail"
            && context["key"].as_str().is_some_and(|id| id.len() == 32)
            && ["column", "domain", "level", "dataset", "purpose"].iter().any(|name| context[name].is_string())
    };
    for (operation, sent) in services.kms_calls(&key) {
        let contexts = match operation.as_str() {
            "GenerateDataKey" | "Decrypt" => vec![&sent["EncryptionContext"]],
            "ReEncrypt" => {
                assert_eq!(sent["SourceEncryptionContext"], sent["DestinationEncryptionContext"]);
                vec![&sent["SourceEncryptionContext"]]
            }
            "DescribeKey" | "RotateKeyOnDemand" => vec![],
            other => panic!("{other} is called, and no policy in docs/operations.md grants it"),
        };
        assert!(contexts.iter().all(|context| is_whole(context)), "{operation} {sent}");
        *seen.entry(operation).or_default() += 1;
    }
    // Four keys and the ledger's: each made once, each that is used later opened once, each rewrapped once.
    let (made, rewrapped) = (seen["GenerateDataKey"], seen["ReEncrypt"]);
    assert_eq!((made, rewrapped), (5, 5), "{seen:?}");
}

#[test]
fn every_use_of_a_key_of_transit_names_what_it_is_for() {
    let Some(services) = services() else { return };
    let key = format!("named-{}", std::process::id());
    services.vault("POST", &format!("transit/keys/{key}"), &json!({ "type": "aes256-gcm96", "derived": true }));
    use_every_kind_of_key(&place(&services, &format!("vault-transit: {key}"), ROOT, ""));
    let mut uses = 0;
    for entry in services.audit().iter().filter(|entry| entry["type"] == "request") {
        let path = entry["request"]["path"].as_str().unwrap_or_default();
        let is_use =
            ["datakey/plaintext", "decrypt", "rewrap"].iter().any(|verb| path == format!("transit/{verb}/{key}"));
        if is_use {
            // The log holds its hash.
            let context = entry["request"]["data"]["context"].as_str().unwrap_or_default();
            assert!(context.starts_with("hmac-sha256:"), "{entry}");
            uses += 1;
        }
    }
    assert!(uses > 10, "{uses}");
}

const MULTI_REGION_ID: &str = "mrk-0123456789abcdef0123456789abcdef";

/// KMS with one multi-region key, as AWS documents it: each region knows the key by that region's ARN, by the id and by an
/// alias, and opens what any of them wrapped. (moto cannot open what it wrapped under such a key, and ministack takes any
/// name of a key for any other.)
fn multi_region_kms(asked: &Asked) -> Answered {
    let scope = asked.header("authorization").split("Credential=").nth(1).unwrap_or_default();
    let region = scope.split('/').nth(2).unwrap_or_default();
    let arn = format!("arn:aws:kms:{region}:111122223333:key/{MULTI_REGION_ID}");
    let known = [arn.as_str(), MULTI_REGION_ID, "alias/retail"];
    let named = ["KeyId", "SourceKeyId", "DestinationKeyId"].map(|name| &asked.body[name]);
    if named.iter().any(|name| name.as_str().is_some_and(|name| !known.contains(&name))) {
        return (400, "", json!({ "__type": "NotFoundException", "message": "no such key in this region" }));
    }
    let key = "A".repeat(43) + "=";
    match asked.header("x-amz-target").rsplit('.').next() {
        Some("DescribeKey") => (200, "", json!({ "KeyMetadata": { "KeyId": "x", "Arn": arn, "KeyState": "Enabled" } })),
        Some("RotateKeyOnDemand") => (200, "", json!({ "KeyId": arn })),
        _ => (200, "", json!({ "KeyId": arn, "Plaintext": key, "CiphertextBlob": "AAAA" })),
    }
}

#[test]
fn a_replica_of_a_multi_region_key_opens_what_the_primary_wrapped() {
    let Some(services) = services() else { return };
    let endpoint = format!("https://localhost:{}", serve(&services, multi_region_kms));
    let primary = format!("arn:aws:kms:us-east-1:111122223333:key/{MULTI_REGION_ID}");
    let replica = primary.replace("us-east-1", "us-west-2");
    for (named, opens) in [
        (replica.as_str(), true),
        (MULTI_REGION_ID, true),
        ("alias/retail", true),
        // The ARN of a region that is gone.
        (primary.as_str(), false),
    ] {
        let before = place(&services, &format!("aws-kms: '{primary}', endpoint: '{endpoint}'"), ROOT, "");
        KeyStore::create(&before.site, &SystemRandom, Timestamp::now()).unwrap();
        let (dataset, name) = column();
        let mut keyring = before.keyring("retail");
        let (mut sealer, _) = keyring.sealer(&dataset, &name, &RunId::new(1, [0; 10]), None).unwrap();
        let sealed = sealer.seal(b"Ada", None).unwrap();
        settle(&mut keyring);

        let mut project = (*before.site).clone();
        project.aws.region = Some("us-west-2".into());
        let service = KeyService::AwsKms { key: named.to_owned(), endpoint: Some(endpoint.clone()) };
        project.keys.default.service = service;
        let site = Site::new(project).impatient();
        let open = || {
            let store = KeyStore::open(&site)?;
            let random = Arc::new(SystemRandom);
            Keyring::open(
                "retail".parse().unwrap(),
                store,
                LedgerPlace::folder(&before.ledger()),
                random,
                Timestamp::now(),
            )
        };
        if !opens {
            let failure = Failure::from(open().err().unwrap());
            assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
            continue;
        }
        let opened = open().unwrap().opener(sealed.dek_id()).unwrap().open(&sealed, None).unwrap().expose().clone();
        assert_eq!(opened, b"Ada", "{named}");
        let mut keyring = open().unwrap();
        keyring.rotate_kek("failed over").unwrap();
        settle(&mut keyring);
        assert!(open().unwrap().opener(sealed.dek_id()).is_ok(), "{named}: rewrapped under the replica");
    }
}

#[test]
fn a_throttled_service_is_named_so_and_then_left_alone() {
    let Some(services) = services() else { return };
    let (throttles, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (told, counted) = (Arc::clone(&throttles), Arc::clone(&asked));
    let port = serve(&services, move |asked| {
        counted.fetch_add(1, Ordering::Relaxed);
        let key = "arn:aws:kms:us-east-1:111122223333:key/0a";
        match asked.header("x-amz-target").rsplit('.').next() {
            _ if told.load(Ordering::Relaxed) => {
                (400, "", json!({ "__type": "ThrottlingException", "message": "You have exceeded the rate" }))
            }
            Some("DescribeKey") => {
                (200, "", json!({ "KeyMetadata": { "KeyId": "0a", "Arn": key, "KeyState": "Enabled" } }))
            }
            _ => (200, "", json!({ "KeyId": key, "Plaintext": "A".repeat(43) + "=", "CiphertextBlob": "AAAA" })),
        }
    });
    let keys = format!("aws-kms: x, endpoint: 'https://localhost:{port}'");
    let place = place(&services, &keys, ROOT, "");
    KeyStore::create(&place.site, &SystemRandom, Timestamp::now()).unwrap();
    let mut keyring = place.keyring("retail");
    let (dataset, run) = (column().0, RunId::new(1, [0; 10]));
    let mut column = |name: &str| {
        let made = keyring.sealer(&dataset, &name.parse().unwrap(), &run, None);
        made.map(drop).map_err(Failure::from)
    };
    column("a").unwrap();
    throttles.store(true, Ordering::Relaxed);
    let before = asked.load(Ordering::Relaxed);
    for name in ["b", "c", "d"] {
        let failure = column(name).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.message.contains("takes no more calls"), "{failure}");
        assert!(failure.help.as_deref().is_some_and(|help| help.contains("raise the limit")), "{failure:?}");
    }
    assert_eq!(asked.load(Ordering::Relaxed) - before, 3);
    for name in ["e", "f"] {
        let failure = column(name).unwrap_err();
        assert!(failure.message.contains("failed 3 times in a row and is left alone"), "{failure}");
        assert_eq!(failure.kind, FailureKind::Unreachable);
    }
    assert_eq!(asked.load(Ordering::Relaxed) - before, 3, "it is not asked meanwhile");
    column("a").unwrap();
}
