//! What is refused when a script is parsed, and how it is named.

use super::*;

#[test]
fn what_is_outside_of_the_subset_is_named_with_its_place() {
    for (source, message) in [
        ("for (;;) {}", "1:1: `for` is not supported"),
        ("var a = 1;\n  while (a) {}", "2:3: `while` is not supported"),
        ("function f() {}", "1:1: `function` is not supported"),
        ("try { } catch (e) { }", "1:1: `try` is not supported"),
        ("throw 1", "1:1: `throw` is not supported"),
        ("import x", "1:1: `import` is not supported"),
        ("return true;", "1:1: `return` is not supported outside of a function"),
        ("new Date()", "1:1: `new` is not supported here"),
        ("delete USER.x", "1:1: `delete` is not supported here"),
        ("var f = function() {}", "1:9: `function` is not supported here"),
        ("var f = x => x", "1:9: `x` is not known"),
        ("java.lang.Runtime.getRuntime().exec('bash')", "1:1: `java` is not known"),
        ("engine.eval('x')", "1:1: `engine` is not known"),
        ("loadWithNewGlobal({})", "1:1: `loadWithNewGlobal` is not known"),
        ("this.context", "1:1: `this` is not known"),
        ("eval('1')", "1:1: `eval` is not known"),
        ("Math.random()", "1:1: `Math` is not known"),
        ("Object.assign({}, USER)", "1:1: `Object.assign` is not known"),
        ("JSON.parse('{}')", "1:1: `JSON.parse` is not known"),
        ("Object", "1:1: `Object` is not known"),
        ("String", "1:7: `(` is missing behind `String`"),
        ("ctx", "1:1: `ctx` is supported with a method or property only"),
        ("ctx['user']", "1:1: `ctx` is supported with a method or property only"),
        ("ctx.getClass()", "1:5: `ctx.getClass` is not known"),
        ("ctx.nothing", "1:5: `ctx.nothing` is not known"),
        ("ctx.isInRole()", "1:5: `ctx.isInRole` takes 1 to 1 arguments and not 0"),
        ("IS_IN_ROLE('a', 'b')", "1:1: `IS_IN_ROLE` takes 1 to 1 arguments and not 2"),
        ("IS_IN_ROLE", "1:11: `(` is missing behind `IS_IN_ROLE`"),
        ("IS_IN_ANY_ROLE()", "1:15: only methods and known functions can be called"),
        ("'a'.padStart(3)", "1:5: the method `padStart` is not supported"),
        ("USER['a']()", "1:10: only methods and known functions can be called"),
        ("[1].some('a')", "1:5: `some` needs a function as its first argument"),
        ("[1].some()", "1:5: `some` needs a function as its first argument"),
        ("[1].join(x => x)", "1:10: a function is not supported as an argument of `join`"),
        ("[1].some(function f(x) { })", "1:19: a function with a name is not supported"),
        ("USER.a = 1", "1:8: only variables and `ctx.result` can be assigned to"),
        ("ctx.user = 1", "1:10: only variables and `ctx.result` can be assigned to"),
        ("const a = 1; a = 2", "1:14: `a` is constant"),
        ("const a;", "1:7: `a` needs a value"),
        ("let a; let a;", "1:12: `a` is declared twice"),
        ("let a; var a;", "1:12: `a` is declared twice"),
        ("var ctx = 1", "1:5: `ctx` cannot be the name of a variable"),
        ("var HAS_TAG = 1", "1:5: `HAS_TAG` cannot be the name of a variable"),
        ("unknown", "1:1: `unknown` is not known"),
        ("x += 1", "1:1: `x` is not known"),
        ("a; var a = 1", "1:1: `a` is not known"),
        ("if (1) let a = 1", "1:8: a declaration needs a block around it here"),
        ("1, 2", "1:2: the comma operator is not supported"),
        ("(1, 2)", "1:3: the comma operator is not supported"),
        ("1 & 2", "1:3: `&` is not supported here"),
        ("2 ** 3", "1:3: `**` is not supported here"),
        ("USER?.a", "1:5: `;` is missing before `?.`"),
        ("var a = 1; a++", "1:13: `++` is not supported here"),
        ("~1", "1:1: `~` is not supported here"),
        ("1 2", "1:3: `;` is missing before a number"),
        ("(1", "1:3: `)` is missing before the end"),
        ("{ 1", "1:4: `}` is missing before the end"),
        ("[1", "1:3: `,` is missing before the end"),
        ("({ 1: 2 })", "1:4: a number is not supported as the name of an entry"),
        ("var x = /a/", "1:9: a pattern is supported with `.test(..)` and as an argument only"),
        ("'a'.match(/(?=b)/)", "1:11: a pattern that looks ahead is not supported"),
        ("/a/.test()", "1:9: `test` takes one argument"),
        ("USER.", "1:6: a name is missing before the end"),
        ("if true", "1:4: `(` is missing before `true`"),
        ("a = `x`", "1:5: a template literal is not supported"),
        ("1 +", "1:4: the end is not supported here"),
    ] {
        let refusal = Script::parse(source).expect_err(source);
        assert_eq!(refusal.to_string(), message, "{source}");
    }
}

#[test]
fn a_refusal_tells_its_place_in_characters() {
    let refusal = Script::parse("'é' +\n'日本' # 1").expect_err("a refusal");
    assert_eq!((refusal.line(), refusal.column()), (2, 6));
    assert_eq!(refusal.what(), "the character `#` is not supported");
}
