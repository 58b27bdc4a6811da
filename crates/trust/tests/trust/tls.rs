//! Mutual TLS: certificates that are replaced while a program runs, servers that offer too little, tokens bound to one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use jsonwebtoken::jwk::JwkSet;
use lockgate_crypto::sha256;
use lockgate_model::{Failure, FailureKind};
use lockgate_project::{SecretRef, TlsIdentity};
use lockgate_test_services::{Services, services};
use lockgate_trust::{BearerToken, JwtRefusal, JwtValidator, Opening, Site};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use crate::services::{ROOT, place};
use crate::tls_server::serve;

const LOCAL: &str = "local: ./keys";

fn der(services: &Services, name: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(services.pki(name)).unwrap().to_vec()
}

#[test]
fn a_certificate_that_is_replaced_is_shown_from_the_next_connection_on() {
    let Some(services) = services() else { return };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    // As much of Vault as tells whose token it is.
    let port = serve(&services, move |asked| {
        noted.lock().unwrap().push(asked.certificate.clone());
        (200, "", json!({ "data": { "ttl": 3600, "renewable": true, "policies": ["etl"] } }))
    });
    let place = place(&services, LOCAL, ROOT, "");
    let at = |name: &str| place.folder.path().join(name);
    let mut project = (*place.site).clone();
    project.vault.as_mut().unwrap().address = format!("https://localhost:{port}");
    let key = SecretRef::File(at("own.key"));
    project.tls.identity = Some(TlsIdentity::Files { certificate: at("own.crt"), key });
    let put = |from: &str, to: &str| {
        std::fs::copy(services.pki(from), at(to)).unwrap();
    };
    put("svc-etl.crt", "own.crt");
    put("svc-etl.key", "own.key");
    let site = Site::new(project).impatient();
    let shown = || {
        site.probe_vault().unwrap();
        seen.lock().unwrap().last().unwrap().clone()
    };
    assert_eq!(shown(), der(&services, "svc-etl.crt"));
    put("stranger.crt", "own.crt");
    assert_eq!(shown(), der(&services, "svc-etl.crt"), "the new certificate does not fit the old key");
    put("stranger.key", "own.key");
    assert_eq!(shown(), der(&services, "stranger.crt"));
    std::fs::remove_file(at("own.key")).unwrap();
    assert_eq!(shown(), der(&services, "stranger.crt"), "a file that is gone for a moment");
}

/// A server of OpenSSL's with options of its own; ends when dropped.
struct OpenSsl(Child, u16);

impl OpenSsl {
    fn new(services: &Services, options: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-cert", &services.pki("server.crt")]);
        command.args(["-key", &services.pki("server.key"), "-www"]).args(options);
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = |line: String| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok();
        let port = lines.into_iter().find_map(port).expect("it says where it listens");
        Self(server, port)
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_that_offers_nothing_approved_is_refused() {
    let Some(services) = services() else { return };
    let place = place(&services, LOCAL, ROOT, "");
    for (options, agreed) in [
        (&["-tls1_3"][..], Some("TLSv1_3")),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], Some("TLSv1_2")),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], None),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"], None),
        (&["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], None),
        (&["-tls1_3", "-groups", "X25519"], None),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], None),
    ] {
        let server = OpenSsl::new(&services, options);
        let probed = place.site.probe_tls("localhost", server.1, Opening::Tls, None).map_err(Failure::from);
        match (probed, agreed) {
            (Ok(facts), Some(version)) => {
                assert_eq!(facts.version, version, "{options:?}");
                assert!(facts.rule.contains("is approved") && facts.rule.contains("AES-"), "{options:?}: {facts:?}");
                assert_eq!(facts.chain.len(), 1, "{facts:?}");
            }
            (Err(failure), None) => {
                assert_eq!(failure.kind, FailureKind::Refused, "{options:?}: {failure}");
                assert!(failure.message.contains("that the rules permit"), "{options:?}: {failure}");
                assert!(failure.help.as_deref().is_some_and(|help| help.contains("AES-GCM")), "{failure:?}");
            }
            (probed, _) => panic!("{options:?}: {probed:?}"),
        }
    }
}

#[test]
fn a_token_that_is_bound_to_our_certificate_is_good_with_it_alone() {
    let Some(services) = services() else { return };
    let client = format!(
        "oauth:\n  bound: {{ token_url: '{}', client_id: etl-certificate, scopes: [read], resource: 'urn:lockgate' }}\n",
        services.text("/oauth/token_url")
    );
    let place = place(&services, LOCAL, ROOT, &client);
    let token = place.site.access_token("bound").unwrap();
    let (tls, jwks) = (place.site.tls(None).unwrap(), services.text("/oauth/jwks_url"));
    let fetch = move || {
        let http = reqwest::Client::builder().tls_backend_preconfigured((*tls).clone()).build().ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let asked = async { http.get(&jwks).send().await.ok()?.bytes().await.ok() };
        serde_json::from_slice::<JwkSet>(&runtime.block_on(asked)?).ok()
    };
    let validator = JwtValidator::new(&services.text("/oauth/issuer"), "lockgate", 5, Box::new(fetch));
    let judged = |certificate: Option<&str>| {
        let certificate_sha256 = certificate.map(|name| *sha256(&der(&services, name)).as_bytes());
        validator.validate(&BearerToken { text: token.expose(), certificate_sha256 })
    };
    let claims = judged(Some("svc-etl.crt")).unwrap();
    assert_eq!(claims.sub, "etl-certificate");
    assert!(claims.other["cnf"]["x5t#S256"].is_string(), "{claims:?}");
    assert_eq!(judged(Some("stranger.crt")).err(), Some(JwtRefusal::Binding));
    assert_eq!(judged(None).err(), Some(JwtRefusal::Binding));
}
