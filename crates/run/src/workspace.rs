//! What a command that changes something works with: the key store, the key table and the ledger of a project, opened
//! together and held by one process at a time.

use std::sync::Arc;

use jiff::Timestamp;
use lockgate_crypto::Random;
use lockgate_evidence::{Event, ProjectCreate};
use lockgate_model::{Failure, FailureKind, PrincipalName};
use lockgate_trust::{KeyStore, Keyring, LedgerPlace, SEEN_CHECKPOINT_FILE, Site, TrustError};
use tokio::runtime::Handle;

use crate::journal::Journal;

/// The opened keys and ledger of a project.
pub struct Workspace {
    /// The keys.
    pub keyring: Keyring,
    /// The ledger.
    pub journal: Journal,
    /// Where it lies.
    pub ledger: LedgerPlace,
}

impl Workspace {
    /// Opens both, or makes both for a project that has neither. A key store without a ledger, or a ledger without a key
    /// store, is not replaced by an empty one: it is lost, and that is an error. `doing` tells others who holds the
    /// ledger; `principal` is named in its entries.
    pub fn open(
        project: &Site,
        runtime: &Handle,
        random: Arc<dyn Random>,
        now: Timestamp,
        doing: &str,
        principal: Option<PrincipalName>,
    ) -> Result<Self, Failure> {
        let keys = &project.keys.default;
        let ledger = project.ledger_place()?;
        // Nothing is looked at, and above all nothing is made, before others are kept out.
        let lease = ledger.lease(doing, random.as_ref())?;
        let begun = ledger.is_begun()?;
        if !begun {
            ensure_never_begun(project, &ledger)?;
        }
        let store = match (KeyStore::exists(keys), begun) {
            (true, _) => KeyStore::open(project)?,
            (false, true) => return Err(TrustError::Gone(keys.path.clone()).into()),
            (false, false) => KeyStore::create(project, random.as_ref(), now)?,
        };
        let objects = ledger.store()?;
        let journal = match begun {
            true => Journal::open(project, &store, objects, lease, runtime, now, principal)?,
            false => Journal::create(project, &store, objects, lease, runtime, now, principal)?,
        };
        let keyring = Keyring::open(project.name.clone(), store, ledger.clone(), random, now)?;
        let mut workspace = Self { keyring, journal, ledger };
        if workspace.journal.position().size == 0 {
            begin(&mut workspace.journal)?;
        }
        workspace.settle_keys()?;
        Ok(workspace)
    }

    /// Writes the key table and sees that the ledger has every change of it.
    pub fn settle_keys(&mut self) -> Result<(), Failure> {
        if !self.keyring.is_changed() {
            return Ok(());
        }
        let pending = self.keyring.save()?;
        if !pending.is_empty() {
            self.journal.append(pending.into_iter().map(|event| (event, Vec::new())).collect())?;
            self.keyring.acknowledge()?;
        }
        Ok(())
    }
}

/// Fails where a ledger was begun and has no checkpoint any more: one that is lost is not begun again, which would hide that.
pub fn ensure_never_begun(project: &Site, ledger: &LedgerPlace) -> Result<(), Failure> {
    let seen = project.keys.default.path.join(SEEN_CHECKPOINT_FILE);
    let what = match (seen.exists(), ledger.has_tiles()?) {
        (false, false) => return Ok(()),
        (true, _) => format!("{} is of a ledger that was there", seen.display()),
        (false, true) => "its tiles are still there".to_owned(),
    };
    let message = format!(
        "the ledger at {ledger} has no checkpoint, and {what}: it was removed, or the project names another place"
    );
    Err(Failure::new(FailureKind::Tampered, message)
        .with_help("restore the ledger from a copy, or correct `ledger:` in lockgate.yaml; nothing was done"))
}

fn begin(journal: &mut Journal) -> Result<(), Failure> {
    let event = Event::ProjectCreate(ProjectCreate {
        origin: journal.position().origin,
        verifier_key: journal.verifier_key(),
        lockgate: env!("CARGO_PKG_VERSION").to_owned(),
    });
    journal.append(vec![(event, Vec::new())])
}
