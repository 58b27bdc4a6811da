//! `schema`: the JSON Schemas of a project's files.

use std::collections::BTreeMap;
use std::path::Path;

use lockgate_model::{Failure, FailureKind};
use lockgate_project::schemas;

use crate::output;

pub(crate) fn schema(folder: Option<&Path>) -> Result<u8, Failure> {
    let Some(folder) = folder else {
        output::print_json(&schemas().into_iter().collect::<BTreeMap<_, _>>())?;
        return Ok(0);
    };
    let failed = |error: std::io::Error| {
        Failure::new(FailureKind::Failed, format!("{} cannot be written: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (name, schema) in schemas() {
        let text =
            serde_json::to_string_pretty(&schema).map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
        std::fs::write(folder.join(name), text + "\n").map_err(failed)?;
        output::note(&format!("wrote {}", folder.join(name).display()));
    }
    Ok(0)
}
