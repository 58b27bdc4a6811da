//! The services that a project uses: each address is one of TLS, each login is of one kind, and no secret is among them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::places::{check_path, check_secret};
use crate::load::Checker;
use crate::raw::{
    AppRoleEntry, AssertionAlgorithmChoice, AwsEntry, JwtLoginEntry, KubernetesLoginEntry, OAuthEntry, TlsEntry,
    VaultEntry, VaultLoginEntry,
};
use crate::yaml::{Checked, Entries};
use crate::{
    AssertionAlgorithm, AwsCredentials, AwsSettings, ClientAuthentication, Code, JwtSource, OAuthClient, SecretRef,
    TlsIdentity, TlsSettings, VaultLogin, VaultSettings, suggest,
};

/// Where Kubernetes puts the token of a pod's service account.
const KUBERNETES_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Checks a `tls` block.
pub(super) fn check_tls(entry: &Checked<TlsEntry>, root: &Path, checker: &mut Checker<'_>) -> Option<TlsSettings> {
    let Checked { range, value: Some(entry) } = entry else { return None };
    let path = |at: &Option<Checked<String>>, checker: &mut Checker<'_>| match at {
        None => Some(None),
        Some(at) => check_path(at.value.as_ref()?, &at.range, root, checker).map(Some),
    };
    let ca = path(&entry.ca, checker)?;
    let certificate = path(&entry.certificate, checker)?;
    let key = match &entry.key {
        None => None,
        Some(key) => Some(check_secret(key, root, checker)?),
    };
    let text = |at: &Option<Checked<String>>| at.as_ref().and_then(|at| at.value.clone());
    let identity = match (certificate, key, text(&entry.vault_pki), text(&entry.common_name)) {
        (None, None, None, None) => None,
        (Some(certificate), Some(key), None, None) => Some(TlsIdentity::Files { certificate, key }),
        (None, None, Some(path), Some(common_name)) => Some(TlsIdentity::VaultPki { path, common_name }),
        (_, _, _, _) => {
            let message = "this `tls` names half of a certificate, or two";
            let help = "write `certificate` and `key`, or `vault_pki` and `common_name`".to_owned();
            checker.report(Code::InvalidValue, range, message, Some(help));
            return None;
        }
    };
    Some(TlsSettings { ca, identity })
}

/// Checks an address, which must be one of TLS.
pub(super) fn check_address(at: &Checked<String>, checker: &mut Checker<'_>) -> Option<String> {
    let text = at.value.as_ref()?.trim_end_matches('/');
    let rest = text.strip_prefix("https://").unwrap_or_default();
    let is_address = !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']) && !rest.starts_with('/');
    if is_address {
        return Some(text.to_owned());
    }
    let message = format!("`{}` is no address that can be trusted", checker.quote(&at.range));
    let help = "it takes `https://HOST:PORT`: without TLS anybody on the way could answer, and a login in an address \
                would be a secret in a file";
    checker.report(Code::InvalidValue, &at.range, message, Some(help.to_owned()));
    None
}

/// Checks `vault`.
pub(super) fn check_vault(
    entry: Checked<VaultEntry>,
    root: &Path,
    clients: &[String],
    checker: &mut Checker<'_>,
) -> Option<VaultSettings> {
    let span = checker.span(&entry.range);
    let entry = entry.value?;
    let address = check_address(&entry.address, checker);
    let login = check_login(entry.login, root, clients, checker);
    let tls = match entry.tls {
        None => None,
        Some(tls) => Some(check_tls(&tls, root, checker)?),
    };
    let namespace = entry.namespace.and_then(|namespace| namespace.value);
    Some(VaultSettings { address: address?, namespace, login: login?, tls, span })
}

fn mount(given: Option<Checked<String>>, usual: &str) -> String {
    given.and_then(|mount| mount.value).map_or_else(|| usual.to_owned(), |mount| mount.trim_matches('/').to_owned())
}

