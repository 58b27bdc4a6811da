//! What Vault lent, for how long, and that it is renewed in time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Answer, Method, Vault};
use crate::network::Network;

/// A lease that nears its last end is renewed for less than this, and then no more.
const SHORTEST_RENEWAL: Duration = Duration::from_secs(2);

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
pub(super) fn keep(vault: &Arc<Vault>, path: &str, answer: &Answer, network: &Network) {
    let (duration, id) = (Duration::from_secs(answer.lease_duration_s), answer.lease_id.clone());
    let held = Held { path: path.to_owned(), ends: Instant::now() + duration, renewable: answer.renewable };
    vault.leases.with(|leases| leases.insert(id.clone(), held));
    if answer.renewable {
        network.handle().spawn(renew(Arc::downgrade(vault), id, duration));
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
