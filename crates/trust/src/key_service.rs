//! A key-encryption key is used where it lives: in this machine's key store, in AWS KMS, or in Vault's transit engine.
//!
//! ```text
//! generate {project, dataset, column, key} ─► a new key, in the clear for now, and wrapped for the key table
//! unwrap   wrapped + the same context      ─► the key;  another context, or one altered bit: refused
//! rewrap   wrapped + the same context      ─► wrapped under the newest version, never in the clear here
//! ```
//! Every call names the encryption context: what the key is for, and the key's own id.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockgate_crypto::{KeyContext, KeyId, KeyMaterial, Secret, WrappedKey, sha256};
use lockgate_model::Sha256Digest;

use crate::error::{Problem, TrustError};

pub(crate) mod aws_kms;
pub(crate) mod vault_transit;

/// How many opened keys are kept.
pub const CACHED_KEYS_MAX: usize = 1_024;
/// How long an opened key is kept: as long as a key that was disabled at the service may go on being used.
pub const CACHED_KEY_TTL: Duration = Duration::from_secs(300);
/// So many failures in a row, and a service is left alone for [`BREAK`].
const FAILURES_MAX: u32 = 3;
const BREAK: Duration = Duration::from_secs(30);

/// What a key is for, as a service is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    pub(crate) fn new(id: KeyId, context: &KeyContext) -> Self {
        let pairs = context.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(pairs.chain([("key".to_owned(), id.to_string())]).collect())
    }

    pub(crate) fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The pairs as JSON without spaces, names in bytewise order (RFC 8785).
    pub(crate) fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }
}

/// A key that a service made.
pub(crate) struct Generated {
    pub(crate) material: KeyMaterial,
    pub(crate) wrapped: WrappedKey,
    /// The version of the key-encryption key that wrapped it, where the service tells.
    pub(crate) version: Option<u32>,
}

/// A service that holds a key-encryption key which never leaves it.
pub(crate) trait KeyService: Send + Sync {
    /// How messages name it.
    fn name(&self) -> String;

    /// Makes a key. Fails where the key-encryption key may not be used.
    fn generate(&self, context: &EncryptionContext) -> Result<Generated, Problem>;

    /// Opens a key; `under` names the key-encryption key that wrapped it.
    fn unwrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<KeyMaterial, Problem>;

    /// Wraps a key under the newest version of the present key-encryption key, inside the service.
    fn rewrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<WrappedKey, Problem>;

    /// Makes a new version of the key-encryption key.
    fn rotate(&self) -> Result<(), Problem>;

    /// The key-encryption key as it is now. Fails where it is disabled or gone.
    fn describe(&self) -> Result<Described, Problem>;
}

/// A key-encryption key at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    /// Its full name, such as an ARN.
    pub(crate) key: String,
    /// Its newest version, where the service tells.
    pub(crate) version: Option<u32>,
    /// As the rule table names it.
    pub(crate) algorithm: String,
}

/// A service behind a cache of opened keys and a breaker, so that a service in trouble is not called without end.
pub(crate) struct Guarded {
    service: Box<dyn KeyService>,
    opened: Mutex<BTreeMap<Sha256Digest, Opened>>,
    failing: Mutex<(u32, Option<Instant>)>,
}

/// An opened key, and until when it is kept.
type Opened = (Secret<[u8; 32]>, Instant);

impl Guarded {
    pub(crate) fn new(service: Box<dyn KeyService>) -> Self {
        Self { service, opened: Mutex::default(), failing: Mutex::default() }
    }

    /// What it did not do, as an error.
    pub(crate) fn failed(&self, problem: Problem) -> TrustError {
        TrustError::Service { service: self.service.name(), problem }
    }

    /// Calls the service, unless it has failed too often just now.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&dyn KeyService) -> Result<T, Problem>) -> Result<T, Problem> {
        {
            let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(until) = failing.1.filter(|until| Instant::now() < *until) {
                let left = until.saturating_duration_since(Instant::now()).as_secs().max(1);
                return Err(Problem::LeftAlone(failing.0, left));
            }
        }
        let done = call(&Remembering(self));
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match &done {
            Err(problem) if problem.may_pass() => {
                failing.0 += 1;
                failing.1 = (failing.0 >= FAILURES_MAX).then(|| Instant::now() + BREAK);
            }
            Ok(_) | Err(_) => *failing = (0, None),
        }
        done
    }

    /// Opens a key, or gives it as it was made or opened less than [`CACHED_KEY_TTL`] ago.
    pub(crate) fn unwrap(
        &self,
        wrapped: &WrappedKey,
        under: &str,
        context: &EncryptionContext,
    ) -> Result<KeyMaterial, Problem> {
        match self.remembered(wrapped, context) {
            Some(material) => Ok(material),
            None => self.call(|service| service.unwrap(wrapped, under, context)),
        }
    }

    fn remembered(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Option<KeyMaterial> {
        let now = Instant::now();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|_, (_, until)| now < *until);
        let (key, _) = opened.get(&name_of(wrapped, context))?;
        Some(KeyMaterial::from_secret(Secret::new(*key.expose())))
    }

    fn remember(&self, wrapped: &WrappedKey, context: &EncryptionContext, material: &KeyMaterial) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() < CACHED_KEYS_MAX {
            let kept = (Secret::new(*material.expose()), Instant::now() + CACHED_KEY_TTL);
            opened.insert(name_of(wrapped, context), kept);
        }
    }
}

