//! Conditions of policies and of their items: what else must hold of a request.
//!
//! A condition holds, does not, or can't be decided (its kind is unknown, its script is refused or fails, the address
//! is missing). What the last means, [`Mode`] says: as in Ranger, or whatever gives nothing away.

mod address;
mod time_of_day;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Mode;
use crate::facts::Facts;
use crate::matcher::{ElementScope, Unbound, Values, Wildcard, folded};
use crate::model::{ConditionDef, ConditionUse, PolicyResource, PolicyType};
use crate::policy::Context;
use crate::resource::ResourceSet;
use crate::script::{Script, ScriptRefusal};
use crate::service::Service;
use crate::validity::Schedule;
use address::Addresses;
use time_of_day::TimesOfDay;

/// The condition that every service has without defining it: a script.
const IMPLICIT_SCRIPT: &str = "_expression";

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    Fails,
    /// It can't be decided, and why.
    Unknown(String),
}

impl Verdict {
    fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// A condition, prepared.
#[derive(Debug)]
pub(crate) struct Condition {
    /// Its name in the service definition.
    pub(crate) kind: Box<str>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Address(Addresses),
    TimeOfDay(Result<TimesOfDay, String>),
    ContextValue { name: Option<String>, null: Option<String>, values: Vec<String>, is_in: bool },
    ContextPattern { name: String, patterns: Option<Vec<Wildcard>> },
    Cluster { values: Vec<String>, by_type: bool, is_in: bool },
    Tags { wanted: BTreeSet<String>, how: HowMany },
    Action(Vec<String>),
    Together { sets: Vec<ResourceSet>, is_wanted: bool },
    Script { script: Result<Option<Script>, ScriptRefusal>, reversed: bool },
    Schedules(Result<Vec<Schedule>, String>),
    UnknownKind(String),
}

#[derive(Debug, Clone, Copy)]
enum HowMany {
    All,
    Any,
    None,
}

/// Whether all conditions hold. One that fails decides, else one that can't be decided.
pub(crate) fn all_hold(conditions: &[Condition], facts: &Facts<'_>) -> (Verdict, Option<usize>) {
    let mut unknown = (Verdict::Holds, None);
    for (at, condition) in conditions.iter().enumerate() {
        match condition.holds(facts) {
            Verdict::Holds => {}
            Verdict::Fails => return (Verdict::Fails, Some(at)),
            verdict @ Verdict::Unknown(_) => unknown = (verdict, Some(at)),
        }
    }
    unknown
}

impl Condition {
    /// Prepares a condition. Ranger ignores one whose kind it does not know; so does [`Mode::Compat`].
    pub(crate) fn new(used: &ConditionUse, context: &Context<'_>) -> Option<Self> {
        let def = context.conditions.iter().find(|def| def.name == used.kind);
        let class = match def {
            Some(def) => def.evaluator.rsplit('.').next().unwrap_or_default(),
            None if used.kind == IMPLICIT_SCRIPT => "RangerScriptConditionEvaluator",
            None => "",
        };
        let test = test(class, used, def, context);
        if context.mode == Mode::Compat && matches!(test, Test::UnknownKind(_)) {
            return None;
        }
        Some(Self { kind: used.kind.as_str().into(), test })
    }

    /// A script as a condition; nothing, if it is empty.
    pub(crate) fn script(source: Option<&str>) -> Option<Self> {
        let source = source.map(str::trim).filter(|source| !source.is_empty())?;
        let test = Test::Script { script: Script::parse(source).map(Some), reversed: false };
        Some(Self { kind: "expression".into(), test })
    }

    /// The schedules of a policy, of which one can't be read.
    pub(crate) fn unreadable_schedule(why: String) -> Self {
        Self { kind: "validity schedule".into(), test: Test::Schedules(Err(why)) }
    }

    /// What keeps the condition from ever being decided.
    pub(crate) fn defect(&self) -> Option<String> {
        match &self.test {
            Test::UnknownKind(class) if class.is_empty() => Some("the service does not define it".to_owned()),
            Test::UnknownKind(class) => Some(format!("nothing here evaluates `{class}`")),
            Test::Script { script: Err(refusal), .. } => Some(format!("its script is refused: {refusal}")),
            Test::TimeOfDay(Err(value)) => Some(format!("`{value}` is not a time range")),
            Test::Schedules(Err(why)) => Some(why.clone()),
            Test::Together { sets, .. } if sets.is_empty() => Some("it names no column of a Hive service".to_owned()),
            _ => None,
        }
    }

