//! Looks at services without using them: what is reachable, what their TLS is like, how long what they lent lasts.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lockgate_project::{KeyService, TlsIdentity, TlsSettings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, StreamOwned};
use serde::Serialize;
use serde_json::Value;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::{Problem, TrustError};
use crate::network::tls_text;
use crate::site::Site;
use crate::tls;
use crate::vault::Method;

/// How long connecting and each step of a handshake may take.
const STEP: Duration = Duration::from_secs(5);
/// What a PostgreSQL client asks first: eight bytes long, the code of a request for TLS.
const POSTGRES_TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A certificate, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateFacts {
    /// Whom it is for.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsFacts {
    /// Such as `TLSv1_3`.
    pub version: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub suite: String,
    /// What the rule table says of the suite's cipher today.
    pub rule: String,
    /// What the server showed, its own certificate first.
    pub chain: Vec<CertificateFacts>,
}

/// How a server begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// With TLS.
    Tls,
    /// With PostgreSQL's request for it.
    Postgres,
}

/// What Vault says of our token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenFacts {
    /// Seconds that it lasts; absent for ever.
    pub ttl_s: Option<u64>,
    /// Whether it can be made to last longer.
    pub renewable: bool,
    /// What it may do.
    pub policies: Vec<String>,
}

impl Site {
    /// Makes a TLS handshake with a server and says nothing further to it.
    pub fn probe_tls(
        &self,
        host: &str,
        port: u16,
        opening: Opening,
        own: Option<&TlsSettings>,
    ) -> Result<TlsFacts, TrustError> {
        let failed = |problem| TrustError::Service { service: format!("{host}:{port}"), problem };
        let unreachable = |error: std::io::Error| {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            failed(tls.map_or_else(|| Problem::Unreachable(error.to_string()), |tls| Problem::Tls(tls_text(tls))))
        };
        let config = self.tls(own)?;
        let mut addresses = (host, port).to_socket_addrs().map_err(unreachable)?;
        let address = addresses.next().ok_or_else(|| failed(Problem::Unreachable("its name has no address".into())))?;
        let mut stream = TcpStream::connect_timeout(&address, STEP).map_err(unreachable)?;
        stream.set_read_timeout(Some(STEP)).and_then(|()| stream.set_write_timeout(Some(STEP))).map_err(unreachable)?;
        if opening == Opening::Postgres {
            let mut answer = [0];
            stream
                .write_all(&POSTGRES_TLS_REQUEST)
                .and_then(|()| stream.read_exact(&mut answer))
                .map_err(unreachable)?;
            if answer != *b"S" {
                return Err(failed(Problem::Tls("it speaks no TLS".into())));
            }
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failed(Problem::Tls("its name is none that a certificate can show".into())))?;
        let connection = ClientConnection::new(Arc::clone(&config), name);
        let connection = connection.map_err(|error| failed(Problem::Tls(error.to_string())))?;
        let mut tls = StreamOwned::new(connection, stream);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).map_err(unreachable)?;
        }
        let shown = tls.conn.peer_certificates().unwrap_or_default();
        let suite = tls.conn.negotiated_cipher_suite().map(|suite| suite.suite());
        Ok(TlsFacts {
            version: tls.conn.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default(),
            suite: suite.map(|suite| format!("{suite:?}")).unwrap_or_default(),
            rule: suite.map(|suite| tls::judged(suite, Timestamp::now())).unwrap_or_default(),
            chain: shown.iter().filter_map(|certificate| facts(certificate)).collect(),
        })
    }

    /// Our own certificate, if the project names one in a file.
    pub fn own_certificate(&self, own: Option<&TlsSettings>) -> Result<Option<CertificateFacts>, TrustError> {
        match &own.unwrap_or(&self.tls).identity {
            Some(TlsIdentity::Files { certificate, .. }) => {
                let pem = tls::read(certificate)?;
                let first = CertificateDer::pem_slice_iter(&pem).next().and_then(Result::ok);
                Ok(first.and_then(|certificate| facts(&certificate)))
            }
            Some(TlsIdentity::VaultPki { .. }) | None => Ok(None),
        }
    }

    /// Logs in to Vault and asks about our token; `None` for a project without Vault.
    pub fn probe_vault(&self) -> Result<Option<TokenFacts>, TrustError> {
        if self.vault.is_none() {
            return Ok(None);
        }
        let vault = self.vault()?;
        let answer = self.network()?.wait(vault.call(Method::Read, "auth/token/lookup-self", None))?;
        let number = |field: &str| answer.data.get(field).and_then(Value::as_u64);
        let policies = answer.data.get("policies").and_then(Value::as_array).into_iter().flatten();
        Ok(Some(TokenFacts {
            ttl_s: number("ttl").filter(|ttl| *ttl > 0),
            renewable: answer.data.get("renewable").and_then(Value::as_bool).unwrap_or_default(),
            policies: policies.filter_map(Value::as_str).map(str::to_owned).collect(),
        }))
    }

    /// The key-encryption key at its service, as it is now; `None` for local keys.
    pub fn probe_key_service(&self) -> Result<Option<String>, TrustError> {
        let service: &KeyService = &self.keys.default.service;
        let Some(guarded) = self.key_service(service)? else { return Ok(None) };
        let described = guarded.call(|service| service.describe());
        let described = described.map_err(|problem| guarded.failed(problem))?;
        let version = described.version.map_or_else(String::new, |version| format!(", version {version}"));
        Ok(Some(format!("{} is enabled{version}, {}", described.key, described.algorithm)))
    }
}

fn facts(certificate: &CertificateDer<'_>) -> Option<CertificateFacts> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(CertificateFacts {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        expires: Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()?,
    })
}
