//! One pattern of `SimpleDateFormat`, and the reading of a text by it.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::zone::{at_wall_clock, is_in_gap, known_zone};

/// How strictly fields are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Only what a calendar has.
    Strict,
    /// A field beyond its range carries over into the next.
    Lenient,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    MonthName,
    Day,
    DayName,
    HalfDay,
    /// 0 to 23
    Hour,
    /// 1 to 24
    HourOfDay1,
    /// 0 to 11
    HourOfHalf0,
    /// 1 to 12
    HourOfHalf,
    Minute,
    Second,
    Millisecond,
    /// A name, `GMT+1:00` or `+0100`
    Zone,
    /// `Z`, `+01`, `+0100` or `+01:00`, by the number of letters
    IsoZone(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `exact` is how many digits it has where the next field follows at once.
    Field {
        field: Field,
        exact: Option<usize>,
    },
}

/// A pattern that can be read.
#[derive(Debug, Clone)]
pub(crate) struct DateFormat {
    pieces: Vec<Piece>,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Field {
    fn of(letter: char, count: usize) -> Option<Self> {
        Some(match letter {
            'y' if count > 2 => Self::Year,
            'M' if count > 2 => Self::MonthName,
            'M' => Self::Month,
            'd' => Self::Day,
            'E' => Self::DayName,
            'a' => Self::HalfDay,
            'H' => Self::Hour,
            'k' => Self::HourOfDay1,
            'K' => Self::HourOfHalf0,
            'h' => Self::HourOfHalf,
            'm' => Self::Minute,
            's' => Self::Second,
            'S' => Self::Millisecond,
            'z' | 'Z' => Self::Zone,
            'X' if count <= 3 => Self::IsoZone(count),
            _ => return None,
        })
    }

    fn is_number(self) -> bool {
        !matches!(self, Self::MonthName | Self::DayName | Self::HalfDay | Self::Zone | Self::IsoZone(_))
    }
}

impl DateFormat {
    /// None if it is no pattern, or one that needs a clock or a week calendar.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(char) = rest.next() {
            let literal = match char {
                '\'' => quoted(&mut rest)?,
                letter if letter.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while rest.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    pieces.push(Piece::Field { field: Field::of(letter, count)?, exact: None });
                    counts.push(count);
                    continue;
                }
                other => other.to_string(),
            };
            match pieces.last_mut() {
                Some(Piece::Literal(before)) => before.push_str(&literal),
                _ => {
                    pieces.push(Piece::Literal(literal));
                    counts.push(0);
                }
            }
        }
        let number = |piece: Option<&Piece>| matches!(piece, Some(Piece::Field { field, .. }) if field.is_number());
        let joined: Vec<bool> =
            (0..pieces.len()).map(|at| number(pieces.get(at)) && number(pieces.get(at + 1))).collect();
        for ((piece, count), joined) in pieces.iter_mut().zip(counts).zip(joined) {
            if let Piece::Field { exact, .. } = piece
                && joined
            {
                *exact = Some(count);
            }
        }
        Some(Self { pieces })
    }

    /// The moment that `text` begins with; `zone` is that of a text which names none.
    pub(crate) fn read(&self, text: &str, zone: &TimeZone, reading: Reading) -> Option<Timestamp> {
        let mut found = Found::default();
        let mut rest = text;
        for piece in &self.pieces {
            rest = match piece {
                Piece::Literal(literal) => rest.strip_prefix(literal.as_str())?,
                Piece::Field { field, exact } => {
                    let rest = rest.trim_start_matches([' ', '\t']);
                    if field.is_number() {
                        let (number, after) = digits(rest, *exact)?;
                        found.set(*field, number);
                        after
                    } else {
                        found.read_name(*field, rest)?
                    }
                }
            };
        }
        found.moment(zone, reading)
    }
}

/// What is inside of quotes; a doubled quote is one.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    if rest.next_if_eq(&'\'').is_some() {
        return Some("'".to_owned());
    }
    let mut literal = String::new();
    loop {
        match rest.next()? {
            '\'' if rest.next_if_eq(&'\'').is_none() => return Some(literal),
            char => literal.push(char),
        }
    }
}

/// A number of at most nine digits, and what follows.
fn digits(text: &str, exact: Option<usize>) -> Option<(i64, &str)> {
    let mut length = text.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(exact) = exact {
        length = length.min(exact);
    }
    let (number, rest) = text.split_at_checked(length)?;
    if length == 0 || length > 9 {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

/// The fields of a date as they were read.
struct Found {
    year: i64,
    month: i64,
    day: i64,
    weekday: Option<usize>,
    afternoon: Option<bool>,
    hour: i64,
    hour_of_half: Option<i64>,
    minute: i64,
    second: i64,
    millisecond: i64,
    zone: Option<TimeZone>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            weekday: None,
            afternoon: None,
            hour: 0,
            hour_of_half: None,
            minute: 0,
            second: 0,
            millisecond: 0,
            zone: None,
        }
    }
}