    fn holds(&self, facts: &Facts<'_>) -> Verdict {
        if let Some(defect) = self.defect() {
            return self.undecided(defect, facts);
        }
        let request = facts.request;
        match &self.test {
            Test::Address(addresses) => match facts.client_address() {
                Some(address) => Verdict::of(addresses.contains(address)),
                None if addresses.is_any() => Verdict::Holds,
                None => self.undecided("the client's address is not known".to_owned(), facts),
            },
            Test::TimeOfDay(times) => {
                Verdict::of(times.as_ref().is_ok_and(|times| times.contains(request.at, facts.time_zone())))
            }
            Test::ContextValue { name: Some(name), null, values, is_in } if !values.is_empty() => {
                let value = facts.context(name).or_else(|| null.clone());
                Verdict::of(value.is_some_and(|value| values.contains(&value)) == *is_in)
            }
            Test::ContextValue { .. } => Verdict::Holds,
            Test::ContextPattern { patterns: None, .. } => Verdict::Holds,
            Test::ContextPattern { name, patterns: Some(patterns) } => {
                let value = facts.context(name).filter(|value| !value.trim().is_empty());
                let matches = |value: &str| patterns.iter().any(|pattern| pattern.matches(value, true));
                Verdict::of(value.is_some_and(|value| matches(&value)))
            }
            Test::Cluster { values, by_type, is_in } => {
                let cluster = if *by_type { request.cluster_type } else { request.cluster_name };
                let always = values.is_empty() || values.iter().any(String::is_empty);
                let found = cluster.is_some_and(|cluster| values.iter().any(|value| value == cluster));
                Verdict::of(always || found == *is_in)
            }
            Test::Tags { wanted, how } => Verdict::of(tags_match(wanted, *how, facts)),
            Test::Action(values) => {
                let action = request.action.unwrap_or_default();
                Verdict::of(values.is_empty() || values.iter().any(|value| value == action))
            }
            Test::Together { sets, is_wanted } => Verdict::of(together(sets, facts).unwrap_or(false) == *is_wanted),
            Test::Script { script: Ok(Some(script)), reversed } => self.run(script, *reversed, facts),
            Test::Script { .. } => Verdict::Holds,
            Test::Schedules(Ok(schedules)) => {
                let now = |schedule: &Schedule| schedule.is_applicable(request.at);
                Verdict::of(schedules.is_empty() || schedules.iter().any(now))
            }
            // Their defect was told above.
            Test::Schedules(Err(_)) | Test::UnknownKind(_) => Verdict::Fails,
        }
    }

    fn run(&self, script: &Script, reversed: bool, facts: &Facts<'_>) -> Verdict {
        match script.holds(facts) {
            Ok(holds) => Verdict::of(holds != reversed),
            Err(fault) if facts.mode() == Mode::Compat => Verdict::of(fault.result_so_far() != reversed),
            Err(fault) => Verdict::Unknown(fault.to_string()),
        }
    }

