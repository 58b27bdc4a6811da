//! A file of the catalog becomes a dataset whose every column has a type and a level.

use std::collections::BTreeSet;
use std::ops::Range;

use lockgate_model::{ColumnName, Level, StoreName, TagName, ValueType};

mod file_format;
mod source_table;

use super::settings::Settings;
use super::settings::check_secret;
use super::{Checker, is_word};
use crate::raw::{BindChoice, ColumnEntry, DatasetFile, DatasetPlace, EraseChoice, FormatChoice, ParquetEntry};
use crate::yaml::{Checked, Entries};
use crate::{
    At, Bind, COLUMNS_PER_DATASET_MAX, Code, Column, Dataset, DatasetFormat, DatasetSource, Diagnostic, FileSource,
    PATH_BYTES_MAX, ParquetOptions, PathTemplate, StoreLocation, suggest,
};

/// Checks one dataset; what is wrong is reported.
pub(super) fn check(raw: DatasetFile, settings: &Settings, checker: &mut Checker<'_>) -> Option<Dataset> {
    let name = raw.dataset.value.map(|name| checker.at(name, &raw.dataset.range));
    let dataset_level = raw.level.as_ref().map(|level| settings.level(level, checker));
    let at = raw.at.range;
    let place = raw.at.value.and_then(|place| match place.table.is_some() {
        true => source_table::check(place, &raw.columns, settings, checker),
        false => check_files(place, &at, settings, checker),
    });
    let base = match (&dataset_level, &name) {
        (Some(Some(level)), Some(name)) => Some((*level, format!("level of dataset {}", name.value))),
        (Some(Some(level)), None) => Some((*level, "level of the dataset".to_owned())),
        (Some(None), _) => None,
        (None, _) => settings.default_level.map(|level| (level, "default_level".to_owned())),
    };
    // With a dataset's level that is wrong, columns without one are not reported as well.
    let lacks_base = dataset_level.is_none();
    let columns = check_columns(&raw.columns, base.as_ref(), lacks_base, settings, checker);
    let subject = raw.subject.as_ref().map(|subject| check_subject(subject, &raw.columns, checker));
    let bind = check_bind(raw.bind.as_ref(), raw.subject.is_some(), checker);
    let erase_by_subject = check_erase_by(raw.erase_by.as_ref(), bind, settings, checker);
    let (store, source) = place?;
    let subject = match subject {
        None => None,
        Some(subject) => Some(subject?),
    };
    Some(Dataset {
        name: name?,
        store,
        source,
        subject,
        bind: bind?,
        erase_by_subject: erase_by_subject?,
        columns: columns?,
    })
}

type Place = (At<StoreName>, DatasetSource);

