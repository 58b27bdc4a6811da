//! Decides within one policy: which of its items matches who asks, and what follows.
//!
//! ```text
//! conditions of the policy ─► gate ─► for each kind of access: deny, else allow, else deny-all-else
//!                                              │ the first item that matches, unless an exception does
//!                                              ▼
//!                                     results by kind of access ─► one result
//! ```

use crate::condition::{Condition, Verdict, all_hold};
use crate::engine::Mode;
use crate::explain::{ItemList, ItemStep, Missing, PolicyOutcome, Sink};
use crate::facts::Facts;
use crate::model::PolicyType;
use crate::names::{AccessBits, Symbol, WhoBits};
use crate::policy::{Item, Items, OutcomeItem, Prepared, Who};
use crate::resource::MatchType;
use crate::short::Short;
use crate::wanted::{PerAccess, Wanted, WantedAccess};

/// Who asks, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    pub(crate) user: Option<Symbol>,
    /// Whether a user is named at all, known or not.
    pub(crate) is_named: bool,
    pub(crate) owns: bool,
    pub(crate) groups: Short<Symbol, 8>,
    pub(crate) roles: Short<Symbol, 8>,
}

fn intersect(sorted: &[Symbol], some: &[Symbol]) -> bool {
    !sorted.is_empty() && some.iter().any(|symbol| sorted.binary_search(symbol).is_ok())
}

impl Caller {
    /// The bits of who asks, to compare with [`Who::bits`].
    pub(crate) fn bits(&self) -> WhoBits {
        WhoBits::of(&self.user, &*self.groups, &*self.roles).of_caller()
    }

    /// Whether who asks is among those that a policy names.
    pub(crate) fn is_in(&self, who: &Who) -> bool {
        who.public
            || (self.is_named && who.any_user)
            || self.user.is_some_and(|user| who.users.binary_search(&user).is_ok())
            || intersect(&who.groups, &self.groups)
            || intersect(&who.roles, &self.roles)
            || (who.owner && self.owns)
    }
}

/// The result of a policy for one kind of access.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'e> {
    /// Absent where access is allowed because nothing denies it.
    pub(crate) policy: Option<&'e Prepared>,
    pub(crate) allowed: bool,
    pub(crate) determined: bool,
    pub(crate) outcome: Option<&'e OutcomeItem>,
}

impl Found<'_> {
    fn priority(&self) -> i32 {
        self.policy.map_or(0, |policy| policy.priority)
    }
}

/// What a policy is looked at with.
pub(crate) struct Question<'q> {
    pub(crate) facts: &'q Facts<'q>,
    pub(crate) caller: &'q Caller,
    pub(crate) wanted: &'q Wanted<'q>,
    pub(crate) mode: Mode,
}

/// What decides where a condition can't be decided: what gives nothing away.
#[derive(Clone, Copy)]
enum Leaning {
    /// The item matches.
    Matches,
    /// It does not.
    Fails,
}

