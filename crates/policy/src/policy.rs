//! A policy, prepared: names as numbers, values as matchers, and its place in the order of evaluation.

use jiff::tz::TimeZone;

use crate::condition::Condition;
use crate::engine::Mode;
use crate::matcher::folded;
use crate::model::{ConditionDef, DataMaskItem, Policy, PolicyItem, PolicyType, RowFilterItem};
use crate::names::{AccessBits, Names, Symbol, WhoBits};
use crate::request::{CURRENT_USER, PUBLIC_GROUP, RESOURCE_OWNER};
use crate::resource::ResourceSet;
use crate::script::{ScriptRefusal, Template};
use crate::service::Service;
use crate::validity::Schedule;

/// What policies are prepared with.
pub(crate) struct Context<'a> {
    pub(crate) service: &'a Service,
    pub(crate) conditions: &'a [ConditionDef],
    pub(crate) mode: Mode,
    /// The zone in which times without a zone are meant.
    pub(crate) zone: &'a TimeZone,
}

/// A policy, prepared.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: i64,
    pub(crate) name: Box<str>,
    pub(crate) version: Option<i64>,
    pub(crate) zone: Box<str>,
    pub(crate) kind: PolicyType,
    pub(crate) priority: i32,
    pub(crate) audited: bool,
    pub(crate) has_deny: bool,
    pub(crate) deny_all_else: bool,
    pub(crate) resources: Box<[ResourceSet]>,
    pub(crate) schedules: Box<[Schedule]>,
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) allow: Items,
    pub(crate) deny: Items,
    pub(crate) outcomes: Box<[OutcomeItem]>,
    pub(crate) gate: Gate,
    /// Among policies of one priority: lower is earlier.
    pub(crate) order: i32,
}

/// Items with what they do not cover.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) items: Box<[Item]>,
    pub(crate) exceptions: Box<[Item]>,
}

/// Who, which access, under which conditions.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) who: Who,
    /// The kinds of access without letter case, those that others imply included.
    pub(crate) accesses: Box<[Symbol]>,
    pub(crate) delegates: bool,
    pub(crate) conditions: Box<[Condition]>,
}

/// A set of users, groups and roles.
#[derive(Debug, Default)]
pub(crate) struct Who {
    pub(crate) users: Box<[Symbol]>,
    pub(crate) groups: Box<[Symbol]>,
    pub(crate) roles: Box<[Symbol]>,
    pub(crate) any_user: bool,
    pub(crate) owner: bool,
    pub(crate) public: bool,
}

/// An item that says how data is seen.
#[derive(Debug)]
pub(crate) struct OutcomeItem {
    pub(crate) item: Item,
    pub(crate) outcome: Outcome,
}

/// How data is seen.
#[derive(Debug)]
pub(crate) enum Outcome {
    Mask {
        kind: Option<Box<str>>,
        condition: Option<Box<str>>,
        value: Option<Expression>,
    },
    Filter(Expression),
    /// The item does not say.
    Nothing,
}

impl Outcome {
    /// Whether data is seen as it is.
    pub(crate) fn is_clear(&self) -> bool {
        match self {
            Self::Mask { kind, .. } => kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("MASK_NONE")),
            Self::Filter(expression) => expression.text.trim().is_empty(),
            Self::Nothing => true,
        }
    }
}

/// A text that may have expressions in it.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) text: Box<str>,
    pub(crate) template: Option<Box<Result<Template, ScriptRefusal>>>,
}

impl Expression {
    pub(crate) fn new(text: &str) -> Self {
        let template = Template::is_needed(text).then(|| Box::new(Template::parse(text)));
        Self { text: text.into(), template }
    }
}

/// What all items of a policy together can match, looked at before each of them.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) who: Who,
    /// The kinds of access with their letter case, and what they imply.
    pub(crate) exact: Box<[Symbol]>,
    /// The same without letter case.
    pub(crate) accesses: Box<[Symbol]>,
    pub(crate) every_access: bool,
    pub(crate) delegates: bool,
}

