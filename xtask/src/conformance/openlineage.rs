//! Every event of a run, a failed run, a run that was broken off and a job fulfils OpenLineage's own schemas, and so does every
//! facet the schema that it names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use jsonschema::{Retrieve, Uri};
use serde_json::{Value, json};

use super::{Tally, files};

/// The schemas at hand, by their ids; nothing is fetched from anywhere.
#[derive(Clone)]
struct AtHand(BTreeMap<String, Value>);

impl Retrieve for AtHand {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let id = uri.as_str().split('#').next().unwrap_or_default();
        self.0.get(id).cloned().ok_or_else(|| format!("there is no schema {id}").into())
    }
}

pub(super) fn run(program: &Path, root: &Path, specification: &Path, tally: &mut Tally) -> Result<(), String> {
    let schemas = at_hand(root, specification)?;
    let events = events(program)?;
    for event in &events {
        let name = format!("{} of {}", event["eventType"], event["job"]["name"]);
        let mut wrong = invalid(&schemas, &event["schemaURL"], event);
        for (place, facet) in facets(event) {
            let found = invalid(&schemas, &facet["_schemaURL"], facet);
            wrong.extend(found.into_iter().map(|why| format!("{place}: {why}")));
        }
        if wrong.is_empty() {
            tally.passed += 1;
        } else {
            tally.failed += 1;
            println!("openlineage: {name}: FAILED: {}", wrong.join("; "));
        }
    }
    let types: Vec<&str> = events.iter().filter_map(|event| event["eventType"].as_str()).collect();
    println!(
        "openlineage: {} events were held against {} schemas: {}",
        events.len(),
        schemas.0.len(),
        types.join(", ")
    );
    match types.as_slice() {
        ["START", "RUNNING", "COMPLETE", "ABORT", "START", "FAIL"] => Ok(()),
        other => Err(format!("other events than expected: {other:?}")),
    }
}

fn at_hand(root: &Path, specification: &Path) -> Result<AtHand, String> {
    let own = root.join("docs/formats/lockgate-run-facet.json");
    let mut schemas = BTreeMap::new();
    for path in files(specification, ".json").into_iter().chain([own]) {
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let schema: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let id = schema["$id"].as_str().unwrap_or_default().to_owned();
        schemas.insert(id, schema);
    }
    Ok(AtHand(schemas))
}

/// What an instance lacks of a schema that it names by its URL.
fn invalid(schemas: &AtHand, url: &Value, instance: &Value) -> Vec<String> {
    let schema = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": url });
    let options = jsonschema::draft202012::options().with_retriever(schemas.clone()).should_validate_formats(true);
    match options.build(&schema) {
        Ok(validator) => validator.iter_errors(instance).map(|error| error.to_string()).collect(),
        Err(error) => vec![format!("{url}: {error}")],
    }
}

/// Every facet of an event, with its place.
fn facets<'e>(event: &'e Value) -> Vec<(String, &'e Value)> {
    let mut holders = vec![("run.facets", &event["run"]["facets"]), ("job.facets", &event["job"]["facets"])];
    for side in ["inputs", "outputs"] {
        for dataset in event[side].as_array().into_iter().flatten() {
            for kind in ["facets", "inputFacets", "outputFacets"] {
                holders.push((side, &dataset[kind]));
            }
        }
    }
    let of = |(place, facets): (&'static str, &'e Value)| {
        facets.as_object().into_iter().flatten().map(move |(key, facet)| (format!("{place}.{key}"), facet))
    };
    holders.into_iter().flat_map(of).collect()
}

/// Runs the example once well, once broken off, and once without input.
fn events(program: &Path) -> Result<Vec<Value>, String> {
    let folder = std::env::temp_dir().join(format!("lockgate-openlineage-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let lockgate = |args: &[&str]| -> Result<(), String> {
        let mut command = Command::new(program);
        command.args(args).env("OPENLINEAGE__TRANSPORT__TYPE", "file").env("OPENLINEAGE__TRANSPORT__APPEND", "true");
        command.env("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", folder.join("events.jsonl"));
        command.env("OPENLINEAGE_PARENT_ID", "scheduler/daily/01a21316-2787-7d74-9304-9588f8eed8bb");
        command.output().map(drop).map_err(|error| format!("{}: {error}", program.display()))
    };
    let at = folder.to_string_lossy().into_owned();
    let read = || -> Result<Vec<Value>, String> {
        let text = fs::read_to_string(folder.join("events.jsonl")).map_err(|error| format!("no events: {error}"))?;
        text.lines().map(|line| serde_json::from_str(line).map_err(|error| error.to_string())).collect()
    };
    lockgate(&["init", &at])?;
    lockgate(&["run", "daily_customers", "--project", &at])?;
    // What a run leaves behind that is killed after its start.
    let mut abort = read()?.into_iter().next().unwrap_or_default();
    abort["eventType"] = "ABORT".into();
    let marker = folder.join(".lockgate/openlineage/running/killed.json");
    fs::write(&marker, abort.to_string()).map_err(|error| format!("{}: {error}", marker.display()))?;
    lockgate(&["run", "daily_customers", "--param", "date=1999-01-01", "--project", &at])?;
    lockgate(&["lineage", "--export", &folder.join("jobs.jsonl").to_string_lossy(), "--project", &at])?;
    let jobs = fs::read_to_string(folder.join("jobs.jsonl")).map_err(|error| format!("nothing exported: {error}"))?;
    let jobs = jobs.lines().map(|line| serde_json::from_str(line).map_err(|error| error.to_string()));
    let events = read()?.into_iter().map(Ok).chain(jobs).collect();
    let _ = fs::remove_dir_all(&folder);
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_a_key_or_names_no_schema_is_found() {
        let id = "https://example.org/facet.json";
        let schema = json!({ "$id": id, "$defs": { "Facet": { "type": "object", "required": ["_producer"] } } });
        let schemas = AtHand([(id.to_owned(), schema)].into());
        let url = json!(format!("{id}#/$defs/Facet"));
        assert_eq!(invalid(&schemas, &url, &json!({ "_producer": "x" })), Vec::<String>::new());
        assert!(invalid(&schemas, &url, &json!({}))[0].contains("_producer"));
        assert!(!invalid(&schemas, &json!("https://example.org/other.json"), &json!({})).is_empty());
        let event = json!({ "run": { "facets": { "a": 1 } }, "outputs": [{ "outputFacets": { "b": 2 } }] });
        let places: Vec<_> = facets(&event).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, ["run.facets.a", "outputs.b"]);
    }
}
