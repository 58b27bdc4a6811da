//! `valid` becomes Ranger's schedules; what Ranger's validator would refuse is refused here.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use lockgate_policy::validity::{Recurrence, RecurrenceSchedule, ValidityInterval, ValiditySchedule};

use super::Checker;
use crate::Code;
use crate::raw::{EveryEntry, ValidEntry};
use crate::yaml::Checked;

/// The schedules of a policy. What is wrong is reported.
pub(super) fn compile(list: &Checked<Vec<Checked<ValidEntry>>>, checker: &mut Checker<'_>) -> Vec<ValiditySchedule> {
    let Some(entries) = &list.value else { return Vec::new() };
    if entries.is_empty() {
        let help = "say when the policy counts, or remove `valid`".to_owned();
        checker.report(Code::InvalidValue, &list.range, "the list is empty", Some(help));
    }
    entries.iter().filter_map(|entry| schedule(entry, checker)).collect()
}

/// The zone of that name; an unknown one is reported.
pub(super) fn check_zone(name: &Checked<String>, checker: &mut Checker<'_>) -> Option<TimeZone> {
    let text = name.value.as_ref()?;
    let zone = TimeZone::get(text).ok();
    if zone.is_none() {
        let message = format!("there is no time zone `{}`", checker.quote(&name.range));
        let help = "write one of the IANA database, such as `Europe/Zurich`".to_owned();
        checker.report(Code::InvalidValue, &name.range, message, Some(help));
    }
    zone
}

fn schedule(entry: &Checked<ValidEntry>, checker: &mut Checker<'_>) -> Option<ValiditySchedule> {
    let valid = entry.value.as_ref()?;
    let mut moment = |text: &Option<Checked<String>>, is_end| match text {
        None => Some(None),
        Some(text) => moment(text, is_end, checker).map(Some),
    };
    let (from, until) = (moment(&valid.from, false)?, moment(&valid.until, true)?);
    let time_zone = match &valid.time_zone {
        None => None,
        Some(zone) => check_zone(zone, checker).and(zone.value.clone()),
    };
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        let help = "write a later `until`, or an earlier `from`".to_owned();
        checker.report(Code::InvalidValue, &entry.range, "`until` is not later than `from`", Some(help));
        return None;
    }
    let recurrences = valid.every.iter().filter_map(|every| every.value.as_ref()).flatten();
    let schedule = ValiditySchedule {
        start_time: from.map(ranger_time),
        end_time: until.map(ranger_time),
        time_zone,
        recurrences: recurrences.filter_map(|every| every.value.as_ref()).map(recurrence).collect(),
    };
    // The year of a schedule without a start is that of the time it is checked at; nothing of it is kept.
    let problems = schedule.problems(Timestamp::UNIX_EPOCH.max(start_of_formats()), &TimeZone::UTC);
    for problem in &problems {
        let message = format!("this is no time at which a policy can count: {problem}");
        let help = "say `from`, `until` or `every`, with times as `2026-01-31 14:30:00`".to_owned();
        checker.report(Code::InvalidValue, &entry.range, message, Some(help));
    }
    problems.is_empty().then_some(schedule)
}

/// Schedules begin with 2017.
fn start_of_formats() -> Timestamp {
    Timestamp::from_second(1_483_228_800).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn moment(text: &Checked<String>, is_end: bool, checker: &mut Checker<'_>) -> Option<DateTime> {
    let written = text.value.as_ref()?;
    let of_date = |date: Date| if is_end { date.at(23, 59, 59, 0) } else { date.at(0, 0, 0, 0) };
    let is_date = written.len() == "2026-01-31".len();
    let read = if is_date { written.parse().ok().map(of_date) } else { written.parse().ok() };
    if read.is_none() {
        let message = format!("`{}` is no time", checker.quote(&text.range));
        let help = "write `2026-01-31` or `2026-01-31 14:30:00`".to_owned();
        checker.report(Code::InvalidValue, &text.range, message, Some(help));
    }
    read
}

fn ranger_time(time: DateTime) -> String {
    time.strftime("%Y/%m/%d %H:%M:%S").to_string()
}

fn recurrence(entry: &EveryEntry) -> Recurrence {
    let field = |field: &Option<Checked<String>>| field.as_ref().and_then(|field| field.value.clone());
    let or_any = |text: Option<String>| Some(text.unwrap_or_else(|| "*".to_owned()));
    // At the full hour, and at midnight where no hour is said.
    let or_zero = |text: Option<String>| Some(text.unwrap_or_else(|| "0".to_owned()));
    // Of two days that are written the later start counts, and any day is today: one that is not written is left out, so
    // that the other counts.
    let or_other = |text: Option<String>, other: &Option<Checked<String>>| match (text, other) {
        (None, Some(_)) => None,
        (text, _) => or_any(text),
    };
    let length = entry.length.value.as_ref();
    let number = |of: fn(&crate::raw::LengthEntry) -> Option<u32>| {
        length.and_then(of).map_or(0, |number| i32::try_from(number).unwrap_or(i32::MAX))
    };
    Recurrence {
        schedule: Some(RecurrenceSchedule {
            minute: or_zero(field(&entry.minute)),
            hour: or_zero(field(&entry.hour)),
            day_of_month: or_other(field(&entry.day_of_month), &entry.day_of_week),
            day_of_week: or_other(field(&entry.day_of_week), &entry.day_of_month),
            month: or_any(field(&entry.month)),
            year: or_any(field(&entry.year)),
        }),
        interval: Some(ValidityInterval {
            days: number(|length| length.days.as_ref().and_then(|days| days.value)),
            hours: number(|length| length.hours.as_ref().and_then(|hours| hours.value)),
            minutes: number(|length| length.minutes.as_ref().and_then(|minutes| minutes.value)),
        }),
    }
}
