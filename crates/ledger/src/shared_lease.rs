//! One process writes a ledger in a bucket at a time, and one that was overtaken can write nothing more.
//!
//! ```text
//! writer.lock {holder, instance, token, turn, renewed, checkpoint}   each change: only if nobody changed it before
//!   free ─► taken ─► renewed every 10 s ─► checkpoint signed ─► … ─► free
//!             │                                └─ the commit point of an append
//!             └─ its process is gone, or it was not renewed for 30 s: taken by another, and every further change
//!                by the first fails, that of the checkpoint too
//! ```
//! Clocks of machines are not compared: a lease counts as lost when whoever wants it has watched it for so long, and its
//! holder asks the store before it does what cannot be undone. A store that does not keep to conditions is refused.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::{Timestamp, Unit};
use lockgate_crypto::Random;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::store::Revision;
use crate::{LedgerError, LedgerStore};

/// The object that every writer changes, within the ledger's prefix.
pub(crate) const LOCK_OBJECT: &str = "writer.lock";
/// The longest content of that object, in bytes.
const LOCK_BYTES_MAX: u64 = 128 * 1024;
/// The times of every lease.
const TIMES: Times = Times { renewed_every: Duration::from_secs(10), watched: Duration::from_secs(30) };
/// How long giving it back may take.
const RELEASE_DEADLINE: Duration = Duration::from_secs(5);
/// How often a change is tried that met another one of our own.
const ATTEMPTS: u32 = 3;
/// The longest description of a holder, in characters.
const HOLDER_CHARACTERS_MAX: usize = 400;

#[derive(Debug, Clone, Copy)]
struct Times {
    /// How often a holder renews.
    renewed_every: Duration,
    /// Longer: how long a lease that nobody renews is watched before it is taken.
    watched: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    v: u8,
    /// Whose it is; absent while it is free.
    holder: Option<String>,
    /// Which process of which machine that is.
    instance: String,
    /// Differs for each time that it was taken.
    token: String,
    /// Differs for each change.
    turn: u64,
    renewed: Timestamp,
    /// The last checkpoint that was committed, as it is signed.
    checkpoint: Option<String>,
}

/// The right to write a ledger in a bucket.
#[derive(Debug)]
pub(crate) struct SharedLease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: LedgerStore,
    /// Where it is renewed, and given back.
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    record: Record,
    revision: Revision,
    overtaken_by: Option<String>,
}

impl SharedLease {
    /// Takes the lease. Fails at once, naming the holder, while another process has it that is known to live or has
    /// renewed it lately; watches one that seems to be lost before it takes it.
    pub(crate) async fn take(store: &LedgerStore, doing: &str, random: &dyn Random) -> Result<Self, LedgerError> {
        Self::take_with(store, doing, random, TIMES).await
    }

    async fn take_with(
        store: &LedgerStore,
        doing: &str,
        random: &dyn Random,
        times: Times,
    ) -> Result<Self, LedgerError> {
        let mut token = [0; 16];
        random.fill(&mut token).map_err(|error| LedgerError::Held(error.to_string()))?;
        let doing: String = doing.chars().take(HOLDER_CHARACTERS_MAX).collect();
        let ours = |turn, checkpoint| Record {
            v: 1,
            holder: Some(format!("process {}, {doing}, since {}", std::process::id(), now())),
            instance: instance::present(),
            token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
            turn,
            renewed: now(),
            checkpoint,
        };
        for _ in 0..ATTEMPTS {
            let (record, present) = match read(store).await? {
                None => (ours(0, None), None),
                Some((found, revision)) => {
                    if let Some(holder) = &found.holder {
                        free_of(store, &found, &revision, holder, times.watched).await?;
                    }
                    (ours(following(found.turn)?, found.checkpoint), Some(revision))
                }
            };
            // Another one may have been faster; then it is the holder that is met the next time.
            if let Some(revision) = store.replace(LOCK_OBJECT, encoded(&record)?, present.as_ref()).await? {
                let lease = Self::taken(store, times, State { record, revision, overtaken_by: None });
                lease.0.probe_conditions().await?;
                return Ok(lease);
            }
        }
        Err(LedgerError::Held("many others want it at the same time".into()))
    }