impl Found {
    fn set(&mut self, field: Field, number: i64) {
        match field {
            Field::Year => self.year = number,
            Field::Month => self.month = number,
            Field::Day => self.day = number,
            Field::Hour => self.hour = number,
            Field::HourOfDay1 => self.hour = if number == 24 { 0 } else { number },
            Field::HourOfHalf0 => self.hour_of_half = Some(number),
            Field::HourOfHalf => self.hour_of_half = Some(if number == 12 { 0 } else { number }),
            Field::Minute => self.minute = number,
            Field::Second => self.second = number,
            Field::Millisecond => self.millisecond = number,
            Field::MonthName | Field::DayName | Field::HalfDay | Field::Zone | Field::IsoZone(_) => {}
        }
    }

    /// Takes a field that is no number from the start of `text`; what follows.
    fn read_name<'t>(&mut self, field: Field, text: &'t str) -> Option<&'t str> {
        match field {
            Field::MonthName => {
                let (index, rest) = name_of(&MONTHS, text)?;
                self.month = i64::try_from(index).ok()? + 1;
                Some(rest)
            }
            Field::DayName => {
                let (index, rest) = name_of(&DAYS, text)?;
                self.weekday = Some(index);
                Some(rest)
            }
            Field::HalfDay => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = Some(
                    [("AM", false), ("PM", true)].into_iter().find(|(name, _)| half.eq_ignore_ascii_case(name))?.1,
                );
                Some(rest)
            }
            Field::Zone => {
                let (zone, rest) = zone_text(text)?;
                self.zone = Some(zone);
                Some(rest)
            }
            Field::IsoZone(count) => {
                let (zone, rest) = iso_zone(text, count)?;
                self.zone = Some(zone);
                Some(rest)
            }
            _ => None,
        }
    }

    fn moment(&self, zone: &TimeZone, reading: Reading) -> Option<Timestamp> {
        let hour = match self.hour_of_half {
            Some(hour) => hour + if self.afternoon == Some(true) { 12 } else { 0 },
            None => self.hour,
        };
        let half = self.hour_of_half.unwrap_or(0);
        if reading == Reading::Strict {
            let inside = (1..=12).contains(&self.month)
                && (0..24).contains(&hour)
                && (0..12).contains(&half)
                && (0..60).contains(&self.minute)
                && (0..60).contains(&self.second)
                && (0..1000).contains(&self.millisecond);
            let date = Date::new(self.year.try_into().ok()?, self.month.try_into().ok()?, self.day.try_into().ok()?);
            let weekday = date.ok()?.weekday().to_monday_zero_offset();
            let named = self.weekday.is_none_or(|named| i8::try_from(named) == Ok(weekday));
            if !inside || !named {
                return None;
            }
        }
        let months = self.year.checked_mul(12)?.checked_add(self.month - 1)?;
        let year = i16::try_from(months.div_euclid(12)).ok()?;
        let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
        let midnight = DateTime::from_parts(Date::new(year, month, 1).ok()?, Time::midnight());
        let hours = (self.day - 1).checked_mul(24)?.checked_add(hour)?;
        let seconds = hours.checked_mul(60)?.checked_add(self.minute)?.checked_mul(60)?.checked_add(self.second)?;
        let after = SignedDuration::from_millis(seconds.checked_mul(1000)?.checked_add(self.millisecond)?);
        let (local, zone) = (midnight.checked_add(after).ok()?, self.zone.as_ref().unwrap_or(zone));
        if reading == Reading::Strict && is_in_gap(local, zone) {
            return None;
        }
        at_wall_clock(local, zone)
    }
}

/// Which of `names`, or of their first three letters, `text` begins with, in any case.
fn name_of<'t>(names: &[&str], text: &'t str) -> Option<(usize, &'t str)> {
    let begins = |name: &str| {
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(rest)
    };
    let whole = names.iter().enumerate().find_map(|(index, name)| Some((index, begins(name)?)));
    whole.or_else(|| names.iter().enumerate().find_map(|(index, name)| Some((index, begins(name.get(..3)?)?))))
}

