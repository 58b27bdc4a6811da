//! One YAML policy becomes up to one policy of Ranger for access, one for row filters, and one for each set of masked
//! columns; all have its name.
//!
//! ```text
//! on customers.*, allow, mask email, mask name, rows
//!   ├─► access  default / customers / *          ├─► mask    default / customers / name
//!   ├─► mask    default / customers / email      └─► filter  default / customers
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use lockgate_policy::model::{Policy, PolicyResource, PolicyType, RowFilterItem};

use super::item::Mask;
use super::resources::{self, Resource, Target};
use super::{Checker, Compiler, conditions, validity};
use crate::policies::{PolicyOrigin, PolicyPart};
use crate::raw::{OnEntry, PolicyEntry, PriorityChoice};
use crate::yaml::Checked;
use crate::{Code, Span, suggest};

/// What a policy is on: tags, or datasets with columns for each `on`.
#[derive(Default)]
struct Targets {
    tags: Vec<Resource>,
    datasets: Vec<(Vec<Resource>, PolicyResource)>,
    /// The place of `on` for each resource that results.
    places: Vec<Span>,
}

/// The masks of a policy that are for the same columns, in the order of the file; without columns, for the policy's.
struct MaskGroup {
    columns: Option<Vec<String>>,
    masks: Vec<Mask>,
}

