//! A table that others write as the source of the daily job: as of one moment, each row traced to its key.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cloud::{Cloud, Parts};
use crate::cloud_faults::went_on;
use crate::support::said;

/// The project of the cloud tests, whose customers are a table `people` of its schema.
fn from_table(mode: &str, at: &str) -> Option<Cloud> {
    let secret = "user: by_password, secret: 'vault:kv1/warehouse#password'";
    let cloud = Cloud::new(&Parts { secret, mode, keys: "local: ./keys", ..Parts::default() })?;
    let text = fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    let warehouse = text.lines().find(|line| line.starts_with("  warehouse:")).unwrap();
    let crm = warehouse.replace("  warehouse:", "  crm:");
    cloud.site.write("lockgate.yaml", text.replace(warehouse, &format!("{warehouse}\n{crm}")));
    let at = at.replace("PEOPLE", &format!("{}.people", cloud.schema));
    let catalog = format!(
        "dataset: customers
at: {{ store: crm, {at} }}
subject: id
columns:
  id: {{ type: bigint }}
  name: {{ type: text, tags: [pii.name] }}
  email: {{ type: text, tags: [pii.email] }}
  card: {{ type: text, tags: [pci.pan] }}
  born: {{ type: date, tags: [pii.birth_date] }}
  city: {{ type: text }}
"
    );
    cloud.site.write("catalog/customers.yaml", catalog);
    let pipeline = fs::read_to_string(cloud.site.path("pipelines/daily.yaml")).unwrap();
    let (pipeline, _) = pipeline.split_once("params:").unwrap();
    cloud.site.write("pipelines/daily.yaml", pipeline);
    cloud.people(CREATE_PEOPLE);
    Some(cloud)
}

impl Cloud {
    /// Runs SQL with `PEOPLE` for the source.
    fn people(&self, statement: &str) -> String {
        self.services.sql(&statement.replace("PEOPLE", &format!("{}.people", self.schema)))
    }

    fn trace(&self, id: u32) -> Value {
        let table = format!("{}.customers", self.schema);
        let traced = self.lockgate(&["trace", &table, "--where", &format!("id = {id}"), "--format", "json"]);
        traced.exits(0).json()["rows"][0].clone()
    }
}

const CREATE_PEOPLE: &str = "create table PEOPLE (id bigint primary key, name text, email text, card text, born date, city text, \
                             more jsonb); grant select on PEOPLE to writers";

const PEOPLE: &str = "insert into PEOPLE values (3, 'Grace', 'grace@example.org', null, '1906-12-09', 'New York'), \
                      (1, 'Ada', 'Ada@Example.com', '4111-1111-1111-1111', '1815-12-10', 'London'), (7, 'Μαρία', null, null, null, null)";

