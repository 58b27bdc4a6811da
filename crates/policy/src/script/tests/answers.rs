//! What scripts answer: the language.

use super::*;

fn check(table: &[(&str, &str)]) {
    for (source, expected) in table {
        assert_eq!(Request::usual().shown(source), *expected, "{source}");
    }
}

#[test]
fn conditions_of_policies_decide_by_value_or_by_result() {
    for (source, expected) in [
        ("if ( ctx.isAccessedBefore('expiry') ) ctx.result = true;", false),
        ("if ( ctx.isAccessedAfter('expiry') ) ctx.result = true;", true),
        ("ctx.isAccessedAfter('expiry_date');", true),
        ("if ( tagAttr.get('score') < 2 ) ctx.result = true;", true),
        ("if ( tagAttr.get('score') < 1 ) ctx.result = true;", false),
        (
            "var country_code = ctx.getRequestContextAttribute('LOCATION_TEST_COUNTRY_CODE'); ctx.result = !!country_code;",
            true,
        ),
        ("var a = ctx.getRequestContextAttribute('NONE'); ctx.result = !!a;", false),
        ("IS_IN_ROLE('test-role1') && IS_IN_ROLE('test-role2') ", true),
        ("IS_IN_ROLE('test-role1') && IS_IN_ROLE('nobody') ", false),
        ("TAG.attr1 == 'PII_value'", true),
        ("tag.score > 0.6", false),
        ("ctx.result = true; 5", true),
        ("ctx.result = true; false", false),
        ("ctx.setResult(true); ctx.getResult()", true),
        ("ctx.setResult(true)", true),
        ("'true'", false),
        ("5", false),
        ("", false),
    ] {
        let script = Script::parse(source).expect(source);
        assert_eq!(script.holds(&Request::usual()), Ok(expected), "{source}");
    }
}

#[test]
fn a_script_has_the_value_of_its_last_expression() {
    check(&[
        ("", "undefined"),
        ("1; 2", "2"),
        ("1; var x = 2;", "1"),
        ("1; { 2; }", "2"),
        ("1; { }", "1"),
        ("1; if (false) 2;", "undefined"),
        ("1; if (true) { var x = 3; }", "undefined"),
        ("if (1 > 2) 'a'; else if (2 > 1) 'b'; else 'c'", "'b'"),
        ("var x = 1\nvar y = 2\nx + y", "3"),
        ("'use strict'; 7", "7"),
        ("x = 5; x", "5"),
        ("var x; x", "undefined"),
        ("var x = 1; var x; x", "1"),
        ("let x = 1; { let x = 2; } x", "1"),
        ("var x = 1; { var x = 2; } x", "2"),
        ("if (true) { var x = 3 } x", "3"),
        ("var x = 3; x += 4; x *= 2; x -= 1; x /= 13; x %= 2", "1"),
        ("var a = 'x'; a += 1; a", "'x1'"),
        ("if (false) { y = 1 } y", "fault: `y` has no value yet"),
        ("var tag = ctx.getCurrentTag(); tag.getType()", "'PII'"),
    ]);
}

#[test]
fn operators_turn_kinds_as_javascript_does() {
    check(&[
        ("1 + 2 * 3 - 4 / 2 % 3", "5"),
        ("'1' + 2", "'12'"),
        ("1 + null", "1"),
        ("1 + undefined", "NaN"),
        ("'a' + [1, 'b', null] + {}", "'a1,b,[object Object]'"),
        ("'7' * '6'", "42"),
        ("-'3'", "-3"),
        ("+true", "1"),
        ("1 / 0", "Infinity"),
        ("-7 % 3", "-1"),
        ("'10' < '9'", "true"),
        ("'10' < 9", "false"),
        ("undefined < 1", "false"),
        ("null >= 0", "true"),
        ("null == 0", "false"),
        ("null == undefined", "true"),
        ("null === undefined", "false"),
        ("'' == 0", "true"),
        ("'0' == false", "true"),
        ("[1] == 1", "true"),
        ("NaN != NaN", "true"),
        ("1 === '1'", "false"),
        ("1 !== '1'", "true"),
        ("'' || 'a'", "'a'"),
        ("0 || null || undefined", "undefined"),
        ("!!'false'", "true"),
        ("![]", "false"),
        ("1 ? 2 ? 'a' : 'b' : 'c'", "'a'"),
        ("typeof 'a' + typeof 1 + typeof null + typeof undefined", "'stringnumberobjectundefined'"),
        ("1 < 2 == true", "true"),
        ("!1 == 0", "true"),
        ("'state' in USER", "true"),
        ("'none' in USER", "false"),
        ("1 in ['a', 'b']", "true"),
        ("2 in ['a', 'b']", "false"),
        ("var n = 0; 0 && (n = 1); 1 || (n = 2); n", "0"),
    ]);
}

