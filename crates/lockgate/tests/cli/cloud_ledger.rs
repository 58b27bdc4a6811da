//! A ledger, a key table and quarantines in a bucket: what the daily job leaves there, and what cannot be done to it.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Instant;

use lockgate_crypto::SystemRandom;
use lockgate_project::{AwsCredentials, Project};
use lockgate_trust::Site;
use serde_json::json;

use crate::cloud::{CSV, Cloud, Parts};

/// How many times a run is killed; more with `LOCKGATE_KILLS`.
const KILLS: u32 = 6;

/// A project whose ledger is in the bucket, under the customer's key.
fn shared(parts: &Parts<'_>) -> Option<Cloud> {
    let cloud = Cloud::new(parts)?;
    let (at, key) = (cloud.services.text("/s3/endpoint"), cloud.services.text("/s3/kms_key"));
    let ledger = format!("s3://landing/{}-ledger', endpoint: '{at}', sse: {{ kms_key: '{key}' }} }}", cloud.schema);
    let text = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    assert!(text.contains("file://./.lockgate/ledger' }"));
    cloud.site.write("lockgate.yaml", text.replace("file://./.lockgate/ledger' }", &ledger));
    Some(cloud)
}

impl Cloud {
    fn over_ledger(&self, object: &str, content: &str, encryption: &str) {
        self.services.put(&format!("{}-ledger/{object}", self.schema), content, encryption);
    }
}