impl Prepared {
    /// Prepares a policy; nothing, if it is disabled or decides about something else.
    pub(crate) fn new(policy: &Policy, context: &Context<'_>, names: &mut Names) -> Option<Self> {
        let kind = policy.kind().filter(|_| policy.is_enabled)?;
        let levels = context.service.levels(kind);
        let resources: Box<[_]> = std::iter::once(&policy.resources)
            .chain(&policy.additional_resources)
            .map(|resources| ResourceSet::new(levels, resources))
            .collect();
        let mut conditions = prepare_conditions(&policy.conditions, context).into_vec();
        let schedule = |schedule| Schedule::in_server_zone(schedule, context.zone);
        let mut schedules: Box<[Schedule]> = policy.validity_schedules.iter().map(schedule).collect();
        let unreadable = schedules.iter().find_map(Schedule::unreadable).map(str::to_owned);
        if let (Mode::Closed, Some(why)) = (context.mode, unreadable) {
            // It may mean any time: what denies counts always, and what allows never.
            conditions.push(Condition::unreadable_schedule(why));
            schedules = Box::default();
        }
        let outcomes = outcomes(policy, kind, context, names);
        let mut items = |items: &[PolicyItem], enabled: bool| -> Box<[Item]> {
            items.iter().filter(|_| enabled).map(|item| Item::new(item, context, names)).collect()
        };
        let denies = context.service.denies;
        let allow =
            Items { items: items(&policy.policy_items, true), exceptions: items(&policy.allow_exceptions, denies) };
        let deny = Items {
            items: items(&policy.deny_policy_items, denies),
            exceptions: items(&policy.deny_exceptions, denies),
        };
        let dynamic = resources.iter().any(ResourceSet::is_dynamic);
        let all = allow.all().chain(deny.all()).chain(outcomes.iter().map(|outcome| &outcome.item));
        let condition_count = conditions.len() + all.map(|item| item.conditions.len()).sum::<usize>();
        Some(Self {
            id: policy.id(),
            name: policy.name.as_str().into(),
            version: policy.version,
            zone: policy.zone_name.as_deref().unwrap_or_default().into(),
            kind,
            priority: policy.policy_priority.unwrap_or(0),
            audited: policy.is_audit_enabled,
            has_deny: policy.is_deny_all_else || !policy.deny_policy_items.is_empty(),
            deny_all_else: policy.is_deny_all_else,
            order: evaluation_order(policy, context.service, dynamic, condition_count),
            gate: Gate::new(policy, context.service, names),
            resources,
            schedules,
            conditions: conditions.into(),
            allow,
            deny,
            outcomes,
        })
    }

    /// Whether it counts at a time.
    pub(crate) fn is_valid_at(&self, at: jiff::Timestamp) -> bool {
        self.schedules.is_empty() || self.schedules.iter().any(|schedule| schedule.is_applicable(at))
    }

    /// Whether it names anybody for anything, or nobody for something.
    pub(crate) fn has_items(&self) -> bool {
        let groups = [&self.allow, &self.deny];
        !self.outcomes.is_empty() || groups.iter().any(|items| items.all().next().is_some())
    }

    /// Whether something of it depends on more than who asks for which access to which resource, and when.
    pub(crate) fn is_conditional(&self) -> bool {
        let outcomes = self.outcomes.iter().any(|outcome| match &outcome.outcome {
            Outcome::Mask { value: Some(expression), .. } | Outcome::Filter(expression) => {
                expression.template.is_some()
            }
            Outcome::Mask { value: None, .. } | Outcome::Nothing => false,
        });
        let items = self.allow.all().chain(self.deny.all()).chain(self.outcomes.iter().map(|outcome| &outcome.item));
        let mut conditions = self.conditions.iter().chain(items.flat_map(|item| &*item.conditions));
        outcomes || conditions.next().is_some() || self.resources.iter().any(ResourceSet::is_dynamic)
    }

