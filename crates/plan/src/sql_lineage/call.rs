//! What calls make of their arguments: aggregates, windows, choices, hashes, and any other function by its name.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, NamedWindowExpr,
    OrderByExpr, WindowSpec, WindowType,
};

use super::flow::Flow;
use super::scope::{Scope, same};
use super::{Outcome, Reader, parts_of};
use crate::facts::DependenceKind;

/// Functions that make one value of the values of many rows, in any of the dialects; sorted.
const AGGREGATES: &[&str] = &[
    "aggregate",
    "any",
    "any_value",
    "approx_count_distinct",
    "approx_distinct",
    "approx_median",
    "approx_percentile",
    "approx_percentile_cont",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bitmap_construct_agg",
    "bitmap_or_agg",
    "bool_and",
    "bool_or",
    "collect_list",
    "collect_set",
    "corr",
    "count",
    "count_if",
    "count_min_sketch",
    "covar_pop",
    "covar_samp",
    "every",
    "first",
    "first_value",
    "group_concat",
    "grouping",
    "grouping_id",
    "histogram_numeric",
    "hll_sketch_agg",
    "hll_union_agg",
    "json_agg",
    "json_arrayagg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "kurtosis",
    "last",
    "last_value",
    "listagg",
    "max",
    "max_by",
    "mean",
    "median",
    "min",
    "min_by",
    "mode",
    "nth_value",
    "percentile",
    "percentile_approx",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "schema_of_json_agg",
    "skewness",
    "some",
    "std",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "try_avg",
    "try_sum",
    "var",
    "var_pop",
    "var_samp",
    "variance",
    "xmlagg",
];

/// Window functions that only tell where a row stands: they depend on the order and not on any argument; sorted.
const RANKS: &[&str] = &["cume_dist", "dense_rank", "ntile", "percent_rank", "rank", "row_number"];

/// With OVER, the value of another row: no aggregate.
const MOVES: &[&str] = &["first", "first_value", "lag", "last", "last_value", "lead", "nth_value"];

/// Functions that hide what they are given, as OpenLineage's Spark integration lists them, and those that PostgreSQL
/// adds; sorted.
const MASKS: &[&str] = &[
    "count",
    "crc32",
    "digest",
    "hash",
    "hashtext",
    "hmac",
    "mask",
    "mask_hash",
    "md5",
    "murmur_hash",
    "sha",
    "sha1",
    "sha2",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "xxhash64",
];

fn listed(list: &[&str], name: &str) -> bool {
    list.binary_search(&name).is_ok()
}

