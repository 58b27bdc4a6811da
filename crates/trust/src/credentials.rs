//! AWS credentials that outlive none of their uses: fetched anew shortly before they end, by one request for all who wait.
//!
//! ```text
//! AWS's chain ┐
//! Vault       ├─► credentials, and until when ─► every AWS client of the project
//! web identity┘        ▲                     │
//!                      └─ fetched anew ◄─────┘ five minutes, or a sixth of their life, before they end
//! ```
//! Where fetching fails and the present ones have not ended, they go on being used, and it is tried again half a minute
//! later; when they have ended, the failure is told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Providing;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::result::ConnectorError;
use lockgate_model::{Failure, FailureKind};
use tokio::runtime::Handle;

use crate::aws;
use crate::error::{Problem, TrustError};
use crate::network;
use crate::oauth::TokenClient;
use crate::vault::{Method, Vault};

/// Credentials are fetched anew when they have less than this left, or less than a sixth of their life if that is sooner.
const EXPIRY_MARGIN: Duration = Duration::from_secs(5 * 60);
/// How long credentials without an end are used before they are asked for again: they may have been replaced.
const UNSTATED_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long the present credentials go on being used after new ones could not be had.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// How long fetching may take while the present credentials can still be used: calls wait for it.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// Where credentials come from.
#[async_trait]
pub(crate) trait Source: std::fmt::Debug + Send + Sync {
    async fn fetch(&self) -> Result<Fetched, Failure>;
}

/// Credentials, and until when they can be used.
pub(crate) struct Fetched {
    pub(crate) credentials: Credentials,
    pub(crate) until: Until,
}

/// When credentials end.
pub(crate) enum Until {
    /// Nobody said.
    Unstated,
    /// At a time.
    At(SystemTime),
    /// When Vault's lease does, which is renewed as long as Vault lends it.
    Leased { vault: Arc<Vault>, id: String },
}

impl Until {
    fn left(&self, now: SystemTime) -> Option<Duration> {
        match self {
            Self::Unstated => None,
            Self::At(end) => Some(end.duration_since(now).unwrap_or_default()),
            Self::Leased { vault, id } => Some(vault.lease_left(id)),
        }
    }
}

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Gives credentials with some time left. Clones share them.
#[derive(Clone)]
pub(crate) struct Renewed(Arc<Inner>);

struct Inner {
    source: Arc<dyn Source>,
    clock: Clock,
    /// Where they are fetched, whoever asks for them.
    runtime: Handle,
    refresh_timeout: Duration,
    /// Held while they are fetched, so that many who wait make one request.
    held: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    fetched: Fetched,
    margin: Duration,
    /// They are not asked for anew before this, unless they have ended.
    ask_from: SystemTime,
}

impl Held {
    fn new(fetched: Fetched, now: SystemTime) -> Self {
        let (margin, ask_from) = match fetched.until.left(now) {
            Some(left) => (EXPIRY_MARGIN.min(left / 6), now),
            None => (Duration::ZERO, now + UNSTATED_LIFETIME),
        };
        Self { fetched, margin, ask_from }
    }

    fn is_due(&self, now: SystemTime) -> bool {
        let nears_its_end = self.fetched.until.left(now).is_none_or(|left| left <= self.margin);
        self.has_ended(now) || (nears_its_end && now >= self.ask_from)
    }

    fn has_ended(&self, now: SystemTime) -> bool {
        self.fetched.until.left(now).is_some_and(|left| left.is_zero())
    }
}

impl std::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewed").field("source", &self.0.source).finish_non_exhaustive()
    }
}

impl Renewed {
    pub(crate) fn new(source: Arc<dyn Source>, runtime: Handle, clock: Clock) -> Self {
        let held = tokio::sync::Mutex::default();
        Self(Arc::new(Inner { source, clock, runtime, refresh_timeout: REFRESH_TIMEOUT, held }))
    }