/// By what an opened key is found again: what it is wrapped as, and what it is for.
fn name_of(wrapped: &WrappedKey, context: &EncryptionContext) -> Sha256Digest {
    sha256(&[context.canonical().as_slice(), b"\0", wrapped.as_bytes()].concat())
}

/// A guarded service which remembers the keys that it makes and opens, so that a key that was made just now is not asked
/// for again.
struct Remembering<'a>(&'a Guarded);

impl KeyService for Remembering<'_> {
    fn name(&self) -> String {
        self.0.service.name()
    }

    fn generate(&self, context: &EncryptionContext) -> Result<Generated, Problem> {
        let made = self.0.service.generate(context)?;
        self.0.remember(&made.wrapped, context, &made.material);
        Ok(made)
    }

    fn unwrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<KeyMaterial, Problem> {
        let material = self.0.service.unwrap(wrapped, under, context)?;
        self.0.remember(wrapped, context, &material);
        Ok(material)
    }

    fn rewrap(&self, wrapped: &WrappedKey, under: &str, context: &EncryptionContext) -> Result<WrappedKey, Problem> {
        self.0.service.rewrap(wrapped, under, context)
    }

    fn rotate(&self) -> Result<(), Problem> {
        self.0.service.rotate()
    }

    fn describe(&self) -> Result<Described, Problem> {
        self.0.service.describe()
    }
}

/// A key of 256 bits out of what a service gave.
pub(crate) fn material(bytes: &[u8]) -> Result<KeyMaterial, Problem> {
    let wrong = |_| Problem::Answer("it is no key of 256 bits".to_owned());
    KeyMaterial::from_secret_bytes(&Secret::new(bytes.to_vec())).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use lockgate_crypto::WrappingService;

    use super::*;

    /// Gives a key for what it knows, and counts how often it is asked.
    struct Counting(Arc<AtomicU32>, Option<Problem>);

    impl KeyService for Counting {
        fn name(&self) -> String {
            "counting".into()
        }
        fn generate(&self, _: &EncryptionContext) -> Result<Generated, Problem> {
            Err(Problem::Denied)
        }
        fn unwrap(&self, _: &WrappedKey, _: &str, _: &EncryptionContext) -> Result<KeyMaterial, Problem> {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.clone().map_or_else(|| material(&[7; 32]), Err)
        }
        fn rewrap(&self, _: &WrappedKey, _: &str, _: &EncryptionContext) -> Result<WrappedKey, Problem> {
            Err(Problem::Denied)
        }
        fn rotate(&self) -> Result<(), Problem> {
            Err(Problem::Denied)
        }
        fn describe(&self) -> Result<Described, Problem> {
            Err(Problem::Denied)
        }
    }

    fn context(project: &str) -> EncryptionContext {
        let id: KeyId = "00000000000000000000000000000001".parse().unwrap();
        EncryptionContext::new(id, &KeyContext::Ledger { project: project.parse().unwrap() })
    }

    #[test]
    fn an_opened_key_is_kept_for_its_own_context_only() {
        let calls = Arc::new(AtomicU32::new(0));
        let guarded = Guarded::new(Box::new(Counting(Arc::clone(&calls), None)));
        let wrapped = WrappedKey::by_service(WrappingService::AwsKms, b"blob").unwrap();
        for _ in 0..5 {
            guarded.unwrap(&wrapped, "k", &context("a")).unwrap();
        }
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        guarded.unwrap(&wrapped, "k", &context("b")).unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_service_that_fails_is_left_alone_and_one_that_refuses_is_not() {
        let wrapped = WrappedKey::by_service(WrappingService::AwsKms, b"blob").unwrap();
        for (problem, asked) in [(Problem::Throttled, FAILURES_MAX), (Problem::Disabled, 10)] {
            let calls = Arc::new(AtomicU32::new(0));
            let guarded = Guarded::new(Box::new(Counting(Arc::clone(&calls), Some(problem))));
            for _ in 0..10 {
                assert!(guarded.unwrap(&wrapped, "k", &context("a")).is_err());
            }
            assert_eq!(calls.load(Ordering::Relaxed), asked);
        }
    }
}
