//! Changed documents: what is broken is refused or decided, never a panic; what takes rights away, takes them away.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lockgate_policy::model::{Roles, ServicePolicies};
use lockgate_policy::testing::{TestRun, run};
use lockgate_policy::{Engine, Mode, Options, Sources, json};
use serde_json::{Value, json};

use crate::agree::answer;
use crate::generate::{Case, Generator};
use crate::naive::Answer;
use crate::random::Random;

/// What is put into documents: values that mean much, and such that mean nothing.
const PIECES: &[&str] = &[
    "*",
    "?",
    "{USER}",
    "{OWNER}",
    "${{",
    "}}",
    "${{USER._name}}",
    "public",
    "null",
    "true",
    "-1",
    "1e999",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "'",
    "/*",
    "//",
    "\n",
    "select",
    "isDenyAllElse",
    "9223372036854775808",
    "é",
    "\u{1f600}",
    "[[",
    "ctx.",
];

/// A place in the text that is between two characters.
fn place(text: &str, random: &mut Random) -> usize {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The text with a few pieces put in, left out, doubled or cut off.
fn mutated(text: &str, random: &mut Random) -> String {
    let mut text = text.to_owned();
    for _ in 0..=random.below(3) {
        let (one, other) = (place(&text, random), place(&text, random));
        let near = (one + random.below(12)).min(text.len());
        let near = (one..=near).rev().find(|at| text.is_char_boundary(*at)).expect("`one` is one");
        match random.below(8) {
            0 => text.truncate(one.max(other)),
            1..=3 => text.replace_range(one..near, random.one(PIECES)),
            4 | 5 => text.insert_str(one, random.one(PIECES)),
            6 => text.replace_range(one..near, ""),
            _ => {
                let copied = text[one..near].to_owned();
                text.insert_str(other, &copied);
            }
        }
    }
    text
}

fn engine(service: ServicePolicies, roles: &Value, mode: Mode) -> Engine {
    let roles: Roles = serde_json::from_value(roles.clone()).expect("roles");
    Engine::new(&Sources { policies: service, roles, ..Sources::default() }, Options { mode, ..Options::default() })
}

#[test]
fn a_mutated_service_is_refused_or_decides() {
    let (mut refused, mut decided) = (0, 0);
    for seed in 0..1500 {
        let case = Generator::new(seed % 50).case(8);
        let mut random = Random::new(seed);
        let text = mutated(&case.service.to_string(), &mut random);
        let Ok(service) = json::read::<ServicePolicies>(&text) else {
            refused += 1;
            continue;
        };
        decided += 1;
        let engine = engine(service, &case.roles, random.one(&[Mode::Compat, Mode::Closed]));
        for request in &case.requests {
            assert_eq!(answer(&engine, request), answer(&engine, request), "{text}");
        }
    }
    assert!(refused > 100 && decided > 100, "{refused} refused, {decided} decided");
}

fn ranger_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            ranger_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn ranger_s_files_are_run_or_refused_when_they_are_mutated() {
    let folder = std::env::var("LOCKGATE_CONFORMANCE").unwrap_or_else(|_| "/work/shared/conformance".to_owned());
    let folder = Path::new(&folder).join("ranger");
    let mut files = Vec::new();
    ranger_files(&folder, &mut files);
    if files.is_empty() {
        println!("skipped: there is no file in {}", folder.display());
    }
    let now = Timestamp::from_second(1_750_000_000).expect("a time");
    let test = TestRun { mode: Mode::Closed, now, answers: None };
    for (seed, path) in (0..).zip(&files) {
        let text = fs::read_to_string(path).expect("a file");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let mut random = Random::new(seed);
        for _ in 0..12 {
            let resolve = |path: &str| fs::read_to_string(folder.join(path.trim_start_matches('/'))).ok();
            // Whether it is refused or not is all the same; it has to come back.
            let _reports = run(name, &mutated(&text, &mut random), &resolve, &test);
        }
    }
}

/// All policies of a service, those of zones and tags included.
fn for_each_policy(service: &mut Value, change: impl Fn(&mut Value)) {
    let mut lists = Vec::new();
    let Value::Object(members) = service else { return };
    for (name, member) in members.iter_mut() {
        match name.as_str() {
            "policies" => lists.push(member),
            "tagPolicies" => lists.push(&mut member["policies"]),
            "securityZones" => {
                lists.extend(member.as_object_mut().into_iter().flatten().map(|(_, zone)| &mut zone["policies"]))
            }
            _ => {}
        }
    }
    for policy in lists.into_iter().filter_map(Value::as_array_mut).flatten() {
        change(policy);
    }
}

/// How many of the requests are allowed, and how many are masked or filtered.
fn given(case: &Case) -> (usize, usize) {
    let (mut allowed, mut restricted) = (0, 0);
    for mode in [Mode::Compat, Mode::Closed] {
        let service = serde_json::from_value(case.service.clone()).expect("policies");
        let engine = engine(service, &case.roles, mode);
        for request in &case.requests {
            match answer(&engine, request) {
                Answer::Access { allowed: yes, .. } => allowed += usize::from(yes),
                Answer::Mask { mask, .. } => restricted += usize::from(mask.is_some()),
                Answer::Filter { filter, .. } => restricted += usize::from(filter.is_some()),
            }
        }
    }
    (allowed, restricted)
}

/// Changes each of many cases, and gives what was given before and after.
fn before_and_after(change: impl Fn(&mut Case)) -> ((usize, usize), (usize, usize)) {
    let mut sums = ((0, 0), (0, 0));
    for seed in 0..40 {
        let mut case = Generator::new(seed).case(40);
        let before = given(&case);
        change(&mut case);
        let after = given(&case);
        sums = ((sums.0.0 + before.0, sums.0.1 + before.1), (sums.1.0 + after.0, sums.1.1 + after.1));
    }
    assert!(sums.0.0 > 100 && sums.0.1 > 10, "the cases give something before: {sums:?}");
    sums
}

#[test]
fn disabled_policies_give_and_restrict_nothing() {
    let (_, after) =
        before_and_after(|case| for_each_policy(&mut case.service, |policy| policy["isEnabled"] = false.into()));
    assert_eq!(after, (0, 0));
}

#[test]
fn without_items_that_allow_nothing_is_allowed() {
    let (before, after) =
        before_and_after(|case| for_each_policy(&mut case.service, |policy| policy["policyItems"] = json!([])));
    assert_eq!(after, (0, before.1));
}

#[test]
fn a_deny_that_overrides_denies_everything() {
    let (_, after) = before_and_after(|case| {
        let levels = case.service["serviceDef"]["resources"].as_array().expect("levels");
        let top = levels[0]["name"].as_str().expect("a name").to_owned();
        let chains: &[&[&str]] =
            if top == "path" { &[&["path"]] } else { &[&["database", "udf"], &["database", "table", "column"]] };
        let sets: Vec<Value> = chains
            .iter()
            .map(|chain| {
                chain
                    .iter()
                    .map(|level| ((*level).to_owned(), json!({ "values": ["*"], "isRecursive": true })))
                    .collect()
            })
            .collect();
        let deny = json!({
            "id": 9999, "name": "no", "policyType": 0, "policyPriority": 2, "resources": sets[0],
            "additionalResources": sets, "denyPolicyItems": [{
                "groups": ["public"], "accesses": [{ "type": "all" }], "delegateAdmin": true,
            }],
        });
        case.service["policies"].as_array_mut().expect("policies").push(deny.clone());
        let zones = case.service.get_mut("securityZones").and_then(Value::as_object_mut);
        for (_, zone) in zones.into_iter().flatten() {
            zone["policies"].as_array_mut().expect("policies").push(deny.clone());
        }
    });
    assert_eq!(after.0, 0);
}