    /// Credentials that can be used now.
    pub(crate) async fn current(&self) -> Result<Credentials, Failure> {
        let mut held = self.0.held.lock().await;
        let now = (self.0.clock)();
        if let Some(present) = held.as_ref().filter(|present| !present.is_due(now)) {
            return Ok(present.fetched.credentials.clone());
        }
        let can_wait = held.as_ref().is_none_or(|present| present.has_ended(now));
        match (self.fetched(can_wait).await, held.as_mut()) {
            (Ok(fetched), _) => {
                let credentials = fetched.credentials.clone();
                *held = Some(Held::new(fetched, now));
                Ok(credentials)
            }
            (Err(_), Some(present)) if !present.has_ended(now) => {
                present.ask_from = now + RETRY_PAUSE;
                Ok(present.fetched.credentials.clone())
            }
            (Err(failure), _) => Err(failure),
        }
    }

    /// Fetches credentials, for as long as it takes or for as long as those who wait should.
    async fn fetched(&self, can_wait: bool) -> Result<Fetched, Failure> {
        let source = Arc::clone(&self.0.source);
        let mut fetching = self.0.runtime.spawn(async move { source.fetch().await });
        let done = match can_wait {
            true => Ok((&mut fetching).await),
            false => tokio::time::timeout(self.0.refresh_timeout, &mut fetching).await,
        };
        fetching.abort();
        let failed =
            |why: &str| Failure::new(FailureKind::Unreachable, format!("AWS credentials cannot be had: {why}"));
        match done {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(_)) => Err(failed("fetching them was stopped")),
            Err(_) => Err(failed("fetching them takes too long")),
        }
    }
}

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(async { self.current().await.map_err(CredentialsError::provider_error) })
    }
}

/// AWS's usual chain.
#[derive(Debug)]
pub(crate) struct Chain(pub(crate) SharedCredentialsProvider);

#[async_trait]
impl Source for Chain {
    async fn fetch(&self) -> Result<Fetched, Failure> {
        let found = self.0.provide_credentials().await;
        let credentials = found.map_err(|error| no_credentials(&error))?;
        let until = credentials.expiry().map_or(Until::Unstated, Until::At);
        Ok(Fetched { credentials, until })
    }
}

/// What it means that AWS's chain gave no credentials: there are none, or who has them does not answer now.
fn no_credentials(error: &CredentialsError) -> Failure {
    let kind = match error {
        CredentialsError::ProviderTimedOut(_) => FailureKind::Unreachable,
        CredentialsError::ProviderError(_) if is_unanswered(error) => FailureKind::Unreachable,
        // The SDK may come to know other errors.
        _ => FailureKind::Denied,
    };
    let help = match kind {
        FailureKind::Unreachable => "run again; check that the service that gives them can be reached from here",
        _ => {
            "set them where AWS's usual chain looks (environment, profile, role of the machine), or name `vault:` or \
             `web_identity:` under `aws:` in lockgate.yaml"
        }
    };
    Failure::new(kind, format!("no AWS credentials could be had: {}", network::root_of(error))).with_help(help)
}

/// Whether a call got no answer. A file that cannot be read is an I/O error too, and no such call.
fn is_unanswered(error: &CredentialsError) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    let is_of_a_file =
        |kind| matches!(kind, InvalidData | InvalidInput | IsADirectory | NotADirectory | NotFound | PermissionDenied);
    network::tls_cause(error).is_none()
        && (network::cause::<ConnectorError>(error).is_some_and(|error| error.is_io() || error.is_timeout())
            || network::cause::<std::io::Error>(error).is_some_and(|error| !is_of_a_file(error.kind())))
}

/// A path in Vault: of its AWS engine, or of a key/value engine.
pub(crate) struct InVault {
    pub(crate) vault: Arc<Vault>,
    pub(crate) path: String,
    pub(crate) runtime: Handle,
}

impl std::fmt::Debug for InVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InVault").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Source for InVault {
    async fn fetch(&self) -> Result<Fetched, Failure> {
        let answer = self.vault.call(Method::Read, &self.path, None).await?;
        let lease = self.vault.lease_of(&self.path, &answer, &self.runtime);
        let field = |name: &str| answer.field(name).map(|text| text.expose().clone());
        let (Some(id), Some(secret)) = (field("access_key"), field("secret_key")) else {
            let problem = Problem::Answer("it holds no access_key and secret_key".into());
            return Err(self.vault.failed(&self.path, problem).into());
        };
        let until = match lease {
            Some(id) => Until::Leased { vault: Arc::clone(&self.vault), id },
            None => Until::Unstated,
        };
        let session = field("security_token").or_else(|| field("session_token"));
        Ok(Fetched { credentials: Credentials::new(id, secret, session, None, "vault"), until })
    }
}

