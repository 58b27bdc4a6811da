//! How often a run asks a key service: for each key once, whatever the number of rows and files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lockgate_test_services::{Services, services};
use serde_json::{Value, json};

use crate::support::{PROJECT, Site};

/// A key of a project's own at a service.
struct Key<'a> {
    services: &'a Services,
    /// As `keys:` names it.
    named: String,
    count: fn(&Services, &str) -> Calls,
    id: String,
}

/// How often each operation was asked for.
type Calls = BTreeMap<String, usize>;

fn counted(operations: impl Iterator<Item = String>) -> Calls {
    operations.fold(Calls::new(), |mut calls, operation| {
        *calls.entry(operation).or_default() += 1;
        calls
    })
}

fn of_kms(services: &Services, key: &str) -> Calls {
    counted(services.kms_calls(key).into_iter().map(|(operation, _)| operation))
}

fn of_transit(services: &Services, key: &str) -> Calls {
    let path = |entry: &Value| {
        let path = entry["request"]["path"].as_str()?.strip_prefix("transit/")?.strip_suffix(key)?;
        (entry["type"] == "request").then(|| path.trim_end_matches('/').to_owned())
    };
    counted(services.audit().iter().filter_map(path))
}

fn new_keys(services: &Services) -> [Key<'_>; 2] {
    let arn = services.new_kms_key();
    let name = format!("counted-{}", arn.rsplit('/').next().unwrap());
    services.vault("POST", &format!("transit/keys/{name}"), &json!({ "derived": true }));
    [
        Key { services, named: format!("aws-kms: '{arn}'"), count: of_kms, id: arn },
        Key { services, named: format!("vault-transit: {name}"), count: of_transit, id: name },
    ]
}

fn site(key: &Key<'_>) -> Site {
    let at = |path: &str| key.services.text(path);
    let services = format!(
        "keys:\n  default: {{ {} }}\ntls: {{ ca: '{}' }}\nvault: {{ address: {}, login: {{ token: 'env:ROOT_TOKEN' }} }}\n\
         aws: {{ region: us-east-1, endpoint: '{}' }}\n",
        key.named,
        key.services.pki("ca.pem"),
        at("/vault/address"),
        at("/aws/endpoint"),
    );
    let site = Site::empty();
    let local = "keys:\n  default: { local: ./.lockgate/keys }\n";
    assert!(PROJECT.contains(local));
    site.write("lockgate.yaml", PROJECT.replace(local, &services));
    site
}

/// Runs with so many more files of so many rows, and gives what the service was asked meanwhile.
fn run(site: &Site, key: &Key<'_>, files: std::ops::Range<usize>, rows: usize) -> Calls {
    let before = (key.count)(key.services, &key.id);
    for file in files.clone() {
        let mut csv = "id,name,email,card,born,city\n".to_owned();
        for row in 0..rows {
            let id = file * rows + row;
            writeln!(csv, "{id},Name {id},n{id}@example.com,4111111111111111,1990-01-01,City").unwrap();
        }
        site.write(&format!("landing/customers/2026-11-01/{file}.csv"), csv);
    }
    let environment = [("ROOT_TOKEN", "root"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let run = site.lockgate_with(&["run", "daily", "--format", "json"], &environment).exits(0).json();
    assert_eq!(run["rows_written"], files.len() * rows, "{run}");
    let mut calls = (key.count)(key.services, &key.id);
    for (operation, before) in before {
        *calls.get_mut(&operation).unwrap() -= before;
    }
    calls.retain(|_, count| *count > 0);
    calls
}

/// docs/formats/key-hierarchy.md says what the numbers are made of.
#[test]
fn a_run_asks_a_key_service_once_for_each_key() {
    let Some(services) = services() else { return };
    for (files, rows) in [(1, 10), (1, 10_000), (20, 500)] {
        let [kms, transit] = new_keys(&services);
        let of = |calls: &[(&str, usize)]| calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let (first, second): (Calls, Calls) =
            (of(&[("DescribeKey", 1), ("GenerateDataKey", 4)]), of(&[("Decrypt", 4)]));
        let a = site(&kms);
        assert_eq!(run(&a, &kms, 0..files, rows), first, "KMS, {files} files of {rows} rows");
        assert_eq!(run(&a, &kms, files..2 * files, rows), second, "KMS again, {files} files of {rows} rows");
        let (first, second): (Calls, Calls) = (of(&[("keys", 1), ("datakey/plaintext", 4)]), of(&[("decrypt", 4)]));
        let b = site(&transit);
        assert_eq!(run(&b, &transit, 0..files, rows), first, "transit, {files} files of {rows} rows");
        assert_eq!(run(&b, &transit, files..2 * files, rows), second, "transit again, {files} files of {rows} rows");
    }
}
