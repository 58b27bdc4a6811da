//! `check`: everything that can be said of a project without running it.

use std::path::Path;

use jiff::tz::TimeZone;
use lockgate_crypto::assess;
use lockgate_model::Failure;
use lockgate_project::{
    Code, Diagnostic, Diagnostics, LedgerLocation, Project, SourceFiles, check_policies, render, to_sarif,
};
use lockgate_trust::{KeyState, KeyTable, LedgerPlace};
use serde_json::json;

use crate::cli::CheckFormat;
use crate::{context, output};

pub(crate) fn check(dir: Option<&Path>, format: CheckFormat) -> Result<u8, Failure> {
    let root = context::root(dir)?;
    let (diagnostics, sources, summary) = match Project::load(&root, &context::env) {
        Err(rejected) => (rejected.diagnostics, rejected.sources, None),
        Ok((project, mut diagnostics)) => {
            let compiled = lockgate_plan::compile(&project, context::now());
            diagnostics.extend(compiled.diagnostics);
            diagnostics.extend(check_policies(&project, context::now()));
            diagnostics.extend(forbidden_keys(&project)?);
            let summary = format!(
                "project {}: {} datasets and {} pipelines are in order\n",
                project.name,
                project.datasets.len(),
                compiled.plans.len()
            );
            (diagnostics, project.sources, Some(summary))
        }
    };
    write(format, &diagnostics, &sources, summary.as_deref().filter(|_| !diagnostics.has_errors()))?;
    Ok(if diagnostics.has_errors() { context::kind_of(&diagnostics).exit_code() } else { 0 })
}

fn write(
    format: CheckFormat,
    diagnostics: &Diagnostics,
    sources: &SourceFiles,
    summary: Option<&str>,
) -> Result<(), Failure> {
    match format {
        CheckFormat::Text => {
            let findings = render(diagnostics, sources, lockgate_project::Colour::Never);
            output::print(&(findings + summary.unwrap_or_default()))
        }
        CheckFormat::Sarif => output::print_json(&to_sarif(diagnostics, sources)),
        CheckFormat::Json => {
            let finding = |diagnostic: &Diagnostic| {
                let place = diagnostic.span().map(|span| {
                    let (line, column) = sources.line_column(span);
                    json!({ "file": sources.path(span.file), "line": line, "column": column })
                });
                json!({
                    "code": diagnostic.code.as_str(),
                    "severity": diagnostic.severity.to_string(),
                    "message": diagnostic.message,
                    "place": place,
                    "labels": diagnostic.labels.iter().map(|label| &label.text).filter(|text| !text.is_empty()).collect::<Vec<_>>(),
                    "help": diagnostic.help,
                })
            };
            output::print_json(&json!({
                "findings": diagnostics.iter().map(finding).collect::<Vec<_>>(),
                "errors": diagnostics.has_errors(),
            }))
        }
    }
}

/// Active keys whose algorithm the rules forbid today; the key table names algorithms without any secret. That of a ledger
/// in a bucket is not asked for, since nothing is connected to, and a note says so.
fn forbidden_keys(project: &Project) -> Result<Vec<Diagnostic>, Failure> {
    let folder = match &project.ledger.at {
        LedgerLocation::Folder(folder) => folder,
        LedgerLocation::Bucket(place) => {
            output::note(&format!(
                "note: the key table is in {place} and was not looked at: `lockgate keys list` shows its keys, and a run refuses \
                 those that the rules forbid"
            ));
            return Ok(Vec::new());
        }
    };
    let table = KeyTable::load(&LedgerPlace::folder(folder))?;
    let today = context::now().to_zoned_datetime(TimeZone::UTC).date();
    let span = project.keys.default.span;
    let active = table.keys.iter().filter(|key| key.state == KeyState::Active);
    let forbidden = active.filter_map(|key| {
        let reason = match assess(&key.algorithm, today) {
            Ok(assessment) if assessment.permits_protecting() => return None,
            Ok(assessment) => assessment.to_string(),
            Err(unknown) => unknown.to_string(),
        };
        let message = format!("key {} uses `{}`: {reason}", key.id, key.algorithm);
        Some(Diagnostic::new(Code::AlgorithmForbidden, span, message).with_help("`lockgate keys rotate` replaces it"))
    });
    Ok(forbidden.collect())
}
