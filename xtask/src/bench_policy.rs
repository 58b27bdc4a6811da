//! Measures the policy engine on a generated set, and the published Java engine on the same where Maven and Java are.
//!
//! ```text
//! benches/policy ─► 1k, 10k, 100k policies: evaluations a second, memory, time to build
//!       │ the set of 10k, and the answers
//!       └─► xtask/java/RangerBeside ─► the same of Ranger 2.9.0, and its answers, compared one by one
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{cargo, target};

const SIZES: [&str; 3] = ["1000", "10000", "100000"];
/// The size of the set that both engines are asked.
const COMPARED: &str = "10000";
const REQUESTS: &str = "20000";
/// How long each kind is asked, in seconds, after as long a warm-up.
const SECONDS: &str = "3";

pub(crate) fn run(root: &Path) -> Result<(), String> {
    let folder = target(root).join("bench-policy");
    let mut compared = Value::Null;
    for policies in SIZES {
        let mut bench = cargo(root);
        bench.args(["bench", "--quiet", "-p", "lockgate-policy", "--bench", "policy", "--"]);
        bench.args([policies, REQUESTS, SECONDS]);
        if policies == COMPARED {
            bench.arg(&folder);
        }
        let measured = json_line(&mut bench)?;
        print(&format!("lockgate, {policies} policies"), &measured);
        if policies == COMPARED {
            compared = measured;
        }
    }
    let Some(class_path) = class_path(root, &folder)? else {
        println!("Maven or Java is not there: Ranger is not measured");
        return Ok(());
    };
    let mut java = Command::new("java");
    java.arg("-cp").arg(class_path).args(["-Xmx4g", "RangerBeside"]).arg(&folder).arg(SECONDS);
    let ranger = json_line(&mut java)?;
    print(&format!("Ranger 2.9.0, {COMPARED} policies"), &ranger);
    for kind in ["access", "mask", "filter"] {
        let rate = |measured: &Value| measured[format!("{kind}_per_second")].as_f64().unwrap_or(f64::NAN);
        println!("{kind}: {:.0} times as many", rate(&compared) / rate(&ranger));
    }
    compare_answers(&folder)
}

fn print(what: &str, measured: &Value) {
    let number = |name: &str| measured[name].as_f64().unwrap_or(f64::NAN);
    println!(
        "{what}: {:.0} access, {:.0} mask, {:.0} filter a second; {:.1} MB; built in {:.3} s",
        number("access_per_second"),
        number("mask_per_second"),
        number("filter_per_second"),
        number("memory_bytes") / 1e6,
        number("build_seconds"),
    );
}

/// The last line that a command prints, which is JSON.
fn json_line(command: &mut Command) -> Result<Value, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| format!("{name} printed `{line}`: {error}"))
}

/// Ranger with all it needs, and the class that asks it; nothing where Maven or Java is not there.
fn class_path(root: &Path, folder: &Path) -> Result<Option<String>, String> {
    let is_there = |program: &str| Command::new(program).arg("-version").output().is_ok_and(|o| o.status.success());
    if !is_there("mvn") || !is_there("javac") {
        return Ok(None);
    }
    let (list, classes) = (folder.join("class-path.txt"), folder.join("classes"));
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(root.join("xtask/java/pom.xml"));
    maven.arg("dependency:build-classpath").arg(format!("-Dmdep.outputFile={}", list.display()));
    succeed(&mut maven)?;
    let jars = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let mut javac = Command::new("javac");
    javac.arg("-cp").arg(jars.trim()).arg("-d").arg(&classes).arg(root.join("xtask/java/src/RangerBeside.java"));
    succeed(&mut javac)?;
    // Without settings, Ranger's logging makes a text of each step before it is thrown away.
    let logging = folder.join("log4j.properties");
    fs::write(&logging, "log4j.rootLogger=OFF\n").map_err(|error| format!("{}: {error}", logging.display()))?;
    // These settings and the tags are read from the class path.
    let parts = [classes, folder.to_owned(), PathBuf::from(jars.trim())];
    Ok(Some(parts.map(|part| part.to_string_lossy().into_owned()).join(":")))
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} cannot be started: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed:\n{}", String::from_utf8_lossy(&output.stdout)))
    }
}

/// Whether both engines answered alike; the policy that decided is part of an answer.
fn compare_answers(folder: &Path) -> Result<(), String> {
    let lines = |name: &str| -> Result<Vec<Value>, String> {
        let text = fs::read_to_string(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
        text.lines().map(|line| serde_json::from_str(line).map_err(|error| format!("{name}: {error}"))).collect()
    };
    let (requests, own, rangers) = (lines("requests.jsonl")?, lines("lockgate.jsonl")?, lines("answers.jsonl")?);
    if own.len() != requests.len() || rangers.len() != requests.len() {
        return Err(format!("{} requests have {} and {} answers", requests.len(), own.len(), rangers.len()));
    }
    let mut different = 0;
    for ((request, own), ranger) in requests.iter().zip(&own).zip(&rangers) {
        // Ranger's answer says more than is compared.
        let same = own.as_object().is_some_and(|own| own.iter().all(|(name, value)| ranger[name] == *value));
        if !same {
            different += 1;
            println!("{request}\n  lockgate {own}\n  ranger   {ranger}");
        }
    }
    println!("{} of {} answers are the same", requests.len() - different, requests.len());
    if different == 0 { Ok(()) } else { Err(format!("{different} answers differ")) }
}
