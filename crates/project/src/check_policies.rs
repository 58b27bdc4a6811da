//! What can be said of a project's policies without a request: each finding is certain, or it is not made.
//!
//! ```text
//! policy ─► resources: can they fit anything?   ─► validity: does it end?   ─► items: does one before them decide?
//! column ─► engine: what has anybody, and what has whom a policy names, with the column's tags and without
//! ```
//! What depends on a request (conditions, expressions in values, owners) is taken for possible, so that nothing is called
//! impossible that is not.

mod evaluated;
mod principals;
mod resources;
mod shadowed;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lockgate_policy::model::{Policy, ServiceDef};
use lockgate_policy::validity::{Schedule, ValiditySchedule};

pub use evaluated::CHECKED_REQUESTS_MAX;
use principals::Declared;

use crate::{Code, Diagnostic, Diagnostics, PolicyOrigin, PolicyPart, Project, Severity};

/// How many days before its end a policy is reported.
pub const POLICY_EXPIRY_DAYS: i64 = 30;

/// Everything that is found in the policies of a project at a time; nothing if it has none.
pub fn check_policies(project: &Project, now: Timestamp) -> Diagnostics {
    let mut checks = Checks { project, found: Diagnostics::new() };
    if project.policies.is_empty() {
        return checks.found;
    }
    for defect in project.policies.engine().defects() {
        let message = format!("the policy `{}` cannot be decided: {}", defect.policy_name, defect.what);
        let help = "mend it: until then it allows nothing, and what it denies is denied to all whom it names";
        checks.report(Code::UndecidablePolicy, defect.policy_id, message, help);
    }
    let sources = project.policies.sources();
    let def = &sources.policies.service_def;
    let of_zones = sources.policies.security_zones.values().flat_map(|zone| &zone.policies);
    let own: Vec<&Policy> = sources.policies.policies.iter().chain(of_zones).filter(|p| p.is_enabled).collect();
    let tag_policies = sources.policies.tag_policies.as_ref();
    let of_tags: Vec<&Policy> =
        tag_policies.iter().flat_map(|tags| &tags.policies).filter(|policy| policy.is_enabled).collect();
    let declared = Declared::new(sources);
    for policy in &own {
        checks.validity(policy, now);
        checks.principals(policy, &declared);
        checks.resources(policy);
        checks.items(policy, def);
    }
    for policy in &of_tags {
        checks.validity(policy, now);
        checks.principals(policy, &declared);
        checks.tags(policy);
        checks.items(policy, def);
    }
    checks.equal(&own);
    checks.equal(&of_tags);
    checks.columns(now);
    checks.found
}

struct Checks<'p> {
    project: &'p Project,
    found: Diagnostics,
}

impl Checks<'_> {
    fn origin(&self, policy_id: i64) -> Option<&PolicyOrigin> {
        self.project.policies.origin(policy_id)
    }

    fn report(&mut self, code: Code, policy_id: i64, message: String, help: &str) {
        let Some(origin) = self.origin(policy_id) else { return };
        let diagnostic = Diagnostic::new(code, origin.span, message).with_help(help);
        self.found.push(diagnostic);
    }

    /// The same of a part of a policy.
    fn report_part(&mut self, code: Code, policy_id: i64, part: (PolicyPart, usize), message: String, help: &str) {
        let Some(origin) = self.origin(policy_id) else { return };
        let diagnostic = Diagnostic::new(code, origin.part(part.0, part.1), message).with_help(help);
        self.found.push(diagnostic);
    }

    /// Reports what is an error in a project's own policies, and a warning in imported ones, which speak of more than
    /// the project.
    fn report_unless_imported(&mut self, code: Code, policy_id: i64, message: String, help: &str) {
        let Some(origin) = self.origin(policy_id) else { return };
        let mut diagnostic = Diagnostic::new(code, origin.span, message).with_help(help);
        if self.is_imported(policy_id) {
            diagnostic.severity = Severity::Warning;
        }
        self.found.push(diagnostic);
    }

    fn is_imported(&self, policy_id: i64) -> bool {
        let path = self.origin(policy_id).map(|origin| self.project.sources.path(origin.span.file));
        path.is_some_and(|path| path.ends_with(".json"))
    }

    fn validity(&mut self, policy: &Policy, now: Timestamp) {
        let utc = TimeZone::UTC;
        let zone = self.project.policies.options().time_zone.as_ref().unwrap_or(&utc);
        let ends: Option<Vec<Timestamp>> =
            policy.validity_schedules.iter().map(|schedule| Schedule::in_server_zone(schedule, zone).end()).collect();
        let Some(last) = ends.and_then(|ends| ends.into_iter().max()) else { return };
        if policy.validity_schedules.iter().all(|schedule| is_empty(schedule, zone)) {
            let message = format!("the policy `{}` never counts: it ends before it begins", policy.name);
            self.report(Code::PolicyNeverFits, policy.id(), message, "correct the start or the end");
            return;
        }
        let shown = zone.to_datetime(last).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let soon = now.checked_add(SignedDuration::from_hours(POLICY_EXPIRY_DAYS * 24)).unwrap_or(Timestamp::MAX);
        let message = if last < now {
            format!("the policy `{}` has expired on {shown}", policy.name)
        } else if last <= soon {
            format!("the policy `{}` expires on {shown}", policy.name)
        } else {
            return;
        };
        self.report(Code::PolicyExpires, policy.id(), message, "give it a later end, or remove it");
    }
}

/// Whether no time is within, recurrences aside.
fn is_empty(schedule: &ValiditySchedule, zone: &TimeZone) -> bool {
    let whole = ValiditySchedule { recurrences: Vec::new(), ..schedule.clone() };
    let read = Schedule::in_server_zone(&whole, zone);
    read.unreadable().is_none() && read.end().is_some_and(|end| !read.is_applicable(end))
}

/// The kinds of access that a service has, with those that stand for several.
fn knows_access(def: &ServiceDef, name: &str) -> bool {
    /// What stands for all kinds of a category.
    const MARKERS: [&str; 6] = ["_CREATE", "_READ", "_UPDATE", "_DELETE", "_MANAGE", "_ALL"];
    let name = name.strip_prefix(def.name.as_str()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(name);
    let own = def.access_types.iter().chain(&def.marker_access_types).map(|access| access.name.as_str());
    own.chain(MARKERS).any(|known| known.eq_ignore_ascii_case(name))
}
