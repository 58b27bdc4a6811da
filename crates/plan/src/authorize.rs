//! What of a table a principal sees: each column's access and mask and the rows, as the policies decide them, and a guard
//! that lets nothing else through.
//!
//! ```text
//! policies ─► each column: denied            it is not there: a hidden column and a missing one read the same
//!                          allowed, masked   the mask stands in its place
//!                          allowed           the value; opened, if it is sealed and the asker may unseal it
//!          ─► the rows:    filter            only those
//! no column allowed ─► the table is not there
//! ```
//! What can't be decided or evaluated gives nothing away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::{Column, Result as EngineResult};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF};
use jiff::Timestamp;
use lockgate_model::{ColumnName, DatasetName, Form, Mask, PrincipalName, Protection, TagName};
use lockgate_policy::{Decision, Engine, MatchType, Request, ResourceTag, TagData, Values};
use lockgate_project::{Code, PolicyMask, PolicyResource, Project, UNSEAL_ACCESS, policy_resource};

use crate::guard::{Guard, GuardedTableFacts, has_subqueries};
use crate::mask::masked_type;
use crate::pin_condition::pin_conditions;
use crate::policy_expression::{RowFilter, custom_mask, name_of, row_filter, whole_table};
use crate::problem::Problem;
use crate::protect_function::ProtectFunction;
use crate::sql::Tables;
use crate::table::{ROW_ID, SealedColumn, Table, TableColumn, arrow_type, value_type};
use crate::unseal_function::UnsealFunction;

/// The kind of access that a query asks for.
const SELECT: &str = "select";

/// Who asks, when and from where.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The person or service.
    pub principal: PrincipalName,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// What it asks for.
    pub purpose: Option<String>,
    /// The address that it asks from, where it is known for sure.
    pub address: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What becomes of sealed values that the asker may unseal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealedValues {
    /// They stay sealed: pipelines pass them on.
    PassedOn,
    /// They are opened.
    Opened,
}

/// A policy that decided something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyReference {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<i64>,
}

/// What a principal sees of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnAccess {
    /// The column.
    pub column: ColumnName,
    /// The policy that allows or denies it; absent where none says anything, which denies.
    pub policy: Option<PolicyReference>,
    /// Whether it is seen at all.
    pub is_allowed: bool,
    /// The policy by which its sealed values are opened, before they are masked.
    pub unseal: Option<PolicyReference>,
    /// The mask that stands in its place, as the policy names it, and the policy.
    pub mask: Option<(String, PolicyReference)>,
}

/// What a principal sees of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its columns, hidden ones included.
    pub columns: Vec<ColumnAccess>,
    /// The condition that its rows have to meet, and the policies that say so.
    pub rows: Option<(String, PolicyReference)>,
}

impl Authorization {
    /// Whether anything of the dataset is seen.
    pub fn is_visible(&self) -> bool {
        self.columns.iter().any(|column| column.is_allowed)
    }
}

/// The policies that decide.
#[derive(Clone)]
pub(crate) struct Deciders {
    engine: Arc<Engine>,
    /// The groups of each user that the policies know.
    groups: BTreeMap<String, Vec<String>>,
}

impl Deciders {
    /// Those of a project; `None` for one that has none.
    pub(crate) fn of(project: &Project) -> Option<Self> {
        let policies = &project.policies;
        if policies.is_empty() {
            return None;
        }
        let owned =
            |(user, groups): (&str, Vec<&str>)| (user.to_owned(), groups.into_iter().map(str::to_owned).collect());
        let groups = policies.users().into_iter().map(owned).collect();
        Some(Self { engine: policies.engine(), groups })
    }
}

/// A table as a principal sees it, with what was decided; `None` for the table if nothing of it is seen.
pub(crate) fn authorize(
    table: &Arc<Table>,
    asker: &Asker,
    sealed_values: SealedValues,
    policies: &Deciders,
    tables: &Tables,
) -> Result<(Option<Arc<Table>>, Authorization), Box<Problem>> {
    let resource = policy_resource(&table.dataset);
    let ask = Ask { resource: &resource, asker, sealed_values, policies };
    let columns: Vec<ColumnAccess> = table.columns.iter().map(|column| ask.column(column)).collect();
    let rows = ask.rows();
    let authorization = Authorization { dataset: table.dataset.clone(), columns, rows };
    if !authorization.is_visible() {
        return Ok((None, authorization));
    }
    let seen = guarded(table, &authorization, tables)?;
    Ok((Some(Arc::new(seen)), authorization))
}

struct Ask<'a> {
    resource: &'a PolicyResource,
    asker: &'a Asker,
    sealed_values: SealedValues,
    policies: &'a Deciders,
}

