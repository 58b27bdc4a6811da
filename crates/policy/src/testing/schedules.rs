//! Files with validity schedules: `[{ validitySchedules, accessTime, result: { isValid, isApplicable, … } }]`

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::CaseReport;
use super::request::read_time;
use crate::dates::named_zone;
use crate::json::{ReadError, read};
use crate::validity::{Schedule, ScheduleProblem, ValiditySchedule};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScheduleCase {
    name: String,
    validity_schedules: Vec<ValiditySchedule>,
    access_time: Option<String>,
    result: ScheduleResult,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScheduleResult {
    is_valid: bool,
    validation_failure_count: usize,
    is_applicable: bool,
}

impl ScheduleResult {
    fn text(&self) -> String {
        format!(
            "valid {}, {} problems, applicable {}",
            self.is_valid, self.validation_failure_count, self.is_applicable
        )
    }
}

pub(super) fn run(text: &str) -> Result<Vec<CaseReport>, ReadError> {
    let cases: Vec<ScheduleCase> = read(text)?;
    let zone = named_zone("PST");
    Ok(cases.iter().map(|case| run_case(case, &zone)).collect())
}

/// Problems are told of all schedules; that one covers the access is enough.
fn run_case(case: &ScheduleCase, zone: &TimeZone) -> CaseReport {
    let at = case.access_time.as_deref().and_then(read_time);
    let problems: Vec<ScheduleProblem> =
        case.validity_schedules.iter().flat_map(|schedule| schedule.problems(at.unwrap_or_default(), zone)).collect();
    let covers = |schedule: &ValiditySchedule| {
        let schedule = Schedule::in_server_zone(schedule, zone);
        at.is_some_and(|at| schedule.is_applicable(at))
    };
    let found = ScheduleResult {
        is_valid: problems.is_empty(),
        validation_failure_count: problems.len(),
        is_applicable: problems.is_empty() && case.validity_schedules.iter().any(covers),
    };
    CaseReport::compare(&case.name, case.result.text(), found.text(), || {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })
}
