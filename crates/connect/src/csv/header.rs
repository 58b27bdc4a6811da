//! Finds the declared columns in a header row, in any order, or says which are not there.

use lockgate_model::ColumnName;

use super::SourceColumn;
use crate::text_error::{HeaderError, MissingColumn};

/// How alike a name in the header must be to a declared one to be suggested (Jaro-Winkler, 0 to 1). Above it, so that
/// a value of a file without a header is not taken for a misspelt name and shown.
const LIKENESS_MIN: f64 = 0.9;

/// Where the declared columns are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The number of fields of the header, and so of every record.
    pub(super) width: usize,
    /// For each declared column its field.
    pub(super) fields: Vec<usize>,
    /// The names that nothing is declared for.
    pub(super) ignored: Vec<String>,
}

impl Header {
    /// For a file without a header: the declared columns and no others, in their order.
    pub(super) fn by_position(declared: &[SourceColumn]) -> Self {
        Self { width: declared.len(), fields: (0..declared.len()).collect(), ignored: Vec::new() }
    }

    pub(super) fn find(names: &[&str], declared: &[SourceColumn]) -> Result<Self, HeaderError> {
        let mut fields = Vec::with_capacity(declared.len());
        let mut missing = Vec::new();
        for column in declared {
            let mut places = names.iter().enumerate().filter(|(_, name)| **name == column.name.as_str());
            match (places.next(), places.next()) {
                (Some((field, _)), None) => fields.push(field),
                (Some(_), Some(_)) => return Err(HeaderError::Twice(column.name.clone())),
                (None, _) => missing.push(&column.name),
            }
        }
        let is_ignored = |name: &&&str| !declared.iter().any(|column| column.name.as_str() == **name);
        let ignored: Vec<String> = names.iter().filter(is_ignored).map(|name| (*name).to_owned()).collect();
        if missing.is_empty() {
            return Ok(Self { width: names.len(), fields, ignored });
        }
        let missing: Vec<_> = missing.into_iter().map(|column| with_suggestion(column, &ignored)).collect();
        let nothing_alike = fields.is_empty() && missing.iter().all(|column| column.near.is_none());
        if nothing_alike && declared.len() > 1 {
            return Err(HeaderError::NoneFound(declared.len()));
        }
        Err(HeaderError::Missing(missing))
    }
}

fn with_suggestion(column: &ColumnName, names: &[String]) -> MissingColumn {
    let plain =
        |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let wanted = plain(column.as_str());
    let near = names
        .iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &plain(name)), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.clone());
    MissingColumn { column: column.clone(), near }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockgate_model::ValueType;

    fn declared(names: &[&str]) -> Vec<SourceColumn> {
        names
            .iter()
            .map(|name| SourceColumn {
                name: name.parse().unwrap(),
                value_type: ValueType::Text,
                nullable: true,
                format: None,
            })
            .collect()
    }

    #[test]
    fn columns_are_found_in_any_order_and_others_listed() {
        let header = Header::find(&["x", "email", "id", "x"], &declared(&["id", "email"])).unwrap();
        assert_eq!(header, Header { width: 4, fields: vec![2, 1], ignored: vec!["x".into(), "x".into()] });
    }

    #[test]
    fn a_missing_column_is_named_with_what_is_near() {
        let error = Header::find(&["id", "E-Mail ", "city"], &declared(&["id", "email", "name"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "has no column `email` (is it `E-Mail `?), `name`: correct the file, or the columns in the catalog"
        );
        let error = Header::find(&["id", "id"], &declared(&["id"])).unwrap_err();
        assert_eq!(error, HeaderError::Twice("id".parse().unwrap()));
    }

    #[test]
    fn a_row_of_data_is_not_shown_as_a_header() {
        let error = Header::find(&["17", "jane", "jane@example.org"], &declared(&["id", "name", "email"])).unwrap_err();
        assert_eq!(error, HeaderError::NoneFound(3));
        assert!(!error.to_string().contains("jane"));
    }
}
