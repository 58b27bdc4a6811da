//! The engine decides as the naive evaluator does.

use jiff::Timestamp;
use lockgate_policy::model::{PolicyType, Roles, ServicePolicies, UserStore};
use lockgate_policy::validity::Schedule;
use lockgate_policy::{
    Decision, Engine, MatchType, Mode, Options, Request, RequestedAccesses, ResourceScope, ResourceTag, Sources,
    TagData, Values,
};
use serde_json::{Value, json};

use crate::generate::{Case, Generator};
use crate::naive::{Answer, Question, Who};

/// How many services are made, and how many requests to each.
const SERVICES: u64 = 700;
const REQUESTS: usize = 60;

pub(crate) fn engine(case: &Case, mode: Mode) -> Engine {
    let policies: ServicePolicies = serde_json::from_value(case.service.clone()).expect("policies");
    let roles: Roles = serde_json::from_value(case.roles.clone()).expect("roles");
    let users = UserStore {
        user_attr_mapping: serde_json::from_value(case.users.clone()).expect("users"),
        ..UserStore::default()
    };
    Engine::new(
        &Sources { policies, roles, user_store: Some(users), ..Sources::default() },
        Options { mode, ..Options::default() },
    )
}

fn tag(tag: &Value) -> ResourceTag {
    let match_type = match tag["matchType"].as_str() {
        Some("SELF") => MatchType::Itself,
        Some("SELF_AND_ALL_DESCENDANTS") => MatchType::ItselfAndBelow,
        Some("ANCESTOR") => MatchType::Above,
        other => panic!("{other:?} is not made by the generator"),
    };
    let validity: Vec<lockgate_policy::validity::ValiditySchedule> =
        serde_json::from_value(tag["validityPeriods"].clone()).expect("periods");
    let tag = TagData {
        kind: tag["type"].as_str().expect("a tag has a type").to_owned(),
        attributes: serde_json::from_value(tag["attributes"].clone()).expect("attributes"),
        validity: validity.iter().map(Schedule::new).collect(),
    };
    ResourceTag { tag, match_type }
}

