//! Texts with expressions in them.

use super::super::{SCRIPT_TEXT_BYTES_MAX, Template, Unresolved};
use super::*;

fn expand(text: &str, unresolved: Unresolved<'_>) -> Result<String, String> {
    let template = Template::parse(text).map_err(|refusal| refusal.to_string())?;
    template.expand(&Request::usual(), unresolved).map_err(|fault| fault.to_string())
}

#[test]
fn expressions_are_replaced_by_their_values() {
    for (text, expected) in [
        ("state = '${{USER.state}}'", "state = 'CA'"),
        ("/home/${{USER._name}}/{USER}.data", "/home/test-user/{USER}.data"),
        ("dept in (${{GET_UG_ATTR_Q('dept')}})", "dept in ('ENGG','PROD')"),
        ("${{1 + 1}}${{'a'}}", "2a"),
        ("${{UGNAMES}}", "test-group1,test-group2"),
        ("nothing", "nothing"),
        ("", ""),
        ("${{[[USER.partners]].length}}", "3"),
        ("${{ 'a' ", "${{ 'a' "),
        ("${{ 'a'\n }} ${{'b'}}", "${{ 'a'\n }} b"),
        ("${USER.state}", "${USER.state}"),
    ] {
        assert_eq!(expand(text, Unresolved::Fault).as_deref(), Ok(expected), "{text}");
        assert_eq!(Template::is_needed(text), text != expected, "{text}");
    }
}

#[test]
fn what_has_no_value_is_a_fault_or_a_text() {
    for (text, fault) in
        [("a${{USER.none}}b", "`USER.none` has no value"), ("a${{USER.a.b}}b", "`b` cannot be read of undefined")]
    {
        assert_eq!(expand(text, Unresolved::Fault).expect_err(text), fault);
        assert_eq!(expand(text, Unresolved::Text("null")).as_deref(), Ok("anullb"));
        assert_eq!(expand(text, Unresolved::Text("")).as_deref(), Ok("ab"));
    }
    assert_eq!(
        expand("${{new Date()}}", Unresolved::Fault).expect_err("a refusal"),
        "1:1: `new` is not supported here"
    );
}

#[test]
fn an_expansion_has_a_greatest_length() {
    let literal = |bytes: usize| format!("${{{{'a'}}}}{}", "b".repeat(bytes - 1));
    assert_eq!(
        expand(&literal(SCRIPT_TEXT_BYTES_MAX), Unresolved::Fault).map(|text| text.len()),
        Ok(SCRIPT_TEXT_BYTES_MAX)
    );
    assert!(expand(&literal(SCRIPT_TEXT_BYTES_MAX + 1), Unresolved::Fault).is_err());
}

#[test]
fn the_expressions_of_a_template_can_be_looked_at() {
    let template = Template::parse("a${{USER.a}}b${{USER.b}}").expect("a template");
    let sources: Vec<_> = template.expressions().map(Script::source).collect();
    assert_eq!(sources, ["USER.a", "USER.b"]);
}
