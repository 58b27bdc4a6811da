//! Names and patterns of datasets, columns and tags become the resources of policies.
//!
//! ```text
//! datasets: [customers, sales.*]   ─► { default / customers / * }, { sales / * / * }
//! except_datasets: [sales.secret]  ─► { sales / all but secret / * }
//! refused: an exception from a pattern that is not a whole database; Ranger cannot say it
//! ```

use std::collections::BTreeMap;

use lockgate_policy::model::PolicyResource;

use super::{Checker, texts};
use crate::Code;
use crate::policies::split;
use crate::raw::{OnEntry, Texts};

/// The values of a policy by level.
pub(super) type Resource = BTreeMap<String, PolicyResource>;

/// What a policy is on.
pub(super) enum Target {
    /// Datasets, as database and table.
    Datasets { tables: Vec<Resource>, columns: PolicyResource },
    /// Tags.
    Tags(Resource),
}

fn values(values: Vec<String>, is_excludes: bool) -> PolicyResource {
    PolicyResource { values, is_excludes, is_recursive: false }
}

/// Everything.
pub(super) fn any() -> PolicyResource {
    values(vec!["*".to_owned()], false)
}

/// The resources that `on` or `also_on` names. What is wrong is reported.
pub(super) fn target(on: &OnEntry, range: &std::ops::Range<usize>, checker: &mut Checker<'_>) -> Option<Target> {
    let has_datasets = on.datasets.is_some() || on.except_datasets.is_some();
    let has_columns = on.columns.is_some() || on.except_columns.is_some();
    if on.tags.is_some() && (has_datasets || has_columns) {
        let help = "write two policies, one on tags and one on datasets".to_owned();
        checker.report(Code::InvalidValue, range, "a policy is on tags or on datasets, not on both", Some(help));
        return None;
    }
    if let Some(tags) = &on.tags {
        let tags = values(texts(tags, "tag", checker), false);
        return Some(Target::Tags(BTreeMap::from([("tag".to_owned(), tags)])));
    }
    let Some(datasets) = &on.datasets else {
        let help = "add `datasets: [NAME]`, or `tags: [TAG]`".to_owned();
        checker.report(Code::MissingKey, range, "it is not said what the policy is on", Some(help));
        return None;
    };
    let columns =
        if has_columns { one_of_columns(on.columns.as_ref(), on.except_columns.as_ref(), checker)? } else { any() };
    let mut tables = tables(datasets, checker);
    if let Some(excepted) = &on.except_datasets {
        except(&mut tables, excepted, checker)?;
    }
    (!tables.is_empty()).then_some(Target::Datasets { tables, columns })
}

fn one_of_columns(
    named: Option<&Texts>,
    excepted: Option<&Texts>,
    checker: &mut Checker<'_>,
) -> Option<PolicyResource> {
    match (named, excepted) {
        (Some(named), None) => Some(values(texts(named, "column", checker), false)),
        (None, Some(excepted)) => Some(values(texts(excepted, "column", checker), true)),
        (Some(_), Some(excepted)) => {
            let message = "`columns` and `except_columns` together say two things";
            let help = "keep one of the two keys".to_owned();
            checker.report(Code::InvalidValue, &excepted.range, message, Some(help));
            None
        }
        (None, None) => None,
    }
}

/// One resource for each database.
fn tables(datasets: &Texts, checker: &mut Checker<'_>) -> Vec<Resource> {
    let mut databases: Vec<(String, Vec<String>)> = Vec::new();
    for name in texts(datasets, "dataset", checker) {
        let (database, table) = if name == "*" { ("*", "*") } else { split(&name) };
        match databases.iter_mut().find(|(known, _)| known == database) {
            Some((_, tables)) => tables.push(table.to_owned()),
            None => databases.push((database.to_owned(), vec![table.to_owned()])),
        }
    }
    let resource = |(database, tables): (String, Vec<String>)| {
        BTreeMap::from([
            ("database".to_owned(), values(vec![database], false)),
            ("table".to_owned(), values(tables, false)),
        ])
    };
    databases.into_iter().map(resource).collect()
}

/// Takes datasets out of whole databases.
fn except(tables: &mut [Resource], excepted: &Texts, checker: &mut Checker<'_>) -> Option<()> {
    texts(excepted, "dataset", checker);
    for entry in excepted.value.iter().flatten() {
        let Some(name) = &entry.value else { continue };
        let (database, table) = if name == "*" { ("*", "*") } else { split(name) };
        let of_database = tables.iter().position(|resource| is_whole(resource, database));
        let of_everything = tables.iter().position(is_everything).filter(|_| table == "*");
        let place = of_database.map(|at| (at, "table", table));
        let Some((at, level, value)) = place.or_else(|| of_everything.map(|at| (at, "database", database))) else {
            let message = format!("`{}` is not taken out of a whole database", checker.quote(&entry.range));
            let help =
                format!("name the whole database in `datasets`: `{database}.*`, or list the datasets that are meant");
            checker.report(Code::InvalidValue, &entry.range, message, Some(help));
            return None;
        };
        if let Some(resource) = tables.get_mut(at).and_then(|resource| resource.get_mut(level)) {
            if resource.is_excludes {
                resource.values.push(value.to_owned());
            } else {
                *resource = values(vec![value.to_owned()], true);
            }
        }
    }
    Some(())
}

/// Whether it is every dataset of a database, or every one but some.
fn is_whole(resource: &Resource, database: &str) -> bool {
    let level = |name: &str| resource.get(name);
    let is_named =
        level("database").is_some_and(|found| !found.is_excludes && found.values.iter().any(|own| own == database));
    is_named && level("table").is_some_and(|table| table.is_excludes || table.values.iter().any(|own| own == "*"))
}

/// Whether it is every dataset, or every one but some databases.
fn is_everything(resource: &Resource) -> bool {
    let is_any = |level: &str| resource.get(level).is_some_and(|r| r.values.iter().any(|value| value == "*"));
    let excludes = resource.get("database").is_some_and(|database| database.is_excludes);
    (is_any("database") || excludes) && is_any("table")
}

/// The resources of a zone.
pub(super) fn of_zone(datasets: &Texts, checker: &mut Checker<'_>) -> Vec<BTreeMap<String, Vec<String>>> {
    let plain = |resource: Resource| resource.into_iter().map(|(level, r)| (level, r.values)).collect();
    tables(datasets, checker).into_iter().map(plain).collect()
}
