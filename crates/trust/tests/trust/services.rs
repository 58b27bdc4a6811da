//! Key services, Vault and OAuth as they are: one suite of keys for all services, and every way in which one can fail.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lockgate_crypto::SystemRandom;
use lockgate_model::{ColumnName, DatasetName, Failure, FailureKind, RunId};
use lockgate_project::{Project, VaultDatabaseRole};
use lockgate_test_services::{Services, services};
use lockgate_trust::{KeyStore, Keyring, LedgerPlace, Site};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) site: Site,
}

/// A project with these keys, on the shared services; `extra` is added to its file.
pub(crate) fn place(services: &Services, keys: &str, login: &str, extra: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let aws = json!({ "data": { "access_key": "test", "secret_key": "test" } });
    services.vault("POST", "secret/data/aws", &aws);
    std::fs::write(folder.path().join("token"), "root").unwrap();
    std::fs::write(folder.path().join("client-secret"), "planted-oauth-client-secret").unwrap();
    std::fs::write(folder.path().join("wrong-secret"), "something else").unwrap();
    let text = format!(
        "version: 1
project: retail
stores: {{}}
tls: {{ ca: '{ca}', certificate: '{pki}/svc-etl.crt', key: 'file:{pki}/svc-etl.key' }}
vault: {{ address: '{vault}', login: {{ {login} }} }}
aws: {{ region: us-east-1, endpoint: '{aws}', vault: secret/data/aws }}
keys: {{ default: {{ {keys} }} }}
ledger: {{ at: 'file://./ledger' }}
{extra}
",
        ca = services.pki("ca.pem"),
        pki = services.text("/pki"),
        vault = services.text("/vault/address"),
        aws = services.text("/aws/endpoint"),
    );
    let loaded = Project::from_files(folder.path(), &[("lockgate.yaml", text.as_bytes())], &|_| None);
    let (project, _) = loaded.unwrap_or_else(|rejected| panic!("{:?}", rejected.diagnostics));
    Place { site: Site::new(project).impatient(), folder }
}

pub(crate) const ROOT: &str = "token: 'file:./token'";

impl Place {
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    pub(crate) fn keyring(&self, project: &str) -> Keyring {
        let store = KeyStore::open(&self.site).unwrap();
        Keyring::open(
            project.parse().unwrap(),
            store,
            LedgerPlace::folder(&self.ledger()),
            Arc::new(SystemRandom),
            Timestamp::now(),
        )
        .unwrap()
    }
}

pub(crate) fn column() -> (DatasetName, ColumnName) {
    ("analytics.customers".parse().unwrap(), "name".parse().unwrap())
}

pub(crate) fn settle(keyring: &mut Keyring) {
    keyring.save().unwrap();
    keyring.acknowledge().unwrap();
}

#[test]
fn keys_live_alike_in_every_service() {
    let Some(services) = services() else { return };
    let kms = format!("aws-kms: '{}'", services.text("/aws/kms_key"));
    for keys in ["local: ./keys", kms.as_str(), "vault-transit: lockgate"] {
        let place = place(&services, keys, ROOT, "");
        KeyStore::create(&place.site, &SystemRandom, Timestamp::now()).unwrap();
        let (dataset, name) = column();
        let mut keyring = place.keyring("retail");
        let (mut sealer, used) = keyring.sealer(&dataset, &name, &RunId::new(1, [0; 10]), None).unwrap();
        let sealed = sealer.seal(b"Ada", Some(b"1")).unwrap();
        settle(&mut keyring);
        let opened = |keyring: &Keyring| {
            let opener = keyring.opener(sealed.dek_id()).map_err(Failure::from)?;
            opener
                .open(&sealed, Some(b"1"))
                .map(|value| value.expose().clone())
                .map_err(|e| Failure::new(FailureKind::Bug, e.to_string()))
        };
        assert_eq!(opened(&place.keyring("retail")).unwrap(), b"Ada", "{keys}");

        let other = opened(&place.keyring("other")).unwrap_err();
        assert!(matches!(other.kind, FailureKind::Tampered | FailureKind::Refused), "{keys}: {other}");

        let before = keyring.status().iter().filter(|key| key.scope == "kek").count();
        keyring.rotate_kek("test").unwrap();
        settle(&mut keyring);
        let after = keyring.status();
        assert_eq!(after.iter().filter(|key| key.scope == "kek").count(), before + 1, "{keys}");
        let wrapped = after.iter().find(|key| key.key == used.key).unwrap();
        assert!(wrapped.kek_version > used.kek_version, "{keys}: rewrapped");
        assert_eq!(opened(&place.keyring("retail")).unwrap(), b"Ada", "{keys}: readable after the rotation");
        let stored = std::fs::read_to_string(place.site.key_folder().join("keys.json")).unwrap();
        assert_eq!(stored.contains("\"material\""), keys.starts_with("local"), "a remote key leaves nothing here");
    }
}