impl Reader<'_> {
    pub(super) fn call(&mut self, call: &Function, scope: &Scope<'_>) -> Outcome<Flow> {
        let name = parts_of(&call.name).last().map(|name| name.value.to_lowercase()).unwrap_or_default();
        let arguments = self.arguments(&call.args, scope)?;
        let parameters = self.arguments(&call.parameters, scope)?;
        let within = self.order_keys(&call.within_group, scope)?;
        let all = || arguments.iter().chain(&parameters).fold(within.clone(), |all, one| all.and(one));
        let is_window = call.over.is_some();
        let is_aggregate = if is_window {
            listed(AGGREGATES, &name) && !listed(MOVES, &name)
        } else {
            listed(AGGREGATES, &name) || call.filter.is_some() || !call.within_group.is_empty()
        };
        let kind = if is_aggregate { DependenceKind::Aggregation } else { DependenceKind::Transformation };
        let value = match (name.as_str(), arguments.as_slice()) {
            // Which grouping a row belongs to, says the query and not the data.
            ("grouping" | "grouping_id", _) => Flow::default(),
            (name, _) if is_window && listed(RANKS, name) => Flow::default(),
            ("coalesce" | "nvl" | "ifnull", values) => chosen(values, values),
            ("nullif", [value, _]) => chosen(std::slice::from_ref(value), arguments.get(..2).unwrap_or_default()),
            ("nvl2" | "if" | "iff" | "iif", [condition, values @ ..]) => {
                chosen(values, std::slice::from_ref(condition))
            }
            ("decode", [_, _, _, ..]) => decoded(&arguments),
            _ => all().computed(kind),
        };
        let value = if listed(MASKS, &name) { value.masked() } else { value };
        let mut choices = Flow::default();
        if let Some(filter) = &call.filter {
            choices = choices.and(&self.computed([filter.as_ref()], scope)?.into_condition());
        }
        choices = choices.and(&self.argument_clauses(&call.args, scope)?);
        if let Some(over) = &call.over {
            choices = choices.and(&self.over(over, scope)?.into_indirect(DependenceKind::Window));
        }
        Ok(value.and(&choices))
    }

    fn arguments(&mut self, arguments: &FunctionArguments, scope: &Scope<'_>) -> Outcome<Vec<Flow>> {
        match arguments {
            FunctionArguments::None => Ok(Vec::new()),
            FunctionArguments::Subquery(query) => Ok(vec![self.scalar_subquery(query, scope)?]),
            FunctionArguments::List(list) => list.args.iter().map(|argument| self.argument(argument, scope)).collect(),
        }
    }

    pub(super) fn argument(&mut self, argument: &FunctionArg, scope: &Scope<'_>) -> Outcome<Flow> {
        let (FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg)) =
            argument;
        match arg {
            FunctionArgExpr::Expr(expr) => self.expression(expr, scope),
            FunctionArgExpr::QualifiedWildcard(name) => self.named(&parts_of(name), scope),
            // `count(*)` counts rows, whatever their columns hold.
            FunctionArgExpr::Wildcard | FunctionArgExpr::WildcardWithOptions(_) => Ok(Flow::default()),
        }
    }

    fn argument_clauses(&mut self, arguments: &FunctionArguments, scope: &Scope<'_>) -> Outcome<Flow> {
        let FunctionArguments::List(list) = arguments else { return Ok(Flow::default()) };
        let mut flow = Flow::default();
        for clause in &list.clauses {
            let of_clause = match clause {
                FunctionArgumentClause::OrderBy(keys) => {
                    self.order_keys(keys, scope)?.into_indirect(DependenceKind::Sort)
                }
                FunctionArgumentClause::Having(bound) => self.computed([&bound.1], scope)?.into_condition(),
                FunctionArgumentClause::IgnoreOrRespectNulls(_)
                | FunctionArgumentClause::Limit(_)
                | FunctionArgumentClause::OnOverflow(_)
                | FunctionArgumentClause::Separator(_)
                | FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => Flow::default(),
            };
            flow = flow.and(&of_clause);
        }
        Ok(flow)
    }

    fn over(&mut self, over: &WindowType, scope: &Scope<'_>) -> Outcome<Flow> {
        let named = |name: &str| {
            scope.windows.iter().find(|definition| same(&definition.0.value, name)).map(|definition| &definition.1)
        };
        // A window may be named after another one; names that go round in a circle end with the list.
        let mut flow = Flow::default();
        let mut next = match over {
            WindowType::WindowSpec(spec) => {
                flow = flow.and(&self.window(&spec.partition_by, &spec.order_by, scope)?);
                spec.window_name.as_ref()
            }
            WindowType::NamedWindow(name) => Some(name),
        };
        for _ in 0..=scope.windows.len() {
            let Some(name) = next else { break };
            next = match named(&name.value) {
                Some(NamedWindowExpr::NamedWindow(other)) => Some(other),
                Some(NamedWindowExpr::WindowSpec(WindowSpec { window_name, partition_by, order_by, .. })) => {
                    flow = flow.and(&self.window(partition_by, order_by, scope)?);
                    window_name.as_ref()
                }
                None => {
                    let what = format!("window `{}`, which is not defined", name.value);
                    return Err(self.refuse_at(&what, self.place_of(&[name])));
                }
            };
        }
        Ok(flow)
    }

    fn window(&mut self, partitions: &[Expr], order: &[OrderByExpr], scope: &Scope<'_>) -> Outcome<Flow> {
        self.computed(partitions.iter().chain(order.iter().map(|key| &key.expr)), scope)
    }
}

/// One of the values, chosen by conditions.
fn chosen(values: &[Flow], conditions: &[Flow]) -> Flow {
    let all = |flows: &[Flow]| flows.iter().fold(Flow::default(), |all, one| all.and(one));
    all(values).computed(DependenceKind::Transformation).and(&all(conditions).into_condition())
}

/// `decode(tested, search, value, …, otherwise)`.
fn decoded(arguments: &[Flow]) -> Flow {
    let (mut values, mut conditions) = (Vec::new(), Vec::new());
    for (index, argument) in arguments.iter().enumerate() {
        let is_otherwise = index + 1 == arguments.len() && index % 2 == 1;
        match index > 0 && (index % 2 == 0 || is_otherwise) {
            true => values.push(argument.clone()),
            false => conditions.push(argument.clone()),
        }
    }
    chosen(&values, &conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!([AGGREGATES, RANKS, MOVES, MASKS].iter().all(|list| list.is_sorted()));
    }
}
