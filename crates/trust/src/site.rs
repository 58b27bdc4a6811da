//! A project together with the services that it names, each connected to when it is first needed.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use jiff::Timestamp;
use lockgate_crypto::Secret;
use lockgate_project::{
    AwsCredentials, ClientAuthentication, JwtSource, KeyService, Project, SecretRef, TlsIdentity, TlsSettings,
    VaultDatabaseRole, VaultLogin,
};
use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::aws;
use crate::credentials::{Assumed, Chain, InVault, Renewed, Source};
use crate::error::{Problem, TrustError};
use crate::key_service::Guarded;
use crate::key_service::aws_kms::AwsKms;
use crate::key_service::vault_transit::VaultTransit;
use crate::network::{self, Network, RETRY_DEADLINE};
use crate::oauth::{Proof, TokenClient};
use crate::secret_ref;
use crate::tls::{self, Identity, Pem};
use crate::vault::{LeaseStatus, Login, Method, Vault};

/// A project and its services. Clones share them.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    project: Project,
    /// How long a service that may come back is tried again.
    patience: Duration,
    connected: Mutex<Connected>,
}

#[derive(Default)]
struct Connected {
    network: Option<Arc<Network>>,
    vault: Option<Arc<Vault>>,
    oauth: BTreeMap<String, Arc<TokenClient>>,
    aws: Option<(SdkConfig, Renewed)>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("project", &self.name).finish_non_exhaustive()
    }
}

impl Deref for Site {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.0.project
    }
}

impl Site {
    /// Takes a project; connects to nothing yet.
    pub fn new(project: Project) -> Self {
        Self(Arc::new(Inner { project, patience: RETRY_DEADLINE, connected: Mutex::default() }))
    }

    /// The same project, with connections of its own, for which a service that does not answer is not asked again.
    #[must_use]
    pub fn impatient(self) -> Self {
        let project = self.0.project.clone();
        Self(Arc::new(Inner { project, patience: Duration::ZERO, connected: Mutex::default() }))
    }

    /// How long a service that may come back is tried again.
    pub fn patience(&self) -> Duration {
        self.0.patience
    }

    fn connected(&self) -> MutexGuard<'_, Connected> {
        self.0.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where services are called.
    pub fn network(&self) -> Result<Arc<Network>, TrustError> {
        let mut connected = self.connected();
        if let Some(network) = &connected.network {
            return Ok(Arc::clone(network));
        }
        let network = Arc::new(Network::start()?);
        connected.network = Some(Arc::clone(&network));
        Ok(network)
    }

    /// How a connection is secured: by its own settings, or else by the project's. A certificate in files that was replaced is
    /// shown from the next connection on, by what was connected before too.
    pub fn tls(&self, own: Option<&TlsSettings>) -> Result<Arc<ClientConfig>, TrustError> {
        let settings = own.unwrap_or(&self.tls);
        let identity = match &settings.identity {
            None => None,
            Some(TlsIdentity::Files { certificate, key: SecretRef::File(key) }) => {
                Some(Identity::Files { certificate: certificate.clone(), key: key.clone() })
            }
            Some(TlsIdentity::Files { certificate, key }) => {
                Some(Identity::Fetched(Pem { chain: tls::read(certificate)?, key: self.secret(key)? }))
            }
            Some(TlsIdentity::VaultPki { path, common_name }) => {
                Some(Identity::Fetched(self.issued(path, common_name)?))
            }
        };
        tls::client(settings.ca.as_deref(), identity.as_ref(), Timestamp::now())
    }

    /// A certificate that Vault issues now.
    fn issued(&self, path: &str, common_name: &str) -> Result<Pem, TrustError> {
        let vault = self.vault()?;
        let body = json!({ "common_name": common_name });
        let answer = self.network()?.wait(vault.call(Method::Write, path, Some(&body)))?;
        let incomplete = || vault.failed(path, Problem::Answer("it holds no certificate".to_owned()));
        let certificate = answer.text("certificate").ok_or_else(incomplete)?;
        let key = answer.text("private_key").ok_or_else(incomplete)?;
        let above =
            answer.data.get("ca_chain").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let chain = std::iter::once(certificate.expose().as_str()).chain(above).collect::<Vec<_>>().join("\n");
        Ok(Pem { chain: chain.into_bytes(), key })
    }

