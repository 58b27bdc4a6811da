//! Ways into Vault that need a cluster, a namespace or an agent, and AWS Secrets Manager beside it.

use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use lockgate_crypto::Secret;
use lockgate_model::{Failure, FailureKind};
use lockgate_project::SecretRef;
use lockgate_test_services::services;
use lockgate_trust::Site;
use serde_json::{Value, json};

use crate::services::{ROOT, place};
use crate::tls_server::{Answered, Asked, serve};

const LOCAL: &str = "local: ./keys";

fn secret_of_vault(site: &Site, path: &str) -> Result<String, Failure> {
    let reference = SecretRef::Vault { path: path.to_owned(), field: "password".into() };
    site.secret(&reference).map(|secret: Secret<String>| secret.expose().clone()).map_err(Failure::from)
}

/// The token of a pod's service account, as Kubernetes issues it.
fn pod_token(account: &str) -> String {
    let now = get_current_timestamp();
    let claims = json!({
        "iss": "https://kubernetes.default.svc.cluster.local", "sub": format!("system:serviceaccount:jobs:{account}"),
        "aud": ["https://kubernetes.default.svc.cluster.local"], "iat": now, "nbf": now, "exp": now + 600,
        "kubernetes.io": { "namespace": "jobs", "serviceaccount": { "name": account, "uid": format!("uid-{account}") } },
    });
    let key = EncodingKey::from_ec_pem(include_bytes!("keys/p256.pem")).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
}

