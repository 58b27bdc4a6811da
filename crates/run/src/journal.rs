//! The project's ledger as the upper layers use it: events in, positions out, on the runtime that they have.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lockgate_crypto::SigningKey;
use lockgate_evidence::Event;
use lockgate_ledger::{
    Attachment, Checkpoint, Entry, Kind, Lease, LedgerError, LedgerReader, LedgerStore, LedgerWriter, VerifierKey,
};
use lockgate_model::{Failure, FailureKind, PrincipalName, ProjectName};
use lockgate_project::Project;
use lockgate_trust::{KeyStore, SEEN_CHECKPOINT_FILE, VERIFIER_KEY_FILE, write_durably};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::failures;

/// Where a ledger stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerPosition {
    /// Its name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root over them, in base64.
    pub root: String,
}

/// A project's ledger, held for writing.
pub struct Journal {
    runtime: Handle,
    writer: LedgerWriter,
    signing: SigningKey,
    checkpoint: Checkpoint,
    project: ProjectName,
    principal: Option<PrincipalName>,
    now: Timestamp,
    seen: PathBuf,
}

impl Journal {
    /// Begins the ledger of a project.
    pub(crate) fn create(
        project: &Project,
        keys: &KeyStore,
        store: LedgerStore,
        lease: Lease,
        runtime: &Handle,
        now: Timestamp,
        principal: Option<PrincipalName>,
    ) -> Result<Self, Failure> {
        let origin = Checkpoint::origin_of(&project.name);
        let writer = runtime.block_on(LedgerWriter::create(store, lease, &origin, keys.signing_key()))?;
        Self::opened(writer, project, keys, runtime, now, principal)
    }

    /// Opens the ledger of a project. Fails if it is not the one that this key store has seen before: signed by another
    /// key, shorter, or with another past.
    pub(crate) fn open(
        project: &Project,
        keys: &KeyStore,
        store: LedgerStore,
        lease: Lease,
        runtime: &Handle,
        now: Timestamp,
        principal: Option<PrincipalName>,
    ) -> Result<Self, Failure> {
        let verifier = verifier_of(project, keys);
        runtime.block_on(compare_seen(&store, &verifier, &keys.folder().join(SEEN_CHECKPOINT_FILE)))?;
        let key = keys.signing_key().verifying_key();
        let writer = runtime.block_on(LedgerWriter::open(store, lease, verifier.name(), key))?;
        Self::opened(writer, project, keys, runtime, now, principal)
    }

