//! Where events go, as the official Python client is told it: by its environment variables and its configuration file.
//!
//! ```text
//! OPENLINEAGE_DISABLED=true                                       nowhere
//! OPENLINEAGE_CONFIG or openlineage.yml                           its `transport:`
//! OPENLINEAGE__TRANSPORT__TYPE=file …                             the same, key by key; stronger than the file
//! OPENLINEAGE_URL, OPENLINEAGE_ENDPOINT, OPENLINEAGE_API_KEY      http, where nothing else names a transport
//! transport: { type: kafka }                                      refused: it is not built
//! ```

use std::fmt;

use serde_json::{Map, Value};

/// Where a server takes events, below its URL.
pub const DEFAULT_ENDPOINT: &str = "api/v1/lineage";
/// How many transports a composite may have, those within others counted.
pub const NESTED_TRANSPORTS_MAX: usize = 16;

/// What the client's settings ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where events go; none where nothing is said of it.
    pub transports: Vec<Transport>,
    /// Nothing is to be sent, whatever else is said.
    pub is_disabled: bool,
    /// The namespace of jobs, where it is named.
    pub namespace: Option<String>,
}

/// A way for events to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To a server.
    Http(Http),
    /// To a file.
    File {
        /// The file, or what the names of files begin with.
        path: String,
        /// A line each at the end of the file; otherwise a file for each event, `PATH-20261124-141500.000000.json`.
        append: bool,
    },
    /// A line each on standard error, since standard output is the command's own.
    Console,
}

/// A server that takes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where events are posted, whole.
    pub url: String,
    /// What is shown to it.
    pub api_key: Option<ApiKey>,
    /// The client of an authorization server whose token is shown to it instead.
    pub oauth_client: Option<String>,
}

/// A secret that a server knows us by; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes it.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// Gives it to who sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads the variables, and the content of the configuration file where there is one.
    ///
    /// # Errors
    ///
    /// A transport that is not known or lacks what it needs.
    pub fn read(variables: &[(String, String)], file: Option<Value>) -> Result<Self, SettingsError> {
        let variable = |name: &str| {
            variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).filter(|v| !v.is_empty())
        };
        let namespace = variable("OPENLINEAGE_NAMESPACE");
        if variable("OPENLINEAGE_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Self { transports: Vec::new(), is_disabled: true, namespace });
        }
        let mut config = file.unwrap_or_else(|| Value::Object(Map::new()));
        for (key, value) in variables {
            if let Some(path) = key.strip_prefix("OPENLINEAGE__") {
                set(&mut config, path, value);
            }
        }
        let mut transports = Vec::new();
        if let Some(transport) = config.get("transport") {
            add(transport, &mut transports)?;
        } else if let Some(url) = variable("OPENLINEAGE_URL") {
            let endpoint = variable("OPENLINEAGE_ENDPOINT");
            let api_key = variable("OPENLINEAGE_API_KEY").map(ApiKey::new);
            transports.push(Transport::Http(http(&url, endpoint.as_deref(), api_key)?));
        }
        Ok(Self { transports, is_disabled: false, namespace })
    }
}

/// Sets `TRANSPORT__AUTH__APIKEY`; a value that is JSON is what it says.
fn set(config: &mut Value, path: &str, value: &str) {
    let mut at = config;
    for key in path.split("__") {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(map) = at else { return };
        at = map.entry(key.to_lowercase()).or_insert(Value::Null);
    }
    *at = match serde_json::from_str(value) {
        Ok(parsed @ (Value::Object(_) | Value::Array(_) | Value::Bool(_))) => parsed,
        Ok(_) | Err(_) => Value::String(value.to_owned()),
    };
}