    /// What can't be decided: as Ranger decides it, or as unknown.
    fn undecided(&self, why: String, facts: &Facts<'_>) -> Verdict {
        match (facts.mode(), &self.test) {
            (Mode::Closed, _) => Verdict::Unknown(why),
            (Mode::Compat, Test::Script { reversed, .. }) => Verdict::of(*reversed),
            (Mode::Compat, _) => Verdict::Holds,
        }
    }
}

fn test(class: &str, used: &ConditionUse, def: Option<&ConditionDef>, context: &Context<'_>) -> Test {
    let values = || used.values.clone();
    let option = |name: &str| def.and_then(|def| def.evaluator_options.get(name)).map(|text| text.as_str().to_owned());
    let tags = |how| Test::Tags { wanted: used.values.iter().map(|value| value.trim().to_owned()).collect(), how };
    let context_value = |is_in| Test::ContextValue {
        name: option("attributeName"),
        null: option("nullValue"),
        values: values(),
        is_in,
    };
    let cluster = |by_type, is_in| Test::Cluster { values: values(), by_type, is_in };
    match class {
        "RangerIpMatcher" => Test::Address(Addresses::new(&used.values)),
        "RangerTimeOfDayMatcher" => Test::TimeOfDay(TimesOfDay::new(&used.values)),
        "RangerContextAttributeValueInCondition" => context_value(true),
        "RangerContextAttributeValueNotInCondition" => context_value(false),
        "RangerAccessedFromClusterCondition" => cluster(false, true),
        "RangerAccessedNotFromClusterCondition" => cluster(false, false),
        "RangerAccessedFromClusterTypeCondition" => cluster(true, true),
        "RangerAccessedNotFromClusterTypeCondition" => cluster(true, false),
        "RangerTagsAllPresentConditionEvaluator" => tags(HowMany::All),
        "RangerAnyOfExpectedTagsPresentConditionEvaluator" => tags(HowMany::Any),
        "RangerNoneOfExpectedTagsPresentConditionEvaluator" => tags(HowMany::None),
        "RangerActionMatcher" => Test::Action(values()),
        "RangerHiveResourcesAccessedTogetherCondition" => {
            Test::Together { sets: together_sets(&used.values, context.service), is_wanted: true }
        }
        "RangerHiveResourcesNotAccessedTogetherCondition" => {
            Test::Together { sets: together_sets(&used.values, context.service), is_wanted: false }
        }
        "RangerScriptConditionEvaluator" => {
            Test::Script { script: parse(used.values.first().map(String::as_str)), reversed: false }
        }
        "RangerScriptTemplateConditionEvaluator" => {
            let expected = used.values.first().map(|value| folded(value.trim())).unwrap_or_default();
            let template = option("scriptTemplate").filter(|_| !expected.is_empty());
            Test::Script { script: parse(template.as_deref()), reversed: matches!(expected.as_str(), "no" | "false") }
        }
        "RangerValidityScheduleConditionEvaluator" => Test::Schedules(schedules(&used.values, context)),
        "RangerSimpleMatcher" => Test::ContextPattern {
            name: option("CONTEXT_NAME").unwrap_or_default(),
            patterns: (!used.values.is_empty()).then(|| used.values.iter().map(|value| Wildcard::new(value)).collect()),
        },
        other => Test::UnknownKind(other.to_owned()),
    }
}

fn parse(source: Option<&str>) -> Result<Option<Script>, ScriptRefusal> {
    source.map(str::trim).filter(|source| !source.is_empty()).map(Script::parse).transpose()
}

fn schedules(values: &[String], context: &Context<'_>) -> Result<Vec<Schedule>, String> {
    let mut all = Vec::new();
    for value in values {
        let read = if value.trim_start().starts_with('[') {
            crate::json::read::<Vec<crate::validity::ValiditySchedule>>(value)
        } else {
            crate::json::read(value).map(|one| vec![one])
        };
        let read = read.map_err(|error| format!("its validity schedule can't be read: {error}"))?;
        all.extend(read.iter().map(|schedule| Schedule::in_server_zone(schedule, context.zone)));
    }
    Ok(all)
}

fn tags_match(wanted: &BTreeSet<String>, how: HowMany, facts: &Facts<'_>) -> bool {
    let is_there = |kind: &String| facts.tags.iter().any(|tag| tag.data.kind == *kind);
    match how {
        HowMany::All => wanted.iter().all(is_there),
        HowMany::Any => wanted.iter().any(is_there),
        HowMany::None => !wanted.iter().any(is_there),
    }
}

/// `sales.orders.price`: a column; with fewer parts, every column of a table or database.
fn together_sets(values: &[String], service: &Service) -> Vec<ResourceSet> {
    let levels = service.levels(PolicyType::Access);
    let set = |value: &String| {
        let parts: Vec<&str> = value.trim().split('.').filter(|part| !part.is_empty()).collect();
        let known = (1..=3).contains(&parts.len()) && &*service.name == "hive";
        let element = |at: usize| PolicyResource {
            values: vec![parts.get(at).copied().unwrap_or("*").to_owned()],
            ..PolicyResource::default()
        };
        let names = ["database", "table", "column"].into_iter().enumerate();
        let resources: BTreeMap<_, _> = names.map(|(at, name)| (name.to_owned(), element(at))).collect();
        known.then(|| ResourceSet::new(levels, &resources))
    };
    values.iter().filter_map(set).collect()
}

/// Whether at least two of the resources that are accessed together are among the sets; nothing, if it is not known
/// what is accessed together.
fn together(sets: &[ResourceSet], facts: &Facts<'_>) -> Option<bool> {
    let resources = facts.request.together?;
    let levels = facts.service.levels(PolicyType::Access);
    let pairs = resources.iter().flat_map(|resource| sets.iter().map(move |set| (resource, set)));
    let found = pairs.filter(|(resource, set)| set.covers(levels, resource, facts)).count();
    Some(resources.len() > 1 && found > 1)
}

/// Whether a value is among the values of a mask in a share, which has no request to expand it for.
pub(crate) fn plain_match(set: &crate::matcher::ElementMatcher, value: &str) -> bool {
    set.is_match(Some(Values::One(value)), ElementScope::Itself, &Unbound)
}
