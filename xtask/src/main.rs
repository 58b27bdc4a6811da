//! The project's own tool: `cargo xtask test` is what CI runs, and what must be green before anything is merged.

mod bench;
mod bench_policy;
mod conformance;
mod example_data;
mod python;
mod retail_cloud;
mod scan_quality;
mod services;
mod test;

#[cfg(test)]
mod structure;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask test                  formatting, clippy, all tests: what CI runs
cargo xtask conformance DIR       runs other people's test cases in DIR, as far as this version has what they test
cargo xtask scan-quality          measures `lockgate scan` on labelled columns and texts
cargo xtask bench [ROWS...]       builds for release and times it beside sqlite3 and PyArrow
cargo xtask bench postgres [ROWS...]  the same beside `psql \\copy`, from a file and from S3
cargo xtask bench tpch [SCALE]    TPC-H under policy beside plain DataFusion; the scale factor is 1 if none is given
cargo xtask bench policy          measures the policy engine beside Ranger's, where Maven and Java are there
cargo xtask services up|down       starts PostgreSQL, Vault, S3, KMS and an OAuth server on loopback, or ends them
cargo xtask retail-cloud          starts them, runs examples/retail-cloud on them, traces a row, and ends them
cargo xtask example-data          writes the customer files of examples/retail anew
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test"] => test::test(&root()),
        ["conformance", folder] => conformance::conformance(&root(), folder.as_ref()),
        ["scan-quality"] => scan_quality::run(&root()),
        ["bench", "policy"] => bench_policy::run(&root()),
        ["bench", "tpch"] => bench::tpch(&root(), "1"),
        ["bench", "tpch", scale] => bench::tpch(&root(), scale),
        ["bench", "postgres", rows @ ..] => bench::postgres(&root(), rows),
        ["bench", rows @ ..] => bench::files(&root(), rows),
        ["services", "up"] => services::up(&root(), &services::folder(&root())),
        ["services", "down"] => services::down(&root(), &services::folder(&root())),
        ["retail-cloud"] => retail_cloud::run(&root()),
        ["example-data"] => example_data::write(&root()),
        ["help" | "--help" | "-h"] | [] => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("`{}` is no command of xtask\n\n{HELP}", other.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Cargo, as it was called, in the root of the repository.
fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// The root of the repository.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// The target folder.
fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
