use super::*;

fn def(matcher: &str, options: &[(&str, &str)]) -> ResourceDef {
    let matcher_options = options.iter().map(|(name, value)| ((*name).to_owned(), Text::from(*value))).collect();
    ResourceDef { matcher: format!("x.y.{matcher}"), matcher_options, ..ResourceDef::default() }
}

fn element(def: &ResourceDef, values: &[&str], excludes: bool, recursive: bool) -> ElementMatcher {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    let resource = PolicyResource { values, is_excludes: excludes, is_recursive: recursive };
    ElementMatcher::new(&LevelOptions::of(def), &resource)
}

fn matches(matcher: &ElementMatcher, value: &str) -> bool {
    matcher.is_match(Some(Values::One(value)), ElementScope::Itself, &Unbound)
}

const PLAIN: &str = "RangerDefaultResourceMatcher";
const PATH: &str = "RangerPathResourceMatcher";

#[test]
fn each_form_of_a_value_is_told_from_its_wildcards() {
    let options = LevelOptions::of(&def(PLAIN, &[]));
    let form = |value: &str| match options.value_matcher(value, false) {
        ValueMatcher { form: Form::Equals, text, .. } => format!("= {text}"),
        ValueMatcher { form: Form::StartsWith, text, .. } => format!("< {text}"),
        ValueMatcher { form: Form::EndsWith, text, .. } => format!("> {text}"),
        ValueMatcher { text, .. } => format!("~ {text}"),
    };
    for (value, expected) in [
        ("a", "= a"),
        ("a*", "< a"),
        ("a**", "< a"),
        ("*a", "> a"),
        ("**a", "> a"),
        ("*", "> "),
        ("a*b", "~ a*b"),
        ("*a*", "~ *a*"),
        ("a?", "~ a?"),
        ("?*", "~ ?*"),
    ] {
        assert_eq!(form(value), expected, "{value}");
    }
}

#[test]
fn without_wildcards_stars_are_letters() {
    let matcher = element(&def(PLAIN, &[("wildCard", "false")]), &["a*"], false, false);
    assert!(matches(&matcher, "a*") && !matches(&matcher, "ab") && !matcher.is_any());
    assert!(!element(&def(PLAIN, &[("wildCard", "false")]), &["*"], false, false).is_any());
}

#[test]
fn no_value_and_a_star_mean_everything() {
    for values in [vec![], vec![""], vec!["a", "*"], vec!["**"]] {
        let matcher = element(&def(PLAIN, &[]), &values, false, false);
        assert!(matcher.is_any() && matches(&matcher, "x"), "{values:?}");
        assert!(matcher.is_match(None, ElementScope::Itself, &Unbound));
    }
}

#[test]
fn everything_is_matched_by_everything_only() {
    let matcher = element(&def(PLAIN, &[]), &["a*"], false, false);
    for values in [None, Some(Values::One("")), Some(Values::One("*"))] {
        assert!(!matcher.is_match(values, ElementScope::Itself, &Unbound));
    }
}

#[test]
fn excludes_turn_the_answer_but_not_for_everything() {
    let matcher = element(&def(PLAIN, &[]), &["a"], true, false);
    assert!(!matches(&matcher, "a") && matches(&matcher, "b"));
    assert!(!matches(&matcher, "*"), "some of it is excluded");
    let nothing = element(&def(PLAIN, &[]), &["*"], true, false);
    assert!(!matches(&nothing, "b") && !matches(&nothing, "*"));
}

#[test]
fn one_of_several_values_is_enough() {
    let matcher = element(&def(PLAIN, &[]), &["a", "b"], false, false);
    assert!(matcher.is_match(Some(Values::Many(&["x", "b"])), ElementScope::Itself, &Unbound));
    assert!(!matcher.is_match(Some(Values::Many(&["x", "y"])), ElementScope::Itself, &Unbound));
    assert!(!matcher.is_match(Some(Values::Many(&[])), ElementScope::Itself, &Unbound));
}

#[test]
fn quoted_names_keep_their_letter_case() {
    let matcher = element(&def(PLAIN, &[("quotedCaseSensitive", "true")]), &["\"Name\"", "plain"], false, false);
    assert!(matches(&matcher, "\"Name\"") && !matches(&matcher, "\"NAME\"") && matches(&matcher, "PLAIN"));
}

#[test]
fn a_recursive_path_covers_what_is_below_it() {
    let recursive = element(&def(PATH, &[]), &["/a/b/"], false, true);
    assert!(matches(&recursive, "/a/b/") && matches(&recursive, "/a/b/c/d") && !matches(&recursive, "/a/b"));
    let plain = element(&def(PATH, &[]), &["/a/b"], false, false);
    assert!(matches(&plain, "/a/b") && !matches(&plain, "/a/b/c"));
    let other = element(&def(PATH, &[("pathSeparatorChar", ".")]), &["a.b"], false, true);
    assert!(matches(&other, "a.b.c") && !matches(&other, "a.bc"));
}

#[test]
fn scopes_reach_folders_and_beginnings() {
    let matcher = element(&def(PATH, &[]), &["/a/b"], false, false);
    let found = |value, scope| matcher.is_match(Some(Values::One(value)), scope, &Unbound);
    assert!(found("/a", ElementScope::ItselfOrChild) && found("/a/", ElementScope::ItselfOrChild));
    assert!(!found("/", ElementScope::ItselfOrChild) && !found("/a", ElementScope::Itself));
    assert!(found("/a/", ElementScope::ItselfOrPrefix) && !found("/b", ElementScope::ItselfOrPrefix));
    let name = element(&def(PLAIN, &[]), &["sales_*"], false, false);
    assert!(name.is_match(Some(Values::One("sal")), ElementScope::ItselfOrPrefix, &Unbound));
    assert!(!name.is_match(Some(Values::One("sal")), ElementScope::ItselfOrChild, &Unbound), "names have no folders");
}
