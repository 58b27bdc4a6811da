//! Any text is a template that is refused, or one that is expanded.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use lockgate_policy::script::{Environment, Template, Unresolved};

struct Request;

impl Environment for Request {
    fn access_time(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn user(&self) -> Option<&str> {
        Some("anna")
    }
}

fuzz_target!(|text: &str| {
    if let Ok(template) = Template::parse(text) {
        let _strict = template.expand(&Request, Unresolved::Fault);
        let _lenient = template.expand(&Request, Unresolved::Text("null"));
    }
});
