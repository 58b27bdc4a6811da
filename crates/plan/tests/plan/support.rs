//! A small project whose pipeline each test writes anew.

use std::path::Path;

use lockgate_plan::{Asker, Compiled, Governed, OutputColumn, Plan, compile};
use lockgate_project::Project;

pub(crate) const PROJECT: &str = "\
version: 1
project: retail
stores:
  landing: { at: 'file://./landing' }
  warehouse: { at: 'sqlite://./warehouse.db', clearance: internal }
  vault: { at: 'sqlite://./vault.db', clearance: restricted }
keys:
  default: { local: ./keys }
ledger: { at: 'file://./ledger' }
protect:
  - { tag: pii.email, with: 'token(domain: customer)' }
  - { tag: pii.name, with: seal }
  - { tag: pii.phone, with: 'mask(show_last: 4)' }
  - { tag: pii.birth_date, with: 'mask(date_to_year)' }
  - { tag: pii.gender, with: drop }
";

pub(crate) const CUSTOMERS: &str = "\
dataset: customers
at: { store: landing, path: 'customers/*.csv', format: csv }
subject: id
columns:
  id: { type: bigint }
  name: { type: text, tags: [pii.name] }
  email: { type: text, tags: [pii.email] }
  phone: { type: text, tags: [pii.phone] }
  birth_date: { type: date, tags: [pii.birth_date] }
  gender: { type: text, tags: [pii.gender] }
  city: { type: text }
  score: { type: integer }
  notes: { type: text, level: confidential }
";

pub(crate) fn pipeline(sql: &str, into: &str) -> String {
    format!("pipeline: daily\nsql: |\n  {}\ninto: {into}\nruns_as: svc-etl\n", sql.replace('\n', "\n  "))
}

pub(crate) const APPEND: &str = "{ dataset: analytics.customers, store: warehouse, mode: append }";

/// Compiles a project of these pipelines.
pub(crate) fn compile_files(project: &str, pipelines: &[(&str, &str)]) -> (Project, Compiled) {
    let mut files = vec![("lockgate.yaml", project.as_bytes()), ("catalog/customers.yaml", CUSTOMERS.as_bytes())];
    files.extend(pipelines.iter().map(|(path, text)| (*path, text.as_bytes())));
    let (project, _) = Project::from_files(Path::new("/nowhere"), &files, &|_| None)
        .unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics));
    let compiled = compile(&project, jiff::Timestamp::UNIX_EPOCH);
    (project, compiled)
}

/// Compiles one query into the warehouse.
pub(crate) fn compile_sql(sql: &str) -> (Project, Compiled) {
    compile_into(sql, APPEND)
}

pub(crate) fn compile_into(sql: &str, into: &str) -> (Project, Compiled) {
    compile_files(PROJECT, &[("pipelines/daily.yaml", &pipeline(sql, into))])
}

/// The diagnostics, a line each.
pub(crate) fn lines(project: &Project, compiled: &Compiled) -> Vec<String> {
    compiled.diagnostics.iter().map(|diagnostic| diagnostic.line(&project.sources)).collect()
}

/// The plan of a query that compiles.
pub(crate) fn plan_of(sql: &str) -> Governed<Plan> {
    let (project, mut compiled) = compile_sql(sql);
    let lines = lines(&project, &compiled);
    compiled.plans.remove("daily").unwrap_or_else(|| panic!("{sql}: {lines:?}"))
}

/// One output column in a line: name, level, tags, what is done.
pub(crate) fn outline(project: &Project, column: &OutputColumn) -> String {
    let tags: Vec<_> = column.tags.iter().map(|tag| tag.as_str()).collect();
    let protection = column.protection.as_ref().map_or_else(|| column.form.to_string(), ToString::to_string);
    format!("{}: {} [{}] {protection}", column.name, project.lattice.name(column.level), tags.join(" "))
}

/// Somebody in no group, who asks in 1970.
pub(crate) fn asker(principal: &str) -> Asker {
    Asker {
        principal: principal.parse().unwrap(),
        groups: Vec::new(),
        purpose: None,
        address: None,
        at: jiff::Timestamp::UNIX_EPOCH,
    }
}