    /// What it has that can never be decided.
    pub(crate) fn defects(&self) -> Vec<String> {
        let items = self.allow.all().chain(self.deny.all()).chain(self.outcomes.iter().map(|outcome| &outcome.item));
        let conditions = self.conditions.iter().chain(items.flat_map(|item| &*item.conditions));
        let mut found: Vec<String> = conditions
            .filter_map(|condition| Some(format!("condition `{}`: {}", condition.kind, condition.defect()?)))
            .collect();
        for outcome in &self.outcomes {
            let expression = match &outcome.outcome {
                Outcome::Mask { value: Some(expression), .. } | Outcome::Filter(expression) => expression,
                _ => continue,
            };
            if let Some(Err(refusal)) = expression.template.as_deref() {
                found.push(format!("`{}`: {refusal}", expression.text));
            }
        }
        if self.resources.iter().any(|set| set.chain().is_none() && !set.is_empty()) {
            found.push("it never matches: its levels are not those of a resource of the service".to_owned());
        }
        let elements = self.resources.iter().filter_map(ResourceSet::chain).flatten();
        for value in elements.flat_map(|(_, element)| element.values()) {
            found.extend(value.refusal().map(|refusal| format!("`{}`: {refusal}", value.text)));
        }
        found
    }
}

impl Items {
    fn all(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().chain(&self.exceptions)
    }
}

fn prepare_conditions(used: &[crate::model::ConditionUse], context: &Context<'_>) -> Box<[Condition]> {
    used.iter().filter_map(|used| Condition::new(used, context)).collect()
}

impl Who {
    pub(crate) fn new(users: &[String], groups: &[String], roles: &[String], names: &mut Names) -> Self {
        let has = |list: &[String], name: &str| list.iter().any(|other| other == name);
        Self {
            any_user: has(users, CURRENT_USER),
            owner: has(users, RESOURCE_OWNER),
            public: has(groups, PUBLIC_GROUP),
            users: names.intern_all(users),
            groups: names.intern_all(groups),
            roles: names.intern_all(roles),
        }
    }

    /// The bits of its names; all, if it means anybody.
    pub(crate) fn bits(&self) -> WhoBits {
        if self.any_user || self.owner || self.public {
            return WhoBits::ANYBODY;
        }
        WhoBits::of(&self.users, &self.groups, &self.roles)
    }
}

impl Item {
    fn new(item: &PolicyItem, context: &Context<'_>, names: &mut Names) -> Self {
        let mut accesses: Vec<Symbol> =
            granted(item, context.service).iter().map(|access| names.intern(&folded(access))).collect();
        accesses.sort_unstable();
        accesses.dedup();
        Self {
            who: Who::new(&item.users, &item.groups, &item.roles, names),
            accesses: accesses.into(),
            delegates: item.delegate_admin,
            conditions: prepare_conditions(&item.conditions, context),
        }
    }
}

/// The kinds of access that an item has, and what each of them implies.
fn granted(item: &PolicyItem, service: &Service) -> Vec<String> {
    let own = item.accesses.iter().filter(|access| access.is_allowed).map(|access| &access.kind);
    let mut all: Vec<String> = own.clone().cloned().collect();
    all.extend(own.flat_map(|kind| service.implied_by(kind)).map(str::to_owned));
    all
}

fn outcomes(policy: &Policy, kind: PolicyType, context: &Context<'_>, names: &mut Names) -> Box<[OutcomeItem]> {
    let mask = |mask: &DataMaskItem| match &mask.data_mask_info {
        Some(info) => Outcome::Mask {
            kind: info.data_mask_type.as_deref().map(Into::into),
            condition: info.condition_expr.as_deref().map(Into::into),
            value: info.value_expr.as_deref().map(Expression::new),
        },
        None => Outcome::Nothing,
    };
    let filter = |filter: &RowFilterItem| {
        let expression = filter.row_filter_info.as_ref().and_then(|info| info.filter_expr.as_deref());
        expression.map_or(Outcome::Nothing, |expression| Outcome::Filter(Expression::new(expression)))
    };
    let mut item = |item: &PolicyItem, outcome| OutcomeItem { item: Item::new(item, context, names), outcome };
    match kind {
        PolicyType::Access => Box::default(),
        PolicyType::DataMask => policy.data_mask_policy_items.iter().map(|i| item(&i.item, mask(i))).collect(),
        PolicyType::RowFilter => policy.row_filter_policy_items.iter().map(|i| item(&i.item, filter(i))).collect(),
    }
}

/// All items of a policy, of whatever kind.
fn every_item(policy: &Policy) -> impl Iterator<Item = &PolicyItem> {
    let access = [&policy.policy_items, &policy.deny_policy_items, &policy.allow_exceptions, &policy.deny_exceptions];
    let masks = policy.data_mask_policy_items.iter().map(|item| &item.item);
    let filters = policy.row_filter_policy_items.iter().map(|item| &item.item);
    access.into_iter().flatten().chain(masks).chain(filters)
}

