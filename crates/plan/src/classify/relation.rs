//! What each node does to the columns of its inputs, and what it lets its rows depend on.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::logical_expr::expr::Sort as SortKey;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Distinct, DistinctOn, Expr, Join, Limit, LogicalPlan, Operator, Projection, TableScan,
    Union, Unnest, Values, Window,
};
use lockgate_model::Form;
use lockgate_project::Code;

use super::{Classifier, Outcome, Scope, written};
use crate::facts::{Dependence, DependenceKind, Facts};
use crate::problem::Problem;
use crate::table::{TableColumn, table_of};

impl Classifier<'_> {
    pub(super) fn scan(&mut self, scan: &TableScan) -> Outcome<Vec<Facts>> {
        let Some(table) = table_of(&scan.source) else { return Err(self.refuse("a table from elsewhere", &[])) };
        if scan.projection.is_some() || !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(self.refuse("a scan with pushed-down parts", &[]));
        }
        self.scans += 1;
        let this_scan = self.scans;
        let facts = |column: &TableColumn| {
            let is_subject = table.subject.as_ref() == Some(&column.name);
            Facts {
                level: column.level,
                tags: column.tags.clone(),
                path: vec![format!("`{}.{}` ({})", table.dataset, column.name, column.because)],
                sources: [Dependence {
                    dataset: table.dataset.clone(),
                    column: column.name.clone(),
                    kind: DependenceKind::Identity,
                    masking: column.is_masked,
                }]
                .into(),
                form: column.form,
                is_subject,
                needs_subject: table.subject.is_some(),
                subject_of: is_subject.then_some(this_scan).into_iter().collect(),
                needs_subject_of: table.subject.is_some().then_some(this_scan).into_iter().collect(),
                erase_by: table.subject.iter().map(|_| table.erase_by.clone()).collect(),
            }
        };
        Ok(table.columns.iter().map(facts).collect())
    }

    pub(super) fn projection(&mut self, projection: &Projection) -> Outcome<Vec<Facts>> {
        let columns = self.plan(&projection.input)?;
        self.expressions(&projection.expr, Scope::of(&projection.input, &columns))
    }

    pub(super) fn window(&mut self, window: &Window) -> Outcome<Vec<Facts>> {
        let mut columns = self.plan(&window.input)?;
        let calls = self.expressions(&window.window_expr, Scope::of(&window.input, &columns))?;
        columns.extend(calls);
        Ok(columns)
    }

    pub(super) fn union(&mut self, union: &Union) -> Outcome<Vec<Facts>> {
        let mut branches = Vec::new();
        for input in &union.inputs {
            branches.push(self.plan(input)?);
        }
        let mut branches = branches.into_iter();
        let Some(first) = branches.next() else { return Err(self.refuse("an empty UNION", &["UNION"])) };
        branches.try_fold(first, |all, branch| {
            if all.len() != branch.len() {
                return Err(self.refuse("a UNION of branches that differ in width", &["UNION"]));
            }
            all.into_iter().zip(&branch).map(|(a, b)| self.same_form(a, b, "this UNION")).collect()
        })
    }

    pub(super) fn values(&mut self, values: &Values) -> Outcome<Vec<Facts>> {
        let mut columns: Vec<Facts> = values.schema.fields().iter().map(|_| Facts::constant(self.lowest)).collect();
        let nothing = DFSchema::empty();
        for row in &values.values {
            let is_subquery = |part: &Expr| {
                Ok(matches!(
                    part,
                    Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
                ))
            };
            if row.iter().any(|value| value.exists(is_subquery).unwrap_or(true)) {
                return Err(self.refuse("a subquery in VALUES", &["VALUES"]));
            }
            let row = self.expressions(row, Scope { schema: &nothing, columns: &[] })?;
            columns = columns.into_iter().zip(&row).map(|(all, one)| all.either(one)).collect();
        }
        Ok(columns)
    }

    /// A column that is sealed in one branch and clear in another has no one form.
    fn same_form(&self, a: Facts, b: &Facts, of: &str) -> Outcome<Facts> {
        if a.form == b.form {
            return Ok(a.either(b));
        }
        let message = format!("a column of {of} arrives {} in one branch and {} in another", a.form, b.form);
        Err(Box::new(Problem::new(Code::ProtectedUse, message).at(self.places.word(&["UNION"]))))
    }

    pub(super) fn join(&mut self, join: &Join) -> Outcome<Vec<Facts>> {
        let left = self.plan(&join.left)?;
        // Only a lateral right side names columns of the left one; in any other they could hide those of a query around.
        let is_lateral = is_lateral(&join.right);
        if is_lateral {
            self.outer.push((Arc::clone(join.left.schema()), left.clone()));
        }
        let right = self.plan(&join.right);
        if is_lateral {
            self.outer.pop();
        }
        let right = right?;
        let schema = match join.left.schema().join(join.right.schema()) {
            Ok(schema) => schema,
            Err(error) => return Err(self.refuse(&format!("a join ({})", error.strip_backtrace()), &["JOIN"])),
        };
        let both: Vec<Facts> = left.iter().chain(&right).cloned().collect();
        let scope = Scope { schema: &schema, columns: &both };
        let mut keys: Vec<Facts> = Vec::new();
        for (a, b) in &join.on {
            let equal = Expr::BinaryExpr(BinaryExpr::new(Box::new(a.clone()), Operator::Eq, Box::new(b.clone())));
            keys.push(self.join_condition(&equal, scope)?);
        }
        if let Some(filter) = &join.filter {
            keys.push(self.join_condition(filter, scope)?);
        }
        let (left, right) = equal_subjects(join, &schema, left, right);
        let marked = |columns: Vec<Facts>, lowest| {
            let mark = Facts { form: Form::Clear, ..Facts::computed(lowest, &keys, "mark") };
            columns.into_iter().chain([mark.into_condition()]).collect()
        };
        Ok(match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                left.into_iter().chain(right).collect()
            }
            JoinType::LeftSemi | JoinType::LeftAnti => left,
            JoinType::RightSemi | JoinType::RightAnti => right,
            JoinType::LeftMark => marked(left, self.lowest),
            JoinType::RightMark => marked(right, self.lowest),
        })
    }

    fn join_condition(&mut self, condition: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        let facts = self.expression(condition, scope)?;
        self.select(DependenceKind::Join, facts.clone(), condition);
        Ok(facts)
    }

    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Outcome<Vec<Facts>> {
        let input = self.plan(&aggregate.input)?;
        let scope = Scope::of(&aggregate.input, &input);
        let mut columns = Vec::new();
        match aggregate.group_expr.as_slice() {
            [Expr::GroupingSet(set)] => {
                for key in set.distinct_expr() {
                    // In a row of a coarser grouping the key is NULL, and names no subject.
                    columns.push(self.group_key(key, scope)?.without_subject());
                }
                // Which grouping a row belongs to, says the query and not the data.
                columns.push(Facts::constant(self.lowest));
            }
            keys => {
                // A key that is written twice is one column.
                for (index, key) in keys.iter().enumerate() {
                    if !keys.iter().take(index).any(|before| before == key) {
                        columns.push(self.group_key(key, scope)?);
                    }
                }
            }
        }
        columns.extend(self.expressions(&aggregate.aggr_expr, scope)?);
        Ok(columns)
    }

    fn group_key(&mut self, key: &Expr, scope: Scope<'_>) -> Outcome<Facts> {
        let facts = self.expression(key, scope)?;
        self.must_compare(&facts, key, "GROUP BY")?;
        self.select(DependenceKind::GroupBy, facts.clone(), key);
        Ok(facts)
    }

    pub(super) fn sort_keys(&mut self, keys: &[SortKey], scope: Scope<'_>) -> Outcome<()> {
        for key in keys {
            let facts = self.expression(&key.expr, scope)?;
            self.must_order(&facts, &key.expr)?;
            self.select(DependenceKind::Sort, facts, &key.expr);
        }
        Ok(())
    }

    pub(super) fn limit(&mut self, limit: &Limit) -> Outcome<Vec<Facts>> {
        let columns = self.plan(&limit.input)?;
        let nothing = DFSchema::empty();
        for bound in [&limit.skip, &limit.fetch].into_iter().flatten() {
            let facts = self.expression(bound, Scope { schema: &nothing, columns: &[] })?;
            self.select(DependenceKind::Filter, facts, bound);
        }
        Ok(columns)
    }

    pub(super) fn distinct(&mut self, distinct: &Distinct) -> Outcome<Vec<Facts>> {
        match distinct {
            Distinct::All(input) => {
                let columns = self.plan(input)?;
                for (facts, column) in columns.iter().zip(input.schema().columns()) {
                    let key = Expr::Column(column);
                    // Rows are merged by nothing that each of them does not show.
                    self.must_compare(facts, &key, "DISTINCT")?;
                }
                Ok(columns)
            }
            Distinct::On(DistinctOn { on_expr, select_expr, sort_expr, input, .. }) => {
                let columns = self.plan(input)?;
                let scope = Scope::of(input, &columns);
                for key in on_expr {
                    self.group_key(key, scope)?;
                }
                self.sort_keys(sort_expr.as_deref().unwrap_or_default(), scope)?;
                self.expressions(select_expr, scope)
            }
        }
    }

    pub(super) fn unnest(&mut self, unnest: &Unnest) -> Outcome<Vec<Facts>> {
        let input = self.plan(&unnest.input)?;
        let lists = unnest.list_type_columns.iter().map(|(index, _)| *index);
        let opened: BTreeSet<usize> = lists.chain(unnest.struct_type_columns.iter().copied()).collect();
        let mut columns = Vec::new();
        for (index, name) in unnest.dependency_indices.iter().zip(unnest.schema.columns()) {
            let Some(facts) = input.get(*index) else { return Err(self.refuse("this UNNEST", &["UNNEST"])) };
            columns.push(match opened.contains(index) {
                true => self.compute(&Expr::Column(name), std::slice::from_ref(facts))?,
                false => facts.clone(),
            });
        }
        Ok(columns)
    }

    pub(super) fn expressions(&mut self, exprs: &[Expr], scope: Scope<'_>) -> Outcome<Vec<Facts>> {
        exprs.iter().map(|expr| self.expression(expr, scope)).collect()
    }

    /// Equal values are found in the clear, in tokens of one domain and in masked values; no two seals are equal.
    pub(super) fn must_compare(&self, facts: &Facts, expr: &Expr, by: &str) -> Outcome<()> {
        match facts.form {
            Form::Clear | Form::Masked | Form::Tokenized => Ok(()),
            Form::Sealed | Form::Dropped => Err(self.protected_use(
                format!(
                    "{by} compares `{}`, which arrives {}: equal values are not equal there",
                    written(expr),
                    facts.form
                ),
                expr,
                "leave the column out, or protect it with token(domain: NAME) where it is written",
            )),
        }
    }

    /// Tokens and seals have an order that says nothing of their values.
    pub(super) fn must_order(&self, facts: &Facts, expr: &Expr) -> Outcome<()> {
        match facts.form {
            Form::Clear | Form::Masked => Ok(()),
            Form::Tokenized | Form::Sealed | Form::Dropped => Err(self.protected_use(
                format!("`{}` orders rows and arrives {}: that order says nothing", written(expr), facts.form),
                expr,
                "order by a column that is clear",
            )),
        }
    }

    pub(super) fn protected_use(&self, message: String, expr: &Expr, help: &str) -> Box<Problem> {
        Box::new(Problem::new(Code::ProtectedUse, message).at(self.place_in(expr)).help(help))
    }
}

