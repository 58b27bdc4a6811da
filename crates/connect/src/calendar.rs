//! Dates and instants between text and numbers, exact in the proleptic Gregorian calendar of ISO 8601.
//!
//! Days count from 1970-01-01, instants are microseconds from its midnight in UTC. Years run from 0000 to 9999, the
//! four digits that ISO 8601 and RFC 3339 give them; anything outside has no text and is refused.

/// Days before 1970-01-01 of 0000-03-01, the beginning of a 400-year era in which leap days come last.
const ERA_OFFSET_DAYS: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;
const YEARS_PER_ERA: i64 = 400;
/// Microseconds of one day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Reads `YYYY-MM-DD` (ISO 8601, calendar date, extended format) of a day that exists.
pub(crate) fn parse_date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    days_from_civil(year, two(*m1, *m2)?, two(*d1, *d2)?)
}

/// Reads a timestamp of RFC 3339, section 5.6, to the microsecond.
///
/// Between date and time stands `T`, `t` or a space; a missing offset means UTC. Refused: a leap second, since no
/// count of microseconds names it, and a fraction finer than a microsecond, since it would be lost.
pub(crate) fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    let (time, rest) = rest.split_at_checked(9)?;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = time else { return None };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, zone) = fraction_micros(rest)?;
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - offset_seconds(zone)?;
    Some(i64::from(days) * DAY_MICROS + seconds * 1_000_000 + fraction)
}

/// Writes `YYYY-MM-DD`; `false`, with nothing written, outside the years 0000 to 9999.
pub(crate) fn write_date(days: i32, text: &mut String) -> bool {
    let Some((year, month, day)) = civil_from_days(i64::from(days)) else { return false };
    digits(text, year, 4);
    text.push('-');
    digits(text, month, 2);
    text.push('-');
    digits(text, day, 2);
    true
}

/// Writes `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always with six digits, so that texts sort as instants do; `false`, with
/// nothing written, outside the years 0000 to 9999.
pub(crate) fn write_timestamp(micros: i64, text: &mut String) -> bool {
    let (days, in_day) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    if !i32::try_from(days).is_ok_and(|days| write_date(days, text)) {
        return false;
    }
    let (seconds, fraction) = (in_day / 1_000_000, in_day % 1_000_000);
    for (before, value, width) in
        [('T', seconds / 3600, 2), (':', seconds / 60 % 60, 2), (':', seconds % 60, 2), ('.', fraction, 6)]
    {
        text.push(before);
        digits(text, value, width);
    }
    text.push('Z');
    true
}

/// Two ASCII digits as a number.
fn two(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

/// A fraction of a second in microseconds and what follows it; no fraction is zero.
fn fraction_micros(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(after_point) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = after_point.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = after_point.split_at(length);
    let (kept, lost) = fraction.split_at(length.min(6));
    if length == 0 || lost.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let micros =
        (0..6).fold(0, |micros, place| micros * 10 + kept.get(place).map_or(0, |digit| i64::from(digit - b'0')));
    Some((micros, rest))
}

/// The offset from UTC in seconds: `Z`, `z`, `+HH:MM`, `-HH:MM`, or nothing, which is UTC.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    match text {
        b"" | b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            let seconds = i64::from(hours * 3600 + minutes * 60);
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_from_civil(year: u32, month: u32, day: u32) -> Option<i32> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (i64::from(year), month - 3) } else { (i64::from(year) - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(YEARS_PER_ERA), year.rem_euclid(YEARS_PER_ERA));
    let of_year = i64::from((153 * month + 2) / 5 + day - 1);
    let days = era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - ERA_OFFSET_DAYS;
    i32::try_from(days).ok()
}

fn civil_from_days(days: i64) -> Option<(i64, i64, i64)> {
    let days = days + ERA_OFFSET_DAYS;
    let (era, of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * YEARS_PER_ERA + year_of_era + i64::from(month <= 2);
    (0..=9999).contains(&year).then_some((year, month, day))
}

fn digits(text: &mut String, value: impl Into<i64>, width: u32) {
    let value = value.into();
    (0..width).rev().for_each(|place| text.push(char::from(b'0' + (value / 10i64.pow(place) % 10) as u8)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::compute::kernels::cast_utils::{Parser, string_to_timestamp_nanos};
    use arrow::datatypes::Date32Type;

    #[test]
    fn every_day_of_the_years_0000_to_9999_goes_to_text_and_back_in_order() {
        let mut text = String::new();
        let first = parse_date(b"0000-01-01").unwrap();
        let last = parse_date(b"9999-12-31").unwrap();
        assert_eq!((first, last), (-719_528, 2_932_896));
        for days in first..=last {
            text.clear();
            assert!(write_date(days, &mut text));
            assert_eq!(parse_date(text.as_bytes()), Some(days), "{text}");
            if days % 97 == 0 {
                assert_eq!(Date32Type::parse(&text), Some(days), "{text}");
            }
        }
        text.clear();
        assert!(!write_date(first - 1, &mut text) && !write_date(last + 1, &mut text) && text.is_empty());
        assert!(!write_date(i32::MAX, &mut text) && !write_timestamp(i64::MAX, &mut text) && text.is_empty());
    }

    #[test]
    fn only_existing_days_in_the_extended_format_are_dates() {
        for wrong in [
            "",
            "2024-2-01",
            "2024-02-30",
            "2023-02-29",
            "1900-02-29",
            "2024-00-10",
            "2024-13-01",
            "2024-01-00",
            "2024-04-31",
            "20240101",
            "2024/01/01",
            "2024-01-01 ",
            "+2024-01-01",
            "02024-01-01",
            "2024-01-0x",
        ] {
            assert_eq!(parse_date(wrong.as_bytes()), None, "{wrong}");
        }
        assert!(parse_date(b"2000-02-29").is_some() && parse_date(b"2024-02-29").is_some());
    }

    #[test]
    fn timestamps_agree_with_an_independent_parser() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2024-02-29T23:59:59.123456Z",
            "2024-02-29 23:59:59.1+05:30",
            "1969-12-31t23:59:59.999999z",
            "2024-01-01T00:00:00-23:59",
            "2024-06-30T12:00:00.000001000+00:00",
        ] {
            let nanos = string_to_timestamp_nanos(&text.to_uppercase()).unwrap();
            assert_eq!(parse_timestamp(text.as_bytes()), Some(nanos.div_euclid(1000)), "{text}");
        }
        assert_eq!(parse_timestamp(b"1970-01-01T00:00:00"), Some(0), "no offset is UTC");
        for wrong in [
            "",
            "2024-01-01",
            "2024-01-01T",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567Z",
            "2024-01-01T00:00:00+0530",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00 Z",
            "2024-01-01T00:00:00Zx",
            "2024-01-01_00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn instants_go_to_text_and_back() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_709_251_199_000_001, "2024-02-29T23:59:59.000001Z"),
        ] {
            let mut text = String::new();
            assert!(write_timestamp(micros, &mut text));
            assert_eq!(text, expected);
            assert_eq!(parse_timestamp(text.as_bytes()), Some(micros));
        }
    }
}
