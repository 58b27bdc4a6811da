//! Time zones by the names that Java knows, from a table inside the program: no file of the host is read.

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Disambiguation, Offset, TimeZone, TimeZoneDatabase};

/// Java's names of three letters that the IANA table has not, or has otherwise.
const JAVA_NAMES: &[(&str, &str)] = &[
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// Names of three letters that are offsets without daylight saving time.
const JAVA_OFFSETS: &[(&str, i32)] = &[("EST", -5), ("MST", -7), ("HST", -10)];

/// The zone that Java's `TimeZone.getTimeZone` gives: GMT for a name that it does not know.
pub fn named_zone(name: &str) -> TimeZone {
    known_zone(name).unwrap_or(TimeZone::UTC)
}

/// The zone of that name, or of an offset such as `GMT+5:30`; none if Java knows none.
pub(crate) fn known_zone(name: &str) -> Option<TimeZone> {
    if let Some((_, region)) = JAVA_NAMES.iter().find(|(java, _)| *java == name) {
        return database().get(region).ok();
    }
    if let Some((_, hours)) = JAVA_OFFSETS.iter().find(|(java, _)| *java == name) {
        return Offset::from_seconds(hours * 3600).ok().map(TimeZone::fixed);
    }
    if let Some(offset) = name.strip_prefix("GMT").filter(|rest| !rest.is_empty()) {
        // `GMT0` is a name; anything else behind `GMT` is an offset or nothing.
        return if offset == "0" { Some(TimeZone::UTC) } else { custom_offset(offset) };
    }
    // Java's names are spelled exactly so, the table's are not.
    let zone = database().get(name).ok()?;
    (zone.iana_name() == Some(name)).then_some(zone)
}

/// Whether Ranger accepts the name in a schedule: those that mean an offset or several places are not.
pub(crate) fn is_listed_zone(name: &str) -> bool {
    let is_several = JAVA_NAMES.iter().any(|(java, _)| *java == name);
    let is_offset = name.starts_with("GMT") && !matches!(name, "GMT" | "GMT0");
    !is_several && !is_offset && known_zone(name).is_some()
}

/// `+5`, `-05`, `+0530`, `+5:30`
fn custom_offset(text: &str) -> Option<TimeZone> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let number = |text: &str, most: i32| -> Option<i32> {
        let plain = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten().filter(|number| *number <= most)
    };
    let seconds = sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60);
    Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
}

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

/// When a clock on a wall of `zone` shows `local`: the later moment of two, and as far after a gap as it lies in it.
pub(crate) fn at_wall_clock(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).disambiguate(Disambiguation::Later).ok()
}

/// Whether the clocks of `zone` never show `local`, because they are put forward over it.
pub(crate) fn is_in_gap(local: DateTime, zone: &TimeZone) -> bool {
    matches!(zone.to_ambiguous_timestamp(local).offset(), AmbiguousOffset::Gap { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_javas_names() {
        let at: Timestamp = "2020-07-01T00:00:00Z".parse().expect("a timestamp");
        for (name, hours) in [
            ("GMT", 0.0),
            ("UTC", 0.0),
            ("GMT0", 0.0),
            ("PST", -7.0),
            ("EST", -5.0),
            ("IST", 5.5),
            ("America/New_York", -4.0),
            ("Asia/Calcutta", 5.5),
            ("GMT+2", 2.0),
            ("GMT-0330", -3.5),
            ("GMT+5:30", 5.5),
            ("GMT+24", 0.0),
            ("GMT+5:3", 0.0),
            ("america/new_york", 0.0),
            ("Mars/Olympus", 0.0),
            ("", 0.0),
        ] {
            let seconds = named_zone(name).to_offset(at).seconds();
            assert!((f64::from(seconds) / 3600.0 - hours).abs() < 1e-9, "{name}: {seconds}");
        }
        assert!(known_zone("Mars/Olympus").is_none());
    }

    #[test]
    fn a_wall_clock_that_jumps_gives_what_java_gives() {
        let zone = named_zone("America/New_York");
        for (local, at) in
            [("2020-03-08T02:30:00", "2020-03-08T07:30:00Z"), ("2020-11-01T01:30:00", "2020-11-01T06:30:00Z")]
        {
            let local: DateTime = local.parse().expect("a local time");
            assert_eq!(at_wall_clock(local, &zone).expect("a moment").to_string(), at);
        }
    }
}
