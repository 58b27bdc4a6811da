//! What INSERT, UPDATE, DELETE and MERGE put into which columns.

use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, Delete, Expr, FromTable, Ident, Insert, Merge, MergeAction,
    MergeInsertExpr, MergeInsertKind, ObjectName, OnConflictAction, OnInsert, TableFactor, TableObject, TableWithJoins,
    Update, UpdateTableFromKind, Values,
};
use lockgate_project::Code;

use super::expression::without_source;
use super::flow::Flow;
use super::query::{Output, OutputColumn, is_default};
use super::scope::{Scope, ScopeColumn, same};
use super::spark_tokens::EVERY_COLUMN;
use super::statement::statement_of;
use super::{Outcome, Reader, StatementLineage, parts_of, texts};
use crate::facts::DependenceKind;
use crate::problem::Problem;

impl Reader<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) -> Outcome<StatementLineage> {
        let TableObject::TableName(table) = &insert.table else {
            return Err(self.refuse("an INSERT into something that is not a table", insert));
        };
        if insert.multi_table_insert_type.is_some() {
            return Err(self.refuse("an INSERT into several tables", insert));
        }
        let source = match &insert.source {
            Some(query) => self.query(query, None)?,
            None => Output::default(),
        };
        let names = self.inserted_columns(insert, table, &source);
        if source.columns.len() > names.len() {
            let message = format!("{} values are inserted into {} columns", source.columns.len(), names.len());
            return Err(Box::new(Problem::new(Code::SqlType, message).at(self.place(table))));
        }
        let columns = names.into_iter().zip(source.columns);
        let columns = columns.map(|(name, column)| OutputColumn { name, flow: column.flow }).collect();
        let mut output = Output { columns, rows: source.rows };
        self.assign(&insert.assignments, table, &Scope::of(&[], None), &mut output)?;
        self.on_conflict(insert, table, &mut output)?;
        Ok(statement_of(Some(self.table_name(table)), output))
    }

    /// The columns that the values go into, in their order.
    fn inserted_columns(&self, insert: &Insert, table: &ObjectName, source: &Output) -> Vec<String> {
        let listed: Vec<&Ident> = insert
            .columns
            .iter()
            .filter_map(|name| parts_of(name).last().copied())
            .chain(&insert.after_columns)
            .collect();
        if self.by_name {
            let spelled = |column: &OutputColumn| self.column_name(table, &Ident::new(&column.name));
            return source.columns.iter().map(spelled).collect();
        }
        if !listed.is_empty() {
            return listed.into_iter().map(|name| self.column_name(table, name)).collect();
        }
        let Some(known) = self.tables.find(&texts(&parts_of(table))) else {
            return source.columns.iter().map(|column| column.name.clone()).collect();
        };
        // A partition that is given as `day = '…'` takes no value of the query; one that is only named takes the last.
        let (mut fixed, mut last) = (Vec::new(), Vec::new());
        for partition in insert.partitioned.iter().flatten() {
            match partition {
                Expr::BinaryOp { left, op: BinaryOperator::Eq, .. } => fixed.push(left.to_string()),
                other => last.push(other.to_string()),
            }
        }
        let is_in = |names: &[String], column: &str| names.iter().any(|name| same(name, column));
        let first = known.columns.iter().filter(|column| !is_in(&fixed, column) && !is_in(&last, column));
        let last = known.columns.iter().filter(|column| is_in(&last, column));
        first.chain(last).cloned().collect()
    }

    fn on_conflict(&mut self, insert: &Insert, table: &ObjectName, output: &mut Output) -> Outcome<()> {
        let Some(on) = &insert.on else { return Ok(()) };
        let (assignments, condition) = match on {
            OnInsert::DuplicateKeyUpdate(assignments) => (assignments.as_slice(), None),
            OnInsert::OnConflict(conflict) => match &conflict.action {
                OnConflictAction::DoNothing => return Ok(()),
                OnConflictAction::DoUpdate(update) => (update.assignments.as_slice(), update.selection.as_ref()),
            },
            _ => return Err(self.refuse("this ON clause", insert)),
        };
        let alias = insert.table_alias.as_ref().map(|alias| alias.alias.value.clone());
        let mut columns = self.target(table, alias.as_deref())?;
        // The row that was to be inserted; no plain name means it.
        columns.extend(output.columns.iter().map(|column| ScopeColumn {
            relation: ["excluded".to_owned()].into(),
            name: column.name.clone(),
            flow: column.flow.clone(),
            is_merged: true,
        }));
        let scope = Scope::of(&columns, None);
        self.assign(assignments, table, &scope, output)?;
        if let Some(condition) = condition {
            let condition = self.expression(condition, &scope)?.into_indirect(DependenceKind::Conditional);
            output.rows = std::mem::take(&mut output.rows).and(&condition);
        }
        Ok(())
    }

    pub(super) fn update(&mut self, update: &Update) -> Outcome<StatementLineage> {
        let TableFactor::Table { name: table, .. } = &update.table.relation else {
            return Err(self.refuse("an UPDATE of something that is not a table", &update.table));
        };
        let mut relations = vec![update.table.clone()];
        match &update.from {
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => {
                relations.extend(from.iter().cloned());
            }
            None => {}
        }
        let (columns, rows) = self.relations(&relations, None)?;
        let scope = Scope::of(&columns, None);
        let mut output = Output { columns: Vec::new(), rows };
        self.assign(&update.assignments, table, &scope, &mut output)?;
        if let Some(condition) = &update.selection {
            let condition = self.expression(condition, &scope)?.into_indirect(DependenceKind::Filter);
            output.rows = output.rows.and(&condition);
        }
        Ok(statement_of(Some(self.table_name(table)), output))
    }

    /// A row that is deleted is missing in every column.
    pub(super) fn delete(&mut self, delete: &Delete) -> Outcome<StatementLineage> {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let Some(TableWithJoins { relation: TableFactor::Table { name: first, .. }, .. }) = from.first() else {
            return Err(self.refuse("a DELETE from something that is not a table", delete));
        };
        if delete.tables.len() > 1 {
            return Err(self.refuse("a DELETE from several tables", delete));
        }
        let relations: Vec<TableWithJoins> = from.iter().chain(delete.using.iter().flatten()).cloned().collect();
        let (columns, mut rows) = self.relations(&relations, None)?;
        if let Some(condition) = &delete.selection {
            let condition = self.expression(condition, &Scope::of(&columns, None))?;
            rows = rows.and(&condition.into_indirect(DependenceKind::Filter));
        }
        let target = self.table(first)?;
        let columns = target.columns.into_iter().map(|column| OutputColumn { flow: Flow::default(), ..column });
        Ok(statement_of(Some(self.table_name(first)), Output { columns: columns.collect(), rows }))
    }

    pub(super) fn merge_statement(&mut self, merge: &Merge) -> Outcome<StatementLineage> {
        let TableFactor::Table { name: table, .. } = &merge.table else {
            return Err(self.refuse("a MERGE into something that is not a table", &merge.table));
        };
        let (target, _) = self.relation(&merge.table, &[], None)?;
        let (source, rows) = self.relation(&merge.source, &[], None)?;
        let both: Vec<ScopeColumn> = target.iter().chain(&source).cloned().collect();
        let both = Scope::of(&both, None);
        let on = self.expression(&merge.on, &both)?.into_indirect(DependenceKind::Join);
        let mut output = Output { columns: Vec::new(), rows: rows.and(&on) };
        for clause in &merge.clauses {
            let mut conditions: Vec<&Expr> = clause.predicate.iter().collect();
            match &clause.action {
                MergeAction::Insert(insert) => {
                    conditions.extend(&insert.insert_predicate);
                    self.merge_insert(insert, table, &target, &source, &mut output)?;
                }
                MergeAction::Update(update) => {
                    conditions.extend(update.update_predicate.iter().chain(&update.delete_predicate));
                    match update.assignments.as_slice() {
                        [every] if is_every_column(&every.target) => add_by_name(&target, &source, &mut output),
                        some => self.assign(some, table, &both, &mut output)?,
                    }
                }
                MergeAction::Delete { .. } => {}
            }
            for condition in conditions {
                let condition = self.expression(condition, &both)?.into_indirect(DependenceKind::Conditional);
                output.rows = std::mem::take(&mut output.rows).and(&condition);
            }
        }
        Ok(statement_of(Some(self.table_name(table)), output))
    }

    fn merge_insert(
        &mut self,
        insert: &MergeInsertExpr,
        table: &ObjectName,
        target: &[ScopeColumn],
        source: &[ScopeColumn],
        output: &mut Output,
    ) -> Outcome<()> {
        let names: Vec<String> = match insert.columns.as_slice() {
            [] => target.iter().map(|column| column.name.clone()).collect(),
            listed => listed
                .iter()
                .filter_map(|name| parts_of(name).last().copied())
                .map(|name| self.column_name(table, name))
                .collect(),
        };
        match &insert.kind {
            MergeInsertKind::Values(values) if is_every_value(values) => add_by_name(target, source, output),
            MergeInsertKind::Row => {
                for (name, column) in names.into_iter().zip(source) {
                    add(output, name, column.flow.clone());
                }
            }
            MergeInsertKind::Values(values) => {
                let scope = Scope::of(source, None);
                for row in &values.rows {
                    for (name, value) in names.iter().zip(&row.content) {
                        let flow = self.assigned(value, &scope)?;
                        add(output, name.clone(), flow);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what `SET` puts into each column.
    fn assign(
        &mut self,
        assignments: &[Assignment],
        table: &ObjectName,
        scope: &Scope<'_>,
        output: &mut Output,
    ) -> Outcome<()> {
        for Assignment { target, value } in assignments {
            match target {
                AssignmentTarget::ColumnName(name) => {
                    let flow = self.assigned(value, scope)?;
                    self.add_to(name, table, flow, output)?;
                }
                AssignmentTarget::Tuple(names) => {
                    let flows: Vec<Flow> = match value {
                        Expr::Subquery(query) => {
                            let found = self.query(query, Some(scope))?;
                            found.columns.into_iter().map(|column| column.flow.and(&found.rows)).collect()
                        }
                        Expr::Tuple(values) => {
                            values.iter().map(|value| self.assigned(value, scope)).collect::<Outcome<_>>()?
                        }
                        other => vec![self.assigned(other, scope)?; names.len()],
                    };
                    for (name, flow) in names.iter().zip(flows) {
                        self.add_to(name, table, flow, output)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn assigned(&mut self, value: &Expr, scope: &Scope<'_>) -> Outcome<Flow> {
        if is_default(value) { Ok(Flow::default()) } else { self.expression(value, scope) }
    }

    fn add_to(&self, name: &ObjectName, table: &ObjectName, flow: Flow, output: &mut Output) -> Outcome<()> {
        let parts = parts_of(name);
        let Some(column) = parts.last() else { return Err(self.refuse("this assignment", name)) };
        let known = self.tables.find(&texts(&parts_of(table)));
        if let Some(known) = known
            && !known.columns.iter().any(|other| same(other, &column.value))
        {
            let target = without_source(column);
            let near = lockgate_project::nearest(&target.name, known.columns.iter().map(String::as_str));
            let message = format!("table `{}` has no column `{}`", known.name, target.name);
            let problem = Problem::new(Code::UnknownSqlColumn, message).at(self.place_of(&parts));
            return Err(Box::new(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("it has {}", known.columns.join(", "))),
            }));
        }
        add(output, self.column_name(table, column), flow);
        Ok(())
    }

    fn target(&self, table: &ObjectName, alias: Option<&str>) -> Outcome<Vec<ScopeColumn>> {
        let relation: std::rc::Rc<[String]> = match alias {
            Some(alias) => [alias.to_owned()].into(),
            None => parts_of(table).iter().map(|part| part.value.clone()).collect(),
        };
        let columns = self.table(table)?.columns.into_iter().map(|column| ScopeColumn {
            relation: std::rc::Rc::clone(&relation),
            name: column.name,
            flow: column.flow,
            is_merged: false,
        });
        Ok(columns.collect())
    }
}

fn is_every_column(target: &AssignmentTarget) -> bool {
    matches!(target, AssignmentTarget::ColumnName(name) if texts(&parts_of(name)) == [EVERY_COLUMN])
}

fn is_every_value(values: &Values) -> bool {
    let mut all = values.rows.iter().flat_map(|row| &row.content);
    matches!(all.next(), Some(Expr::Identifier(name)) if name.value == EVERY_COLUMN)
}

/// Each column of the target takes the source's column of its name.
fn add_by_name(target: &[ScopeColumn], source: &[ScopeColumn], output: &mut Output) {
    for column in target {
        if let Some(from) = source.iter().find(|from| same(&from.name, &column.name)) {
            add(output, column.name.clone(), from.flow.clone());
        }
    }
}

/// A column may be written on several ways; it depends on what each of them puts there.
fn add(output: &mut Output, name: String, flow: Flow) {
    match output.columns.iter_mut().find(|column| same(&column.name, &name)) {
        Some(column) => column.flow = std::mem::take(&mut column.flow).and(&flow),
        None => output.columns.push(OutputColumn { name, flow }),
    }
}
