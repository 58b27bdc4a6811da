//! Looks at how a bucket is set up, without using it: what its default encryption is, and whom it keeps out.
//!
//! Five signed requests; what the credentials may not see is told as that.

use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use lockgate_model::Failure;
use lockgate_project::S3Location;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequestBody;
use serde_json::Value;

use crate::error::{Problem, TrustError};
use crate::network;
use crate::s3::is_same_key;
use crate::site::Site;

/// The largest answer that is read, in bytes: a bucket's policy has at most 20 KiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a bucket says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketFacts {
    /// What becomes of an object whose writer names no key.
    pub encryption: Told<DefaultEncryption>,
    /// The settings against public access that are not on.
    pub public_access: Told<Vec<&'static str>>,
    /// Whether its policy lets everybody in.
    pub is_public: Told<bool>,
    /// Whether its policy refuses every request without TLS.
    pub demands_tls: Told<bool>,
    /// Whether a rule aborts uploads that nobody completes.
    pub aborts_uploads: Told<bool>,
}

/// A setting, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<T> {
    /// It is so.
    Is(T),
    /// These credentials may not see it.
    Denied,
    /// The service has no such setting, or does not answer as S3 does.
    NotTold,
}

/// What a bucket does with an object whose writer names no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultEncryption {
    /// Nothing.
    Off,
    /// It takes a key of the provider's own (SSE-S3).
    Provider,
    /// It takes a key of KMS.
    Kms {
        /// As the bucket names it; absent for the one that the provider manages.
        key: Option<String>,
        /// Whether one data key serves many objects.
        bucket_key: bool,
    },
}

impl DefaultEncryption {
    /// Whether it is under this very key.
    pub fn is_under(&self, wanted: &str) -> bool {
        matches!(self, Self::Kms { key: Some(key), .. } if is_same_key(wanted, key))
    }
}

/// The settings against public access, as S3 names them.
const PUBLIC_ACCESS: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

impl Site {
    /// Asks a bucket for its settings. Fails if it cannot be reached at all.
    pub fn probe_bucket(&self, location: &S3Location) -> Result<BucketFacts, TrustError> {
        let failed = |problem| TrustError::Service { service: format!("s3://{}", location.bucket), problem };
        let config = self.aws_config(location.endpoint.as_deref())?;
        let http = network::http(&self.tls(location.tls.as_ref())?)?;
        let region = config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        let endpoint = location.endpoint.as_ref().or(self.aws.endpoint.as_ref());
        let endpoint = endpoint.map_or_else(|| format!("https://s3.{region}.amazonaws.com"), Clone::clone);
        let provider = config.credentials_provider().ok_or_else(|| failed(Problem::Denied))?;
        let asked = self.network()?.wait(async {
            let given = provider.provide_credentials().await.map_err(|error| without_credentials(&error))?;
            let credential = AwsCredential {
                key_id: given.access_key_id().to_owned(),
                secret_key: given.secret_access_key().to_owned(),
                token: given.session_token().map(str::to_owned),
            };
            let url = format!("{}/{}", endpoint.trim_end_matches('/'), location.bucket);
            let signer = Signer { http, url, region, credential };
            tokio::try_join!(
                signer.ask("encryption"),
                signer.ask("publicAccessBlock"),
                signer.ask("policyStatus"),
                signer.ask("policy"),
                signer.ask("lifecycle"),
            )
        });
        let (encryption, public_access, status, policy, lifecycle) = asked.map_err(failed)?;
        Ok(BucketFacts {
            encryption: encryption.map(|xml| xml.map_or(Some(DefaultEncryption::Off), default_encryption)),
            public_access: public_access.map(|xml| Some(not_blocked(xml.unwrap_or_default()))),
            is_public: status.map(|xml| Some(xml.and_then(|xml| element(xml, "IsPublic")) == Some("true"))),
            aborts_uploads: lifecycle.map(|xml| Some(xml.is_some_and(aborts_uploads))),
            demands_tls: policy.map(|json| Some(json.is_some_and(|json| demands_tls(json, &location.bucket)))),
        })
    }
}

/// Why no credentials could be had, as the source of them tells it.
fn without_credentials(error: &CredentialsError) -> Problem {
    network::cause::<Failure>(error).map_or(Problem::Denied, |failure| Problem::Other(failure.clone()))
}

/// What a bucket answers to a question about a setting.
enum Answer {
    Given(String),
    /// The setting was never made.
    Unset,
    Denied,
    NotTold,
}

impl Answer {
    fn map<T>(&self, read: impl FnOnce(Option<&str>) -> Option<T>) -> Told<T> {
        let told = match self {
            Self::Given(text) => read(Some(text)),
            Self::Unset => read(None),
            Self::Denied => return Told::Denied,
            Self::NotTold => None,
        };
        told.map_or(Told::NotTold, Told::Is)
    }
}

