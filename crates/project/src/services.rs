//! The services that a project uses: where they are and how they are logged into, never with what.

use std::fmt;
use std::path::PathBuf;

use crate::{SecretRef, Span};

/// How connections are secured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The authorities that servers' certificates must come from; absent for those of the system.
    pub ca: Option<PathBuf>,
    /// Who we are.
    pub identity: Option<TlsIdentity>,
}

/// Our certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsIdentity {
    /// It lies in a file.
    Files {
        /// The certificate and those between it and its authority.
        certificate: PathBuf,
        /// Where its private key is kept.
        key: SecretRef,
    },
    /// Vault issues it.
    VaultPki {
        /// The path that issues, such as `pki/issue/etl`.
        path: String,
        /// The name it is issued for.
        common_name: String,
    },
}

/// A Vault server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSettings {
    /// `https://HOST:PORT`.
    pub address: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// How to log in.
    pub login: VaultLogin,
    /// How the connection is secured; absent for the project's own way.
    pub tls: Option<TlsSettings>,
    /// Where it stands.
    pub span: Span,
}

/// A way to log in to Vault, and where the method is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLogin {
    /// With the ids of an application's role.
    AppRole {
        /// The mount.
        mount: String,
        /// The role's id.
        role_id: String,
        /// Where its secret id is kept.
        secret_id: SecretRef,
        /// Whether what is kept is a wrapping token.
        wrapped: bool,
    },
    /// With a token of an identity provider.
    Jwt {
        /// The mount.
        mount: String,
        /// Vault's role.
        role: String,
        /// Where the token comes from.
        token: JwtSource,
    },
    /// With our certificate.
    Certificate {
        /// The mount.
        mount: String,
        /// Vault's role; absent for any that fits.
        role: Option<String>,
    },
    /// With a token that somebody else keeps alive.
    Token(SecretRef),
}

/// Where a token of an identity provider comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtSource {
    /// A client of the project gets it.
    OAuth(String),
    /// Somebody else keeps it up to date.
    Kept(SecretRef),
}

/// A client of an authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthClient {
    /// The token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// The audience to ask for.
    pub audience: Option<String>,
    /// The resource to ask for.
    pub resource: Option<String>,
    /// How the connection is secured; absent for the project's own way.
    pub tls: Option<TlsSettings>,
}

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_basic`.
    Secret(SecretRef),
    /// `private_key_jwt`.
    PrivateKey {
        /// Where the key is kept.
        key: SecretRef,
        /// Its id.
        key_id: Option<String>,
        /// How it signs.
        algorithm: AssertionAlgorithm,
    },
    /// Its certificate (RFC 8705).
    Certificate,
}

/// How an assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// What the project's AWS services have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// The region; absent for what the environment says.
    pub region: Option<String>,
    /// Another address than AWS's own.
    pub endpoint: Option<String>,
    /// Where credentials come from.
    pub credentials: AwsCredentials,
}

/// Where AWS credentials come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AwsCredentials {
    /// Environment, profile, web identity file, container, instance: AWS's usual chain.
    #[default]
    Chain,
    /// A path in Vault.
    Vault(String),
    /// A role that is assumed with a token of an identity provider.
    WebIdentity {
        /// The role.
        role_arn: String,
        /// The client that gets the token.
        oauth: String,
    },
}

/// A prefix of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// What stands before every path, without slashes at its ends; empty for the whole bucket.
    pub prefix: String,
    /// Another address than the project's AWS services have.
    pub endpoint: Option<String>,
    /// The customer-managed key under which every object must be.
    pub kms_key: Option<String>,
    /// How the connection is secured; absent for the project's own way.
    pub tls: Option<TlsSettings>,
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// A database on a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresLocation {
    /// The server's name, which its certificate must show.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Who logs in.
    pub login: DatabaseLogin,
    /// How the connection is secured; absent for the project's own way.
    pub tls: Option<TlsSettings>,
}

/// Who logs in to a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseLogin {
    /// A role that our certificate proves.
    Certificate {
        /// The role.
        user: String,
    },
    /// A role with a password.
    Password {
        /// The role.
        user: String,
        /// Where its password is kept.
        password: SecretRef,
    },
    /// A role that Vault makes for each login.
    Vault(VaultDatabaseRole),
}

/// A role of Vault's database engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultDatabaseRole {
    /// Where the engine is mounted.
    pub mount: String,
    /// The role's name.
    pub name: String,
    /// Whether Vault keeps one role of the database and rotates its password, instead of making roles.
    pub is_static: bool,
}

/// Where the key-encryption key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyService {
    /// In the folder of the keys.
    Local,
    /// In AWS KMS.
    AwsKms {
        /// The key's ARN, id or alias.
        key: String,
        /// Another address than the project's AWS services have.
        endpoint: Option<String>,
    },
    /// In Vault's transit engine.
    VaultTransit {
        /// Where the engine is mounted.
        mount: String,
        /// The key's name.
        key: String,
    },
}