#[test]
fn values_have_members() {
    check(&[
        ("USER.state", "'CA'"),
        ("USER['state']", "'CA'"),
        ("USER.nothing", "undefined"),
        ("USER.nothing.more", "fault: `more` cannot be read of undefined"),
        ("USER.nothing == null", "true"),
        ("'abc'.length", "3"),
        ("'a\u{1f600}'.length", "3"),
        ("'abc'[1]", "'b'"),
        ("'abc'[9]", "undefined"),
        ("[1, 2, 3].length", "3"),
        ("[1, 2, 3][1]", "2"),
        ("[1, 2][2]", "undefined"),
        ("[1, 2]['01']", "undefined"),
        ("({ a: 1, 'b c': 2 })['b c']", "2"),
        ("({ CA: 'west' })[USER.state]", "'west'"),
        ("(5).length", "undefined"),
    ]);
}

#[test]
fn texts_have_their_methods() {
    check(&[
        ("'abc'.indexOf('c')", "2"),
        ("'abc'.indexOf('d')", "-1"),
        ("'abcabc'.indexOf('a', 1)", "3"),
        ("'a\u{1f600}b'.indexOf('b')", "3"),
        ("'abcabc'.lastIndexOf('b')", "4"),
        ("'abc'.includes('bc')", "true"),
        ("'abc'.includes('a', 1)", "false"),
        ("'abc'.startsWith('ab')", "true"),
        ("'abc'.startsWith('b', 1)", "true"),
        ("'abc'.endsWith('bc')", "true"),
        ("'aBc'.toLowerCase() + 'aBc'.toUpperCase()", "'abcABC'"),
        ("' a '.trim()", "'a'"),
        ("'abc'.charAt(1) + 'abc'.charAt(9) + 'abc'.charAt(-1)", "'b'"),
        ("'abcdef'.substring(4, 1)", "'bcd'"),
        ("'abcdef'.substring(2)", "'cdef'"),
        ("'abcdef'.slice(-3, -1)", "'de'"),
        ("'abcdef'.substr(1, 2)", "'bc'"),
        ("'\u{1f600}b'.substring(2)", "'b'"),
        ("'\u{1f600}b'.substring(1, 2)", "'\u{fffd}'"),
        ("'a,b,,c'.split(',')", "['a','b','','c']"),
        ("'a,b,c'.split(',', 2)", "['a','b']"),
        ("'abc'.split('')", "['a','b','c']"),
        ("'abc'.split()", "['abc']"),
        ("'a1b22c'.split(/\\d+/)", "['a','b','c']"),
        ("'a1b'.split(/(\\d)/)", "['a','1','b']"),
        ("'abc'.split(/(?:)/)", "['a','b','c']"),
        ("''.split(/x/)", "['']"),
        ("'a-b-c'.replace('-', '+')", "'a+b-c'"),
        ("'a-b-c'.replace(/-/g, '+')", "'a+b+c'"),
        ("'john smith'.replace(/(\\w+) (\\w+)/, '$2 $1 $$ $& $3')", "'smith john $ john smith $3'"),
        ("'0x1f'.replace(/x*/g, '-')", "'-0--1-f-'"),
        ("'éx'.replace(/x*/g, '-')", "'-é--'"),
        ("''.replace(/x*/g, '-')", "'-'"),
        ("'axb'.match(/x*/g)", "['','x','','']"),
        ("'a,b'.split(',', Infinity)", "[]"),
        ("'abc'.match(/b(.)/)", "['bc','c']"),
        ("'abab'.match(/a/g)", "['a','a']"),
        ("'abc'.match(/x/)", "null"),
        ("'abc'.search(/c/)", "2"),
        ("/^[a-z]+$/i.test('ABC')", "true"),
        ("/^a.c$/.test(USER.state)", "false"),
        ("'a'.concat('b', 1)", "'ab1'"),
        ("'a'.equals('a') && !'a'.equals('A') && 'a'.equalsIgnoreCase('A')", "true"),
        ("'abc'.contains('b') && ''.isEmpty()", "true"),
        ("(12).toString() + true.toString()", "'12true'"),
        ("'a'.toString()", "'a'"),
        ("'a'.some(x => x)", "fault: a text has no method of that name"),
        ("null.toString()", "fault: a method cannot be called on null"),
    ]);
}