/// Asks one bucket.
struct Signer {
    http: reqwest::Client,
    url: String,
    region: String,
    credential: AwsCredential,
}

impl Signer {
    async fn ask(&self, setting: &str) -> Result<Answer, Problem> {
        let unusable = |error: http::Error| Problem::Answer(error.to_string());
        let request = http::Request::get(format!("{}?{setting}", self.url)).body(HttpRequestBody::empty());
        let mut request = request.map_err(unusable)?;
        AwsAuthorizer::new(&self.credential, "s3", &self.region).authorize(&mut request, None);
        let (parts, _) = request.into_parts();
        let request = reqwest::Request::try_from(http::Request::from_parts(parts, Vec::new()));
        let request = request.map_err(|error| network::unanswered(&error))?;
        let mut response = self.http.execute(request).await.map_err(|error| network::unanswered(&error))?;
        let status = response.status().as_u16();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network::unanswered(&error))? {
            if text.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Ok(Answer::NotTold);
            }
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).unwrap_or_default();
        // S3's codes: NoSuchBucketPolicy, NoSuchLifecycleConfiguration, NoSuchPublicAccessBlockConfiguration,
        // ServerSideEncryptionConfigurationNotFoundError.
        let is_unset =
            |code: &str| (code.starts_with("NoSuch") && code != "NoSuchBucket") || code.ends_with("NotFoundError");
        Ok(match status {
            200 => Answer::Given(text),
            401 | 403 => Answer::Denied,
            404 if element(&text, "Code").is_some_and(is_unset) => Answer::Unset,
            _ => Answer::NotTold,
        })
    }
}

/// The text of the first element of this name, which has no attributes. S3's answers need no more of XML.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

fn default_encryption(xml: &str) -> Option<DefaultEncryption> {
    match element(xml, "SSEAlgorithm")? {
        "AES256" => Some(DefaultEncryption::Provider),
        "aws:kms" | "aws:kms:dsse" => Some(DefaultEncryption::Kms {
            key: element(xml, "KMSMasterKeyID").filter(|key| !key.is_empty()).map(str::to_owned),
            bucket_key: element(xml, "BucketKeyEnabled") == Some("true"),
        }),
        _ => None,
    }
}

fn not_blocked(xml: &str) -> Vec<&'static str> {
    PUBLIC_ACCESS.into_iter().filter(|setting| element(xml, setting) != Some("true")).collect()
}

/// Whether one of the rules that are enabled aborts uploads, wherever in the bucket.
fn aborts_uploads(xml: &str) -> bool {
    xml.split("<Rule>").skip(1).any(|rule| {
        let aborts = element(rule, "AbortIncompleteMultipartUpload");
        element(rule, "Status") == Some("Enabled")
            && aborts.is_some_and(|aborts| element(aborts, "DaysAfterInitiation").is_some())
    })
}

/// Whether a bucket's policy denies everything to everybody who comes without TLS, for the bucket and for its objects.
fn demands_tls(policy: &str, bucket: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = each(policy.get("Statement"));
    let denying: Vec<&Value> = statements.into_iter().filter(|statement| denies_without_tls(statement)).collect();
    let is_covered = |wanted: &str| {
        let mut resources =
            denying.iter().flat_map(|statement| each(statement.get("Resource"))).filter_map(Value::as_str);
        resources.any(|resource| {
            let named = resource.rsplit(":::").next().unwrap_or(resource);
            named == wanted || named == "*" || named == format!("{bucket}*")
        })
    };
    is_covered(bucket) && is_covered(&format!("{bucket}/*"))
}

fn denies_without_tls(statement: &Value) -> bool {
    let has = |name: &str, wanted: &[&str]| {
        each(statement.get(name)).iter().any(|value| value.as_str().is_some_and(|value| wanted.contains(&value)))
    };
    let principal = statement.get("Principal");
    let everybody = principal.and_then(Value::as_str) == Some("*")
        || each(principal.and_then(|principal| principal.get("AWS"))).iter().any(|value| value.as_str() == Some("*"));
    // A further condition would make it deny less.
    let only = |value: Option<&Value>| -> Option<(String, Value)> {
        let fields = value?.as_object()?;
        let (name, value) = fields.iter().next()?;
        (fields.len() == 1).then(|| (name.to_ascii_lowercase(), value.clone()))
    };
    let without_tls = only(statement.get("Condition")).is_some_and(|(operator, tested)| {
        matches!(operator.as_str(), "bool" | "boolifexists")
            && only(Some(&tested)).is_some_and(|(key, value)| {
                let is_false = |value: &&Value| value.as_str() == Some("false") || value.as_bool() == Some(false);
                key == "aws:securetransport"
                    && !each(Some(&value)).is_empty()
                    && each(Some(&value)).iter().all(is_false)
            })
    });
    has("Effect", &["Deny"]) && everybody && has("Action", &["*", "s3:*"]) && without_tls
}

