//! `doctor`: everything that the project names is looked at, side by side, and each failure says what mends it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lockgate_connect::{PathTemplate, open_files, postgres_server};
use lockgate_model::{Failure, FailureKind};
use lockgate_project::{KeyService, LedgerLocation, S3Location, Store, StoreLocation, TlsSettings};
use lockgate_trust::{CertificateFacts, KeyStore, Opening, Site, TlsFacts};
use serde::Serialize;

use crate::cli::Format;
use crate::{context, output};

mod bucket;

/// How long a thing may take to answer.
const DEADLINE: Duration = Duration::from_secs(20);
/// A certificate that ends sooner is worth a word.
const CERTIFICATE_DAYS: i64 = 14;
/// Clocks further apart than this break logins and tokens.
const CLOCK_SKEW_S: i64 = 30;

/// The finding that tells of Vault.
const VAULT: &str = "vault";

/// What was found of one thing.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    state: State,
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    elapsed_ms: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Failed,
}

/// What a probe says of a thing that is well, and what is worth a word nevertheless.
#[derive(Default)]
struct Said {
    well: Vec<String>,
    warnings: Vec<String>,
}

impl Said {
    fn well(text: impl Into<String>) -> Self {
        Self { well: vec![text.into()], warnings: Vec::new() }
    }
}

type Probe = Box<dyn FnOnce() -> Result<Said, Failure> + Send>;

/// Exit code 4 says that something failed.
pub(crate) fn doctor(dir: Option<&Path>, format: Format) -> Result<u8, Failure> {
    let opened = context::load_impatient(dir)?;
    let site: &Site = &opened;
    let mut findings = together(probes(site));
    tell_leases(site, &mut findings);
    let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
    match format {
        Format::Json => output::print_json(&findings)?,
        Format::Text => output::print(&text(&findings, failed))?,
    }
    Ok(if failed == 0 { 0 } else { FailureKind::Unreachable.exit_code() })
}

fn text(findings: &[Finding], failed: usize) -> String {
    let mut out = String::new();
    for finding in findings {
        let state = match finding.state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Failed => "FAILED ",
        };
        out.push_str(&format!("{state}  {}: {}\n", finding.what, finding.said));
        if let Some(help) = &finding.help {
            out.push_str(&format!("         help: {help}\n"));
        }
    }
    match failed {
        0 => out.push_str(&format!("{} things are well\n", findings.len())),
        _ => out.push_str(&format!("{failed} of {} things failed\n", findings.len())),
    }
    out
}

/// Runs every probe on a thread of its own; one that does not answer in time has failed.
fn together(probes: Vec<(String, Probe)>) -> Vec<Finding> {
    let (sender, found) = mpsc::channel();
    let began = Instant::now();
    let names: Vec<String> = probes.iter().map(|(what, _)| what.clone()).collect();
    for (place, (_, probe)) in probes.into_iter().enumerate() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let said = probe();
            // Nobody listens any more where it took too long.
            let _ = sender.send((place, said, began.elapsed()));
        });
    }
    drop(sender);
    let mut all: Vec<Option<(Result<Said, Failure>, Duration)>> = names.iter().map(|_| None).collect();
    while let Ok((place, said, elapsed)) = found.recv_timeout(DEADLINE.saturating_sub(began.elapsed())) {
        if let Some(slot) = all.get_mut(place) {
            *slot = Some((said, elapsed));
        }
    }
    let late = || {
        let message = format!("it did not answer in {} s", DEADLINE.as_secs());
        (Err(Failure::new(FailureKind::Unreachable, message)), DEADLINE)
    };
    names.into_iter().zip(all).map(|(what, found)| finding(what, found.unwrap_or_else(late))).collect()
}

fn finding(what: String, (said, elapsed): (Result<Said, Failure>, Duration)) -> Finding {
    let elapsed_ms = elapsed.as_millis();
    match said {
        Ok(said) => {
            let state = if said.warnings.is_empty() { State::Ok } else { State::Warning };
            let all: Vec<String> = said.well.into_iter().chain(said.warnings).collect();
            Finding { what, state, said: all.join("; "), help: None, elapsed_ms }
        }
        Err(failure) => Finding { what, state: State::Failed, said: failure.message, help: failure.help, elapsed_ms },
    }
}

/// Tells of what Vault lent to any of the probes. Where Vault itself does not answer, nobody waits for it once more.
fn tell_leases(site: &Site, findings: &mut [Finding]) {
    let vault = findings.iter_mut().find(|finding| finding.what == VAULT && finding.state != State::Failed);
    if let Some(vault) = vault {
        for lease in site.leases() {
            vault.said.push_str(&format!("; leases {} for {} s", lease.path, lease.remaining.as_secs()));
        }
    }
}

