//! Calls to services: one runtime, connections by TLS only, and each way in which a call can fail told apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde_json::Value;
use tokio::runtime::{Handle, Runtime};
use zeroize::Zeroize;

use crate::error::{Problem, TrustError};

/// How long one call may take.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// An object that is sent more slowly is given up, in bytes per second.
const PUT_BYTES_PER_S_MIN: u64 = 64 * 1024;
/// How long a service that cannot be reached, is sealed or throttles is tried again.
pub(crate) const RETRY_DEADLINE: Duration = Duration::from_secs(45);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where calls are made.
pub struct Network {
    runtime: Runtime,
}

impl Network {
    pub(crate) fn start() -> Result<Self, TrustError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Ok(Self { runtime: runtime.map_err(|error| TrustError::Tls(format!("threads cannot be started: {error}")))? })
    }

    /// Waits for something that is done on the network. Must not be called from a task of a runtime.
    pub fn wait<T>(&self, doing: impl Future<Output = T>) -> T {
        self.runtime.block_on(doing)
    }

    /// For what lives longer than one call.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }
}

/// A client of HTTP that knows whom to trust. It follows no redirection, which could lead a secret elsewhere.
pub(crate) fn http(tls: &Arc<ClientConfig>) -> Result<reqwest::Client, TrustError> {
    built(clients(tls).timeout(CALL_TIMEOUT))
}

/// The same for events, whose server may be one without TLS.
pub(crate) fn event_client(tls: &Arc<ClientConfig>, timeout: Duration) -> Result<reqwest::Client, TrustError> {
    built(clients(tls).https_only(false).timeout(timeout))
}

/// The same for objects of any length.
///
/// An answer must begin within [`CALL_TIMEOUT`], and may pause no longer; how long it is in all is not limited. The library
/// counts the time in which a request is sent as such a pause, so an object that is put has its own [`put_timeout`].
#[derive(Debug, Clone)]
pub(crate) struct ObjectHttp {
    answers: reqwest::Client,
    puts: reqwest::Client,
}

impl ObjectHttp {
    pub(crate) fn new(tls: &Arc<ClientConfig>) -> Result<Self, TrustError> {
        Ok(Self { answers: built(clients(tls).read_timeout(CALL_TIMEOUT))?, puts: built(clients(tls))? })
    }

    pub(crate) async fn execute(&self, mut request: reqwest::Request) -> reqwest::Result<reqwest::Response> {
        if request.method() != reqwest::Method::PUT {
            return self.answers.execute(request).await;
        }
        let content = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let timeout = put_timeout(content.len() as u64);
        *request.timeout_mut() = Some(timeout);
        self.puts.execute(request).await
    }
}

/// How long an object of so many bytes may take to be sent and answered: as long as a call, and what it takes to send it at
/// [`PUT_BYTES_PER_S_MIN`].
fn put_timeout(bytes: u64) -> Duration {
    CALL_TIMEOUT + Duration::from_secs(bytes.div_ceil(PUT_BYTES_PER_S_MIN))
}

fn clients(tls: &Arc<ClientConfig>) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured((**tls).clone())
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, TrustError> {
    builder.build().map_err(|error| TrustError::Tls(root_of(&error)))
}

/// What a call that gave no answer means.
pub(crate) fn unanswered(error: &reqwest::Error) -> Problem {
    if let Some(tls) = tls_cause(error) {
        return Problem::Tls(tls);
    }
    Problem::Unreachable(if error.is_timeout() { "it does not answer".to_owned() } else { root_of(error) })
}

/// What is wrong with TLS, if that is what is wrong.
pub fn tls_cause(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    cause::<rustls::Error>(error).map(tls_text)
}

/// What went wrong in a handshake. A server that has nothing in common with us says no more than that it failed.
pub(crate) fn tls_text(error: &rustls::Error) -> String {
    use rustls::AlertDescription::{HandshakeFailure, InsufficientSecurity, ProtocolVersion};
    match error {
        rustls::Error::AlertReceived(HandshakeFailure | InsufficientSecurity | ProtocolVersion) => format!(
            "{error}: it has no version, suite or group of TLS that the rules permit, or wants a certificate that we do not show"
        ),
        other => other.to_string(),
    }
}

/// The first error of a kind among an error and its causes. What an I/O error holds is not among its sources.
pub(crate) fn cause<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    while let Some(cause) = at {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        let held = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        at = match held {
            Some(held) => Some(held),
            None => cause.source(),
        };
    }
    None
}

/// What the last of an error's causes says.
pub fn root_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// An answer in JSON: its status and its content; null where it has none. What it held in memory is wiped.
pub(crate) async fn answer(mut response: reqwest::Response) -> Result<(u16, Value), Problem> {
    let status = response.status().as_u16();
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Problem::Answer(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.is_empty() {
        return Ok((status, Value::Null));
    }
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok((status, value)),
        Err(_) if status >= 300 => Ok((status, Value::Null)),
        Err(_) => Err(Problem::Answer("it is no JSON".to_owned())),
    }
}

/// Overwrites every text of an answer that held secrets.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Calls until it works, fails for good, or `patience` has passed; pauses grow and are spread at random.
pub(crate) async fn retried<T, F: Future<Output = Result<T, Problem>>>(
    patience: Duration,
    mut call: impl FnMut() -> F,
) -> Result<T, Problem> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match call().await {
            Err(problem) if problem.may_pass() && began.elapsed() < patience => {}
            done => return done,
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between half and the whole of a pause, so that many clients of one server do not come back together.
pub fn jittered(pause: Duration) -> Duration {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    pause / 2 + pause.mul_f64(f64::from(nanos % 1_000) / 2_000.0)
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// For servers that tests themselves are, without TLS too.
    pub(crate) fn clients() -> reqwest::ClientBuilder {
        let tls = ClientConfig::builder_with_provider(Arc::new(crate::tls::provider(jiff::Timestamp::now())))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        super::clients(&Arc::new(tls)).https_only(false)
    }

    #[tokio::test]
    async fn an_object_may_take_longer_to_be_put_than_an_answer_may_pause() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let request = |method| {
            let mut request = reqwest::Request::new(method, url.parse().unwrap());
            *request.body_mut() = Some("content".into());
            request
        };
        let answers = clients().read_timeout(Duration::from_millis(50)).build().unwrap();
        let http = ObjectHttp { answers, puts: clients().build().unwrap() };
        let (putting, put) = (http.clone(), request(reqwest::Method::PUT));
        let put = tokio::spawn(async move { putting.execute(put).await });
        let (mut service, _) = server.accept().await.unwrap();
        // The put has lasted longer than this when it is answered.
        assert!(http.execute(request(reqwest::Method::GET)).await.unwrap_err().is_timeout());
        service.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        assert!(put.await.unwrap().unwrap().status().is_success());
    }

    #[test]
    fn the_time_for_an_object_grows_with_it() {
        for (bytes, seconds) in [
            (0, 15),
            (1, 16),
            (PUT_BYTES_PER_S_MIN, 16),
            (PUT_BYTES_PER_S_MIN + 1, 17),
            (5 * 1024 * 1024, 15 + 80),
            (4 * 1024 * 1024 * 1024, 15 + 65_536),
        ] {
            assert_eq!(put_timeout(bytes), Duration::from_secs(seconds), "{bytes}");
        }
    }
}
