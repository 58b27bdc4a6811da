//! The methods of `ctx`, and the macros that stand for them.

mod answer;
mod time;

pub(super) use answer::answer;

/// Which texts a method joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    TagNames,
    TagAttributeNames,
    TagAttribute,
    GroupNames,
    GroupAttributeNames,
    GroupAttribute,
    RoleNames,
    UserAttributeNames,
    UserAttribute,
}

impl Joined {
    /// Whether the first argument is the name of an attribute.
    pub(super) fn takes_name(self) -> bool {
        matches!(self, Self::TagAttribute | Self::GroupAttribute | Self::UserAttribute)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContextMethod {
    /// A default, a separator and quotes may be given; `fixed` takes none of them.
    Join {
        joined: Joined,
        quoted: bool,
        fixed: bool,
    },
    HasTag,
    HasAnyTag,
    HasUserAttribute,
    HasGroupAttribute,
    HasTagAttribute,
    IsInGroup,
    IsInRole,
    IsInAnyGroup,
    IsInAnyRole,
    IsAccessTimeAfter,
    IsAccessTimeBefore,
    IsAccessTimeBetween,
    IsAccessedAfter,
    IsAccessedBefore,
    IsAnyAccess,
    IsAdminAccess,
    RequestContextAttribute,
    Field(super::RequestField),
    Zones,
    User,
    UserGroups,
    UserRoles,
    AccessTime,
    CurrentTag,
    CurrentTagType,
    AllTagTypes,
    TagAttributes,
    TagAttributesOfAll,
    TagAttributeNames,
    AttributeValue,
    AttributeValueOfAll,
    AsDate,
    TagAttributeAsDate,
    Result,
    SetResult,
    Log,
}

/// A method by its name, and the least and the most arguments it takes.
pub(super) fn method_named(name: &str) -> Option<(ContextMethod, usize, usize)> {
    use super::RequestField as Field;
    use ContextMethod as M;
    if let Some(joined) = join_named(name) {
        return Some(joined);
    }
    Some(match name {
        "hasTag" => (M::HasTag, 1, 1),
        "hasAnyTag" => (M::HasAnyTag, 0, 0),
        "hasUserAttr" => (M::HasUserAttribute, 1, 1),
        "hasUgAttr" => (M::HasGroupAttribute, 1, 1),
        "hasTagAttr" => (M::HasTagAttribute, 1, 1),
        "isInGroup" => (M::IsInGroup, 1, 1),
        "isInRole" => (M::IsInRole, 1, 1),
        "isInAnyGroup" => (M::IsInAnyGroup, 0, 0),
        "isInAnyRole" => (M::IsInAnyRole, 0, 0),
        "isAccessTimeAfter" => (M::IsAccessTimeAfter, 1, 2),
        "isAccessTimeBefore" => (M::IsAccessTimeBefore, 1, 2),
        "isAccessTimeBetween" => (M::IsAccessTimeBetween, 2, 3),
        "isAccessedAfter" => (M::IsAccessedAfter, 1, 2),
        "isAccessedBefore" => (M::IsAccessedBefore, 1, 2),
        "isAccessTypeAny" => (M::IsAnyAccess, 0, 0),
        "isAccessTypeDelegatedAdmin" => (M::IsAdminAccess, 0, 0),
        "getRequestContextAttribute" => (M::RequestContextAttribute, 1, 1),
        "getResource" => (M::Field(Field::Resource), 0, 0),
        "getResourceZone" => (M::Field(Field::Zone), 0, 0),
        "getResourceZones" => (M::Zones, 0, 0),
        "getUser" => (M::User, 0, 0),
        "getUserGroups" => (M::UserGroups, 0, 0),
        "getUserRoles" => (M::UserRoles, 0, 0),
        "getAccessTime" => (M::AccessTime, 0, 0),
        "getClientIPAddress" => (M::Field(Field::ClientAddress), 0, 0),
        "getClientType" => (M::Field(Field::ClientType), 0, 0),
        "getAction" => (M::Field(Field::Action), 0, 0),
        "getRequestData" => (M::Field(Field::RequestData), 0, 0),
        "getSessionId" => (M::Field(Field::Session), 0, 0),
        "getCurrentTag" => (M::CurrentTag, 0, 0),
        "getCurrentTagType" => (M::CurrentTagType, 0, 0),
        "getAllTagTypes" => (M::AllTagTypes, 0, 0),
        "getTagAttributes" => (M::TagAttributes, 1, 1),
        "getTagAttributesForAllMatchingTags" => (M::TagAttributesOfAll, 1, 1),
        "getAttributeNames" => (M::TagAttributeNames, 1, 1),
        "getAttributeValue" => (M::AttributeValue, 1, 2),
        "getAttributeValueForAllMatchingTags" => (M::AttributeValueOfAll, 2, 2),
        "getAsDate" => (M::AsDate, 1, 1),
        "getTagAttributeAsDate" => (M::TagAttributeAsDate, 2, 2),
        "getResult" => (M::Result, 0, 0),
        "setResult" => (M::SetResult, 1, 1),
        "logDebug" | "logInfo" | "logWarn" | "logError" | "logFatal" => (M::Log, 1, 1),
        _ => return None,
    })
}

/// `tagNames`, `tagAttrQ`, `ugAttrNamesCsvQ`
fn join_named(name: &str) -> Option<(ContextMethod, usize, usize)> {
    let (name, quoted) = name.strip_suffix('Q').map_or((name, false), |name| (name, true));
    let (name, fixed) = name.strip_suffix("Csv").map_or((name, false), |name| (name, true));
    let joined = match name {
        "tagNames" => Joined::TagNames,
        "tagAttrNames" => Joined::TagAttributeNames,
        "tagAttr" => Joined::TagAttribute,
        "ugNames" => Joined::GroupNames,
        "ugAttrNames" => Joined::GroupAttributeNames,
        "ugAttr" => Joined::GroupAttribute,
        "urNames" => Joined::RoleNames,
        "userAttrNames" => Joined::UserAttributeNames,
        "userAttr" if !fixed => Joined::UserAttribute,
        _ => return None,
    };
    let least = usize::from(joined.takes_name());
    // A default, a separator, an opening and a closing quote.
    let most = if fixed { least } else { least + 4 };
    Some((ContextMethod::Join { joined, quoted, fixed }, least, most))
}

/// A property of `ctx` by its name: what a method without arguments gives.
pub(super) fn property_named(name: &str) -> Option<ContextMethod> {
    let mut letters = name.chars();
    let first = letters.next()?.to_ascii_uppercase();
    let ending = format!("{first}{}", letters.as_str());
    let found = ["get", "is"].iter().find_map(|prefix| method_named(&format!("{prefix}{ending}")))?;
    matches!(found, (_, 0, 0)).then_some(found.0)
}

/// What a macro stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Macro {
    /// `IS_IN_ROLE('x')`: a method that is still to be called.
    Method(&'static str),
    /// `TAG_NAMES_CSV`: the value that a method without arguments gives, or its opposite.
    Value { method: &'static str, negated: bool },
}

const METHOD_MACROS: &[(&str, &str)] = &[
    ("GET_TAG_NAMES", "tagNames"),
    ("GET_TAG_NAMES_Q", "tagNamesQ"),
    ("GET_TAG_ATTR_NAMES", "tagAttrNames"),
    ("GET_TAG_ATTR_NAMES_Q", "tagAttrNamesQ"),
    ("GET_TAG_ATTR", "tagAttr"),
    ("GET_TAG_ATTR_Q", "tagAttrQ"),
    ("GET_UG_NAMES", "ugNames"),
    ("GET_UG_NAMES_Q", "ugNamesQ"),
    ("GET_UG_ATTR_NAMES", "ugAttrNames"),
    ("GET_UG_ATTR_NAMES_Q", "ugAttrNamesQ"),
    ("GET_UG_ATTR", "ugAttr"),
    ("GET_UG_ATTR_Q", "ugAttrQ"),
    ("GET_UR_NAMES", "urNames"),
    ("GET_UR_NAMES_Q", "urNamesQ"),
    ("GET_USER_ATTR_NAMES", "userAttrNames"),
    ("GET_USER_ATTR_NAMES_Q", "userAttrNamesQ"),
    ("GET_USER_ATTR", "userAttr"),
    ("GET_USER_ATTR_Q", "userAttrQ"),
    ("GET_TAG_ATTR_CSV", "tagAttrCsv"),
    ("GET_TAG_ATTR_Q_CSV", "tagAttrCsvQ"),
    ("GET_UG_ATTR_CSV", "ugAttrCsv"),
    ("GET_UG_ATTR_Q_CSV", "ugAttrCsvQ"),
    ("HAS_TAG", "hasTag"),
    ("HAS_USER_ATTR", "hasUserAttr"),
    ("HAS_UG_ATTR", "hasUgAttr"),
    ("HAS_TAG_ATTR", "hasTagAttr"),
    ("IS_IN_GROUP", "isInGroup"),
    ("IS_IN_ROLE", "isInRole"),
    ("IS_ACCESS_TIME_AFTER", "isAccessTimeAfter"),
    ("IS_ACCESS_TIME_BEFORE", "isAccessTimeBefore"),
    ("IS_ACCESS_TIME_BETWEEN", "isAccessTimeBetween"),
];

const VALUE_MACROS: &[(&str, &str, bool)] = &[
    ("TAG_ATTR_NAMES_CSV", "tagAttrNamesCsv", false),
    ("TAG_ATTR_NAMES_Q_CSV", "tagAttrNamesCsvQ", false),
    ("TAG_NAMES_CSV", "tagNamesCsv", false),
    ("TAG_NAMES_Q_CSV", "tagNamesCsvQ", false),
    ("UG_ATTR_NAMES_CSV", "ugAttrNamesCsv", false),
    ("UG_ATTR_NAMES_Q_CSV", "ugAttrNamesCsvQ", false),
    ("UG_NAMES_CSV", "ugNamesCsv", false),
    ("UG_NAMES_Q_CSV", "ugNamesCsvQ", false),
    ("UR_NAMES_CSV", "urNamesCsv", false),
    ("UR_NAMES_Q_CSV", "urNamesCsvQ", false),
    ("USER_ATTR_NAMES_CSV", "userAttrNamesCsv", false),
    ("USER_ATTR_NAMES_Q_CSV", "userAttrNamesCsvQ", false),
    ("HAS_ANY_TAG", "hasAnyTag", false),
    ("HAS_NO_TAG", "hasAnyTag", true),
    ("IS_IN_ANY_GROUP", "isInAnyGroup", false),
    ("IS_IN_ANY_ROLE", "isInAnyRole", false),
    ("IS_NOT_IN_ANY_GROUP", "isInAnyGroup", true),
    ("IS_NOT_IN_ANY_ROLE", "isInAnyRole", true),
];

pub(super) fn macro_named(name: &str) -> Option<Macro> {
    let method = METHOD_MACROS.iter().find(|(known, _)| *known == name).map(|(_, method)| Macro::Method(method));
    method.or_else(|| {
        let (_, method, negated) = VALUE_MACROS.iter().find(|(known, ..)| *known == name)?;
        Some(Macro::Value { method, negated: *negated })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_macro_stands_for_a_method() {
        for (name, method) in METHOD_MACROS {
            assert!(method_named(method).is_some_and(|(_, _, most)| most > 0 || name.starts_with("GET_")), "{name}");
        }
        for (name, method, _) in VALUE_MACROS {
            assert!(method_named(method).is_some_and(|(_, least, _)| least == 0), "{name}");
        }
        assert_eq!(METHOD_MACROS.len() + VALUE_MACROS.len(), 49);
    }

    #[test]
    fn properties_are_methods_without_arguments() {
        assert_eq!(property_named("user"), Some(ContextMethod::User));
        assert_eq!(property_named("accessTypeAny"), Some(ContextMethod::IsAnyAccess));
        assert_eq!(property_named("result"), Some(ContextMethod::Result));
        assert_eq!(
            property_named("clientIPAddress"),
            Some(ContextMethod::Field(crate::script::RequestField::ClientAddress))
        );
        assert_eq!(property_named("attributeValue"), None);
        assert_eq!(property_named(""), None);
    }
}
