//! A table of bad files and what is said of them.

use crate::base::{CUSTOMERS, DAILY, LOCKGATE, lines, said};

/// The base project with one text of `lockgate.yaml` replaced.
fn lockgate(from: &str, to: &str) -> String {
    assert!(LOCKGATE.contains(from), "{from}");
    said(&[("lockgate.yaml", &LOCKGATE.replacen(from, to, 1))])
}

fn customers(from: &str, to: &str) -> String {
    assert!(CUSTOMERS.contains(from), "{from}");
    said(&[("catalog/customers.yaml", &CUSTOMERS.replacen(from, to, 1))])
}

fn daily(from: &str, to: &str) -> String {
    assert!(DAILY.contains(from), "{from}");
    said(&[("pipelines/daily_customers.yaml", &DAILY.replacen(from, to, 1))])
}

#[test]
fn keys() {
    insta::assert_snapshot!(customers("columns:", "colums:"), @r#"
    error[LG012]: unknown key `colums`
     --> catalog/customers.yaml:4:1
      |
    4 | colums:
      | ^^^^^^
      |
      = help: did you mean `columns`?

    1 error
    "#);
    insta::assert_snapshot!(customers("{ type: bigint }", "{ typ: bigint, colour: red }"), @r#"
    error[LG012]: unknown key `typ` in `columns.id`
     --> catalog/customers.yaml:5:18
      |
    5 |   id:          { typ: bigint, colour: red }
      |                  ^^^
      |
      = help: did you mean `type`?

    error[LG012]: unknown key `colour` in `columns.id`
     --> catalog/customers.yaml:5:31
      |
    5 |   id:          { typ: bigint, colour: red }
      |                               ^^^^^^
      |
      = help: the keys here are: `type`, `tags`, `level`, `nullable`, `format`

    2 errors
    "#);
    insta::assert_snapshot!(lockgate("{ at: \"file://./data/landing\" }", "{ encryption: on }"), @r#"
    error[LG009]: the key `at` is missing in `stores.landing`
     --> lockgate.yaml:4:16
      |
    4 |   landing:   { encryption: on }
      |                ^^^^^^^^^^
      |
      = help: add `at:`

    error[LG012]: unknown key `encryption` in `stores.landing`
     --> lockgate.yaml:4:16
      |
    4 |   landing:   { encryption: on }
      |                ^^^^^^^^^^
      |
      = help: did you mean `endpoint`?

    2 errors
    "#);
    insta::assert_snapshot!(daily("runs_as: svc-etl\n", "runs_as: svc-etl\npipeline: again\n"), @r#"
    error[LG007]: the key `pipeline` is given twice
     --> pipelines/daily_customers.yaml:5:1
      |
    1 | pipeline: daily_customers
      | -------- first here
    ...
    5 | pipeline: again
      | ^^^^^^^^ again here
      |
      = help: remove one of the two

    1 error
    "#);
}

#[test]
fn types() {
    insta::assert_snapshot!(lockgate("project: retail", "project: [retail]"), @r#"
    error[LG008]: `project` is a list, and text is expected
     --> lockgate.yaml:2:10
      |
    2 | project: [retail]
      |          ^^^^^^^^
      |
      = help: write text here

    1 error
    "#);
    insta::assert_snapshot!(lockgate("rotate_days: 90", "rotate_days: ninety"), @r#"
    error[LG008]: `levels.restricted.rotate_days` is the text `ninety`, and a whole number from 0 to 4294967295 is expected
      --> lockgate.yaml:13:89
       |
    13 |   restricted:   { transport: mtls, at_rest: sealed, key: customer-managed, rotate_days: ninety }
       |                                                                                         ^^^^^^
       |
       = help: write a whole number from 0 to 4294967295 here

    1 error
    "#);
    insta::assert_snapshot!(lockgate("clearance: internal", "clearance:"), @r#"
    error[LG008]: `stores.warehouse.clearance` is empty, and text is expected
     --> lockgate.yaml:5:52
      |
    5 |   warehouse: { at: "sqlite://./data/warehouse.db", clearance: }
      |                                                    ^^^^^^^^^
      |
      = help: write a value, or remove the key

    1 error
    "#);
    insta::assert_snapshot!(customers("tags: [pii.email]", "tags: pii.email"), @r#"
    error[LG008]: `columns.email.tags` is the text `pii.email`, and a list is expected
     --> catalog/customers.yaml:7:36
      |
    7 |   email:       { type: text, tags: pii.email }
      |                                    ^^^^^^^^^
      |
      = help: write a list here

    1 error
    "#);
    insta::assert_snapshot!(customers("{ type: date }", "{ type: date, nullable: \"no\" }"), @r#"
    error[LG008]: `columns.signup_date.nullable` is the text `no`, and `true` or `false` is expected
     --> catalog/customers.yaml:9:40
      |
    9 |   signup_date: { type: date, nullable: "no" }
      |                                        ^^^^
      |
      = help: write `true` or `false` here

    1 error
    "#);
    insta::assert_snapshot!(daily("pipeline: daily_customers", "pipeline: 7"), @r#"
    error[LG008]: `pipeline` is the number `7`, and text is expected
     --> pipelines/daily_customers.yaml:1:11
      |
    1 | pipeline: 7
      |           ^
      |
      = help: put it in quotes: `"7"`

    1 error
    "#);
}

#[test]
fn values() {
    insta::assert_snapshot!(lockgate("transport: mtls", "transport: mtsl"), @r#"
    error[LG010]: `mtsl` is not allowed for `levels.restricted.transport`
      --> lockgate.yaml:13:30
       |
    13 |   restricted:   { transport: mtsl, at_rest: sealed, key: customer-managed, rotate_days: 90 }
       |                              ^^^^
       |
       = help: did you mean `mtls`?

    1 error
    "#);
    insta::assert_snapshot!(customers("format: csv", "format: arrow"), @r#"
    error[LG010]: `arrow` is not allowed for `at.format`
     --> catalog/customers.yaml:2:63
      |
    2 | at: { store: landing, path: "customers/{date}/*.csv", format: arrow }
      |                                                               ^^^^^
      |
      = help: it takes: `csv`, `jsonl`, `parquet`

    1 error
    "#);
    insta::assert_snapshot!(customers("type: bigint", "type: int"), @r#"
    error[LG010]: `int` is no type of a column
     --> catalog/customers.yaml:5:24
      |
    5 |   id:          { type: int }
      |                        ^^^
      |
      = help: did you mean `integer`?

    1 error
    "#);
    insta::assert_snapshot!(lockgate("with: seal", "with: sael"), @r#"
    error[LG010]: `sael` is no protection
      --> lockgate.yaml:16:29
       |
    16 |   - { tag: pii.name,  with: sael }
       |                             ^^^^
       |
       = help: did you mean `seal`?

    1 error
    "#);
    insta::assert_snapshot!(lockgate("token(domain: customer)", "token(customer)"), @r#"
    error[LG010]: `token(customer)` is no protection
      --> lockgate.yaml:15:29
       |
    15 |   - { tag: pii.email, with: "token(customer)" }
       |                             ^^^^^^^^^^^^^^^^^
       |
       = help: it takes `token(domain: NAME)`

    1 error
    "#);
    insta::assert_snapshot!(daily("pipeline: daily_customers", "pipeline: daily customers"), @r#"
    error[LG010]: `daily customers` is not a pipeline name: it takes 1 to 128 ASCII letters, digits, `_` and `-`, and begins with a letter or `_`
     --> pipelines/daily_customers.yaml:1:11
      |
    1 | pipeline: daily customers
      |           ^^^^^^^^^^^^^^^

    1 error
    "#);
}

#[test]
fn references() {
    insta::assert_snapshot!(customers("pii.email", "pii.emial"), @r#"
    error[LG016]: nothing gives the tag `pii.emial` a level
     --> catalog/customers.yaml:7:37
      |
    7 |   email:       { type: text, tags: [pii.emial] }
      |                                     ^^^^^^^^^
      |
      = help: did you mean `pii.email`? A new tag is declared in `lockgate.yaml`: `tags: { TAG: LEVEL }`

    1 error
    "#);
    insta::assert_snapshot!(lockgate("level: restricted", "level: restrictd"), @r#"
    error[LG014]: there is no level `restrictd`
      --> lockgate.yaml:17:14
       |
    17 |   - { level: restrictd, with: seal }
       |              ^^^^^^^^^
       |
       = help: did you mean `restricted`?

    1 error
    "#);
}

#[test]
fn names_across_files() {
    insta::assert_snapshot!(customers("subject: id", "subject: nmae"), @r#"
    error[LG022]: `subject` names the column `nmae`, which is not there
     --> catalog/customers.yaml:3:10
      |
    3 | subject: nmae
      |          ^^^^
      |
      = help: did you mean `name`?

    1 error
    "#);
    insta::assert_snapshot!(customers("[pii.email] }", "[pii.email], level: public }"), @r#"
    error[LG024]: the level `public` is below `confidential`, which the tag `pii.email` demands
     --> catalog/customers.yaml:7:56
      |
    7 |   email:       { type: text, tags: [pii.email], level: public }
      |                                     ---------          ^^^^^^
      |                                     |
      |                                     demands `confidential` at least
      |
      = help: write `level: confidential`, or remove the level or the tag

    1 error
    "#);
    insta::assert_snapshot!(daily("analytics.customers", "customers"), @r#"
    error[LG023]: the dataset `customers` is in the catalog, so no pipeline can write it
     --> pipelines/daily_customers.yaml:3:18
      |
    3 | into: { dataset: customers, store: warehouse, mode: merge, key: [id] }
      |                  ^^^^^^^^^
      |
     ::: catalog/customers.yaml:1:10
      |
    1 | dataset: customers
      |          --------- in the catalog here
      |
      = help: write into a dataset of another name, or take this one out of the catalog

    1 error
    "#);
}

#[test]
fn places_of_the_ledger() {
    const FOLDER: &str = "\"file://./.lockgate/ledger\" }";
    insta::assert_snapshot!(lockgate(FOLDER, "\"https://example.org/ledger\" }"), @r#"
    error[LG018]: the ledger cannot lie at `https://example.org/ledger`
     --> lockgate.yaml:8:20
      |
    8 | ledger:      { at: "https://example.org/ledger" }
      |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: it takes `file://DIR`, such as `file://./.lockgate/ledger`, or `s3://BUCKET/PREFIX`

    1 error
    "#);
    insta::assert_snapshot!(lockgate(FOLDER, "\"file://./ledger\", endpoint: \"https://localhost\" }"), @r#"
    error[LG010]: this means nothing to a ledger in a folder
     --> lockgate.yaml:8:49
      |
    8 | ledger:      { at: "file://./ledger", endpoint: "https://localhost" }
      |                                                 ^^^^^^^^^^^^^^^^^^^
      |
      = help: remove it

    1 error
    "#);
    insta::assert_snapshot!(said(&[
        ("lockgate.yaml", &LOCKGATE.replace(FOLDER, "\"s3://bucket/ledger\", sse: { kms_key: k } }")),
        ("catalog/customers.yaml", &CUSTOMERS.replace("subject: id", "subject: id\nerase_by: subject")),
    ]), @r#"
    error[LG018]: the salts of `erase_by: subject` lie in a file beside the ledger, which a bucket cannot hold
     --> catalog/customers.yaml:4:11
      |
    4 | erase_by: subject
      |           ^^^^^^^
      |
      = help: remove it, or keep the ledger in a folder: `ledger: { at: "file://./.lockgate/ledger" }`

    1 error
    "#);
}

#[test]
fn places() {
    insta::assert_snapshot!(lockgate("file://./data/landing", "gs://bucket/prefix"), @r#"
    error[LG018]: stores at `gs://` are not in this version
     --> lockgate.yaml:4:20
      |
    4 |   landing:   { at: "gs://bucket/prefix" }
      |                    ^^^^^^^^^^^^^^^^^^^^
      |
      = help: use `file://DIR` or `s3://BUCKET/PREFIX` for files, `sqlite://FILE` or `postgresql://HOST:PORT/DATABASE` for tables

    1 error
    "#);
    insta::assert_snapshot!(lockgate("local: \"./.lockgate/keys\"", "vault-transit: lockgate"), @r#"
    error[LG009]: `vault-transit` needs Vault, and the project names none
     --> lockgate.yaml:7:31
      |
    7 |   default:   { vault-transit: lockgate }
      |                               ^^^^^^^^
      |
      = help: add `vault: { address: https://…, login: … }` to `lockgate.yaml`

    1 error
    "#);
    insta::assert_snapshot!(lockgate("keys\" }", "keys\", passphrase: hunter2 }"), @r#"
    error[LG021]: this is no reference to a secret that this version can follow
     --> lockgate.yaml:7:55
      |
    7 |   default:   { local: "./.lockgate/keys", passphrase: ******* }
      |                                                       ^^^^^^^
      |
      = help: write `env:NAME`, `file:PATH`, `vault:PATH#FIELD` or `aws-sm:NAME#FIELD`, and keep the secret itself out of the project's files

    1 error
    "#);
    insta::assert_snapshot!(lockgate("file://./data/landing", "file://${env:NOWHERE}/x"), @r#"
    error[LG011]: the environment variable `NOWHERE` is not set
     --> lockgate.yaml:4:28
      |
    4 |   landing:   { at: "file://${env:NOWHERE}/x" }
      |                            ^^^^^^^^^^^^^^
      |
      = help: set it, as in `export NOWHERE=…`, or write the value here

    1 error
    "#);
    insta::assert_snapshot!(customers("customers/{date}/*.csv", "customers/{date/*.csv"), @r#"
    error[LG026]: the path `customers/{date/*.csv` has a `{` without a `}`
     --> catalog/customers.yaml:2:29
      |
    2 | at: { store: landing, path: "customers/{date/*.csv", format: csv }
      |                             ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write a path inside the store, such as `customers/{date}/*.csv`

    1 error
    "#);
}

#[test]
fn yaml() {
    insta::assert_snapshot!(daily("key: [id] }", "key: [id }"), @r#"
    error[LG004]: not valid YAML at `[id`: mismatched bracket '[' closed by '}'
     --> pipelines/daily_customers.yaml:3:75
      |
    3 | into: { dataset: analytics.customers, store: warehouse, mode: merge, key: [id }
      |                                                                           ^^^
      |
      = help: check the indentation, the quotes and the braces here and in the lines above

    1 error
    "#);
    insta::assert_snapshot!(lockgate("\"token(domain: customer)\"", "token(domain: customer)"), @r#"
    error[LG004]: not valid YAML at `:`: while parsing a flow mapping, did not find expected ',' or '}'
      --> lockgate.yaml:15:41
       |
    15 |   - { tag: pii.email, with: token(domain: customer) }
       |                                         ^
       |
       = help: text that has `: ` in it stands in quotes, as in `with: "token(domain: customer)"`

    1 error
    "#);
}

#[test]
fn yaml_that_is_not_used_here() {
    insta::assert_snapshot!(customers("subject: id", "subject: &x id"), @r#"
    error[LG005]: an anchor on `id` is not used in project files
     --> catalog/customers.yaml:3:13
      |
    3 | subject: &x id
      |             ^^
      |
      = help: write the value itself where it is meant

    1 error
    "#);
    insta::assert_snapshot!(customers("subject: id", "subject: !!str id"), @r#"
    error[LG005]: a tag on `id` is not used in project files
     --> catalog/customers.yaml:3:16
      |
    3 | subject: !!str id
      |                ^^
      |
      = help: write the value itself where it is meant

    1 error
    "#);
    insta::assert_snapshot!(customers("dataset: customers\n", "dataset: customers\n---\n"), @r#"
    error[LG005]: a second document begins
     --> catalog/customers.yaml:2:1
      |
    2 | ---
      | ^^^
      |
      = help: a file holds one document: put this one into a file of its own

    1 error
    "#);
    insta::assert_snapshot!(said(&[("catalog/empty.yaml", "# nothing\n")]), @r#"
    error[LG004]: the file is empty
     --> catalog/empty.yaml:1:1
      |
    1 | # nothing
      | ^
      |
      = help: write its keys, or remove the file

    1 error
    "#);
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    insta::assert_snapshot!(said(&[("catalog/bomb.yaml", bomb)]), @r#"
    error[LG005]: an anchor on `[` is not used in project files
     --> catalog/bomb.yaml:1:7
      |
    1 | a: &a [x, x]
      |       ^
      |
      = help: write the value itself where it is meant

    1 error
    "#);
}

#[test]
fn modes_and_rules() {
    insta::assert_snapshot!(daily(", key: [id]", ""), @r#"
    error[LG027]: `mode: merge` needs a `key`
     --> pipelines/daily_customers.yaml:3:63
      |
    3 | into: { dataset: analytics.customers, store: warehouse, mode: merge }
      |                                                               ^^^^^
      |
      = help: name the columns by which a row is recognised: `key: [id]`

    1 error
    "#);
    insta::assert_snapshot!(daily("mode: merge", "mode: append"), @r#"
    error[LG027]: `mode: append` takes no `key`
     --> pipelines/daily_customers.yaml:3:76
      |
    3 | into: { dataset: analytics.customers, store: warehouse, mode: append, key: [id] }
      |                                                                            ^^^^
      |
      = help: remove `key`, or write `mode: merge`

    1 error
    "#);
    insta::assert_snapshot!(lockgate("{ tag: pii.name,  with: seal }", "{ with: seal }"), @r#"
    error[LG009]: `protect[1]` says neither `tag` nor `level`
      --> lockgate.yaml:16:5
       |
    16 |   - { with: seal }
       |     ^^^^^^^^^^^^^^
       |
       = help: say which columns it is for: `tag: TAG`, `level: LEVEL`, or both

    1 error
    "#);
    insta::assert_snapshot!(lockgate("{ level: restricted, with: seal }", "{ tag: pii.name, with: drop }"), @r#"
    warning[LG035]: `protect[2]` never applies: `protect[1]: tag pii.name` matches all of it before
      --> lockgate.yaml:17:5
       |
    16 |   - { tag: pii.name,  with: seal }
       |     ------------------------------ this rule comes first
    17 |   - { tag: pii.name, with: drop }
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: remove it, or move it before the other

    1 warning
    "#);
}

#[test]
fn the_problems_of_all_files_are_told_at_once_in_order() {
    let lockgate = LOCKGATE.replace("internal }", "intern }").replace("version: 1", "version: 3");
    let customers =
        CUSTOMERS.replace("bigint", "big").replace("pii.name", "pii.nam").replace("type: date", "type: day");
    let daily = DAILY.replace("warehouse", "werehouse").replace("runs_as", "run_as");
    let all = [
        ("lockgate.yaml", lockgate.as_str()),
        ("catalog/customers.yaml", &customers),
        ("pipelines/daily_customers.yaml", &daily),
        ("pipelines/notes.md", ""),
        ("policies/a.yaml", "rules: []"),
    ];
    insta::assert_debug_snapshot!(lines(&all), @r#"
    [
        "lockgate.yaml:1:10: LG013 error: the version of the project format is 3, and this program reads 1",
        "lockgate.yaml:5:63: LG014 error: there is no level `intern`",
        "catalog/customers.yaml:5:24: LG010 error: `big` is no type of a column",
        "catalog/customers.yaml:6:37: LG016 error: nothing gives the tag `pii.nam` a level",
        "catalog/customers.yaml:9:24: LG010 error: `day` is no type of a column",
        "pipelines/daily_customers.yaml:3:46: LG017 error: there is no store `werehouse`",
        "pipelines/daily_customers.yaml:4:1: LG012 error: unknown key `run_as`",
        "policies/a.yaml:1:1: LG012 error: unknown key `rules`",
        "policies/a.yaml:1:8: LG008 error: `rules` is a list, and a mapping is expected",
        "pipelines/notes.md:1:1: LG029 warning: `pipelines/notes.md` is not read",
    ]
    "#);
}