/// `+0100`, `+01:00`, `GMT+1:00`, `PST`, `Europe/Paris`
fn zone_text(text: &str) -> Option<(TimeZone, &str)> {
    if text.starts_with(['+', '-']) {
        return iso_zone(text, 3).or_else(|| iso_zone(text, 2));
    }
    let inside = |char: char| char.is_ascii_alphanumeric() || matches!(char, '/' | '_' | '+' | '-' | ':');
    let length = text.find(|char| !inside(char)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(length)?;
    Some((known_zone(name)?, rest))
}

/// `Z`, or a sign with hours, and minutes from the second letter on, and a colon from the third on.
fn iso_zone(text: &str, letters: usize) -> Option<(TimeZone, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((TimeZone::UTC, rest));
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let text = text.strip_prefix(['+', '-'])?;
    let (hours, rest) = digits(text, Some(2))?;
    let rest = if letters == 3 { rest.strip_prefix(':')? } else { rest };
    let (minutes, rest) = if letters == 1 { (0, rest) } else { digits(rest, Some(2))? };
    let seconds = i32::try_from(sign * (hours * 3600 + minutes * 60)).ok()?;
    let offset = (hours < 24 && minutes < 60).then(|| Offset::from_seconds(seconds).ok()).flatten()?;
    Some((TimeZone::fixed(offset), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pattern: &str, text: &str, reading: Reading) -> Option<String> {
        DateFormat::new(pattern)?.read(text, &TimeZone::UTC, reading).map(|at| at.to_string())
    }

    #[test]
    fn patterns_read_what_java_reads() {
        for (pattern, text, expected) in [
            ("yyyyMMdd-HH:mm:ss.SSSZ", "20200102-03:04:05.006+0100", Some("2020-01-02T02:04:05.006Z")),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2020-01-02T03:04:05-05:30", Some("2020-01-02T08:34:05Z")),
            ("yyyy-MM-dd'T'HH:mm:ssX", "2020-01-02T03:04:05Z", Some("2020-01-02T03:04:05Z")),
            ("yyyy-MM-dd HH:mm:ss z", "2020-01-02 03:04:05 PST", Some("2020-01-02T11:04:05Z")),
            ("EEE, d MMM yyyy", "Thu, 2 Jan 2020", Some("2020-01-02T00:00:00Z")),
            ("EEE, d MMM yyyy", "Fri, 2 Jan 2020", None),
            ("d MMMM yyyy h:mm a", "2 january 2020 12:05 PM", Some("2020-01-02T12:05:00Z")),
            ("yyyy''MM", "2020'03", Some("2020-03-01T00:00:00Z")),
            ("kk:mm", "24:30", Some("1970-01-01T00:30:00Z")),
            ("yyyy/MM/dd", "2020/01/02 and more", Some("2020-01-02T00:00:00Z")),
            ("yyyy/MM/dd", "2020/01/32", None),
            ("yyyy/MM/dd", "20200102", None),
            ("yyyy/MM/dd 'open", "2020/01/02 open", None),
            ("yy/MM/dd", "20/01/02", None),
            ("ww", "01", None),
        ] {
            assert_eq!(read(pattern, text, Reading::Strict).as_deref(), expected, "{text} by {pattern}");
        }
    }

    #[test]
    fn a_lenient_reading_carries_over() {
        for (text, expected) in [
            ("2020/13/01 00:00:00", "2021-01-01T00:00:00Z"),
            ("2020/02/30 25:61:61", "2020-03-02T02:02:01Z"),
            ("2020/00/00 00:00:00", "2019-11-30T00:00:00Z"),
        ] {
            assert_eq!(read("yyyy/MM/dd HH:mm:ss", text, Reading::Lenient).as_deref(), Some(expected), "{text}");
            assert_eq!(read("yyyy/MM/dd HH:mm:ss", text, Reading::Strict), None, "{text}");
        }
    }

    #[test]
    fn a_strict_reading_takes_no_moment_that_the_clock_leaves_out() {
        let zone = super::super::named_zone("America/New_York");
        let read = |reading| DateFormat::new("yyyy/MM/dd HH:mm")?.read("2026/03/08 02:30", &zone, reading);
        assert_eq!(read(Reading::Strict), None);
        assert_eq!(read(Reading::Lenient).map(|at| at.to_string()).as_deref(), Some("2026-03-08T07:30:00Z"));
    }

    proptest! {
        #[test]
        fn any_pattern_and_text_end_without_a_panic(pattern in "[yMdHhkKmsSaEzZX'/: .-]{0,12}|\\PC{0,12}", text in "[0-9/: TZ+-]{0,24}|\\PC{0,24}") {
            if let Some(format) = DateFormat::new(&pattern) {
                let strict = format.read(&text, &TimeZone::UTC, Reading::Strict);
                if strict.is_some() {
                    prop_assert_eq!(strict, format.read(&text, &TimeZone::UTC, Reading::Lenient));
                }
            }
        }
    }
}
