//! Buckets, by the connections that everything else uses; and what an object's encryption must be.
//!
//! An object that is not under the customer-managed key is refused when its header comes, before its content is looked at:
//! under a key of the provider's own (SSE-S3) nobody but the provider decides who may read it, and nothing tells who did.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use http::header::HeaderMap;
use http_body_util::BodyExt;
use lockgate_project::S3Location;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, CredentialProvider, ObjectStore, RetryConfig};

use crate::error::TrustError;
use crate::network::{self, ObjectHttp};
use crate::site::Site;

const SSE: &str = "x-amz-server-side-encryption";
const SSE_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
/// How long one request may take with all its repetitions.
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
const ATTEMPTS_MAX: usize = 8;

/// A bucket that is connected to.
pub struct Bucket {
    /// Its objects.
    pub objects: Arc<AmazonS3>,
}

impl Bucket {
    /// The objects below a prefix, under their names without it.
    pub(crate) fn below(&self, prefix: &str) -> Arc<dyn ObjectStore> {
        let objects = Arc::clone(&self.objects);
        match prefix.is_empty() {
            true => objects,
            false => Arc::new(PrefixStore::new(objects, prefix)),
        }
    }
}

/// Why an object of a [`Bucket`] was refused, in one sentence, if its encryption is what the error is about.
pub fn refusal_of(error: &object_store::Error) -> Option<String> {
    network::cause::<Refused>(error).map(|Refused(reason)| reason.clone())
}

impl Site {
    /// Connects to a bucket. What is written is under its customer-managed key, where the project names one, and what is
    /// read is refused where it is not.
    pub fn bucket(&self, location: &S3Location) -> Result<Bucket, TrustError> {
        let config = self.aws_config(location.endpoint.as_deref())?;
        let http = ObjectHttp::new(&self.tls(location.tls.as_ref())?)?;
        let service = Checked { http, key: location.kms_key.clone() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&location.bucket)
            .with_http_connector(Connector(service))
            .with_retry(RetryConfig {
                max_retries: ATTEMPTS_MAX,
                retry_timeout: REQUEST_DEADLINE,
                ..RetryConfig::default()
            });
        if let Some(region) = config.region() {
            builder = builder.with_region(region.as_ref());
        }
        if let Some(endpoint) = location.endpoint.as_ref().or(self.aws.endpoint.as_ref()) {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(provider) = config.credentials_provider() {
            builder = builder.with_credentials(Arc::new(Chain(provider)));
        }
        if let Some(key) = &location.kms_key {
            builder = builder.with_sse_kms_encryption(key);
        }
        let objects = builder.build().map_err(|error| TrustError::Tls(error.to_string()))?;
        Ok(Bucket { objects: Arc::new(objects) })
    }
}

/// AWS's chain of credentials, as the store asks for them.
#[derive(Debug)]
struct Chain(SharedCredentialsProvider);

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let given = self.0.provide_credentials().await.map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: format!("no AWS credentials could be had: {}", network::root_of(&error)).into(),
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: given.access_key_id().to_owned(),
            secret_key: given.secret_access_key().to_owned(),
            token: given.session_token().map(str::to_owned),
        }))
    }
}

#[derive(Debug)]
struct Connector(Checked);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// Makes requests on our connections and looks at the encryption of every object that is read or written.
#[derive(Debug, Clone)]
struct Checked {
    http: ObjectHttp,
    key: Option<String>,
}

/// Why an object is refused: the error of the request, which object_store keeps among the sources of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

#[async_trait]
impl HttpService for Checked {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let telling = Telling::of(&parts.method, parts.uri.query().unwrap_or_default());
        let is_creation = parts.headers.contains_key(http::header::IF_NONE_MATCH);
        let told = |error| told(error, is_creation);
        let body = body.collect().await.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?.to_bytes();
        let request = reqwest::Request::try_from(http::Request::from_parts(parts, body)).map_err(told)?;
        let response = self.http.execute(request).await.map_err(told)?;
        let response: http::Response<reqwest::Body> = response.into();
        if let Some(key) = self.key.as_ref().filter(|_| response.status().is_success())
            && let Err(reason) = telling.check(key, response.headers())
        {
            return Err(HttpError::new(HttpErrorKind::Decode, Refused(reason)));
        }
        let (parts, body) = response.into_parts();
        Ok(HttpResponse::from_parts(
            parts,
            HttpResponseBody::new(body.map_err(move |error| self::told(error, is_creation))),
        ))
    }
}

/// What the answer to a request tells of an object's encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// The key: an object is read, asked about, or written at once.
    Always,
    /// Perhaps the key: an object is begun or completed in parts, and not every service tells then. Whoever writes so asks
    /// for the object when it is complete.
    Sometimes,
    /// Nothing: it is no object's.
    Never,
}

