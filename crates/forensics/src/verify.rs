//! Everything that a ledger says is recomputed; it needs no keys, no server and no network.

use std::collections::BTreeMap;

use lockgate_crypto::sha256;
use lockgate_evidence::{QUARANTINE_BYTES_MAX, attachment, quarantine_name};
use lockgate_ledger::{Checkpoint, Entry, LedgerStore, VerifierKey, VerifyError};
use lockgate_model::{Failure, FailureKind};
use lockgate_trust::{KEY_TABLE_BYTES_MAX, KEY_TABLE_FILE, KeyTable, LedgerPlace};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::commits::{attached, open_commit};
use crate::evidence_check::{Story, check_access, check_counts};
use crate::key_check::check_keys;

/// What to verify, and against what.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// Where the ledger lies.
    pub ledger: LedgerPlace,
    /// The key that its checkpoints are signed with.
    pub key: VerifierKey,
    /// Checkpoints that somebody kept from before, each as it was signed, with the name of the file.
    pub seen: Vec<(String, String)>,
    /// Whether the key table must lie with the ledger, as it does for whoever runs the project.
    pub with_key_table: bool,
}

/// What was found to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyOutcome {
    /// The ledger's name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root over them, in base64.
    pub root: String,
    /// How many entries of each kind.
    pub entries: BTreeMap<String, u64>,
    /// How many different attachments.
    pub attachments: u64,
    /// Their bytes.
    pub attachment_bytes: u64,
    /// Keys whose state was compared with the entries; absent where the key table is not at hand.
    pub keys: Option<u64>,
    /// Commits whose counts were compared with their objects.
    pub commits: u64,
    /// Accesses whose source rows were compared with their objects.
    pub accesses: u64,
    /// Accesses whose end the ledger does not tell, because the program was killed or is still at it: each counts as every
    /// row of its inputs.
    pub open_accesses: u64,
    /// Checkpoints from before that it was compared with.
    pub seen: u64,
    /// The checkpoint as it is signed, to be kept.
    #[serde(skip)]
    pub signed_checkpoint: String,
}

/// Verifies a ledger. Fails by naming the first thing that is wrong.
pub fn verify(request: &VerifyRequest, runtime: &Handle) -> Result<VerifyOutcome, Failure> {
    if !request.ledger.is_begun()? {
        let (what, kind) = match request.ledger.has_tiles()? || !request.seen.is_empty() {
            true => ("`checkpoint`: is missing", FailureKind::Tampered),
            false => ("there is no ledger", FailureKind::Invalid),
        };
        return Err(Failure::new(kind, format!("{}: {what}", request.ledger))
            .with_help("a ledger is made by the first run; say where it is with `lockgate verify LEDGER`"));
    }
    let store = request.ledger.store()?;
    let mut story = Story::default();
    let seen =
        request.seen.iter().map(|(name, text)| open_seen(name, text, &request.key)).collect::<Result<Vec<_>, _>>()?;
    let newest = seen.iter().max_by_key(|checkpoint| checkpoint.size);
    let mut take = |index, entry: &Entry| story.take(index, entry);
    let walk = lockgate_ledger::verify(&store, &request.key, newest, &mut take);
    let verified = runtime.block_on(walk).map_err(tampered)?;
    // The newest one was compared on the way; the others each need a walk of their own.
    for older in seen.iter().filter(|other| Some(*other) != newest) {
        let mut pass = |_, _: &Entry| Ok(());
        let walk = lockgate_ledger::verify(&store, &request.key, Some(older), &mut pass);
        runtime.block_on(walk).map_err(tampered)?;
    }
    check_commits(&request.ledger, &store, &story, runtime)?;
    for (index, result, attachments) in &story.accesses {
        let wrong = |what: String| {
            Failure::new(FailureKind::Tampered, format!("entry {index}, access {}: {what}", result.access))
        };
        let rows = attached(runtime, &store, attachments, attachment::ROWS)?;
        let manifest = attached(runtime, &store, attachments, attachment::MANIFEST)?;
        check_access(result, &manifest, rows).map_err(wrong)?;
    }
    let keys = check_key_table(request, &story)?;
    Ok(VerifyOutcome {
        origin: verified.checkpoint.origin,
        size: verified.checkpoint.size,
        root: verified.checkpoint.root.to_string(),
        entries: verified.entries.into_iter().map(|(kind, count)| (kind.to_string(), count)).collect(),
        attachments: verified.attachments,
        attachment_bytes: verified.attachment_bytes,
        keys,
        commits: story.commits.len() as u64,
        accesses: story.accesses.len() as u64,
        open_accesses: story.open_accesses(),
        seen: seen.len() as u64,
        signed_checkpoint: verified.signed_checkpoint,
    })
}

fn open_seen(name: &str, text: &str, key: &VerifierKey) -> Result<Checkpoint, Failure> {
    Checkpoint::open(text, key).ok_or_else(|| {
        Failure::new(
            FailureKind::Tampered,
            format!("{name} is no checkpoint that `{}` signed with this key", key.name()),
        )
        .with_help("compare with a checkpoint of this ledger, as `lockgate verify` prints it")
    })
}

fn tampered(error: VerifyError) -> Failure {
    match error {
        VerifyError::Found(finding) => Failure::new(FailureKind::Tampered, finding.to_string())
            .with_help("this is the first thing that is wrong; restore the ledger from a copy and verify again"),
        VerifyError::Unreadable(error) => error.into(),
    }
}

fn check_commits(ledger: &LedgerPlace, store: &LedgerStore, story: &Story, runtime: &Handle) -> Result<(), Failure> {
    for (index, run, attachments) in &story.commits {
        let wrong =
            |what: String| Failure::new(FailureKind::Tampered, format!("entry {index}, run {}: {what}", run.run));
        let commit = open_commit(runtime, store, run, attachments)
            .map_err(|failure| Failure::new(failure.kind, format!("entry {index}: {}", failure.message)))?;
        check_counts(&commit).map_err(wrong)?;
        if let Some(expected) = run.quarantine_sha256 {
            let name = quarantine_name(&run.run);
            match ledger.read(&name, QUARANTINE_BYTES_MAX)? {
                Some(found) if sha256(&found.content) == expected => {}
                Some(_) => return Err(wrong(format!("`{}` is not the file that was written", ledger.shown(&name)))),
                None => return Err(wrong(format!("`{}` is missing", ledger.shown(&name)))),
            }
        }
    }
    Ok(())
}

/// A stranger who was given the log alone has no key table to compare.
fn check_key_table(request: &VerifyRequest, story: &Story) -> Result<Option<u64>, Failure> {
    if !request.with_key_table && request.ledger.read(KEY_TABLE_FILE, KEY_TABLE_BYTES_MAX)?.is_none() {
        return Ok(None);
    }
    let table = KeyTable::load(&request.ledger)?;
    check_keys(&table, &story.key_events)
        .map_err(|what| Failure::new(FailureKind::Tampered, format!("`{KEY_TABLE_FILE}`: {what}")))?;
    Ok(Some(table.keys.len() as u64))
}