#[test]
fn every_failure_of_a_key_service_says_what_mends_it() {
    let Some(services) = services() else { return };
    let states = services.text("/kms_states/endpoint");
    let state =
        |name: &str| format!("aws-kms: '{}', endpoint: '{states}'", services.text(&format!("/kms_states/{name}")));
    services.vault("POST", "transit/keys/plain", &json!({ "type": "aes256-gcm96" }));
    for (keys, login, kind, said) in [
        (state("disabled").as_str(), ROOT, FailureKind::Refused, "the key is disabled"),
        (state("pending").as_str(), ROOT, FailureKind::Refused, "scheduled for deletion"),
        ("aws-kms: '00000000-1111-2222-3333-444444444444'", ROOT, FailureKind::Invalid, "there is no such thing"),
        ("aws-kms: 'x', endpoint: 'https://localhost:9'", ROOT, FailureKind::Unreachable, "cannot be reached"),
        ("vault-transit: plain", ROOT, FailureKind::Failed, "derived=true"),
        ("vault-transit: nowhere", ROOT, FailureKind::Invalid, "there is no such thing"),
        ("vault-transit: forbidden", "certificate: { role: etl }", FailureKind::Denied, "access is denied"),
        ("vault-transit: lockgate", "certificate: { role: nobody }", FailureKind::Denied, "access is denied"),
    ] {
        let place = place(&services, keys, login, "");
        let Err(error) = KeyStore::create(&place.site, &SystemRandom, Timestamp::now()) else {
            panic!("{keys} was taken")
        };
        let failure = Failure::from(error);
        assert!(failure.kind == kind && failure.message.contains(said), "{keys}: {:?} {failure}", failure.kind);
        assert!(failure.help.is_some(), "{keys}");
    }
}

#[test]
fn a_version_that_vault_may_no_longer_use_is_told_from_a_damaged_key() {
    let Some(services) = services() else { return };
    let key = format!("aging-{}", std::process::id());
    let at = format!("transit/keys/{key}");
    services.vault("POST", &at, &json!({ "type": "aes256-gcm96", "derived": true }));
    let place = place(&services, &format!("vault-transit: {key}"), ROOT, "");
    KeyStore::create(&place.site, &SystemRandom, Timestamp::now()).unwrap();
    services.vault("POST", &format!("{at}/rotate"), &json!({}));
    services.vault("POST", &format!("{at}/config"), &json!({ "min_decryption_version": 2 }));
    let Err(error) = KeyStore::open(&place.site) else { panic!("it was opened") };
    let failure = Failure::from(error);
    assert!(failure.kind == FailureKind::Refused && failure.message.contains("disabled"), "{failure}");
    services.vault("POST", &format!("{at}/config"), &json!({ "min_decryption_version": 1 }));
    KeyStore::open(&place.site).unwrap();
}

#[test]
fn a_wrapped_secret_id_is_unwrapped_once_and_a_stolen_one_is_noticed() {
    let Some(services) = services() else { return };
    let role = services.vault("GET", "auth/approle/role/etl/role-id", &Value::Null);
    let role = role["data"]["role_id"].as_str().unwrap().to_owned();
    let login = format!("approle: {{ role_id: '{role}', secret_id: 'file:./wrapped', wrapped: true }}");
    let wrapped = services.vault_wrapped("auth/approle/role/etl/secret-id");
    let first = place(&services, "local: ./keys", &login, "");
    std::fs::write(first.folder.path().join("wrapped"), &wrapped).unwrap();
    let token = first.site.probe_vault().unwrap().unwrap();
    assert_eq!(token.policies, ["default", "etl"]);
    let second = place(&services, "local: ./keys", &login, "");
    std::fs::write(second.folder.path().join("wrapped"), &wrapped).unwrap();
    let error = Failure::from(second.site.probe_vault().unwrap_err());
    assert_eq!(error.kind, FailureKind::Denied, "somebody else has unwrapped it: {error}");
}

#[test]
fn leases_are_renewed_while_they_are_held_and_given_back() {
    let Some(services) = services() else { return };
    let place = place(&services, "local: ./keys", "certificate: { role: etl }", "");
    let role = VaultDatabaseRole { mount: "database".into(), name: "etl-short".into(), is_static: false };
    let (user, _) = place.site.database_login(&role).unwrap();
    let there = || services.sql(&format!("select count(*) from pg_roles where rolname = '{user}'"));
    assert_eq!(there(), "1");
    std::thread::sleep(Duration::from_secs(9));
    assert_eq!(there(), "1", "a lease of 6 s was renewed");
    let lease = &place.site.leases()[0];
    assert!(lease.path == "database/creds/etl-short" && lease.remaining > Duration::ZERO, "{lease:?}");
    place.site.end();
    assert_eq!(there(), "0", "it was revoked at the end");
}

#[test]
fn vault_issues_our_certificate_and_a_server_believes_it() {
    let Some(services) = services() else { return };
    let place = place(&services, "local: ./keys", ROOT, "");
    let tls = lockgate_project::TlsSettings {
        ca: Some(services.pki("ca.pem").into()),
        identity: Some(lockgate_project::TlsIdentity::VaultPki {
            path: "pki/issue/etl".into(),
            common_name: "svc-etl".into(),
        }),
    };
    let port = services.text("/postgres/port").parse().unwrap();
    let facts = place.site.probe_tls("localhost", port, lockgate_trust::Opening::Postgres, Some(&tls)).unwrap();
    assert!(facts.version == "TLSv1_3" && facts.chain[0].subject.contains("server"), "{facts:?}");
}

