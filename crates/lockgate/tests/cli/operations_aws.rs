//! The policies of docs/operations.md for AWS: a job succeeds under them, and fails without any one action.

use std::collections::BTreeSet;

use lockgate_test_services::{OwnService, services};
use serde_json::{Value, json};

use crate::operations::section;
use crate::support::{CSV, PROJECT, Site};

fn policy(file: &str) -> Value {
    let blocks = section("AWS");
    let block = blocks.iter().find(|block| block.file.as_deref() == Some(file)).unwrap();
    serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn statements(policy: &Value) -> &Vec<Value> {
    assert_eq!(policy["Version"], "2012-10-17", "what variables and conditions need");
    policy["Statement"].as_array().unwrap()
}

/// The actions of a statement, which are one text or many.
fn actions(statement: &Value) -> BTreeSet<String> {
    let texts = statement["Action"].as_array().cloned().unwrap_or_else(|| vec![statement["Action"].clone()]);
    texts.iter().map(|action| action.as_str().unwrap().to_owned()).collect()
}

fn has_the_projects_context(statement: &Value) -> bool {
    statement["Condition"] == json!({ "StringEquals": { "kms:EncryptionContext:project": "retail" } })
}

/// A policy with these actions, as moto can decide about it: it has neither conditions nor resources of KMS, and one action
/// for both sides of ReEncrypt.
fn decidable(actions: &BTreeSet<String>) -> String {
    let action = |action: &String| match action.as_str() {
        "kms:ReEncryptFrom" => "kms:ReEncrypt".to_owned(),
        other => other.to_owned(),
    };
    let actions: Vec<_> = actions.iter().map(action).collect();
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
        .to_string()
}

/// A user of IAM for each of these, and the key that it logs in with.
fn users(own: &OwnService, allowed: &[BTreeSet<String>]) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    for (number, actions) in allowed.iter().enumerate() {
        let name = format!("user-{number}");
        let document = decidable(actions);
        calls.push(("create_user", json!({ "UserName": name })));
        calls.push(("put_user_policy", json!({ "UserName": name, "PolicyName": "runs", "PolicyDocument": document })));
        calls.push(("create_access_key", json!({ "UserName": name })));
    }
    let made = own.0.aws("iam", &calls).into_iter().filter_map(|answer| answer.get("AccessKey").cloned());
    let part = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    made.map(|key| (part(&key, "AccessKeyId"), part(&key, "SecretAccessKey"))).collect()
}

/// A content as the services take it: each byte a character.
fn bytes_as_text(content: &str) -> String {
    content.bytes().map(char::from).collect()
}

/// Objects of two days, under the key.
fn land(own: &OwnService) {
    let mut calls = vec![
        ("create_bucket", json!({ "Bucket": "landing" })),
        ("put_bucket_versioning", json!({ "Bucket": "landing", "VersioningConfiguration": { "Status": "Enabled" } })),
    ];
    let later = CSV.replace("\n1,", "\n4,").replace("\n2,", "\n5,").replace("\n3,", "\n6,");
    for (day, content) in [("01", CSV), ("02", later.as_str())] {
        let key = format!("retail/customers/2026-11-{day}/a.csv");
        let object = json!({
            "Bucket": "landing", "Key": key, "Body": bytes_as_text(content), "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": own.0.text("/aws/kms_key"),
        });
        calls.push(("put_object", object));
    }
    own.0.aws("s3", &calls);
}

fn site(own: &OwnService) -> Site {
    let site = Site::empty();
    let (endpoint, key) = (own.0.text("/aws/endpoint"), own.0.text("/aws/kms_key"));
    let settings = PROJECT.replace("{ local: ./.lockgate/keys }", &format!("{{ aws-kms: '{key}' }}")).replace(
        "{ at: 'file://./landing' }",
        &format!("{{ at: 's3://landing/retail', sse: {{ kms_key: '{key}' }} }}"),
    );
    let pki = own.0.text("/pki");
    let services = format!(
        "tls: {{ ca: '{pki}/ca.pem', certificate: '{pki}/svc-etl.crt', key: 'file:{pki}/svc-etl.key' }}\n\
         aws: {{ region: us-east-1, endpoint: '{endpoint}' }}\n"
    );
    site.write("lockgate.yaml", settings + &services);
    site
}

/// Looks, makes keys, opens and rewraps them, and reads objects of two days.
fn works(own: &OwnService, login: &(String, String)) -> Result<(), String> {
    let site = site(own);
    for args in [
        &["doctor"][..],
        &["run", "daily", "--param", "date=2026-11-01"],
        &["keys", "rotate", "kek"],
        &["run", "daily", "--param", "date=2026-11-02"],
    ] {
        let said = site.lockgate_with(args, &[("AWS_ACCESS_KEY_ID", &login.0), ("AWS_SECRET_ACCESS_KEY", &login.1)]);
        if said.code != 0 {
            return Err(format!("{args:?}: {}{}", said.out, said.err));
        }
    }
    assert_eq!(site.rows().len(), 6);
    Ok(())
}

#[test]
fn a_job_succeeds_under_the_policy_for_iam_and_fails_without_any_action_of_it() {
    let Some(services) = services() else { return };
    let own = services.own(&["aws"]);
    land(&own);
    let all: BTreeSet<String> = statements(&policy("iam-policy.json")).iter().flat_map(actions).collect();
    // moto knows one action for what AWS has two.
    let each: Vec<_> = all.iter().filter(|action| *action != "kms:ReEncryptTo").collect();
    let without = |removed: &String| all.iter().filter(|action| *action != removed).cloned().collect();
    let allowed: Vec<_> = std::iter::once(all.clone()).chain(each.iter().map(|action| without(action))).collect();
    let users = users(&own, &allowed);
    own.0.enforce_policies();
    works(&own, &users[0]).unwrap_or_else(|failed| panic!("under the whole policy: {failed}"));
    for (action, login) in each.iter().zip(&users[1..]) {
        assert!(works(&own, login).is_err(), "everything works without {action}");
    }
}