impl Question<'_> {
    /// Whether the conditions of a policy let it count; the second says that this can't be decided.
    pub(crate) fn conditions<S: Sink>(
        &self,
        policy: &Prepared,
        sink: &mut S,
        outcome: &mut Option<PolicyOutcome>,
    ) -> (bool, bool) {
        let (verdict, at) = all_hold(&policy.conditions, self.facts);
        if sink.listens() && verdict != Verdict::Holds {
            *outcome = Some(condition_outcome(&policy.conditions, &verdict, at));
        }
        match verdict {
            Verdict::Holds => (true, false),
            Verdict::Fails => (false, false),
            Verdict::Unknown(_) => (true, true),
        }
    }

    /// Whether some item of the policy can match at all.
    pub(crate) fn passes_gate(&self, policy: &Prepared) -> bool {
        let gate = &policy.gate;
        if !self.caller.is_in(&gate.who) {
            return false;
        }
        let names = |access: &WantedAccess<'_>| match self.mode {
            Mode::Compat => access.exact.is_some_and(|access| gate.exact.binary_search(&access).is_ok()),
            Mode::Closed => access.folded.is_some_and(|access| gate.accesses.binary_search(&access).is_ok()),
        };
        gate.every_access
            || self.wanted.any
            || names(&self.wanted.own)
            || self.wanted.list().iter().any(names)
            || (self.facts.request.is_admin() && gate.delegates)
    }

    /// The bits of what is asked for, to compare with those of policies: where they have none in common,
    /// [`Self::passes_gate`] says no.
    pub(crate) fn access_bits(&self) -> AccessBits {
        if self.wanted.any || self.facts.request.is_admin() {
            return AccessBits::EVERY;
        }
        let all = std::iter::once(&self.wanted.own).chain(self.wanted.list());
        AccessBits::of(all.filter_map(|access| access.folded)).of_request()
    }

    /// Looks at the items of a policy for each kind of access, and puts what it finds beside what was found before.
    /// Gives what follows for all kinds of access, if anything does.
    pub(crate) fn items<'e, S: Sink>(
        &self,
        policy: &'e Prepared,
        doubtful: bool,
        match_type: MatchType,
        results: &mut PerAccess<Found<'e>>,
        sink: &mut S,
    ) -> (Option<Found<'e>>, Vec<ItemStep>) {
        let mut steps = Vec::new();
        let ignore_deny = self.facts.request.ignore_deny_below;
        for (at, access) in self.wanted.list().iter().enumerate() {
            let found = match policy.kind {
                PolicyType::Access => self.access_item(policy, doubtful, match_type, access, sink, &mut steps),
                PolicyType::DataMask | PolicyType::RowFilter => {
                    self.outcome_item(policy, doubtful, access, sink, &mut steps)
                }
            };
            let Some(found) = found else { continue };
            if let Some(kept) = self.preferred(results.get(at), found) {
                results.set(at, kept);
            }
            // Where any access is enough, one that decides is enough.
            if self.wanted.any && found.allowed == ignore_deny {
                break;
            }
        }
        (self.composite(results), steps)
    }

    fn access_item<'e, S: Sink>(
        &self,
        policy: &'e Prepared,
        doubtful: bool,
        match_type: MatchType,
        access: &WantedAccess<'_>,
        sink: &mut S,
        steps: &mut Vec<ItemStep>,
    ) -> Option<Found<'e>> {
        let deny_counts = match_type != MatchType::Below || !self.facts.request.ignore_deny_below;
        let denied = || Found { policy: Some(policy), allowed: false, determined: true, outcome: None };
        let mut group = |items: &Items, lists: [ItemList; 2], denies: bool| {
            let mut listener = Listener { sink: &mut *sink, steps: &mut *steps, access: access.text };
            self.group(items, lists, denies, doubtful, access, &mut listener)
        };
        if group(&policy.deny, [ItemList::Deny, ItemList::DenyException], true) {
            return deny_counts.then(denied);
        }
        if group(&policy.allow, [ItemList::Allow, ItemList::AllowException], false) {
            return Some(Found { policy: Some(policy), allowed: true, determined: false, outcome: None });
        }
        if !policy.deny_all_else {
            return None;
        }
        if sink.listens() {
            let access = access.text.to_owned();
            steps.push(ItemStep { access, list: ItemList::DenyAllElse, index: 0, missing: None });
        }
        deny_counts.then(denied)
    }

    /// Whether an item matches and no exception does.
    fn group<S: Sink>(
        &self,
        items: &Items,
        lists: [ItemList; 2],
        denies: bool,
        doubtful: bool,
        access: &WantedAccess<'_>,
        listener: &mut Listener<'_, S>,
    ) -> bool {
        let (item, exception) =
            if denies { (Leaning::Matches, Leaning::Fails) } else { (Leaning::Fails, Leaning::Matches) };
        let [list, exceptions] = lists;
        // What can't be decided for the whole policy can't be for its items.
        let doubted = |leaning: Leaning| !doubtful || matches!(leaning, Leaning::Matches);
        let matches = |(at, candidate): (usize, &Item), list, leaning, listener: &mut Listener<'_, S>| {
            doubted(leaning) && self.item(candidate, access, leaning, (list, at), listener)
        };
        items.items.iter().enumerate().any(|item_at| matches(item_at, list, item, listener))
            && !items.exceptions.iter().enumerate().any(|item_at| matches(item_at, exceptions, exception, listener))
    }

    fn outcome_item<'e, S: Sink>(
        &self,
        policy: &'e Prepared,
        doubtful: bool,
        access: &WantedAccess<'_>,
        sink: &mut S,
        steps: &mut Vec<ItemStep>,
    ) -> Option<Found<'e>> {
        let found = policy.outcomes.iter().enumerate().find(|(at, outcome)| {
            let is_clear = outcome.outcome.is_clear();
            let leaning = if is_clear { Leaning::Fails } else { Leaning::Matches };
            let mut listener = Listener { sink: &mut *sink, steps: &mut *steps, access: access.text };
            !(doubtful && is_clear)
                && self.item(&outcome.item, access, leaning, (ItemList::Outcome, *at), &mut listener)
        });
        let (_, outcome) = found?;
        let says = !matches!(outcome.outcome, crate::policy::Outcome::Nothing);
        says.then_some(Found { policy: Some(policy), allowed: true, determined: false, outcome: Some(outcome) })
    }

    fn item<S: Sink>(
        &self,
        item: &Item,
        access: &WantedAccess<'_>,
        leaning: Leaning,
        place: (ItemList, usize),
        listener: &mut Listener<'_, S>,
    ) -> bool {
        let missing = self.missing(item, access, leaning);
        let matches = missing.is_none();
        listener.note(place, missing.into_missing());
        matches
    }

    fn missing(&self, item: &Item, access: &WantedAccess<'_>, leaning: Leaning) -> Lack {
        if !self.caller.is_in(&item.who) {
            return Lack::Who;
        }
        if self.facts.request.is_admin() {
            return if item.delegates { Lack::Nothing } else { Lack::Access };
        }
        if access.folded.is_none_or(|access| item.accesses.binary_search(&access).is_err()) {
            return Lack::Access;
        }
        if item.conditions.is_empty() {
            return Lack::Nothing;
        }
        match (all_hold(&item.conditions, self.facts), leaning) {
            ((Verdict::Holds, _), _) | ((Verdict::Unknown(_), _), Leaning::Matches) => Lack::Nothing,
            ((verdict, at), _) => Lack::Condition(kind_of(&item.conditions, at), verdict),
        }
    }

    /// Of two results for a kind of access, the one that stays; nothing, if it is the old one.
    fn preferred<'e>(&self, old: Option<Found<'e>>, new: Found<'e>) -> Option<Found<'e>> {
        let Some(old) = old else { return Some(new) };
        let (old_priority, priority) = (old.priority(), new.priority());
        let is_access = new.policy.is_none_or(|policy| policy.kind == PolicyType::Access);
        let stays = match (old.allowed, new.allowed) {
            (true, false) => priority >= old_priority,
            (true, true) => priority > old_priority || (!is_access && priority == old_priority),
            (false, true) => priority > old_priority || (self.wanted.any && priority == old_priority),
            (false, false) => priority > old_priority,
        };
        stays.then_some(new)
    }

    /// What follows from the results for each kind of access.
    pub(crate) fn composite<'e>(&self, results: &PerAccess<Found<'e>>) -> Option<Found<'e>> {
        let unless_denied = Found { policy: None, allowed: true, determined: false, outcome: None };
        if self.wanted.groups.is_empty() {
            let all = (0..self.wanted.list().len()).map(|at| results.get(at));
            return one_of(all).or_else(|| self.wanted.all_lenient.then_some(unless_denied));
        }
        let mut allowed = None;
        let mut complete = true;
        for group in &self.wanted.groups {
            match one_of(group.members.iter().map(|at| results.get((*at)?))) {
                Some(found) if !found.allowed => return Some(found),
                Some(found) => allowed = allowed.or(Some(found)),
                None => complete &= group.lenient,
            }
        }
        if complete { allowed.or(Some(unless_denied)) } else { None }
    }
}

