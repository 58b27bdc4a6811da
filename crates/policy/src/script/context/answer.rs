//! What the methods of `ctx` answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::globals::{attributes_map, java_tag};
use super::super::limits::ScriptFault;
use super::super::run::Run;
use super::super::value::{Origin, Value};
use super::super::{Environment, RequestField, ScriptTag};
use super::time::{date, is_after, is_before, is_between};
use super::{ContextMethod, Joined};

/// `arguments` are as many as the method takes.
pub(in super::super) fn answer(
    run: &mut Run<'_>,
    method: ContextMethod,
    arguments: &[Value],
) -> Result<Value, ScriptFault> {
    use ContextMethod as M;
    let env = run.environment();
    let texts = Texts::of(run, arguments)?;
    let first = texts.at(0);
    Ok(match method {
        M::Join { joined, quoted, fixed } => return join(run, joined, quoted, fixed, &texts),
        M::HasTag => Value::Bool(env.tags().iter().any(|tag| Some(tag.name) == first)),
        M::HasAnyTag => Value::Bool(!env.tags().is_empty()),
        M::HasUserAttribute => {
            Value::Bool(first == Some("_name") || env.user_attributes().iter().any(|(name, _)| Some(*name) == first))
        }
        M::HasGroupAttribute => Value::Bool(env.user_groups().iter().any(|group| {
            first == Some("_name") || env.group_attributes(group).iter().any(|(name, _)| Some(*name) == first)
        })),
        M::HasTagAttribute => {
            Value::Bool(env.tags().iter().any(|tag| tag.attributes.iter().any(|(name, _)| Some(*name) == first)))
        }
        M::IsInGroup => Value::Bool(env.user_groups().iter().any(|group| Some(*group) == first)),
        M::IsInRole => Value::Bool(env.user_roles().iter().any(|role| Some(*role) == first)),
        M::IsInAnyGroup => Value::Bool(!env.user_groups().is_empty()),
        M::IsInAnyRole => Value::Bool(!env.user_roles().is_empty()),
        M::IsAccessTimeAfter => Value::Bool(is_between(env, first, None, texts.at(1))?),
        M::IsAccessTimeBefore => Value::Bool(is_between(env, None, first, texts.at(1))?),
        M::IsAccessTimeBetween => Value::Bool(is_between(env, first, texts.at(1), texts.at(2))?),
        M::IsAccessedAfter => Value::Bool(is_after(env, attribute_date(env, arguments.len(), &texts))),
        M::IsAccessedBefore => Value::Bool(is_before(env, attribute_date(env, arguments.len(), &texts))),
        M::IsAnyAccess => Value::Bool(env.is_any_access()),
        M::IsAdminAccess => Value::Bool(env.is_admin_access()),
        M::RequestContextAttribute => match first.filter(|name| !name.trim().is_empty()) {
            Some(name) => Value::optional(env.context_attribute(name).as_deref()),
            None => Value::Null,
        },
        M::Field(RequestField::Zone) => Value::text(env.field(RequestField::Zone).unwrap_or_default()),
        M::Field(field) => Value::optional(env.field(field)),
        M::Zones => Value::texts(Origin::Java, env.field(RequestField::Zone)),
        M::User => Value::optional(env.user()),
        M::UserGroups => Value::texts(Origin::Java, env.user_groups()),
        M::UserRoles => Value::texts(Origin::Java, env.user_roles()),
        M::AccessTime => Value::Date(env.access_time().as_millisecond()),
        M::CurrentTag => java_tag(env),
        M::CurrentTagType => Value::optional(env.tag().map(|tag| tag.name)),
        M::AllTagTypes => Value::texts(Origin::Java, unique(env.tags().iter().map(|tag| tag.name))),
        M::AsDate => date(env, first).map_or(Value::Null, |at| Value::Date(at.as_millisecond())),
        M::TagAttributeAsDate => {
            let at = date(env, attribute_of(env, first, texts.at(1)));
            at.map_or(Value::Null, |at| Value::Date(at.as_millisecond()))
        }
        M::TagAttributes | M::TagAttributesOfAll | M::TagAttributeNames | M::AttributeValueOfAll => {
            of_tags(env, method, first, texts.at(1))
        }
        M::AttributeValue if arguments.len() == 1 => Value::optional(attribute_of_current(env, first)),
        M::AttributeValue => Value::optional(attribute_of(env, first, texts.at(1))),
        M::Result => Value::Bool(run.result()),
        M::SetResult => {
            run.set_result(arguments.first().unwrap_or(&Value::Undefined))?;
            Value::Undefined
        }
        M::Log => Value::Undefined,
    })
}

/// The arguments as texts; `null` and `undefined` are none.
struct Texts(Vec<Option<Arc<str>>>);

impl Texts {
    fn of(run: &Run<'_>, arguments: &[Value]) -> Result<Self, ScriptFault> {
        let text = |value: &Value| if value.is_nothing() { Ok(None) } else { run.text_of(value).map(Some) };
        Ok(Self(arguments.iter().map(text).collect::<Result<_, _>>()?))
    }

    fn at(&self, index: usize) -> Option<&str> {
        self.0.get(index)?.as_deref()
    }

    fn is_given(&self, index: usize) -> bool {
        index < self.0.len()
    }
}

/// Each once, the first where it was.
fn unique<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    texts.filter(|text| seen.insert(*text)).collect()
}