    /// Renewed from now on, until it is dropped.
    fn taken(store: &LedgerStore, times: Times, state: State) -> Self {
        let (store, runtime) = (store.clone(), Handle::current());
        let inner = Arc::new(Inner { store, runtime, state: Mutex::new(state) });
        tokio::spawn(renew(Arc::downgrade(&inner), times.renewed_every));
        Self(inner)
    }

    /// The last checkpoint that was committed.
    pub(crate) async fn checkpoint(&self) -> Option<String> {
        self.0.state.lock().await.record.checkpoint.clone()
    }

    /// The commit point of an append: from here on the ledger's checkpoint is this one.
    pub(crate) async fn commit(&self, signed: &str) -> Result<(), LedgerError> {
        self.0.change(|record| record.checkpoint = Some(signed.to_owned())).await
    }

    /// Fails if the lease is not ours any more, which the store is asked for each time: a clock of this machine may have
    /// stood still while others took the lease.
    pub(crate) async fn ensure(&self) -> Result<(), LedgerError> {
        self.0.change(|_| {}).await
    }
}

impl Drop for SharedLease {
    /// Gives it back; what cannot be given back in time is lost by itself.
    fn drop(&mut self) {
        let inner = Arc::clone(&self.0);
        let release = async move {
            let _ = tokio::time::timeout(RELEASE_DEADLINE, inner.change(|record| record.holder = None)).await;
        };
        match Handle::try_current() {
            Ok(_) => drop(self.0.runtime.spawn(release)),
            Err(_) => self.0.runtime.block_on(release),
        }
    }
}

impl Inner {
    /// Fails if the store makes changes that it was told not to make: on such a one nothing keeps two writers apart.
    async fn probe_conditions(&self) -> Result<(), LedgerError> {
        let (before, mut other) = {
            let state = self.state.lock().await;
            (state.revision.clone(), state.record.clone())
        };
        self.change(|_| {}).await?;
        // Whatever is written here by mistake is ours, and of another content than what stands there.
        other.renewed = Timestamp::UNIX_EPOCH;
        for present in [None, Some(&before)] {
            if self.store.replace(LOCK_OBJECT, encoded(&other)?, present).await?.is_some() {
                return Err(LedgerError::Unconditional);
            }
        }
        Ok(())
    }

    /// Changes the record, unless another process has.
    async fn change(&self, change: impl Fn(&mut Record)) -> Result<(), LedgerError> {
        let mut state = self.state.lock().await;
        if let Some(other) = &state.overtaken_by {
            return Err(LedgerError::Overtaken(other.clone()));
        }
        for _ in 0..ATTEMPTS {
            let mut next = state.record.clone();
            (next.turn, next.renewed) = (following(next.turn)?, now());
            change(&mut next);
            let replaced = self.store.replace(LOCK_OBJECT, encoded(&next)?, Some(&state.revision)).await?;
            if let Some(revision) = replaced {
                (state.record, state.revision) = (next, revision);
                return Ok(());
            }
            // A change of our own whose answer was lost stands there, or somebody else's.
            match read(&self.store).await? {
                Some((found, revision)) if found.token == state.record.token => {
                    (state.record, state.revision) = (found, revision);
                }
                found => {
                    let other = found.and_then(|(record, _)| record.holder);
                    let other = other.unwrap_or_else(|| "it does not say who it is".into());
                    state.overtaken_by = Some(other.clone());
                    return Err(LedgerError::Overtaken(other));
                }
            }
        }
        Err(LedgerError::Storage {
            object: LOCK_OBJECT.into(),
            verb: "written",
            reason: "its conditional puts do not agree with what it gives".into(),
        })
    }
}

async fn renew(lease: Weak<Inner>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(lease) = lease.upgrade() else { return };
        // A storage that does not answer may do so the next time; who relies on the lease asks for itself.
        if let Err(LedgerError::Overtaken(_)) = lease.change(|_| {}).await {
            return;
        }
    }
}

