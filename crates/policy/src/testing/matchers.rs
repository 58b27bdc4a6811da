//! Files that match values against values of a policy, and resources and policies against the resources of a policy.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::CaseReport;
use super::request::{FileResource, Lists};
use crate::json::{ReadError, read};
use crate::matcher::{Bindings, ElementMatcher, ElementScope, LevelOptions, Values};
use crate::model::{PolicyResource, PolicyType, ResourceDef, ServiceDef};
use crate::request::Request;
use crate::resource::{MatchType, ResourceSet, Target, TargetElement};
use crate::script::Template;
use crate::service::{Levels, Service};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ValueFile {
    test_cases: Vec<ValueGroup>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ValueGroup {
    name: String,
    resource_def: ResourceDef,
    policy_resource: PolicyResource,
    tests: Vec<ValueCase>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ValueCase {
    name: String,
    input: String,
    eval_context: BTreeMap<String, Value>,
    result: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceFile {
    service_def: ServiceDef,
    test_cases: Vec<ResourceGroup>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceGroup {
    name: String,
    policy_resources: BTreeMap<String, PolicyResource>,
    tests: Vec<ResourceCase>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceCase {
    name: String,
    #[serde(rename = "type")]
    scope: String,
    resource: FileResource,
    policy: Option<CasePolicy>,
    eval_context: BTreeMap<String, Value>,
    result: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CasePolicy {
    policy_type: Option<i32>,
    resources: BTreeMap<String, PolicyResource>,
}

/// The tokens of a case.
struct Tokens<'a>(&'a BTreeMap<String, Value>);

impl Bindings for Tokens<'_> {
    fn token(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(&format!("token:{name}")).and_then(Value::as_str).map(Cow::Borrowed)
    }

    fn expand(&self, _template: &Template) -> Option<String> {
        None
    }
}

fn report(group: &str, name: &str, expected: bool, found: bool, explain: impl FnOnce() -> String) -> CaseReport {
    let word = |matches| if matches { "a match" } else { "no match" };
    CaseReport::compare(&format!("{group}: {name}"), word(expected), word(found), explain)
}

pub(super) fn run_values(text: &str) -> Result<Vec<CaseReport>, ReadError> {
    let file: ValueFile = read(text)?;
    let mut reports = Vec::new();
    for group in &file.test_cases {
        let matcher = ElementMatcher::new(&LevelOptions::of(&group.resource_def), &group.policy_resource);
        for case in &group.tests {
            let value = Some(Values::One(&case.input));
            let found = matcher.is_match(value, ElementScope::Itself, &Tokens(&case.eval_context));
            reports.push(report(&group.name, &case.name, case.result, found, String::new));
        }
    }
    Ok(reports)
}

pub(super) fn run_resources(text: &str) -> Result<Vec<CaseReport>, ReadError> {
    let file: ResourceFile = read(text)?;
    let service = Service::new(&file.service_def);
    let levels = service.levels(PolicyType::Access);
    let mut reports = Vec::new();
    for group in &file.test_cases {
        let set = ResourceSet::new(levels, &group.policy_resources);
        for case in &group.tests {
            let tokens = Tokens(&case.eval_context);
            let found = match &case.policy {
                Some(policy) => policy_match(policy, &set, levels, &tokens),
                None => resource_match(&case.resource, &set, levels, &tokens),
            };
            let Some(in_scope) = is_in_scope(&case.scope, found) else { continue };
            reports.push(report(&group.name, &case.name, case.result, in_scope, || found.ranger_name().to_owned()));
        }
    }
    Ok(reports)
}

/// Whether a match counts; nothing for scopes that Ranger's runner does not know, whose cases it leaves out.
fn is_in_scope(scope: &str, found: MatchType) -> Option<bool> {
    Some(match scope {
        "selfOrDescendantMatch" => found.is_itself() || found == MatchType::Below,
        "descendantMatch" => found == MatchType::Below,
        "exactMatch" => found.is_itself(),
        "selfOrAncestorMatch" => found.is_itself() || found == MatchType::Above,
        "ancestorMatch" => found == MatchType::Above,
        "selfAndAllDescendants" => found == MatchType::ItselfAndBelow,
        "anyMatch" => found != MatchType::None,
        _ => return None,
    })
}

fn resource_match(resource: &FileResource, set: &ResourceSet, levels: &Levels, tokens: &Tokens<'_>) -> MatchType {
    let lists = Lists::of(resource);
    let values = lists.values(resource);
    let request = Request { resource: &values, ..Request::default() };
    let elements = crate::evaluate::elements_of(levels, &request);
    set.match_type(Target { elements: elements.as_deref() }, tokens)
}

/// A policy is matched level by level, with the first of its values that matches at all.
fn policy_match(policy: &CasePolicy, set: &ResourceSet, levels: &Levels, tokens: &Tokens<'_>) -> MatchType {
    let chain = levels.chain(policy.resources.keys().map(String::as_str));
    let (Some(chain), 0) = (chain, policy.policy_type.unwrap_or_default()) else { return MatchType::None };
    let mut elements: Vec<TargetElement<'_>> = Vec::new();
    let mut found = MatchType::None;
    for level in chain {
        let resource = levels.get(level).and_then(|level| policy.resources.get(&*level.name));
        let mut values = resource.into_iter().flat_map(|resource| &resource.values);
        let matches = values.find_map(|value| {
            elements.push(TargetElement { level, values: Values::One(value), scope: ElementScope::Itself });
            let found = set.match_type(Target { elements: Some(&elements) }, tokens);
            if found == MatchType::None {
                elements.pop();
            }
            (found != MatchType::None).then_some(found)
        });
        match matches {
            Some(matches) => found = matches,
            None => return MatchType::None,
        }
    }
    found
}