fn probes(site: &Site) -> Vec<(String, Probe)> {
    let mut all: Vec<(String, Probe)> = Vec::new();
    let mut add = |what: String, probe: fn(&Site) -> Result<Said, Failure>| {
        let site = site.clone();
        all.push((what, Box::new(move || probe(&site))));
    };
    add("keys".into(), keys);
    add("ledger".into(), ledger);
    if site.tls.identity.is_some() {
        add("our certificate".into(), |site| own_certificate(site, None));
    }
    if site.vault.is_some() {
        add(VAULT.into(), vault);
    }
    for name in site.oauth.keys() {
        let (own, client) = (site.clone(), name.clone());
        all.push((format!("oauth {name}"), Box::new(move || oauth(&own, &client))));
    }
    for store in site.stores.values() {
        let (own, at) = (site.clone(), store.clone());
        all.push((format!("store {}", store.name), Box::new(move || self::store(&own, &at))));
    }
    all
}

fn keys(site: &Site) -> Result<Said, Failure> {
    let mut said = Said::default();
    if let KeyService::AwsKms { endpoint, .. } = &site.keys.default.service
        && let Some(endpoint) = endpoint.as_ref().or(site.aws.endpoint.as_ref())
    {
        let (host, port) = host_and_port(endpoint);
        tls(site, &host, port, Opening::Tls, None, &mut said)?;
    }
    if let Some(described) = site.probe_key_service()? {
        said.well.push(described);
    }
    let keys = &site.keys.default;
    if !KeyStore::exists(keys) {
        if site.ledger_place()?.is_begun()? {
            return Err(lockgate_trust::TrustError::Gone(keys.path.clone()).into());
        }
        said.well.push("no key store yet; the first run makes one".into());
        return Ok(said);
    }
    KeyStore::open(site)?;
    let whose = match keys.service {
        KeyService::Local => "keys on this machine, readable by their owner alone",
        KeyService::AwsKms { .. } | KeyService::VaultTransit { .. } => "no key lies on this machine",
    };
    said.well.push(whose.into());
    Ok(said)
}

fn oauth(site: &Site, client: &str) -> Result<Said, Failure> {
    let mut said = Said::default();
    if let Some(settings) = site.oauth.get(client) {
        let (host, port) = host_and_port(&settings.token_url);
        tls(site, &host, port, Opening::Tls, settings.tls.as_ref(), &mut said)?;
    }
    site.access_token(client)?;
    said.well.push("gives tokens".into());
    Ok(said)
}

fn ledger(site: &Site) -> Result<Said, Failure> {
    let mut said = Said::default();
    if let LedgerLocation::Bucket(place) = &site.ledger.at {
        bucket_server(site, place, &mut said)?;
    }
    let at = site.ledger_place()?;
    if at.is_begun()? {
        let runtime = context::runtime()?;
        let runs = lockgate_forensics::history(site, runtime.handle())?;
        said.well.push(format!("{at} is signed by the project's key; {} runs", runs.len()));
    } else {
        lockgate_run::ensure_never_begun(site, &at)?;
        said.well.push(format!("none at {at} yet; the first run begins it"));
    }
    if let LedgerLocation::Bucket(place) = &site.ledger.at {
        // Its objects are put whole.
        bucket::settings(site, place, false, &mut said)?;
    }
    Ok(said)
}

fn bucket_server(site: &Site, place: &S3Location, said: &mut Said) -> Result<(), Failure> {
    let Some(endpoint) = place.endpoint.as_ref().or(site.aws.endpoint.as_ref()) else { return Ok(()) };
    let (host, port) = host_and_port(endpoint);
    tls(site, &host, port, Opening::Tls, place.tls.as_ref(), said)
}

fn vault(site: &Site) -> Result<Said, Failure> {
    let mut said = Said::default();
    if let Some(settings) = &site.vault {
        let (host, port) = host_and_port(&settings.address);
        tls(site, &host, port, Opening::Tls, settings.tls.as_ref(), &mut said)?;
    }
    if let Some(token) = site.probe_vault()? {
        let lasts = token.ttl_s.map_or_else(|| "for ever".to_owned(), |ttl| format!("{ttl} s"));
        let renewable = if token.renewable { "renewable" } else { "not renewable" };
        said.well
            .push(format!("logged in; the token lasts {lasts}, {renewable}, policies {}", token.policies.join(", ")));
        if token.policies.iter().any(|policy| policy == "root") {
            said.warnings.push("the token may do everything: log in with a role that may do what runs need".into());
        }
    }
    Ok(said)
}

