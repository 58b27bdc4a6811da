//! One way to a server: TLS that verifies its name, a fresh credential for each attempt, and a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_crypto::Secret;
use lockgate_model::Failure;
use lockgate_trust::{jittered, root_of, tls_cause};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{PostgresError, failed};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The first pause between two attempts; each is twice as long as the one before, up to two seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Who logs in.
pub struct PostgresLogin {
    /// The role.
    pub user: String,
    /// Its password; without one the certificate must do.
    pub password: Option<Secret<String>>,
}

/// Gives the login of one attempt.
pub type Logins = Arc<dyn Fn() -> Result<PostgresLogin, Failure> + Send + Sync>;

/// Gives the TLS settings of one attempt.
pub type TlsConfigs = Arc<dyn Fn() -> Result<Arc<rustls::ClientConfig>, Failure> + Send + Sync>;

/// A database on a server, and how it is logged into.
#[derive(Clone)]
pub struct PostgresServer {
    /// The server's name, which its certificate must show.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Gives whom to trust and which certificate to show; asked before each attempt.
    pub tls: TlsConfigs,
    /// Asked before each attempt.
    pub logins: Logins,
    /// How long a server that cannot be reached is tried again.
    pub patience: Duration,
    /// Where connections live.
    pub runtime: Handle,
}

/// What a server says of itself and of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version.
    pub version: String,
    /// The role that we are.
    pub user: String,
    /// Whether that role may do everything.
    pub is_superuser: bool,
    /// Its clock, in seconds since 1970.
    pub now: i64,
}

/// An open connection.
pub(super) struct Session {
    pub(super) client: Client,
    runtime: Handle,
    connection: AbortHandle,
}

impl PostgresServer {
    /// Connects and asks who is there.
    pub fn probe(&self) -> Result<ServerFacts, PostgresError> {
        let session = self.connect()?;
        let sql = "SELECT current_setting('server_version'), session_user::text, r.rolsuper, extract(epoch FROM now())::bigint \
                   FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
        let row = session.query_one(sql, &[])?;
        let read = || {
            Ok(ServerFacts {
                version: row.try_get(0)?,
                user: row.try_get(1)?,
                is_superuser: row.try_get(2)?,
                now: row.try_get(3)?,
            })
        };
        read().map_err(|error: tokio_postgres::Error| failed(&error))
    }

    /// Connects. A refused credential is fetched once more; a server that cannot be reached is tried again until its
    /// patience has passed.
    pub(super) fn connect(&self) -> Result<Session, PostgresError> {
        let began = Instant::now();
        let (mut pause, mut fetched_again) = (FIRST_PAUSE, false);
        loop {
            let error = match self.attempt() {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            let again = match &error {
                PostgresError::LoginRefused { .. } => !std::mem::replace(&mut fetched_again, true),
                PostgresError::Unreachable { .. } | PostgresError::Starting => began.elapsed() < self.patience,
                _ => false,
            };
            if !again {
                return Err(error);
            }
            std::thread::sleep(jittered(pause));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn attempt(&self) -> Result<Session, PostgresError> {
        let login = (self.logins)().map_err(PostgresError::Login)?;
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&login.user)
            .application_name("lockgate")
            .ssl_mode(SslMode::Require)
            .connect_timeout(ATTEMPT)
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(60));
        if let Some(password) = &login.password {
            config.password(password.expose());
        }
        let tls = (self.tls)().map_err(PostgresError::Login)?;
        let tls = MakeRustlsConnect::new((*tls).clone());
        let connected = self.runtime.block_on(async { tokio::time::timeout(ATTEMPT, config.connect(tls)).await });
        let at = format!("{}:{}", self.host, self.port);
        let (client, connection) = match connected {
            Err(_) => return Err(PostgresError::Unreachable { at, reason: "it does not answer".into() }),
            Ok(connected) => connected.map_err(|error| self.refused(&at, &login.user, &error))?,
        };
        let connection = self.runtime.spawn(async move {
            // What went wrong is told by the statement that was waiting.
            let _ = connection.await;
        });
        let connection = connection.abort_handle();
        let session = Session { client, runtime: self.runtime.clone(), connection };
        session.execute("SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD'; SET client_min_messages = error")?;
        session.execute(&format!("SET lock_timeout = '{}s'", super::LOCK_TIMEOUT_S))?;
        Ok(session)
    }

    fn refused(&self, at: &str, user: &str, error: &tokio_postgres::Error) -> PostgresError {
        let at = at.to_owned();
        if let Some(state) = error.code() {
            return match state {
                &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                    PostgresError::LoginRefused { at, user: user.to_owned() }
                }
                &SqlState::INVALID_CATALOG_NAME => PostgresError::NoDatabase { database: self.database.clone() },
                &SqlState::CANNOT_CONNECT_NOW => PostgresError::Starting,
                other => PostgresError::Failed { state: other.code().to_owned() },
            };
        }
        match tls_problem(error) {
            Some(reason) => PostgresError::Tls { at, reason },
            None => PostgresError::Unreachable { at, reason: root_of(error) },
        }
    }
}

/// What is wrong with the TLS of a server, if that is what is wrong.
fn tls_problem(error: &tokio_postgres::Error) -> Option<String> {
    // The server answered the request for TLS with "no"; tokio-postgres has no kind for it that can be asked.
    let speaks_none = || root_of(error).contains("server does not support TLS").then(|| "it speaks no TLS".to_owned());
    tls_cause(error).or_else(speaks_none)
}

impl Session {
    /// Runs statements that have no parameters and give no rows.
    pub(super) fn execute(&self, sql: &str) -> Result<(), PostgresError> {
        self.runtime.block_on(self.client.batch_execute(sql)).map_err(|error| failed(&error))
    }

    pub(super) fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, PostgresError> {
        self.runtime.block_on(self.client.query(sql, values)).map_err(|error| failed(&error))
    }

    pub(super) fn query_one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row, PostgresError> {
        self.runtime.block_on(self.client.query_one(sql, values)).map_err(|error| failed(&error))
    }

    /// Closes the connection whatever the server is sending.
    pub(super) fn abandon(&self) {
        self.connection.abort();
    }

    /// Waits for something that is done with the connection.
    pub(super) fn wait<T>(&self, doing: impl Future<Output = T>) -> T {
        self.runtime.block_on(doing)
    }
}