#[test]
fn tokens_are_had_in_every_way_and_fetched_once_for_many() {
    let Some(services) = services() else { return };
    let client = |id: &str, proof: &str, resource: &str| {
        format!(
            "{{ token_url: '{}', client_id: {id}, {proof} scopes: [read], resource: 'urn:{resource}' }}",
            services.text("/oauth/token_url")
        )
    };
    let key = format!("private_key: 'file:{}', key_id: assertion,", services.pki("assertion.key"));
    let extra = format!(
        "oauth:\n  secret: {}\n  assertion: {}\n  certificate: {}\n  wrong: {}\n  elsewhere: {}\n",
        client("etl-secret", "client_secret: 'file:./client-secret',", "lockgate"),
        client("etl-assertion", &key, "lockgate"),
        client("etl-certificate", "", "lockgate"),
        client("etl-secret", "client_secret: 'file:./wrong-secret',", "lockgate"),
        client("etl-secret", "client_secret: 'file:./client-secret',", "nowhere"),
    );
    let place = place(&services, "local: ./keys", ROOT, &extra);
    for name in ["secret", "assertion", "certificate"] {
        let tokens: Vec<_> = std::thread::scope(|scope| {
            let many: Vec<_> = (0..8).map(|_| scope.spawn(|| place.site.access_token(name).unwrap())).collect();
            many.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(tokens.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])), "{name}: one token for all");
        assert_eq!(tokens[0].expose().split('.').count(), 3);
    }
    let wrong = Failure::from(place.site.access_token("wrong").err().unwrap());
    assert_eq!(wrong.kind, FailureKind::Denied, "{wrong}");
    let elsewhere = Failure::from(place.site.access_token("elsewhere").err().unwrap());
    assert_eq!(elsewhere.kind, FailureKind::Invalid, "{elsewhere}");
}

#[test]
fn a_server_that_shows_another_certificate_gets_no_secret() {
    let Some(services) = services() else { return };
    let place = place(&services, "local: ./keys", ROOT, "");
    let mut project = (*place.site).clone();
    project.tls.ca = Some(services.pki("other-ca.pem").into());
    let failure = Failure::from(Site::new(project).impatient().probe_vault().unwrap_err());
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
    assert!(failure.message.contains("not trusted"), "{failure}");
}

#[test]
fn a_role_is_assumed_with_a_token_of_the_authorization_server() {
    let Some(services) = services() else { return };
    let extra = format!(
        "oauth:\n  sts: {{ token_url: '{}', client_id: etl-assertion, private_key: 'file:{}', key_id: assertion, resource: 'urn:sts' }}\n",
        services.text("/oauth/token_url"),
        services.pki("assertion.key"),
    );
    let keys = format!("aws-kms: '{}'", services.text("/aws/kms_key"));
    let place = place(&services, &keys, ROOT, &extra);
    let mut project = (*place.site).clone();
    project.aws.credentials = lockgate_project::AwsCredentials::WebIdentity {
        role_arn: "arn:aws:iam::123456789012:role/etl".into(),
        oauth: "sts".into(),
    };
    let site = Site::new(project).impatient();
    let described = site.probe_key_service().unwrap().unwrap();
    assert!(described.contains(&services.text("/aws/kms_key")) && described.contains("enabled"), "{described}");
}

#[test]
fn credentials_are_read_from_vault_once_for_all_aws_services_of_a_command() {
    let Some(services) = services() else { return };
    let keys = format!("aws-kms: '{}'", services.text("/aws/kms_key"));
    let path = format!("secret/data/aws-counted-{}", std::process::id());
    services.vault("POST", &path, &json!({ "data": { "access_key": "test", "secret_key": "test" } }));
    let place = place(&services, &keys, ROOT, "");
    let mut project = (*place.site).clone();
    project.aws.credentials = lockgate_project::AwsCredentials::Vault(path.clone());
    let site = Site::new(project).impatient();
    let secret =
        lockgate_project::SecretRef::AwsSecretsManager { name: "warehouse".into(), field: Some("password".into()) };
    let bucket = lockgate_project::S3Location {
        bucket: "landing".into(),
        prefix: String::new(),
        endpoint: Some(services.text("/s3/endpoint")),
        kms_key: None,
        tls: None,
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| site.probe_key_service().unwrap());
            scope.spawn(|| site.secret(&secret).unwrap());
            scope.spawn(|| site.bucket(&bucket).unwrap());
        }
    });
    let is_read = |entry: &Value| {
        entry["type"] == "request"
            && entry["request"]["operation"] == "read"
            && entry["request"]["path"] == path.as_str()
    };
    assert_eq!(services.audit().iter().filter(|entry| is_read(entry)).count(), 1);
}
