//! The project that tests change: three files that load without a word.

use std::collections::BTreeMap;
use std::path::Path;

use lockgate_project::{Colour, Diagnostics, Project, Rejected, render};

pub(crate) const LOCKGATE: &str = r#"version: 1
project: retail
stores:
  landing:   { at: "file://./data/landing" }
  warehouse: { at: "sqlite://./data/warehouse.db", clearance: internal }
keys:
  default:   { local: "./.lockgate/keys" }
ledger:      { at: "file://./.lockgate/ledger" }
levels:
  public:       {}
  internal:     { transport: tls }
  confidential: { transport: tls,  at_rest: sealed, key: customer-managed }
  restricted:   { transport: mtls, at_rest: sealed, key: customer-managed, rotate_days: 90 }
protect:
  - { tag: pii.email, with: "token(domain: customer)" }
  - { tag: pii.name,  with: seal }
  - { level: restricted, with: seal }
"#;

pub(crate) const CUSTOMERS: &str = r#"dataset: customers
at: { store: landing, path: "customers/{date}/*.csv", format: csv }
subject: id
columns:
  id:          { type: bigint }
  name:        { type: text, tags: [pii.name] }
  email:       { type: text, tags: [pii.email] }
  city:        { type: text }
  signup_date: { type: date }
"#;

pub(crate) const DAILY: &str = r"pipeline: daily_customers
sql: SELECT id, name, email, city, signup_date FROM customers
into: { dataset: analytics.customers, store: warehouse, mode: merge, key: [id] }
runs_as: svc-etl
";

/// Stands for a file that is not there.
pub(crate) const REMOVED: &str = "(removed)";

/// The base project with files replaced or added.
pub(crate) fn load(changes: &[(&str, &str)]) -> Result<(Project, Diagnostics), Rejected> {
    let changes: Vec<(&str, &[u8])> = changes.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    load_bytes(&changes)
}

pub(crate) fn load_bytes(changes: &[(&str, &[u8])]) -> Result<(Project, Diagnostics), Rejected> {
    let mut files: BTreeMap<&str, &[u8]> = BTreeMap::from([
        ("lockgate.yaml", LOCKGATE.as_bytes()),
        ("catalog/customers.yaml", CUSTOMERS.as_bytes()),
        ("pipelines/daily_customers.yaml", DAILY.as_bytes()),
    ]);
    files.extend(changes.iter().copied());
    let files: Vec<(&str, &[u8])> = files.into_iter().filter(|(_, bytes)| *bytes != REMOVED.as_bytes()).collect();
    Project::from_files(Path::new("/project"), &files, &env)
}

/// The only variables that tests see.
pub(crate) fn env(name: &str) -> Option<String> {
    match name {
        "CITY" => Some("Graz".to_owned()),
        "YAML" => Some("a: [b, {c: d}] # \"'".to_owned()),
        "TOP_SECRET" => Some("hunter2 hunter2".to_owned()),
        "LARGE" => Some("x".repeat(lockgate_project::EXPANDED_BYTES_MAX / 2)),
        _ => None,
    }
}

pub(crate) fn project() -> Project {
    load(&[]).unwrap_or_else(|rejected| panic!("{}", shown(&rejected))).0
}

/// What is said of the base project with changes; empty if nothing is.
pub(crate) fn said(changes: &[(&str, &str)]) -> String {
    match load(changes) {
        Ok((project, warnings)) => render(&warnings, &project.sources, Colour::Never),
        Err(rejected) => shown(&rejected),
    }
}

pub(crate) fn shown(rejected: &Rejected) -> String {
    render(&rejected.diagnostics, &rejected.sources, Colour::Never)
}

/// The lines `path:line:column: CODE severity: message`.
pub(crate) fn lines(changes: &[(&str, &str)]) -> Vec<String> {
    match load(changes) {
        Ok((project, warnings)) => warnings.iter().map(|d| d.line(&project.sources)).collect(),
        Err(rejected) => rejected.diagnostics.iter().map(|d| d.line(&rejected.sources)).collect(),
    }
}
