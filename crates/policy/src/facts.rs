//! What is known when a request is decided, for conditions, scripts and the variable parts of policies.

use std::borrow::Cow;
use std::cell::OnceCell;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::dates::DateFormats;
use crate::engine::Mode;
use crate::geo::Geolocation;
use crate::matcher::{Bindings, Values};
use crate::model::{PolicyType, UserStore};
use crate::names::{Names, Symbol};
use crate::request::{Request, TagData};
use crate::resource::MatchType;
use crate::script::{Environment, RequestField, ScriptElement, ScriptTag, Template, Unresolved};
use crate::service::{Level, Service};

/// A tag with how it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundTag<'c> {
    pub(crate) data: &'c TagData,
    pub(crate) match_type: MatchType,
}

/// The names of the roles of who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RoleNames<'c> {
    /// As the request states them.
    Stated(&'c [&'c str]),
    /// As the engine knows them.
    Known(&'c Names, &'c [Symbol]),
}

impl<'c> RoleNames<'c> {
    fn texts(self) -> Vec<&'c str> {
        match self {
            Self::Stated(texts) => texts.to_vec(),
            Self::Known(names, roles) => roles.iter().map(|role| names.text(*role)).collect(),
        }
    }
}

/// How the surroundings of an engine are.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) mode: Mode,
    pub(crate) time_zone: TimeZone,
    pub(crate) date_formats: DateFormats,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) uses_forwarded_addresses: bool,
    pub(crate) geolocations: Vec<Geolocation>,
    pub(crate) user_store: Option<UserStore>,
}

/// What is known when a request is decided.
pub(crate) struct Facts<'c> {
    pub(crate) request: &'c Request<'c>,
    pub(crate) surroundings: &'c Surroundings,
    pub(crate) service: &'c Service,
    pub(crate) roles: RoleNames<'c>,
    pub(crate) tags: &'c [FoundTag<'c>],
    /// The tag whose policy is evaluated.
    pub(crate) tag: Option<FoundTag<'c>>,
    pub(crate) zone: Option<&'c str>,
    /// The resource as one text, made when it is asked for.
    pub(crate) resource_text: OnceCell<String>,
}

impl<'c> Facts<'c> {
    pub(crate) fn mode(&self) -> Mode {
        self.surroundings.mode
    }

    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.surroundings.time_zone
    }

    /// The same for a policy of a tag.
    pub(crate) fn for_tag(&self, tag: FoundTag<'c>) -> Self {
        Self { tag: Some(tag), resource_text: OnceCell::new(), ..*self }
    }

    /// The same for policies of a zone.
    pub(crate) fn in_zone(&self, zone: Option<&'c str>) -> Self {
        Self { zone, resource_text: OnceCell::new(), ..*self }
    }

    /// The client's address: what proxies that are trusted say of it, else where the connection comes from.
    pub(crate) fn client_address(&self) -> Option<&'c str> {
        let request = self.request;
        if request.client_address.is_some() {
            return request.client_address;
        }
        let surroundings = self.surroundings;
        let trusted = &surroundings.trusted_proxies;
        let from_trusted = trusted.is_empty()
            || request.remote_address.is_some_and(|remote| trusted.iter().any(|proxy| proxy == remote));
        match request.forwarded_addresses.first() {
            Some(first) if surroundings.uses_forwarded_addresses && from_trusted => Some(first),
            _ => request.remote_address,
        }
    }

    /// A further fact: one of the request, or where its client is.
    pub(crate) fn context(&self, name: &str) -> Option<String> {
        if let Some(value) = self.request.context.and_then(|context| context.get(name)) {
            return Some(value.clone());
        }
        let address = self.client_address()?;
        self.surroundings.geolocations.iter().rev().find_map(|geo| geo.attribute(name, address)).map(str::to_owned)
    }

    fn user_store(&self) -> Option<&UserStore> {
        self.request.user_store.or(self.surroundings.user_store.as_ref())
    }

    fn resource_text(&self) -> &str {
        self.resource_text.get_or_init(|| {
            let one = |values: Values<'_>| values.iter().collect::<Vec<_>>().join(",");
            let asked = |level: &Level| self.request.resource.iter().find(|(name, _)| *name == &*level.name);
            let parts = self.service.levels(PolicyType::Access).iter().filter_map(asked);
            parts.map(|(_, values)| one(*values)).collect::<Vec<_>>().join("/")
        })
    }
}