fn check_files(
    place: DatasetPlace,
    at: &Range<usize>,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<Place> {
    let store = settings.store(&place.store, checker);
    if let Some(store) = store
        && let StoreLocation::Sqlite(_) | StoreLocation::Postgres(_) = store.location
    {
        let message = format!("the store `{}` is a database and holds no files", store.name);
        let diagnostic = Diagnostic::new(Code::StoreDoesNotFit, checker.span(&place.store.range), message)
            .with_label(store.span, "declared here")
            .with_help("name a store at `file://` or `s3://`, or in a store at `postgresql://` a `table`");
        checker.found.push(diagnostic);
    }
    let store = store.map(|store| checker.at(store.name.clone(), &place.store.range));
    if let Some(key) = &place.key {
        let help = Some("remove it, or name a `table`".to_owned());
        checker.report(Code::InvalidValue, &key.range, "`key` does not go with files", help);
    }
    for (key, is_there) in [("path", place.path.is_some()), ("format", place.format.is_some())] {
        if !is_there {
            let help = "write `path` and `format` for files, or `table` for a table that others write".to_owned();
            checker.report(Code::MissingKey, at, format!("the key `{key}` is missing in `at`"), Some(help));
        }
    }
    let path = place.path.and_then(|path| check_template(&path, checker));
    let format = place.format?.value.and_then(|format| match format {
        FormatChoice::Csv => {
            refuse_option(place.parquet.as_ref().map(|entry| &entry.range), "parquet", "csv", checker);
            file_format::check_csv(place.csv, place.compression, checker).map(DatasetFormat::Csv)
        }
        FormatChoice::JsonLines => {
            refuse_option(place.parquet.as_ref().map(|entry| &entry.range), "parquet", "jsonl", checker);
            refuse_option(place.csv.as_ref().map(|entry| &entry.range), "csv", "jsonl", checker);
            file_format::check_compression(place.compression).map(DatasetFormat::JsonLines)
        }
        FormatChoice::Parquet => {
            refuse_option(place.csv.as_ref().map(|entry| &entry.range), "csv", "parquet", checker);
            let compression = place.compression.as_ref().map(|entry| &entry.range);
            refuse_option(compression, "compression", "parquet", checker);
            check_parquet(place.parquet, settings, checker).map(DatasetFormat::Parquet)
        }
    });
    Some((store?, DatasetSource::Files(FileSource { path: path?, format: format? })))
}

/// Options of one format beside another format.
fn refuse_option(range: Option<&Range<usize>>, option: &str, format: &str, checker: &mut Checker<'_>) {
    if let Some(range) = range {
        let message = format!("`{option}` does not go with `format: {format}`");
        checker.report(Code::InvalidValue, range, message, Some("remove it, or change the format".to_owned()));
    }
}

fn check_parquet(
    entry: Option<Checked<ParquetEntry>>,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<ParquetOptions> {
    let Some(entry) = entry else { return Some(ParquetOptions::default()) };
    let entry = entry.value?;
    let mut options = ParquetOptions::default();
    let keys = match entry.keys {
        None => Vec::new(),
        Some(keys) => keys.value?.0,
    };
    let mut sound = true;
    for (id, reference) in keys {
        match (id.value, check_secret(&reference, &settings.root, checker)) {
            (Some(id), Some(secret)) => {
                options.keys.insert(id, secret);
            }
            _ => sound = false,
        }
    }
    options.aad_prefix = match entry.aad_prefix {
        None => None,
        Some(prefix) => Some(prefix.value?),
    };
    sound.then_some(options)
}

fn check_template(path: &Checked<String>, checker: &mut Checker<'_>) -> Option<At<PathTemplate>> {
    let text = path.value.as_ref()?;
    match template(text) {
        Ok(template) => Some(checker.at(template, &path.range)),
        Err(fault) => {
            let message = format!("the path `{}` {fault}", checker.quote(&path.range));
            let help = "write a path inside the store, such as `customers/{date}/*.csv`".to_owned();
            checker.report(Code::InvalidPath, &path.range, message, Some(help));
            None
        }
    }
}

/// Reads a path template, or says what is wrong with it.
fn template(text: &str) -> Result<PathTemplate, &'static str> {
    if text.len() > PATH_BYTES_MAX {
        return Err("is longer than 1024 bytes");
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err("has control characters or backslashes");
    }
    if text.starts_with('/') {
        return Err("begins with `/`, but it begins at the store");
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("has an empty part, `.` or `..`");
    }
    let mut parameters: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let inner = rest.get(open..).and_then(|rest| rest.strip_prefix('{')).ok_or("has a `}` without a `{`")?;
        let (name, behind) = inner.split_once('}').ok_or("has a `{` without a `}`")?;
        if !is_word(name) {
            return Err("has a parameter that is no name in `{}`");
        }
        if !parameters.iter().any(|known| known == name) {
            parameters.push(name.to_owned());
        }
        rest = behind;
    }
    Ok(PathTemplate { text: text.to_owned(), parameters })
}