/// Writes Parquet into a bucket and reads it again.
fn fills_a_lake(own: &OwnService, login: &(String, String)) -> Result<(), String> {
    let site = site(own);
    let key = own.0.text("/aws/kms_key");
    let lake = format!("  lake: {{ at: 's3://lake/retail', clearance: internal, sse: {{ kms_key: '{key}' }} }}\nkeys:");
    site.replace("lockgate.yaml", "keys:", &lake);
    site.replace("pipelines/daily.yaml", "store: warehouse", "store: lake");
    for day in ["01", "02"] {
        let said = site.lockgate_with(
            &["run", "daily", "--param", &format!("date=2026-11-{day}")],
            &[("AWS_ACCESS_KEY_ID", &login.0), ("AWS_SECRET_ACCESS_KEY", &login.1)],
        );
        if said.code != 0 {
            return Err(said.err);
        }
    }
    Ok(())
}

#[test]
fn a_lake_is_written_under_its_policy_and_not_without_what_writing_takes() {
    let Some(services) = services() else { return };
    let own = services.own(&["aws"]);
    land(&own);
    own.0.aws("s3", &[("create_bucket", json!({ "Bucket": "lake" }))]);
    let actions_of = |file: &str| -> BTreeSet<String> { statements(&policy(file)).iter().flat_map(actions).collect() };
    let (reading, all) = (actions_of("iam-policy.json"), actions_of("iam-policy-lake.json"));
    // Reading needs the others too; removing what a killed run left, and giving up an upload, is not met here.
    let needed: Vec<_> = all.difference(&reading).filter(|action| *action == "s3:PutObject").collect();
    assert_eq!(needed.len(), 1);
    let both: BTreeSet<String> = reading.union(&all).cloned().collect();
    let without: BTreeSet<String> = both.iter().filter(|action| *action != needed[0]).cloned().collect();
    let users = users(&own, &[both, without]);
    own.0.enforce_policies();
    fills_a_lake(&own, &users[0]).unwrap_or_else(|failed| panic!("under the whole policy: {failed}"));
    assert!(fills_a_lake(&own, &users[1]).is_err(), "it is written without {}", needed[0]);
}

#[test]
fn doctor_asks_what_its_policy_grants_and_is_content_with_the_policy_of_the_bucket() {
    let Some(services) = services() else { return };
    let own = services.own(&["aws"]);
    land(&own);
    let mut statement = policy("bucket-policy.json");
    statement["Resource"] = json!(["arn:aws:s3:::landing", "arn:aws:s3:::landing/*"]);
    let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    own.0.aws("s3", &[("put_bucket_policy", json!({ "Bucket": "landing", "Policy": document }))]);
    let asked = |actions: &BTreeSet<String>| {
        let login = &users(&own, std::slice::from_ref(actions))[0];
        let said = site(&own)
            .lockgate_with(&["doctor"], &[("AWS_ACCESS_KEY_ID", &login.0), ("AWS_SECRET_ACCESS_KEY", &login.1)]);
        said.exits(0).out
    };
    let actions_of = |file: &str| -> BTreeSet<String> { statements(&policy(file)).iter().flat_map(actions).collect() };
    let said = asked(&actions_of("iam-policy.json").union(&actions_of("iam-policy-doctor.json")).cloned().collect());
    assert!(said.contains("denies requests without TLS"), "{said}");
}

#[test]
fn the_policy_of_the_key_separates_those_who_administer_it_from_those_who_use_it() {
    let (iam, key) = (policy("iam-policy.json"), policy("key-policy.json"));
    let of_kms = |statements: Vec<&Value>| -> BTreeSet<String> {
        statements.into_iter().flat_map(actions).filter(|action| action.starts_with("kms:")).collect()
    };
    let by_sid = |sid: &str| -> Vec<&Value> {
        let is_it = |statement: &&Value| statement["Sid"].as_str().unwrap().starts_with(sid);
        statements(&key).iter().filter(is_it).collect()
    };
    let (administer, used) = (of_kms(by_sid("Administrators")), of_kms(by_sid("Users")));
    assert_eq!(used, of_kms(statements(&iam).iter().collect()), "both policies grant the same use");
    let opens = |action: &String| {
        ["Decrypt", "Encrypt", "GenerateDataKey", "ReEncrypt"].iter().any(|word| action.contains(word))
    };
    assert!(!administer.iter().any(|action| opens(action) || action.contains('*')), "{administer:?}");
    let owns = |action: &String| {
        ["Put", "Schedule", "Disable", "Cancel", "Replicate"].iter().any(|word| action.contains(word))
    };
    assert!(!used.iter().any(owns), "{used:?}");
    let principals: BTreeSet<_> =
        statements(&key).iter().map(|statement| statement["Principal"]["AWS"].as_str()).collect();
    assert_eq!(principals.len(), 2, "{principals:?}");

    // What takes an encryption context is granted for that of the project alone.
    for statement in statements(&iam).iter().chain(statements(&key)) {
        let needs = actions(statement).iter().any(&opens);
        assert_eq!(needs, has_the_projects_context(statement), "{statement}");
    }
}
