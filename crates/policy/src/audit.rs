//! Rules of a service about what is audited; the first one that matches decides.

use crate::decision::Decision;
use crate::engine::Mode;
use crate::facts::Facts;
use crate::model::{AuditFilter, AuditedResult, PolicyType};
use crate::names::Names;
use crate::policy::Who;
use crate::resource::{MatchType, ResourceSet, Target};
use crate::service::Service;
use crate::verdict::Caller;

/// A rule, prepared.
#[derive(Debug)]
pub(crate) struct AuditRule {
    /// Absent if it is about every resource.
    resource: Option<ResourceSet>,
    result: Option<AuditedResult>,
    who: Option<Who>,
    access_types: Vec<String>,
    actions: Vec<String>,
    is_audited: Option<bool>,
}

impl AuditRule {
    pub(crate) fn new(filter: &AuditFilter, service: &Service, names: &mut Names) -> Self {
        let levels = service.levels(PolicyType::Access);
        let who = Who::new(&filter.users, &filter.groups, &filter.roles, names);
        let nobody_named = filter.users.is_empty() && filter.groups.is_empty() && filter.roles.is_empty();
        let anybody = nobody_named || who.public || who.any_user;
        Self {
            resource: (!filter.resources.is_empty()).then(|| ResourceSet::new(levels, &filter.resources)),
            result: filter.access_result,
            who: (!anybody).then_some(who),
            access_types: filter.access_types.clone(),
            actions: filter.actions.clone(),
            is_audited: filter.is_audited,
        }
    }

    /// What the rule says of a decision, if it is about it.
    fn says(&self, decision: &Decision<'_>, covers: impl Fn(&ResourceSet) -> bool, scene: &Scene<'_>) -> Option<bool> {
        let is_audited = self.is_audited?;
        let result = match self.result {
            None => true,
            Some(AuditedResult::Denied) => decision.is_determined && !decision.is_allowed,
            Some(AuditedResult::Allowed) => decision.is_determined && decision.is_allowed,
            Some(AuditedResult::NotDetermined) => !decision.is_determined,
        };
        let request = scene.facts.request;
        let operation = (self.actions.is_empty() && self.access_types.is_empty())
            || request.action.is_some_and(|action| self.actions.iter().any(|other| other == action))
            || self.access_types.iter().any(|other| other == request.access);
        let who = self.who.as_ref().is_none_or(|who| scene.caller.is_in(who));
        let resource = self.resource.as_ref().is_none_or(covers);
        (resource && result && who && operation).then_some(is_audited)
    }
}

/// Who asks, and for what.
pub(crate) struct Scene<'s> {
    pub(crate) facts: &'s Facts<'s>,
    pub(crate) caller: &'s Caller,
    pub(crate) target: Target<'s>,
}

fn counts(found: MatchType, reaches_below: bool, above: bool) -> bool {
    found.is_itself() || (found == MatchType::Below && reaches_below) || (found == MatchType::Above && above)
}

/// What the rules about resources say.
pub(crate) fn by_resource(rules: &[AuditRule], decision: &Decision<'_>, scene: &Scene<'_>) -> Option<bool> {
    let request = scene.facts.request;
    let covers = |set: &ResourceSet| counts(set.match_type(scene.target, scene.facts), request.reaches_below(), false);
    rules.iter().find_map(|rule| rule.says(decision, covers, scene))
}

/// What the rules about tags say: the first rule that is about one of them.
pub(crate) fn by_tags(
    rules: &[AuditRule],
    decision: &Decision<'_>,
    tags: &[(MatchType, Target<'_>)],
    scene: &Scene<'_>,
) -> Option<bool> {
    let request = scene.facts.request;
    // As policies on tags are found: by how values begin; in closed mode only what matches can switch auditing off.
    let is_closed = scene.facts.mode() == Mode::Closed;
    rules.iter().find_map(|rule| {
        tags.iter().filter(|(found, _)| counts(*found, request.reaches_below(), true)).find_map(|(_, tag)| {
            let matches = |set: &ResourceSet| !is_closed || set.match_type(*tag, scene.facts).is_itself();
            rule.says(decision, |set| set.is_reached(*tag) && matches(set), scene)
        })
    })
}
