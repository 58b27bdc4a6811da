//! Any text is a file of test cases that is refused or run.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use lockgate_policy::Mode;
use lockgate_policy::testing::{TestRun, run};

const NAMES: [&str; 5] = [
    "test_policyengine_x.json",
    "test_gds_x.json",
    "test_resourcematcher_x.json",
    "test_defaultpolicyresourcematcher.json",
    "test-validity-schedules-x.json",
];

fuzz_target!(|text: &str| {
    let test = TestRun { mode: Mode::Compat, now: Timestamp::UNIX_EPOCH, answers: None };
    for name in NAMES {
        let _reports = run(name, text, &|_| None, &test);
    }
});
