//! Where stores, keys and the ledger are: only places that this version can reach, and no secret among them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use lockgate_model::{Protection, StoreName};

use super::{Settings, services};
use crate::load::Checker;
use crate::project::resolve;
use crate::raw::{KeyServiceEntry, LedgerEntry, LineageEntry, SseEntry, StoreEntry, TlsEntry};
use crate::yaml::{Checked, Entries};
use crate::{
    Code, DatabaseLogin, KeyService, KeyServices, KeySettings, LedgerConfig, LedgerLocation, LineageSettings,
    LineageTarget, PATH_BYTES_MAX, PostgresLocation, S3Location, SecretRef, Store, StoreLocation, TlsSettings,
    VaultDatabaseRole, suggest,
};

/// The key service that must be there.
const DEFAULT_SERVICE: &str = "default";
/// Where the folder beside a key service lies unless the project says otherwise.
const KEYS_FOLDER: &str = ".lockgate/keys";
/// What a store can be.
const PLACES: &str = "use `file://DIR` or `s3://BUCKET/PREFIX` for files, `sqlite://FILE` or \
                      `postgresql://HOST:PORT/DATABASE` for tables";

/// Checks one store. Without `clearance` it has the lowest level.
pub(super) fn check_store(
    name: Checked<String>,
    entry: Checked<StoreEntry>,
    root: &Path,
    settings: &Settings,
    has_vault: bool,
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
    let location = check_location(&entry, root, has_vault, checker);
    let clearance = match &entry.clearance {
        Some(level) => settings.level(level, checker),
        None => settings.lattice.as_ref().map(lockgate_model::Lattice::lowest),
    };
    let clearance_span = entry.clearance.map(|level| checker.span(&level.range));
    Some(Store { name: parsed?, location: location?, clearance: clearance?, clearance_span, span })
}

fn check_location(
    entry: &StoreEntry,
    root: &Path,
    has_vault: bool,
    checker: &mut Checker<'_>,
) -> Option<StoreLocation> {
    let at = &entry.at;
    let text = at.value.as_ref()?;
    let shown = checker.quote(&at.range);
    let location = match text.split_once("://") {
        Some(("file", path)) => check_path(path, &at.range, root, checker).map(StoreLocation::Files),
        Some(("sqlite", path)) => check_path(path, &at.range, root, checker).map(StoreLocation::Sqlite),
        Some(("s3", place)) => BucketEntry::of_store(entry).check(place, root, checker).map(StoreLocation::S3),
        Some(("postgresql" | "postgres", place)) => {
            check_database(place, entry, root, has_vault, checker).map(StoreLocation::Postgres)
        }
        Some((scheme @ ("kafka" | "gs" | "az" | "https" | "http"), _)) => {
            let message = format!("stores at `{scheme}://` are not in this version");
            checker.report(Code::UnsupportedStore, &at.range, message, Some(PLACES.to_owned()));
            None
        }
        Some(_) | None => {
            let message = format!("`{shown}` is no place of a store");
            checker.report(Code::UnsupportedStore, &at.range, message, Some(PLACES.to_owned()));
            None
        }
    }?;
    let (is_s3, is_database) =
        (matches!(location, StoreLocation::S3(_)), matches!(location, StoreLocation::Postgres(_)));
    let foreign = [
        ("sse", entry.sse.as_ref().map(|at| &at.range), is_s3),
        ("endpoint", entry.endpoint.as_ref().map(|at| &at.range), is_s3),
        ("user", entry.user.as_ref().map(|at| &at.range), is_database),
        ("secret", entry.secret.as_ref().map(|at| &at.range), is_database),
        ("tls", entry.tls.as_ref().map(|at| &at.range), is_s3 || is_database),
    ];
    for (key, range, _) in foreign.into_iter().filter(|(_, _, belongs)| !belongs) {
        if let Some(range) = range {
            let message = format!("`{key}` means nothing to a store at `{shown}`");
            checker.report(Code::InvalidValue, range, message, Some("remove it".to_owned()));
        }
    }
    Some(location)
}

