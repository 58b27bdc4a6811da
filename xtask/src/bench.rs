//! Times the program, built for release, beside its peers on the same data: `sqlite3 .import`, PyArrow, `psql \copy`, plain
//! DataFusion.

use std::path::Path;
use std::process::Command;

use crate::services::{self, Services};
use crate::{cargo, python, target};

/// How often each case is run; the median counts.
const REPEATS: &str = "3";
/// The sizes of the files, in rows.
const ROWS: [&str; 2] = ["1000000", "10000000"];

/// Local files and SQLite; `rows` are the sizes instead of the usual ones.
pub(crate) fn files(root: &Path, rows: &[&str]) -> Result<(), String> {
    let sqlite = Command::new("sqlite3").arg("--version").output();
    sqlite.map_err(|error| format!("sqlite3 is needed beside it (`apt-get install sqlite3`): {error}"))?;
    measure(root, "files", &[], rows)
}

/// CSV files, local and in a bucket, into PostgreSQL.
pub(crate) fn postgres(root: &Path, rows: &[&str]) -> Result<(), String> {
    let services = Services::start(root, &services::folder_named(root, "bench"))?;
    let found = services.file().to_string_lossy().into_owned();
    measure(root, "postgres", &[&found], rows)
}

/// TPC-H under policy beside plain DataFusion. The tables are generated once for each scale factor.
pub(crate) fn tpch(root: &Path, scale: &str) -> Result<(), String> {
    if scale.parse::<f64>().is_err() {
        return Err(format!("`{scale}` is no scale factor"));
    }
    let folder = target(root).join("bench").join(format!("tpch-{scale}"));
    if !folder.join("lineitem.csv").exists() {
        let interpreter = python::environment_of(root, "tpch.txt", "python-tpch")?;
        let mut generate = Command::new(interpreter.with_file_name("tpchgen-cli"));
        generate.args(["csv", "--quiet", "--scale-factor", scale, "--output-dir"]).arg(&folder);
        let generated = generate.status().map_err(|error| format!("the tables cannot be generated: {error}"))?;
        if !generated.success() {
            return Err("the tables could not be generated".to_owned());
        }
    }
    // Together with the program, so that both have the same dependencies.
    build(root, &["lockgate", "lockgate-tpch-bench"])?;
    let mut bench = Command::new(target(root).join("release/lockgate-tpch-bench"));
    let measured =
        bench.arg(&folder).arg(REPEATS).status().map_err(|error| format!("it cannot be started: {error}"))?;
    if measured.success() { Ok(()) } else { Err("the measurement failed".to_owned()) }
}

fn build(root: &Path, packages: &[&str]) -> Result<(), String> {
    let of = packages.iter().flat_map(|package| ["-p", *package]);
    let built = cargo(root).args(["build", "--release"]).args(of).status();
    match built.map_err(|error| format!("cargo cannot be started: {error}"))?.success() {
        true => Ok(()),
        false => Err(format!("{} could not be built", packages.join(" and "))),
    }
}

fn measure(root: &Path, what: &str, beside: &[&str], rows: &[&str]) -> Result<(), String> {
    if let Some(wrong) = rows.iter().find(|rows| rows.parse::<u64>().is_err()) {
        return Err(format!("`{wrong}` is no number of rows"));
    }
    build(root, &["lockgate"])?;
    let interpreter = python::environment(root)?;
    let mut script = Command::new(&interpreter);
    script.arg(root.join("xtask/python/bench.py")).arg(what);
    script.arg(target(root).join("release/lockgate")).arg(target(root).join("bench")).arg(REPEATS);
    script.args(beside).args(if rows.is_empty() { &ROWS[..] } else { rows });
    let measured = script.status().map_err(|error| format!("{} cannot be started: {error}", interpreter.display()))?;
    if measured.success() { Ok(()) } else { Err("the measurement failed".to_owned()) }
}
