//! Row groups without a row that can meet a query's conditions are not read: shown by the bytes that are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lockgate_crypto::SystemRandom;
use lockgate_plan::{Asker, compile_query};
use lockgate_project::Project;
use lockgate_run::{QueryOutcome, QueryRequest, query};

use crate::python;
use crate::support::Site;

const ROWS: u64 = 20_000;
/// Ten row groups of ascending ids, in a plain file and in an encrypted one.
const WRITE: &str = "
import os, sys
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.parquet.encryption as pe
class Kms(pe.KmsClient):
    def wrap_key(self, key, master):
        import base64
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        nonce = os.urandom(12)
        return base64.b64encode(nonce + AESGCM(b'f' * 32).encrypt(nonce, key, master.encode()))
    def unwrap_key(self, wrapped, master):
        raise NotImplementedError
rows = 20000
table = pa.table({
    'id': pa.array(range(rows), pa.int64()),
    'owner': pa.array(['anna' if n % 2 else 'eve' for n in range(rows)]),
    'since': pa.array([f'{1000 + n // 20}-01-01' for n in range(rows)]),
    'padding': pa.array([os.urandom(50).hex() for _ in range(rows)]),
})
for name, options in {'plain': None, 'sealed': pe.EncryptionConfiguration(footer_key='footer', uniform_encryption=False, column_keys={'footer': ['padding', 'id']})}.items():
    os.makedirs(f'{sys.argv[1]}/{name}')
    properties = None
    if options is not None:
        properties = pe.CryptoFactory(lambda _: Kms()).file_encryption_properties(pe.KmsConnectionConfig(), options)
    with pq.ParquetWriter(f'{sys.argv[1]}/{name}/a.parquet', table.schema, encryption_properties=properties) as writer:
        writer.write_table(table, row_group_size=2000)
";

const POLICIES: &str = "\
policies:
  - policy: anna sees her own rows
    on: { datasets: ['*'] }
    allow: [{ users: [anna, olga, mia], access: [select] }]
    rows:
      - { users: [anna], where: \"owner = 'anna'\" }
      - { users: [mia], where: \"to_date(since) > DATE '0001-01-01'\" }
    mask: [{ users: [anna], columns: [since], with: redact }]
";

fn site(python: &str) -> Site {
    let site = Site::empty();
    python::run(python, WRITE, &[&site.path("landing").display().to_string()]);
    for (name, keys) in [("plain", ""), ("sealed", ", parquet: { keys: { footer: 'file:footer.key' } }")] {
        site.write(
            &format!("catalog/{name}.yaml"),
            format!(
                "dataset: {name}\nat: {{ store: landing, path: '{name}/*.parquet', format: parquet{keys} }}\n\
                 columns:\n  id: {{ type: bigint }}\n  owner: {{ type: text }}\n  since: {{ type: text }}\n  \
                 padding: {{ type: text }}\n"
            ),
        );
    }
    site.write("footer.key", "f".repeat(32));
    site.write("policies/rows.yaml", POLICIES);
    site
}

/// The ids that somebody is shown, and what became of the query.
fn ask(site: &Site, sql: &str, principal: &str) -> (Vec<i64>, QueryOutcome) {
    let (project, _) =
        Project::load(&site.path("."), &|_| None).unwrap_or_else(|_| panic!("the project does not load"));
    let asker = Asker {
        principal: principal.parse().unwrap(),
        groups: Vec::new(),
        purpose: None,
        address: None,
        at: Timestamp::now(),
    };
    let project = lockgate_trust::Site::new(project);
    let compiled = compile_query(&project, sql, &asker).unwrap_or_else(|refused| panic!("{:?}", refused.diagnostics));
    let request = QueryRequest {
        project: &project,
        sql,
        plan: &compiled.plan,
        asker: &asker,
        authorizations: &compiled.authorizations,
        params: BTreeMap::new(),
        provenance: false,
        stop: Arc::default(),
        duration_max: Duration::from_secs(60),
        random: Arc::new(SystemRandom),
        now: asker.at,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut ids = Vec::new();
    let outcome = query(&request, runtime.handle(), &mut |batch| {
        let column = arrow::array::cast::as_primitive_array::<arrow::datatypes::Int64Type>(batch.rows.column(0));
        ids.extend(column.values().iter().copied());
        Ok(true)
    });
    (ids, outcome.unwrap())
}

#[test]
fn row_groups_without_a_wanted_row_are_not_read() {
    let Some(python) = python::interpreter() else { return };
    let site = site(&python);
    for dataset in ["plain", "sealed"] {
        let of = |condition: &str, principal: &str| {
            let (ids, outcome) = ask(&site, &format!("SELECT id FROM {dataset} {condition}"), principal);
            (ids, outcome.parquet_bytes)
        };
        let (all, whole) = of("", "olga");
        assert_eq!(all.len() as u64, ROWS);
        let is_a_tenth = |bytes: u64| bytes > 0 && bytes < whole / 8;
        for (condition, principal, expected) in [
            ("WHERE id = 4711", "olga", vec![4711]),
            // Behind a policy, comparisons of a clear column with a literal still go through.
            ("WHERE id = 4711", "anna", vec![4711]),
            ("WHERE id = 4710", "anna", vec![]),
            ("WHERE id BETWEEN 6000 AND 6002", "anna", vec![6001]),
            ("WHERE id IN (6001, 6003)", "anna", vec![6001, 6003]),
        ] {
            let (ids, bytes) = of(condition, principal);
            assert_eq!(ids, expected, "{dataset} {condition} as {principal}");
            assert!(is_a_tenth(bytes), "{dataset} {condition} as {principal} reads {bytes} of {whole} bytes");
        }
        let (_, none) = of("WHERE id = 99999", "anna");
        assert_eq!(none, 0, "{dataset}");
        for (condition, principal) in [
            // What is masked, or could fail, is evaluated above the barrier.
            ("WHERE since = '1235-01-01'", "anna"),
            ("WHERE 100 / (id - 4710) > 1000", "anna"),
            // A policy whose own condition could fail gets nothing of the query before it.
            ("WHERE id = 4711", "mia"),
        ] {
            let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| of(condition, principal)));
            let (_, bytes) = read.unwrap_or_else(|_| panic!("{dataset} {condition} as {principal} failed"));
            assert_eq!(bytes, whole, "{dataset} {condition} as {principal}");
        }
    }
}
