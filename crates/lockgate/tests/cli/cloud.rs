//! The daily job on real services: a bucket under a customer-managed key, Vault, KMS, OAuth, PostgreSQL over mutual TLS.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use lockgate_test_services::{OwnService, Services, services};
use serde_json::{Value, json};

use crate::support::{CUSTOMERS, Said, Site};

static SITES: AtomicU32 = AtomicU32::new(0);

/// A project of its own on the shared services: a prefix of the bucket and a schema of the database.
pub(crate) struct Cloud {
    pub(crate) site: Site,
    pub(crate) services: Services,
    pub(crate) schema: String,
}

pub(crate) const CSV: &str = "\
id,name,email,card,born,city
1,Ada Lovelace,Ada@Example.com,4111-1111-1111-1111,1815-12-10,London
2,\"Hopper, Grace\",grace@example.org,5500 0000 0000 0004,1906-12-09,\"New
York\"
3,Μαρία,,,,
";

/// The parts of a project's file that tests vary.
pub(crate) struct Parts<'a> {
    pub(crate) login: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) keys: &'a str,
    pub(crate) mode: &'a str,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self {
            login: "approle: { role_id: 'ROLE', secret_id: 'file:./secret-id' }",
            secret: "secret: 'vault-db:etl'",
            keys: "vault-transit: lockgate",
            mode: "mode: merge, key: [id]",
        }
    }
}

impl Cloud {
    pub(crate) fn new(parts: &Parts<'_>) -> Option<Self> {
        let services = services()?;
        let number = SITES.fetch_add(1, Ordering::Relaxed);
        let schema = format!("s{}_{number}", std::process::id());
        services.sql(&format!("create schema {schema} authorization writers"));
        let site = Site::empty();
        let role = services.vault("GET", "auth/approle/role/etl/role-id", &Value::Null);
        let role = role["data"]["role_id"].as_str().unwrap().to_owned();
        let secret = services.vault("POST", "auth/approle/role/etl/secret-id", &json!({}));
        site.write("secret-id", secret["data"]["secret_id"].as_str().unwrap());
        let at = |path: &str| services.text(path);
        let settings = format!(
            "version: 1
project: retail
tls: {{ ca: '{ca}', certificate: '{certificate}', key: 'file:{key}' }}
vault:
  address: {vault}
  login: {{ {login} }}
oauth:
  tokens: {{ token_url: '{token_url}', client_id: etl-assertion, private_key: 'file:{assertion}', key_id: assertion, scopes: [read], resource: 'urn:vault' }}
aws: {{ region: us-east-1, endpoint: '{aws}' }}
stores:
  landing: {{ at: 's3://landing/{schema}', endpoint: '{s3}', sse: {{ kms_key: '{kms_key}' }} }}
  warehouse: {{ at: 'postgresql://localhost:{port}/warehouse', {secret}, clearance: internal }}
keys:
  default: {{ {keys} }}
ledger: {{ at: 'file://./.lockgate/ledger' }}
protect:
  - {{ tag: pii.email, with: 'token(domain: customer)' }}
  - {{ tag: pii.name, with: seal }}
  - {{ tag: pci.pan, with: 'fpe(domain: card)' }}
  - {{ tag: pii.birth_date, with: 'mask(date_to_year)' }}
",
            ca = services.pki("ca.pem"),
            certificate = services.pki("svc-etl.crt"),
            key = services.pki("svc-etl.key"),
            vault = at("/vault/address"),
            login = parts.login.replace("ROLE", &role),
            token_url = at("/oauth/token_url"),
            assertion = services.pki("assertion.key"),
            aws = at("/aws/endpoint"),
            s3 = at("/s3/endpoint"),
            kms_key = at("/s3/kms_key"),
            port = at("/postgres/port"),
            secret = parts.secret,
            keys = parts.keys.replace("KEY", &at("/aws/kms_key")),
        );
        site.write("lockgate.yaml", settings);
        site.write("catalog/customers.yaml", CUSTOMERS);
        let pipeline = format!(
            "pipeline: daily
sql: SELECT id, name, lower(email) AS email, card, born, city FROM customers
into: {{ dataset: {schema}.customers, store: warehouse, {} }}
runs_as: svc-etl
params:
  date: {{ type: date, default: '2026-11-01' }}
",
            parts.mode
        );
        site.write("pipelines/daily.yaml", pipeline);
        Some(Self { site, services, schema })
    }