#[test]
fn a_pod_logs_in_with_the_token_of_its_service_account() {
    let Some(services) = services() else { return };
    let (known, other) = (pod_token("etl"), pod_token("other"));
    let (forged, planted) = (format!("{known}x"), known.clone());
    // The cluster's API server: it knows one token, and whom it lets ask.
    let review = move |asked: &Asked| -> Answered {
        let may_ask = asked.header("authorization") == "Bearer planted-reviewer";
        if asked.line != "POST /apis/authentication.k8s.io/v1/tokenreviews" || !may_ask {
            return (403, "", json!({ "kind": "Status", "status": "Failure", "code": 403 }));
        }
        let is_known = asked.body["spec"]["token"] == planted.as_str();
        let groups = ["system:serviceaccounts", "system:serviceaccounts:jobs", "system:authenticated"];
        let user = json!({ "username": "system:serviceaccount:jobs:etl", "uid": "uid-etl", "groups": groups });
        let status = match is_known {
            true => json!({ "authenticated": true, "user": user, "audiences": asked.body["spec"]["audiences"] }),
            false => json!({ "error": "unknown" }),
        };
        (201, "", json!({ "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status }))
    };
    let port = serve(&services, review);
    let mount = format!("kubernetes-{}", std::process::id());
    services.vault("POST", &format!("sys/auth/{mount}"), &json!({ "type": "kubernetes" }));
    let config = json!({
        "kubernetes_host": format!("https://localhost:{port}"), "disable_local_ca_jwt": true,
        "kubernetes_ca_cert": std::fs::read_to_string(services.pki("ca.pem")).unwrap(),
        "token_reviewer_jwt": "planted-reviewer",
    });
    services.vault("POST", &format!("auth/{mount}/config"), &config);
    let role = json!({
        "bound_service_account_names": ["etl", "other"], "bound_service_account_namespaces": ["jobs"], "token_policies": "etl",
    });
    services.vault("POST", &format!("auth/{mount}/role/etl"), &role);
    let login = format!("kubernetes: {{ role: etl, token_file: ./pod-token, mount: {mount} }}");
    for (token, is_let_in) in [(&known, true), (&other, false), (&forged, false), (&"no token".to_owned(), false)] {
        let place = place(&services, LOCAL, &login, "");
        std::fs::write(place.folder.path().join("pod-token"), format!("{token}\n")).unwrap();
        match place.site.probe_vault().map_err(Failure::from) {
            Ok(facts) => assert!(is_let_in && facts.unwrap().policies == ["default", "etl"]),
            Err(failure) => assert!(!is_let_in && failure.kind == FailureKind::Denied, "{failure}"),
        }
    }
}

#[test]
fn a_secret_of_a_namespace_is_read_there_and_missing_elsewhere() {
    let Some(services) = services() else { return };
    let namespace = format!("team-{}", std::process::id());
    services.vault("POST", &format!("sys/namespaces/{namespace}"), &json!({}));
    services.vault(
        "POST",
        &format!("{namespace}/sys/mounts/own"),
        &json!({ "type": "kv", "options": { "version": "2" } }),
    );
    services.vault(
        "POST",
        &format!("{namespace}/own/data/warehouse"),
        &json!({ "data": { "password": "of the team" } }),
    );
    let outside = place(&services, LOCAL, ROOT, "");
    let failure = secret_of_vault(&outside.site, "own/data/warehouse").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    let mut project = (*outside.site).clone();
    project.vault.as_mut().unwrap().namespace = Some(namespace);
    let inside = Site::new(project).impatient();
    assert_eq!(secret_of_vault(&inside, "own/data/warehouse").as_deref(), Ok("of the team"));
    let failure = secret_of_vault(&inside, "secret/data/warehouse").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "that of the root is not seen from here: {failure}");
}

#[test]
fn a_token_that_an_agent_replaces_in_its_file_is_picked_up() {
    let Some(services) = services() else { return };
    let made = |ttl: &str| {
        let body = json!({ "policies": ["etl"], "ttl": ttl, "no_parent": true });
        let made = services.vault("POST", "auth/token/create-orphan", &body);
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    let place = place(&services, LOCAL, ROOT, "");
    let hand_over = |token: &str| std::fs::write(place.folder.path().join("token"), format!("{token}\n")).unwrap();
    let read = || secret_of_vault(&place.site, "secret/data/warehouse");
    let first = made("1h");
    hand_over(&first);
    assert_eq!(read().as_deref(), Ok("planted-postgres-password"));
    // The agent replaces it, and revokes the one before.
    hand_over(&made("1h"));
    services.vault("POST", "auth/token/revoke", &json!({ "token": first }));
    assert_eq!(read().as_deref(), Ok("planted-postgres-password"));
    // A file in which nothing new stands.
    hand_over(&first);
    let second = Site::new((*place.site).clone()).impatient();
    let failure = secret_of_vault(&second, "secret/data/warehouse").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Denied, "{failure}");
}

#[test]
fn a_standby_is_named_so_and_its_redirection_is_not_followed() {
    let Some(services) = services() else { return };
    for (status, more) in [(307, "Location: https://localhost:9/v1/elsewhere\r\n"), (472, ""), (473, "")] {
        let port = serve(&services, move |_| (status, more, Value::Null));
        let place = place(&services, LOCAL, ROOT, "");
        let mut project = (*place.site).clone();
        project.vault.as_mut().unwrap().address = format!("https://localhost:{port}");
        let site = Site::new(project).impatient();
        let failure = secret_of_vault(&site, "secret/data/warehouse").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{status}: {failure}");
        assert!(failure.message.contains("is a standby"), "{status}: {failure}");
        assert!(failure.help.as_deref().is_some_and(|help| help.contains("load balancer")), "{status}: {failure:?}");
    }
}

#[test]
fn a_secret_of_aws_is_had_or_its_absence_is_told() {
    let Some(services) = services() else { return };
    let own = services.own(&["aws"]);
    let calls = [
        ("create_user", json!({ "UserName": "nobody" })),
        ("create_access_key", json!({ "UserName": "nobody" })),
        ("create_user", json!({ "UserName": "reader" })),
        (
            "put_user_policy",
            json!({ "UserName": "reader", "PolicyName": "read", "PolicyDocument":
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"# }),
        ),
        ("create_access_key", json!({ "UserName": "reader" })),
    ];
    let made = own.0.aws("iam", &calls);
    own.0.aws("secretsmanager", &[("create_secret", json!({ "Name": "plain", "SecretString": "a text" }))]);
    own.0.enforce_policies();
    let site = |key: &Value| {
        let place = place(&services, LOCAL, ROOT, "");
        let login = json!({ "data": {
            "access_key": key["AccessKey"]["AccessKeyId"], "secret_key": key["AccessKey"]["SecretAccessKey"],
        } });
        let path = format!("secret/data/aws-of-{}", key["AccessKey"]["UserName"].as_str().unwrap());
        services.vault("POST", &path, &login);
        let mut project = (*place.site).clone();
        project.aws.endpoint = Some(own.0.text("/aws/endpoint"));
        project.aws.credentials = lockgate_project::AwsCredentials::Vault(path);
        // The folder holds the token that Vault is logged into with.
        (Site::new(project).impatient(), place)
    };
    let fetched = |site: &Site, name: &str, field: Option<&str>| {
        let reference = SecretRef::AwsSecretsManager { name: name.into(), field: field.map(str::to_owned) };
        site.secret(&reference).map(|secret| secret.expose().clone()).map_err(Failure::from)
    };
    let (reader, _place) = site(&made[4]);
    assert_eq!(fetched(&reader, "warehouse", Some("password")).as_deref(), Ok("planted-postgres-password"));
    assert_eq!(fetched(&reader, "plain", None).as_deref(), Ok("a text"));
    let (nobody, _place) = site(&made[1]);
    for (site, name, field, kind, said) in [
        (&reader, "warehouse", Some("nothing"), FailureKind::Unreachable, "has no such field"),
        (&reader, "plain", Some("password"), FailureKind::Unreachable, "no JSON object"),
        (&reader, "nowhere", None, FailureKind::Invalid, "there is no such thing"),
        (&nobody, "warehouse", None, FailureKind::Denied, "access is denied"),
    ] {
        let failure = fetched(site, name, field).unwrap_err();
        assert!(
            failure.kind == kind && failure.message.contains(said),
            "{name} {field:?}: {:?} {failure}",
            failure.kind
        );
        assert!(failure.message.contains(name) && failure.help.is_some(), "{failure:?}");
        assert!(!failure.message.contains("a text") && !failure.message.contains("planted"), "{failure}");
    }
}
