//! Where stores, keys and the ledger are: only places that this version can reach, and no secret among them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use lockgate_model::{Protection, StoreName};

use super::Settings;
use crate::load::Checker;
use crate::project::resolve;
use crate::raw::{KeyServiceEntry, LedgerEntry, StoreEntry};
use crate::yaml::{Checked, Entries};
use crate::{Code, KeyServices, LedgerConfig, LocalKeys, PATH_BYTES_MAX, SecretRef, Store, StoreLocation, suggest};

/// The key service that must be there.
const DEFAULT_SERVICE: &str = "default";

/// Checks one store. Without `clearance` it has the lowest level.
pub(super) fn check_store(
    name: Checked<String>,
    entry: Checked<StoreEntry>,
    root: &Path,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<Store> {
    let span = checker.span(&name.range);
    let parsed = match name.value?.parse::<StoreName>() {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            checker.report(Code::InvalidValue, &name.range, error.to_string(), None);
            None
        }
    };
    let entry = entry.value?;
    let location = check_location(&entry.at, root, checker);
    let clearance = match &entry.clearance {
        Some(level) => settings.level(level, checker),
        None => settings.lattice.as_ref().map(lockgate_model::Lattice::lowest),
    };
    let clearance_span = entry.clearance.map(|level| checker.span(&level.range));
    Some(Store { name: parsed?, location: location?, clearance: clearance?, clearance_span, span })
}

fn check_location(at: &Checked<String>, root: &Path, checker: &mut Checker<'_>) -> Option<StoreLocation> {
    let text = at.value.as_ref()?;
    let shown = checker.quote(&at.range);
    match text.split_once("://") {
        Some(("file", path)) => check_path(path, &at.range, root, checker).map(StoreLocation::Files),
        Some(("sqlite", path)) => check_path(path, &at.range, root, checker).map(StoreLocation::Sqlite),
        Some((scheme @ ("s3" | "postgresql" | "postgres" | "kafka" | "gs" | "az" | "https" | "http"), _)) => {
            let message = format!("stores at `{scheme}://` are not in this version");
            let help = "use `file://DIR` for files or `sqlite://FILE` for tables".to_owned();
            checker.report(Code::UnsupportedStore, &at.range, message, Some(help));
            None
        }
        Some(_) | None => {
            let message = format!("`{shown}` is no place of a store");
            let help = "it takes `file://DIR` or `sqlite://FILE`, such as `file://./data/landing`".to_owned();
            checker.report(Code::UnsupportedStore, &at.range, message, Some(help));
            None
        }
    }
}

/// A path on this machine, joined to the project's folder.
fn check_path(path: &str, range: &Range<usize>, root: &Path, checker: &mut Checker<'_>) -> Option<PathBuf> {
    let fault = if path.is_empty() {
        "names no path"
    } else if path.len() > PATH_BYTES_MAX {
        "is longer than 1024 bytes"
    } else if path.chars().any(char::is_control) {
        "has control characters"
    } else {
        return Some(resolve(root, Path::new(path)));
    };
    let help = "write a path such as `./data`, relative to the project's folder".to_owned();
    checker.report(Code::InvalidPath, range, format!("`{}` {fault}", checker.quote(range)), Some(help));
    None
}

/// Checks where the ledger lies.
pub(super) fn check_ledger(
    entry: Checked<LedgerEntry>,
    root: &Path,
    checker: &mut Checker<'_>,
) -> Option<LedgerConfig> {
    let at = entry.value?.at;
    let span = checker.span(&at.range);
    match at.value.as_ref()?.strip_prefix("file://") {
        Some(path) => check_path(path, &at.range, root, checker).map(|at| LedgerConfig { at, span }),
        None => {
            let message = format!("the ledger cannot lie at `{}` in this version", checker.quote(&at.range));
            let help = "it takes `file://DIR`, such as `file://./.lockgate/ledger`".to_owned();
            checker.report(Code::UnsupportedStore, &at.range, message, Some(help));
            None
        }
    }
}

