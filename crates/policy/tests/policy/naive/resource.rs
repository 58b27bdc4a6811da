//! 2.1 to 2.3: whether a policy's resource is about the requested one, and how.

use serde_json::Value;

use super::{Who, flag, list, texts};

/// The closest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    Same,
    SameAndAllBelow,
    Descendant,
    Ancestor,
    None,
}

/// The chains of levels from the top to a level that no other has for its parent.
fn hierarchies(def: &Value) -> Vec<Vec<&Value>> {
    let levels = list(def, "resources");
    let is_parent = |level: &Value| levels.iter().any(|other| other["parent"] == level["name"]);
    let mut all = Vec::new();
    for leaf in levels.iter().filter(|level| !is_parent(level)) {
        let mut chain = vec![leaf];
        while let Some(above) = levels.iter().find(|level| level["name"] == chain[0]["parent"]) {
            chain.insert(0, above);
        }
        all.push(chain);
    }
    all
}

fn name(level: &Value) -> &str {
    level["name"].as_str().expect("a level has a name")
}

/// The shortest chain with all levels of the policy and of the request.
fn chain<'d>(def: &'d Value, resources: &Value, who: &Who<'_>) -> Option<Vec<&'d Value>> {
    let policy = resources.as_object().expect("resources");
    let request = who.resource.as_object().expect("a resource");
    let fits = |chain: &Vec<&Value>| {
        let has = |key: &String| chain.iter().any(|level| name(level) == key);
        policy.keys().all(has) && request.keys().all(has)
    };
    hierarchies(def).into_iter().filter(fits).min_by_key(Vec::len)
}

/// Whether Ranger's lookup finds the policy, which looks no further than the first wildcard or token of a value. It
/// shows: a policy that is found and does not match may end the search all the same.
pub(crate) fn is_found(def: &Value, resources: &Value, who: &Who<'_>) -> bool {
    let level_finds = |level: &&Value| {
        let (resource, asked) = (&resources[name(level)], who.resource[name(level)].as_str());
        let Some(asked) = asked.filter(|_| !resource.is_null()) else {
            return true;
        };
        let asked = if ignores_case(level) { asked.to_lowercase() } else { asked.to_owned() };
        let finds = |value: &&str| {
            let value = if ignores_case(level) { value.to_lowercase() } else { (*value).to_owned() };
            match value.find(['*', '?', '{', '$']) {
                Some(open) => asked.starts_with(&value[..open]),
                // By the beginning of the text, not by folders.
                None if flag(resource, "isRecursive", false) => asked.starts_with(&value),
                None => asked == value,
            }
        };
        flag(resource, "isExcludes", false) || is_match_any(resource) || texts(resource, "values").iter().any(finds)
    };
    chain(def, resources, who).is_some_and(|chain| chain.iter().all(level_finds))
}

/// How `resources` of a policy are related to the requested resource.
pub(crate) fn match_type(def: &Value, resources: &Value, who: &Who<'_>) -> Match {
    let policy = resources.as_object().expect("resources");
    let request = who.resource.as_object().expect("a resource");
    let Some(chain) = chain(def, resources, who) else {
        return Match::None;
    };
    // The requested levels are the first ones of the chain, without a gap.
    if chain.iter().take(request.len()).any(|level| !request.contains_key(name(level))) {
        return Match::None;
    }
    let last_wanted =
        chain.iter().rposition(|level| policy.get(name(level)).is_some_and(|resource| !is_match_any(resource)));
    let mut found = if request.is_empty() { Match::Same } else { Match::None };
    for level in &chain {
        let asked = request.get(name(level)).and_then(Value::as_str);
        match (policy.get(name(level)), asked) {
            (Some(resource), asked) if asked.is_some() || is_match_any(resource) => {
                if !matches(level, resource, asked, who) {
                    return Match::None;
                }
                found = Match::Same;
            }
            (Some(_), _) | (None, None) => {}
            (None, Some(_)) => {
                found = Match::Ancestor;
                break;
            }
        }
    }
    if found == Match::Same && request.len() < policy.len() {
        let below_all = last_wanted.is_none_or(|last| request.len() > last);
        found = if below_all { Match::SameAndAllBelow } else { Match::Descendant };
    }
    found
}

fn ignores_case(level: &Value) -> bool {
    level["matcherOptions"]["ignoreCase"] == true
}

fn is_match_any(resource: &Value) -> bool {
    let values = texts(resource, "values");
    values.is_empty() || values.iter().any(|value| !value.is_empty() && value.chars().all(|char| char == '*'))
}

/// 2.1: one level.
fn matches(level: &Value, resource: &Value, asked: Option<&str>, who: &Who<'_>) -> bool {
    let is_any = is_match_any(resource);
    let all_asked = asked.is_none_or(|asked| asked.is_empty() || asked == "*");
    let is_path = level["matcher"].as_str().is_some_and(|matcher| matcher.contains("Path"));
    let recursive = is_path && flag(resource, "isRecursive", false);
    let found = is_any
        || (!all_asked
            && texts(resource, "values").iter().filter(|value| !value.is_empty()).any(|value| {
                let value = who.expanded(value);
                let (mut value, mut asked) = (value.replace("{USER}", who.user), asked.unwrap_or_default().to_owned());
                if ignores_case(level) {
                    (value, asked) = (value.to_lowercase(), asked.to_lowercase());
                }
                if recursive { is_below(&value, &asked) } else { is_like(&value, &asked) }
            }));
    if !flag(resource, "isExcludes", false) || (all_asked && !is_any) { found } else { !found }
}

/// 2.2: a path, or one above it, is like the pattern.
fn is_below(pattern: &str, path: &str) -> bool {
    let pattern = if pattern.len() > 1 { pattern.strip_suffix('/').unwrap_or(pattern) } else { pattern };
    if is_like(pattern, path) || (pattern == "/" && path.starts_with('/')) {
        return true;
    }
    path.char_indices().any(|(at, char)| char == '/' && at > 0 && is_like(pattern, &path[..at]))
}

/// `*` is any text, `?` one character.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut chars = pattern.chars();
    match chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = chars.as_str();
            is_like(rest, text) || text.char_indices().any(|(at, char)| is_like(rest, &text[at + char.len_utf8()..]))
        }
        Some(first) => {
            let mut text = text.chars();
            text.next().is_some_and(|char| first == '?' || first == char) && is_like(chars.as_str(), text.as_str())
        }
    }
}