/// A role that is assumed with a token of an identity provider.
pub(crate) struct Assumed {
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) role_arn: String,
    pub(crate) tokens: Arc<TokenClient>,
}

impl std::fmt::Debug for Assumed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assumed").field("role", &self.role_arn).finish_non_exhaustive()
    }
}

#[async_trait]
impl Source for Assumed {
    async fn fetch(&self) -> Result<Fetched, Failure> {
        let token = self.tokens.token().await?;
        let failed = |problem| TrustError::Service { service: format!("AWS STS, role {}", self.role_arn), problem };
        let request = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(&self.role_arn)
            .role_session_name("lockgate")
            .web_identity_token(token.expose());
        let answer = request.send().await.map_err(|error| failed(aws::problem(&error)))?;
        let given = answer.credentials().ok_or_else(|| failed(Problem::Answer("no credentials".into())))?;
        let ends = SystemTime::try_from(*given.expiration()).ok();
        let session = Some(given.session_token().to_owned());
        let credentials =
            Credentials::new(given.access_key_id(), given.secret_access_key(), session, ends, "web identity");
        Ok(Fetched { credentials, until: ends.map_or(Until::Unstated, Until::At) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Gives numbered credentials that last `lasts`, unless it is told to fail or to hang; counts how often it is asked.
    #[derive(Debug)]
    struct Numbered {
        lasts: Option<Duration>,
        asked: Mutex<u32>,
        fails: Mutex<bool>,
        hangs: Mutex<bool>,
        now: Arc<Mutex<SystemTime>>,
    }

    #[async_trait]
    impl Source for Numbered {
        async fn fetch(&self) -> Result<Fetched, Failure> {
            // Others come to wait meanwhile.
            tokio::task::yield_now().await;
            let hangs = {
                *self.asked.lock().unwrap() += 1;
                *self.hangs.lock().unwrap()
            };
            if hangs {
                std::future::pending::<()>().await;
            }
            let asked = *self.asked.lock().unwrap();
            if *self.fails.lock().unwrap() {
                return Err(Failure::new(FailureKind::Unreachable, "nobody answers"));
            }
            let until = self.lasts.map_or(Until::Unstated, |lasts| Until::At(*self.now.lock().unwrap() + lasts));
            Ok(Fetched { credentials: Credentials::new(asked.to_string(), "s", None, None, "test"), until })
        }
    }

    struct Set {
        source: Arc<Numbered>,
        renewed: Renewed,
        now: Arc<Mutex<SystemTime>>,
    }

    impl Set {
        fn new(lasts: Option<Duration>) -> Self {
            let now = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_000_000)));
            let source = Numbered {
                lasts,
                asked: Mutex::new(0),
                fails: Mutex::default(),
                hangs: Mutex::default(),
                now: Arc::clone(&now),
            };
            let (source, told) = (Arc::new(source), Arc::clone(&now));
            let clock: Clock = Arc::new(move || *told.lock().unwrap());
            let renewed = Renewed(Arc::new(Inner {
                source: Arc::clone(&source) as Arc<dyn Source>,
                clock,
                runtime: Handle::current(),
                refresh_timeout: Duration::from_millis(10),
                held: tokio::sync::Mutex::default(),
            }));
            Self { source, renewed, now }
        }

        fn passes(&self, seconds: u64) {
            *self.now.lock().unwrap() += Duration::from_secs(seconds);
        }

        async fn id(&self) -> Result<String, Failure> {
            self.renewed.current().await.map(|credentials| credentials.access_key_id().to_owned())
        }

        fn fails(&self, does: bool) {
            *self.source.fails.lock().unwrap() = does;
        }

        fn asked(&self) -> u32 {
            *self.source.asked.lock().unwrap()
        }
    }