impl Telling {
    fn of(method: &http::Method, query: &str) -> Self {
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match *method {
            http::Method::GET | http::Method::HEAD if has("list-type") => Self::Never,
            http::Method::GET | http::Method::HEAD => Self::Always,
            http::Method::PUT if has("partNumber") => Self::Never,
            http::Method::PUT => Self::Always,
            http::Method::POST if has("uploads") || has("uploadId") => Self::Sometimes,
            _ => Self::Never,
        }
    }

    fn check(self, key: &str, headers: &HeaderMap) -> Result<(), String> {
        match self {
            Self::Always => encrypted_under(key, headers),
            Self::Sometimes if headers.contains_key(SSE) => encrypted_under(key, headers),
            Self::Sometimes | Self::Never => Ok(()),
        }
    }
}

/// Says what is wrong, in one sentence, unless the headers of an object name the very key.
fn encrypted_under(key: &str, headers: &HeaderMap) -> Result<(), String> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let without = "so the customer does not control who may read it";
    match (value(SSE), value(SSE_KEY)) {
        (Some("aws:kms" | "aws:kms:dsse"), Some(found)) if is_same_key(key, found) => Ok(()),
        (Some("aws:kms" | "aws:kms:dsse"), Some(found)) => {
            Err(format!("it is under the key {found}, whose owner controls who may read it, and not under {key}"))
        }
        (Some("aws:kms" | "aws:kms:dsse"), None) => {
            Err(format!("it is under a key of KMS that the service does not name, {without}"))
        }
        (Some("AES256"), _) => Err(format!("it is under a key of the provider's own (SSE-S3), {without}")),
        (Some(other), _) => Err(format!("its encryption is `{other}`, which is not that of a key of KMS, {without}")),
        (None, _) => Err(format!("it is not encrypted under a key of KMS, {without}")),
    }
}

/// A key is named by its ARN or by its id alone.
pub(crate) fn is_same_key(wanted: &str, found: &str) -> bool {
    let id = |name: &str| name.rsplit_once(":key/").map_or_else(|| name.to_owned(), |(_, id)| id.to_owned());
    match (wanted.starts_with("arn:"), found.starts_with("arn:")) {
        (true, true) | (false, false) => wanted == found,
        (true, false) | (false, true) => id(wanted) == id(found),
    }
}

/// Says whether a request may be repeated. What is wrong with TLS is wrong the next time too.
///
/// A connection that is cut off while an object is to be made once leaves open whether it was: whoever makes it finds out,
/// since the answer to a repetition would be about another put than that of the caller.
fn told(error: reqwest::Error, is_creation: bool) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if network::tls_cause(&error).is_some() {
        HttpErrorKind::Unknown
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_body() || error.is_decode() {
        HttpErrorKind::Interrupted
    } else {
        match cut_off(&error) {
            Some(CutOff::Unsent) => HttpErrorKind::Request,
            Some(CutOff::Unanswered) if is_creation => HttpErrorKind::Interrupted,
            Some(CutOff::Unanswered) => HttpErrorKind::Request,
            None => HttpErrorKind::Unknown,
        }
    };
    HttpError::new(kind, error.without_url())
}

/// How far a request came whose connection ended before it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CutOff {
    Unsent,
    /// The service may have got it.
    Unanswered,
}