/// Waits until a lease that somebody had can be taken; fails where it is still theirs.
async fn free_of(
    store: &LedgerStore,
    found: &Record,
    revision: &Revision,
    holder: &str,
    watched: Duration,
) -> Result<(), LedgerError> {
    let held = || LedgerError::Held(holder.to_owned());
    match instance::lives(&found.instance) {
        Some(true) => return Err(held()),
        Some(false) => return Ok(()),
        None => {}
    }
    let age = now().duration_since(found.renewed);
    if age.unsigned_abs() < watched {
        return Err(held());
    }
    tokio::time::sleep(watched).await;
    match read(store).await? {
        Some((_, now)) if now == *revision => Ok(()),
        Some(_) | None => Err(held()),
    }
}

async fn read(store: &LedgerStore) -> Result<Option<(Record, Revision)>, LedgerError> {
    let Some((content, revision)) = store.read(LOCK_OBJECT, LOCK_BYTES_MAX).await? else { return Ok(None) };
    let damaged = |what: &str| LedgerError::Damaged { object: LOCK_OBJECT.into(), what: what.into() };
    let record: Record = serde_json::from_slice(&content).map_err(|_| damaged("is no lease of a writer"))?;
    if record.v == 1 { Ok(Some((record, revision))) } else { Err(damaged("has another version")) }
}

fn encoded(record: &Record) -> Result<Vec<u8>, LedgerError> {
    serde_json::to_vec(record).map_err(|error| LedgerError::Storage {
        object: LOCK_OBJECT.into(),
        verb: "written",
        reason: error.to_string(),
    })
}

/// The turn after this one; there is none after a number that nobody counted up to.
fn following(turn: u64) -> Result<u64, LedgerError> {
    let damaged = || LedgerError::Damaged { object: LOCK_OBJECT.into(), what: "has a turn beyond the last".into() };
    turn.checked_add(1).ok_or_else(damaged)
}

fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// Which process of which machine somebody is, and whether it lives, where that can be known.
mod instance {
    use std::fs;

    /// `BOOT/PROCESSES/PROCESS/BEGAN`: the machine's boot, the namespace of its process ids, the process and when it began.
    pub(super) fn present() -> String {
        let process = std::process::id();
        match (machine(), began(process)) {
            (Some(machine), Some(began)) => format!("{machine}/{process}/{began}"),
            (Some(_), None) | (None, _) => format!("unknown/{process}"),
        }
    }

    /// Whether an instance of this machine lives; `None` of another machine, of which nothing is known.
    pub(super) fn lives(instance: &str) -> Option<bool> {
        let of_here = instance.strip_prefix(&machine()?)?.strip_prefix('/')?;
        let (process, began_then) = of_here.split_once('/')?;
        // A system that hides processes from one another shows the first one to nobody but its administrator.
        fs::read("/proc/1/stat").ok()?;
        match fs::metadata(format!("/proc/{process}")) {
            Ok(_) => Some(began(process.parse().ok()?).is_some_and(|began| began == began_then)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
            Err(_) => None,
        }
    }

    fn machine() -> Option<String> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let processes = fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{}/{}", boot.trim(), processes.display()))
    }