    /// Keeps the verifier key with the keys, for whoever verifies.
    fn opened(
        writer: LedgerWriter,
        project: &Project,
        keys: &KeyStore,
        runtime: &Handle,
        now: Timestamp,
        principal: Option<PrincipalName>,
    ) -> Result<Self, Failure> {
        let verifier = verifier_of(project, keys);
        let (path, line) = (keys.folder().join(VERIFIER_KEY_FILE), format!("{verifier}\n"));
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&line) {
            write_durably(&path, line.as_bytes(), 0o644)?;
        }
        let seed = lockgate_crypto::Secret::new(*keys.signing_key().seed().expose());
        let reader = runtime.block_on(LedgerReader::open(writer.store().clone(), verifier))?;
        Ok(Self {
            runtime: runtime.clone(),
            checkpoint: reader.checkpoint().clone(),
            writer,
            signing: SigningKey::from_seed(seed).map_err(failures::bug)?,
            project: project.name.clone(),
            principal,
            now,
            seen: keys.folder().join(SEEN_CHECKPOINT_FILE),
        })
    }

    /// Fails if another process may write the ledger by now, which only one that several machines share allows. To be asked
    /// before anything is done that an entry must cover and that cannot be undone.
    pub(crate) fn ensure_held(&self) -> Result<(), Failure> {
        Ok(self.runtime.block_on(self.writer.ensure_held())?)
    }

    /// Appends events with their attachments, all or none; durable when it returns.
    pub fn append(&mut self, events: Vec<(Event, Vec<Attachment>)>) -> Result<(), Failure> {
        let entry = |(event, attachments): (Event, Vec<Attachment>)| -> Result<Entry, Failure> {
            Ok(Entry {
                kind: event.kind().parse::<Kind>().map_err(failures::bug)?,
                at: self.now,
                project: self.project.clone(),
                principal: self.principal.clone(),
                body: event.to_body().map_err(failures::bug)?,
                attachments,
            })
        };
        let entries = events.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let (checkpoint, signed) = self.runtime.block_on(self.writer.append(&entries, &self.signing))?;
        self.checkpoint = checkpoint;
        write_durably(&self.seen, signed.as_bytes(), 0o644)?;
        Ok(())
    }

    /// Keeps an attachment for an entry to come.
    pub fn attach(&self, name: &str, content: Vec<u8>) -> Result<Attachment, Failure> {
        Ok(self.runtime.block_on(self.writer.put_attachment(name, content))?)
    }

    /// An attachment's content.
    pub fn attached(&self, attachment: &Attachment) -> Result<Vec<u8>, Failure> {
        Ok(self.runtime.block_on(self.writer.store().attachment(attachment))?)
    }

    /// The last event of a run, if there was one.
    pub fn last_run_event(&self) -> Result<Option<Event>, Failure> {
        let reader = self.runtime.block_on(LedgerReader::open(self.writer.store().clone(), self.verifier()))?;
        for bundle in (0..reader.checkpoint().size.div_ceil(lockgate_ledger::TILE_WIDTH)).rev() {
            for entry in self.runtime.block_on(reader.entries(bundle))?.iter().rev() {
                match entry.kind {
                    Kind::RunIntent | Kind::RunCommit | Kind::RunAbort => {
                        return Event::from_body(entry.kind.as_str(), &entry.body).transpose().map_err(failures::bug);
                    }
                    Kind::Project
                    | Kind::KeyCreate
                    | Kind::KeyRotate
                    | Kind::KeyRewrap
                    | Kind::KeyShred
                    | Kind::SubjectErase
                    | Kind::DatasetVersion
                    | Kind::AccessIntent
                    | Kind::AccessResult => {}
                }
            }
        }
        Ok(None)
    }

    /// Whether the ledger has an event of that sort.
    pub fn any_event(&self, wanted: impl Fn(&Event) -> bool) -> Result<bool, Failure> {
        let reader = self.runtime.block_on(LedgerReader::open(self.writer.store().clone(), self.verifier()))?;
        let mut found = false;
        let each = |_, entry: Entry| {
            let event = Event::from_body(entry.kind.as_str(), &entry.body);
            found |= event.is_some_and(|event| event.is_ok_and(|event| wanted(&event)));
        };
        self.runtime.block_on(reader.proven_entries(each))?;
        Ok(found)
    }

    /// Where the ledger stands.
    pub fn position(&self) -> LedgerPosition {
        let Checkpoint { origin, size, root } = self.checkpoint.clone();
        LedgerPosition { origin, size, root: root.to_string() }
    }

    /// The key that checkpoints are verified with, as text.
    pub fn verifier_key(&self) -> String {
        self.verifier().to_string()
    }

    fn verifier(&self) -> VerifierKey {
        VerifierKey::new(&self.checkpoint.origin, self.signing.verifying_key())
    }
}

fn verifier_of(project: &Project, keys: &KeyStore) -> VerifierKey {
    VerifierKey::new(&Checkpoint::origin_of(&project.name), keys.signing_key().verifying_key())
}

/// The ledger must continue the one that was seen last.
async fn compare_seen(store: &LedgerStore, key: &VerifierKey, seen: &Path) -> Result<(), Failure> {
    let text = match std::fs::read_to_string(seen) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let message = format!("the checkpoint that was seen last, {}, cannot be read: {error}", seen.display());
            return Err(Failure::new(FailureKind::Unreachable, message).with_help("check who may access it"));
        }
    };
    let tampered = |message: String| {
        Failure::new(FailureKind::Tampered, message)
            .with_help("`lockgate verify` says more; restore the ledger from a copy")
    };
    let seen = Checkpoint::open(&text, key)
        .ok_or_else(|| tampered(format!("{} is not signed by the project's key", seen.display())))?;
    let reader = LedgerReader::open(store.clone(), key.clone()).await?;
    let now = reader.checkpoint();
    if now.size < seen.size {
        let message = format!(
            "the ledger has {} entries, and {} were seen before: it was cut or rolled back",
            now.size, seen.size
        );
        return Err(tampered(message));
    }
    let proof = reader.consistency_proof(seen.size).await.map_err(|error: LedgerError| Failure::from(error))?;
    if lockgate_ledger::check_consistency(&proof, seen.size, seen.root, now.size, now.root) {
        return Ok(());
    }
    Err(tampered("the ledger is not a continuation of the one that was seen before: history was rewritten".into()))
}
