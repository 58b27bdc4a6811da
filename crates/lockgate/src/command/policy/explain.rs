//! `policy explain`: whether somebody may do something, and which policies say so.

mod asked;

use std::path::Path;
use std::sync::Arc;

use asked::{Asked, by_levels, in_project};
use lockgate_model::{Failure, FailureKind};
use lockgate_policy::model::PolicyType;
use lockgate_policy::{
    Decision, Engine, Explanation, ItemList, ItemStep, Missing, Mode, Options, PolicyOutcome, PolicyStep, Request,
    Step, Values,
};
use lockgate_project::Project;

use crate::cli::PolicyExplainArgs;
use crate::{context, output};

pub(super) fn explain(dir: Option<&Path>, args: &PolicyExplainArgs) -> Result<u8, Failure> {
    let text = if args.policies.is_empty() { by_project(dir, args)? } else { by_documents(args)? };
    output::print(&text)?;
    Ok(0)
}

/// Decides by the policies of the project: those in YAML and Ranger's documents, as one set.
fn by_project(dir: Option<&Path>, args: &PolicyExplainArgs) -> Result<String, Failure> {
    let project = context::load(dir)?;
    let policies = &project.policies;
    if policies.is_empty() {
        return Err(Failure::new(FailureKind::Invalid, "the project has no policies").with_help(
            "write `policies/NAME.yaml`, take over an export with `lockgate policy import EXPORT`, or say where policies \
             are with `--policies FILE`",
        ));
    }
    let asked = in_project(&args.resource, &project)?;
    let engine = match mode(args) {
        Mode::Closed => policies.engine(),
        Mode::Compat => {
            let options = Options { mode: Mode::Compat, ..policies.options().clone() };
            Arc::new(Engine::new(policies.sources(), options))
        }
    };
    let mut groups = policies.users().remove(args.user.as_str()).unwrap_or_default();
    for group in &args.groups {
        if !groups.contains(&group.as_str()) {
            groups.push(group);
        }
    }
    Ok(Explained { args, project: Some(&project) }.text(&engine, &asked, &groups))
}

/// Decides by documents of Ranger alone.
fn by_documents(args: &PolicyExplainArgs) -> Result<String, Failure> {
    let sources = super::sources(&args.policies)?;
    let asked = by_levels(&args.resource, &sources.policies.service_def)?;
    let engine = Engine::new(&sources, Options { mode: mode(args), ..Options::default() });
    let groups: Vec<&str> = args.groups.iter().map(String::as_str).collect();
    Ok(Explained { args, project: None }.text(&engine, &asked, &groups))
}

fn mode(args: &PolicyExplainArgs) -> Mode {
    if args.compat { Mode::Compat } else { Mode::Closed }
}

/// What is explained, and where its policies were written.
struct Explained<'a> {
    args: &'a PolicyExplainArgs,
    project: Option<&'a Project>,
}

impl Explained<'_> {
    fn text(&self, engine: &Engine, asked: &Asked, groups: &[&str]) -> String {
        let args = self.args;
        let resource: Vec<(&str, Values<'_>)> =
            asked.levels.iter().map(|(level, value)| (level.as_str(), Values::One(value))).collect();
        let roles: Vec<&str> = args.roles.iter().map(String::as_str).collect();
        let request = Request {
            resource: &resource,
            access: &args.access,
            user: Some(&args.user),
            groups,
            roles: &roles,
            tags: asked.tags.as_deref(),
            at: context::now(),
            ..Request::default()
        };
        // Rows are those of the whole dataset: a policy that filters them says nothing of columns.
        let above: Vec<_> = resource.iter().copied().filter(|(level, _)| *level != asked::COLUMN).collect();
        let mut text = String::new();
        for kind in PolicyType::ALL {
            let request = match kind {
                PolicyType::RowFilter => {
                    Request { resource: &above, tags: asked.tags.as_ref().map(|_| [].as_slice()), ..request }
                }
                PolicyType::Access | PolicyType::DataMask => request,
            };
            let (decision, explanation) = engine.explain(&request, kind);
            if kind == PolicyType::Access || decision.mask.is_some() || decision.filter.is_some() {
                text.push_str(&self.describe(kind, &decision, &explanation));
            }
            if kind == PolicyType::Access && !decision.is_allowed {
                if args.why_not {
                    text.push_str(&why_not(args, &explanation));
                }
                break;
            }
        }
        text
    }

    /// Where a policy was written, if a file of the project says it.
    fn place(&self, policy_id: i64) -> Option<String> {
        let project = self.project?;
        let span = project.policies.origin(policy_id)?.span;
        let (line, _) = project.sources.line_column(span);
        Some(format!("{}:{line}", project.sources.path(span.file)))
    }

    fn describe(&self, kind: PolicyType, decision: &Decision<'_>, explanation: &Explanation) -> String {
        let args = self.args;
        let what = match kind {
            PolicyType::Access => {
                let word = if decision.is_allowed { "may" } else { "may not" };
                format!("{} {word} {} {}", args.user, args.access, args.resource)
            }
            PolicyType::DataMask => {
                let mask = decision.mask.as_ref();
                let with = mask.and_then(|mask| mask.value.as_deref()).map(|value| format!(": {value}"));
                format!(
                    "masked with {}{}",
                    mask.and_then(|mask| mask.kind).unwrap_or("nothing"),
                    with.unwrap_or_default()
                )
            }
            PolicyType::RowFilter => format!("rows with {}", decision.filter.as_deref().unwrap_or("no condition")),
        };
        let by = match (&decision.refused, decision.policy_name) {
            (Some(why), _) => format!(", because it cannot be decided: {why}"),
            (None, Some(name)) => {
                let place = self.place(decision.policy_id).map(|place| format!(" ({place})")).unwrap_or_default();
                format!(", by policy {} `{name}`{}{place}", decision.policy_id, details(decision))
            }
            (None, None) if decision.policy_id != -1 => format!(", by policy {}", decision.policy_id),
            (None, None) => ", since no policy says so".to_owned(),
        };
        let steps: String = explanation.to_string().lines().map(|line| format!("  {line}\n")).collect();
        format!("{what}{by}\n{steps}")
    }
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
