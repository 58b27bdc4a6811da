//! Schedules beside what Ranger 2.9.0 answers for them, and beside a search minute by minute.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::dates::named_zone;

fn schedule(json: &str) -> ValiditySchedule {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A recurrence of the given fields in a schedule without start and end.
fn recurring(fields: [&str; 6], interval: &str) -> ValiditySchedule {
    let [minute, hour, day_of_month, day_of_week, month, year] = fields;
    schedule(&format!(
        r#"{{"recurrences": [{{"schedule": {{"minute": "{minute}", "hour": "{hour}", "dayOfMonth": "{day_of_month}",
            "dayOfWeek": "{day_of_week}", "month": "{month}", "year": "{year}"}}, "interval": {interval}}}]}}"#
    ))
}

/// A case that the Java engine answered: on a server in Los Angeles, on 2026-11-25.
#[derive(Deserialize)]
struct Answered {
    schedule: ValiditySchedule,
    at: i64,
    applicable: bool,
    problems: Vec<String>,
}

#[test]
fn schedules_count_when_ranger_says_so() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/validity-2.9.0.jsonl");
    let text = std::fs::read_to_string(file).expect("the answers");
    let (zone, now) = (named_zone("America/Los_Angeles"), at("2026-11-25T07:00:00Z"));
    let mut cases = 0;
    for line in text.lines() {
        let case: Answered = serde_json::from_str(line).expect(line);
        let read = Schedule::in_server_zone(&case.schedule, &zone);
        let at = Timestamp::from_millisecond(case.at).expect("a time");
        assert_eq!(read.is_applicable(at), case.applicable, "{line}");
        let problems: Vec<_> =
            case.schedule.problems(now, &zone).iter().map(|problem| problem.what().to_owned()).collect();
        assert_eq!(problems, case.problems, "{line}");
        cases += 1;
    }
    assert_eq!(cases, 600);
}

#[test]
fn start_and_end_belong_to_a_schedule_and_are_meant_in_its_zone() {
    let both = r#"{"startTime": "2020/01/01 00:00:00", "endTime": "2020/12/31 00:00:00", "timeZone": "ZONE"}"#;
    for (zone, first, last) in [
        ("GMT", "2020-01-01T00:00:00Z", "2020-12-31T00:00:00Z"),
        ("", "2020-01-01T00:00:00Z", "2020-12-31T00:00:00Z"),
        ("Asia/Kolkata", "2019-12-31T18:30:00Z", "2020-12-30T18:30:00Z"),
        ("Mars/Olympus", "2020-01-01T00:00:00Z", "2020-12-31T00:00:00Z"),
    ] {
        let read = Schedule::new(&schedule(&both.replace("ZONE", zone)));
        let millisecond = SignedDuration::from_millis(1);
        for (moment, expected) in
            [(at(first), true), (at(first) - millisecond, false), (at(last), true), (at(last) + millisecond, false)]
        {
            assert_eq!(read.is_applicable(moment), expected, "{zone}: {moment}");
        }
    }
}