#[test]
fn a_ledger_in_a_bucket_serves_every_command_on_every_machine() {
    let Some(cloud) = shared(&Parts::default()) else { return };
    cloud.land("a.csv", &format!("{CSV}x,no number,,,,\n"));
    let args = ["run", "daily", "--max-quarantined", "1", "--format", "json"];
    let run = cloud.lockgate(&args).exits(0).json();
    assert_eq!((&run["rows_written"], &run["rows_quarantined"]), (&json!(3), &json!(1)), "{run}");
    assert_eq!(cloud.run()["status"], "nothing_new");
    assert!(!cloud.site.path(".lockgate/ledger").exists(), "nothing of it lies here");

    let verified = cloud.lockgate(&["verify", "--format", "json"]).exits(0).json();
    assert!(verified["keys"].as_u64().is_some_and(|keys| keys > 0) && verified["seen"] == 1, "{verified}");
    let dataset = format!("{}.customers", cloud.schema);
    let traced = cloud.lockgate(&["trace", &dataset, "--where", "id = 2", "--format", "json"]).exits(0).json();
    assert_eq!(traced["rows"][0]["sources"][0]["line"], 3, "{traced}");
    let set_aside = cloud.lockgate(&["trace", "--quarantine", run["run"].as_str().unwrap()]).exits(0);
    assert!(set_aside.out.contains("customers/2026-11-01/a.csv"), "{}", set_aside.out);
    assert_eq!(cloud.lockgate(&["history"]).exits(0).out.matches("daily").count(), 1);
    let doctor = cloud.lockgate(&["doctor"]).exits(0).out;
    let ledger = doctor.lines().find(|line| line.contains("  ledger: ")).unwrap();
    for said in [
        &format!("s3://landing/{}-ledger is signed by the project's key; 1 runs", cloud.schema),
        "TLSv1_3 with TLS13_AES_",
        &format!("objects must be under {}", cloud.services.text("/s3/kms_key")),
        "its default is no encryption",
        "public access block",
        "its policy does not deny requests without TLS",
    ] {
        assert!(ledger.contains(said), "{said}: {doctor}");
    }
    assert!(!ledger.contains("AbortIncompleteMultipartUpload"), "nothing is put there in parts: {doctor}");
    let checked = cloud.lockgate(&["check"]).exits(0);
    let note = format!("the key table is in s3://landing/{}-ledger and was not looked at", cloud.schema);
    assert!(checked.err.contains(&note), "{}", checked.err);

    // Another machine has the project and what the key service wrapped, and nothing else.
    let other =
        Cloud { site: crate::support::Site::empty(), services: cloud.services.clone(), schema: cloud.schema.clone() };
    for (path, content) in cloud.site.files(".") {
        other.site.write(&path.strip_prefix(cloud.site.path(".")).unwrap().to_string_lossy(), content);
    }
    let keys = other.site.path(".lockgate/keys/keys.json");
    std::fs::set_permissions(keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    cloud.lockgate(&["keys", "rotate", &format!("{dataset}.name"), "--because", "a test"]).exits(0);
    other.land("b.csv", "id,name,email,card,born,city\n9,Edsger,e@example.org,,,\n");
    assert_eq!(other.run()["rows_written"], 1);
    assert_eq!(cloud.run()["status"], "nothing_new");
    cloud.lockgate(&["verify"]).exits(0);
    assert_eq!(cloud.sql("select count(*), count(distinct lockgate_rid) from TABLE"), "4|4");
}

#[test]
fn what_is_done_to_a_ledger_in_a_bucket_is_found() {
    let Some(cloud) = shared(&Parts::default()) else { return };
    cloud.land("a.csv", CSV);
    cloud.run();
    let key = cloud.services.text("/s3/kms_key");
    cloud.over_ledger("key-table.json", "{}", &key);
    let said = cloud.lockgate(&["verify"]).exits(5);
    assert!(said.err.contains("key-table.json"), "{}", said.err);

    let Some(cloud) = shared(&Parts::default()) else { return };
    cloud.land("a.csv", CSV);
    cloud.run();
    cloud.over_ledger("checkpoint", "lockgate/retail\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n", &key);
    cloud.lockgate(&["verify"]).exits(5);
    cloud.lockgate(&["run", "daily"]).exits(5);
    cloud.over_ledger("checkpoint", "anything", "none");
    let said = cloud.lockgate(&["run", "daily"]).exits(3);
    assert!(said.err.contains("does not control who may read it"), "{}", said.err);
}

#[test]
fn a_run_that_was_killed_is_followed_at_once_and_settled() {
    let Some(cloud) = shared(&Parts { mode: "mode: append", ..Parts::default() }) else { return };
    cloud.land("a.csv", CSV);
    let began = Instant::now();
    cloud.run();
    let whole = began.elapsed();
    for kill in 1..=std::env::var("LOCKGATE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS) {
        cloud.land(&format!("{kill}.csv"), &format!("id,name,email,card,born,city\n{},x,,,,\n", 100 + kill));
        let mut running = cloud.command(&["run", "daily"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * kill / (KILLS + 1));
        let _ = running.kill();
        running.wait().unwrap();
        cloud.lockgate(&["run", "daily"]).exits(0);
        assert_eq!(
            cloud.sql("select count(*), count(distinct id), count(distinct lockgate_rid) from TABLE"),
            format!("{0}|{0}|{0}", 3 + kill)
        );
    }
    cloud.lockgate(&["verify"]).exits(0);
}

#[test]
fn a_ledger_that_is_gone_is_not_begun_again() {
    let Some(cloud) = shared(&Parts::default()) else { return };
    cloud.land("a.csv", CSV);
    cloud.run();
    let seen = std::fs::read_to_string(cloud.site.path(".lockgate/keys/seen.checkpoint")).unwrap();
    let text = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    cloud.site.write("lockgate.yaml", text.replace("-ledger'", "-elsewhere'"));
    for (args, code) in [(&["run", "daily"][..], 5), (&["keys", "list"], 5), (&["doctor"], 4)] {
        let said = cloud.lockgate(args).exits(code);
        assert!(
            format!("{}{}", said.out, said.err).contains("has no checkpoint"),
            "{args:?}: {}{}",
            said.out,
            said.err
        );
    }
    assert_eq!(std::fs::read_to_string(cloud.site.path(".lockgate/keys/seen.checkpoint")).unwrap(), seen);

    // Whoever has not seen it finds its tiles.
    cloud.site.write("lockgate.yaml", text);
    let object = json!({ "Bucket": "landing", "Key": format!("{}-ledger/checkpoint", cloud.schema) });
    cloud.services.boto("s3", "s3", "delete_object", &object);
    std::fs::remove_file(cloud.site.path(".lockgate/keys/seen.checkpoint")).unwrap();
    let said = cloud.lockgate(&["run", "daily"]).exits(5);
    assert!(said.err.contains("its tiles are still there"), "{}", said.err);
}

#[test]
fn a_second_writer_is_told_who_the_first_one_is() {
    let Some(cloud) = shared(&Parts::default()) else { return };
    cloud.land("a.csv", CSV);
    cloud.run();
    let path = format!("secret/data/{}", cloud.schema);
    let login = json!({
        "access_key": cloud.services.text("/s3/access_key_id"), "secret_key": cloud.services.text("/s3/secret_access_key"),
    });
    cloud.services.vault("POST", &path, &json!({ "data": login }));
    let loaded = Project::load(&cloud.site.path("."), &|_| None);
    let (mut project, _) = loaded.unwrap_or_else(|rejected| panic!("{:?}", rejected.diagnostics));
    project.aws.credentials = AwsCredentials::Vault(path);
    let site = Site::new(project);
    let held = site.ledger_place().unwrap().lease("a test that writes", &SystemRandom).unwrap();
    for args in [&["keys", "list"][..], &["run", "daily"]] {
        let refused = cloud.lockgate(args).exits(4).err;
        let holder = format!("held by another process: process {}, a test that writes", std::process::id());
        assert!(refused.contains(&holder), "{refused}");
    }
    // Reading needs no lease.
    cloud.lockgate(&["verify"]).exits(0);
    drop(held);
    site.end();
}
