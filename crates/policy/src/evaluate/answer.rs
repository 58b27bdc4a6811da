//! What is answered: the decision with its mask or filter, what shares add to it, and whether it is audited.

use std::borrow::Cow;

use super::{Run, State, tag_element};
use crate::audit::{self, Scene};
use crate::decision::{CLOSED_FILTER, CLOSED_MASK, Decision, Mask};
use crate::engine::{Mode, RowFilters};
use crate::explain::{Silent, Sink, Step};
use crate::gds::Shared;
use crate::model::PolicyType;
use crate::policy::{Expression, Outcome, OutcomeItem};
use crate::resource::Target;
use crate::script::{Template, Unresolved};
use crate::wanted::PerAccess;

impl<'e: 'c, 'c> Run<'e, 'c> {
    pub(super) fn decision(&self, state: &State<'e>, zone: Option<&'e str>) -> Decision<'e> {
        let (mask, filter) = self.outcome(state.outcome);
        Decision {
            is_allowed: state.allowed,
            is_determined: state.determined,
            is_audited: state.audited,
            policy_id: state.policy.map_or(-1, |policy| policy.id),
            policy_name: state.policy.map(|policy| &*policy.name),
            policy_version: state.policy.and_then(|policy| policy.version),
            audit_policy_id: state.audit_policy,
            zone,
            priority: state.priority,
            mask,
            filter,
            refused: None,
            evaluated: state.evaluated,
        }
    }

    /// Adds the filters of the other policies that match, of the priority of the one that decided.
    pub(super) fn add_filters(&self, decision: &mut Decision<'e>, zone: Option<&'e str>) {
        let repository = zone.and_then(|zone| self.engine.zones.get(zone)).unwrap_or(&self.engine.repository);
        let mut filters: Vec<Cow<'e, str>> = decision.filter.take().into_iter().collect();
        for policy in repository.candidates(self.kind, self.target, self.facts.request.reaches_below()) {
            if policy.priority != decision.priority || !policy.is_valid_at(self.facts.request.at) {
                continue;
            }
            let mut state = self.fresh();
            let mut results = PerAccess::new(self.wanted.list().len());
            self.policy(policy, &self.facts, self.target, &mut state, &mut results, &mut Silent);
            let (_, filter) = self.outcome(state.outcome);
            filters.extend(filter.filter(|filter| !filter.trim().is_empty() && !filters.contains(filter)));
        }
        decision.filter = match filters.len() {
            0 | 1 => filters.pop(),
            _ => Some(conjunction(filters.into_iter()).into()),
        };
    }

    fn outcome(&self, outcome: Option<&'e OutcomeItem>) -> (Option<Mask<'e>>, Option<Cow<'e, str>>) {
        match outcome.map(|outcome| &outcome.outcome) {
            Some(Outcome::Mask { kind, condition, value }) => {
                let value = value.as_ref().map(|value| self.text(value));
                match value {
                    Some(Err(())) => (Some(Mask { kind: Some(CLOSED_MASK), condition: None, value: None }), None),
                    value => {
                        let value = value.and_then(Result::ok);
                        (Some(Mask { kind: kind.as_deref(), condition: condition.as_deref(), value }), None)
                    }
                }
            }
            Some(Outcome::Filter(expression)) => {
                (None, Some(self.text(expression).unwrap_or(Cow::Borrowed(CLOSED_FILTER))))
            }
            Some(Outcome::Nothing) | None => (None, None),
        }
    }

    /// A text with its expressions evaluated; an error, if that fails and nothing is to be given away.
    fn text(&self, expression: &'e Expression) -> Result<Cow<'e, str>, ()> {
        let mode = self.engine.options.mode;
        match (expression.template.as_deref(), mode) {
            (None, _) => Ok(Cow::Borrowed(&*expression.text)),
            (Some(Ok(template)), Mode::Closed) => {
                template.expand(&self.facts, Unresolved::Fault).map(Cow::Owned).map_err(|_| ())
            }
            (Some(Ok(template)), Mode::Compat) => Ok(template
                .expand(&self.facts, Unresolved::Text(""))
                .map_or(Cow::Borrowed(&*expression.text), Cow::Owned)),
            (Some(Err(_)), Mode::Compat) => Ok(Cow::Owned(Template::blank(&expression.text))),
            (Some(Err(_)), Mode::Closed) => Err(()),
        }
    }

    pub(super) fn audit(&self, decision: &mut Decision<'e>, whole: Target<'_>, zone: Option<&'e str>) {
        let engine = self.engine;
        let facts = self.facts.in_zone(zone);
        let scene = Scene { facts: &facts, caller: self.caller, target: whole };
        if let Some(repository) = engine.tag_repository.as_ref().filter(|tags| !tags.audit.is_empty()) {
            let levels = repository.service.levels(PolicyType::Access);
            let valid = self.facts.tags.iter().filter(|tag| tag.data.is_valid_at(facts.request.at));
            let elements: Vec<_> = valid.map(|tag| (tag.match_type, tag_element(levels, &tag.data.kind))).collect();
            let target = |element| Target { elements: Option::map(element, std::slice::from_ref) };
            let tags: Vec<_> = elements.iter().map(|(found, element)| (*found, target(element.as_ref()))).collect();
            if let Some(says) = audit::by_tags(&repository.audit, decision, &tags, &scene) {
                decision.is_audited = says;
                return;
            }
        }
        if let Some(says) = audit::by_resource(&engine.repository.audit, decision, &scene) {
            decision.is_audited = says;
        }
    }

    /// What is shared counts where no policy decided.
    pub(super) fn add_shares<S: Sink>(&self, decision: &mut Decision<'e>, zones: &[&str], sink: &mut S) {
        let Some(gds) = &self.engine.gds else { return };
        let Some(shared) = gds.evaluate(self, zones) else { return };
        sink.note(|| Step::Shared {
            datasets: shared.datasets.iter().cloned().collect(),
            projects: shared.projects.iter().cloned().collect(),
        });
        self.add_shared(decision, shared);
    }

    fn add_shared(&self, decision: &mut Decision<'e>, shared: Shared<'e>) {
        match self.kind {
            PolicyType::Access => {
                if !decision.is_determined && !decision.is_allowed && shared.is_allowed {
                    decision.is_allowed = true;
                    decision.is_determined = true;
                    decision.policy_id = shared.policy_id;
                    decision.policy_version = shared.policy_version;
                }
            }
            PolicyType::DataMask if decision.policy_id == -1 && shared.mask.is_some() => {
                decision.is_allowed = shared.is_allowed;
                decision.is_determined = true;
                decision.policy_id = shared.policy_id;
                decision.policy_version = shared.policy_version;
                decision.mask = shared.mask;
            }
            PolicyType::RowFilter if decision.policy_id == -1 && !shared.filters.is_empty() => {
                decision.is_allowed = shared.is_allowed;
                decision.is_determined = true;
                decision.policy_id = shared.policy_id;
                decision.policy_version = shared.policy_version;
                decision.filter = match self.engine.options.row_filters {
                    RowFilters::First => shared.filters.first().map(|filter| Cow::Borrowed(*filter)),
                    RowFilters::All => Some(conjunction(shared.filters.into_iter().map(Cow::Borrowed)).into()),
                };
            }
            PolicyType::DataMask | PolicyType::RowFilter => {}
        }
        if !decision.is_audited && shared.is_audited {
            decision.is_audited = true;
        }
    }
}

/// All of some conditions on rows.
pub(crate) fn conjunction<'f>(filters: impl Iterator<Item = Cow<'f, str>>) -> String {
    let parts: Vec<String> = filters.map(|filter| format!("({filter})")).collect();
    parts.join(" AND ")
}