/// Allowed, if one is; denied, if all are.
fn one_of<'e>(results: impl Iterator<Item = Option<Found<'e>>>) -> Option<Found<'e>> {
    let mut denied = None;
    let mut complete = true;
    for found in results {
        match found {
            Some(found) if found.allowed => return Some(found),
            Some(found) => denied = denied.or(Some(found)),
            None => complete = false,
        }
    }
    denied.filter(|_| complete)
}

/// What an item lacks.
enum Lack {
    Nothing,
    Who,
    Access,
    Condition(String, Verdict),
}

impl Lack {
    fn is_none(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    fn into_missing(self) -> Option<Missing> {
        match self {
            Self::Nothing => None,
            Self::Who => Some(Missing::Who),
            Self::Access => Some(Missing::Access),
            Self::Condition(kind, Verdict::Unknown(why)) => Some(Missing::Condition { kind, unknown: Some(why) }),
            Self::Condition(kind, _) => Some(Missing::Condition { kind, unknown: None }),
        }
    }
}

fn kind_of(conditions: &[Condition], at: Option<usize>) -> String {
    at.and_then(|at| conditions.get(at)).map(|condition| condition.kind.to_string()).unwrap_or_default()
}

fn condition_outcome(conditions: &[Condition], verdict: &Verdict, at: Option<usize>) -> PolicyOutcome {
    let unknown = if let Verdict::Unknown(why) = verdict { Some(why.clone()) } else { None };
    PolicyOutcome::Condition { kind: kind_of(conditions, at), unknown }
}

struct Listener<'s, S> {
    sink: &'s mut S,
    steps: &'s mut Vec<ItemStep>,
    access: &'s str,
}

impl<S: Sink> Listener<'_, S> {
    fn note(&mut self, (list, index): (ItemList, usize), missing: Option<Missing>) {
        if self.sink.listens() {
            self.steps.push(ItemStep { access: self.access.to_owned(), list, index, missing });
        }
    }
}