/// Asks the engine what a request says.
fn ask<T>(request: &Value, call: impl FnOnce(&Request<'_>, PolicyType) -> T) -> T {
    let texts = |name: &str| -> Vec<&str> {
        request[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let resource = request["resource"].as_object().expect("a resource");
    let several: Vec<Vec<&str>> = resource
        .values()
        .map(|value| value.as_array().into_iter().flatten().filter_map(Value::as_str).collect())
        .collect();
    let resource: Vec<(&str, Values<'_>)> = resource
        .iter()
        .zip(&several)
        .map(|((level, value), several)| (level.as_str(), value.as_str().map_or(Values::Many(several), Values::One)))
        .collect();
    let tags: Vec<ResourceTag> = request["tags"].as_array().into_iter().flatten().map(tag).collect();
    let (groups, accesses) = (texts("groups"), texts("accesses"));
    let each: Vec<&[&str]> = accesses.chunks(1).collect();
    let asked = Request {
        resource: &resource,
        owner: request["owner"].as_str(),
        access: request["access"].as_str().expect("an access type"),
        accesses: RequestedAccesses {
            all: &accesses,
            groups: if request["each"] == true { &each } else { &[] },
            ..RequestedAccesses::default()
        },
        user: request["user"].as_str(),
        groups: &groups,
        at: Timestamp::from_millisecond(request["at"].as_i64().expect("a time")).expect("a time"),
        scope: match request["scope"].as_str() {
            Some(_) => ResourceScope::ItselfOrBelow,
            None => ResourceScope::Itself,
        },
        tags: request["tags"].is_array().then_some(tags.as_slice()),
        ..Request::default()
    };
    let kind = match request["kind"].as_str().expect("a kind") {
        "mask" => PolicyType::DataMask,
        "filter" => PolicyType::RowFilter,
        _ => PolicyType::Access,
    };
    call(&asked, kind)
}

/// What the engine answers, in the naive evaluator's words.
pub(crate) fn answer(engine: &Engine, request: &Value) -> Answer {
    ask(request, |asked, kind| {
        let decision = engine.evaluate(asked, kind);
        let (policy, audited) = (decision.policy_id, decision.is_audited);
        match kind {
            PolicyType::DataMask => {
                let mask = decision.mask.filter(|mask| !mask.is_clear());
                let value = mask.as_ref().and_then(|mask| mask.value.as_deref()).map(str::to_owned);
                Answer::Mask { mask: mask.and_then(|mask| mask.kind).map(str::to_owned), value, audited, policy }
            }
            PolicyType::RowFilter => Answer::Filter {
                filter: decision.filter.filter(|filter| !filter.is_empty()).map(|filter| filter.into_owned()),
                audited,
                policy,
            },
            PolicyType::Access => Answer::Access { allowed: decision.is_allowed, audited, policy },
        }
    })
}

pub(crate) fn naive(case: &Case, request: &Value) -> Answer {
    Question { service: &case.service, request, who: Who::new(request, &case.roles, &case.users) }.answer()
}

#[test]
fn the_engine_answers_as_the_naive_evaluator() {
    let (mut asked, mut allowed, mut masked, mut filtered) = (0, 0, 0, 0);
    let mut differences = Vec::new();
    for seed in 0..SERVICES {
        let case = Generator::new(seed).case(REQUESTS);
        let engine = engine(&case, Mode::Compat);
        for request in &case.requests {
            let (expected, found) = (naive(&case, request), answer(&engine, request));
            asked += 1;
            match &expected {
                Answer::Access { allowed: yes, .. } => allowed += usize::from(*yes),
                Answer::Mask { mask, .. } => masked += usize::from(mask.is_some()),
                Answer::Filter { filter, .. } => filtered += usize::from(filter.is_some()),
            }
            if expected != found {
                differences.push(format!("seed {seed}: {request}\n  naive  {expected:?}\n  engine {found:?}"));
            }
        }
    }
    // The generator makes cases of every kind, else agreement would say nothing.
    assert!(allowed > asked / 20 && masked > asked / 200 && filtered > asked / 200, "{allowed}, {masked}, {filtered}");
    let shown: Vec<_> = differences.iter().take(10).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} of {asked} differ:\n{}", differences.len(), shown.join("\n"));
}

#[test]
fn nothing_more_is_allowed_in_closed_mode() {
    for seed in 0..SERVICES / 3 {
        let case = Generator::new(seed).case(REQUESTS);
        let (compat, closed) = (engine(&case, Mode::Compat), engine(&case, Mode::Closed));
        for request in &case.requests {
            match (answer(&compat, request), answer(&closed, request)) {
                (Answer::Access { allowed: false, .. }, Answer::Access { allowed: true, .. })
                | (Answer::Mask { mask: Some(_), .. }, Answer::Mask { mask: None, .. })
                | (Answer::Filter { filter: Some(_), .. }, Answer::Filter { filter: None, .. }) => {
                    panic!("seed {seed}: {request} is given more in closed mode");
                }
                _ => {}
            }
        }
    }
}

/// Who wants to know how a decision comes about gets it the long way: every policy that may match is looked at and
/// compared, and tags are always looked up.
#[test]
fn what_is_found_the_short_way_is_what_is_found_the_long_way() {
    for seed in 0..SERVICES / 2 {
        let case = Generator::new(seed).case(REQUESTS);
        let engines = [Mode::Compat, Mode::Closed].map(|mode| engine(&case, mode));
        for (at, request) in case.requests.iter().enumerate() {
            let mut request = request.clone();
            match at % 12 {
                0 if request["kind"] == "access" => request["accesses"] = json!(["update", "select"]),
                1 if request["kind"] == "access" => {
                    (request["accesses"], request["each"]) = (json!(["drop", "select", "none"]), true.into());
                }
                2 => request["access"] = "SELECT".into(),
                3 => request["access"] = "none".into(),
                4 => request["user"] = "nobody".into(),
                5 | 6 => {
                    let every = [json!("*"), json!(""), json!(["*"]), json!(["db1", "t2", "/a", "/A/b"])];
                    for (level, value) in request["resource"].as_object_mut().into_iter().flatten() {
                        *value = every[(at + level.len()) % every.len()].clone();
                    }
                }
                _ => {}
            }
            for engine in &engines {
                let [short, long] = ask(&request, |asked, kind| {
                    [engine.evaluate(asked, kind), engine.explain(asked, kind).0].map(|found| {
                        // How many were looked at is what differs.
                        format!("{:?}", Decision { evaluated: 0, ..found })
                    })
                });
                assert_eq!(short, long, "seed {seed}: {request}");
            }
        }
    }
}