/// Where the connection was closed or reset, how far the request had come.
fn cut_off(error: &(dyn std::error::Error + 'static)) -> Option<CutOff> {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    if let Some(error) = network::cause::<hyper::Error>(error) {
        if error.is_canceled() || error.is_closed() {
            return Some(CutOff::Unsent);
        }
        if error.is_incomplete_message() || error.is_body_write_aborted() {
            return Some(CutOff::Unanswered);
        }
    }
    let is_cut = |error: &std::io::Error| {
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
    };
    network::cause::<std::io::Error>(error).filter(|error| is_cut(error)).map(|_| CutOff::Unanswered)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0f3c";

    fn headers(encryption: Option<&str>, key: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(SSE, encryption), (SSE_KEY, key)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        headers
    }

    #[test]
    fn only_the_very_key_will_do() {
        for (encryption, key, wrong) in [
            (Some("aws:kms"), Some(KEY), None),
            (Some("aws:kms:dsse"), Some(KEY), None),
            (Some("aws:kms"), Some("0f3c"), None),
            (Some("aws:kms"), Some("arn:aws:kms:eu-central-1:999999999999:key/0f3c"), Some("whose owner controls")),
            (Some("aws:kms"), Some("0f3d"), Some("whose owner controls")),
            (Some("aws:kms"), None, Some("does not name")),
            (Some("AES256"), None, Some("(SSE-S3), so the customer does not control")),
            (None, None, Some("not encrypted under a key of KMS")),
        ] {
            let checked = encrypted_under(KEY, &headers(encryption, key));
            match wrong {
                None => assert_eq!(checked, Ok(()), "{encryption:?} {key:?}"),
                Some(wrong) => assert!(checked.unwrap_err().contains(wrong), "{encryption:?} {key:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_cut_off_is_no_unknown_error() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let http = network::tests::clients().build().unwrap();
        for (scheme, is_creation, kind) in [
            ("http", false, HttpErrorKind::Request),
            ("http", true, HttpErrorKind::Interrupted),
            ("https", false, HttpErrorKind::Unknown),
        ] {
            let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let cuts_off = async {
                let (mut connection, _) = server.accept().await.unwrap();
                connection.read_u8().await.unwrap();
                if scheme == "https" {
                    connection.write_all(b"this is no TLS").await.unwrap();
                }
            };
            let asked = http.get(format!("{scheme}://{}/", server.local_addr().unwrap())).send();
            let (asked, ()) = tokio::join!(asked, cuts_off);
            let error = told(asked.unwrap_err(), is_creation);
            assert_eq!(error.kind(), kind, "{scheme} {is_creation}: {error:?}");
        }
        let error = told(http.get("http://127.0.0.1:9/").send().await.unwrap_err(), true);
        assert_eq!(error.kind(), HttpErrorKind::Connect, "{error:?}");
    }

    /// Gives no object: refuses those that are named so, and fails at others.
    #[derive(Debug)]
    struct Refusing;

    #[async_trait]
    impl HttpService for Refusing {
        async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
            let path = request.uri().path().to_owned();
            Err(match path.ends_with("refused") {
                true => HttpError::new(HttpErrorKind::Decode, Refused(format!("{} {path}", request.method()))),
                false => HttpError::new(HttpErrorKind::Decode, std::io::Error::other("something else")),
            })
        }
    }

    #[derive(Debug)]
    struct ToRefusing;

    impl HttpConnector for ToRefusing {
        fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
            Ok(HttpClient::new(Refusing))
        }
    }

    #[tokio::test]
    async fn each_error_tells_its_own_refusal_and_no_other() {
        use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};
        let objects = AmazonS3Builder::new()
            .with_bucket_name("lake")
            .with_region("eu-central-1")
            .with_access_key_id("id")
            .with_secret_access_key("secret")
            .with_http_connector(ToRefusing)
            .build()
            .unwrap();
        let objects: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(objects, "below"));
        let (refused, other) = ("refused".into(), "other".into());
        let errors = async |path| {
            let create = PutOptions::from(PutMode::Create);
            [
                ("GET", objects.get(path).await.err()),
                ("HEAD", objects.head(path).await.err()),
                ("PUT", objects.put(path, PutPayload::new()).await.err()),
                ("PUT", objects.put_opts(path, PutPayload::new(), create).await.err()),
                ("POST", objects.put_multipart(path).await.err()),
            ]
        };
        let (refused, other) = tokio::join!(errors(&refused), errors(&other));
        for (method, error) in refused {
            let reason = refusal_of(&error.unwrap()).unwrap();
            assert!(reason.starts_with(method) && reason.ends_with("/below/refused"), "{method}: {reason}");
        }
        for (method, error) in other {
            assert_eq!(refusal_of(&error.unwrap()), None, "{method}");
        }
    }

    #[test]
    fn every_answer_about_an_object_is_looked_at_and_no_other() {
        use http::Method;
        for (method, query, telling) in [
            (Method::GET, "", Telling::Always),
            (Method::GET, "versionId=7", Telling::Always),
            (Method::GET, "list-type=2&prefix=a", Telling::Never),
            (Method::HEAD, "", Telling::Always),
            (Method::PUT, "", Telling::Always),
            (Method::PUT, "partNumber=1&uploadId=x", Telling::Never),
            (Method::POST, "uploads", Telling::Sometimes),
            (Method::POST, "uploads=", Telling::Sometimes),
            (Method::POST, "uploadId=x", Telling::Sometimes),
            (Method::POST, "delete", Telling::Never),
            (Method::DELETE, "uploadId=x", Telling::Never),
        ] {
            assert_eq!(Telling::of(&method, query), telling, "{method} {query}");
        }
        let other = headers(Some("AES256"), None);
        assert!(Telling::Sometimes.check(KEY, &other).is_err() && Telling::Always.check(KEY, &other).is_err());
        let nothing = headers(None, None);
        assert!(Telling::Sometimes.check(KEY, &nothing).is_ok() && Telling::Always.check(KEY, &nothing).is_err());
    }
}
