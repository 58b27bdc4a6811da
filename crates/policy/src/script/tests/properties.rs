//! Whatever a script is, it ends, and with an answer, a refusal or a fault.

use proptest::prelude::*;

use super::super::{Template, Unresolved};
use super::*;

/// Pieces of which scripts are made, sensible ones and others.
const PIECES: &[&str] = &[
    "var x = ",
    "let y = ",
    "const z = ",
    "x",
    "y",
    "ctx.result = ",
    "ctx.",
    "USER",
    "TAG",
    "TAGS",
    "UGA",
    "REQ",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ".",
    ",",
    ";",
    ":",
    "?",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "===",
    "<",
    ">=",
    "&&",
    "||",
    "=>",
    "in ",
    "if ",
    "else ",
    "return ",
    "typeof ",
    "function",
    "'a'",
    "\"b\"",
    "'\\u{1F600}'",
    "1",
    "0.5",
    "1e999",
    "null",
    "true",
    "undefined",
    "NaN",
    "IS_IN_ROLE('test-role1')",
    "GET_TAG_ATTR_Q('attr1', null, '|')",
    "HAS_ANY_TAG",
    "UG_NAMES_CSV",
    ".length",
    ".split(',')",
    ".includes('a')",
    ".some(x => x)",
    ".map(function(q) { return q + q; })",
    ".substring(1, -5)",
    ".slice(-2)",
    ".replace(/a|b/g, '$1$&')",
    ".match(/(.)*/)",
    "/[a-z]+/i.test(",
    ".indexOf('', 9)",
    ".intersects(",
    ".toUpperCase()",
    "\n",
    "J(",
    "parseInt(",
    "Object.keys(",
    "[[",
    "]]",
    "é",
    "日",
    "// c\n",
    "/* c */",
    "`",
    "#",
];

fn made_script() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

fn run(source: &str) -> Result<(), TestCaseError> {
    if let Ok(script) = Script::parse(source) {
        let first = script.evaluate(&Request::usual()).map(|value| shown(&value));
        let second = script.evaluate(&Request::usual()).map(|value| shown(&value));
        prop_assert_eq!(first, second, "a script has one answer");
        let _ends = script.holds(&Request::empty());
    }
    if let Ok(template) = Template::parse(source) {
        prop_assert!(template.expand(&Request::usual(), Unresolved::Text("null")).is_ok() || source.len() > 1000);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_made_script_ends(source in made_script()) {
        run(&source)?;
    }

    #[test]
    fn any_text_ends(source in "\\PC{0,80}") {
        run(&source)?;
    }

    #[test]
    fn whole_numbers_are_added_as_they_are(a in -1_000_000_i32..1_000_000, b in -1_000_000_i32..1_000_000) {
        prop_assert_eq!(Request::usual().shown(&format!("{a} + {b}")), (i64::from(a) + i64::from(b)).to_string());
    }

    #[test]
    fn parts_of_a_text_are_those_of_utf16(text in "[a-c\u{e9}\u{1f600}]{0,8}", start in -10_i32..10, end in -10_i32..10) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let length = i32::try_from(units.len()).expect("a short text");
        let place = |at: i32| if at < 0 { (length + at).max(0) } else { at.min(length) };
        let (from, to) = (place(start), place(end).max(place(start)));
        let from_to = usize::try_from(from).expect("positive")..usize::try_from(to).expect("positive");
        let expected = String::from_utf16_lossy(&units[from_to]);
        prop_assert_eq!(Request::usual().shown(&format!("'{text}'.slice({start}, {end})")), format!("'{expected}'"));
    }
}
