//! The tables that a query names, each as its asker sees it; what the asker does not see is not there.

use std::sync::Arc;

use lockgate_project::Project;

use crate::authorize::{Asker, Authorization, Deciders, SealedValues, authorize};
use crate::problem::Problem;
use crate::sql::{Tables, tables_read};

/// What an asker sees.
pub(crate) struct Seen {
    pub(crate) tables: Tables,
    /// What was decided of each dataset that the query names; none in a project without policies.
    pub(crate) authorizations: Vec<Authorization>,
}

/// The tables that the SQL names. Without policies a project's pipelines see everything.
pub(crate) fn see(
    project: &Project,
    sql: &str,
    asker: &Asker,
    sealed_values: SealedValues,
    tables: &Tables,
) -> Result<Seen, Vec<Problem>> {
    match Deciders::of(project) {
        None => Ok(Seen { tables: tables.clone(), authorizations: Vec::new() }),
        Some(policies) => {
            let named = tables_read(sql, &tables.keys().cloned().collect(), &project.views);
            let named = tables.iter().filter(|(name, _)| named.contains(name));
            see_those(&policies, asker, sealed_values, tables, named.map(|(_, table)| table))
        }
    }
}

/// All tables that the asker sees.
pub(crate) fn see_all(policies: &Deciders, asker: &Asker, sealed_values: SealedValues, tables: &Tables) -> Tables {
    let one = |table| see_those(policies, asker, sealed_values, tables, std::iter::once(table));
    tables.values().filter_map(|table| one(table).ok()).flat_map(|seen| seen.tables).collect()
}

fn see_those<'a>(
    policies: &Deciders,
    asker: &Asker,
    sealed_values: SealedValues,
    tables: &Tables,
    named: impl Iterator<Item = &'a Arc<crate::table::Table>>,
) -> Result<Seen, Vec<Problem>> {
    let mut seen = Seen { tables: Tables::new(), authorizations: Vec::new() };
    let mut problems = Vec::new();
    for table in named {
        match authorize(table, asker, sealed_values, policies, tables) {
            Ok((table, authorization)) => {
                seen.tables.extend(table.map(|table| (table.dataset.clone(), table)));
                seen.authorizations.push(authorization);
            }
            Err(problem) => problems.push(*problem),
        }
    }
    if problems.is_empty() { Ok(seen) } else { Err(problems) }
}
