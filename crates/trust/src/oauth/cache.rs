//! One token for all who wait: kept until shortly before it ends, and then fetched anew by one of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_crypto::Secret;

/// A token is fetched anew when it has less than this left, or less than a third of its life if that is sooner.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);
/// How long a token without a stated end is used.
const UNSTATED_LIFETIME: Duration = Duration::from_secs(60);

/// The longest that a token is used, whatever its server says.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A token as a server gave it.
pub(super) struct Given {
    pub(super) token: Secret<String>,
    pub(super) lifetime: Option<Duration>,
}

struct Kept {
    token: Arc<Secret<String>>,
    use_until: Instant,
}

/// The present token, if there is one.
pub(super) struct TokenCache {
    /// Held while a token is fetched, so that many who wait make one request.
    kept: tokio::sync::Mutex<Option<Kept>>,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
}

impl TokenCache {
    pub(super) fn new(clock: Box<dyn Fn() -> Instant + Send + Sync>) -> Self {
        Self { kept: tokio::sync::Mutex::new(None), clock }
    }

    /// The present token, or one that is fetched now. A failure is kept from nobody: the next who asks fetches again.
    pub(super) async fn get<E, F: Future<Output = Result<Given, E>>>(
        &self,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Secret<String>>, E> {
        let mut kept = self.kept.lock().await;
        if let Some(present) = kept.as_ref().filter(|present| (self.clock)() < present.use_until) {
            return Ok(Arc::clone(&present.token));
        }
        let asked = (self.clock)();
        let given = fetch().await?;
        let lifetime = given.lifetime.unwrap_or(UNSTATED_LIFETIME).min(LIFETIME_MAX);
        let use_until = asked + (lifetime - EXPIRY_MARGIN.min(lifetime / 3));
        let token = Arc::new(given.token);
        *kept = Some(Kept { token: Arc::clone(&token), use_until });
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Set {
        now: Arc<Mutex<Instant>>,
        cache: TokenCache,
        fetched: AtomicU32,
        lifetime: Option<Duration>,
    }

    impl Set {
        fn new(lifetime_s: Option<u64>) -> Self {
            let now = Arc::new(Mutex::new(Instant::now()));
            let told = Arc::clone(&now);
            let cache = TokenCache::new(Box::new(move || *told.lock().unwrap()));
            Self { now, cache, fetched: AtomicU32::new(0), lifetime: lifetime_s.map(Duration::from_secs) }
        }

        fn passes(&self, seconds: u64) {
            *self.now.lock().unwrap() += Duration::from_secs(seconds);
        }

        async fn number(&self) -> u32 {
            let fetch = || async {
                // Others come to wait meanwhile.
                tokio::task::yield_now().await;
                let number = self.fetched.fetch_add(1, Ordering::Relaxed) + 1;
                Ok::<_, ()>(Given { token: Secret::new(number.to_string()), lifetime: self.lifetime })
            };
            self.cache.get(fetch).await.unwrap().expose().parse().unwrap()
        }
    }

    #[tokio::test]
    async fn a_token_is_fetched_anew_shortly_before_it_ends_and_once_for_all_who_wait() {
        for (lifetime_s, used_s) in [
            (Some(300), 270),
            (Some(3_600), 3_570),
            (Some(30), 20),
            (None, 40),
            (Some(86_399), 86_369),
            (Some(86_401), 86_370),
            (Some(u64::MAX), 86_370),
        ] {
            let set = Set::new(lifetime_s);
            for round in 1..=3 {
                let all = tokio::join!(set.number(), set.number(), set.number(), set.number());
                assert_eq!(all, (round, round, round, round), "{lifetime_s:?}");
                set.passes(used_s - 1);
                assert_eq!(set.number().await, round, "a second too early: {lifetime_s:?}");
                set.passes(1);
            }
            set.passes(1_000_000);
            let all = tokio::join!(set.number(), set.number(), set.number(), set.number());
            assert_eq!(all, (4, 4, 4, 4), "long after its end: {lifetime_s:?}");
        }
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let set = Set::new(Some(300));
        let failed = set.cache.get(|| async { Err::<Given, _>("nobody answers") }).await;
        assert_eq!(failed.err(), Some("nobody answers"));
        assert_eq!(set.number().await, 1);
    }
}
