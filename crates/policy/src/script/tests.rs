//! Scripts as policies have them, what they answer, and what is refused.

mod answers;
mod limits;
mod macros;
mod properties;
mod refusals;
mod templates;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{DateFormats, Environment, RequestField, Script, ScriptElement, ScriptFault, ScriptTag, Value};

type Pairs = &'static [(&'static str, &'static str)];

/// A request like that of Ranger's own tests: a user with a state, two groups, two roles and two tags.
struct Request {
    user: &'static str,
    user_attributes: Pairs,
    groups: &'static [(&'static str, Pairs)],
    roles: &'static [&'static str],
    tags: &'static [(&'static str, Pairs)],
    context: Pairs,
    at: &'static str,
    zone: TimeZone,
    formats: DateFormats,
    as_ranger: bool,
}

impl Request {
    fn usual() -> Self {
        Self {
            user: "test-user",
            user_attributes: &[("state", "CA"), ("partners", "partner-1,partner-2,partner-3")],
            groups: &[
                ("test-group2", &[("dept", "PROD"), ("site", "20")]),
                ("test-group1", &[("dept", "ENGG"), ("site", "10")]),
            ],
            roles: &["test-role2", "test-role1"],
            tags: &[
                ("PII", &[("attr1", "PII_value"), ("score", "1"), ("expiry", "2026/06/15"), ("names", "ENGG,SALES")]),
                ("PCI", &[("attr1", "PCI_value")]),
            ],
            context: &[("LOCATION_TEST_COUNTRY_CODE", "US")],
            at: "2026-06-15T12:00:00Z",
            zone: TimeZone::UTC,
            formats: DateFormats::built_in().clone(),
            as_ranger: false,
        }
    }

    fn empty() -> Self {
        Self { user_attributes: &[], groups: &[], roles: &[], tags: &[], context: &[], ..Self::usual() }
    }

    fn evaluate(&self, source: &str) -> Result<Value, ScriptFault> {
        Script::parse(source).unwrap_or_else(|refusal| panic!("{source}: {refusal}")).evaluate(self)
    }

    /// The value as a text that tells kinds apart.
    fn shown(&self, source: &str) -> String {
        match self.evaluate(source) {
            Ok(value) => shown(&value),
            Err(fault) => format!("fault: {fault}"),
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{text}'"),
        Value::List(list) => format!("[{}]", list.items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let sorted: BTreeMap<_, _> = map.entries.iter().map(|(name, value)| (name, shown(value))).collect();
            let entries: Vec<_> = sorted.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Date(milliseconds) => format!("date {milliseconds}"),
        other => other.to_text(1000).expect("a short text").to_string(),
    }
}

fn tag(tag: &(&'static str, Pairs)) -> ScriptTag<'static> {
    ScriptTag { name: tag.0, attributes: tag.1.to_vec(), match_type: "SELF" }
}

impl Environment for Request {
    fn access_time(&self) -> Timestamp {
        self.at.parse().expect("a time")
    }

    fn time_zone(&self) -> TimeZone {
        self.zone.clone()
    }

    fn date_formats(&self) -> &DateFormats {
        &self.formats
    }

    fn user(&self) -> Option<&str> {
        Some(self.user)
    }

    fn user_groups(&self) -> Vec<&str> {
        self.groups.iter().map(|(name, _)| *name).collect()
    }

    fn user_roles(&self) -> Vec<&str> {
        self.roles.to_vec()
    }

    fn user_attributes(&self) -> Vec<(&str, &str)> {
        self.user_attributes.to_vec()
    }

    fn group_attributes(&self, group: &str) -> Vec<(&str, &str)> {
        self.groups.iter().find(|(name, _)| *name == group).map(|(_, pairs)| pairs.to_vec()).unwrap_or_default()
    }

    fn tag(&self) -> Option<ScriptTag<'_>> {
        self.tags.first().map(tag)
    }

    fn tags(&self) -> Vec<ScriptTag<'_>> {
        self.tags.iter().map(tag).collect()
    }

    fn field(&self, field: RequestField) -> Option<&str> {
        match field {
            RequestField::AccessType => Some("select"),
            RequestField::Action => Some("query"),
            RequestField::ClientAddress => Some("10.0.0.1"),
            RequestField::Resource => Some("db1/tbl1/col1"),
            _ => None,
        }
    }

    fn forwarded_addresses(&self) -> Vec<&str> {
        vec!["10.0.0.2"]
    }

    fn resource(&self) -> Vec<(&str, ScriptElement<'_>)> {
        let many = ScriptElement::Many(vec!["a", "b"]);
        vec![("database", ScriptElement::One("db1")), ("table", ScriptElement::One("tbl1")), ("path", many)]
    }

    fn owner(&self) -> Option<&str> {
        Some("testUser")
    }

    fn context_attribute(&self, name: &str) -> Option<String> {
        self.context.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn answers_as_ranger(&self) -> bool {
        self.as_ranger
    }
}
