//! The columns that the relations of a FROM offer, and by what their rows were joined.

use std::rc::Rc;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, Ident, Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableWithJoins,
};
use lockgate_project::Code;

use super::expression::without_source;
use super::flow::Flow;
use super::query::{Output, OutputColumn};
use super::scope::{Scope, ScopeColumn, same};
use super::{Outcome, Reader, SCOPE_COLUMNS_MAX, parts_of, texts};
use crate::facts::DependenceKind;
use crate::problem::Problem;

/// Columns and rows of what stands left of a relation.
pub(super) type Joined = (Vec<ScopeColumn>, Flow);

/// Which sides of a join can be named after it.
enum Sides {
    Both,
    Left,
    Right,
}

impl Reader<'_> {
    pub(super) fn relations(&mut self, from: &[TableWithJoins], outer: Option<&Scope<'_>>) -> Outcome<Joined> {
        let mut all: Joined = (Vec::new(), Flow::default());
        for table in from {
            let (columns, rows) = self.with_joins(table, &all.0, outer)?;
            all.0.extend(columns);
            all.1 = all.1.and(&rows);
            if all.0.len() > SCOPE_COLUMNS_MAX {
                let message = format!("a FROM has {} columns; the most is {SCOPE_COLUMNS_MAX}", all.0.len());
                return Err(Box::new(Problem::new(Code::SqlLimit, message)));
            }
        }
        Ok(all)
    }

    fn with_joins(
        &mut self,
        table: &TableWithJoins,
        left: &[ScopeColumn],
        outer: Option<&Scope<'_>>,
    ) -> Outcome<Joined> {
        let mut all = self.relation(&table.relation, left, outer)?;
        for join in &table.joins {
            all = self.join(all, join, left, outer)?;
        }
        Ok(all)
    }

    fn join(
        &mut self,
        (left, rows): Joined,
        join: &Join,
        before: &[ScopeColumn],
        outer: Option<&Scope<'_>>,
    ) -> Outcome<Joined> {
        let so_far: Vec<ScopeColumn> = before.iter().chain(&left).cloned().collect();
        let (right, right_rows) = self.relation(&join.relation, &so_far, outer)?;
        let mut rows = rows.and(&right_rows);
        let (sides, constraint) = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint)
            | JoinOperator::StraightJoin(constraint) => (Sides::Both, constraint),
            JoinOperator::Semi(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::Anti(constraint)
            | JoinOperator::LeftAnti(constraint) => (Sides::Left, constraint),
            JoinOperator::RightSemi(constraint) | JoinOperator::RightAnti(constraint) => (Sides::Right, constraint),
            JoinOperator::CrossApply | JoinOperator::OuterApply => (Sides::Both, &JoinConstraint::None),
            JoinOperator::AsOf { match_condition, constraint } => {
                let columns: Vec<ScopeColumn> = left.iter().chain(&right).cloned().collect();
                let matched = self.expression(match_condition, &Scope::of(&columns, outer))?;
                rows = rows.and(&matched.into_indirect(DependenceKind::Join));
                (Sides::Both, constraint)
            }
            JoinOperator::ArrayJoin | JoinOperator::LeftArrayJoin | JoinOperator::InnerArrayJoin => {
                return Err(self.refuse("ARRAY JOIN", &join.relation));
            }
        };
        let keys: Vec<Ident> = match constraint {
            JoinConstraint::On(condition) => {
                let columns: Vec<ScopeColumn> = so_far.iter().chain(&right).cloned().collect();
                let condition = self.expression(condition, &Scope::of(&columns, outer))?;
                rows = rows.and(&condition.into_indirect(DependenceKind::Join));
                Vec::new()
            }
            JoinConstraint::Using(names) => {
                names.iter().filter_map(|name| parts_of(name).last().copied().cloned()).collect()
            }
            JoinConstraint::Natural => common(&left, &right),
            JoinConstraint::None => Vec::new(),
        };
        let (columns, merged_rows) = self.merge(left, right, &keys, &join.join_operator)?;
        rows = rows.and(&merged_rows);
        let columns = match sides {
            Sides::Both => columns.0.into_iter().chain(columns.1).chain(columns.2).collect(),
            Sides::Left => unmerged(columns.1),
            Sides::Right => unmerged(columns.2),
        };
        Ok((columns, rows))
    }

    /// Puts the columns of USING together: the merged ones, those of the left side, those of the right.
    #[expect(clippy::type_complexity, reason = "three lists of columns, in the order of `*`")]
    fn merge(
        &self,
        mut left: Vec<ScopeColumn>,
        mut right: Vec<ScopeColumn>,
        keys: &[Ident],
        operator: &JoinOperator,
    ) -> Outcome<((Vec<ScopeColumn>, Vec<ScopeColumn>, Vec<ScopeColumn>), Flow)> {
        let (mut merged, mut rows) = (Vec::new(), Flow::default());
        for key in keys {
            let named = |column: &&mut ScopeColumn| !column.is_merged && same(&column.name, &key.value);
            let (Some(l), Some(r)) = (left.iter_mut().find(named), right.iter_mut().find(named)) else {
                let message = format!("`{}` is not a column of both sides of the join", key.value);
                return Err(Box::new(Problem::new(Code::UnknownSqlColumn, message).at(self.place_of(&[key]))));
            };
            rows = rows.and(&l.flow.clone().and(&r.flow).into_indirect(DependenceKind::Join));
            let flow = match operator {
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => r.flow.clone(),
                JoinOperator::FullOuter(_) => {
                    let either = l.flow.clone().and(&r.flow);
                    either.clone().computed(DependenceKind::Transformation).and(&either.into_condition())
                }
                _ => l.flow.clone(),
            };
            merged.push(ScopeColumn { relation: Rc::from([]), name: l.name.clone(), flow, is_merged: false });
            (l.is_merged, r.is_merged) = (true, true);
        }
        Ok(((merged, left, right), rows))
    }

    /// One relation. What stands left of it is in sight of functions, of UNNEST and of LATERAL.
    pub(super) fn relation(
        &mut self,
        factor: &TableFactor,
        left: &[ScopeColumn],
        outer: Option<&Scope<'_>>,
    ) -> Outcome<Joined> {
        let lateral = Scope::of(left, outer);
        match factor {
            TableFactor::Table { name, alias, args: None, json_path: None, .. } => {
                let output = self.table(name)?;
                let relation = parts_of(name).iter().map(|part| part.value.clone()).collect();
                Ok(self.aliased(output, alias.as_ref(), relation))
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                self.table_function(name, &args.args, alias.as_ref(), *with_ordinality, &lateral)
            }
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                self.table_function(name, args, alias.as_ref(), *with_ordinality, &lateral)
            }
            TableFactor::TableFunction { expr, alias } => {
                let flow = self.computed([expr], &lateral)?;
                Ok(self.generated(flow, generated_names(expr), alias.as_ref(), &[]))
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset, with_offset_alias, with_ordinality } => {
                let mut columns = Vec::new();
                for expr in array_exprs {
                    let name = alias.as_ref().map_or_else(|| "unnest".to_owned(), |alias| alias.name.value.clone());
                    columns.push(OutputColumn { name, flow: self.computed([expr], &lateral)? });
                }
                let offset = with_offset.then(|| with_offset_alias.clone().unwrap_or_else(|| Ident::new("offset")));
                let ordinality = with_ordinality.then(|| Ident::new("ordinality"));
                let counted = [offset, ordinality].into_iter().flatten().map(|name| without_source(&name));
                columns.extend(counted.map(|column| OutputColumn { name: column.name, flow: column.flow }));
                Ok(self.aliased(Output { columns, rows: Flow::default() }, alias.as_ref(), Vec::new()))
            }
            TableFactor::Derived { lateral: is_lateral, subquery, alias, .. } => {
                let output = self.query(subquery, if *is_lateral { Some(&lateral) } else { outer })?;
                Ok(self.aliased(output, alias.as_ref(), Vec::new()))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let (columns, rows) = self.deeper(|reader| reader.with_joins(table_with_joins, left, outer))?;
                let Some(alias) = alias else { return Ok((columns, rows)) };
                let visible = columns.into_iter().filter(|column| !column.is_merged);
                let columns = visible.map(|column| OutputColumn { name: column.name, flow: column.flow }).collect();
                Ok(self.aliased(Output { columns, rows }, Some(alias), Vec::new()))
            }
            TableFactor::Table { .. } => Err(self.refuse("a path into a table's JSON", factor)),
            TableFactor::Pivot { .. } => Err(self.refuse("PIVOT", factor)),
            TableFactor::Unpivot { .. } => Err(self.refuse("UNPIVOT", factor)),
            TableFactor::JsonTable { .. } | TableFactor::OpenJsonTable { .. } => Err(self.refuse("JSON_TABLE", factor)),
            TableFactor::XmlTable { .. } => Err(self.refuse("XMLTABLE", factor)),
            TableFactor::MatchRecognize { .. } => Err(self.refuse("MATCH_RECOGNIZE", factor)),
            TableFactor::SemanticView { .. } => Err(self.refuse("SEMANTIC_VIEW", factor)),
        }
    }

    /// The columns of a named query or of a table of the catalog.
    pub(super) fn table(&self, name: &ObjectName) -> Outcome<Output> {
        let parts = parts_of(name);
        if let [only] = parts.as_slice()
            && let Some((_, output)) = self.ctes.iter().rev().find(|(cte, _)| same(cte, &only.value))
        {
            return Ok(output.clone());
        }
        let Some(table) = self.tables.find(&texts(&parts)) else { return Err(self.unknown_table(&parts)) };
        let source: Rc<str> = table.name.as_str().into();
        let column = |name: &String| OutputColumn { name: name.clone(), flow: Flow::column(&source, name) };
        Ok(Output { columns: table.columns.iter().map(column).collect(), rows: Flow::default() })
    }

    pub(super) fn unknown_table(&self, parts: &[&Ident]) -> Box<Problem> {
        let name = texts(parts).join(".");
        let near = lockgate_project::nearest(&name, self.tables.tables.iter().map(|table| table.name.as_str()));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it with its columns to the catalog, or write enough of its name to tell it from others".into(),
        };
        let problem = Problem::new(Code::UnknownTable, format!("there is no table `{name}` in the catalog"));
        Box::new(problem.at(self.place_of(parts)).help(help))
    }

    /// A function in FROM is computed from its arguments.
    fn table_function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        with_ordinality: bool,
        lateral: &Scope<'_>,
    ) -> Outcome<Joined> {
        let mut flow = Flow::default();
        for argument in args {
            flow = flow.and(&self.argument(argument, lateral)?);
        }
        let flow = flow.computed(DependenceKind::Transformation);
        let function = parts_of(name).last().map(|name| name.value.to_lowercase()).unwrap_or_default();
        let names = match (self.dialect, alias) {
            // A function of one column is named after its alias in PostgreSQL.
            (super::SqlDialect::Postgres, Some(alias)) if alias.columns.is_empty() => vec![alias.name.value.clone()],
            _ => names_of_function(&function),
        };
        let counted: &[&str] = if with_ordinality { &["ordinality"] } else { &[] };
        let (columns, rows) = self.generated(flow, names, alias, counted);
        let columns = columns.into_iter().map(|column| match alias {
            Some(_) => column,
            None => ScopeColumn { relation: Rc::from([function.clone()]), ..column },
        });
        Ok((columns.collect(), rows))
    }

    /// Columns made of one value; an alias with a list of names says how many there are.
    fn generated(&self, flow: Flow, names: Vec<String>, alias: Option<&TableAlias>, counted: &[&str]) -> Joined {
        let listed = alias.map_or(0, |alias| alias.columns.len()).saturating_sub(counted.len());
        let count = names.len().max(listed);
        let named = |index: usize| names.get(index).cloned().unwrap_or_else(|| format!("col{}", index + 1));
        let mut columns: Vec<OutputColumn> =
            (0..count).map(|index| OutputColumn { name: named(index), flow: flow.clone() }).collect();
        columns.extend(counted.iter().map(|name| OutputColumn { name: (*name).to_owned(), flow: Flow::default() }));
        self.aliased(Output { columns, rows: Flow::default() }, alias, Vec::new())
    }

    fn aliased(&self, output: Output, alias: Option<&TableAlias>, relation: Vec<String>) -> Joined {
        let (output, relation) = match alias {
            None => (output, relation),
            Some(alias) => {
                let output = self.renamed(output, alias.columns.iter().map(|column| &column.name));
                (output, vec![alias.name.value.clone()])
            }
        };
        let relation: Rc<[String]> = relation.into();
        let column = |column: OutputColumn| ScopeColumn {
            relation: Rc::clone(&relation),
            name: column.name,
            flow: column.flow,
            is_merged: false,
        };
        (output.columns.into_iter().map(column).collect(), output.rows)
    }
}

