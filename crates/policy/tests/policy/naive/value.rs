//! Who asks, conditions, schedules and the order of policies.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::Value;

use super::{ITEMS, flag, list, resource_sets, texts};

/// Who asks, and for which resource.
pub(crate) struct Who<'q> {
    pub(crate) user: &'q str,
    pub(crate) groups: Vec<&'q str>,
    pub(crate) roles: BTreeSet<&'q str>,
    pub(crate) owner: Option<&'q str>,
    pub(crate) resource: &'q Value,
    /// An attribute of the user.
    pub(crate) dept: Option<&'q str>,
    pub(crate) score: Option<&'q str>,
}

impl<'q> Who<'q> {
    /// From a request, `RangerRoles` and the attributes of users.
    pub(crate) fn new(request: &'q Value, roles: &'q Value, users: &'q Value) -> Self {
        let user = request["user"].as_str().expect("a user");
        let groups = texts(request, "groups");
        let mut held: BTreeSet<&str> = BTreeSet::new();
        // Roles of roles are found by looking again until nothing new is found.
        loop {
            let before = held.len();
            for role in list(roles, "rangerRoles") {
                let names = |members: &str| list(role, members).iter().filter_map(|member| member["name"].as_str());
                let is_member = names("users").any(|name| name == user)
                    || names("groups").any(|name| name == "public" || groups.contains(&name))
                    || names("roles").any(|name| held.contains(name));
                if is_member {
                    held.extend(role["name"].as_str());
                }
            }
            if held.len() == before {
                break;
            }
        }
        let owner = request["owner"].as_str();
        let dept = users[user]["dept"].as_str();
        Self { user, groups, roles: held, owner, dept, resource: &request["resource"], score: None }
    }

    /// The same about a tag.
    pub(super) fn of_tag<'t>(&'t self, tag: &'t Value, resource: &'t Value) -> Who<'t> {
        let score = tag["attributes"]["score"].as_str();
        Who { resource, score, groups: self.groups.clone(), roles: self.roles.clone(), ..*self }
    }

    /// A text with its variable parts filled in, what has no value as the empty text.
    pub(super) fn expanded(&self, text: &str) -> String {
        text.replace("${{USER.dept}}", self.dept.unwrap_or_default())
    }

    /// Whether an item is about this user.
    pub(super) fn is_meant(&self, item: &Value) -> bool {
        let (users, groups, roles) = (texts(item, "users"), texts(item, "groups"), texts(item, "roles"));
        users.contains(&self.user)
            || users.contains(&"{USER}")
            || groups.contains(&"public")
            || groups.iter().any(|group| self.groups.contains(group))
            || roles.iter().any(|role| self.roles.contains(role))
            || (users.contains(&"{OWNER}") && self.owner == Some(self.user))
    }

    /// The scripts that the generator writes.
    pub(super) fn holds(&self, condition: &Value) -> bool {
        let score = self.score.and_then(|score| score.parse::<f64>().ok());
        match texts(condition, "values").first() {
            Some(&"IS_IN_ROLE('r1')") => self.roles.contains("r1"),
            Some(&"USER._name == 'u1'") => self.user == "u1",
            Some(&"USER.dept == 'db1'") => self.dept == Some("db1"),
            Some(&"TAG.score > 1") => score.is_some_and(|score| score > 1.0),
            Some(&"ctx.result = IS_IN_ANY_GROUP;") => !self.groups.is_empty(),
            other => panic!("{other:?} is not made by the generator"),
        }
    }
}

/// 2.7, without recurrences: from a start to an end in GMT.
pub(super) fn is_now(schedule: &Value, at: i64) -> bool {
    let moment = |name: &str| {
        let text = schedule[name].as_str().filter(|text| !text.is_empty())?;
        let iso = format!("{}Z", text.replace('/', "-").replace(' ', "T"));
        iso.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond())
    };
    moment("startTime").is_none_or(|start| at >= start) && moment("endTime").is_none_or(|end| at <= end)
}

fn names_of<'p>(policy: &'p Value, who: &str) -> BTreeSet<&'p str> {
    ITEMS.iter().flat_map(|name| list(policy, name)).flat_map(|item| texts(item, who)).collect()
}

/// EVAL_ORDER: what is tried first is least.
pub(super) fn order<'p>(def: &Value, policy: &'p Value) -> (Reverse<i64>, Reverse<bool>, i64, &'p str) {
    let has_deny = super::has_deny(policy);
    let name = policy["name"].as_str().unwrap_or_default();
    (Reverse(super::priority(policy)), Reverse(has_deny), eval_order(def, policy), name)
}

fn eval_order(def: &Value, policy: &Value) -> i64 {
    let mut wideness = 0;
    let levels = resource_sets(policy).flat_map(|set| set.as_object().into_iter().flatten());
    let is_dynamic = levels
        .map(|(_, resource)| texts(resource, "values"))
        .any(|values| !values.contains(&"*") && values.iter().any(|value| value.contains("{USER")));
    for resource in policy["resources"].as_object().into_iter().flat_map(|resources| resources.values()) {
        let values = texts(resource, "values");
        if values.contains(&"*") {
            wideness += 25;
            continue;
        }
        if values.iter().any(|value| value.contains('*')) {
            wideness += 10;
        } else if values.iter().any(|value| value.contains('?')) {
            wideness += 5;
        }
        wideness +=
            5 * i64::from(flag(resource, "isExcludes", false)) + 5 * i64::from(flag(resource, "isRecursive", false));
    }
    let (users, groups) = (names_of(policy, "users"), names_of(policy, "groups"));
    // Who denies all else means everybody.
    let everybody = groups.contains("public") || users.contains("{USER}") || flag(policy, "isDenyAllElse", false);
    let people = if everybody { 25 } else { i64::try_from((users.len() + groups.len()).min(25)).expect("few") };
    let items: Vec<&Value> = ITEMS.iter().flat_map(|name| list(policy, name)).collect();
    // What an access type implies is not counted.
    let accesses = items.iter().flat_map(|item| list(item, "accesses"));
    let granted: BTreeSet<&str> = accesses.filter_map(|access| access["type"].as_str()).collect();
    let known = list(def, "accessTypes").len();
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "few access types")]
    let accesses = (25.0 * granted.len() as f64 / known as f64).round() as i64;
    let conditions = items.iter().chain([&policy]).map(|with| list(with, "conditions").len()).sum::<usize>();
    let conditions = (25 - 5 * i64::try_from(conditions).expect("few")).max(0);
    10_000 - wideness.min(100) + if is_dynamic { 20 } else { 0 } - people - accesses - conditions
}