#[test]
fn lists_have_their_methods() {
    check(&[
        ("['a', 'b'].includes('b')", "true"),
        ("['a', 'b'].includes('c')", "false"),
        ("[NaN].includes(NaN)", "true"),
        ("[NaN].indexOf(NaN)", "-1"),
        ("[1, 2].includes('1')", "false"),
        ("['a', 'b'].indexOf('b')", "1"),
        ("['a', 'b', 'a'].indexOf('a', -1)", "2"),
        ("['a', 'b', 'a'].lastIndexOf('a')", "2"),
        ("['a', null, 'b'].join('-')", "'a--b'"),
        ("['a', 'b'].join()", "'a,b'"),
        ("['a', 'b'].join(null)", "'anullb'"),
        ("['a', 'b', 'c'].slice(1)", "['b','c']"),
        ("['a', 'b', 'c'].slice(0, -1)", "['a','b']"),
        ("['a'].concat(['b', 'c'], 'd')", "['a','b','c','d']"),
        ("['a', 'b'].intersects(['b', 'c'])", "true"),
        ("['a', 'b'].intersects(['c'])", "false"),
        ("['a'].intersects(null)", "false"),
        ("[].intersects([])", "false"),
        ("['a', 'b'].intersects('xbx')", "true"),
        ("['a'].intersects(5)", "fault: `intersects` needs a list and not a number"),
        ("[1, 2].some(x => x > 1)", "true"),
        ("[1, 2].every(function(x) { return x > 1; })", "false"),
        ("[1, 2, 3].filter((x, i) => { var odd = x % 2; return odd && i > 0; })", "[3]"),
        ("[1, 2].map(x => [x].map(y => y + x))", "[[2],[4]]"),
        ("[1, 2, 3].find(x => x > 1)", "2"),
        ("[1].find(x => x > 1)", "undefined"),
        ("[1, 2].map(x => { })", "[undefined,undefined]"),
        ("[1, 2].map(function() { if (true) { return 'a' } })", "['a','a']"),
        ("var seen = ''; ['a', 'b'].some(x => { seen = seen + x; return false; }); seen", "'ab'"),
        ("[1].contains(1)", "fault: a list has no method of that name"),
    ]);
}

#[test]
fn javas_collections_have_javas_methods() {
    check(&[
        ("ctx.getUserGroups().contains('test-group1')", "true"),
        ("ctx.userGroups.size()", "2"),
        ("ctx.getUserRoles().isEmpty()", "false"),
        ("ctx.getUserRoles().toString()", "'[test-role2, test-role1]'"),
        ("ctx.getUserRoles().includes('test-role1')", "fault: a list has no method of that name"),
        ("tagAttr.get('score')", "'1'"),
        ("tagAttr.get('none')", "null"),
        ("tagAttr.score", "'1'"),
        ("tagAttr.containsKey('score') && !tagAttr.containsKey('none')", "true"),
        ("tagAttr.size()", "4"),
        ("tagAttr.getOrDefault('none', 'x') + tagAttr.getOrDefault('score', 'x')", "'x1'"),
        ("tagAttr.keySet().contains('score')", "true"),
        ("tag.getType() + tag.type + tag.getMatchType()", "'PIIPIISELF'"),
        ("tag.getAttributes().get('attr1')", "'PII_value'"),
        ("tag.attributes.attr1", "'PII_value'"),
        ("USER.get('state')", "fault: a map has no method of that name"),
        ("USER.hasOwnProperty('state')", "true"),
        ("ctx.getAccessTime().getTime() == REQ.accessTime", "true"),
        ("ctx.getAsDate('2026/06/15').before(ctx.accessTime)", "true"),
        ("ctx.getAsDate('2026/06/15').after(ctx.accessTime)", "false"),
        ("ctx.getAsDate('2026/06/15').equals(ctx.getTagAttributeAsDate('PII', 'expiry'))", "true"),
        ("ctx.getAsDate('2026/06/15').compareTo(ctx.accessTime)", "-1"),
        ("ctx.getAsDate('nonsense')", "null"),
    ]);
    assert_eq!(Request::empty().shown("tag == null && tagAttr.isEmpty() && ctx.currentTag === null"), "true");
}

#[test]
fn functions_without_an_object_work() {
    check(&[
        ("String(1.50) + String(null)", "'1.5null'"),
        ("Number('12') + Number('x')", "NaN"),
        ("Boolean('') == false", "true"),
        ("parseInt('12px') + parseInt('0x10') + parseInt(' -3')", "25"),
        ("parseInt('x')", "NaN"),
        ("parseFloat('1.5e2x') + parseFloat('.5') + parseFloat('-2.')", "148.5"),
        ("parseFloat('.')", "NaN"),
        ("isNaN('x') && !isNaN('1')", "true"),
        ("Array.isArray([]) && !Array.isArray('a')", "true"),
        ("Object.keys({ b: 1, a: 2 })", "['b','a']"),
        ("Object.values({ b: 1, a: 2 })", "[1,2]"),
        ("Object.keys('ab')", "['0','1']"),
        ("Object.values('ab')", "['a','b']"),
        ("Object.keys(null)", "fault: `keys` cannot be read of null"),
        (
            "J([1, 'a\"', null, undefined, true, { b: undefined, c: NaN }])",
            "'[1,\"a\\\"\",null,null,true,{\"c\":null}]'",
        ),
        ("JSON.stringify(undefined)", "undefined"),
    ]);
}
