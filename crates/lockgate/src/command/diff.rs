//! `diff`: what two runs did differently to protect the same data.

use std::path::Path;

use lockgate_forensics::{Change, ProtectionDiff};
use lockgate_model::Failure;

use crate::cli::Format;
use crate::{context, output};

/// Exit code 1 says that the runs protect differently.
pub(crate) fn diff(dir: Option<&Path>, before: &str, after: &str, format: Format) -> Result<u8, Failure> {
    let project = context::load(dir)?;
    let runtime = context::runtime()?;
    let (before, after) = (context::run_id(before)?, context::run_id(after)?);
    let found = lockgate_forensics::protection_diff(&project, &before, &after, runtime.handle())?;
    match format {
        Format::Json => output::print_json(&found)?,
        Format::Text => output::print(&text(&found))?,
    }
    Ok(u8::from(!found.changes.is_empty()))
}

fn text(found: &ProtectionDiff) -> String {
    if found.changes.is_empty() {
        return format!("runs {} and {} protect alike\n", found.before, found.after);
    }
    let row = |change: &Change| {
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        vec![
            change.column.as_ref().map_or_else(|| "(run)".to_owned(), ToString::to_string),
            change.what.to_owned(),
            format!("{} → {}", one_line(&said(&change.before)), one_line(&said(&change.after))),
            if change.weaker { "WEAKER".to_owned() } else { String::new() },
        ]
    };
    let weaker = found.changes.iter().filter(|change| change.weaker).count();
    let table = output::table(&found.changes.iter().map(row).collect::<Vec<_>>(), 2);
    format!(
        "from run {} to run {}\n{table}{} differences, {weaker} of them weaker\n",
        found.before,
        found.after,
        found.changes.len()
    )
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