impl Ask<'_> {
    fn ask<T>(&self, column: Option<&TableColumn>, access: &str, ask: impl Fn(&Request<'_>) -> T) -> T {
        let PolicyResource { database, table } = self.resource;
        let mut resource = vec![("database", Values::One(database)), ("table", Values::One(table))];
        resource.extend(column.map(|column| ("column", Values::One(column.name.as_str()))));
        let known = self.policies.groups.get(self.asker.principal.as_str());
        let groups: BTreeSet<&str> =
            self.asker.groups.iter().chain(known.into_iter().flatten()).map(String::as_str).collect();
        let groups: Vec<&str> = groups.into_iter().collect();
        let tags: Vec<ResourceTag> = column.into_iter().flat_map(|column| &column.tags).map(tag_of).collect();
        let context = self.asker.purpose.iter().map(|purpose| ("purpose".to_owned(), purpose.clone())).collect();
        ask(&Request {
            resource: &resource,
            access,
            action: Some(access),
            user: Some(self.asker.principal.as_str()),
            groups: &groups,
            at: self.asker.at,
            client_address: self.asker.address.as_deref(),
            remote_address: self.asker.address.as_deref(),
            context: Some(&context),
            tags: Some(&tags),
            ..Request::default()
        })
    }

    fn column(&self, column: &TableColumn) -> ColumnAccess {
        let engine = &self.policies.engine;
        let (is_allowed, policy) = self.ask(Some(column), SELECT, |request| {
            let decision = engine.access(request);
            (decision.is_allowed, reference(&decision))
        });
        let unseal = match (self.sealed_values, &column.sealed) {
            (SealedValues::PassedOn, _) | (SealedValues::Opened, None) => None,
            (SealedValues::Opened, Some(_)) => self.ask(Some(column), UNSEAL_ACCESS, |request| {
                let decision = engine.access(request);
                decision.is_allowed.then(|| reference(&decision).unwrap_or_else(undecided))
            }),
        };
        let mask = self.ask(Some(column), SELECT, |request| {
            let decision = engine.mask(request);
            let mask = decision.mask.as_ref().filter(|mask| !mask.is_clear())?;
            let kind = mask.kind.unwrap_or_default();
            let text = match &mask.value {
                Some(expression) if kind.eq_ignore_ascii_case(CUSTOM) => format!("{CUSTOM} {expression}"),
                _ => kind.to_owned(),
            };
            Some((text, reference(&decision).unwrap_or_else(undecided)))
        });
        ColumnAccess { column: column.name.clone(), policy, is_allowed, unseal, mask }
    }

    fn rows(&self) -> Option<(String, PolicyReference)> {
        self.ask(None, SELECT, |request| {
            let decision = self.policies.engine.row_filter(request);
            let filter = decision.filter.as_ref().filter(|filter| !filter.trim().is_empty())?;
            Some((filter.to_string(), reference(&decision).unwrap_or_else(undecided)))
        })
    }
}

/// The name of masks that are expressions.
const CUSTOM: &str = "CUSTOM";

fn tag_of(tag: &TagName) -> ResourceTag {
    let tag = TagData { kind: tag.to_string(), attributes: Default::default(), validity: Vec::new() };
    ResourceTag { tag, match_type: MatchType::Itself }
}

fn reference(decision: &Decision<'_>) -> Option<PolicyReference> {
    let name = decision.policy_name.unwrap_or_default().to_owned();
    let reference = PolicyReference { id: decision.policy_id, name, version: decision.policy_version };
    (decision.policy_id >= 0).then_some(reference)
}

/// Stands for the policy where a decision could not be made.
fn undecided() -> PolicyReference {
    PolicyReference { id: -1, name: "(not decided)".into(), version: None }
}