fn check_columns(
    columns: &Checked<Entries<ColumnEntry>>,
    base: Option<&(Level, String)>,
    lacks_base: bool,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<Vec<Column>> {
    let entries = &columns.value.as_ref()?.0;
    if entries.is_empty() {
        let help = "name at least one column with its type".to_owned();
        checker.report(Code::InvalidValue, &columns.range, "`columns` has no column", Some(help));
        return None;
    }
    if entries.len() > COLUMNS_PER_DATASET_MAX {
        let message = format!("{} columns are more than the {COLUMNS_PER_DATASET_MAX} of a dataset", entries.len());
        let help = "split the dataset".to_owned();
        checker.report(Code::ProjectLimit, &columns.range, message, Some(help));
        return None;
    }
    let checked: Vec<Option<Column>> = entries
        .iter()
        .map(|(name, entry)| check_column(name, entry.value.as_ref()?, base, lacks_base, settings, checker))
        .collect();
    checked.into_iter().collect()
}

fn check_column(
    name: &Checked<String>,
    entry: &ColumnEntry,
    base: Option<&(Level, String)>,
    lacks_base: bool,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<Column> {
    let parsed = match name.value.as_ref()?.parse::<ColumnName>() {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            checker.report(Code::InvalidValue, &name.range, error.to_string(), None);
            None
        }
    };
    let value_type = check_type(&entry.value_type, checker);
    let (tags, tags_sound) = check_tags(entry, settings, checker);
    let own = entry.level.as_ref().map(|level| settings.level(level, checker));
    let own_level = own.flatten();
    if let (Some(level), Some(range)) = (own_level, entry.level.as_ref().map(|level| &level.range)) {
        refuse_below_tags(level, range, &tags, settings, checker);
    }
    let start = match own {
        Some(level) => level.map(|level| (level, format!("level: {}", settings.level_name(level)))),
        None => base.cloned(),
    };
    let level = tags.iter().fold(start, |highest, (tag, level)| match highest {
        Some((known, origin)) if known >= *level => Some((known, origin)),
        Some(_) | None => Some((*level, format!("tag {}", tag.value))),
    });
    if level.is_none() && own.is_none() && tags_sound && lacks_base && settings.lattice.is_some() {
        let message = format!("nothing gives the column `{}` a level", checker.quote(&name.range));
        let help = "give it `level:` or `tags:`, its dataset `level:`, or the project `default_level:`".to_owned();
        checker.report(Code::NoLevel, &name.range, message, Some(help));
    }
    let (level, level_origin) = level?;
    Some(Column {
        name: checker.at(parsed?, &name.range),
        value_type: value_type?,
        tags: tags.into_iter().map(|(tag, _)| tag).collect(),
        level,
        level_origin,
        nullable: entry.nullable.as_ref().is_none_or(|nullable| nullable.value != Some(false)),
        format: match (&entry.format, value_type) {
            (Some(format), Some(value_type)) => Some(file_format::check_column(format, value_type, checker)?),
            (Some(_), None) | (None, _) => None,
        },
    })
}

fn check_type(value_type: &Checked<String>, checker: &mut Checker<'_>) -> Option<ValueType> {
    const NAMES: [&str; 8] =
        ["text", "bigint", "integer", "double", "decimal(precision, scale)", "boolean", "date", "timestamp"];
    let text = value_type.value.as_ref()?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let message = format!("`{}` is no type of a column", checker.quote(&value_type.range));
        let meant = match text.to_ascii_lowercase().as_str() {
            "string" | "varchar" | "char" | "str" => Some("text"),
            "int" | "int4" | "int32" => Some("integer"),
            "long" | "int8" | "int64" => Some("bigint"),
            "float" | "float8" | "real" => Some("double"),
            "datetime" | "timestamptz" => Some("timestamp"),
            "numeric" => Some("decimal(precision, scale)"),
            _ => None,
        };
        let help = match meant {
            Some(name) => Some(format!("did you mean `{name}`?")),
            None => suggest::help(text, "the types are", NAMES),
        };
        checker.report(Code::InvalidValue, &value_type.range, message, help);
    }
    parsed
}