fn check_tls(entry: &Option<Checked<TlsEntry>>, root: &Path, checker: &mut Checker<'_>) -> Option<Option<TlsSettings>> {
    match entry {
        None => Some(None),
        Some(entry) => services::check_tls(entry, root, checker).map(Some),
    }
}

/// What is said of a bucket, wherever it is named.
struct BucketEntry<'a> {
    at: &'a Checked<String>,
    endpoint: Option<&'a Checked<String>>,
    sse: Option<&'a Checked<SseEntry>>,
    tls: &'a Option<Checked<TlsEntry>>,
}

impl<'a> BucketEntry<'a> {
    fn of_store(entry: &'a StoreEntry) -> Self {
        Self { at: &entry.at, endpoint: entry.endpoint.as_ref(), sse: entry.sse.as_ref(), tls: &entry.tls }
    }

    fn of_ledger(entry: &'a LedgerEntry) -> Self {
        Self { at: &entry.at, endpoint: entry.endpoint.as_ref(), sse: entry.sse.as_ref(), tls: &entry.tls }
    }

    /// `place` is `BUCKET/PREFIX`.
    fn check(&self, place: &str, root: &Path, checker: &mut Checker<'_>) -> Option<S3Location> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(fits) {
            let message = format!("`{bucket}` is no name of a bucket");
            let help =
                "a bucket has 3 to 63 lower-case letters, digits, hyphens and dots: `s3://landing-bucket/customers`";
            checker.report(Code::UnsupportedStore, &self.at.range, message, Some(help.to_owned()));
            return None;
        }
        let endpoint = services::optional_address(self.endpoint, checker)?;
        let tls = check_tls(self.tls, root, checker)?;
        let kms_key = match self.sse {
            None => None,
            Some(sse) => Some(sse.value.as_ref()?.kms_key.value.clone()?),
        };
        let prefix = prefix.trim_matches('/').to_owned();
        Some(S3Location { bucket: bucket.to_owned(), prefix, endpoint, kms_key, tls })
    }
}

/// `HOST[:PORT]/DATABASE`; a login has no place in it.
fn check_database(
    place: &str,
    entry: &StoreEntry,
    root: &Path,
    has_vault: bool,
    checker: &mut Checker<'_>,
) -> Option<PostgresLocation> {
    let refused = |checker: &mut Checker<'_>, message: String, help: &str| {
        checker.report(Code::UnsupportedStore, &entry.at.range, message, Some(help.to_owned()));
    };
    let form = "it takes `postgresql://HOST:PORT/DATABASE`; how the connection is secured stands under `tls`";
    if place.contains('@') {
        let help = "write `user: NAME` and `secret: REFERENCE` beside it";
        refused(checker, "a login has no place in an address".to_owned(), help);
        return None;
    }
    let (server, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = server.rsplit_once(':').unwrap_or((server, "5432"));
    let is_database = !database.is_empty() && !database.contains(['/', '?', '#']);
    let (Ok(port), true, true) = (port.parse::<u16>(), is_database, !host.is_empty()) else {
        refused(checker, format!("`{}` names no database", checker.quote(&entry.at.range)), form);
        return None;
    };
    let tls = check_tls(&entry.tls, root, checker)?;
    let user = entry.user.as_ref().and_then(|user| user.value.clone());
    let login = match (&entry.secret, user) {
        (None, Some(user)) => DatabaseLogin::Certificate { user },
        (None, None) => {
            let help = "write `user: NAME` and `secret: REFERENCE`, or `secret: vault-db:ROLE`";
            checker.report(
                Code::MissingKey,
                &entry.at.range,
                "the store says not who logs in".to_owned(),
                Some(help.to_owned()),
            );
            return None;
        }
        (Some(secret), user) => {
            let text = secret.value.as_ref()?;
            let role = |rest: &str, is_static| {
                let (mount, name) = rest.rsplit_once('/').unwrap_or(("database", rest));
                VaultDatabaseRole { mount: mount.to_owned(), name: name.to_owned(), is_static }
            };
            let role = text
                .strip_prefix("vault-db:")
                .map(|rest| role(rest, false))
                .or_else(|| text.strip_prefix("vault-db-static:").map(|rest| role(rest, true)));
            match (role, user) {
                (Some(role), None) => {
                    services::demand_vault("`vault-db`", &secret.range, has_vault, checker)?;
                    DatabaseLogin::Vault(role)
                }
                (Some(_), Some(_)) => {
                    let help = "remove `user`".to_owned();
                    let message = "Vault's role gives the user as well as the password";
                    checker.report(Code::InvalidValue, &secret.range, message, Some(help));
                    return None;
                }
                (None, Some(user)) => DatabaseLogin::Password { user, password: check_secret(secret, root, checker)? },
                (None, None) => {
                    let message = "the store has a password and no user";
                    let help = "write `user: NAME` beside it".to_owned();
                    checker.report(Code::MissingKey, &secret.range, message, Some(help));
                    return None;
                }
            }
        }
    };
    Some(PostgresLocation { host: host.to_owned(), port, database: database.to_owned(), login, tls })
}

