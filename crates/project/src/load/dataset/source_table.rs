//! A table that others write becomes a source whose rows have an order.

use super::Place;
use crate::load::Checker;
use crate::load::settings::Settings;
use crate::raw::{ColumnEntry, DatasetPlace};
use crate::yaml::{Checked, Entries};
use crate::{Code, DatasetSource, Diagnostic, KEY_COLUMNS_MAX, SourceTable, SourceTableName, StoreLocation};

pub(super) fn check(
    place: DatasetPlace,
    columns: &Checked<Entries<ColumnEntry>>,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<Place> {
    let store = settings.store(&place.store, checker);
    let misfit = store.and_then(|store| match &store.location {
        StoreLocation::Postgres(_) => None,
        StoreLocation::Sqlite(_) => Some("tables of SQLite databases are no sources in this version"),
        StoreLocation::Files(_) | StoreLocation::S3(_) => Some("it holds files and no tables"),
    });
    if let (Some(store), Some(reason)) = (store, misfit) {
        let message = format!("the store `{}` does not fit a `table`: {reason}", store.name);
        let diagnostic = Diagnostic::new(Code::StoreDoesNotFit, checker.span(&place.store.range), message)
            .with_label(store.span, "declared here")
            .with_help("name a store at `postgresql://`, or write `path` and `format`");
        checker.found.push(diagnostic);
    }
    let store = store.map(|store| checker.at(store.name.clone(), &place.store.range));
    let of_files = [
        ("path", place.path.as_ref().map(|key| &key.range)),
        ("format", place.format.as_ref().map(|key| &key.range)),
        ("compression", place.compression.as_ref().map(|key| &key.range)),
        ("csv", place.csv.as_ref().map(|key| &key.range)),
        ("parquet", place.parquet.as_ref().map(|key| &key.range)),
    ];
    let formats = columns.value.iter().flat_map(|columns| &columns.0);
    let formats = formats.filter_map(|(_, column)| Some(("format", &column.value.as_ref()?.format.as_ref()?.range)));
    for (key, range) in of_files.into_iter().filter_map(|(key, range)| Some((key, range?))).chain(formats) {
        let help = "remove it: a table has values, and not texts in a file".to_owned();
        checker.report(Code::InvalidValue, range, format!("`{key}` does not go with `table`"), Some(help));
    }
    let table = place.table?;
    let name = match table.value.as_ref()?.parse::<SourceTableName>() {
        Ok(name) => Some(checker.at(name, &table.range)),
        Err(error) => {
            let message = format!("`{}` {error}", checker.quote(&table.range));
            checker.report(Code::InvalidPath, &table.range, message, None);
            None
        }
    };
    let key = match place.key {
        None => Vec::new(),
        Some(key) => {
            let names = key.value?;
            let repeated = |at: usize| {
                names.iter().take(at).any(|other| other.value == names.get(at).and_then(|n| n.value.clone()))
            };
            if names.is_empty() || names.len() > KEY_COLUMNS_MAX || (0..names.len()).any(repeated) {
                let message = format!("`key` names 1 to {KEY_COLUMNS_MAX} columns, each once");
                let help = "name the columns whose values no two rows have in common: `key: [id]`".to_owned();
                checker.report(Code::InvalidValue, &key.range, message, Some(help));
                return None;
            }
            names.into_iter().map(|name| name.value).collect::<Option<_>>()?
        }
    };
    Some((store?, DatasetSource::Table(SourceTable { name: name?, key })))
}
