//! The engine that decides now, replaced as a whole while others ask it.
//!
//! ```text
//! Current ── version 7 ──► Reader keeps the engine of version 7; it looks at one number for each request,
//!     └ replace ─► 8       and takes a lock only for the first request after a replacement.
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Engine;

/// Where the engine that decides now is found.
#[derive(Debug)]
pub struct Current {
    version: AtomicU64,
    engine: Mutex<Arc<Engine>>,
}

impl Current {
    /// A place with its first engine.
    pub fn new(engine: Engine) -> Self {
        Self { version: AtomicU64::new(0), engine: Mutex::new(Arc::new(engine)) }
    }

    /// The engine that decides now. Who asks often keeps a [`Reader`].
    pub fn engine(&self) -> Arc<Engine> {
        self.latest().1
    }

    /// Has another engine decide from now on. Requests that are being decided end with the engine they began with.
    pub fn replace(&self, engine: Engine) {
        let engine = Arc::new(engine);
        let mut slot = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *slot, engine);
        self.version.fetch_add(1, Ordering::Release);
        drop(slot);
        // An engine may be large: it is taken down without anybody waiting.
        drop(before);
    }

    /// Something that asks often, from one thread.
    pub fn reader(self: &Arc<Self>) -> Reader {
        let (version, engine) = self.latest();
        Reader { current: Arc::clone(self), version, engine }
    }

    fn latest(&self) -> (u64, Arc<Engine>) {
        let slot = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        (self.version.load(Ordering::Acquire), Arc::clone(&slot))
    }
}

/// Asks the engine that decides now, without a lock as long as it is the same.
#[derive(Debug, Clone)]
pub struct Reader {
    current: Arc<Current>,
    version: u64,
    engine: Arc<Engine>,
}

impl Reader {
    /// The engine that decides now.
    pub fn engine(&mut self) -> &Engine {
        if self.current.version.load(Ordering::Acquire) != self.version {
            (self.version, self.engine) = self.current.latest();
        }
        &self.engine
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::engine::{Options, Sources};
    use crate::model::ServicePolicies;
    use crate::request::Request;

    /// An engine whose only policy has this number, and covers everything.
    fn engine(id: i64) -> Engine {
        let json = format!(
            r#"{{"serviceDef": {{"name": "s", "resources": [{{"name": "db"}}], "accessTypes": [{{"name": "read"}}]}},
                "policies": [{{"id": {id}, "resources": {{"db": {{"values": ["*"]}}}},
                    "policyItems": [{{"accesses": [{{"type": "read"}}], "groups": ["public"]}}]}}]}}"#
        );
        let policies: ServicePolicies = crate::json::read(&json).unwrap();
        Engine::new(&Sources { policies, ..Sources::default() }, Options::default())
    }

    fn decides(engine: &Engine) -> i64 {
        let resource = [("db", crate::Values::One("d"))];
        engine.access(&Request { resource: &resource, access: "read", user: Some("u"), ..Request::default() }).policy_id
    }

    #[test]
    fn a_reader_asks_the_engine_of_the_last_replacement() {
        let current = Arc::new(Current::new(engine(1)));
        let mut reader = current.reader();
        assert_eq!(decides(reader.engine()), 1);
        let kept = current.engine();
        current.replace(engine(2));
        assert_eq!(decides(reader.engine()), 2);
        assert_eq!(decides(&current.engine()), 2);
        assert_eq!(decides(&kept), 1, "what was taken before stays whole");
    }

    #[test]
    fn readers_never_go_back() {
        let current = Arc::new(Current::new(engine(0)));
        thread::scope(|scope| {
            for _ in 0..2 {
                let mut reader = current.reader();
                scope.spawn(move || {
                    let mut last = 0;
                    while last < 50 {
                        let now = decides(reader.engine());
                        assert!(now >= last, "{now} after {last}");
                        last = now;
                    }
                });
            }
            for id in 1..=50 {
                current.replace(engine(id));
            }
        });
    }
}
