//! A list of tables that is read is names and columns, each once; types are kept as they are written.
//!
//! ```text
//! tables:                          tables:                          [{ "name": "t", "columns": [{ "name": "id",
//!   sales.orders:                    - name: sales.orders              "type": "bigint" }] }]
//!     columns: { id: bigint }          columns: [{ name: id, type: bigint }]
//! ```
//! Refused: a table or a column twice, a table without columns, anything that is neither of these forms.

use std::cell::RefCell;

use crate::project::COLUMNS_PER_DATASET_MAX;
use crate::yaml::{self, Context, Entry, Node, Value};
use crate::{Code, Diagnostic, Diagnostics, SourceFiles};

/// The most tables that one list may have.
pub const LISTED_TABLES_MAX: usize = 10_000;

/// A table of a list: its name, with dots between the parts, and its columns in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTable {
    /// `orders` or `sales.orders`.
    pub name: String,
    /// Never empty.
    pub columns: Vec<ListedColumn>,
}

/// A column of a [`ListedTable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedColumn {
    /// Its name.
    pub name: String,
    /// Its type, as it is written; empty where none is.
    pub type_text: String,
}

/// Reads a list of tables in YAML or JSON. Keys of a table other than `name` and `columns` are told of in the warnings
/// beside the tables.
///
/// # Errors
///
/// Everything that is wrong, with its place in the file.
pub fn table_list(path: &str, text: &str) -> Result<(Vec<ListedTable>, Vec<String>), (Diagnostics, SourceFiles)> {
    let mut sources = SourceFiles::new();
    let file = sources.add(path, text);
    let context = Context { file, sources: &sources, env: &|_| None, problems: RefCell::new(Vec::new()) };
    let mut list = List { context: &context, tables: Vec::new(), unread: Vec::new() };
    if let Some(node) = yaml::parse(text, &context) {
        list.root(&node);
    }
    let List { tables, unread, .. } = list;
    let problems = context.problems.into_inner();
    if problems.is_empty() {
        return Ok((tables, unread));
    }
    Err((problems.into_iter().collect(), sources))
}

struct List<'c> {
    context: &'c Context<'c>,
    tables: Vec<ListedTable>,
    unread: Vec<String>,
}

const FORM: &str = "write `tables: { orders: { columns: { id: bigint } } }`, or a list of `{ name, columns }`";

impl List<'_> {
    fn root(&mut self, node: &Node) {
        match &node.value {
            Value::Mapping(entries) => match entries.iter().find(|entry| entry.key == "tables") {
                Some(tables) => {
                    self.not_read(entries, &["tables"]);
                    self.tables(&tables.node);
                }
                None => self.tables(node),
            },
            Value::Sequence(_) | Value::Scalar(_) => self.tables(node),
        }
        if self.tables.is_empty() && self.context.problems.borrow().is_empty() {
            self.refuse(node, "the file lists no tables");
        }
    }

    fn tables(&mut self, node: &Node) {
        match &node.value {
            Value::Mapping(entries) => entries.iter().for_each(|entry| self.named(&entry.key, &entry.node)),
            Value::Sequence(items) => items.iter().for_each(|item| self.item(item)),
            Value::Scalar(_) => self.refuse(node, "the tables are neither a mapping nor a list"),
        }
    }

    fn item(&mut self, item: &Node) {
        let Value::Mapping(entries) = &item.value else { return self.refuse(item, "a table is not a mapping") };
        let name = entries.iter().find(|entry| entry.key == "name").and_then(|entry| text_of(&entry.node));
        match name {
            Some(name) => self.named(&name, item),
            None => self.refuse(item, "a table of the list has no `name`"),
        }
    }

    /// A table, or a schema of tables.
    fn named(&mut self, name: &str, node: &Node) {
        let columns = match &node.value {
            Value::Mapping(entries) => match entries.iter().find(|entry| entry.key == "columns") {
                Some(columns) => {
                    self.not_read(entries, &["columns", "name"]);
                    self.columns(&columns.node)
                }
                None if !entries.is_empty() && entries.iter().all(|entry| is_schema_entry(&entry.node)) => {
                    for entry in entries {
                        self.named(&format!("{name}.{}", entry.key), &entry.node);
                    }
                    return;
                }
                None => self.columns(node),
            },
            Value::Sequence(_) => self.columns(node),
            Value::Scalar(_) => return self.refuse(node, &format!("table `{name}` has no columns")),
        };
        if columns.is_empty() {
            return self.refuse(node, &format!("table `{name}` has no columns"));
        }
        if self.tables.iter().any(|table| table.name == name) {
            return self.refuse(node, &format!("table `{name}` is listed twice"));
        }
        if self.tables.len() == LISTED_TABLES_MAX {
            return self.refuse(node, &format!("there are more than {LISTED_TABLES_MAX} tables"));
        }
        self.tables.push(ListedTable { name: name.to_owned(), columns });
    }

    fn columns(&self, node: &Node) -> Vec<ListedColumn> {
        let mut columns: Vec<ListedColumn> = Vec::new();
        let mut add = |at: &Node, name: Option<String>, type_text: Option<String>| match (name, type_text) {
            (Some(name), _) if columns.iter().any(|column| column.name == name) => {
                self.refuse(at, &format!("column `{name}` is listed twice"));
            }
            (Some(name), Some(type_text)) if columns.len() < COLUMNS_PER_DATASET_MAX => {
                columns.push(ListedColumn { name, type_text });
            }
            (Some(_), Some(_)) => self.refuse(at, &format!("a table has more than {COLUMNS_PER_DATASET_MAX} columns")),
            (None, _) => self.refuse(at, "a column has no name"),
            (Some(name), None) => self.refuse(at, &format!("the type of column `{name}` is not a text")),
        };
        match &node.value {
            Value::Mapping(entries) => {
                for Entry { key, node, .. } in entries {
                    add(node, Some(key.clone()), type_of(node));
                }
            }
            Value::Sequence(items) => {
                for item in items {
                    match &item.value {
                        Value::Mapping(entries) => {
                            let name = entries.iter().find(|entry| entry.key == "name");
                            add(item, name.and_then(|entry| text_of(&entry.node)), type_of(item));
                        }
                        Value::Scalar(scalar) => add(item, Some(scalar.text.clone()), Some(String::new())),
                        Value::Sequence(_) => self.refuse(item, "a column is a list"),
                    }
                }
            }
            Value::Scalar(_) => self.refuse(node, "the columns are neither a mapping nor a list"),
        }
        columns
    }

    fn not_read(&mut self, entries: &[Entry], read: &[&str]) {
        let others = entries.iter().filter(|entry| !read.contains(&entry.key.as_str()));
        self.unread.extend(others.map(|entry| entry.key.clone()));
    }

    fn refuse(&self, node: &Node, message: &str) {
        let diagnostic = Diagnostic::new(Code::InvalidValue, self.context.span(&node.range), message);
        self.context.report(diagnostic.with_help(FORM));
    }
}

fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// `bigint`, or `{ type: bigint, … }`; a column without a type has an empty one.
fn type_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        Value::Mapping(entries) => match entries.iter().find(|entry| entry.key == "type") {
            Some(entry) => text_of(&entry.node),
            None => Some(String::new()),
        },
        Value::Sequence(_) => None,
    }
}

/// Whether this is a table rather than a column: a list, or a mapping that is no `{ type: … }`.
fn is_schema_entry(node: &Node) -> bool {
    match &node.value {
        Value::Sequence(_) => true,
        Value::Mapping(entries) => !entries.is_empty() && !entries.iter().any(|entry| entry.key == "type"),
        Value::Scalar(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match table_list("tables.yaml", text) {
            Ok((tables, unread)) => {
                let table = |table: &ListedTable| {
                    let columns =
                        table.columns.iter().map(|c| format!("{} {}", c.name, c.type_text).trim_end().to_owned());
                    format!("{}({})", table.name, columns.collect::<Vec<_>>().join(", "))
                };
                let tables: Vec<_> = tables.iter().map(table).collect();
                format!("{}{}", tables.join(" "), unread.iter().map(|key| format!(" -{key}")).collect::<String>())
            }
            Err((problems, sources)) => problems.iter().map(|p| p.line(&sources)).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn every_form_gives_the_same_tables() {
        for text in [
            "tables: { t: { columns: { id: bigint, name: 'varchar(20)' } } }",
            "tables:\n  - name: t\n    columns: [{ name: id, type: bigint }, { name: name, type: varchar(20) }]\n",
            "[{\"name\": \"t\", \"columns\": [{\"name\": \"id\", \"type\": \"bigint\"}, {\"name\": \"name\", \"type\": \"varchar(20)\"}]}]",
            "t: { id: bigint, name: { type: varchar(20), nullable: true } }",
            "{\"tables\": {\"t\": {\"id\": \"bigint\", \"name\": \"varchar(20)\"}}}",
        ] {
            assert_eq!(read(text), "t(id bigint, name varchar(20))", "{text}");
        }
        assert_eq!(read("tables: { t: { columns: [a, b], owner: x } }"), "t(a, b) -owner");
        assert_eq!(
            read("sales: { orders: { id: int }, lines: { columns: { n: int } } }"),
            "sales.orders(id int) sales.lines(n int)"
        );
    }

    #[test]
    fn what_is_no_list_of_tables_is_refused_where_it_stands() {
        for (text, message) in [
            ("tables: 1", "tables.yaml:1:9: "),
            ("tables: { t: { columns: { a: [x] } } }", "the type of column `a` is not a text"),
            ("tables: { t: {} }", "table `t` has no columns"),
            ("- { columns: { a: int } }", "has no `name`"),
            ("- { name: t, columns: [a] }\n- { name: t, columns: [b] }", "table `t` is listed twice"),
            ("tables: { t: { columns: [a, a] } }", "column `a` is listed twice"),
            ("{}", "lists no tables"),
            ("tables: {", "tables.yaml:1:"),
        ] {
            let found = read(text);
            assert!(found.contains(message), "{text}: {found}");
        }
    }

    #[test]
    fn tables_and_columns_are_limited() {
        let tables = |count: usize| (0..count).map(|n| format!("t{n}: [a]\n")).collect::<String>();
        assert!(table_list("x", &tables(LISTED_TABLES_MAX)).is_ok());
        assert!(table_list("x", &tables(LISTED_TABLES_MAX + 1)).is_err());
        let columns = |count: usize| format!("t: [{}]", (0..count).map(|n| format!("c{n}, ")).collect::<String>());
        assert!(table_list("x", &columns(COLUMNS_PER_DATASET_MAX)).is_ok());
        assert!(table_list("x", &columns(COLUMNS_PER_DATASET_MAX + 1)).is_err());
    }
}