impl Compiler<'_> {
    /// Compiles one policy. What is wrong is reported.
    pub(super) fn add_policy(&mut self, entry: Checked<PolicyEntry>, checker: &mut Checker<'_>) {
        let Checked { range, value: Some(raw) } = entry else { return };
        let Some(name) = raw.policy.value.clone() else { return };
        if name.trim().is_empty() {
            let help = "name it by what it is for: `support reads customers`".to_owned();
            checker.report(Code::InvalidValue, &raw.policy.range, "the policy has no name", Some(help));
        }
        let mut origin =
            PolicyOrigin { name: name.clone(), span: checker.span(&raw.policy.range), parts: BTreeMap::new() };
        let is_new = self.declare("policy", &name, origin.span);
        let frame = self.frame(&raw, checker);
        let items = [&raw.allow, &raw.allow_except, &raw.deny, &raw.deny_except];
        let [allow, allow_except, deny, deny_except] = items.map(|list| self.items(list.as_ref(), checker));
        let masks = self.masks(raw.mask.as_ref(), checker);
        let rows = self.row_filters(raw.rows.as_ref(), checker);
        let targets = targets(&raw, checker);
        check_parts(&raw, &range, checker);
        let (Some(targets), Some(frame), true) = (targets, frame, is_new) else { return };
        origin.parts.insert(PolicyPart::On, targets.places.clone());
        let access = Policy {
            is_deny_all_else: raw.deny_all_else.as_ref().and_then(|all| all.value).unwrap_or(false),
            policy_items: allow,
            allow_exceptions: allow_except,
            deny_policy_items: deny,
            deny_exceptions: deny_except,
            ..frame.clone()
        };
        let lists =
            [&access.policy_items, &access.allow_exceptions, &access.deny_policy_items, &access.deny_exceptions];
        if access.is_deny_all_else || lists.iter().any(|list| !list.is_empty()) {
            let (resources, is_on_tags) = targets.whole();
            let parts = [(PolicyPart::Allow, &raw.allow), (PolicyPart::Deny, &raw.deny)];
            let places = parts.map(|(part, list)| (part, places(list.as_ref(), checker)));
            self.put_on(access, resources, &with_parts(&origin, places), is_on_tags);
        }
        self.put_masks(masks, &frame, &targets, &origin, checker);
        self.put_rows(rows, &frame, &raw, &targets, &origin, checker);
    }

    /// What all parts of a policy have in common.
    fn frame(&mut self, raw: &PolicyEntry, checker: &mut Checker<'_>) -> Option<Policy> {
        let zone = match &raw.zone {
            None => None,
            Some(zone) => Some(self.zone(zone, checker)?),
        };
        let flag = |flag: &Option<Checked<bool>>| flag.as_ref().and_then(|flag| flag.value).unwrap_or(true);
        let priority = raw.priority.as_ref().and_then(|priority| priority.value).unwrap_or(PriorityChoice::Normal);
        Some(Policy {
            zone_name: zone,
            is_enabled: flag(&raw.enabled),
            is_audit_enabled: flag(&raw.audit),
            policy_priority: Some(match priority {
                PriorityChoice::Normal => 0,
                PriorityChoice::Override => 1,
            }),
            conditions: conditions::compile(raw.conditions.as_ref(), &mut self.sources.policies, checker),
            validity_schedules: match &raw.valid {
                None => Vec::new(),
                Some(valid) => validity::compile(valid, checker),
            },
            ..Policy::default()
        })
    }

    fn zone(&self, name: &Checked<String>, checker: &mut Checker<'_>) -> Option<String> {
        let text = name.value.as_ref()?;
        let zones = &self.sources.policies.security_zones;
        if !zones.contains_key(text) {
            let message = format!("there is no zone `{}`", checker.quote(&name.range));
            let help = suggest::help(text, "the zones are", zones.keys().map(String::as_str));
            let none = || "declare it under `zones`".to_owned();
            checker.report(Code::InvalidValue, &name.range, message, Some(help.unwrap_or_else(none)));
            return None;
        }
        Some(text.clone())
    }

    fn put_on(&mut self, mut policy: Policy, resources: Vec<Resource>, origin: &PolicyOrigin, is_on_tags: bool) {
        let mut resources = resources.into_iter();
        policy.resources = resources.next().unwrap_or_default();
        policy.additional_resources = resources.collect();
        self.put(policy, origin, is_on_tags);
    }

    fn put_masks(
        &mut self,
        masks: Vec<Mask>,
        frame: &Policy,
        targets: &Targets,
        origin: &PolicyOrigin,
        checker: &mut Checker<'_>,
    ) {
        let mut groups: Vec<MaskGroup> = Vec::new();
        for mask in masks {
            let (columns, range) = mask.columns.clone().map_or((None, 0..0), |(names, range)| (Some(names), range));
            if columns.is_some() && !targets.tags.is_empty() {
                let help = "remove `columns`: the policy is on the columns with its tags".to_owned();
                checker.report(Code::InvalidValue, &range, "a mask of a policy on tags names columns", Some(help));
                return;
            }
            match groups.iter_mut().find(|group| group.columns == columns) {
                Some(group) => group.masks.push(mask),
                None => {
                    if groups.iter().any(|other| may_overlap(other.columns.as_deref(), columns.as_deref())) {
                        let help =
                            "name each column in one list of columns, or give both masks the same list".to_owned();
                        let message = "a column is in the `columns` of two masks, and which counts would not be plain";
                        let place = if columns.is_some() { range.clone() } else { origin.span.range() };
                        checker.report(Code::InvalidValue, &place, message, Some(help));
                        return;
                    }
                    groups.push(MaskGroup { columns, masks: vec![mask] });
                }
            }
        }
        for MaskGroup { columns, masks } in groups {
            let places = masks.iter().map(|mask| checker.span(&mask.range)).collect();
            let origin = &with_parts(origin, [(PolicyPart::Mask, places)]);
            let policy = Policy {
                policy_type: Some(number(PolicyType::DataMask)),
                data_mask_policy_items: masks.into_iter().map(|mask| mask.item).collect(),
                ..frame.clone()
            };
            let (resources, is_on_tags) = match columns {
                None => targets.whole(),
                Some(values) => (targets.with_columns(&PolicyResource { values, ..PolicyResource::default() }), false),
            };
            self.refuse_patterns(&resources, origin, PolicyType::DataMask, checker);
            self.put_on(policy, resources, origin, is_on_tags);
        }
    }

    fn put_rows(
        &mut self,
        rows: Vec<RowFilterItem>,
        frame: &Policy,
        raw: &PolicyEntry,
        targets: &Targets,
        origin: &PolicyOrigin,
        checker: &mut Checker<'_>,
    ) {
        let Some(list) = raw.rows.as_ref().filter(|_| !rows.is_empty()) else { return };
        if !targets.tags.is_empty() {
            let help = "write `rows` in a policy on datasets".to_owned();
            checker.report(Code::InvalidValue, &list.range, "a policy on tags cannot select rows", Some(help));
            return;
        }
        if targets.datasets.iter().any(|(_, columns)| *columns != resources::any()) {
            let help = "leave `columns` out, or write `rows` in a policy of its own".to_owned();
            let message = "rows are selected for a whole dataset, and this policy is on some columns of it";
            checker.report(Code::InvalidValue, &list.range, message, Some(help));
            return;
        }
        let policy =
            Policy { policy_type: Some(number(PolicyType::RowFilter)), row_filter_policy_items: rows, ..frame.clone() };
        let resources: Vec<Resource> = targets.datasets.iter().flat_map(|(tables, _)| tables.clone()).collect();
        self.refuse_patterns(&resources, origin, PolicyType::RowFilter, checker);
        let origin = with_parts(origin, [(PolicyPart::Rows, places(raw.rows.as_ref(), checker))]);
        self.put_on(policy, resources, &origin, false);
    }

    /// A service may take no patterns in masks and filters, as Hive's own definition does; a pattern would be a name
    /// there, and never fit.
    fn refuse_patterns(
        &self,
        resources: &[Resource],
        origin: &PolicyOrigin,
        kind: PolicyType,
        checker: &mut Checker<'_>,
    ) {
        let def = &self.sources.policies.service_def;
        let (levels, what) = match kind {
            PolicyType::Access => return,
            PolicyType::DataMask => (&def.data_mask_def.resources, "masks"),
            PolicyType::RowFilter => (&def.row_filter_def.resources, "rows"),
        };
        let takes_patterns = |name: &str| {
            let level = levels.iter().find(|level| level.name == name);
            let option = level.and_then(|level| level.matcher_options.get("wildCard"));
            option.is_none_or(|option| option.as_str().eq_ignore_ascii_case("true"))
        };
        for (level, resource) in resources.iter().flatten() {
            let pattern = resource.values.iter().find(|value| value.contains(['*', '?']));
            if let Some(pattern) = pattern.filter(|_| !takes_patterns(level)) {
                let message =
                    format!("the service of the imported policies takes no pattern such as `{pattern}` for {what}");
                let help = format!("list the {level}s by name");
                checker.report(Code::InvalidValue, &origin.span.range(), message, Some(help));
            }
        }
    }
}

