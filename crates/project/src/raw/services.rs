//! The services that a project uses, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::Checked;

/// How connections are secured: whom to trust, and which certificate to show. TLS itself cannot be turned off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsEntry {
    /// A file of the authorities that servers' certificates must come from (PEM). Without it: those of the system.
    pub(crate) ca: Option<Checked<String>>,
    /// A file with our certificate and those between it and its authority (PEM).
    pub(crate) certificate: Option<Checked<String>>,
    /// Where the certificate's private key is kept: `file:PATH`, `env:NAME`, `vault:PATH#FIELD`.
    pub(crate) key: Option<Checked<String>>,
    /// The path in Vault that issues our certificate, such as `pki/issue/etl`, instead of files.
    pub(crate) vault_pki: Option<Checked<String>>,
    /// The name for which Vault issues it.
    pub(crate) common_name: Option<Checked<String>>,
}

/// A Vault server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultEntry {
    /// Its address: `https://HOST:PORT`.
    pub(crate) address: Checked<String>,
    /// The namespace.
    pub(crate) namespace: Option<Checked<String>>,
    /// How to log in: one of the five.
    pub(crate) login: Checked<VaultLoginEntry>,
    /// How the connection is secured, where it differs from the project's `tls`.
    pub(crate) tls: Option<Checked<TlsEntry>>,
}

/// A way to log in to Vault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultLoginEntry {
    /// With the ids of an application's role.
    pub(crate) approle: Option<Checked<AppRoleEntry>>,
    /// With a token of an identity provider.
    pub(crate) jwt: Option<Checked<JwtLoginEntry>>,
    /// With our certificate.
    pub(crate) certificate: Option<Checked<CertificateLoginEntry>>,
    /// With the service account of a Kubernetes pod.
    pub(crate) kubernetes: Option<Checked<KubernetesLoginEntry>>,
    /// With a token that somebody else keeps alive, such as an agent's sink file: `file:PATH`.
    pub(crate) token: Option<Checked<String>>,
}

/// An application's role.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppRoleEntry {
    /// The role's id, which is no secret.
    pub(crate) role_id: Checked<String>,
    /// Where its secret id is kept.
    pub(crate) secret_id: Checked<String>,
    /// Whether what is kept there is a wrapping token, which unwraps to the secret id once.
    pub(crate) wrapped: Option<Checked<bool>>,
    /// Where the method is mounted. Without it: `approle`.
    pub(crate) mount: Option<Checked<String>>,
}

/// A login with a token of an identity provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JwtLoginEntry {
    /// Vault's role.
    pub(crate) role: Checked<String>,
    /// The client under `oauth` that gets the token.
    pub(crate) oauth: Option<Checked<String>>,
    /// Where a token is kept that somebody else renews.
    pub(crate) token: Option<Checked<String>>,
    /// Where the method is mounted. Without it: `jwt`.
    pub(crate) mount: Option<Checked<String>>,
}

/// A login with our certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateLoginEntry {
    /// Vault's role. Without it: any that the certificate fits.
    pub(crate) role: Option<Checked<String>>,
    /// Where the method is mounted. Without it: `cert`.
    pub(crate) mount: Option<Checked<String>>,
}

/// A login with a pod's service account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KubernetesLoginEntry {
    /// Vault's role.
    pub(crate) role: Checked<String>,
    /// The file of the service account's token. Without it: where Kubernetes puts it.
    pub(crate) token_file: Option<Checked<String>>,
    /// Where the method is mounted. Without it: `kubernetes`.
    pub(crate) mount: Option<Checked<String>>,
}

/// A client of an OAuth 2.0 authorization server (client credentials, RFC 6749 section 4.4).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthEntry {
    /// The token endpoint: `https://…`.
    pub(crate) token_url: Checked<String>,
    /// The client's id.
    pub(crate) client_id: Checked<String>,
    /// Where its secret is kept, to log in with `client_secret_basic`.
    pub(crate) client_secret: Option<Checked<String>>,
    /// Where its private key is kept (PEM), to log in with `private_key_jwt` (RFC 7523).
    pub(crate) private_key: Option<Checked<String>>,
    /// The id of that key.
    pub(crate) key_id: Option<Checked<String>>,
    /// How it signs. Without it: `ES256`.
    pub(crate) algorithm: Option<Checked<AssertionAlgorithmChoice>>,
    /// The scopes to ask for.
    pub(crate) scopes: Option<Checked<Vec<Checked<String>>>>,
    /// The audience to ask for.
    pub(crate) audience: Option<Checked<String>>,
    /// The resource to ask for (RFC 8707).
    pub(crate) resource: Option<Checked<String>>,
    /// How the connection is secured, where it differs from the project's `tls`. A client with neither a secret nor a
    /// private key logs in with its certificate (RFC 8705).
    pub(crate) tls: Option<Checked<TlsEntry>>,
}

/// How an assertion is signed.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) enum AssertionAlgorithmChoice {
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

/// What the project's AWS services have in common.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwsEntry {
    /// The region. Without it: as the environment or the profile says.
    pub(crate) region: Option<Checked<String>>,
    /// Another address than AWS's own: `https://HOST:PORT`.
    pub(crate) endpoint: Option<Checked<String>>,
    /// The path in Vault that gives `access_key`, `secret_key` and, where there is one, `security_token`.
    pub(crate) vault: Option<Checked<String>>,
    /// The role that is assumed with a token of an identity provider.
    pub(crate) web_identity: Option<Checked<WebIdentityEntry>>,
}

/// A role that is assumed with a token of an identity provider (STS AssumeRoleWithWebIdentity).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebIdentityEntry {
    /// The role.
    pub(crate) role_arn: Checked<String>,
    /// The client under `oauth` that gets the token.
    pub(crate) oauth: Checked<String>,
}

/// How objects must be encrypted in their bucket.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SseEntry {
    /// The customer-managed key of KMS under which every object is, read or written: its ARN or id.
    pub(crate) kms_key: Checked<String>,
}