fn add(transport: &Value, all: &mut Vec<Transport>) -> Result<(), SettingsError> {
    // Variables have no capitals in their keys, so `apiKey` and `apikey` are the same.
    let text = |value: &Value, key: &str| {
        let found = value.as_object()?.iter().find(|(name, _)| name.replace('_', "").eq_ignore_ascii_case(key))?.1;
        found.as_str().map(str::to_owned)
    };
    if all.len() >= NESTED_TRANSPORTS_MAX {
        return Err(SettingsError(format!("there are more than {NESTED_TRANSPORTS_MAX} transports")));
    }
    match text(transport, "type").as_deref() {
        Some("http" | "async_http") => {
            let Some(url) = text(transport, "url") else {
                return Err(SettingsError("the transport `http` has no `url`".into()));
            };
            let auth = transport.get("auth").cloned().unwrap_or_default();
            let api_key = text(&auth, "apikey").map(ApiKey::new);
            all.push(Transport::Http(http(&url, text(transport, "endpoint").as_deref(), api_key)?));
        }
        Some("file") => match text(transport, "logfilepath") {
            Some(path) => {
                let append = transport.get("append");
                let append = append.is_some_and(|append| append == true || append == "true" || append == "True");
                all.push(Transport::File { path, append });
            }
            None => return Err(SettingsError("the transport `file` has no `log_file_path`".into())),
        },
        Some("console") => all.push(Transport::Console),
        Some("noop") => {}
        Some("composite") => match transport.get("transports") {
            Some(Value::Object(named)) => named.values().try_for_each(|one| add(one, all))?,
            Some(Value::Array(listed)) => listed.iter().try_for_each(|one| add(one, all))?,
            _ => return Err(SettingsError("the transport `composite` has no `transports`".into())),
        },
        Some(other) => {
            return Err(SettingsError(format!("the transport `{other}` is not built: http, file and console are")));
        }
        None => return Err(SettingsError("the transport has no `type`".into())),
    }
    Ok(())
}

/// A key goes by TLS, or stays on this machine.
fn http(url: &str, endpoint: Option<&str>, api_key: Option<ApiKey>) -> Result<Http, SettingsError> {
    let host = url.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let is_here = |host: &str| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    };
    match host {
        None if !url.starts_with("https://") => {
            return Err(SettingsError(format!("`{url}` is no URL of http or https")));
        }
        Some(host) if api_key.is_some() && !is_here(host) => {
            return Err(SettingsError(format!("an API key would go to `{url}` without TLS: use https")));
        }
        Some(_) | None => {}
    }
    let endpoint = endpoint.unwrap_or(DEFAULT_ENDPOINT).trim_start_matches('/');
    Ok(Http { url: format!("{}/{endpoint}", url.trim_end_matches('/')), api_key, oauth_client: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(variables: &[(&str, &str)], file: Option<Value>) -> String {
        let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        match Settings::read(&variables, file) {
            Ok(settings) => format!("{:?}", settings.transports),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_clients_variables_and_file_are_read() {
        let http = |url: &str| format!("[Http(Http {{ url: \"{url}\", api_key: None, oauth_client: None }})]");
        let url = ("OPENLINEAGE_URL", "http://h:5000/");
        assert_eq!(read(&[], None), "[]");
        assert_eq!(read(&[url], None), http("http://h:5000/api/v1/lineage"));
        assert_eq!(read(&[url, ("OPENLINEAGE_ENDPOINT", "/x")], None), http("http://h:5000/x"));
        assert_eq!(read(&[url, ("OPENLINEAGE_DISABLED", "True")], None), "[]");
        let key = ("OPENLINEAGE_API_KEY", "s3cret");
        assert_eq!(
            read(&[("OPENLINEAGE_URL", "https://h"), key], None),
            "[Http(Http { url: \"https://h/api/v1/lineage\", api_key: Some(ApiKey(…)), oauth_client: None })]"
        );
        assert!(read(&[url, key], None).contains("without TLS"));
        assert!(read(&[("OPENLINEAGE_URL", "http://[2001:db8::1]:5000"), key], None).contains("without TLS"));
        assert!(read(&[("OPENLINEAGE_URL", "http://[::1]:5000"), key], None).starts_with("[Http"));
        assert!(read(&[("OPENLINEAGE_URL", "http://localhost@evil"), key], None).contains("without TLS"));
        let file = json!({ "transport": { "type": "file", "log_file_path": "a.jsonl", "append": true } });
        assert_eq!(read(&[url], Some(file.clone())), "[File { path: \"a.jsonl\", append: true }]");
        let stronger = ("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", "b.jsonl");
        assert_eq!(read(&[stronger], Some(file)), "[File { path: \"b.jsonl\", append: true }]");
        let composite = (
            "OPENLINEAGE__TRANSPORT",
            r#"{"type":"composite","transports":{"a":{"type":"console"},"b":{"type":"noop"}}}"#,
        );
        assert_eq!(read(&[composite], None), "[Console]");
        assert!(read(&[("OPENLINEAGE__TRANSPORT__TYPE", "kafka")], None).contains("`kafka` is not built"));
        assert!(read(&[("OPENLINEAGE_URL", "ftp://h")], None).contains("no URL"));
    }

    #[test]
    fn transports_are_limited() {
        let of = |count: usize| json!({ "transport": { "type": "composite", "transports": vec![json!({ "type": "console" }); count] } });
        assert!(read(&[], Some(of(NESTED_TRANSPORTS_MAX))).starts_with('['));
        assert!(read(&[], Some(of(NESTED_TRANSPORTS_MAX + 1))).contains("more than 16"));
    }
}
