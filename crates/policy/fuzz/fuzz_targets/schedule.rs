//! Any schedule counts or does not, at any time.
#![no_main]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use lockgate_policy::script::named_zone;
use lockgate_policy::validity::{Schedule, ValiditySchedule};

fuzz_target!(|input: (&str, &str, i64)| {
    let (text, zone, at) = input;
    let Ok(schedule) = lockgate_policy::json::read::<ValiditySchedule>(text) else { return };
    let Ok(at) = Timestamp::from_millisecond(at) else { return };
    let _applicable = Schedule::in_server_zone(&schedule, &named_zone(zone)).is_applicable(at);
    let _problems = schedule.problems(at, &TimeZone::UTC);
});
