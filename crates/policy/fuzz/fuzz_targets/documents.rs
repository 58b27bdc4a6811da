//! Any text is read as each of Ranger's documents, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_policy::json;
use lockgate_policy::model::{Roles, ServiceGdsInfo, ServicePolicies, ServiceTags, UserStore};

fuzz_target!(|text: &str| {
    // What is accepted leniently is JSON afterwards.
    if let Ok(strict) = json::strict(text) {
        assert!(serde_json::from_str::<serde_json::Value>(&strict).is_ok(), "{strict}");
    }
    let _policies = json::read::<ServicePolicies>(text);
    let _tags = json::read::<ServiceTags>(text);
    let _roles = json::read::<Roles>(text);
    let _users = json::read::<UserStore>(text);
    let _shares = json::read::<ServiceGdsInfo>(text);
});
