//! The structure that ARCHITECTURE.md promises, held by tests: layers, lint walls, file sizes, named dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::root;

/// From top to bottom; crates of one line do not import one another.
const LAYERS: &[&[&str]] = &[
    &["lockgate", "lockgate-tpch-bench"],
    &["lockgate-run", "lockgate-forensics"],
    &["lockgate-plan", "lockgate-connect"],
    &["lockgate-trust"],
    &["lockgate-evidence"],
    &["lockgate-ledger"],
    &["lockgate-project"],
    &["lockgate-crypto", "lockgate-policy", "lockgate-scan"],
    &["lockgate-model", "lockgate-openlineage", "lockgate-test-services"],
];
/// Crates whose root denies what panics.
const WALLED: &[&str] = &["model", "crypto", "policy", "scan", "project", "ledger", "evidence", "plan", "openlineage"];
/// The most lines of one source file.
const FILE_LINES_MAX: usize = 600;

type Graph = BTreeMap<String, Vec<String>>;

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn packages() -> Vec<Value> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Each crate of the workspace with its dependencies, development ones left out.
fn graph() -> Graph {
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|d| d["kind"].is_null()).map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    packages().iter().map(|p| (p["name"].as_str().unwrap().to_owned(), dependencies(p))).collect()
}

/// What does not point downwards.
fn violations(graph: &Graph) -> Vec<String> {
    let rank = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let mut found = Vec::new();
    for (name, dependencies) in graph.iter().filter(|(name, _)| name.as_str() != "xtask") {
        let Some(own) = rank(name) else {
            found.push(format!("{name} has no place among the layers: give it one in xtask/src/structure.rs"));
            continue;
        };
        for dependency in dependencies.iter().filter(|d| d.starts_with("lockgate")) {
            if rank(dependency).is_none_or(|other| other <= own) {
                found
                    .push(format!("{name} imports {dependency}, which is not below it: move what both need downwards"));
            }
        }
    }
    found
}

#[test]
fn imports_point_downwards_only() {
    assert_eq!(violations(&graph()), Vec::<String>::new());
}

#[test]
fn an_import_that_points_up_or_sideways_is_found() {
    let graph = |name: &str, dependency: &str| Graph::from([(name.to_owned(), vec![dependency.to_owned()])]);
    assert_eq!(violations(&graph("lockgate-run", "lockgate-plan")), Vec::<String>::new());
    for (name, dependency) in
        [("lockgate-model", "lockgate-crypto"), ("lockgate-plan", "lockgate-connect"), ("lockgate-new", "serde")]
    {
        assert_eq!(violations(&graph(name, dependency)).len(), 1, "{name} → {dependency}");
    }
}

#[test]
fn the_lower_crates_compile_without_datafusion_and_without_tokio() {
    let tree = |name: &str| cargo(&["tree", "--package", name, "--edges", "normal", "--prefix", "none"]);
    let has = |tree: &str, name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    for name in [
        "lockgate-model",
        "lockgate-crypto",
        "lockgate-policy",
        "lockgate-project",
        "lockgate-ledger",
        "lockgate-evidence",
        "lockgate-trust",
        "lockgate-connect",
    ] {
        assert!(!has(&tree(name), "datafusion"), "{name} reaches datafusion");
    }
    for name in ["lockgate-model", "lockgate-crypto", "lockgate-policy", "lockgate-project"] {
        assert!(!has(&tree(name), "tokio"), "{name} reaches tokio");
    }
    assert!(has(&tree("lockgate-plan"), "datafusion"), "the check itself finds what is there");
}

#[test]
fn there_is_one_version_of_arrow() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["arrow", "arrow-array", "arrow-schema", "parquet", "object_store", "aws-lc-rs"] {
        let count = lock.lines().filter(|line| *line == format!("name = \"{name}\"")).count();
        assert_eq!(count, 1, "{name}: `cargo tree -i {name}` shows who wants another version");
    }
}

#[test]
fn every_crate_has_the_workspace_s_lints_and_the_lower_ones_their_wall() {
    for package in packages() {
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{}", package["name"]);
    }
    for name in WALLED {
        let lib = std::fs::read_to_string(root().join(format!("crates/{name}/src/lib.rs"))).unwrap();
        for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing"] {
            assert!(lib.contains(&format!("clippy::{lint}")), "crates/{name}/src/lib.rs does not deny clippy::{lint}");
        }
    }
}

#[test]
fn files_are_short_and_none_is_mod_rs() {
    for path in sources(&root().join("crates")).into_iter().chain(sources(&root().join("xtask"))) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines: split it along a concept", path.display());
        assert!(!path.ends_with("mod.rs"), "{}: name it after its folder, beside it", path.display());
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_dependency_has_its_sentence_of_trust() {
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let all = packages();
    let direct: BTreeSet<&str> = all
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|name| !name.starts_with("lockgate"))
        .collect();
    let missing: Vec<_> = direct.iter().filter(|name| !page.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "docs/dependencies.md does not say why these are trusted: {missing:?}");
    let named = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let stale: Vec<_> = named.filter(|name| !direct.contains(name)).collect();
    assert!(stale.is_empty(), "docs/dependencies.md names what is not used: {stale:?}");
}