    #[test]
    fn a_chain_that_does_not_answer_is_worth_another_run_and_one_that_has_nothing_is_not() {
        use std::io::{Error, ErrorKind};
        let unknown_authority = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for (error, kind) in [
            (CredentialsError::provider_timed_out(Duration::from_secs(1)), FailureKind::Unreachable),
            (
                CredentialsError::provider_error(ConnectorError::io(Error::other("reset").into())),
                FailureKind::Unreachable,
            ),
            (
                CredentialsError::provider_error(ConnectorError::timeout("it takes too long".into())),
                FailureKind::Unreachable,
            ),
            (CredentialsError::provider_error(Error::from(ErrorKind::ConnectionReset)), FailureKind::Unreachable),
            (
                CredentialsError::provider_error(ConnectorError::io(Error::other(unknown_authority).into())),
                FailureKind::Denied,
            ),
            (CredentialsError::provider_error(Error::from(ErrorKind::PermissionDenied)), FailureKind::Denied),
            (CredentialsError::provider_error("the role does not trust us"), FailureKind::Denied),
            (CredentialsError::invalid_configuration("no region"), FailureKind::Denied),
            (CredentialsError::not_loaded("no providers in the chain gave any"), FailureKind::Denied),
            (CredentialsError::not_loaded_no_source(), FailureKind::Denied),
        ] {
            assert_eq!(no_credentials(&error).kind, kind, "{error:?}");
        }
    }

    #[tokio::test]
    async fn they_are_fetched_anew_shortly_before_they_end_and_once_for_all_who_wait() {
        // What STS gives at least, and at most; the margin is a sixth of the life, and never more than five minutes.
        for (lasts, margin) in [(900, 150), (3_600, 300), (43_200, 300)] {
            let set = Set::new(Some(Duration::from_secs(lasts)));
            for round in 1..=3 {
                let all = tokio::join!(set.id(), set.id(), set.id(), set.id());
                let wanted = Ok(round.to_string());
                assert_eq!(all, (wanted.clone(), wanted.clone(), wanted.clone(), wanted), "{lasts}");
                set.passes(lasts - margin - 1);
                assert_eq!(set.id().await, Ok(round.to_string()), "a second too early: {lasts}");
                set.passes(1);
            }
            assert_eq!(set.asked(), 3);
        }
    }

    #[tokio::test]
    async fn those_that_have_not_ended_are_used_while_new_ones_cannot_be_had() {
        let set = Set::new(Some(Duration::from_secs(900)));
        assert_eq!(set.id().await, Ok("1".into()));
        set.fails(true);
        set.passes(800);
        for _ in 0..5 {
            assert_eq!(set.id().await, Ok("1".into()));
        }
        assert_eq!(set.asked(), 2, "it is not asked at each use");
        set.passes(30);
        assert_eq!(set.id().await, Ok("1".into()));
        assert_eq!(set.asked(), 3);
        set.passes(70);
        assert_eq!(set.id().await.unwrap_err().kind, FailureKind::Unreachable, "they have ended");
        set.fails(false);
        assert_eq!(set.id().await, Ok("5".into()));
    }

    #[tokio::test]
    async fn nobody_waits_long_for_new_ones_while_the_present_ones_can_be_used() {
        let set = Set::new(Some(Duration::from_secs(900)));
        assert_eq!(set.id().await, Ok("1".into()));
        *set.source.hangs.lock().unwrap() = true;
        set.passes(800);
        assert_eq!(set.id().await, Ok("1".into()));
        *set.source.hangs.lock().unwrap() = false;
        set.passes(30);
        assert_eq!(set.id().await, Ok("3".into()));
    }

    #[tokio::test]
    async fn those_without_an_end_are_asked_for_again_after_a_while() {
        let set = Set::new(None);
        assert_eq!(set.id().await, Ok("1".into()));
        set.passes(15 * 60 - 1);
        assert_eq!(set.id().await, Ok("1".into()));
        set.passes(1);
        assert_eq!(set.id().await, Ok("2".into()));
        set.fails(true);
        set.passes(100_000);
        assert_eq!(set.id().await, Ok("2".into()), "they may be good for ever");
    }
}
