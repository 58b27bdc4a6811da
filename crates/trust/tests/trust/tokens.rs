//! Access tokens that must not be believed, beside ones that must.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use lockgate_trust::{BearerToken, JwtRefusal, JwtValidator, TOKEN_BYTES_MAX};
use serde_json::{Value, json};

/// A P-256 key of these tests alone: the private one in PKCS #8, and its public point.
const PRIVATE: &str = include_str!("keys/p256.pem");
const X: &str = include_str!("keys/p256.x");
const Y: &str = include_str!("keys/p256.y");

fn keys(ids: &[&str]) -> JwkSet {
    let key = |id: &&str| json!({ "kty": "EC", "crv": "P-256", "x": X.trim(), "y": Y.trim(), "kid": id, "use": "sig", "alg": "ES256" });
    serde_json::from_value(json!({ "keys": ids.iter().map(key).collect::<Vec<_>>() })).unwrap()
}

fn validator() -> JwtValidator {
    JwtValidator::new("https://issuer.test", "lockgate", 5, Box::new(|| Some(keys(&["k1"]))))
}

fn claims() -> Value {
    let now = get_current_timestamp();
    json!({ "iss": "https://issuer.test", "aud": "lockgate", "sub": "etl", "iat": now, "nbf": now, "exp": now + 60 })
}

fn with(field: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[field] = value;
    claims
}

fn without(field: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(field);
    claims
}

fn signed(claims: &Value, kid: &str) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_pem(PRIVATE.as_bytes()).unwrap()).unwrap()
}

fn assembled(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn judged(validator: &JwtValidator, text: &str) -> Result<String, JwtRefusal> {
    validator.validate(&BearerToken { text, certificate_sha256: None }).map(|claims| claims.sub)
}

#[test]
fn hostile_tokens_are_refused_each_for_its_own_reason() {
    let validator = validator();
    let now = get_current_timestamp();
    assert_eq!(judged(&validator, &signed(&claims(), "k1")), Ok("etl".to_owned()));
    let public = format!("{X}{Y}");
    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = Some("k1".into());
    let confused = jsonwebtoken::encode(&confused, &claims(), &EncodingKey::from_secret(public.as_bytes())).unwrap();
    let good = signed(&claims(), "k1");
    let (unsigned, signature) = good.rsplit_once('.').unwrap();
    let other = signed(&with("sub", json!("admin")), "k1");
    let stolen = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    for (what, token, refusal) in [
        ("alg none", assembled(&json!({ "alg": "none", "kid": "k1" }), &claims(), ""), JwtRefusal::Algorithm),
        ("alg None", assembled(&json!({ "alg": "None", "kid": "k1" }), &claims(), ""), JwtRefusal::Algorithm),
        ("the public key as a secret", confused, JwtRefusal::Algorithm),
        (
            "another algorithm of our list",
            assembled(&json!({ "alg": "RS256", "kid": "k1" }), &claims(), signature),
            JwtRefusal::Algorithm,
        ),
        (
            "a critical header",
            assembled(&json!({ "alg": "ES256", "kid": "k1", "crit": ["x"] }), &claims(), signature),
            JwtRefusal::Algorithm,
        ),
        ("no algorithm", assembled(&json!({ "kid": "k1" }), &claims(), signature), JwtRefusal::NotAToken),
        ("no key id", assembled(&json!({ "alg": "ES256" }), &claims(), signature), JwtRefusal::UnknownKey),
        ("an unknown key", signed(&claims(), "k9"), JwtRefusal::UnknownKey),
        ("a signature of other claims", stolen, JwtRefusal::Signature),
        ("no signature", format!("{unsigned}."), JwtRefusal::Signature),
        ("expired", signed(&with("exp", json!(now - 60)), "k1"), JwtRefusal::Expired),
        ("from the future", signed(&with("nbf", json!(now + 60)), "k1"), JwtRefusal::NotYet),
        ("for another audience", signed(&with("aud", json!("vault")), "k1"), JwtRefusal::Audience),
        ("from another issuer", signed(&with("iss", json!("https://evil.test")), "k1"), JwtRefusal::Issuer),
        ("no end", signed(&without("exp"), "k1"), JwtRefusal::Claims),
        ("no audience", signed(&without("aud"), "k1"), JwtRefusal::Claims),
        ("no subject", signed(&without("sub"), "k1"), JwtRefusal::Claims),
        ("an end that is no number", signed(&with("exp", json!("tomorrow")), "k1"), JwtRefusal::Claims),
        ("bound to a certificate", signed(&with("cnf", json!({ "x5t#S256": "AAAA" })), "k1"), JwtRefusal::Binding),
        ("bound in another way", signed(&with("cnf", json!({ "jkt": "AAAA" })), "k1"), JwtRefusal::Binding),
        ("huge", "a".repeat(TOKEN_BYTES_MAX + 1), JwtRefusal::TooLong),
        ("empty", String::new(), JwtRefusal::NotAToken),
        ("dots", "..".into(), JwtRefusal::NotAToken),
        ("no base64", "%%%.%%%.%%%".into(), JwtRefusal::NotAToken),
        ("deep", assembled(&json!({ "alg": { "alg": "ES256" } }), &claims(), signature), JwtRefusal::NotAToken),
    ] {
        assert_eq!(judged(&validator, &token), Err(refusal), "{what}");
    }
    assert_eq!(
        judged(&validator, &signed(&with("exp", json!(now - 2)), "k1")),
        Ok("etl".to_owned()),
        "within the leeway"
    );
}

#[test]
fn a_bound_token_is_for_the_certificate_that_it_names() {
    let validator = validator();
    let shown = [7u8; 32];
    let token = signed(&with("cnf", json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(shown) })), "k1");
    let judged = |certificate_sha256| validator.validate(&BearerToken { text: &token, certificate_sha256 }).map(drop);
    assert_eq!(judged(Some(shown)), Ok(()));
    assert_eq!(judged(Some([8; 32])), Err(JwtRefusal::Binding));
    assert_eq!(judged(None), Err(JwtRefusal::Binding));
}

#[test]
fn a_new_key_is_fetched_and_an_unknown_one_cannot_make_us_ask_without_end() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let fetch = move || {
        let ids: &[&str] = if counted.fetch_add(1, Ordering::Relaxed) == 0 { &["k1"] } else { &["k1", "k2"] };
        Some(keys(ids))
    };
    let validator = JwtValidator::new("https://issuer.test", "lockgate", 5, Box::new(fetch));
    assert!(judged(&validator, &signed(&claims(), "k1")).is_ok());
    for _ in 0..50 {
        assert_eq!(judged(&validator, &signed(&claims(), "k9")), Err(JwtRefusal::UnknownKey));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "so soon after the last time the issuer is not asked again");
}
