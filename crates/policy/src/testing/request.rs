//! A request as a test file has it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::json::read;
use crate::matcher::{ElementScope, Values};
use crate::model::{Tag, Text, UserStore};
use crate::request::{ANY_ACCESS, Request, RequestedAccesses, RequestedResource, ResourceScope, ResourceTag, TagData};
use crate::resource::MatchType;

/// The cluster that Ranger's runner has.
const CLUSTER: (&str, &str) = ("cl1", "on-prem");

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FileRequest {
    pub(super) resource: FileResource,
    pub(super) access_type: String,
    pub(super) user: Option<String>,
    pub(super) user_groups: Vec<String>,
    pub(super) user_roles: Vec<String>,
    pub(super) request_data: Option<String>,
    pub(super) action: Option<String>,
    pub(super) access_time: Option<String>,
    #[serde(rename = "remoteIPAddress")]
    pub(super) remote_address: Option<String>,
    #[serde(rename = "clientIPAddress")]
    pub(super) client_address: Option<String>,
    pub(super) forwarded_addresses: Vec<String>,
    pub(super) client_type: Option<String>,
    pub(super) cluster_name: Option<String>,
    pub(super) cluster_type: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) resource_matching_scope: Option<String>,
    pub(super) resource_element_matching_scopes: BTreeMap<String, String>,
    #[serde(alias = "ignoreDescendantDeny")]
    pub(super) is_descendant_deny_ignored: Option<bool>,
    pub(super) context: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FileResource {
    pub(super) elements: BTreeMap<String, OneOrMany>,
    pub(super) owner_user: Option<String>,
}

/// A value, or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(Text),
    Many(Vec<Text>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TestTag {
    #[serde(flatten)]
    tag: Tag,
    match_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RequestedResources {
    requested_resources: Vec<FileResource>,
}

/// A request with everything that it borrows.
pub(super) struct OwnedRequest {
    file: FileRequest,
    at: Timestamp,
    tags: Option<Vec<ResourceTag>>,
    together: Option<Vec<FileResource>>,
    context: BTreeMap<String, String>,
    user_store: Option<UserStore>,
}

/// `20160801-10:58:00.000-0700`
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y%m%d-%H:%M:%S%.f%z", text).ok()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl OwnedRequest {
    /// The request, as Ranger's runner makes it: with tags or resources in its context, it is made anew, and what is
    /// not copied then is lost.
    pub(super) fn new(mut file: FileRequest, user_store: Option<UserStore>, now: Timestamp) -> Self {
        let text = |name: &str| file.context.get(name).and_then(Value::as_str).map(str::to_owned);
        let (tags, together) = (text("TAGS"), text("REQUESTED_RESOURCES"));
        if file.context.contains_key("TAGS") || file.context.contains_key("REQUESTED_RESOURCES") {
            file = FileRequest {
                resource: file.resource,
                access_type: file.access_type,
                user: file.user,
                user_groups: file.user_groups,
                request_data: file.request_data,
                action: file.action,
                access_time: file.access_time,
                remote_address: file.remote_address,
                forwarded_addresses: file.forwarded_addresses,
                client_type: file.client_type,
                session_id: file.session_id,
                context: file.context,
                ..FileRequest::default()
            };
        }
        let own = |name: &String| !matches!(name.as_str(), "TAGS" | "REQUESTED_RESOURCES");
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let context = file.context.iter().filter(|(name, _)| own(name));
        Self {
            at: file.access_time.as_deref().and_then(read_time).unwrap_or(now),
            tags: tags.as_deref().and_then(read_tags),
            together: together
                .and_then(|text| read::<RequestedResources>(&text).ok())
                .map(|requested| requested.requested_resources),
            context: context.map(|(name, value)| (name.clone(), plain(value))).collect(),
            user_store,
            file,
        }
    }

    /// Calls with the request.
    pub(super) fn with<T>(&self, call: impl FnOnce(&Request<'_>) -> T) -> T {
        let file = &self.file;
        let lists = Lists::of(&file.resource);
        let resource = lists.values(&file.resource);
        let together_lists: Vec<Lists<'_>> = self.together.iter().flatten().map(Lists::of).collect();
        let together: Option<Vec<RequestedResource<'_>>> = self.together.as_ref().map(|resources| {
            let pairs = resources.iter().zip(&together_lists);
            pairs.map(|(resource, lists)| lists.values(resource).into_iter().collect()).collect()
        });
        let [groups, roles, forwarded] =
            [&file.user_groups, &file.user_roles, &file.forwarded_addresses].map(|list| borrowed(list));
        let scope = |name: &String| match name.as_str() {
            "SELF_OR_CHILD" => ElementScope::ItselfOrChild,
            "SELF_OR_PREFIX" => ElementScope::ItselfOrPrefix,
            _ => ElementScope::Itself,
        };
        let element_scopes: Vec<(&str, ElementScope)> =
            file.resource_element_matching_scopes.iter().map(|(name, text)| (name.as_str(), scope(text))).collect();
        let all = texts(file.context.get("ALLACCESSTYPES"));
        let lenient = texts(file.context.get("NOTDENIEDACCESSTYPES"));
        let group_texts: Vec<Vec<String>> = file
            .context
            .get("ALLACCESSTYPEGROUPS")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |groups| groups.iter().map(|group| texts(Some(group))).collect());
        let group_lists: Vec<Vec<&str>> = group_texts.iter().map(|group| borrowed(group)).collect();
        let group_slices: Vec<&[&str]> = group_lists.iter().map(Vec::as_slice).collect();
        let scope = match file.resource_matching_scope.as_deref() {
            Some("SELF_OR_DESCENDANTS") => ResourceScope::ItselfOrBelow,
            _ => ResourceScope::Itself,
        };
        call(&Request {
            resource: &resource,
            owner: file.resource.owner_user.as_deref(),
            access: if file.access_type.is_empty() { ANY_ACCESS } else { &file.access_type },
            accesses: RequestedAccesses {
                all: &borrowed(&all),
                groups: &group_slices,
                allowed_unless_denied: &borrowed(&lenient),
            },
            user: file.user.as_deref(),
            groups: &groups,
            roles: &roles,
            at: self.at,
            scope,
            element_scopes: &element_scopes,
            ignore_deny_below: file.is_descendant_deny_ignored.unwrap_or(true),
            action: file.action.as_deref(),
            request_data: file.request_data.as_deref(),
            client_address: file.client_address.as_deref(),
            remote_address: file.remote_address.as_deref(),
            forwarded_addresses: &forwarded,
            client_type: file.client_type.as_deref(),
            session: file.session_id.as_deref(),
            cluster_name: Some(file.cluster_name.as_deref().unwrap_or(CLUSTER.0)),
            cluster_type: Some(file.cluster_type.as_deref().unwrap_or(CLUSTER.1)),
            context: Some(&self.context),
            tags: self.tags.as_deref(),
            together: together.as_deref(),
            user_store: self.user_store.as_ref(),
        })
    }
}

