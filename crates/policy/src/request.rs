//! A request: who asks for which access to which resource, when and from where.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::matcher::{ElementScope, Values};
use crate::model::{Text, UserStore};
use crate::resource::MatchType;
use crate::validity::Schedule;

/// The kind of access that asks for any.
pub const ANY_ACCESS: &str = "_any";
/// The kind of access that asks for the right to pass rights on.
pub const ADMIN_ACCESS: &str = "_admin";
/// The kind of access that only super users have.
pub const SUPER_USER_ACCESS: &str = "_super_user";
/// The group that everybody is in.
pub const PUBLIC_GROUP: &str = "public";
/// The user that everybody is.
pub const CURRENT_USER: &str = "{USER}";
/// The user who owns the resource.
pub const RESOURCE_OWNER: &str = "{OWNER}";

/// Which policies count for a requested resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResourceScope {
    /// Those about the resource.
    #[default]
    Itself,
    /// Also those about parts of it.
    ItselfOrBelow,
}

/// A request. What is borrowed lives as long as the request: a decision does not hold on to it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The resource: what is asked for at each level.
    pub resource: &'a [(&'a str, Values<'a>)],
    /// Who owns it.
    pub owner: Option<&'a str>,
    /// The kind of access: `select`, [`ANY_ACCESS`].
    pub access: &'a str,
    /// Several kinds of access at once.
    pub accesses: RequestedAccesses<'a>,
    /// Who asks.
    pub user: Option<&'a str>,
    /// The groups of who asks.
    pub groups: &'a [&'a str],
    /// The roles of who asks; if empty, those that the engine knows.
    pub roles: &'a [&'a str],
    /// When.
    pub at: Timestamp,
    /// Which policies count.
    pub scope: ResourceScope,
    /// What counts as a match at a level.
    pub element_scopes: &'a [(&'a str, ElementScope)],
    /// Whether a policy that denies a part of the resource is ignored where any access is enough.
    pub ignore_deny_below: bool,
    /// What the service calls the operation.
    pub action: Option<&'a str>,
    /// The text of the operation.
    pub request_data: Option<&'a str>,
    /// The address of the client, where it is known for sure.
    pub client_address: Option<&'a str>,
    /// The address that the connection comes from.
    pub remote_address: Option<&'a str>,
    /// The addresses that it was forwarded from.
    pub forwarded_addresses: &'a [&'a str],
    /// The kind of client.
    pub client_type: Option<&'a str>,
    /// The session.
    pub session: Option<&'a str>,
    /// The cluster.
    pub cluster_name: Option<&'a str>,
    /// The kind of cluster.
    pub cluster_type: Option<&'a str>,
    /// Further facts, by name.
    pub context: Option<&'a BTreeMap<String, String>>,
    /// Tags of the resource, besides those that the engine looks up; as Ranger decides, they count only where it has none.
    pub tags: Option<&'a [ResourceTag]>,
    /// All resources of the operation.
    pub together: Option<&'a [RequestedResource<'a>]>,
    /// What is known of users and groups, where the engine does not know it.
    pub user_store: Option<&'a UserStore>,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            resource: &[],
            owner: None,
            access: "",
            accesses: RequestedAccesses::default(),
            user: None,
            groups: &[],
            roles: &[],
            at: Timestamp::UNIX_EPOCH,
            scope: ResourceScope::Itself,
            element_scopes: &[],
            ignore_deny_below: true,
            action: None,
            request_data: None,
            client_address: None,
            remote_address: None,
            forwarded_addresses: &[],
            client_type: None,
            session: None,
            cluster_name: None,
            cluster_type: None,
            context: None,
            tags: None,
            together: None,
            user_store: None,
        }
    }
}

impl Request<'_> {
    /// Whether any access is enough.
    pub fn is_any(&self) -> bool {
        self.access == ANY_ACCESS
    }

    /// Whether the right to pass rights on is asked for.
    pub fn is_admin(&self) -> bool {
        self.access == ADMIN_ACCESS
    }

    /// Whether policies about parts of the resource count.
    pub(crate) fn reaches_below(&self) -> bool {
        self.is_any() || self.scope == ResourceScope::ItselfOrBelow
    }
}

/// Several kinds of access at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestedAccesses<'a> {
    /// The kinds of access; if empty, the request's one.
    pub all: &'a [&'a str],
    /// Groups of them: of each, one must be allowed. Without groups, one of all.
    pub groups: &'a [&'a [&'a str]],
    /// Those that count as allowed if nothing denies them.
    pub allowed_unless_denied: &'a [&'a str],
}

/// A resource of an operation, by level.
pub type RequestedResource<'a> = BTreeMap<&'a str, Values<'a>>;

/// A tag of a resource.
#[derive(Debug, Clone)]
pub struct ResourceTag {
    /// The tag.
    pub tag: TagData,
    /// How the tagged resource relates to the requested one.
    pub match_type: MatchType,
}

/// A tag: its kind, what is known of it, and when it counts.
#[derive(Debug, Clone, Default)]
pub struct TagData {
    /// Its kind, which is its name.
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, Text>,
    /// When it counts; always, if empty.
    pub validity: Vec<Schedule>,
}

impl TagData {
    /// Whether it counts at a time.
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        self.validity.is_empty() || self.validity.iter().any(|schedule| schedule.is_applicable(at))
    }
}