fn attribute<'a>(tag: &ScriptTag<'a>, name: Option<&str>) -> Option<&'a str> {
    tag.attributes.iter().find(|(known, _)| Some(*known) == name).map(|(_, value)| *value)
}

fn attribute_of_current<'a>(env: &'a dyn Environment, name: Option<&str>) -> Option<&'a str> {
    attribute(&env.tag()?, name)
}

/// The attribute of the first tag of that type.
fn attribute_of<'a>(env: &'a dyn Environment, tag: Option<&str>, name: Option<&str>) -> Option<&'a str> {
    attribute(env.tags().iter().find(|known| Some(known.name) == tag)?, name)
}

fn attribute_date(env: &dyn Environment, given: usize, texts: &Texts) -> Option<jiff::Timestamp> {
    let text = match given {
        1 => attribute_of_current(env, texts.at(0)),
        _ => attribute_of(env, texts.at(0), texts.at(1)),
    };
    date(env, text)
}

/// What is asked of the tags of a type.
fn of_tags(env: &dyn Environment, method: ContextMethod, tag: Option<&str>, name: Option<&str>) -> Value {
    use ContextMethod as M;
    let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    let tags = env.tags();
    let mut of_type = tags.iter().filter(|known| Some(known.name) == tag);
    match method {
        M::TagAttributesOfAll if blank(tag) => Value::Null,
        M::TagAttributesOfAll => {
            Value::list(Origin::Java, of_type.map(|tag| attributes_map(Origin::Java, &tag.attributes)).collect())
        }
        M::AttributeValueOfAll if blank(tag) || blank(name) => Value::Null,
        M::AttributeValueOfAll => Value::texts(Origin::Java, of_type.filter_map(|tag| attribute(tag, name))),
        M::TagAttributeNames => of_type
            .next()
            .map_or(Value::Null, |tag| Value::texts(Origin::Java, tag.attributes.iter().map(|(name, _)| *name))),
        _ => of_type.next().map_or(Value::Null, |tag| attributes_map(Origin::Java, &tag.attributes)),
    }
}

/// The texts that are joined, sorted as Ranger sorts them.
fn joined_texts<'a>(env: &'a dyn Environment, joined: Joined, name: Option<&str>) -> Vec<&'a str> {
    let sorted = |mut texts: Vec<&'a str>| {
        texts.sort_unstable();
        texts
    };
    let tags = || {
        let mut tags = env.tags();
        tags.sort_by_key(|tag| tag.name);
        tags
    };
    let groups = || sorted(env.user_groups());
    let of_group = |group: &&'a str| {
        let attributes = env.group_attributes(group);
        let found = attributes.iter().find(|(known, _)| Some(*known) == name).map(|(_, value)| *value);
        if name == Some("_name") { Some(*group) } else { found }
    };
    let names = |attributes: Vec<(&'a str, &'a str)>| {
        let names: BTreeSet<&'a str> = attributes.into_iter().map(|(name, _)| name).collect();
        names.into_iter().filter(|name| *name != "_name").collect()
    };
    match joined {
        Joined::TagNames => unique(tags().iter().map(|tag| tag.name)),
        Joined::TagAttributeNames => names(tags().into_iter().flat_map(|tag| tag.attributes).collect()),
        Joined::TagAttribute => tags().iter().filter_map(|tag| attribute(tag, name)).collect(),
        Joined::GroupNames => groups(),
        Joined::GroupAttributeNames => {
            names(groups().into_iter().flat_map(|group| env.group_attributes(group)).collect())
        }
        Joined::GroupAttribute => groups().iter().filter_map(of_group).collect(),
        Joined::RoleNames => sorted(env.user_roles()),
        Joined::UserAttributeNames => names(env.user_attributes()),
        Joined::UserAttribute if name == Some("_name") => env.user().into_iter().collect(),
        Joined::UserAttribute => {
            let attributes = env.user_attributes();
            attributes.iter().filter(|(known, _)| Some(*known) == name).map(|(_, value)| *value).collect()
        }
    }
}

/// Joins texts, each in quotes if they are asked for, or gives the default where there are none.
fn join(run: &mut Run<'_>, joined: Joined, quoted: bool, fixed: bool, texts: &Texts) -> Result<Value, ScriptFault> {
    let after_name = usize::from(joined.takes_name());
    let name = joined.takes_name().then(|| texts.at(0)).flatten();
    let option = |index: usize, absent: &'static str| {
        let index = after_name + index;
        if fixed || !texts.is_given(index) { absent } else { "" }.to_owned() + texts.at(index).unwrap_or_default()
    };
    let separator = option(1, ",");
    let open = if quoted { option(2, "'") } else { String::new() };
    let close =
        if quoted { texts.at(after_name + 3).map_or_else(|| open.clone(), str::to_owned) } else { String::new() };
    let default = if fixed { None } else { texts.at(after_name) };
    let mut out = String::new();
    for text in joined_texts(run.environment(), joined, name) {
        run.spend_bytes(text.len())?;
        if !out.is_empty() {
            out.push_str(&separator);
        }
        out.push_str(&open);
        out.push_str(text);
        out.push_str(&close);
        run.check_text(out.len())?;
    }
    if let Some(default) = default.filter(|_| out.is_empty()) {
        out = format!("{open}{default}{close}");
    }
    run.new_text(out)
}