/// The table as the authorization leaves it.
fn guarded(table: &Arc<Table>, authorization: &Authorization, tables: &Tables) -> Result<Table, Box<Problem>> {
    let mut columns = Vec::new();
    let mut values = Vec::new();
    let mut is_clear = Vec::new();
    let mut unsealed = BTreeMap::new();
    let scan = whole_table(table).map_err(|reason| not_evaluable(table, &undecided(), &reason))?;
    for (column, access) in table.columns.iter().zip(&authorization.columns).filter(|(_, access)| access.is_allowed) {
        let (value, shown) = match (&access.unseal, &column.sealed) {
            (Some(_), Some(sealed)) => {
                unsealed.insert(column.name.clone(), sealed.clone());
                opened(table, column, sealed)
            }
            _ => (column_of(table, &column.name), column.clone()),
        };
        let (value, seen) = match &access.mask {
            None => (value, shown),
            Some((mask, policy)) => masked(value, &shown, mask, table, tables, &scan)
                .map_err(|reason| not_evaluable(table, policy, &reason))?,
        };
        is_clear.push(access.mask.is_none() && access.unseal.is_none());
        values.push(value.alias(column.name.as_str()));
        columns.push(seen);
    }
    let clear = columns.iter().zip(&is_clear).filter(|(_, is_clear)| **is_clear);
    let clear_columns: BTreeSet<ColumnName> = clear.map(|(column, _)| column.name.clone()).collect();
    let is_whole = clear_columns.len() == table.columns.len();
    let subject = table.subject.clone().filter(|subject| clear_columns.contains(subject));
    let mut seen = Table { columns, subject, guard: None, ..table.as_ref().clone() };
    let has_row_filter = authorization.rows.is_some();
    if is_whole && !has_row_filter {
        return Ok(seen);
    }
    let mut is_comparable = is_clear;
    let mut plan = scan;
    if let Some((filter, policy)) = &authorization.rows {
        let refuse = |reason: String| not_evaluable(table, policy, &reason);
        let RowFilter { condition, can_fail } = row_filter(filter, table, tables).map_err(refuse)?;
        if can_fail {
            // Which rows it is evaluated on must not depend on the query.
            is_comparable.fill(false);
        }
        plan = plan.filter(condition).map_err(|error| refuse(error.strip_backtrace()))?;
    }
    values.push(Expr::Column(Column::new(Some(name_of(table)), ROW_ID)));
    let plan: EngineResult<LogicalPlan> =
        plan.project(values).and_then(LogicalPlanBuilder::build).and_then(pin_conditions);
    let plan = plan.map_err(|error| not_evaluable(table, &undecided(), &error.strip_backtrace()))?;
    let has_subqueries =
        has_subqueries(&plan).map_err(|error| not_evaluable(table, &undecided(), &error.to_string()))?;
    let facts = GuardedTableFacts { has_row_filter, clear_columns };
    seen.guard = Some(Arc::new(Guard { plan, is_comparable, facts, unsealed, has_subqueries }));
    Ok(seen)
}

fn column_of(table: &Table, column: &ColumnName) -> Expr {
    Expr::Column(Column::new(Some(name_of(table)), column.as_str()))
}

/// The values of a sealed column, opened.
fn opened(table: &Table, column: &TableColumn, sealed: &SealedColumn) -> (Expr, TableColumn) {
    let function = UnsealFunction::unbound(table.dataset.clone(), column.name.clone(), sealed);
    let subject = sealed.bound_to.as_ref().map(|subject| column_of(table, subject));
    let values = std::iter::once(column_of(table, &column.name)).chain(subject).collect();
    let shown = TableColumn { value_type: sealed.value_type, form: Form::Clear, sealed: None, ..column.clone() };
    (ScalarUDF::new_from_impl(function).call(values), shown)
}

/// What stands in the place of a masked column. A mask that does not fit its type, or of a kind that is not known, leaves
/// nothing.
fn masked(
    value: Expr,
    column: &TableColumn,
    mask: &str,
    table: &Arc<Table>,
    tables: &Tables,
    scan: &LogicalPlanBuilder,
) -> Result<(Expr, TableColumn), String> {
    let seen = |value_type| TableColumn { value_type, nullable: true, is_masked: true, ..column.clone() };
    if let Some(expression) = mask.strip_prefix(CUSTOM) {
        let expr = custom_mask(expression.trim(), &column.name, table, tables)?;
        let given = expr.get_type(scan.schema()).map_err(|error| error.strip_backtrace())?;
        let stored = value_type(&given).unwrap_or(column.value_type);
        let expr = expr.cast_to(&arrow_type(stored), scan.schema()).map_err(|error| error.strip_backtrace())?;
        return Ok((expr, seen(stored)));
    }
    let wanted = mask_of(mask);
    let mask = if masked_type(wanted, column.value_type).is_some() { wanted } else { Mask::Null };
    let left = masked_type(mask, column.value_type).unwrap_or(column.value_type);
    let function = ProtectFunction::unbound(column.name.clone(), Protection::Mask(mask), arrow_type(left));
    Ok((ScalarUDF::new_from_impl(function).call(vec![value]), seen(left)))
}

/// Ranger's kinds of masks; of a kind that is not known nothing is left.
fn mask_of(kind: &str) -> Mask {
    match PolicyMask::from_ranger_name(kind) {
        Some(PolicyMask::BuiltIn(mask)) => mask,
        Some(PolicyMask::Clear | PolicyMask::Custom) | None => Mask::Null,
    }
}

/// The reason is a label, since it may name what the asker does not see.
fn not_evaluable(table: &Table, policy: &PolicyReference, reason: &str) -> Box<Problem> {
    let message =
        format!("policy `{}` about `{}` can't be evaluated, so nothing of it is shown", policy.name, table.dataset);
    Box::new(
        Problem::new(Code::PolicyNotEvaluable, message)
            .label(reason)
            .help("whoever keeps the policies mends it; `lockgate check` finds such policies beforehand"),
    )
}
