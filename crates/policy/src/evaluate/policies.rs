//! In which order policies are looked at, and when nothing more can follow: those on the resource, and those on tags.

use super::{Matched, Run, State, tag_element};
use crate::engine::Mode;
use crate::explain::{PolicyOutcome, Silent, Sink, Step};
use crate::facts::{Facts, FoundTag};
use crate::model::PolicyType;
use crate::policy::Prepared;
use crate::repository::{Asker, Repository};
use crate::resource::{MatchType, Target};
use crate::verdict::Found;
use crate::wanted::PerAccess;

impl<'e: 'c, 'c> Run<'e, 'c> {
    pub(super) fn resource_policies<S: Sink>(
        &self,
        repository: &'e Repository,
        facts: &Facts<'_>,
        state: &mut State<'e>,
        results: &mut PerAccess<Found<'e>>,
        sink: &mut S,
    ) {
        let request = self.facts.request;
        let is_open = !state.determined && !state.allowed && !sink.listens();
        if is_open && self.wanted.is_one() && self.target.elements.is_some_and(|elements| !elements.is_empty()) {
            self.relevant_policies(repository, facts, state, results);
            return;
        }
        let allowed_by_tags = state.determined && state.allowed;
        let denied_by_tags = state.determined && !state.allowed;
        state.determined = false;
        // Ranger, once something allows, ends at the first policy that it looks at and that never denies, even if that
        // is not about the resource: what comes after it is not asked, a denial of a higher priority than what tags
        // allow included. In closed mode denials are asked for; a mask of tags stays as Ranger has it.
        let ends_early = self.engine.options.mode == Mode::Compat || self.kind != PolicyType::Access;
        let end_from = |place| repository.end_of_search(self.kind, self.target, place, request.at);
        let mut end = if ends_early && state.allowed { Some(end_from(0)) } else { None };
        let mut candidates = repository.candidates(self.kind, self.target, request.reaches_below());
        // Where the policy stands that allows what tags deny, and may deny as well.
        let mut lifted = None;
        while let Some(policy) = candidates.next() {
            let place = candidates.place;
            state.determined |= end.flatten().is_some_and(|end| place > end);
            if !policy.is_valid_at(request.at) {
                sink.note(|| super::policy_step(policy, facts, PolicyOutcome::NotNow));
                continue;
            }
            let settled = if denied_by_tags {
                state.priority >= policy.priority
            } else if state.allowed && self.kind == PolicyType::Access {
                state.priority > policy.priority
            } else {
                state.allowed && state.priority >= policy.priority
            };
            state.determined |= settled;
            state.evaluated += 1;
            self.policy(policy, facts, self.target, state, results, sink);
            if ends_early {
                if state.allowed && !state.determined && end.is_none() {
                    end = Some(end_from(place));
                }
                state.determined |= end.flatten().is_some_and(|end| place >= end);
            } else {
                state.determined |= state.allowed && !policy.has_deny && policy.priority <= state.priority;
            }
            if denied_by_tags && state.allowed && !state.determined {
                lifted = Some(place);
            }
            if state.audit_determined && state.determined && !sink.listens() {
                break;
            }
        }
        if denied_by_tags {
            // Ranger takes a denial by tags for lifted at the next policy that it looks at, be it not about the resource.
            let stands = |place| !repository.reaches_after(self.kind, self.target, place, request.at);
            state.allowed &= !lifted.is_some_and(stands);
            state.determined |= !state.allowed;
        } else if allowed_by_tags && !state.determined {
            state.allowed = true;
        }
        state.determined |= state.allowed;
    }

    /// The same for one kind of access, where nothing decided yet and nobody asks how it comes about. The policies that
    /// do not name who asks, or not the access, are left out: all they could do is to say that the access is audited,
    /// and to end a search that only ends with what it has found.
    fn relevant_policies(
        &self,
        repository: &'e Repository,
        facts: &Facts<'_>,
        state: &mut State<'e>,
        results: &mut PerAccess<Found<'e>>,
    ) {
        let request = self.facts.request;
        let asker = Asker {
            who: self.caller.bits(),
            accesses: self.question(facts).access_bits(),
            below: request.reaches_below(),
            audit_is_known: state.audit_determined,
        };
        let relevant = repository.relevant(self.kind, self.target, &asker);
        for found in relevant.iter() {
            state.audit_by(found.audits_before);
            let policy = found.policy;
            if (found.is_stranger && state.audit_determined) || !policy.is_valid_at(request.at) {
                continue;
            }
            let is_outranked = state.priority > policy.priority
                || (self.kind != PolicyType::Access && state.priority == policy.priority);
            state.determined |= state.allowed && is_outranked;
            if state.determined && state.audit_determined {
                break;
            }
            state.evaluated += 1;
            if found.is_match {
                self.policy_matched(policy, facts, MatchType::Itself.into(), state, results, &mut Silent);
            } else {
                self.policy(policy, facts, self.target, state, results, &mut Silent);
            }
            state.determined |= state.allowed && !policy.has_deny && policy.priority <= state.priority;
            if state.determined && state.audit_determined {
                break;
            }
        }
        state.audit_by(relevant.audits());
        state.determined |= state.allowed;
    }

    pub(super) fn tag_policies<S: Sink>(
        &self,
        zone: Option<&str>,
        facts: &Facts<'c>,
        state: &mut State<'e>,
        results: &mut PerAccess<Found<'e>>,
        sink: &mut S,
    ) {
        let Some(repository) = &self.engine.tag_repository else { return };
        let at = self.facts.request.at;
        let mut pairs: Vec<(FoundTag<'c>, &'e Prepared, bool)> = Vec::new();
        for tag in self.facts.tags {
            let is_valid = tag.data.is_valid_at(at);
            sink.note(|| Step::Tag { name: tag.data.kind.clone(), match_type: tag.match_type, is_valid });
            if !is_valid {
                continue;
            }
            let elements = tag_element(repository.service.levels(self.kind), &tag.data.kind);
            let target = Target { elements: elements.as_ref().map(std::slice::from_ref) };
            let found = repository.on_tag(self.kind, target, facts).filter(|(policy, _)| policy.is_valid_at(at));
            pairs.extend(found.map(|(policy, matches)| (*tag, policy, matches)));
        }
        self.order_tag_policies(&mut pairs);
        let own_zone = zone.filter(|zone| self.engine.zone_matcher.has_tag_policies(zone)).unwrap_or_default();
        for (tag, policy, matches) in pairs.into_iter().filter(|(_, policy, _)| &*policy.zone == own_zone) {
            let mut on_tag = self.fresh();
            on_tag.take_access(state);
            on_tag.take_audit(state);
            state.evaluated += 1;
            let tag_facts = facts.for_tag(tag);
            let matched = Matched { match_type: tag.match_type, is_sure: matches };
            self.policy_matched(policy, &tag_facts, matched, &mut on_tag, results, sink);
            on_tag.determined |= on_tag.allowed && !policy.has_deny;
            if on_tag.audited {
                state.take_audit(&on_tag);
            }
            if !state.determined && (on_tag.determined || (!state.allowed && on_tag.allowed)) {
                state.take_access(&on_tag);
            }
            if state.audit_determined && state.determined {
                break;
            }
        }
        state.determined |= state.allowed;
    }

    /// By the order of policies; masks by how the tag was found and then by name; filters by name.
    fn order_tag_policies(&self, pairs: &mut [(FoundTag<'c>, &'e Prepared, bool)]) {
        let by_name = |a: &Prepared, b: &Prepared| {
            let key = |policy: &Prepared| (std::cmp::Reverse(policy.priority), !policy.has_deny);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        };
        pairs.sort_by(|(a_tag, a, _), (b_tag, b, _)| match self.kind {
            PolicyType::Access => {
                let key = |policy: &Prepared| (std::cmp::Reverse(policy.priority), !policy.has_deny, policy.order);
                key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
            }
            PolicyType::DataMask => a_tag.match_type.cmp(&b_tag.match_type).then_with(|| by_name(a, b)),
            PolicyType::RowFilter => by_name(a, b),
        });
    }
}
