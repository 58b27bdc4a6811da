//! `doctor` on real services: well, and with each thing broken in turn.

use serde_json::Value;

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
        ("store landing", "answers with our credentials"),
        ("store warehouse", "TLSv1_3 with TLS13_AES_"),
    ] {
        let (state, text) = state(&found, what);
        assert!(state == "ok" && text.contains(said), "{what}: {state} {text}");
    }
    let text = cloud.lockgate(&["doctor"]).exits(0).out;
    assert!(text.lines().count() <= 10 && text.ends_with("7 things are well\n"), "{text}");
    assert!(state(&found, "store warehouse").1.contains("leases database/creds/etl for"), "{found:#?}");
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