/// The columns that an exploding function makes where nothing names them.
pub(super) fn generated_names(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::Function(call) => {
            names_of_function(&parts_of(&call.name).last().map(|name| name.value.to_lowercase()).unwrap_or_default())
        }
        _ => vec!["col".to_owned()],
    }
}

fn names_of_function(function: &str) -> Vec<String> {
    let names: &[&str] = match function {
        "posexplode" | "posexplode_outer" => &["pos", "col"],
        "explode" | "explode_outer" | "inline" | "inline_outer" | "stack" => &["col"],
        "json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text" => &["key", "value"],
        "json_array_elements" | "jsonb_array_elements" => &["value"],
        other => return vec![other.to_owned()],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn common(left: &[ScopeColumn], right: &[ScopeColumn]) -> Vec<Ident> {
    let in_right =
        |column: &&ScopeColumn| right.iter().any(|other| !other.is_merged && same(&other.name, &column.name));
    left.iter().filter(|column| !column.is_merged).filter(in_right).map(|column| Ident::new(&column.name)).collect()
}

/// One side of a join, which the other has left: its columns are its own again.
fn unmerged(columns: Vec<ScopeColumn>) -> Vec<ScopeColumn> {
    columns.into_iter().map(|column| ScopeColumn { is_merged: false, ..column }).collect()
}
