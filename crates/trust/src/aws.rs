//! AWS's services, by its SDK over the connections that everything else uses.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::credentials::Renewed;
use crate::error::Problem;
use crate::network::{CALL_TIMEOUT, cause, root_of, tls_cause};

/// How often a call is tried in all; the pauses grow and are spread at random.
const ATTEMPTS_MAX: u32 = 6;
/// The largest answer, in bytes: those of KMS, STS and Secrets Manager are far smaller.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The SDK's settings, with credentials of AWS's usual chain. A service that may come back is tried again, unless `patience`
/// is zero.
pub(crate) async fn config(
    http: reqwest::Client,
    region: Option<&str>,
    endpoint: Option<&str>,
    patience: Duration,
) -> SdkConfig {
    let attempts = if patience.is_zero() { 1 } else { ATTEMPTS_MAX };
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(CALL_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(client(http))
        .retry_config(RetryConfig::standard().with_max_attempts(attempts).with_max_backoff(Duration::from_secs(3)))
        .timeout_config(timeouts);
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

/// The same settings with these credentials, which are asked for at each call.
pub(crate) fn with_credentials(config: &SdkConfig, credentials: Renewed) -> SdkConfig {
    let provider = SharedCredentialsProvider::new(credentials);
    config.to_builder().credentials_provider(provider).identity_cache(IdentityCache::no_cache()).build()
}

fn client(http: reqwest::Client) -> SharedHttpClient {
    http_client_fn(move |_, _| SharedHttpConnector::new(Connector(http.clone())))
}

/// Makes the SDK's requests on our connections, so that one set of rules decides about TLS.
#[derive(Debug, Clone)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.bytes().map(<[u8]>::to_vec).unwrap_or_default();
            let request = reqwest::Request::try_from(http::Request::from_parts(parts, body))
                .map_err(|error| ConnectorError::user(error.into()))?;
            let failed = |error: reqwest::Error| match error.is_timeout() {
                true => ConnectorError::timeout(error.into()),
                false => ConnectorError::io(error.into()),
            };
            let mut response = http.execute(request).await.map_err(failed)?;
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                    return Err(ConnectorError::user("the answer is too long".into()));
                }
                body.extend_from_slice(&chunk);
            }
            let mut built = http::Response::builder().status(response.status());
            if let Some(headers) = built.headers_mut() {
                *headers = response.headers().clone();
            }
            let built = built.body(SdkBody::from(body)).map_err(|error| ConnectorError::user(error.into()))?;
            HttpResponse::try_from(built).map_err(|error| ConnectorError::user(error.into()))
        })
    }
}

/// What a refusal of an AWS service means. AWS's own words can repeat what was sent, so only its codes are looked at.
pub(crate) fn problem<E>(error: &SdkError<E, HttpResponse>) -> Problem
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(failure) = cause::<lockgate_model::Failure>(error) {
        return Problem::Other(failure.clone());
    }
    let code = match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or_default().to_owned(),
        SdkError::DispatchFailure(failure) => {
            let Some(connector) = failure.as_connector_error() else {
                return Problem::Unreachable("the request could not be made".to_owned());
            };
            return match tls_cause(connector) {
                Some(tls) => Problem::Tls(tls),
                None => Problem::Unreachable(root_of(connector)),
            };
        }
        SdkError::TimeoutError(_) => return Problem::Unreachable("it does not answer".to_owned()),
        SdkError::ResponseError(_) => return Problem::Answer("it is of no form that the SDK knows".to_owned()),
        _ => return Problem::Denied,
    };
    match code.as_str() {
        "DisabledException" => Problem::Disabled,
        "KMSInvalidStateException" => Problem::PendingDeletion,
        "NotFoundException" | "ResourceNotFoundException" | "AliasNotFoundException" => Problem::Missing,
        "InvalidCiphertextException" | "IncorrectKeyException" => Problem::NotAuthentic,
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "LimitExceededException" => {
            Problem::Throttled
        }
        "AccessDeniedException"
        | "AccessDenied"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidSignatureException"
        | "InvalidIdentityToken" => Problem::Denied,
        "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "InternalFailure"
        | "ServiceUnavailable" => Problem::Unreachable(format!("it failed with {code}")),
        "" => match error.raw_response().map(|response| response.status().as_u16()) {
            Some(401 | 403) => Problem::Denied,
            Some(429) => Problem::Throttled,
            Some(status @ 500..=599) => Problem::Unreachable(format!("it failed with status {status}")),
            _ => Problem::Answer("it refused the request without saying why".to_owned()),
        },
        other => Problem::Answer(format!("it refused the request with {other}")),
    }
}
