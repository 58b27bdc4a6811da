//! What Vault lent, for how long, and that it is renewed in time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Handle;

use super::{Answer, Method, Vault};

/// A lease that nears its last end is renewed for less than this, and then no more.
const SHORTEST_RENEWAL: Duration = Duration::from_secs(2);

/// A token is not renewed more often than this.
const TOKEN_PAUSE: Duration = Duration::from_millis(500);

/// The leases of a Vault.
#[derive(Default)]
pub(super) struct Leases(Mutex<BTreeMap<String, Held>>);

struct Held {
    path: String,
    ends: Instant,
    renewable: bool,
}

/// What is leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseStatus {
    /// The path it was read from, such as `database/creds/etl`.
    pub path: String,
    /// How long it lasts from now on.
    pub remaining: Duration,
    /// Whether it can be made to last longer.
    pub renewable: bool,
}

impl Leases {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Held>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The leases, by their ids, whatever becomes of them.
    pub(super) fn take(&self) -> Vec<String> {
        self.with(std::mem::take).into_keys().collect()
    }

    /// How long a lease lasts from now on; nothing if it is not held any more.
    pub(super) fn left(&self, id: &str) -> Duration {
        let ends = self.with(|leases| leases.get(id).map(|held| held.ends));
        ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(Instant::now()))
    }

    /// What is leased now.
    pub(super) fn status(&self) -> Vec<LeaseStatus> {
        let now = Instant::now();
        let status = |held: &Held| LeaseStatus {
            path: held.path.clone(),
            remaining: held.ends.saturating_duration_since(now),
            renewable: held.renewable,
        };
        self.with(|leases| leases.values().map(status).collect())
    }
}

/// Remembers a lease and renews it at two thirds of its time for as long as it is held.
pub(super) fn keep(vault: &Arc<Vault>, path: &str, answer: &Answer, runtime: &Handle) {
    let (duration, id) = (Duration::from_secs(answer.lease_duration_s), answer.lease_id.clone());
    let held = Held { path: path.to_owned(), ends: Instant::now() + duration, renewable: answer.renewable };
    let is_first = vault.leases.with(|leases| {
        let is_first = leases.is_empty();
        leases.insert(id.clone(), held);
        is_first
    });
    if is_first {
        runtime.spawn(keep_token(Arc::downgrade(vault)));
    }
    if answer.renewable {
        runtime.spawn(renew(Arc::downgrade(vault), id, duration));
    }
}

/// Keeps our token alive as long as anything is leased, since what was lent to a token ends with it.
async fn keep_token(vault: Weak<Vault>) {
    loop {
        let Some(due) = (match vault.upgrade() {
            Some(vault) => vault.token_due().await,
            None => return,
        }) else {
            return;
        };
        tokio::time::sleep_until(due.max(Instant::now() + TOKEN_PAUSE).into()).await;
        match vault.upgrade() {
            // What cannot be renewed is tried again, and told by the call that needs it.
            Some(vault) if !vault.leases.with(|leases| leases.is_empty()) => drop(vault.token().await),
            Some(_) | None => return,
        }
    }
}

async fn renew(vault: Weak<Vault>, id: String, mut duration: Duration) {
    loop {
        tokio::time::sleep(duration * 2 / 3).await;
        let Some(vault) = vault.upgrade() else { return };
        if !vault.leases.with(|leases| leases.contains_key(&id)) {
            return;
        }
        let body = json!({ "lease_id": id, "increment": duration.as_secs() });
        let renewed = vault.call(Method::Write, "sys/leases/renew", Some(&body)).await;
        let ends = renewed.ok().map(|answer| (Duration::from_secs(answer.lease_duration_s), answer.renewable));
        let goes_on = vault.leases.with(|leases| {
            let held = leases.get_mut(&id)?;
            match ends {
                Some((lasts, true)) if lasts > SHORTEST_RENEWAL => {
                    held.ends = Instant::now() + lasts;
                    Some(lasts)
                }
                // Vault lends it no longer, or took it back.
                Some(_) | None => {
                    held.renewable = false;
                    None
                }
            }
        });
        match goes_on {
            Some(lasts) => duration = lasts,
            None => return,
        }
    }
}