#[test]
fn an_interval_lasts_to_its_end_and_not_longer() {
    let read = Schedule::new(&recurring(["10", "12", "", "*", "*", "*"], r#"{"hours": 2}"#));
    for (moment, expected) in [
        ("2026-06-15T12:09:59.999Z", false),
        ("2026-06-15T12:10:00Z", true),
        ("2026-06-15T14:10:00Z", true),
        ("2026-06-15T14:10:00.001Z", false),
    ] {
        assert_eq!(read.is_applicable(at(moment)), expected, "{moment}");
    }
}

#[test]
fn days_of_the_month_and_of_the_week_are_alternatives() {
    // 2026-06-15 is a Monday, which is day 2.
    let read = Schedule::new(&recurring(["0", "0", "20", "2", "*", "*"], r#"{"days": 1}"#));
    for (moment, expected) in [
        ("2026-06-15T10:00:00Z", true),
        ("2026-06-16T10:00:00Z", false),
        ("2026-06-20T10:00:00Z", true),
        ("2026-06-21T10:00:00Z", false),
    ] {
        assert_eq!(read.is_applicable(at(moment)), expected, "{moment}");
    }
}

#[test]
fn recurrences_are_meant_in_the_zone_of_the_server() {
    let schedule = recurring(["0", "12", "", "*", "*", "*"], r#"{"hours": 1}"#);
    let here = Schedule::in_server_zone(&schedule, &named_zone("America/New_York"));
    assert!(here.is_applicable(at("2026-06-15T16:30:00Z")));
    assert!(!here.is_applicable(at("2026-06-15T12:30:00Z")));
    assert!(Schedule::new(&schedule).is_applicable(at("2026-06-15T12:30:00Z")));
}

#[test]
fn any_recurrence_is_enough_and_one_without_an_interval_has_no_end() {
    let mut two = recurring(["0", "1", "", "*", "*", "*"], r#"{"minutes": 5}"#);
    assert!(!Schedule::new(&two).is_applicable(at("2026-06-15T12:00:00Z")));
    two.recurrences.push(Recurrence::default());
    assert!(Schedule::new(&two).is_applicable(at("2026-06-15T12:00:00Z")));
}

#[test]
fn what_cannot_be_read_is_told() {
    let broken_start = schedule(r#"{"startTime": "tomorrow", "endTime": "2030/01/01 00:00:00"}"#);
    let read = Schedule::new(&broken_start);
    assert_eq!(read.unreadable(), Some("`tomorrow` is no start time"));
    assert!(read.is_applicable(at("2026-06-15T12:00:00Z")), "as in Ranger, it has no start then");
    let broken_field = recurring(["x", "1", "", "*", "*", "*"], r#"{"minutes": 5}"#);
    let read = Schedule::new(&broken_field);
    assert_eq!(read.unreadable(), Some("`x` is no number in `minute`"));
    assert!(!read.is_applicable(at("2026-06-15T01:00:00Z")));
    assert_eq!(Schedule::new(&recurring(["1", "1", "*", "*", "*", "*"], r#"{"days": 1}"#)).unreadable(), None);
}

#[test]
fn a_day_that_no_month_has_ends_the_search() {
    let read = Schedule::new(&recurring(["0", "0", "32,99", "", "*", "*"], r#"{"days": 1}"#));
    assert!(!read.is_applicable(at("2026-06-15T00:00:00Z")));
}

#[test]
fn schedules_are_written_as_they_are_read() {
    for json in [
        r#"{"startTime":"2018/01/12 14:32:00","timeZone":"GMT","recurrences":[{"schedule":{"minute":"1","dayOfMonth":"*"},"interval":{"days":0,"hours":1,"minutes":0}}]}"#,
        "{}",
    ] {
        assert_eq!(serde_json::to_string(&schedule(json)).expect("JSON"), json);
    }
    let lenient = schedule(r#"{"unknown": 1, "recurrences": [{"interval": {"hours": 3}}]}"#);
    assert_eq!(
        lenient.recurrences.first().and_then(|recurrence| recurrence.interval).map(|interval| interval.hours),
        Some(3)
    );
}

proptest! {
    // With several minutes, Ranger takes the closest minute and the closest hour, which need not be the closest start.
    #[test]
    fn the_closest_start_is_that_of_a_search_minute_by_minute(
        minutes in prop::collection::btree_set(0_i8..60, 1..2),
        hours in prop::collection::btree_set(0_i8..24, 1..4),
        lasts in 1_i64..1440,
        moment in 1_500_000_000_i64..1_900_000_000,
    ) {
        let list = |numbers: &std::collections::BTreeSet<i8>| {
            numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        let interval = format!(r#"{{"hours": {}, "minutes": {}}}"#, lasts / 60, lasts % 60);
        let read = Schedule::new(&recurring([&list(&minutes), &list(&hours), "", "*", "*", "*"], &interval));
        let moment = Timestamp::from_second(moment).expect("a time");
        // The start of the minute that began some minutes ago.
        let minute = |ago: i64| Timestamp::from_second((moment.as_second() / 60 - ago) * 60).expect("a time");
        let starts = |start: Timestamp| {
            let local = TimeZone::UTC.to_datetime(start);
            minutes.contains(&local.minute()) && hours.contains(&local.hour())
        };
        let lasts_still = |start: Timestamp| start + SignedDuration::from_mins(lasts) >= moment;
        let expected = (0..=1440).map(minute).any(|start| starts(start) && lasts_still(start));
        prop_assert_eq!(read.is_applicable(moment), expected);
    }

    #[test]
    fn any_schedule_ends_with_an_answer(
        texts in prop::array::uniform6("[0-9*, -]{0,12}|\\PC{0,6}"),
        start in "[0-9/: ]{0,20}|\\PC{0,6}",
        zone in "[A-Za-z/+-:0-9]{0,12}",
        (days, hours, minutes) in (any::<i32>(), any::<i32>(), any::<i32>()),
        moment in -100_000_000_000_000_i64..200_000_000_000_000,
    ) {
        let [minute, hour, day_of_month, day_of_week, month, year] = texts.map(Some);
        let recurrence = Recurrence {
            schedule: Some(RecurrenceSchedule { minute, hour, day_of_month, day_of_week, month, year }),
            interval: Some(ValidityInterval { days, hours, minutes }),
        };
        let schedule = ValiditySchedule {
            start_time: Some(start), end_time: None, time_zone: Some(zone), recurrences: vec![recurrence],
        };
        let moment = Timestamp::from_millisecond(moment).expect("a time");
        let read = Schedule::in_server_zone(&schedule, &named_zone("Europe/Berlin"));
        if read.is_applicable(moment) {
            prop_assert!(read.end().is_none_or(|end| moment <= end));
        }
        prop_assert_eq!(schedule.problems(moment, &TimeZone::UTC), schedule.problems(moment, &TimeZone::UTC));
    }
}