    /// Puts a file into the landing zone, under the customer's key.
    pub(crate) fn land(&self, name: &str, content: &str) {
        let key = format!("{}/customers/2026-11-01/{name}", self.schema);
        self.services.put(&key, content, &self.services.text("/s3/kms_key"));
    }

    fn credentials(&self) -> [(&'static str, String); 2] {
        [
            ("AWS_ACCESS_KEY_ID", self.services.text("/s3/access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", self.services.text("/s3/secret_access_key")),
        ]
    }

    pub(crate) fn lockgate(&self, args: &[&str]) -> Said {
        let [(id_name, id), (secret_name, secret)] = self.credentials();
        self.site.lockgate_with(args, &[(id_name, &id), (secret_name, &secret)])
    }

    /// The program with these arguments, to be started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.site.command(args);
        command.envs(self.credentials());
        command
    }

    pub(crate) fn run(&self) -> Value {
        self.lockgate(&["run", "daily", "--format", "json"]).exits(0).json()
    }

    /// Starts a PostgreSQL of this project's own, with its schema, and names it in the place of the shared one.
    pub(crate) fn move_to_own_postgres(&mut self) -> OwnService {
        let own = self.services.own_postgres();
        own.0.sql(&format!("create schema {} authorization writers", self.schema));
        let settings = fs::read_to_string(self.site.path("lockgate.yaml")).unwrap();
        let [shared_port, own_port] =
            [&self.services, &own.0].map(|services| format!("localhost:{}/", services.text("/postgres/port")));
        self.site.write("lockgate.yaml", settings.replace(&shared_port, &own_port));
        let shared = std::mem::replace(&mut self.services, own.0.clone());
        self.services.at = shared.at;
        self.services.at["postgres"] = own.0.at["postgres"].clone();
        own
    }

    /// What SQL gives, with `TABLE` for the pipeline's table.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.services.sql(&statement.replace("TABLE", &format!("{}.customers", self.schema)))
    }
}

#[test]
fn the_daily_job_runs_on_real_services_and_a_row_is_traced_to_the_version_of_its_object() {
    let Some(cloud) = Cloud::new(&Parts::default()) else { return };
    cloud.land("a.csv", CSV);
    let first = cloud.run();
    assert_eq!(first["rows_written"], 3, "{first}");
    assert_eq!(
        cloud
            .sql("select id, name like 'lg1.%', email ~ '^tk', card, born, city from TABLE order by id")
            .lines()
            .count(),
        4,
        "three rows, of which one has a line break"
    );
    assert_eq!(cloud.sql("select count(*), count(distinct name) from TABLE"), "3|3");
    assert_eq!(cloud.sql("select city from TABLE where id = 1"), "London");
    assert_eq!(cloud.run()["status"], "nothing_new");

    let traced =
        cloud.lockgate(&["trace", &format!("{}.customers", cloud.schema), "--where", "id = 2", "--format", "json"]);
    let traced = traced.exits(0).json();
    let source = &traced["rows"][0]["sources"][0];
    assert_eq!(
        (&source["path"], &source["line"], &source["state"]),
        (&json!("customers/2026-11-01/a.csv"), &json!(3), &json!("unchanged"))
    );
    assert!(source["version"].as_str().is_some_and(|version| !version.is_empty() && version != "null"), "{source}");

    cloud.land(
        "b.csv",
        "id,name,email,card,born,city\n1,Ada King,ada@example.com,4111-1111-1111-1111,1815-12-10,Ockham\n",
    );
    assert_eq!(cloud.run()["rows_written"], 1);
    assert_eq!(cloud.sql("select count(*), min(city) from TABLE where id = 1"), "1|Ockham");
    cloud.lockgate(&["verify"]).exits(0);
}

