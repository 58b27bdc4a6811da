//! `policy explain`: whether somebody may do something, and which policies say so.

use std::path::Path;

use lockgate_model::{Failure, FailureKind};
use lockgate_policy::model::{PolicyType, ResourceDef, ServiceDef};
use lockgate_policy::{
    Decision, Engine, Explanation, ItemList, ItemStep, Missing, Mode, Options, PolicyOutcome, PolicyStep, Request,
    Step, Values,
};

use crate::cli::PolicyExplainArgs;
use crate::{context, output};

pub(super) fn explain(dir: Option<&Path>, args: &PolicyExplainArgs) -> Result<u8, Failure> {
    let documents = if args.policies.is_empty() { super::project_documents(dir)? } else { args.policies.clone() };
    let sources = super::sources(&documents)?;
    let resource = resource(&args.resource, &sources.policies.service_def)?;
    let resource: Vec<(&str, Values<'_>)> =
        resource.iter().map(|(level, value)| (level.as_str(), Values::One(value))).collect();
    let mode = if args.compat { Mode::Compat } else { Mode::Closed };
    let engine = Engine::new(&sources, Options { mode, ..Options::default() });
    let groups: Vec<&str> = args.groups.iter().map(String::as_str).collect();
    let roles: Vec<&str> = args.roles.iter().map(String::as_str).collect();
    let request = Request {
        resource: &resource,
        access: &args.access,
        user: Some(&args.user),
        groups: &groups,
        roles: &roles,
        at: context::now(),
        ..Request::default()
    };
    let mut text = String::new();
    for kind in PolicyType::ALL {
        let (decision, explanation) = engine.explain(&request, kind);
        if kind == PolicyType::Access || decision.mask.is_some() || decision.filter.is_some() {
            text.push_str(&describe(args, kind, &decision, &explanation));
        }
        if kind == PolicyType::Access && !decision.is_allowed {
            if args.why_not {
                text.push_str(&why_not(args, &explanation));
            }
            break;
        }
    }
    output::print(&text)?;
    Ok(0)
}

/// The levels of a resource with their values.
fn resource(text: &str, service: &ServiceDef) -> Result<Vec<(String, String)>, Failure> {
    if text.contains('=') {
        let pair = |part: &str| part.split_once('=').map(|(level, value)| (level.trim().to_owned(), value.to_owned()));
        let pairs: Option<Vec<_>> = text.split(',').map(pair).collect();
        return pairs.ok_or_else(|| unclear(text, "each part must be LEVEL=VALUE"));
    }
    let mut levels = Vec::new();
    let child_of = |parent: &str| service.resources.iter().find(|level| level.parent == parent);
    let mut next: Option<&ResourceDef> = child_of("");
    for value in text.split('.') {
        let level = next.ok_or_else(|| unclear(text, "the service has fewer levels"))?;
        levels.push((level.name.clone(), value.to_owned()));
        next = child_of(&level.name).filter(|child| child.name != level.name);
    }
    Ok(levels)
}

fn unclear(text: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Invalid, format!("`{text}` is no resource of the service: {why}"))
        .with_help("say it as `sales.orders.price`, or as `database=sales,table=orders`")
}

fn describe(args: &PolicyExplainArgs, kind: PolicyType, decision: &Decision<'_>, explanation: &Explanation) -> String {
    let what = match kind {
        PolicyType::Access => {
            let word = if decision.is_allowed { "may" } else { "may not" };
            format!("{} {word} {} {}", args.user, args.access, args.resource)
        }
        PolicyType::DataMask => {
            let mask = decision.mask.as_ref();
            let with = mask.and_then(|mask| mask.value.as_deref()).map(|value| format!(": {value}"));
            format!("masked with {}{}", mask.and_then(|mask| mask.kind).unwrap_or("nothing"), with.unwrap_or_default())
        }
        PolicyType::RowFilter => format!("rows with {}", decision.filter.as_deref().unwrap_or("no condition")),
    };
    let by = match (&decision.refused, decision.policy_name) {
        (Some(why), _) => format!(", because it cannot be decided: {why}"),
        (None, Some(name)) => format!(", by policy {} `{name}`{}", decision.policy_id, details(decision)),
        (None, None) if decision.policy_id != -1 => format!(", by policy {}", decision.policy_id),
        (None, None) => ", since no policy says so".to_owned(),
    };
    let steps: String = explanation.to_string().lines().map(|line| format!("  {line}\n")).collect();
    format!("{what}{by}\n{steps}")
}

fn details(decision: &Decision<'_>) -> String {
    let version = decision.policy_version.map(|version| format!(" version {version}"));
    let zone = decision.zone.map(|zone| format!(" of zone `{zone}`"));
    version.unwrap_or_default() + &zone.unwrap_or_default()
}

/// What each policy would need, in the order in which they were asked.
fn why_not(args: &PolicyExplainArgs, explanation: &Explanation) -> String {
    let mut lines: Vec<String> = Vec::new();
    for step in &explanation.steps {
        if let Step::Policy(policy) = step {
            lines.extend(changes(args, policy));
        }
    }
    if lines.is_empty() {
        lines.push(format!("a policy that covers {} and allows `{}` to {}", args.resource, args.access, args.user));
    }
    format!("what would change it\n{}", lines.iter().map(|line| format!("  {line}\n")).collect::<String>())
}

fn changes(args: &PolicyExplainArgs, policy: &PolicyStep) -> Vec<String> {
    let name = format!("policy {} `{}`", policy.id, policy.name);
    let user = &args.user;
    match &policy.outcome {
        PolicyOutcome::NotNow => vec![format!("{name}, in its time")],
        PolicyOutcome::Condition { kind, .. } => vec![format!("{name}, if its condition `{kind}` held")],
        PolicyOutcome::NobodyFits => {
            vec![format!("{name}, if it allowed `{}` to {user}, a group or a role of theirs", args.access)]
        }
        PolicyOutcome::Items(items) => items.iter().filter_map(|item| change(args, &name, item)).collect(),
        PolicyOutcome::Settled => Vec::new(),
    }
}

fn change(args: &PolicyExplainArgs, policy: &str, item: &ItemStep) -> Option<String> {
    let place = item.index + 1;
    Some(match (item.list, &item.missing) {
        (ItemList::Allow, Some(Missing::Who)) => {
            format!("{policy}, if its item {place} named {}, a group or a role of theirs", args.user)
        }
        (ItemList::Allow, Some(Missing::Access)) => {
            format!("{policy}, if its item {place} allowed `{}`", item.access)
        }
        (ItemList::Allow, Some(Missing::Condition { kind, unknown })) => {
            let why = unknown.as_ref().map(|why| format!(", which cannot be decided: {why}")).unwrap_or_default();
            format!("{policy}, if the condition `{kind}` of its item {place} held{why}")
        }
        (ItemList::Deny, None) => format!("{policy}, if its item {place} did not deny it, or an exception covered it"),
        (ItemList::AllowException, None) => format!("{policy}, without its exception {place}"),
        (ItemList::DenyAllElse, None) => format!("{policy}, if it did not deny everybody else"),
        _ => return None,
    })
}