fn borrowed(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// The tags in a request's context, each once. Their validity is read from the option only, as in Ranger.
fn read_tags(text: &str) -> Option<Vec<ResourceTag>> {
    let tags: Vec<TestTag> = read(text).ok()?;
    let mut seen = BTreeSet::new();
    let first = |tag: &TestTag| {
        let match_type = tag.match_type.clone().unwrap_or_default();
        seen.insert((tag.tag.kind.clone(), tag.tag.attributes.clone(), tag.tag.options.clone(), match_type))
    };
    let tag = |mut tag: TestTag| {
        tag.tag.validity_periods.clear();
        let match_type = tag.match_type.as_deref().and_then(MatchType::from_ranger_name).unwrap_or(MatchType::Itself);
        ResourceTag { tag: TagData::new(&tag.tag, &jiff::tz::TimeZone::UTC), match_type }
    };
    let mut first = first;
    Some(tags.into_iter().filter(|tag| first(tag)).map(tag).collect())
}

/// The lists of values of a resource, borrowed.
pub(super) struct Lists<'r>(BTreeMap<&'r str, Vec<&'r str>>);

impl<'r> Lists<'r> {
    pub(super) fn of(resource: &'r FileResource) -> Self {
        let lists = resource.elements.iter().filter_map(|(name, values)| match values {
            OneOrMany::One(_) => None,
            OneOrMany::Many(values) => Some((name.as_str(), values.iter().map(Text::as_str).collect())),
        });
        Self(lists.collect())
    }

    pub(super) fn values<'l>(&'l self, resource: &'l FileResource) -> Vec<(&'l str, Values<'l>)> {
        let value = |(name, values): (&'l String, &'l OneOrMany)| {
            let values = match values {
                OneOrMany::One(value) => Values::One(value.as_str()),
                OneOrMany::Many(_) => Values::Many(self.0.get(name.as_str()).map_or(&[], Vec::as_slice)),
            };
            (name.as_str(), values)
        };
        resource.elements.iter().map(value).collect()
    }
}
