//! Which start of a recurring interval is the closest before an access, and whether the interval still lasts.
//!
//! The start is found field by field, from the minute up, borrowing from the next field where a field has no number
//! that is small enough. Ranger's rounding is kept where it is peculiar, because it decides who may: a borrowed day
//! inside of a month is not taken off the day of the month, and the later of the starts by day of month and by day of
//! week counts.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use super::field::{Field, Numbers};
use super::{Recurrence, ValidityInterval};
use crate::dates::at_wall_clock;

/// How many months back a day of the month is looked for: no day is further away than from one leap year to the
/// one after the next.
const MONTHS_BACK_MAX: usize = 100;

/// A recurrence that was read.
#[derive(Debug, Clone)]
pub(super) enum Recurring {
    /// It has no interval, and so no end.
    Always,
    /// It can't be read.
    Never,
    Intervals(Box<Intervals>),
}

#[derive(Debug, Clone)]
pub(super) struct Intervals {
    interval: ValidityInterval,
    minute: Numbers,
    hour: Numbers,
    /// None if nothing is written for it.
    day_of_month: Option<Numbers>,
    day_of_week: Option<Numbers>,
    month: Numbers,
    year: Numbers,
}

/// A number of a field, and whether the next field has to give one up.
#[derive(Clone, Copy)]
struct Closest {
    number: i32,
    borrowed: bool,
}

impl Recurring {
    pub(super) fn new(recurrence: &Recurrence) -> Result<Self, String> {
        let interval = recurrence.interval.unwrap_or_default();
        if interval.in_minutes() <= 0 {
            return Ok(Self::Always);
        }
        let schedule = recurrence.schedule.as_ref().ok_or("a recurrence has an interval and no schedule")?;
        let numbers = |field: Field| Numbers::new(field, field.text(schedule));
        let said = |field: Field| (!field.text(schedule).trim().is_empty()).then(|| numbers(field)).transpose();
        Ok(Self::Intervals(Box::new(Intervals {
            interval,
            minute: numbers(Field::Minute)?,
            hour: numbers(Field::Hour)?,
            day_of_month: said(Field::DayOfMonth)?,
            day_of_week: said(Field::DayOfWeek)?,
            month: numbers(Field::Month)?,
            year: numbers(Field::Year)?,
        })))
    }

    /// Whether an interval lasts at that moment, on the clock of `zone`.
    pub(super) fn covers(&self, at: Timestamp, zone: &TimeZone) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Intervals(intervals) => intervals.covers(at, zone).unwrap_or(false),
        }
    }
}

impl Intervals {
    /// None if there is no start.
    fn covers(&self, at: Timestamp, zone: &TimeZone) -> Option<bool> {
        let now = zone.to_datetime(at);
        let start = at_wall_clock(self.closest_start(now)?, zone)?;
        let hours = i64::from(self.interval.hours) * 60 + i64::from(self.interval.minutes);
        let without_days = start.checked_add(SignedDuration::from_mins(hours)).ok()?;
        let days = Span::new().try_days(self.interval.days).ok()?;
        let end = at_wall_clock(zone.to_datetime(without_days).checked_add(days).ok()?, zone)?;
        let milliseconds = at.as_millisecond();
        Some(start.as_millisecond() <= milliseconds && milliseconds <= end.as_millisecond())
    }

    /// The closest start before `now`, or one that Ranger takes for it.
    fn closest_start(&self, now: DateTime) -> Option<DateTime> {
        let minute = closest(&self.minute, Field::Minute, i32::from(now.minute()))?;
        let hour = closest(&self.hour, Field::Hour, i32::from(now.hour()) - i32::from(minute.borrowed))?;
        let by_month = self.day_of_month.as_ref().map(|days| by_day_of_month(days, now, minute, hour));
        let by_week = self.day_of_week.as_ref().map(|days| by_day_of_week(days, now, minute, hour));
        // Where both are written, both must be found.
        let by_month = by_month.map(|start| self.in_month_and_year(start?));
        let by_week = by_week.map(|start| self.in_month_and_year(start?));
        match (by_month, by_week) {
            (Some(by_month), Some(by_week)) => Some(by_month?.max(by_week?)),
            (Some(start), None) | (None, Some(start)) => start,
            (None, None) => None,
        }
    }

    fn in_month_and_year(&self, start: DateTime) -> Option<DateTime> {
        let month = closest(&self.month, Field::Month, i32::from(start.month()) - 1)?;
        let year = closest(&self.year, Field::Year, i32::from(start.year()) - i32::from(month.borrowed))?;
        civil(year.number, month.number, i32::from(start.day()), i32::from(start.hour()), i32::from(start.minute()))
    }
}

fn closest(numbers: &Numbers, field: Field, now: i32) -> Option<Closest> {
    let (number, borrowed) = numbers.closest(field, now, field.range().1)?;
    Some(Closest { number, borrowed })
}

/// A day whose fields may lie beyond their ranges: they carry over. Months are counted from 0.
fn civil(year: i32, month: i32, day: i32, hour: i32, minute: i32) -> Option<DateTime> {
    let year = i16::try_from(year.checked_add(month.div_euclid(12))?).ok()?;
    let first = Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
    let date = first.checked_add(Span::new().try_days(day - 1).ok()?).ok()?;
    let time = Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?;
    Some(DateTime::from_parts(date, time))
}

fn days_in_month_before(date: Date) -> Option<i32> {
    Some(i32::from(date.checked_sub(Span::new().months(1)).ok()?.days_in_month()))
}

fn by_day_of_month(days: &Numbers, now: DateTime, minute: Closest, hour: Closest) -> Option<DateTime> {
    let mut from = now.date();
    if hour.borrowed && from.day() == 1 {
        from = from.yesterday().ok()?;
    }
    for _ in 0..MONTHS_BACK_MAX {
        let (year, month) = (i32::from(from.year()), i32::from(from.month()) - 1);
        if let Some((day, borrowed)) =
            days.closest(Field::DayOfMonth, i32::from(from.day()), days_in_month_before(from)?)
        {
            return civil(year, month - i32::from(borrowed), day, hour.number, minute.number);
        }
        from = from.checked_sub(Span::new().months(1)).ok()?;
    }
    None
}

fn by_day_of_week(days: &Numbers, now: DateTime, minute: Closest, hour: Closest) -> Option<DateTime> {
    let today = i32::from(now.weekday().to_sunday_one_offset());
    let borrowed = i32::from(hour.borrowed);
    let day = closest(days, Field::DayOfWeek, today - borrowed)?;
    let back = match (day.borrowed, today - day.number) {
        (true, back) if back == borrowed => borrowed,
        (true, back) => 7 + back,
        (false, back) => back,
    };
    let date = now.date();
    civil(i32::from(date.year()), i32::from(date.month()) - 1, i32::from(date.day()) - back, hour.number, minute.number)
}
