//! A small HTTPS server of a test's own, for answers that no real service gives on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use lockgate_test_services::Services;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// A request.
pub(crate) struct Asked {
    /// Such as `POST /v1/secret/data/x`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    /// The certificate that the client showed, in DER; empty where it showed none.
    pub(crate) certificate: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|header| header.0 == name).map_or("", |header| header.1.as_str())
    }
}

/// A status, more headers, and a body.
pub(crate) type Answered = (u16, &'static str, Value);

/// Answers on a port of its own, under the test authority's certificate of `localhost`, as long as the test runs.
pub(crate) fn serve(services: &Services, answer: impl Fn(&Asked) -> Answered + Send + Sync + 'static) -> u16 {
    let chain = CertificateDer::pem_file_iter(services.pki("server.crt")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(services.pki("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut clients = RootCertStore::empty();
    for authority in ["ca.pem", "other-ca.pem"] {
        clients.add(CertificateDer::from_pem_file(services.pki(authority)).unwrap()).unwrap();
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), Arc::clone(&provider));
    let verifier = verifier.allow_unauthenticated().build().unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
            // A client that goes away has its reasons.
            std::thread::spawn(move || drop(exchange(stream, config, answer.as_ref())));
        }
    });
    port
}

fn exchange(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: &(impl Fn(&Asked) -> Answered + ?Sized),
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header)?;
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|header| header.0 == "content-length").and_then(|header| header.1.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body)?;
    let line = line.rsplit_once(" HTTP/").map_or("", |(line, _)| line).to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let shown = stream.get_ref().conn.peer_certificates().and_then(|chain| chain.first());
    let certificate = shown.map(|certificate| certificate.to_vec()).unwrap_or_default();
    let asked = Asked { line, headers, body, certificate };
    let (status, more, body) = answer(&asked);
    let (body, out) = (body.to_string(), stream.get_mut());
    write!(out, "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len())?;
    write!(out, "Connection: close\r\n{more}\r\n{body}")?;
    out.conn.send_close_notify();
    out.flush()
}