/// One value, or those of a list.
fn each(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn encryption_is_read_as_s3_tells_it() {
        let xml = |inside: &str| {
            format!(
                "<?xml version=\"1.0\"?><ServerSideEncryptionConfiguration xmlns=\"x\"><Rule>{inside}</Rule></ServerSideEncryptionConfiguration>"
            )
        };
        let kms = |key: Option<&str>, bucket_key| DefaultEncryption::Kms { key: key.map(str::to_owned), bucket_key };
        let key = "arn:aws:kms:eu-central-1:111122223333:key/0f3c";
        for (inside, found) in [
            ("<A><SSEAlgorithm>AES256</SSEAlgorithm></A>".to_owned(), Some(DefaultEncryption::Provider)),
            ("<SSEAlgorithm>aws:kms</SSEAlgorithm>".to_owned(), Some(kms(None, false))),
            (
                format!(
                    "<KMSMasterKeyID>{key}</KMSMasterKeyID><SSEAlgorithm>aws:kms</SSEAlgorithm><BucketKeyEnabled>true</BucketKeyEnabled>"
                ),
                Some(kms(Some(key), true)),
            ),
            ("<SSEAlgorithm>rot13</SSEAlgorithm>".to_owned(), None),
            ("<SSEAlgorithm>AES256".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(default_encryption(&xml(&inside)), found, "{inside}");
        }
        assert!(kms(Some(key), true).is_under(key) && kms(Some("0f3c"), true).is_under(key));
        assert!(!kms(Some("0f3d"), true).is_under(key) && !kms(None, true).is_under(key));
        assert!(!DefaultEncryption::Provider.is_under(key));
        assert_eq!(not_blocked(""), PUBLIC_ACCESS);
        assert_eq!(
            not_blocked("<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>"),
            PUBLIC_ACCESS[1..]
        );
    }

    #[test]
    fn credentials_that_cannot_be_had_keep_their_cause() {
        let silent = Failure::new(lockgate_model::FailureKind::Unreachable, "nobody answers");
        let problem = without_credentials(&CredentialsError::provider_error(silent.clone()));
        assert_eq!(problem, Problem::Other(silent));
        assert_eq!(without_credentials(&CredentialsError::not_loaded_no_source()), Problem::Denied);
    }

    #[test]
    fn a_rule_that_aborts_uploads_counts_where_it_is_enabled() {
        let rule = |status: &str, inside: &str| format!("<Rule><ID>a</ID><Status>{status}</Status>{inside}</Rule>");
        let aborts = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
        let other = "<Expiration><Days>3</Days></Expiration>";
        for (rules, found) in [
            (rule("Enabled", aborts), true),
            (rule("Enabled", other) + &rule("Enabled", aborts), true),
            (rule("Disabled", aborts) + &rule("Enabled", other), false),
            (String::new(), false),
        ] {
            let xml = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
            assert_eq!(aborts_uploads(&xml), found, "{xml}");
        }
    }

    #[test]
    fn only_a_policy_that_denies_everything_without_tls_demands_it() {
        let whole = json!({
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        });
        let demands = |statements: Value| demands_tls(&json!({ "Statement": statements }).to_string(), "lake");
        let with = |name: &str, value: Value| {
            let mut statement = whole.clone();
            statement[name] = value;
            statement
        };
        assert!(demands(whole.clone()) && demands(json!([{ "Effect": "Allow" }, whole])));
        assert!(demands(with("Principal", json!({ "AWS": ["*"] }))) && demands(with("Action", json!(["*"]))));
        assert!(demands(with("Condition", json!({ "BoolIfExists": { "AWS:securetransport": [false] } }))));
        let halves =
            json!([with("Resource", json!("arn:aws:s3:::lake")), with("Resource", json!("arn:aws:s3:::lake/*"))]);
        assert!(demands(halves));
        for (name, value) in [
            ("Effect", json!("Allow")),
            ("Principal", json!({ "AWS": "arn:aws:iam::111122223333:root" })),
            ("Action", json!("s3:GetObject")),
            ("Resource", json!("arn:aws:s3:::lake/*")),
            ("Resource", json!(["arn:aws:s3:::lake2", "arn:aws:s3:::lake2/*"])),
            ("Condition", json!({ "Bool": { "aws:SecureTransport": "true" } })),
            ("Condition", json!({ "Bool": { "aws:SecureTransport": [] } })),
            ("Condition", json!({ "Bool": { "aws:SecureTransport": "false", "aws:ViaAWSService": "false" } })),
            (
                "Condition",
                json!({ "Bool": { "aws:SecureTransport": "false" }, "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }),
            ),
            ("Condition", Value::Null),
        ] {
            assert!(!demands(with(name, value.clone())), "{name}: {value}");
        }
        assert!(!demands_tls("no policy", "lake") && !demands(json!([])));
    }
}