/// A path on this machine, joined to the project's folder.
pub(super) fn check_path(path: &str, range: &Range<usize>, root: &Path, checker: &mut Checker<'_>) -> Option<PathBuf> {
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

/// Checks `lineage`.
pub(super) fn check_lineage(
    entry: Checked<LineageEntry>,
    root: &Path,
    clients: &[String],
    checker: &mut Checker<'_>,
) -> Option<LineageSettings> {
    let entry = entry.value?;
    let range = &entry.to.range;
    let text = entry.to.value.as_ref()?;
    let to = match text.split_once("://") {
        Some(("http" | "https", place)) if !place.is_empty() => {
            let has_path = place.trim_end_matches('/').contains('/');
            let path = if has_path { "" } else { "/api/v1/lineage" };
            LineageTarget::Server(format!("{}{path}", text.trim_end_matches('/')))
        }
        Some(("file", path)) => LineageTarget::File(check_path(path, range, root, checker)?),
        Some(_) | None => {
            let message = format!("lineage events cannot go to `{}`", checker.quote(range));
            let help = "it takes `https://HOST`, `http://HOST` or `file://FILE`".to_owned();
            checker.report(Code::InvalidValue, range, message, Some(help));
            return None;
        }
    };
    let oauth = match &entry.oauth {
        None => None,
        Some(oauth) if !text.starts_with("https://") => {
            let help = "write `https://` under `to`, or remove `oauth`".to_owned();
            let message = "a token goes by TLS only".to_owned();
            checker.report(Code::InvalidValue, &oauth.range, message, Some(help));
            return None;
        }
        Some(oauth) => Some(services::check_client(oauth, clients, checker)?),
    };
    Some(LineageSettings { to, oauth, namespace: entry.namespace.and_then(|namespace| namespace.value) })
}

/// Checks where the ledger lies.
pub(super) fn check_ledger(
    entry: Checked<LedgerEntry>,
    root: &Path,
    checker: &mut Checker<'_>,
) -> Option<LedgerConfig> {
    let entry = entry.value?;
    let range = &entry.at.range;
    let at = match entry.at.value.as_ref()?.split_once("://") {
        Some(("file", path)) => {
            let of_bucket = [
                entry.sse.as_ref().map(|sse| &sse.range),
                entry.endpoint.as_ref().map(|endpoint| &endpoint.range),
                entry.tls.as_ref().map(|tls| &tls.range),
            ];
            for range in of_bucket.into_iter().flatten() {
                let message = "this means nothing to a ledger in a folder".to_owned();
                checker.report(Code::InvalidValue, range, message, Some("remove it".to_owned()));
            }
            check_path(path, range, root, checker).map(LedgerLocation::Folder)
        }
        Some(("s3", place)) => BucketEntry::of_ledger(&entry).check(place, root, checker).map(LedgerLocation::Bucket),
        Some(_) | None => {
            let message = format!("the ledger cannot lie at `{}`", checker.quote(range));
            let help = "it takes `file://DIR`, such as `file://./.lockgate/ledger`, or `s3://BUCKET/PREFIX`".to_owned();
            checker.report(Code::UnsupportedStore, range, message, Some(help));
            None
        }
    }?;
    Some(LedgerConfig { at, span: checker.span(range) })
}

/// Checks the key services; `default` must be among them.
pub(super) fn check_keys(
    services: Checked<Entries<KeyServiceEntry>>,
    root: &Path,
    has_vault: bool,
    checker: &mut Checker<'_>,
) -> Option<KeyServices> {
    let range = services.range;
    let mut all = BTreeMap::new();
    let mut declared = Vec::new();
    for (name, service) in services.value?.0 {
        let text = name.value.unwrap_or_default();
        if let Some(keys) =
            service.value.and_then(|service| check_service(&service, &name.range, root, has_vault, checker))
        {
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
    has_vault: bool,
    checker: &mut Checker<'_>,
) -> Option<KeySettings> {
    let passphrase = service.passphrase.as_ref().map(|reference| check_secret(reference, root, checker));
    let endpoint = services::optional_address(service.endpoint.as_ref(), checker)?;
    let kind = match (&service.aws_kms, &service.vault_transit) {
        (None, None) => KeyService::Local,
        (Some(key), None) => KeyService::AwsKms { key: key.value.clone()?, endpoint },
        (None, Some(key)) => {
            services::demand_vault("`vault-transit`", &key.range, has_vault, checker)?;
            let text = key.value.as_ref()?;
            let (mount, key) = text.rsplit_once('/').unwrap_or(("transit", text));
            KeyService::VaultTransit { mount: mount.to_owned(), key: key.to_owned() }
        }
        (Some(_), Some(_)) => {
            let message = format!("the key service `{}` is two services", checker.quote(name));
            let help = "keep `aws-kms` or `vault-transit`".to_owned();
            checker.report(Code::UnsupportedKeyService, name, message, Some(help));
            return None;
        }
    };
    let path = match (&service.local, &kind) {
        (Some(local), _) => check_path(local.value.as_ref()?, &local.range, root, checker)?,
        (None, KeyService::AwsKms { .. } | KeyService::VaultTransit { .. }) => resolve(root, Path::new(KEYS_FOLDER)),
        (None, KeyService::Local) => {
            let message = format!("the key service `{}` says not where its keys are", checker.quote(name));
            let help = "add `local: PATH`, `aws-kms: KEY` or `vault-transit: KEY`".to_owned();
            checker.report(Code::MissingKey, name, message, Some(help));
            return None;
        }
    };
    let passphrase = match passphrase {
        None => None,
        Some(reference) => Some(reference?),
    };
    Some(KeySettings { service: kind, path, passphrase, span: checker.span(name) })
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
    if let Some((path, field)) = text.strip_prefix("vault:").and_then(|rest| rest.rsplit_once('#')) {
        return Some(SecretRef::Vault { path: path.trim_matches('/').to_owned(), field: field.to_owned() });
    }
    if let Some(rest) = text.strip_prefix("aws-sm:").filter(|rest| !rest.is_empty()) {
        let (name, field) = rest.split_once('#').map_or((rest, None), |(name, field)| (name, Some(field.to_owned())));
        return Some(SecretRef::AwsSecretsManager { name: name.to_owned(), field });
    }
    let message = "this is no reference to a secret that this version can follow";
    let help = "write `env:NAME`, `file:PATH`, `vault:PATH#FIELD` or `aws-sm:NAME#FIELD`, and keep the secret itself out of the \
                project's files"
        .to_owned();
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