    /// Fetches a secret now.
    pub fn secret(&self, reference: &SecretRef) -> Result<Secret<String>, TrustError> {
        let failed = |reason: &str| TrustError::Secret { reference: reference.to_string(), reason: reason.to_owned() };
        match reference {
            SecretRef::Env(_) | SecretRef::File(_) => secret_ref::fetch(reference),
            SecretRef::Vault { path, field } => {
                let (vault, network) = (self.vault()?, self.network()?);
                let answer = network.wait(vault.call(Method::Read, path, None))?;
                vault.lease_of(path, &answer, network.handle());
                answer.field(field).ok_or_else(|| failed("what Vault keeps there has no such field"))
            }
            SecretRef::AwsSecretsManager { name, field } => {
                let text = self.aws_secret(name)?;
                let Some(field) = field else { return Ok(text) };
                let mut fields: Value =
                    serde_json::from_str(text.expose()).map_err(|_| failed("it is no JSON object"))?;
                let found = fields.get(field).and_then(Value::as_str).map(|text| Secret::new(text.to_owned()));
                network::wipe(&mut fields);
                found.ok_or_else(|| failed("the secret has no such field"))
            }
        }
    }

    fn aws_secret(&self, name: &str) -> Result<Secret<String>, TrustError> {
        let network = self.network()?;
        let config = self.aws_config(None)?;
        let client = aws_sdk_secretsmanager::Client::new(&config);
        let service = || format!("AWS Secrets Manager, secret {name}");
        let answer = network.wait(client.get_secret_value().secret_id(name).send());
        let answer =
            answer.map_err(|error| TrustError::Service { service: service(), problem: aws::problem(&error) })?;
        let text = answer.secret_string().map(|text| Secret::new(text.to_owned()));
        let absent = || TrustError::Service { service: service(), problem: Problem::Answer("it is no text".into()) };
        text.ok_or_else(absent)
    }

    /// A login to a database that Vault gives, with a lease that is kept alive.
    pub fn database_login(&self, role: &VaultDatabaseRole) -> Result<(String, Secret<String>), TrustError> {
        let vault = self.vault()?;
        let network = self.network()?;
        network.wait(vault.database_login(&role.mount, &role.name, role.is_static, &network))
    }

    /// An access token of a client of the project.
    pub fn access_token(&self, client: &str) -> Result<Arc<Secret<String>>, TrustError> {
        let client = self.token_client(client)?;
        self.network()?.wait(client.token())
    }

    fn token_client(&self, name: &str) -> Result<Arc<TokenClient>, TrustError> {
        if let Some(client) = self.connected().oauth.get(name) {
            return Ok(Arc::clone(client));
        }
        let unknown = || TrustError::Unknown(format!("oauth client {name}"));
        let settings = self.oauth.get(name).ok_or_else(unknown)?.clone();
        let http = network::http(&self.tls(settings.tls.as_ref())?)?;
        let fetched = |reference: &SecretRef| -> crate::oauth::Fetched {
            let (site, reference) = (self.clone(), reference.clone());
            Box::new(move || site.secret(&reference).map_err(Into::into))
        };
        let proof = match &settings.authentication {
            ClientAuthentication::Secret(secret) => Proof::Secret(fetched(secret)),
            ClientAuthentication::PrivateKey { key, key_id, algorithm } => {
                Proof::PrivateKey { key: fetched(key), key_id: key_id.clone(), algorithm: *algorithm }
            }
            ClientAuthentication::Certificate => Proof::Certificate,
        };
        let client = Arc::new(TokenClient::new(settings, http, proof, self.patience()));
        // Another thread may have been faster: all share its client, and so its token.
        Ok(Arc::clone(self.connected().oauth.entry(name.to_owned()).or_insert(client)))
    }

    pub(crate) fn vault(&self) -> Result<Arc<Vault>, TrustError> {
        if let Some(vault) = &self.connected().vault {
            return Ok(Arc::clone(vault));
        }
        let absent = || TrustError::Unknown("vault: the project names no Vault".to_owned());
        let settings = self.vault.as_ref().ok_or_else(absent)?.clone();
        let http = network::http(&self.tls(settings.tls.as_ref())?)?;
        let shown = |reference: &SecretRef| -> crate::vault::Shown {
            let (site, reference) = (self.clone(), reference.clone());
            Arc::new(move || site.secret(&reference).map_err(Into::into))
        };
        let login: Box<dyn Login> = match &settings.login {
            VaultLogin::AppRole { mount, role_id, secret_id, wrapped } => Box::new(crate::vault::AppRole {
                mount: mount.clone(),
                role_id: role_id.clone(),
                secret_id: shown(secret_id),
                wrapped: *wrapped,
                unwrapped: tokio::sync::Mutex::default(),
            }),
            VaultLogin::Jwt { mount, role, token } => {
                let token: crate::vault::Shown = match token {
                    JwtSource::Kept(reference) => shown(reference),
                    JwtSource::OAuth(client) => {
                        let (site, client) = (self.clone(), client.clone());
                        Arc::new(move || {
                            let token = site.access_token(&client)?;
                            Ok(Secret::new(token.expose().clone()))
                        })
                    }
                };
                Box::new(crate::vault::Jwt { mount: mount.clone(), role: role.clone(), token })
            }
            VaultLogin::Certificate { mount, role } => {
                Box::new(crate::vault::Certificate { mount: mount.clone(), role: role.clone() })
            }
            VaultLogin::Token(reference) => Box::new(crate::vault::Token {
                token: shown(reference),
                kept: reference.to_string(),
                is_replaced: !matches!(reference, SecretRef::Env(_)),
            }),
        };
        let vault = Arc::new(Vault::new(settings, http, login, self.patience()));
        Ok(Arc::clone(self.connected().vault.get_or_insert(vault)))
    }

