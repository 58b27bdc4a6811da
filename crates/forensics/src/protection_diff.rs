//! What two runs did differently to protect the same data, and where the later one protects less.
//!
//! ```text
//! clear < tokenized < sealed < masked < dropped
//! ```
//! A token shows which values are equal; a sealed value can be opened by whoever may use the key; a masked value has
//! lost what it hides; a dropped one is not there.

use std::collections::BTreeMap;

use lockgate_evidence::{ColumnProtectionKey, ColumnRecord, KeysUsed};
use lockgate_model::{ColumnName, Failure, Form, RunId};
use lockgate_project::Project;
use lockgate_trust::Site;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::history::Documents;
use crate::runs::Runs;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The column; absent where it is about the whole run.
    pub column: Option<ColumnName>,
    /// What differs: `column`, `form`, `protection`, `level`, `binding`, `key`, `algorithm`, `file encryption`,
    /// `clearance`, `store`, `sql` or `filters`.
    pub what: &'static str,
    /// In the first run; absent where it has nothing of the kind.
    pub before: Option<String>,
    /// In the second run.
    pub after: Option<String>,
    /// Whether the second run protects less.
    pub weaker: bool,
}

/// The differences between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectionDiff {
    /// The first run.
    pub before: RunId,
    /// The second.
    pub after: RunId,
    /// What differs, columns first; empty where both protect alike.
    pub changes: Vec<Change>,
}

/// Compares two runs by what the ledger says of each.
pub fn protection_diff(
    project: &Site,
    before: &RunId,
    after: &RunId,
    runtime: &Handle,
) -> Result<ProtectionDiff, Failure> {
    let runs = Runs::read(project, runtime)?;
    let read = |run| Documents::read(&runs, runs.find(run)?, runtime);
    let changes = compare(project, &read(before)?, &read(after)?);
    Ok(ProtectionDiff { before: before.clone(), after: after.clone(), changes })
}

fn compare(project: &Site, before: &Documents, after: &Documents) -> Vec<Change> {
    let mut found = Found { project, column: None, changes: Vec::new() };
    let columns = |documents: &Documents| -> BTreeMap<ColumnName, ColumnRecord> {
        documents.plan.columns.iter().map(|column| (column.name.clone(), column.clone())).collect()
    };
    let (old, new) = (columns(before), columns(after));
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        found.column = Some(name.clone());
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => {
                found.column(old, new);
                found.keys(name, before.keys.as_ref(), after.keys.as_ref());
            }
            (old, new) => {
                let shown = |column: &ColumnRecord| column.form.to_string();
                let appears_clear = old.is_none() && new.is_some_and(|new| new.form == Form::Clear);
                found.add("column", old.map(shown), new.map(shown), appears_clear);
            }
        }
    }
    found.column = None;
    let (old, new) = (&before.plan, &after.plan);
    let clearance = found.is_lower(&old.sink.clearance, &new.sink.clearance);
    found.compare("clearance", &old.sink.clearance, &new.sink.clearance, clearance);
    found.compare("store", old.sink.store.as_str(), new.sink.store.as_str(), false);
    found.compare("sql", &old.sql, &new.sql, false);
    let filters = |plan: &lockgate_evidence::PlanRecord| {
        let named = plan.filters.iter().map(|filter| format!("{}.{}", filter.dataset, filter.column));
        named.collect::<Vec<_>>().join(", ")
    };
    found.compare("filters", &filters(old), &filters(new), false);
    found.changes
}

struct Found<'a> {
    project: &'a Project,
    column: Option<ColumnName>,
    changes: Vec<Change>,
}

impl Found<'_> {
    fn add(&mut self, what: &'static str, before: Option<String>, after: Option<String>, weaker: bool) {
        self.changes.push(Change { column: self.column.clone(), what, before, after, weaker });
    }

    fn compare(&mut self, what: &'static str, before: &str, after: &str, weaker: bool) {
        if before != after {
            let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            self.add(what, said(before), said(after), weaker);
        }
    }

    /// Whether the first level is below the second, as the project orders them now.
    fn is_lower(&self, first: &str, second: &str) -> bool {
        let level = |name| self.project.lattice.level(name);
        level(first).zip(level(second)).is_some_and(|(first, second)| first < second)
    }

    fn column(&mut self, old: &ColumnRecord, new: &ColumnRecord) {
        let weaker = strength(new.form) < strength(old.form);
        self.compare("form", &old.form.to_string(), &new.form.to_string(), weaker);
        if old.form == new.form {
            let shown = |column: &ColumnRecord| column.protection.as_ref().map(ToString::to_string).unwrap_or_default();
            self.compare("protection", &shown(old), &shown(new), false);
        }
        let lowered = self.is_lower(&new.level, &old.level);
        self.compare("level", &old.level, &new.level, lowered);
        let bound = |column: &ColumnRecord| column.bound_to.as_ref().map(ToString::to_string).unwrap_or_default();
        let unbound = old.bound_to.is_some() && new.bound_to.is_none() && new.form == Form::Sealed;
        self.compare("binding", &bound(old), &bound(new), unbound);
    }

    fn keys(&mut self, name: &ColumnName, old: Option<&KeysUsed>, new: Option<&KeysUsed>) {
        // A run that wrote nothing used no keys.
        let (Some(old), Some(new)) = (old, new) else { return };
        if let (Some(old), Some(new)) = (old.columns.get(name), new.columns.get(name)) {
            self.compare("key", &old.key, &new.key, false);
            self.compare("algorithm", &old.algorithm, &new.algorithm, false);
        }
        let shown = |key: Option<&ColumnProtectionKey>| key.map(|key| key.key.clone()).unwrap_or_default();
        let (old, new) = (old.files.get(name), new.files.get(name));
        self.compare("file encryption", &shown(old), &shown(new), old.is_some() && new.is_none());
    }
}

/// How much a form hides.
fn strength(form: Form) -> u8 {
    match form {
        Form::Clear => 0,
        Form::Tokenized => 1,
        Form::Sealed => 2,
        Form::Masked => 3,
        Form::Dropped => 4,
    }
}