fn is_lateral(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Subquery(_)) || plan.inputs().into_iter().any(is_lateral)
}

/// Where a join puts rows together by `a.x = b.y`, either column names the other's subject in every row that has one.
fn equal_subjects(
    join: &Join,
    schema: &DFSchema,
    mut left: Vec<Facts>,
    mut right: Vec<Facts>,
) -> (Vec<Facts>, Vec<Facts>) {
    let (left_serves, right_serves) = match join.join_type {
        JoinType::Inner => (true, true),
        JoinType::Left => (true, false),
        JoinType::Right => (false, true),
        JoinType::Full
        | JoinType::LeftSemi
        | JoinType::RightSemi
        | JoinType::LeftAnti
        | JoinType::RightAnti
        | JoinType::LeftMark
        | JoinType::RightMark => (false, false),
    };
    let left_width = left.len();
    let index = |column: &Column| schema.index_of_column(column).ok();
    for (a, b) in equal_columns(join) {
        let (Some(a), Some(b)) = (index(&a), index(&b)) else { continue };
        let (in_left, in_right) = if a < b { (a, b) } else { (b, a) };
        let Some(in_right) = in_right.checked_sub(left_width) else { continue };
        let same_type = schema.field(a).data_type() == schema.field(b).data_type();
        let (Some(l), Some(r)) = (left.get_mut(in_left), right.get_mut(in_right)) else { continue };
        if !same_type || l.form != Form::Clear || r.form != Form::Clear {
            continue;
        }
        let l_before = l.clone();
        if left_serves {
            *l = l.clone().equal_to(r);
        }
        if right_serves {
            *r = r.clone().equal_to(&l_before);
        }
    }
    (left, right)
}

fn equal_columns(join: &Join) -> Vec<(Column, Column)> {
    let mut found: Vec<(Column, Column)> = Vec::new();
    let mut pair = |a: &Expr, b: &Expr| {
        if let (Expr::Column(a), Expr::Column(b)) = (a, b) {
            found.push((a.clone(), b.clone()));
        }
    };
    for (a, b) in &join.on {
        pair(a, b);
    }
    let mut open: Vec<&Expr> = join.filter.iter().collect();
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => open.extend([left.as_ref(), right]),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => pair(left, right),
            _ => {}
        }
    }
    found
}