    /// When a process began, in ticks since the boot: the 22nd field of its `stat`; none for one that has ended.
    fn began(process: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace();
        let state = fields.next()?;
        (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lockgate_crypto::SystemRandom;
    use object_store::memory::InMemory;

    use super::*;

    fn store() -> LedgerStore {
        LedgerStore::over(Arc::new(InMemory::new()))
    }

    const SHORT: Times = Times { renewed_every: Duration::from_millis(50), watched: Duration::from_millis(150) };
    /// Nobody renews while a test looks.
    const SILENT: Times = Times { renewed_every: Duration::from_secs(3_600), ..SHORT };

    async fn take_with(store: &LedgerStore, doing: &str, times: Times) -> Result<SharedLease, LedgerError> {
        SharedLease::take_with(store, doing, &SystemRandom, times).await
    }

    async fn take(store: &LedgerStore, doing: &str) -> Result<SharedLease, LedgerError> {
        take_with(store, doing, SILENT).await
    }

    /// Leaves a lease as a holder on another machine that renewed it so long ago, with a checkpoint.
    async fn left_by_another(store: &LedgerStore, ago: Duration) {
        let lease = take(store, "other").await.unwrap();
        lease.commit("signed").await.unwrap();
        let mut state = lease.0.state.lock().await;
        state.record.instance = "other-boot/pid:[1]/1/1".into();
        state.record.renewed = now() - ago;
        let content = encoded(&state.record).unwrap();
        state.revision = store.replace(LOCK_OBJECT, content, Some(&state.revision)).await.unwrap().unwrap();
        drop(state);
        // A machine that is gone gives nothing back.
        std::mem::forget(lease);
    }

    #[tokio::test]
    async fn a_second_writer_is_refused_by_the_name_of_the_first_until_it_is_released() {
        let store = store();
        let first = take(&store, "run daily_customers").await.unwrap();
        let refused = take(&store, "keys rotate").await.unwrap_err();
        assert!(matches!(&refused, LedgerError::Held(other) if other.contains("run daily_customers")), "{refused}");
        drop(first);
        while read(&store).await.unwrap().unwrap().0.holder.is_some() {
            tokio::task::yield_now().await;
        }
        take(&store, "keys rotate").await.unwrap().ensure().await.unwrap();
    }

    #[tokio::test]
    async fn a_holder_whose_process_has_ended_is_followed_at_once() {
        let store = store();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = child.id();
        child.wait().unwrap();
        let (content, revision) = {
            let lease = take(&store, "killed").await.unwrap();
            let mut state = lease.0.state.lock().await;
            let machine = state.record.instance.rsplitn(3, '/').last().unwrap().to_owned();
            state.record.instance = format!("{machine}/{process}/1");
            let left = (encoded(&state.record).unwrap(), state.revision.clone());
            drop(state);
            std::mem::forget(lease);
            left
        };
        store.replace(LOCK_OBJECT, content, Some(&revision)).await.unwrap().unwrap();
        take(&store, "next").await.unwrap();
    }

    #[tokio::test]
    async fn a_lease_that_nobody_renews_is_watched_and_then_taken_with_its_checkpoint() {
        let (lately, long_ago) = (store(), store());
        left_by_another(&lately, Duration::ZERO).await;
        let long = Times { watched: Duration::from_secs(3_600), ..SILENT };
        assert!(matches!(take_with(&lately, "next", long).await, Err(LedgerError::Held(_))), "renewed a moment ago");
        left_by_another(&long_ago, Duration::from_secs(3_600)).await;
        let began = std::time::Instant::now();
        let lease = take(&long_ago, "next").await.unwrap();
        assert!(began.elapsed() >= SHORT.watched);
        assert_eq!(lease.checkpoint().await.as_deref(), Some("signed"));
        lease.commit("next").await.unwrap();
        assert_eq!(lease.checkpoint().await.as_deref(), Some("next"));
    }

    #[tokio::test]
    async fn a_holder_that_was_overtaken_can_commit_nothing_more() {
        let store = store();
        let first = take(&store, "first").await.unwrap();
        first.commit("one").await.unwrap();
        let record = first.0.state.lock().await.record.clone();
        let second = Record { token: "other".into(), turn: 99, holder: Some("second".into()), ..record };
        let (_, revision) = read(&store).await.unwrap().unwrap();
        store.replace(LOCK_OBJECT, encoded(&second).unwrap(), Some(&revision)).await.unwrap().unwrap();
        for outcome in [first.ensure().await, first.commit("two").await, first.ensure().await] {
            assert!(matches!(&outcome, Err(LedgerError::Overtaken(other)) if other == "second"), "{outcome:?}");
        }
        assert_eq!(read(&store).await.unwrap().unwrap().0, second, "the second one's record is as it was");
    }

    #[tokio::test]
    async fn a_holder_renews_until_it_is_dropped() {
        let store = store();
        let lease = take_with(&store, "long", SHORT).await.unwrap();
        let turn = || async { read(&store).await.unwrap().unwrap().0.turn };
        let first = turn().await;
        while turn().await < first + 3 {
            tokio::time::sleep(SHORT.renewed_every).await;
        }
        drop(lease);
        // One that was under way may still arrive.
        tokio::time::sleep(SHORT.renewed_every).await;
        let last = turn().await;
        tokio::time::sleep(SHORT.renewed_every * 4).await;
        assert_eq!(turn().await, last);
    }
}
