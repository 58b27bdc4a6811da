//! Any text is a script that is refused, or one that ends.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use lockgate_policy::script::{Environment, Script, ScriptTag};

struct Request;

impl Environment for Request {
    fn access_time(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn user(&self) -> Option<&str> {
        Some("anna")
    }

    fn user_groups(&self) -> Vec<&str> {
        vec!["a", "b"]
    }

    fn tags(&self) -> Vec<ScriptTag<'_>> {
        vec![ScriptTag { name: "PII", attributes: vec![("expiry", "2026/01/01"), ("x", "1,2")], match_type: "SELF" }]
    }

    fn tag(&self) -> Option<ScriptTag<'_>> {
        self.tags().pop()
    }
}

fuzz_target!(|text: &str| {
    if let Ok(script) = Script::parse(text) {
        let _value = script.evaluate(&Request);
        let _holds = script.holds(&Request);
    }
});