    /// The service that holds a key-encryption key; `None` for local keys.
    pub(crate) fn key_service(&self, service: &KeyService) -> Result<Option<Guarded>, TrustError> {
        Ok(match service {
            KeyService::Local => None,
            KeyService::AwsKms { key, endpoint } => {
                let client = aws_sdk_kms::Client::new(&self.aws_config(endpoint.as_deref())?);
                Some(Guarded::new(Box::new(AwsKms::new(self.network()?, client, key.clone()))))
            }
            KeyService::VaultTransit { mount, key } => {
                let (network, vault) = (self.network()?, self.vault()?);
                Some(Guarded::new(Box::new(VaultTransit::new(network, vault, mount.clone(), key.clone()))))
            }
        })
    }

    /// The SDK's settings for an AWS service, with another address than the project's where one is given. All services of a
    /// project share one client and one set of credentials, which are fetched here unless AWS's usual chain gives them.
    pub(crate) fn aws_config(&self, endpoint: Option<&str>) -> Result<SdkConfig, TrustError> {
        let (config, credentials) = self.aws_client()?;
        if !matches!(self.aws.credentials, AwsCredentials::Chain) {
            let fetched = self.network()?.wait(credentials.current());
            fetched.map_err(|failure| TrustError::Service {
                service: "AWS credentials".to_owned(),
                problem: Problem::Other(failure),
            })?;
        }
        Ok(match endpoint {
            Some(endpoint) => config.to_builder().endpoint_url(endpoint).build(),
            None => config,
        })
    }

    fn aws_client(&self) -> Result<(SdkConfig, Renewed), TrustError> {
        if let Some(present) = &self.connected().aws {
            return Ok(present.clone());
        }
        let network = self.network()?;
        let http = network::http(&self.tls(None)?)?;
        let (region, endpoint) = (self.aws.region.as_deref(), self.aws.endpoint.as_deref());
        let config = network.wait(aws::config(http, region, endpoint, self.patience()));
        let credentials =
            Renewed::new(self.aws_credentials(&config)?, network.handle().clone(), Arc::new(SystemTime::now));
        let made = (aws::with_credentials(&config, credentials.clone()), credentials);
        // Another thread may have been faster: all share its credentials.
        Ok(self.connected().aws.get_or_insert(made).clone())
    }

    /// Where credentials come from; `config` has those of AWS's usual chain.
    fn aws_credentials(&self, config: &SdkConfig) -> Result<Arc<dyn Source>, TrustError> {
        Ok(match &self.aws.credentials {
            AwsCredentials::Chain => {
                let absent = || TrustError::Unknown("AWS credentials: the SDK has no chain of them".to_owned());
                Arc::new(Chain(config.credentials_provider().ok_or_else(absent)?))
            }
            AwsCredentials::Vault(path) => {
                let runtime = self.network()?.handle().clone();
                Arc::new(InVault { vault: self.vault()?, path: path.clone(), runtime })
            }
            // The call that assumes a role is not signed, so it needs no credentials of its own.
            AwsCredentials::WebIdentity { role_arn, oauth } => Arc::new(Assumed {
                sts: aws_sdk_sts::Client::new(config),
                role_arn: role_arn.clone(),
                tokens: self.token_client(oauth)?,
            }),
        })
    }

    /// What Vault lent, and how long it lasts.
    pub fn leases(&self) -> Vec<LeaseStatus> {
        let (vault, network) = {
            let connected = self.connected();
            (connected.vault.clone(), connected.network.clone())
        };
        match (vault, network) {
            (Some(vault), Some(network)) => network.wait(vault.leases()),
            (_, _) => Vec::new(),
        }
    }

    /// Gives back what was lent. Call it when a command ends; what cannot be given back ends by itself.
    pub fn end(&self) {
        let (vault, network) = {
            let connected = self.connected();
            (connected.vault.clone(), connected.network.clone())
        };
        if let (Some(vault), Some(network)) = (vault, network) {
            network.wait(vault.end());
        }
    }

    /// The folder of the key store.
    pub fn key_folder(&self) -> &PathBuf {
        &self.keys.default.path
    }
}
