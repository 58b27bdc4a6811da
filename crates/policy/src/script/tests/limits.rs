//! Each limit, on both sides of it.

use super::super::{
    SCRIPT_BYTES_MAX, SCRIPT_DEPTH_MAX, SCRIPT_LIST_ITEMS_MAX, SCRIPT_STEPS_MAX, SCRIPT_TEXT_BYTES_MAX,
};
use super::*;

#[test]
fn a_script_has_a_greatest_length() {
    let script = |bytes: usize| format!("1{}", " ".repeat(bytes - 1));
    assert!(Script::parse(&script(SCRIPT_BYTES_MAX)).is_ok());
    let refusal = Script::parse(&script(SCRIPT_BYTES_MAX + 1)).expect_err("a refusal");
    assert_eq!(refusal.what(), "a script of 65537 bytes is too long; at most 65536 are read");
    // Double brackets grow when they are replaced.
    let brackets = "[[USER.a]];".repeat(SCRIPT_BYTES_MAX / 11);
    assert!(Script::parse(&brackets).expect_err("a refusal").what().contains("double brackets"));
}

#[test]
fn what_is_nested_has_a_greatest_depth() {
    // The statement, and the expression in it, are two levels themselves.
    let parentheses = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Script::parse(&parentheses(SCRIPT_DEPTH_MAX - 2)).is_ok());
    let too_deep = Script::parse(&parentheses(SCRIPT_DEPTH_MAX - 1)).expect_err("a refusal");
    assert_eq!(too_deep.what(), "nested deeper than 64");
    let blocks = |depth: usize| format!("{}{}", "{".repeat(depth), "}".repeat(depth));
    assert!(Script::parse(&blocks(SCRIPT_DEPTH_MAX)).is_ok());
    assert!(Script::parse(&blocks(SCRIPT_DEPTH_MAX + 1)).is_err());
    // Operators stand side by side in the text and one in the other in the syntax.
    let sum = |operands: usize| vec!["1"; operands].join("+");
    assert!(Script::parse(&sum(SCRIPT_DEPTH_MAX)).is_ok());
    assert!(Script::parse(&sum(SCRIPT_DEPTH_MAX + 1)).is_err());
    let members = |depth: usize| format!("USER{}", ".a".repeat(depth));
    assert!(Script::parse(&members(SCRIPT_DEPTH_MAX - 1)).is_ok());
    assert!(Script::parse(&members(SCRIPT_DEPTH_MAX)).is_err());
    // A long chain of conditions is not deep.
    assert!(Script::parse(&vec!["IS_IN_ROLE('a')"; 1000].join(" || ")).is_ok());
}

/// `x` is a text of 2^`doublings` bytes.
fn doubled(doublings: usize) -> String {
    format!("var x = 'a'; {}", "x = x + x; ".repeat(doublings))
}

#[test]
fn a_text_has_a_greatest_length() {
    let request = Request::usual();
    let at_limit = format!("{} x.length", doubled(18));
    assert_eq!(request.shown(&at_limit), SCRIPT_TEXT_BYTES_MAX.to_string());
    let beyond = format!("{} x = x + 'a'", doubled(18));
    let fault = request.evaluate(&beyond).expect_err("a fault");
    assert_eq!(fault.to_string(), "the script makes a text of more than 262144 bytes");
    assert!(fault.is_limit());
}

#[test]
fn a_list_has_a_greatest_length() {
    let request = Request::usual();
    let list = |commas: usize| format!("'{}'.split(',').length", ",".repeat(commas));
    assert_eq!(request.shown(&list(SCRIPT_LIST_ITEMS_MAX - 1)), SCRIPT_LIST_ITEMS_MAX.to_string());
    let fault = request.evaluate(&list(SCRIPT_LIST_ITEMS_MAX)).expect_err("a fault");
    assert_eq!(fault.to_string(), "the script makes a list of more than 10000 items");
    assert!(fault.is_limit());
}

#[test]
fn lists_and_maps_have_a_greatest_depth() {
    let request = Request::usual();
    for wrap in ["l = [l];", "l = { a: l };"] {
        let nested = |depth: usize| format!("var l = []; {} J(l).length > 0", wrap.repeat(depth - 1));
        assert_eq!(request.shown(&nested(SCRIPT_DEPTH_MAX)), "true", "{wrap}");
        let fault = request.evaluate(&nested(SCRIPT_DEPTH_MAX + 1)).expect_err("a fault");
        assert_eq!(fault.to_string(), "the script nests lists or maps deeper than 64");
        assert!(fault.is_limit());
    }
}

#[test]
fn a_list_that_holds_another_many_times_costs_its_whole_text() {
    let request = Request::usual();
    let bush = format!("var l = ['a']; {}", "l = [l, l];".repeat(16));
    assert_eq!(request.shown(&format!("{bush} l == 'x'")), "false");
    for looked_at in ["l == 'x'", "l < 'x'", "+l", "'x'.includes(l)", "HAS_TAG(l)", "USER[l]"] {
        let often = format!("{bush} var c = 'aaaaaaaaaaaa'.split(''); c.some(a => c.some(b => {{ {looked_at}; }}))");
        assert!(request.evaluate(&often).expect_err(looked_at).is_limit(), "{looked_at}");
    }
}

#[test]
fn a_script_has_a_greatest_number_of_steps() {
    let request = Request::usual();
    // A function is called for each of the items of a list, in a list, in a list.
    let nested = |items: usize| {
        let list = format!("'{}'.split('')", "a".repeat(items));
        format!("var l = {list}; l.map(x => l.map(y => 1)).length")
    };
    assert_eq!(request.shown(&nested(100)), "100");
    let fault = request.evaluate(&nested(300)).expect_err("a fault");
    assert_eq!(fault.to_string(), format!("the script takes more than {SCRIPT_STEPS_MAX} steps"));
    assert!(fault.is_limit());
    // So is text that is only looked through.
    let searched = format!("{} var l = 'aaaaaaaa'.split(''); l.some(a => l.some(b => x.includes('b')))", doubled(18));
    assert!(request.evaluate(&searched).expect_err("a fault").is_limit());
    let matched = format!("{} /(x+x+)+y/.test(x)", doubled(18));
    assert_eq!(request.shown(&matched), "false");
    // Here each match looks at the whole rest.
    for called in ["x.replace(/a(.*z)?/g, '')", "x.match(/a(.*z)?/g)", "x.split(/a(.*z)?/)"] {
        let fault = request.evaluate(&format!("{} {called}", doubled(17))).expect_err("a fault");
        assert!(fault.is_limit(), "{called}");
    }
    let matched_often = format!("{} 'aaaa'.split('').some(a => /(x+x+)+y/.test(x))", doubled(18));
    assert!(request.evaluate(&matched_often).expect_err("a fault").is_limit());
}

#[test]
fn a_fault_tells_what_the_result_was() {
    let request = Request::usual();
    let before = request.evaluate("ctx.result = true; USER.a.b").expect_err("a fault");
    assert!(before.result_so_far() && !before.is_limit());
    let after = request.evaluate("USER.a.b; ctx.result = true").expect_err("a fault");
    assert!(!after.result_so_far());
}