fn check_login(
    entry: Checked<VaultLoginEntry>,
    root: &Path,
    clients: &[String],
    checker: &mut Checker<'_>,
) -> Option<VaultLogin> {
    let Checked { range, value: Some(entry) } = entry else { return None };
    match (entry.approle, entry.jwt, entry.certificate, entry.kubernetes, entry.token) {
        (Some(approle), None, None, None, None) => {
            let AppRoleEntry { role_id, secret_id, wrapped, mount: at } = approle.value?;
            let wrapped = wrapped.and_then(|wrapped| wrapped.value).unwrap_or_default();
            let secret_id = check_secret(&secret_id, root, checker)?;
            Some(VaultLogin::AppRole { mount: mount(at, "approle"), role_id: role_id.value?, secret_id, wrapped })
        }
        (None, Some(jwt), None, None, None) => {
            let range = jwt.range;
            let JwtLoginEntry { role, oauth, token, mount: at } = jwt.value?;
            let token = match (oauth, token) {
                (Some(client), None) => JwtSource::OAuth(check_client(&client, clients, checker)?),
                (None, Some(token)) => JwtSource::Kept(check_secret(&token, root, checker)?),
                (_, _) => {
                    let help = "write `oauth: CLIENT` or `token: file:PATH`".to_owned();
                    checker.report(Code::MissingKey, &range, "this login says not where its token is", Some(help));
                    return None;
                }
            };
            Some(VaultLogin::Jwt { mount: mount(at, "jwt"), role: role.value?, token })
        }
        (None, None, Some(certificate), None, None) => {
            let entry = certificate.value?;
            let role = entry.role.and_then(|role| role.value);
            Some(VaultLogin::Certificate { mount: mount(entry.mount, "cert"), role })
        }
        (None, None, None, Some(kubernetes), None) => {
            let KubernetesLoginEntry { role, token_file, mount: at } = kubernetes.value?;
            let file = match &token_file {
                None => Path::new(KUBERNETES_TOKEN).to_path_buf(),
                Some(file) => check_path(file.value.as_ref()?, &file.range, root, checker)?,
            };
            let token = JwtSource::Kept(SecretRef::File(file));
            Some(VaultLogin::Jwt { mount: mount(at, "kubernetes"), role: role.value?, token })
        }
        (None, None, None, None, Some(token)) => check_secret(&token, root, checker).map(VaultLogin::Token),
        (_, _, _, _, _) => {
            let message = "Vault is logged into in one way";
            let help = "name one of `approle`, `jwt`, `certificate`, `kubernetes`, `token`".to_owned();
            checker.report(Code::InvalidValue, &range, message, Some(help));
            None
        }
    }
}

pub(super) fn check_client(name: &Checked<String>, clients: &[String], checker: &mut Checker<'_>) -> Option<String> {
    let text = name.value.as_ref()?;
    if clients.contains(text) {
        return Some(text.clone());
    }
    let message = format!("there is no client `{}` under `oauth`", checker.quote(&name.range));
    let help = suggest::help(text, "the clients are", clients.iter().map(String::as_str));
    checker.report(Code::InvalidValue, &name.range, message, help);
    None
}

/// Checks `oauth`.
pub(super) fn check_oauth(
    entries: Option<Checked<Entries<OAuthEntry>>>,
    root: &Path,
    checker: &mut Checker<'_>,
) -> (BTreeMap<String, OAuthClient>, Vec<String>) {
    let (mut clients, mut declared) = (BTreeMap::new(), Vec::new());
    for (name, entry) in entries.and_then(|entries| entries.value).map(|entries| entries.0).unwrap_or_default() {
        let Some(text) = name.value else { continue };
        declared.push(text.clone());
        if let Some(client) = check_oauth_client(entry, root, checker) {
            clients.insert(text, client);
        }
    }
    (clients, declared)
}

