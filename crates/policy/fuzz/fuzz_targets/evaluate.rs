//! Any service that can be read decides any request, in either mode, and twice the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_policy::model::{PolicyType, ServicePolicies};
use lockgate_policy::{Engine, Mode, Options, Request, Sources, Values, json};

fuzz_target!(|input: (&str, &str, &str, &str, bool)| {
    let (service, database, table, access, compat) = input;
    let Ok(policies) = json::read::<ServicePolicies>(service) else { return };
    let mode = if compat { Mode::Compat } else { Mode::Closed };
    let engine = Engine::new(&Sources { policies, ..Sources::default() }, Options { mode, ..Options::default() });
    let resource = [("database", Values::One(database)), ("table", Values::One(table))];
    let request = Request { resource: &resource, access, user: Some("anna"), groups: &["public"], ..Request::default() };
    for kind in PolicyType::ALL {
        assert_eq!(engine.evaluate(&request, kind), engine.explain(&request, kind).0);
    }
});
