//! Where events go, as the environment and the configuration file of OpenLineage's client say, or else the project.

use std::path::PathBuf;

use lockgate_openlineage::{Http, Settings, Transport};
use lockgate_project::{LineageSettings, LineageTarget, PROJECT_FILE_BYTES_MAX, yaml_value};
use lockgate_trust::Site;
use serde_json::Value;

/// What is configured, or why it cannot be read.
pub(super) fn settings(site: &Site) -> Result<Settings, String> {
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| key.starts_with("OPENLINEAGE_"))
        .collect();
    let file = match file(site) {
        Some(path) => Some(content(&path)?),
        None => None,
    };
    let mut settings = Settings::read(&variables, file).map_err(|error| error.to_string())?;
    if let Some(of_project) = &site.lineage
        && !settings.is_disabled
    {
        if settings.transports.is_empty() {
            settings.transports.push(transport(of_project));
        }
        settings.namespace = settings.namespace.or_else(|| of_project.namespace.clone());
    }
    Ok(settings)
}

fn transport(settings: &LineageSettings) -> Transport {
    match &settings.to {
        LineageTarget::Server(url) => {
            Transport::Http(Http { url: url.clone(), api_key: None, oauth_client: settings.oauth.clone() })
        }
        LineageTarget::File(path) => Transport::File { path: path.to_string_lossy().into_owned(), append: true },
    }
}

/// The client's places for its file; the project's folder stands for the present one.
fn file(site: &Site) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("OPENLINEAGE_CONFIG").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".openlineage/openlineage.yml"));
    [Some(site.root.join("openlineage.yml")), home].into_iter().flatten().find(|path| path.is_file())
}

fn content(path: &std::path::Path) -> Result<Value, String> {
    let shown = path.display();
    let unread = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    let bytes = std::fs::metadata(path).map_err(unread)?.len();
    if bytes > u64::try_from(PROJECT_FILE_BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(format!("{shown} is larger than {PROJECT_FILE_BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(unread)?;
    yaml_value(&shown.to_string(), &text).map_err(|(problems, sources)| {
        let first = problems.iter().next().map(|problem| problem.line(&sources));
        first.unwrap_or_else(|| format!("{shown} is no YAML"))
    })
}