#[test]
fn the_daily_job_reads_a_table_and_a_row_is_traced_to_its_key() {
    let Some(cloud) = from_table("mode: merge, key: [id]", "table: PEOPLE") else { return };
    cloud.people(PEOPLE);
    let run = cloud.run();
    assert_eq!((&run["rows_read"], &run["rows_written"]), (&json!(3), &json!(3)), "{run}");
    assert_eq!(run["inputs"][0]["path"], format!("{}.people", cloud.schema));
    let sealed = "select count(*) from TABLE where name like 'lg1.%' and (email is null or email !~ '@')";
    assert_eq!(cloud.sql(sealed), "3");
    assert_eq!(cloud.run()["status"], "nothing_new");

    let source = cloud.trace(3)["sources"][0].clone();
    assert_eq!((&source["row"], &source["state"]), (&json!(1), &json!("unchanged")), "{source}");
    assert_eq!(source["key"], json!([{ "name": "id", "value": "3" }]));
    assert_eq!(source["table"]["database"], "warehouse");
    assert_eq!((&source["table"]["rows"], &source["table"]["key"]), (&json!(3), &json!(["id"])));
    assert!(source["table"]["snapshot"].as_str().is_some_and(|snapshot| snapshot.contains(':')), "{source}");
    let table = format!("{}.customers", cloud.schema);
    let shown = cloud.lockgate(&["trace", &table, "--where", "id = 3"]).exits(0).out;
    assert!(shown.contains("row 1 in the order of its key (id = 3)") && shown.contains("customers (table)"), "{shown}");

    // A row that changed, and then is what it was: each time the job has something to do.
    cloud.people("update PEOPLE set city = 'Paris' where id = 1");
    let source = cloud.trace(3)["sources"][0].clone();
    assert_eq!((&source["state"], &source["key"]), (&json!("changed"), &json!([{ "name": "id" }])));
    for city in ["Paris", "London"] {
        cloud.people(&format!("update PEOPLE set city = '{city}' where id = 1"));
        assert_eq!(cloud.run()["rows_written"], 3, "{city}");
        assert_eq!(cloud.sql("select city, count(*) over () from TABLE where id = 1"), format!("{city}|1"));
        assert_eq!(cloud.run()["status"], "nothing_new", "{city}");
    }
    assert_eq!(cloud.sql("select count(*), count(distinct lockgate_rid) from TABLE"), "3|3");
    let preview = cloud.lockgate(&["run", "daily", "--dry-run"]).exits(0).out;
    assert!(preview.contains(&format!("{}.people", cloud.schema)) && preview.contains("a table"), "{preview}");
    cloud.lockgate(&["verify"]).exits(0);
}

#[test]
fn a_table_is_appended_when_it_has_changed_and_a_key_above_the_usual_level_is_not_shown() {
    let Some(cloud) = from_table("mode: append", "table: PEOPLE, key: [email, more]") else { return };
    cloud.people(PEOPLE);
    cloud.run();
    assert_eq!(cloud.trace(3)["sources"][0]["state"], "unchanged");
    assert_eq!(cloud.trace(3)["sources"][0]["key"], json!([{ "name": "email" }, { "name": "more" }]));
    // Appending, each state of the table comes beside the one before.
    assert_eq!(cloud.run()["status"], "nothing_new");
    cloud.people("update PEOPLE set city = 'Paris' where id = 1");
    assert_eq!(cloud.run()["rows_written"], 3);
    assert_eq!(cloud.sql("select count(*), count(distinct lockgate_rid) from TABLE"), "6|6");
}

#[test]
fn values_that_do_not_fit_are_set_aside_and_taken_when_the_catalog_is_mended() {
    let Some(cloud) = from_table("mode: append", "table: PEOPLE") else { return };
    cloud.people(PEOPLE);
    cloud.people("insert into PEOPLE (id, born, city) values (4, '0044-03-15 BC', 'Roma')");
    let run = cloud.lockgate(&["run", "daily", "--max-quarantined", "50%", "--format", "json"]).exits(0).json();
    assert_eq!((&run["rows_written"], &run["rows_quarantined"]), (&json!(3), &json!(1)), "{run}");
    let id = run["run"].as_str().unwrap();
    let listed = cloud.lockgate(&["trace", "--quarantine", id, "--format", "json"]).exits(0).json();
    assert_eq!((&listed["records"][0]["row"], &listed["records"][0]["line"]), (&json!(2), &Value::Null), "{listed}");
    let refused = cloud.lockgate(&["run", "--requarantined", id, "--mended"]).exits(2);
    assert!(refused.err.contains("run the pipeline as usual"), "{}", refused.err);
    cloud.site.replace(
        "catalog/customers.yaml",
        "born: { type: date, tags: [pii.birth_date] }",
        "born: { type: text }",
    );
    cloud.site.replace("pipelines/daily.yaml", "born, city", "DATE '1999-01-01' AS born, city");
    cloud.lockgate(&["run", "--requarantined", id]).exits(0);
    assert_eq!(cloud.sql("select city from TABLE where id = 4"), "Roma");
    assert_eq!(cloud.trace(4)["sources"][0]["row"], 2);
    cloud.lockgate(&["verify"]).exits(0);
}

