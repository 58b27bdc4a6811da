//! Times of the day: `9am - 5:30pm`, `10pm-6am`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTES_PER_DAY: u16 = 24 * 60;

/// Ranges of minutes since midnight, both ends included.
#[derive(Debug)]
pub(crate) struct TimesOfDay(Vec<(u16, u16)>);

impl TimesOfDay {
    /// What a condition's values mean; the value that is not a range, if one is not.
    pub(crate) fn new(values: &[String]) -> Result<Self, String> {
        let mut ranges = Vec::new();
        for value in values {
            let (start, end) = range(value).ok_or_else(|| value.clone())?;
            if start <= end {
                ranges.push((start, end));
            } else {
                ranges.extend([(start, MINUTES_PER_DAY - 1), (0, end)]);
            }
        }
        Ok(Self(ranges))
    }

    /// Whether a time is within.
    pub(crate) fn contains(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let time = zone.to_datetime(at).time();
        let minutes = u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or_default();
        self.0.is_empty() || self.0.iter().any(|(start, end)| (*start..=*end).contains(&minutes))
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (start, end) = text.split_once('-')?;
    Some((minutes(start)?, minutes(end)?))
}

fn minutes(text: &str) -> Option<u16> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '.').collect();
    let text = text.to_ascii_lowercase();
    let (digits, afternoon) = match text.strip_suffix("am").or_else(|| text.strip_suffix('a')) {
        Some(digits) => (digits, false),
        None => (text.strip_suffix("pm").or_else(|| text.strip_suffix('p'))?, true),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let in_range = (1..=12).contains(&hours) && minutes < 60;
    in_range.then(|| (hours % 12 + if afternoon { 12 } else { 0 }) * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(minutes("12am"), Some(0));
        assert_eq!(minutes(" 12:30 P.M. "), Some(750));
        assert_eq!(minutes("9:05a"), Some(545));
        for wrong in ["13pm", "9", "9:60am", "", "am", "0am"] {
            assert_eq!(minutes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_range_may_span_midnight() {
        let times = TimesOfDay::new(&["10pm - 6am".to_owned()]).unwrap();
        let at = |time: &str| times.contains(format!("2026-03-01T{time}Z").parse().unwrap(), &TimeZone::UTC);
        assert!(at("22:00:00") && at("23:59:59") && at("00:00:00") && at("06:00:59"));
        assert!(!at("06:01:00") && !at("21:59:59"));
        assert_eq!(TimesOfDay::new(&["noon".to_owned()]).unwrap_err(), "noon");
    }
}