fn check_oauth_client(entry: Checked<OAuthEntry>, root: &Path, checker: &mut Checker<'_>) -> Option<OAuthClient> {
    let Checked { range, value: Some(entry) } = entry else { return None };
    let token_url = check_address(&entry.token_url, checker);
    let authentication = match (&entry.client_secret, &entry.private_key) {
        (Some(secret), None) => ClientAuthentication::Secret(check_secret(secret, root, checker)?),
        (None, Some(key)) => ClientAuthentication::PrivateKey {
            key: check_secret(key, root, checker)?,
            key_id: entry.key_id.and_then(|id| id.value),
            algorithm: match entry.algorithm.and_then(|algorithm| algorithm.value) {
                None | Some(AssertionAlgorithmChoice::Es256) => AssertionAlgorithm::Es256,
                Some(AssertionAlgorithmChoice::Es384) => AssertionAlgorithm::Es384,
                Some(AssertionAlgorithmChoice::Ps256) => AssertionAlgorithm::Ps256,
                Some(AssertionAlgorithmChoice::Rs256) => AssertionAlgorithm::Rs256,
            },
        },
        (None, None) => ClientAuthentication::Certificate,
        (Some(_), Some(_)) => {
            let help = "keep `client_secret` or `private_key`".to_owned();
            checker.report(Code::InvalidValue, &range, "this client proves who it is in two ways", Some(help));
            return None;
        }
    };
    let scopes = entry.scopes.and_then(|scopes| scopes.value).unwrap_or_default();
    let text = |at: Option<Checked<String>>| at.and_then(|at| at.value);
    let tls = match entry.tls {
        None => None,
        Some(tls) => Some(check_tls(&tls, root, checker)?),
    };
    Some(OAuthClient {
        token_url: token_url?,
        client_id: entry.client_id.value?,
        authentication,
        scopes: scopes.into_iter().filter_map(|scope| scope.value).collect(),
        audience: text(entry.audience),
        resource: text(entry.resource),
        tls,
    })
}

/// Checks `aws`.
pub(super) fn check_aws(
    entry: Option<Checked<AwsEntry>>,
    clients: &[String],
    checker: &mut Checker<'_>,
) -> Option<AwsSettings> {
    let Some(entry) = entry else { return Some(AwsSettings::default()) };
    let Checked { range, value: Some(entry) } = entry else { return None };
    let credentials = match (entry.vault, entry.web_identity) {
        (None, None) => AwsCredentials::Chain,
        (Some(path), None) => AwsCredentials::Vault(path.value?),
        (None, Some(role)) => {
            let role = role.value?;
            let oauth = check_client(&role.oauth, clients, checker)?;
            AwsCredentials::WebIdentity { role_arn: role.role_arn.value?, oauth }
        }
        (Some(_), Some(_)) => {
            let help = "keep `vault` or `web_identity`".to_owned();
            checker.report(Code::InvalidValue, &range, "AWS credentials come from one place", Some(help));
            return None;
        }
    };
    let endpoint = optional_address(entry.endpoint.as_ref(), checker)?;
    Some(AwsSettings { region: entry.region.and_then(|region| region.value), endpoint, credentials })
}

/// An address that may be absent; `None` where it is wrong.
pub(super) fn optional_address(at: Option<&Checked<String>>, checker: &mut Checker<'_>) -> Option<Option<String>> {
    match at {
        None => Some(None),
        Some(at) => check_address(at, checker).map(Some),
    }
}

/// Refuses a reference to Vault in a project that has none.
pub(super) fn demand_vault(what: &str, range: &Range<usize>, has_vault: bool, checker: &mut Checker<'_>) -> Option<()> {
    if has_vault {
        return Some(());
    }
    let help = "add `vault: { address: https://…, login: … }` to `lockgate.yaml`".to_owned();
    checker.report(Code::MissingKey, range, format!("{what} needs Vault, and the project names none"), Some(help));
    None
}
