//! What Ranger's own validator refuses in a schedule.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::field::Field;
use super::{Recurrence, ValiditySchedule, moment};
use crate::dates::{Reading, is_listed_zone};

/// The year of the end of a schedule that has none, as Ranger's messages name it.
const FARTHEST_YEAR: i32 = 292_278_994;

/// Something that is wrong in a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleProblem {
    field: &'static str,
    what: String,
}

impl ScheduleProblem {
    /// The field, as Ranger names it.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for ScheduleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.what)
    }
}

impl ValiditySchedule {
    /// What is wrong; a schedule without problems is valid. A schedule without a start starts `now`.
    pub fn problems(&self, now: Timestamp, server_zone: &TimeZone) -> Vec<ScheduleProblem> {
        let mut problems = Problems::default();
        let start_text = self.start_time.as_deref().filter(|text| !text.is_empty());
        let end_text = self.end_time.as_deref().filter(|text| !text.is_empty());
        if start_text.is_none() && end_text.is_none() && self.recurrences.is_empty() {
            problems.add("startTime,endTime,recurrences", "empty values");
            return problems.0;
        }
        let read =
            |text: Option<&str>, absent| text.map_or(Some(absent), |text| moment(text, server_zone, Reading::Strict));
        let (start, end) = (read(start_text, now), read(end_text, Timestamp::MAX));
        if start.is_none() {
            problems.add("startTime", "invalid value");
        }
        if end.is_none() {
            problems.add("endTime", "invalid value");
        }
        if let (Some(start), Some(end)) = (start, end) {
            let year = |at: Timestamp| i32::from(server_zone.to_datetime(at).year());
            let years = [year(start), end_text.map_or(FARTHEST_YEAR, |_| year(end))];
            self.check_range(start, end, years, &mut problems);
        }
        problems.0
    }

    fn check_range(&self, start: Timestamp, end: Timestamp, years: [i32; 2], problems: &mut Problems) {
        if start >= end {
            problems.add("startTime", "endTime is not later than startTime");
        }
        if self.time_zone.as_deref().is_some_and(|zone| !zone.trim().is_empty() && !is_listed_zone(zone)) {
            problems.add("timeZone", "invalid timeZone");
        }
        let mut all_right = problems.0.is_empty();
        for recurrence in &self.recurrences {
            let before = problems.0.len();
            check_interval(recurrence, problems);
            all_right &= problems.0.len() == before;
            // What follows something wrong is not looked at any more.
            if all_right {
                for field in Field::ALL {
                    check_field(recurrence, field, years, problems);
                }
                all_right = problems.0.is_empty();
            }
        }
    }
}

#[derive(Default)]
struct Problems(Vec<ScheduleProblem>);

impl Problems {
    fn add(&mut self, field: &'static str, what: impl Into<String>) {
        self.0.push(ScheduleProblem { field, what: what.into() });
    }
}

fn check_interval(recurrence: &Recurrence, problems: &mut Problems) {
    let (Some(interval), Some(schedule)) = (recurrence.interval, &recurrence.schedule) else {
        problems.add("recurrence", "empty schedule/interval in recurrence spec");
        return;
    };
    let inside = interval.days >= 0 && (0..=23).contains(&interval.hours) && (0..=59).contains(&interval.minutes);
    if !inside || interval.in_minutes() == 0 {
        problems.add("interval", "invalid interval");
    }
    let blank = |field: Field| field.text(schedule).trim().is_empty();
    if blank(Field::DayOfMonth) && blank(Field::DayOfWeek) {
        problems.add("validitySchedule", "empty dayOfMonth and dayOfWeek");
    }
}

fn check_field(recurrence: &Recurrence, field: Field, years: [i32; 2], problems: &mut Problems) {
    let Some(schedule) = &recurrence.schedule else { return };
    let text = field.text(schedule);
    if text.trim().is_empty() && !matches!(field, Field::DayOfMonth | Field::DayOfWeek) {
        problems.add(field.name(), "No value provided");
    }
    let known = |char: char| char.is_ascii_digit() || char.is_whitespace() || field.signs().contains(char);
    if !text.chars().all(known) {
        problems.add(field.name(), "invalid character(s)");
        return;
    }
    let before = problems.0.len();
    let text: String = text.chars().filter(|char| !char.is_whitespace()).collect();
    check_numbers(&text, field, field.written_range(), problems);
    if field == Field::Year && problems.0.len() == before {
        check_numbers(&text, field, (years[0], years[1]), problems);
    }
}

fn check_numbers(text: &str, field: Field, (least, most): (i32, i32), problems: &mut Problems) {
    let first = problems.0.len();
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for spec in text.split(',').filter(|spec| !spec.is_empty()) {
        let sides: Vec<&str> = spec.split('-').filter(|side| !side.is_empty()).collect();
        match sides.as_slice() {
            _ if spec.starts_with('-') || spec.ends_with('-') => {
                problems.add(field.name(), format!("incorrect range spec: {spec}"));
            }
            ["*"] => {}
            [one] => match number(one, field, problems) {
                Some(number) if (least..=most).contains(&number) => {}
                Some(number) => {
                    problems.add(field.name(), format!("incorrect value: {number}. Valid range: ({least}-{most})"));
                }
                None => {}
            },
            [from, to] => {
                let from = if *from == "*" { Some(least) } else { number(from, field, problems) };
                let to = if *to == "*" { Some(most) } else { number(to, field, problems) };
                if let (Some(from), Some(to)) = (from, to) {
                    check_range(field, (from, to), (least, most), first, &mut ranges, problems);
                }
            }
            _ => problems.add(field.name(), format!("incorrect range spec: {spec}")),
        }
    }
    ranges.sort_unstable();
    for (index, (_, upper)) in ranges.iter().enumerate() {
        for (lower, _) in ranges.iter().skip(index + 1) {
            if upper > lower {
                problems.add(field.name(), "overlapping range value");
            }
        }
    }
}

/// A number as it is written, which may be too long for one.
fn number(text: &str, field: Field, problems: &mut Problems) -> Option<i32> {
    let read = text.parse().ok();
    if read.is_none() {
        problems.add(field.name(), format!("incorrect value: {text}"));
    }
    read
}

/// `first` is how many problems there were before this field.
fn check_range(
    field: Field,
    (from, to): (i32, i32),
    (least, most): (i32, i32),
    first: usize,
    ranges: &mut Vec<(i32, i32)>,
    problems: &mut Problems,
) {
    if field == Field::Year {
        // One of the two may be outside.
        if from < least && to > most {
            let what = format!("incorrect range: ({from}, {to}). valid range: ({least}, {most})");
            problems.add(field.name(), what);
        }
    } else {
        for (side, number) in [("lower", from), ("upper", to)] {
            if !(least..=most).contains(&number) {
                let what = format!("incorrect {side} range: {number}. valid range: ({least}, {most})");
                problems.add(field.name(), what);
            }
        }
    }
    if problems.0.len() > first {
        return;
    }
    if from >= to {
        problems.add(field.name(), format!("incorrect range: min={from}, max={to}"));
    } else if ranges.iter().any(|(lower, upper)| *lower == from || *upper == to) {
        problems.add(field.name(), "duplicate range");
    } else {
        ranges.push((from, to));
    }
}