fn own_certificate(site: &Site, own: Option<&TlsSettings>) -> Result<Said, Failure> {
    let Some(facts) = site.own_certificate(own)? else {
        return Ok(Said::well("Vault issues it for each connection"));
    };
    let mut said = Said::default();
    certificate(&facts, &mut said)?;
    Ok(said)
}

/// Tells of a certificate; one that has ended is a failure.
fn certificate(facts: &CertificateFacts, said: &mut Said) -> Result<(), Failure> {
    let left = facts.expires.duration_since(Timestamp::now());
    let days = left.as_hours() / 24;
    let text = format!("certificate of {} by {} lasts {days} days", facts.subject, facts.issuer);
    if left.is_negative() {
        let message = format!("the certificate of {} ended at {}", facts.subject, facts.expires);
        return Err(
            Failure::new(FailureKind::Refused, message).with_help("issue a new one: docs/operations.md says how")
        );
    }
    if days < CERTIFICATE_DAYS {
        said.warnings.push(text)
    } else {
        said.well.push(text)
    }
    Ok(())
}

/// Tells of a handshake, which the rule table had decided about before.
fn tls(
    site: &Site,
    host: &str,
    port: u16,
    opening: Opening,
    own: Option<&TlsSettings>,
    said: &mut Said,
) -> Result<(), Failure> {
    let TlsFacts { version, suite, rule, chain } = site.probe_tls(host, port, opening, own)?;
    said.well.push(format!("{version} with {suite}: {rule}"));
    chain.iter().try_for_each(|facts| certificate(facts, said))
}

fn host_and_port(address: &str) -> (String, u16) {
    let rest = address.strip_prefix("https://").unwrap_or(address);
    let server = rest.split('/').next().unwrap_or(rest);
    match server.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(443)),
        None => (server.to_owned(), 443),
    }
}

fn store(site: &Site, store: &Store) -> Result<Said, Failure> {
    let mut said = Said::default();
    match &store.location {
        StoreLocation::Files(path) => match path.is_dir() {
            true => said.well.push(format!("{} is a folder", path.display())),
            false => {
                let message = format!("there is no folder {}", path.display());
                return Err(Failure::new(FailureKind::Unreachable, message).with_help("make it, or correct the store"));
            }
        },
        StoreLocation::Sqlite(path) => match path.exists() {
            true => said.well.push(format!("{} is there", path.display())),
            false => said.well.push(format!("{} is not there yet; the first run makes it", path.display())),
        },
        StoreLocation::S3(place) => {
            bucket_server(site, place, &mut said)?;
            // A folder that is surely not there: it is listed with the credentials, and nothing is read.
            let nothing = "lockgate-doctor/*".parse::<PathTemplate>().map(|template| template.bind(&BTreeMap::new()));
            if let Ok(Ok(nothing)) = nothing {
                open_files(site, &store.name)?
                    .list(&nothing)
                    .map_err(|error| Failure::new(error.fault().into(), error.to_string()).with_help(S3_HELP))?;
            }
            said.well.push(format!("s3://{}/{} answers with our credentials", place.bucket, place.prefix));
            let takes_uploads = site.pipelines.values().any(|pipeline| pipeline.into.store.value == store.name);
            bucket::settings(site, place, takes_uploads, &mut said)?;
        }
        StoreLocation::Postgres(place) => {
            tls(site, &place.host, place.port, Opening::Postgres, place.tls.as_ref(), &mut said)?;
            let found = postgres_server(site, place)?.probe();
            let found =
                found.map_err(|error| Failure::new(error.kind(), error.to_string()).with_help(DATABASE_HELP))?;
            said.well.push(format!("PostgreSQL {} takes the login of {}", found.version, found.user));
            let skew = (found.now - Timestamp::now().as_second()).abs();
            if skew > CLOCK_SKEW_S {
                said.warnings.push(format!("its clock and ours are {skew} s apart"));
            }
            if found.is_superuser {
                said.warnings.push("the role may do everything: use one with the grants of docs/operations.md".into());
            }
        }
    }
    Ok(said)
}

/// What most often keeps a database from answering.
const DATABASE_HELP: &str = "check `at:`, `user:`, `secret:` and `tls:` of the store, and the server's log; docs/operations.md has \
                             the grants";
/// What most often keeps a bucket from answering.
const S3_HELP: &str = "check the bucket's name and region, and that the credentials may s3:ListBucket and s3:GetObject; \
                       docs/operations.md has the policy";
