//! Files as others write them: compressed, in other encodings, dialects and formats.

use std::io::Write as _;

use crate::support::Site;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const CATALOG: &str = "\
dataset: kunden
at:
  store: landing
  path: 'kunden/*.csv.gz'
  format: csv
  csv: { header: false, delimiter: ';', quote: \"'\", encoding: latin-1, null_tokens: ['', 'NULL'] }
columns:
  id: { type: bigint, nullable: false }
  ort: { type: text }
  seit: { type: date, format: '%d.%m.%Y' }
  umsatz: { type: 'decimal(12, 2)', format: '1.234,56' }
  aktiv: { type: boolean, format: J/N }
";

const PIPELINE: &str = "\
pipeline: kunden
sql: SELECT id, ort, seit, umsatz, aktiv FROM kunden
into: { dataset: kunden_gelesen, store: warehouse }
runs_as: svc
";

type Row = (i64, Option<String>, Option<String>, Option<String>, Option<i64>);
type Cells = (Option<String>, Option<String>, Option<String>, Option<i64>);

fn site(file: &[u8]) -> Site {
    let site = Site::empty();
    site.write("catalog/kunden.yaml", CATALOG);
    site.write("pipelines/kunden.yaml", PIPELINE);
    site.write("landing/kunden/a.csv.gz", file);
    site
}

#[test]
fn a_zipped_german_file_without_a_header_is_read() {
    let text = "1;'Köln; Süd';31.12.2026;1.234,56;J\n2;NULL;01.02.2025;-7,5;N\n3;Ulm;2025-02-01;1;J\n4;'a\nb';;;\n";
    let latin_1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let site = site(&gzip(&latin_1));
    let args = ["run", "kunden", "--max-quarantined", "1", "--format", "json"];
    let outcome = site.lockgate(&args).exits(0).json();
    assert_eq!((&outcome["rows_read"], &outcome["rows_quarantined"]), (&4.into(), &1.into()));
    let database = rusqlite::Connection::open(site.path("warehouse.db")).unwrap();
    let mut statement =
        database.prepare("SELECT id, ort, seit, umsatz, aktiv FROM kunden_gelesen ORDER BY id").unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect::<Vec<Row>>();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            (1, text("Köln; Süd"), text("2026-12-31"), text("1234.56"), Some(1)),
            (2, None, text("2025-02-01"), text("-7.50"), Some(0)),
            (4, text("a\nb"), None, None, None),
        ]
    );
    let traced = site.lockgate(&["trace", "kunden_gelesen", "--where", "id = 4", "--format", "json"]).exits(0).json();
    let source = &traced["rows"][0]["sources"][0];
    assert_eq!((&source["path"], &source["line"]), (&"kunden/a.csv.gz".into(), &4.into()));
}

#[test]
fn a_damaged_archive_fails_the_run_and_writes_nothing() {
    let whole = gzip(b"1;Ulm;01.02.2025;1;J\n");
    let site = site(&whole[..whole.len() - 3]);
    let said = site.lockgate(&["run", "kunden"]).exits(1);
    assert!(said.err.contains("kunden/a.csv.gz"), "{}", said.err);
    assert!(!said.err.contains("Ulm"), "{}", said.err);
    site.write("landing/kunden/a.csv.gz", &whole);
    site.lockgate(&["run", "kunden"]).exits(0);
}

#[test]
fn dialects_that_cannot_be_told_apart_are_refused() {
    for (from, to, said) in [
        ("delimiter: ';'", "delimiter: ab", "is no single mark"),
        ("delimiter: ';'", "delimiter: \"'\"", "must differ"),
        ("'%d.%m.%Y'", "dd.mm.yyyy", "is no format of a date"),
        ("'1.234,56'", "'1.2'", "is no format of a decimal(12, 2)"),
        ("encoding: latin-1", "encoding: latin9", "is not allowed for `at.csv.encoding`"),
        ("format: csv", "format: parquet", "`csv` does not go with `format: parquet`"),
    ] {
        let site = site(b"");
        site.replace("catalog/kunden.yaml", from, to);
        let refused = site.lockgate(&["check"]);
        assert_eq!(refused.code, 2, "{to}: {}{}", refused.out, refused.err);
        let text = format!("{}{}", refused.out, refused.err);
        assert!(text.contains(said), "{to}: {text}");
    }
}

#[test]
fn formats_and_null_tokens_have_their_limits() {
    let format = |bytes: usize| format!("'%d{}'", ".".repeat(bytes - 2));
    let tokens = |count: usize| (0..count).map(|n| format!("'n{n}'")).collect::<Vec<_>>().join(", ");
    for (from, within, beyond, said) in [
        ("'%d.%m.%Y'", format(64), format(65), "is no format of a date"),
        ("'', 'NULL'", tokens(16), tokens(17), "17 null tokens are more than 16"),
    ] {
        let site = site(b"");
        site.replace("catalog/kunden.yaml", from, &within);
        site.lockgate(&["check"]).exits(0);
        site.replace("catalog/kunden.yaml", &within, &beyond);
        let refused = site.lockgate(&["check"]).exits(2);
        assert!(format!("{}{}", refused.out, refused.err).contains(said), "{}{}", refused.out, refused.err);
    }
}

#[test]
fn json_lines_are_loaded_traced_and_set_aside() {
    let site = Site::empty();
    let catalog = "dataset: kunden\nat: { store: landing, path: 'kunden/*.jsonl*', format: jsonl }\ncolumns:\n  \
        id: { type: bigint, nullable: false }\n  ort: { type: text }\n  seit: { type: date, format: '%d.%m.%Y' }\n  \
        umsatz: { type: 'decimal(12, 2)' }\n  aktiv: { type: boolean }\n";
    site.write("catalog/kunden.yaml", catalog);
    site.write("pipelines/kunden.yaml", PIPELINE);
    let text = "{\"id\": 1, \"ort\": \"Köln\", \"seit\": \"31.12.2026\", \"umsatz\": 0.10, \"aktiv\": true}\n\n\
        {\"id\": \"x\", \"ort\": \"Geheimstadt\"}\n{\"id\": 3, \"umsatz\": \"2.5\"}\n";
    site.write("landing/kunden/a.jsonl.gz", gzip(text.as_bytes()));
    let args = ["run", "kunden", "--max-quarantined", "1"];
    let said = site.lockgate(&args).exits(0);
    assert!(said.out.contains("kunden/a.jsonl.gz:3: the value of the column `id` is no bigint"), "{}", said.out);
    assert!(!said.out.contains("Geheimstadt"));
    let database = rusqlite::Connection::open(site.path("warehouse.db")).unwrap();
    let row = |id: i64| {
        let sql = "SELECT ort, seit, umsatz, aktiv FROM kunden_gelesen WHERE id = ?";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let row: rusqlite::Result<Cells> = database.query_row(sql, [id], read);
        row.unwrap()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(row(1), (text("Köln"), text("2026-12-31"), text("0.10"), Some(1)));
    assert_eq!(row(3), (None, None, text("2.50"), None));
    let traced = site.lockgate(&["trace", "kunden_gelesen", "--where", "id = 3", "--format", "json"]).exits(0).json();
    let source = &traced["rows"][0]["sources"][0];
    assert_eq!((&source["row"], &source["line"]), (&2.into(), &4.into()));
    site.replace("catalog/kunden.yaml", "format: jsonl }", "format: jsonl, csv: { header: true } }");
    let refused = site.lockgate(&["check"]).exits(2);
    assert!(format!("{}{}", refused.out, refused.err).contains("`csv` does not go with `format: jsonl`"));
}
