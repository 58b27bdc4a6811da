//! The objects that Ranger puts into the scope of a script.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::syntax::Global;
use super::value::{Origin, ScriptMap, Value, whole_number};
use super::{Environment, RequestField, ScriptElement, ScriptTag};

const REQUEST_FIELDS: &[(&str, RequestField)] = &[
    ("accessType", RequestField::AccessType),
    ("action", RequestField::Action),
    ("clientIPAddress", RequestField::ClientAddress),
    ("clientType", RequestField::ClientType),
    ("clusterName", RequestField::ClusterName),
    ("clusterType", RequestField::ClusterType),
    ("remoteIPAddress", RequestField::RemoteAddress),
    ("requestData", RequestField::RequestData),
    ("resourceMatchingScope", RequestField::MatchingScope),
];

/// The value of a global name.
pub(super) fn global(global: Global, env: &dyn Environment) -> Value {
    match global {
        Global::Context => object(vec![
            ("request", request(env)),
            ("tags", tags(env)),
            ("tagNames", tag_names(env)),
            ("tag", current_tag(env)),
        ]),
        Global::Request => request(env),
        Global::Resource => resource(env),
        Global::User => user(env),
        Global::GroupNames => Value::texts(Origin::Script, sorted(env.user_groups())),
        Global::Groups => groups(env),
        Global::GroupAttributes => group_attributes(env),
        Global::RoleNames => Value::texts(Origin::Script, sorted(env.user_roles())),
        Global::Tag => current_tag(env),
        Global::Tags => tags(env),
        Global::TagNames => tag_names(env),
        Global::JavaTag => java_tag(env),
        Global::JavaTagAttributes => {
            attributes_map(Origin::Java, &env.tag().map(|tag| tag.attributes).unwrap_or_default())
        }
    }
}

fn object(entries: Vec<(&str, Value)>) -> Value {
    Value::map(Origin::Script, entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn sorted(mut texts: Vec<&str>) -> Vec<&str> {
    texts.sort_unstable();
    texts
}

/// Attributes; of two with one name the later counts.
fn attributes(origin: Origin, pairs: &[(&str, &str)]) -> ScriptMap {
    let unique: BTreeMap<&str, &str> = pairs.iter().copied().collect();
    let entries = unique.into_iter().map(|(name, value)| (Arc::from(name), Value::text(value))).collect();
    ScriptMap::new(origin, entries)
}

pub(super) fn attributes_map(origin: Origin, pairs: &[(&str, &str)]) -> Value {
    Value::Map(Arc::new(attributes(origin, pairs)))
}

/// Attributes and what they are of.
fn described(pairs: &[(&str, &str)], description: &[(&str, &str)]) -> Value {
    let mut map = attributes(Origin::Script, pairs);
    for (name, value) in description {
        map.put(name, Value::text(value));
    }
    Value::Map(Arc::new(map))
}

fn request(env: &dyn Environment) -> Value {
    let time = whole_number(env.access_time().as_millisecond());
    let mut entries = vec![("accessTime", Value::Number(time))];
    entries.extend(REQUEST_FIELDS.iter().map(|(name, field)| (*name, Value::optional(env.field(*field)))));
    entries.extend([
        ("forwardedAddresses", Value::texts(Origin::Script, env.forwarded_addresses())),
        ("resource", resource(env)),
        ("user", Value::optional(env.user())),
        ("userGroups", global(Global::GroupNames, env)),
        ("userRoles", global(Global::RoleNames, env)),
        ("userAttributes", user(env)),
        ("userGroupAttributes", groups(env)),
        ("uga", group_attributes(env)),
    ]);
    object(entries)
}

fn resource(env: &dyn Environment) -> Value {
    let elements = env.resource();
    let mut entries: Vec<(&str, Value)> = elements
        .iter()
        .map(|(name, element)| match element {
            ScriptElement::One(value) => (*name, Value::text(value)),
            ScriptElement::Many(values) => (*name, Value::texts(Origin::Script, values.iter().copied())),
        })
        .collect();
    entries.push(("_ownerUser", Value::optional(env.owner())));
    object(entries)
}

fn user(env: &dyn Environment) -> Value {
    let mut map = attributes(Origin::Script, &env.user_attributes());
    map.put("_name", Value::optional(env.user()));
    Value::Map(Arc::new(map))
}

fn groups(env: &dyn Environment) -> Value {
    let groups = sorted(env.user_groups()).into_iter();
    object(groups.map(|group| (group, described(&env.group_attributes(group), &[("_name", group)]))).collect())
}

/// By attribute, the value of the first group that has it (`sVal`) and the values of all (`mVal`).
fn group_attributes(env: &dyn Environment) -> Value {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for group in sorted(env.user_groups()) {
        let own: BTreeMap<&str, &str> = env.group_attributes(group).into_iter().collect();
        for (name, value) in own.into_iter().filter(|(name, _)| *name != "_name").chain([("_name", group)]) {
            values.entry(name).or_default().push(value);
        }
    }
    let single = values.iter().map(|(name, values)| (*name, Value::optional(values.first().copied())));
    let single = object(single.collect());
    let many = values.iter().map(|(name, values)| (*name, Value::texts(Origin::Script, values.iter().copied())));
    object(vec![("sVal", single), ("mVal", object(many.collect()))])
}

fn tag_map(tag: &ScriptTag<'_>) -> Value {
    described(&tag.attributes, &[("_type", tag.name), ("_matchType", tag.match_type)])
}

/// Ranger knows no current tag where it knows no tags.
fn current_tag(env: &dyn Environment) -> Value {
    let tag = if env.tags().is_empty() { None } else { env.tag() };
    tag.map_or_else(|| object(Vec::new()), |tag| tag_map(&tag))
}

fn tags(env: &dyn Environment) -> Value {
    let mut map = ScriptMap::new(Origin::Script, Vec::new());
    for tag in env.tags() {
        map.put(tag.name, tag_map(&tag));
    }
    Value::Map(Arc::new(map))
}

fn tag_names(env: &dyn Environment) -> Value {
    let mut names = sorted(env.tags().iter().map(|tag| tag.name).collect());
    names.dedup();
    Value::texts(Origin::Script, names)
}

/// The current tag as Java has it: `tag.getType()`, `tag.attributes`.
pub(super) fn java_tag(env: &dyn Environment) -> Value {
    env.tag().map_or(Value::Null, |tag| {
        Value::map(
            Origin::Java,
            vec![
                ("type".into(), Value::text(tag.name)),
                ("attributes".into(), attributes_map(Origin::Java, &tag.attributes)),
                ("matchType".into(), Value::text(tag.match_type)),
            ],
        )
    })
}