#[test]
fn every_key_service_and_every_login_carries_the_job() {
    let parts = |login, secret, keys| Parts { login, secret, keys, mode: "mode: append" };
    for parts in [
        parts("jwt: { role: etl, oauth: tokens }", "secret: 'vault-db-static:etl-static'", "aws-kms: 'KEY'"),
        parts(
            "certificate: { role: etl }",
            "user: by_password, secret: 'vault:secret/data/warehouse#password'",
            "vault-transit: lockgate",
        ),
        parts("token: 'env:ROOT_TOKEN'", "user: by_password, secret: 'vault:kv1/warehouse#password'", "local: ./keys"),
        parts("certificate: {}", "user: svc-etl", "aws-kms: 'KEY'"),
        parts("certificate: {}", "user: by_password, secret: 'aws-sm:warehouse#password'", "aws-kms: 'KEY'"),
    ] {
        let Some(cloud) = Cloud::new(&parts) else { return };
        cloud.land("a.csv", CSV);
        let run = cloud.site.lockgate_with(
            &["run", "daily", "--format", "json"],
            &[
                ("ROOT_TOKEN", "root"),
                ("AWS_ACCESS_KEY_ID", &cloud.services.text("/s3/access_key_id")),
                ("AWS_SECRET_ACCESS_KEY", &cloud.services.text("/s3/secret_access_key")),
            ],
        );
        assert_eq!(run.exits(0).json()["rows_written"], 3, "{} {} {}", parts.login, parts.secret, parts.keys);
        assert_eq!(cloud.sql("select count(*) from TABLE"), "3");
    }
}

#[test]
fn a_command_reads_its_aws_credentials_from_vault_once() {
    let parts = Parts {
        secret: "user: by_password, secret: 'aws-sm:warehouse#password'",
        keys: "aws-kms: 'KEY'",
        ..Parts::default()
    };
    let Some(cloud) = Cloud::new(&parts) else { return };
    cloud.land("a.csv", CSV);
    let path = format!("secret/data/aws-{}", cloud.schema);
    let (id, key) = (cloud.services.text("/s3/access_key_id"), cloud.services.text("/s3/secret_access_key"));
    cloud.services.vault("POST", &path, &json!({ "data": { "access_key": id, "secret_key": key } }));
    cloud.site.replace(
        "lockgate.yaml",
        "aws: { region: us-east-1,",
        &format!("aws: {{ region: us-east-1, vault: {path},"),
    );
    let reads = || {
        let is_read = |entry: &Value| entry["type"] == "request" && entry["request"]["operation"] == "read";
        let audit = cloud.services.audit();
        audit.iter().filter(|entry| is_read(entry) && entry["request"]["path"] == path.as_str()).count()
    };
    // A bucket, keys and a secret are AWS's services here, each looked at on a thread of its own by `doctor`.
    for (args, all) in [(&["doctor"][..], 1), (&["run", "daily"], 2), (&["run", "daily"], 3)] {
        cloud.site.lockgate(args).exits(0);
        assert_eq!(reads(), all, "{args:?}");
    }
}

#[test]
fn objects_that_are_not_under_the_customers_key_are_refused() {
    for (encryption, reason) in [
        ("none", "so the customer does not control who may read it"),
        ("11111111-2222-3333-4444-555555555555", "whose owner controls who may read it"),
    ] {
        let Some(cloud) = Cloud::new(&Parts::default()) else { return };
        cloud.services.put(&format!("{}/customers/2026-11-01/a.csv", cloud.schema), CSV, encryption);
        let said = cloud.lockgate(&["run", "daily"]).exits(3);
        assert!(said.err.contains(reason), "{}", said.err);
        assert_eq!(cloud.sql("select count(*) from pg_tables where schemaname = current_schema()"), "0");
    }
}

#[test]
fn what_a_level_demands_of_a_place_is_checked_before_anything_is_read() {
    let Some(cloud) = Cloud::new(&Parts::default()) else { return };
    let text = fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    let without_key = text.replace(&format!(", sse: {{ kms_key: '{}' }}", cloud.services.text("/s3/kms_key")), "");
    cloud.site.write("lockgate.yaml", without_key);
    let said = cloud.lockgate(&["check"]).exits(3);
    assert!(said.out.contains("LG208") && said.out.contains("customer-managed key"), "{}{}", said.out, said.err);
}