/// The names that some list of the items has, each once.
fn distinct<'a>(policy: &'a Policy, list: impl Fn(&'a PolicyItem) -> &'a [String]) -> Vec<String> {
    let mut all: Vec<String> = every_item(policy).flat_map(|item| list(item).iter().cloned()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The kinds of access that the items state, each once.
fn stated_accesses(policy: &Policy) -> Vec<&str> {
    let stated = every_item(policy).flat_map(|item| &item.accesses).filter(|access| access.is_allowed);
    let mut all: Vec<&str> = stated.map(|access| access.kind.as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl Gate {
    /// The bits of the kinds of access that items have, be it for the right to pass rights on only.
    pub(crate) fn access_bits(&self) -> AccessBits {
        if self.every_access { AccessBits::EVERY } else { AccessBits::of(self.accesses.iter().copied()) }
    }

    fn new(policy: &Policy, service: &Service, names: &mut Names) -> Self {
        let users = distinct(policy, |item| &item.users);
        let groups = distinct(policy, |item| &item.groups);
        let roles = distinct(policy, |item| &item.roles);
        let mut who = Who::new(&users, &groups, &roles, names);
        who.any_user = users.iter().any(|user| user.eq_ignore_ascii_case(CURRENT_USER));
        who.owner = users.iter().any(|user| user.eq_ignore_ascii_case(RESOURCE_OWNER));
        who.public = policy.is_deny_all_else || groups.iter().any(|group| group.eq_ignore_ascii_case(PUBLIC_GROUP));
        let stated = stated_accesses(policy);
        let has_all = service.access_types.iter().all(|access| stated.contains(&access.as_str()));
        let granted: Vec<String> = every_item(policy).flat_map(|item| granted(item, service)).collect();
        let without_case: Vec<String> = granted.iter().map(|access| folded(access)).collect();
        Self {
            who,
            exact: names.intern_all(&granted),
            accesses: names.intern_all(&without_case),
            every_access: policy.is_deny_all_else || has_all,
            delegates: every_item(policy).any(|item| item.delegate_admin),
        }
    }
}

/// Where a policy stands among those of its priority: the more it covers, the earlier. Ranger's numbers, since the
/// first of several policies that allow, mask or filter is the one that is named, or even the only one that counts.
fn evaluation_order(policy: &Policy, service: &Service, dynamic: bool, conditions: usize) -> i32 {
    const START: i32 = 10_000;
    const MOST: i32 = 25;
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let resources: i32 =
        policy.resources.iter().map(|(name, resource)| resource_discount(name, resource, service)).sum();
    let users = distinct(policy, |item| &item.users);
    let groups = distinct(policy, |item| &item.groups);
    let everybody = policy.is_deny_all_else
        || groups.iter().any(|group| group.eq_ignore_ascii_case(PUBLIC_GROUP))
        || users.iter().any(|user| user.eq_ignore_ascii_case(CURRENT_USER));
    let who = if everybody { MOST } else { count(users.len() + groups.len()).min(MOST) };
    let accesses = match count(service.access_types.len()) {
        0 => 0,
        // Rounded half up.
        all => (2 * MOST * count(stated_accesses(policy).len()) + all) / (2 * all),
    };
    let conditions = (MOST - 5 * count(conditions).min(MOST)).max(0);
    START + if dynamic { 20 } else { 0 } - resources.min(100) - who - accesses - conditions
}

fn resource_discount(name: &str, resource: &crate::model::PolicyResource, service: &Service) -> i32 {
    let known = service.levels(PolicyType::Access).find(name).is_some();
    if !known || resource.values.is_empty() {
        return 0;
    }
    if resource.values.iter().any(|value| value.is_empty() || value == "*") {
        return 25;
    }
    let has = |wildcard: char| resource.values.iter().any(|value| value.contains(wildcard));
    let wildcards = if has('*') {
        10
    } else if has('?') {
        5
    } else {
        0
    };
    wildcards + if resource.is_excludes { 5 } else { 0 } + if resource.is_recursive { 5 } else { 0 }
}