impl Bindings for Facts<'_> {
    fn token(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "USER" => self.request.user.map(Cow::Borrowed),
            "OWNER" => self.request.owner.filter(|owner| !owner.is_empty()).map(Cow::Borrowed),
            name => self.context(&format!("token:{name}")).map(Cow::Owned),
        }
    }

    fn expand(&self, template: &Template) -> Option<String> {
        // A value that can't be known is the empty text, which no resource has.
        Some(template.expand(self, Unresolved::Text("")).unwrap_or_default())
    }
}

fn script_tag<'t>(tag: &FoundTag<'t>) -> ScriptTag<'t> {
    let attributes = tag.data.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ScriptTag { name: &tag.data.kind, attributes, match_type: tag.match_type.ranger_name() }
}

impl<'c> Environment for Facts<'c> {
    fn access_time(&self) -> Timestamp {
        self.request.at
    }

    fn time_zone(&self) -> TimeZone {
        self.surroundings.time_zone.clone()
    }

    fn date_formats(&self) -> &DateFormats {
        &self.surroundings.date_formats
    }

    fn user(&self) -> Option<&str> {
        self.request.user
    }

    fn user_groups(&self) -> Vec<&str> {
        self.request.groups.to_vec()
    }

    fn user_roles(&self) -> Vec<&str> {
        self.roles.texts()
    }

    fn user_attributes(&self) -> Vec<(&str, &str)> {
        let store = self.user_store();
        let found = store.zip(self.request.user).and_then(|(store, user)| store.user_attr_mapping.get(user));
        found.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn group_attributes(&self, group: &str) -> Vec<(&str, &str)> {
        let found = self.user_store().and_then(|store| store.group_attr_mapping.get(group));
        found.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn tag(&self) -> Option<ScriptTag<'_>> {
        self.tag.as_ref().map(script_tag)
    }

    fn tags(&self) -> Vec<ScriptTag<'_>> {
        self.tags.iter().map(script_tag).collect()
    }

    fn field(&self, field: RequestField) -> Option<&str> {
        let request = self.request;
        match field {
            RequestField::AccessType => Some(request.access),
            RequestField::Action => request.action,
            RequestField::ClientAddress => self.client_address(),
            RequestField::ClientType => request.client_type,
            RequestField::ClusterName => request.cluster_name,
            RequestField::ClusterType => request.cluster_type,
            RequestField::RemoteAddress => request.remote_address,
            RequestField::RequestData => request.request_data,
            RequestField::MatchingScope => Some(if request.scope == crate::request::ResourceScope::Itself {
                "SELF"
            } else {
                "SELF_OR_DESCENDANTS"
            }),
            RequestField::Session => request.session,
            RequestField::Resource => Some(self.resource_text()),
            RequestField::Zone => self.zone,
        }
    }

    fn forwarded_addresses(&self) -> Vec<&str> {
        self.request.forwarded_addresses.to_vec()
    }

    fn resource(&self) -> Vec<(&str, ScriptElement<'_>)> {
        let element = |values: &Values<'c>| match *values {
            Values::One(value) => ScriptElement::One(value),
            Values::Many(values) => ScriptElement::Many(values.to_vec()),
        };
        self.request.resource.iter().map(|(name, values)| (*name, element(values))).collect()
    }

    fn owner(&self) -> Option<&str> {
        self.request.owner
    }

    fn context_attribute(&self, name: &str) -> Option<String> {
        self.context(name)
    }

    fn is_any_access(&self) -> bool {
        self.request.is_any()
    }

    fn is_admin_access(&self) -> bool {
        self.request.is_admin()
    }

    fn answers_as_ranger(&self) -> bool {
        self.mode() == Mode::Compat
    }
}