#[test]
fn what_cannot_be_read_is_told_before_anything_is_written() {
    let Some(cloud) = from_table("mode: append", "table: PEOPLE") else { return };
    cloud.people("revoke select on PEOPLE from writers");
    let denied = cloud.lockgate(&["run", "daily"]).exits(3);
    assert!(
        denied.err.contains("the role `writers` may not read") && denied.err.contains("GRANT SELECT"),
        "{}",
        denied.err
    );
    cloud.people("grant select on PEOPLE to writers; alter table PEOPLE rename column email to e_mail");
    let drift = cloud.lockgate(&["run", "daily"]).exits(2);
    assert!(drift.err.contains("no column `email` (is it `e_mail`?)"), "{}", drift.err);
    cloud.people("alter table PEOPLE rename column e_mail to email; alter table PEOPLE drop constraint people_pkey");
    let no_key = cloud.lockgate(&["run", "daily"]).exits(2);
    assert!(no_key.err.contains("declare `key: [..]`"), "{}", no_key.err);
    assert_eq!(
        cloud.services.sql(&format!("select count(*) from pg_tables where schemaname = '{}'", cloud.schema)),
        "1"
    );
    let own = format!("{}.customers", cloud.schema);
    cloud.site.replace(
        "catalog/customers.yaml",
        &format!("crm, table: {}.people", cloud.schema),
        &format!("warehouse, table: {own}"),
    );
    let laundered = cloud.lockgate(&["check"]).exits(2);
    assert!(laundered.out.contains("LG023") && laundered.out.contains("is written by a pipeline"), "{}", laundered.out);
}

#[test]
fn a_server_that_crashes_while_a_table_is_read_loses_nothing_and_doubles_nothing() {
    const STRIKES: u32 = 5;
    let Some(mut cloud) = from_table("mode: replace", "table: PEOPLE") else { return };
    let own = cloud.move_to_own_postgres();
    cloud.people(CREATE_PEOPLE);
    cloud.people("insert into PEOPLE (id, city) select n, 'City ' || n from generate_series(1, 20000) n");
    let began = std::time::Instant::now();
    cloud.run();
    let whole = began.elapsed();
    for strike in 1..=STRIKES {
        cloud.people(&format!("update PEOPLE set city = 'Town {strike}' where id = {strike}"));
        let mut running = cloud.site.command(&["run", "daily"]);
        let running = running.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(whole * strike / STRIKES);
        own.0.strike_postgres();
        let ended = said(&running.wait_with_output().unwrap());
        went_on(Some(ended.code), &ended.err);
        cloud.lockgate(&["run", "daily"]).exits(0);
        assert_eq!(cloud.sql("select count(*), count(distinct id) from TABLE"), "20000|20000");
        assert_eq!(cloud.sql("select count(*) from TABLE where city like 'Town %'"), strike.to_string());
    }
    cloud.lockgate(&["verify"]).exits(0);
}

/// The highest resident size of a run, in KiB.
fn run_with_peak(cloud: &Cloud) -> u64 {
    let script = "import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)";
    let lockgate = cloud.site.command(&["run", "daily"]);
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(lockgate.get_program()).args(lockgate.get_args()).env("NO_COLOR", "1");
    let said = said(&command.output().unwrap()).exits(0);
    said.out.trim().parse().unwrap()
}

#[test]
fn a_table_of_any_size_is_read_in_bounded_memory() {
    const MORE_KIB_MAX: u64 = 64 * 1024;
    let Some(cloud) = from_table("mode: replace", "table: PEOPLE") else { return };
    let fill = |from: u32, to: u32| {
        cloud.people(&format!(
            "insert into PEOPLE (id, city) select n, repeat(md5(n::text), 60) from generate_series({from}, {to}) n"
        ));
    };
    fill(1, 100);
    let little = run_with_peak(&cloud);
    // About 400 MB of values.
    fill(101, 200_000);
    let much = run_with_peak(&cloud);
    eprintln!("peak of a run over 0.2 MB: {little} KiB, over 400 MB: {much} KiB");
    assert_eq!(cloud.sql("select count(*) from TABLE"), "200000");
    assert!(much - little < MORE_KIB_MAX, "{little} KiB, then {much} KiB");
}
