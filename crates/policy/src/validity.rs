//! When a policy or tag counts: from a start to an end, and within recurring intervals, exactly as Ranger tells it.
//!
//! ```text
//! startTime ───┬────interval────┬───────────┬────interval────┬─── endTime
//!              └ recurrence: minute, hour, day, month, year   └ the closest one before the access decides
//! ```
//! Start and end belong to the schedule, and are meant in its time zone. Recurrences are meant in the server's zone,
//! whatever the schedule's own is; that is Ranger's rule. What can't be read is none: an unreadable start leaves the
//! schedule open, so [`Schedule::unreadable`] says it, and [`ValiditySchedule::problems`] what Ranger's own validator
//! would refuse.

mod field;
mod recurrence;
mod validate;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::dates::{DateFormat, Reading, named_zone};
use recurrence::Recurring;
pub use validate::ScheduleProblem;

const DATE_TIME: &str = "yyyy/MM/dd HH:mm:ss";

/// A schedule as Ranger writes it (`RangerValiditySchedule`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ValiditySchedule {
    /// `2018/01/12 14:32:00`; nothing for the beginning of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// The same for the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// The zone of both, GMT if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Any of which must cover the access, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recurrences: Vec<Recurrence>,
}

/// An interval that starts again and again (`RangerValidityRecurrence`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Recurrence {
    /// When it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<RecurrenceSchedule>,
    /// How long it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<ValidityInterval>,
}

/// When an interval starts. Each field is `*`, or numbers and ranges with commas between them: `1-3,5`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RecurrenceSchedule {
    /// 0 to 59
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minute: Option<String>,
    /// 0 to 23
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<String>,
    /// 1 to 31
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_of_month: Option<String>,
    /// 1 (Sunday) to 7
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_of_week: Option<String>,
    /// 1 to 12
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// 2017 to 2100
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<String>,
}

/// How long an interval is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValidityInterval {
    /// Days.
    pub days: i32,
    /// Hours besides.
    pub hours: i32,
    /// Minutes besides.
    pub minutes: i32,
}

impl ValidityInterval {
    fn in_minutes(self) -> i64 {
        (i64::from(self.days) * 24 + i64::from(self.hours)) * 60 + i64::from(self.minutes)
    }
}

/// A schedule that was read.
#[derive(Debug, Clone)]
pub struct Schedule {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    recurring: Box<[Recurring]>,
    server_zone: TimeZone,
    unreadable: Option<Box<str>>,
}

impl Schedule {
    /// A schedule on a server whose zone is UTC.
    pub fn new(schedule: &ValiditySchedule) -> Self {
        Self::in_server_zone(schedule, &TimeZone::UTC)
    }

    /// A schedule on a server in that zone.
    pub fn in_server_zone(schedule: &ValiditySchedule, server_zone: &TimeZone) -> Self {
        let mut unreadable = None;
        let mut readable = |what: &str, text: Option<&str>, read: Option<Timestamp>| {
            if let (Some(text), None) = (text.filter(|text| !text.is_empty()), read) {
                unreadable.get_or_insert_with(|| format!("`{text}` is no {what}").into_boxed_str());
            }
            read
        };
        let zone =
            schedule.time_zone.as_deref().filter(|zone| !zone.trim().is_empty()).map_or(TimeZone::UTC, named_zone);
        let moment = |text: Option<&str>| {
            moment(text?, server_zone, Reading::Lenient).map(|read| in_zone(read, server_zone, &zone))
        };
        let (start, end) = (schedule.start_time.as_deref(), schedule.end_time.as_deref());
        let start = readable("start time", start, moment(start));
        let end = readable("end time", end, moment(end));
        let mut recurring = Vec::new();
        for recurrence in &schedule.recurrences {
            match Recurring::new(recurrence) {
                Ok(read) => recurring.push(read),
                Err(what) => {
                    unreadable.get_or_insert(what.into_boxed_str());
                    recurring.push(Recurring::Never);
                }
            }
        }
        Self { start, end, recurring: recurring.into(), server_zone: server_zone.clone(), unreadable }
    }

    /// Whether an access at that moment is covered.
    pub fn is_applicable(&self, at: Timestamp) -> bool {
        let milliseconds = at.as_millisecond();
        let after_start = self.start.is_none_or(|start| milliseconds >= start.as_millisecond());
        let before_end = self.end.is_none_or(|end| milliseconds <= end.as_millisecond());
        let covers = |recurring: &Recurring| recurring.covers(at, &self.server_zone);
        after_start && before_end && (self.recurring.is_empty() || self.recurring.iter().any(covers))
    }

    /// What of the schedule can't be read, so that it counts longer or less long than was meant.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// When it ends, if it does.
    pub fn end(&self) -> Option<Timestamp> {
        self.end
    }
}

fn moment(text: &str, zone: &TimeZone, reading: Reading) -> Option<Timestamp> {
    DateFormat::new(DATE_TIME)?.read(text, zone, reading)
}

/// A moment that was read on the clock of `from`, on the clock of `to`: by the offsets at the moment as it was read.
/// Ranger takes the beginning of 1970 and what is before it for no moment, and leaves it as it is.
fn in_zone(read: Timestamp, from: &TimeZone, to: &TimeZone) -> Timestamp {
    if read.as_millisecond() <= 0 {
        return read;
    }
    let shift = i64::from(from.to_offset(read).seconds() - to.to_offset(read).seconds()) * 1000;
    Timestamp::from_millisecond(read.as_millisecond().saturating_add(shift)).unwrap_or(read)
}
