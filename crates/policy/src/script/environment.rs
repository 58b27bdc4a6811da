//! What a script may ask about: the one door between a script and the rest of the world.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::dates::DateFormats;

/// A tag on the resource that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptTag<'a> {
    /// Its type, which is its name: `PII`.
    pub name: &'a str,
    /// Its attributes.
    pub attributes: Vec<(&'a str, &'a str)>,
    /// How the tagged resource relates to the requested one, as Ranger writes it: `SELF`, `ANCESTOR`.
    pub match_type: &'a str,
}

/// One element of the requested resource: one value, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptElement<'a> {
    /// `database: "sales"`
    One(&'a str),
    /// `path: ["/a", "/b"]`
    Many(Vec<&'a str>),
}

/// The texts of a request, by the name that scripts know them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestField {
    /// `REQ.accessType`: `select`
    AccessType,
    /// `REQ.action`: what the service calls the operation
    Action,
    /// `REQ.clientIPAddress`
    ClientAddress,
    /// `REQ.clientType`
    ClientType,
    /// `REQ.clusterName`
    ClusterName,
    /// `REQ.clusterType`
    ClusterType,
    /// `REQ.remoteIPAddress`
    RemoteAddress,
    /// `REQ.requestData`: the text of the query
    RequestData,
    /// `REQ.resourceMatchingScope`: `SELF`
    MatchingScope,
    /// `ctx.getSessionId()`
    Session,
    /// `ctx.getResource()`: the whole resource in one text
    Resource,
    /// `ctx.getResourceZone()`
    Zone,
}

/// Supplies a script with the request it decides on.
///
/// Each method is asked only if the script needs its answer, so that nothing need be prepared for scripts.
/// Everything that is not known is absent. Nothing here may change while a script runs.
pub trait Environment {
    /// When access is asked for; a script has no other clock.
    fn access_time(&self) -> Timestamp;

    /// The zone in which times without a zone are meant.
    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// The date formats that attributes of tags may have.
    fn date_formats(&self) -> &DateFormats {
        DateFormats::built_in()
    }

    /// Who asks.
    fn user(&self) -> Option<&str>;

    /// The groups of who asks.
    fn user_groups(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The roles of who asks, with those that groups and other roles give.
    fn user_roles(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The attributes of who asks, as the user store has them (without `_name`).
    fn user_attributes(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    /// The attributes of a group, as the user store has them (without `_name`).
    fn group_attributes(&self, _group: &str) -> Vec<(&str, &str)> {
        Vec::new()
    }

    /// The tag whose policy is evaluated; absent for a policy on a resource.
    fn tag(&self) -> Option<ScriptTag<'_>> {
        None
    }

    /// All tags on the resource.
    fn tags(&self) -> Vec<ScriptTag<'_>> {
        Vec::new()
    }

    /// A text of the request.
    fn field(&self, _field: RequestField) -> Option<&str> {
        None
    }

    /// The addresses that the request was forwarded from.
    fn forwarded_addresses(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The elements of the requested resource, by the name of their level.
    fn resource(&self) -> Vec<(&str, ScriptElement<'_>)> {
        Vec::new()
    }

    /// Who owns the requested resource.
    fn owner(&self) -> Option<&str> {
        None
    }

    /// The text form of an attribute of the request's context.
    fn context_attribute(&self, _name: &str) -> Option<String> {
        None
    }

    /// Whether any access at all is asked for (`_any`).
    fn is_any_access(&self) -> bool {
        false
    }

    /// Whether the right to grant is asked for (`_admin`).
    fn is_admin_access(&self) -> bool {
        false
    }

    /// Whether the answers have to be Ranger's also where they are too wide: a text that is no date leaves a range open.
    fn answers_as_ranger(&self) -> bool {
        false
    }
}