/// The tags of a column with their levels, and whether all could be read.
fn check_tags(
    entry: &ColumnEntry,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> (Vec<(At<TagName>, Level)>, bool) {
    let Some(list) = &entry.tags else { return (Vec::new(), true) };
    let Some(names) = &list.value else { return (Vec::new(), false) };
    let mut seen = BTreeSet::new();
    let mut tags = Vec::new();
    let mut sound = true;
    for name in names {
        if let Some(text) = &name.value
            && !seen.insert(text.as_str())
        {
            let message = format!("the tag `{}` is given twice", checker.quote(&name.range));
            checker.report(Code::InvalidValue, &name.range, message, Some("remove one of the two".to_owned()));
        }
        match settings.tag(name, checker) {
            Some((tag, level)) => tags.push((checker.at(tag, &name.range), level)),
            None => sound = false,
        }
    }
    (tags, sound)
}

fn refuse_below_tags(
    level: Level,
    range: &Range<usize>,
    tags: &[(At<TagName>, Level)],
    settings: &Settings,
    checker: &mut Checker<'_>,
) {
    let Some((tag, least)) = tags.iter().filter(|(_, least)| *least > level).max_by_key(|(_, least)| *least) else {
        return;
    };
    let least = settings.level_name(*least);
    let message =
        format!("the level `{}` is below `{least}`, which the tag `{}` demands", checker.quote(range), tag.value);
    let diagnostic = Diagnostic::new(Code::LevelBelowTag, checker.span(range), message)
        .with_label(tag.span, format!("demands `{least}` at least"))
        .with_help(format!("write `level: {least}`, or remove the level or the tag"));
    checker.found.push(diagnostic);
}

fn check_subject(
    subject: &Checked<String>,
    columns: &Checked<Entries<ColumnEntry>>,
    checker: &mut Checker<'_>,
) -> Option<At<ColumnName>> {
    let text = subject.value.as_ref()?;
    let names: Vec<&str> = columns.value.as_ref()?.0.iter().filter_map(|(name, _)| name.value.as_deref()).collect();
    if !names.contains(&text.as_str()) {
        let message = format!("`subject` names the column `{}`, which is not there", checker.quote(&subject.range));
        let help = suggest::help(text, "the columns are", names);
        checker.report(Code::UnknownColumn, &subject.range, message, help);
        return None;
    }
    text.parse().ok().map(|name| checker.at(name, &subject.range))
}

/// Only values that are bound to their subject can be under a key of its own.
fn check_erase_by(
    erase_by: Option<&Checked<EraseChoice>>,
    bind: Option<Bind>,
    settings: &Settings,
    checker: &mut Checker<'_>,
) -> Option<bool> {
    let Some(erase_by) = erase_by else { return Some(false) };
    let EraseChoice::Subject = erase_by.value?;
    if settings.ledger_is_in_a_bucket() {
        let message = "the salts of `erase_by: subject` lie in a file beside the ledger, which a bucket cannot hold";
        let help =
            "remove it, or keep the ledger in a folder: `ledger: { at: \"file://./.lockgate/ledger\" }`".to_owned();
        checker.report(Code::UnsupportedStore, &erase_by.range, message, Some(help));
        return None;
    }
    match bind? {
        Bind::Subject => Some(true),
        Bind::Column => {
            let message = "`erase_by: subject` needs values that are bound to a `subject`";
            let help = "add `subject: COLUMN`, and remove `bind: column`".to_owned();
            checker.report(Code::MissingKey, &erase_by.range, message, Some(help));
            None
        }
    }
}

fn check_bind(bind: Option<&Checked<BindChoice>>, has_subject: bool, checker: &mut Checker<'_>) -> Option<Bind> {
    let Some(bind) = bind else {
        return Some(if has_subject { Bind::Subject } else { Bind::Column });
    };
    match bind.value? {
        BindChoice::Column => Some(Bind::Column),
        BindChoice::Subject if has_subject => Some(Bind::Subject),
        BindChoice::Subject => {
            let help = "add `subject: COLUMN`, or write `bind: column`".to_owned();
            checker.report(Code::MissingKey, &bind.range, "`bind: subject` needs a `subject`", Some(help));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_stays_in_its_store_and_names_its_parameters() {
        let parameters = |text| template(text).unwrap().parameters;
        assert_eq!(parameters("customers/{date}/{x}-{date}.csv"), ["date", "x"]);
        assert!(parameters("a.csv").is_empty());
        for wrong in ["", "/a", "a//b", "../a", "a/..", "./a", "a\\b", "a\n", "{", "}", "{}", "{a b}", "{a}}", "{a{b}}"]
        {
            assert!(template(wrong).is_err(), "{wrong}");
        }
        assert!(template(&"x".repeat(PATH_BYTES_MAX)).is_ok());
        assert!(template(&"x".repeat(PATH_BYTES_MAX + 1)).is_err());
    }
}
