//! What each statement puts out: the columns of its query, or those of the table that it writes.

use datafusion::sql::sqlparser::ast::{CreateTable, CreateView, Ident, ObjectName, Query, SetExpr, Statement};

use super::flow::Flow;
use super::query::{Output, OutputColumn};
use super::{Outcome, OutputLineage, Reader, StatementLineage, inputs_of, parts_of, texts};

impl Reader<'_> {
    pub(super) fn statement(&mut self, statement: &Statement) -> Outcome<StatementLineage> {
        match statement {
            Statement::Query(query) => self.query_statement(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge_statement(merge),
            Statement::CreateTable(create) => self.create_table(create),
            Statement::CreateView(create) => self.create_view(create),
            other => {
                let verb = other.to_string();
                let verb: Vec<_> = verb.split_whitespace().take(2).collect();
                Err(self.refuse(&format!("`{}`", verb.join(" ")), other))
            }
        }
    }

    fn query_statement(&mut self, query: &Query) -> Outcome<StatementLineage> {
        let (SetExpr::Insert(written) | SetExpr::Update(written) | SetExpr::Delete(written) | SetExpr::Merge(written)) =
            query.body.as_ref()
        else {
            let into = match query.body.as_ref() {
                SetExpr::Select(select) => select.into.as_ref(),
                _ => None,
            };
            let output = self.query(query, None)?;
            return Ok(statement_of(into.map(|into| self.table_name(&into.name)), output));
        };
        if let Some(with) = &query.with {
            self.named_queries(with, None)?;
        }
        self.statement(written)
    }

    fn create_table(&mut self, create: &CreateTable) -> Outcome<StatementLineage> {
        let output = match (&create.query, &create.clone) {
            (Some(query), _) => self.query(query, None)?,
            (None, Some(original)) => self.table(original)?,
            (None, None) => return Err(self.refuse("CREATE TABLE without a query", &create.name)),
        };
        let output = self.renamed(output, create.columns.iter().map(|column| &column.name));
        Ok(statement_of(Some(self.table_name(&create.name)), output))
    }

    fn create_view(&mut self, create: &CreateView) -> Outcome<StatementLineage> {
        let output = self.query(&create.query, None)?;
        let output = self.renamed(output, create.columns.iter().map(|column| &column.name));
        let table = create.to.as_ref().unwrap_or(&create.name);
        Ok(statement_of(Some(self.table_name(table)), output))
    }

    /// The name of a table that is written: as the catalog has it, or as the statement does.
    pub(super) fn table_name(&self, name: &ObjectName) -> String {
        let parts = parts_of(name);
        match self.tables.find(&texts(&parts)) {
            Some(table) => table.name.clone(),
            None => parts.iter().map(|part| self.folded(part)).collect::<Vec<_>>().join("."),
        }
    }

    /// A column of a table that is written, as the catalog spells it.
    pub(super) fn column_name(&self, table: &ObjectName, column: &Ident) -> String {
        let known = self.tables.find(&texts(&parts_of(table)));
        let spelled = known.and_then(|table| table.columns.iter().find(|name| super::scope::same(name, &column.value)));
        spelled.cloned().unwrap_or_else(|| self.folded(column))
    }
}

/// Every column depends on what all rows depend on, too.
pub(super) fn statement_of(table: Option<String>, output: Output) -> StatementLineage {
    let Output { columns, rows } = output;
    let column = |OutputColumn { name, flow }: OutputColumn| {
        let flow: Flow = flow.and(&rows);
        OutputLineage { column: name, inputs: inputs_of(flow) }
    };
    StatementLineage { table, columns: columns.into_iter().map(column).collect() }
}