/// Checks the key services; `default` must be among them.
pub(super) fn check_keys(
    services: Checked<Entries<KeyServiceEntry>>,
    root: &Path,
    checker: &mut Checker<'_>,
) -> Option<KeyServices> {
    let range = services.range;
    let mut all = BTreeMap::new();
    let mut declared = Vec::new();
    for (name, service) in services.value?.0 {
        let text = name.value.unwrap_or_default();
        if let Some(keys) = service.value.and_then(|service| check_service(&service, &name.range, root, checker)) {
            all.insert(text.clone(), keys);
        }
        declared.push(text);
    }
    if !declared.iter().any(|name| name == DEFAULT_SERVICE) {
        let help = "add `default: { local: \"./.lockgate/keys\" }`".to_owned();
        checker.report(Code::MissingKey, &range, "the key `default` is missing in `keys`", Some(help));
    }
    Some(KeyServices { default: all.remove(DEFAULT_SERVICE)?, others: all })
}

fn check_service(
    service: &KeyServiceEntry,
    name: &Range<usize>,
    root: &Path,
    checker: &mut Checker<'_>,
) -> Option<LocalKeys> {
    let mut unsupported = false;
    for (other, value) in [("aws-kms", &service.aws_kms), ("vault-transit", &service.vault_transit)] {
        if let Some(value) = value {
            let message = format!("the key service `{other}` is not in this version, which has local keys");
            let help = "use `local: PATH`".to_owned();
            checker.report(Code::UnsupportedKeyService, &value.range, message, Some(help));
            unsupported = true;
        }
    }
    let passphrase = service.passphrase.as_ref().map(|reference| check_secret(reference, root, checker));
    let Some(local) = &service.local else {
        if !unsupported {
            let message = format!("the key service `{}` says not where its keys are", checker.quote(name));
            let help = "add `local: PATH`".to_owned();
            checker.report(Code::MissingKey, name, message, Some(help));
        }
        return None;
    };
    let path = check_path(local.value.as_ref()?, &local.range, root, checker)?;
    let passphrase = match passphrase {
        None => None,
        Some(reference) => Some(reference?),
    };
    Some(LocalKeys { path, passphrase, span: checker.span(name) })
}

/// A reference to a secret; anything else is refused without being repeated.
pub(in crate::load) fn check_secret(
    reference: &Checked<String>,
    root: &Path,
    checker: &mut Checker<'_>,
) -> Option<SecretRef> {
    let text = reference.value.as_ref()?;
    if let Some(name) = text.strip_prefix("env:").filter(|name| crate::load::is_word(name)) {
        return Some(SecretRef::Env(name.to_owned()));
    }
    if let Some(path) = text.strip_prefix("file:").filter(|path| !path.starts_with("//")) {
        return check_path(path, &reference.range, root, checker).map(SecretRef::File);
    }
    let message = "this is no reference to a secret that this version can follow";
    let help = "write `env:NAME` or `file:PATH`, and keep the secret itself out of the project's files".to_owned();
    checker.report(Code::SecretNotAReference, &reference.range, message, Some(help));
    None
}

/// The protection that a rule names.
pub(super) fn check_protection(with: &Checked<String>, checker: &mut Checker<'_>) -> Option<Protection> {
    const NAMES: [&str; 5] = ["seal", "token(domain: NAME)", "fpe(domain: NAME)", "mask(KIND)", "drop"];
    const KINDS: &str = "`redact`, `show_first: N`, `show_last: N`, `hash`, `null`, `date_to_year`";
    let text = with.value.as_ref()?;
    match text.parse() {
        Ok(protection) => Some(protection),
        Err(_) => {
            let message = format!("`{}` is no protection", checker.quote(&with.range));
            let help = match text.split('(').next().map(str::trim) {
                Some("mask") => Some(format!("it takes `mask(KIND)`, KIND being one of {KINDS}")),
                Some(name @ ("token" | "fpe")) => Some(format!("it takes `{name}(domain: NAME)`")),
                Some(_) | None => suggest::help(text, "the protections are", NAMES),
            };
            checker.report(Code::InvalidValue, &with.range, message, help);
            None
        }
    }
}