impl Targets {
    /// The resources of the policy as `on` names them, and whether they are tags.
    fn whole(&self) -> (Vec<Resource>, bool) {
        if !self.tags.is_empty() {
            return (self.tags.clone(), true);
        }
        (self.datasets.iter().flat_map(|(tables, columns)| with_column(tables, columns)).collect(), false)
    }

    fn with_columns(&self, columns: &PolicyResource) -> Vec<Resource> {
        self.datasets.iter().flat_map(|(tables, _)| with_column(tables, columns)).collect()
    }
}

/// The places of a list's items.
fn places<T>(list: Option<&Checked<Vec<Checked<T>>>>, checker: &Checker<'_>) -> Vec<Span> {
    let entries = list.and_then(|list| list.value.as_ref()).into_iter().flatten();
    entries.map(|entry| checker.span(&entry.range)).collect()
}

fn with_parts<const N: usize>(origin: &PolicyOrigin, parts: [(PolicyPart, Vec<Span>); N]) -> PolicyOrigin {
    let mut origin = origin.clone();
    origin.parts.extend(parts);
    origin
}

fn with_column(tables: &[Resource], columns: &PolicyResource) -> Vec<Resource> {
    let add = |table: &Resource| -> Resource {
        let column = BTreeMap::from([("column".to_owned(), columns.clone())]);
        table.clone().into_iter().chain(column).collect()
    };
    tables.iter().map(add).collect()
}

fn targets(raw: &PolicyEntry, checker: &mut Checker<'_>) -> Option<Targets> {
    let also: &[Checked<OnEntry>] = raw.also_on.as_ref().and_then(|also| also.value.as_deref()).unwrap_or_default();
    let mut targets = Targets::default();
    for on in std::iter::once(&raw.on).chain(also) {
        match resources::target(on.value.as_ref()?, &on.range, checker)? {
            Target::Tags(resource) => {
                targets.places.push(checker.span(&on.range));
                targets.tags.push(resource);
            }
            Target::Datasets { tables, columns } => {
                targets.places.extend(tables.iter().map(|_| checker.span(&on.range)));
                targets.datasets.push((tables, columns));
            }
        }
    }
    if !targets.tags.is_empty() && !targets.datasets.is_empty() {
        let help = "write two policies, one on tags and one on datasets".to_owned();
        checker.report(
            Code::InvalidValue,
            &raw.on.range,
            "a policy is on tags or on datasets, not on both",
            Some(help),
        );
        return None;
    }
    Some(targets)
}

/// A policy says something, and an exception is one from something.
fn check_parts(raw: &PolicyEntry, range: &Range<usize>, checker: &mut Checker<'_>) {
    let denies_all_else = raw.deny_all_else.as_ref().is_some_and(|all| all.value == Some(true));
    if raw.allow.is_none() && raw.deny.is_none() && raw.mask.is_none() && raw.rows.is_none() && !denies_all_else {
        let help = "add `allow`, `deny`, `mask`, `rows` or `deny_all_else: true`".to_owned();
        checker.report(Code::MissingKey, range, "the policy decides nothing", Some(help));
        return;
    }
    let excepted = [("allow", raw.allow.is_some(), &raw.allow_except), ("deny", raw.deny.is_some(), &raw.deny_except)];
    for (key, is_there, exceptions) in excepted {
        if let Some(exceptions) = exceptions.as_ref().filter(|_| !is_there) {
            let message = format!("`{key}_except` has no `{key}` to be an exception from");
            let help = format!("add `{key}`, or remove the exception");
            checker.report(Code::InvalidValue, &exceptions.range, message, Some(help));
        }
    }
}

/// Whether two lists of columns may have one in common; a list that is not there is all of the policy's.
fn may_overlap(one: Option<&[String]>, other: Option<&[String]>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    let is_pattern = |name: &str| name.contains(['*', '?', '{', '$']);
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    pairs.into_iter().any(|(a, b)| is_pattern(a) || is_pattern(b) || a.eq_ignore_ascii_case(b))
}

fn number(kind: PolicyType) -> i32 {
    match kind {
        PolicyType::Access => 0,
        PolicyType::DataMask => 1,
        PolicyType::RowFilter => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_columns_overlap_by_name_in_any_case_and_by_any_pattern() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let overlap = |a: &[&str], b: &[&str]| may_overlap(Some(&list(a)), Some(&list(b)));
        assert!(overlap(&["a", "b"], &["B"]) && overlap(&["*"], &["x"]) && overlap(&["x"], &["?"]));
        assert!(!overlap(&["a"], &["b"]));
        assert!(may_overlap(None, Some(&list(&["a"]))));
    }

    #[test]
    fn parts_have_numbers_of_ranger() {
        for kind in PolicyType::ALL {
            assert_eq!(PolicyType::from_number(number(kind)), Some(kind));
        }
    }
}
