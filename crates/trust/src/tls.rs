//! TLS as the rules allow it: 1.3, or 1.2 with suites that NIST approves; the server proves its name, and we ours where
//! a certificate is given.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use lockgate_crypto::{Secret, assess};
use lockgate_project::SecretRef;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ClientConfig, NamedGroup, RootCertStore};

use crate::error::TrustError;
use crate::secret_ref;

/// The largest file of certificates, in bytes.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Who we are.
pub(crate) enum Identity {
    /// What was fetched just now.
    Fetched(Pem),
    /// Files, which are read anew when they have changed.
    Files { certificate: PathBuf, key: PathBuf },
}

/// Our certificate with its key, both in PEM.
pub(crate) struct Pem {
    /// The certificate and those between it and its authority.
    pub(crate) chain: Vec<u8>,
    /// Its private key.
    pub(crate) key: Secret<String>,
}

/// The suites and groups that the rule table permits today.
pub(crate) fn provider(now: Timestamp) -> CryptoProvider {
    let day = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let permits = |name: &str| assess(name, day).is_ok_and(|assessment| assessment.permits_protecting());
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| cipher_of(suite.suite()).is_some_and(permits));
    provider.kx_groups.retain(|group| exchange_of(group.name()).is_some_and(permits));
    provider
}

/// The cipher of a suite, as the rule table names it. All suites of the provider agree on keys anew for each connection.
fn cipher_of(suite: CipherSuite) -> Option<&'static str> {
    match suite {
        CipherSuite::TLS13_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => Some("AES-256-GCM"),
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => Some("AES-128-GCM"),
        _ => None,
    }
}

/// What the rule table says of a suite today.
pub(crate) fn judged(suite: CipherSuite, now: Timestamp) -> String {
    let day = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    match cipher_of(suite).and_then(|cipher| assess(cipher, day).ok()) {
        Some(assessment) => assessment.to_string(),
        None => "which the rules do not know".to_owned(),
    }
}

/// How keys are agreed on in a group, as the rule table names it.
fn exchange_of(group: NamedGroup) -> Option<&'static str> {
    match group {
        NamedGroup::secp256r1 => Some("ECDH-P-256"),
        NamedGroup::secp384r1 => Some("ECDH-P-384"),
        NamedGroup::X25519 => Some("X25519"),
        _ => None,
    }
}

/// A client's side: whom it trusts (the authorities in `ca`, or those of the system) and who it is.
pub(crate) fn client(
    ca: Option<&Path>,
    identity: Option<&Identity>,
    now: Timestamp,
) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(provider(now));
    let failed = |error: rustls::Error| TrustError::Tls(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(authorities(ca)?);
    let resolver: Arc<dyn ResolvesClientCert> = match identity {
        None => return Ok(Arc::new(builder.with_no_client_auth())),
        Some(Identity::Fetched(pem)) => Arc::new(OneCertificate(certified(pem, &provider)?)),
        Some(Identity::Files { certificate, key }) => Arc::new(FromFiles::read(certificate, key, provider)?),
    };
    let mut config = builder.with_client_cert_resolver(resolver);
    // A session that is resumed goes on with the certificate that was shown when it began.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn authorities(ca: Option<&Path>) -> Result<Arc<RootCertStore>, TrustError> {
    let Some(path) = ca else { return of_the_system() };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&read(path)?).map_err(|reason| damaged(path, reason))? {
        roots.add(certificate).map_err(|error| damaged(path, error.to_string()))?;
    }
    Ok(Arc::new(roots))
}

/// The system's authorities, which are many, and looked for once.
fn of_the_system() -> Result<Arc<RootCertStore>, TrustError> {
    static FOUND: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(Arc::clone(found));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let reason =
            "the system has no certificates of authorities: install them, or name a file with `tls: { ca: … }`";
        return Err(TrustError::Tls(reason.to_owned()));
    }
    Ok(Arc::clone(FOUND.get_or_init(|| Arc::new(roots))))
}

fn certified(identity: &Pem, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TrustError> {
    let wrong = |reason: String| TrustError::Tls(format!("our certificate cannot be used: {reason}"));
    let chain = certificates(&identity.chain).map_err(wrong)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes())
        .map_err(|_| wrong("its private key is no PEM of a key".to_owned()))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| wrong(error.to_string()))?;
    Ok(Arc::new(certified))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err("it holds no certificates in PEM".to_owned()),
    }
}

/// A file of certificates, whole.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    let failed = |source| TrustError::File { path: path.to_path_buf(), verb: "read", source };
    if std::fs::metadata(path).map_err(failed)?.len() > PEM_BYTES_MAX {
        return Err(damaged(path, format!("it is longer than {PEM_BYTES_MAX} bytes")));
    }
    std::fs::read(path).map_err(failed)
}

fn damaged(path: &Path, reason: String) -> TrustError {
    TrustError::Tls(format!("{}: {reason}", path.display()))
}

/// Shows our certificate to every server that asks.
#[derive(Debug)]
struct OneCertificate(Arc<CertifiedKey>);

impl ResolvesClientCert for OneCertificate {
    fn resolve(&self, _: &[&[u8]], schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Shows the certificate that lies in files now. Files that cannot be used, such as a new certificate beside an old key, are
/// passed over for as long as they are so: what was shown before is shown then.
#[derive(Debug)]
struct FromFiles {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    held: Mutex<(Stamps, Arc<CertifiedKey>)>,
}

/// When two files were last changed, and how long they are.
type Stamps = [Option<(SystemTime, u64)>; 2];

impl FromFiles {
    fn read(certificate: &Path, key: &Path, provider: Arc<CryptoProvider>) -> Result<Self, TrustError> {
        // Looked at before they are read: what is changed meanwhile is read again.
        let stamps = stamps(certificate, key);
        let held = Mutex::new((stamps, certified(&pem_files(certificate, key)?, &provider)?));
        Ok(Self { certificate: certificate.to_path_buf(), key: key.to_path_buf(), provider, held })
    }

    fn present(&self) -> Arc<CertifiedKey> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.certificate, &self.key);
        if stamps != held.0 {
            let read = pem_files(&self.certificate, &self.key).and_then(|pem| certified(&pem, &self.provider));
            if let Ok(read) = read {
                *held = (stamps, read);
            }
        }
        Arc::clone(&held.1)
    }
}

fn pem_files(certificate: &Path, key: &Path) -> Result<Pem, TrustError> {
    Ok(Pem { chain: read(certificate)?, key: secret_ref::fetch(&SecretRef::File(key.to_path_buf()))? })
}

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|file| {
        let about = std::fs::metadata(file).ok()?;
        Some((about.modified().ok()?, about.len()))
    })
}

impl ResolvesClientCert for FromFiles {
    fn resolve(&self, _: &[&[u8]], schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let present = self.present();
        present.key.choose_scheme(schemes).map(|_| present)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_rule_table_permits_is_offered() {
        let provider = provider("2026-11-24T00:00:00Z".parse().unwrap());
        let suites: Vec<_> = provider.cipher_suites.iter().map(|suite| suite.suite()).collect();
        assert_eq!(suites.len(), 6, "{suites:?}");
        assert!(suites.iter().all(|suite| format!("{suite:?}").contains("AES_")), "{suites:?}");
        let groups: Vec<_> = provider.kx_groups.iter().map(|group| group.name()).collect();
        assert!(groups.contains(&NamedGroup::secp256r1) && groups.contains(&NamedGroup::secp384r1), "{groups:?}");
        assert!(!groups.contains(&NamedGroup::X25519), "not in SP 800-56A: {groups:?}");
    }
}
