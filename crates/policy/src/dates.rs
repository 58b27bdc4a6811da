//! Reads dates as Java's `SimpleDateFormat` does, because policies and tags are written for it.
//!
//! A pattern is a row of fields and literals; text is read from the left, and what follows the last field is not
//! looked at. A strict reading takes only what a calendar has; a lenient one carries over (`2020/13/01` is
//! 2021/01/01). Fields that need a clock (two-digit years) or a week calendar make a pattern unusable, and an unusable
//! pattern is left out, as Ranger leaves out one that Java refuses.

mod pattern;
mod zone;

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use pattern::{DateFormat, Reading};
pub use zone::named_zone;
pub(crate) use zone::{at_wall_clock, is_listed_zone};

/// The longest list of additional formats that is looked at, in bytes.
pub const DATE_FORMATS_BYTES_MAX: usize = 4 * 1024;

const RANGER_DATE: &str = "yyyy/MM/dd";
const ATLAS_NAME: &str = "ATLAS_DATE_FORMAT";
const ATLAS_DATE: &str = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";

/// The formats in which attributes of tags may be dates, the longest tried first.
#[derive(Debug, Clone)]
pub struct DateFormats {
    formats: Vec<DateFormat>,
}

impl DateFormats {
    /// `yyyy/MM/dd` and the format of Apache Atlas.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<DateFormats> = OnceLock::new();
        BUILT_IN.get_or_init(|| Self::with_additional(""))
    }

    /// The built-in formats and those of `ranger.plugin.tag.attr.additional.date.formats`, which `||` separates.
    /// What is no usable pattern is left out, and so are all of them beyond [`DATE_FORMATS_BYTES_MAX`].
    pub fn with_additional(additional: &str) -> Self {
        let additional = if additional.len() > DATE_FORMATS_BYTES_MAX { "" } else { additional };
        let mut names: Vec<&str> = [RANGER_DATE, ATLAS_NAME].into_iter().chain(additional.split("||")).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let patterns = names.into_iter().filter(|name| !name.trim().is_empty());
        let patterns = patterns.map(|name| if name.eq_ignore_ascii_case(ATLAS_NAME) { ATLAS_DATE } else { name });
        Self { formats: patterns.filter_map(DateFormat::new).collect() }
    }

    /// The date that `text` means. Its fields are taken for UTC, in whatever zone the server is.
    pub(crate) fn read(&self, text: &str, zone: &TimeZone) -> Option<Timestamp> {
        if text.trim().is_empty() {
            return None;
        }
        let read = self.formats.iter().find_map(|format| format.read(text, zone, Reading::Strict))?;
        let shift = i64::from(zone.to_offset(read).seconds()) * 1000;
        Timestamp::from_millisecond(read.as_millisecond().checked_add(shift)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(additional: &str, text: &str) -> Option<String> {
        DateFormats::with_additional(additional).read(text, &TimeZone::UTC).map(|at| at.to_string())
    }

    #[test]
    fn the_longest_format_that_fits_is_taken() {
        let additional = "abcd||xyz||yyyy/MM/dd'T'HH:mm:ss.SSS'Z'";
        for (additional, text, expected) in [
            ("", "2015/08/10", Some("2015-08-10T00:00:00Z")),
            ("", "2015/8/1", Some("2015-08-01T00:00:00Z")),
            ("", "2015-08-10T01:02:03.004Z", Some("2015-08-10T01:02:03.004Z")),
            ("", "2015/08/10T05:06:07.008Z", Some("2015-08-10T00:00:00Z")),
            (additional, "2015/08/10T05:06:07.008Z", Some("2015-08-10T05:06:07.008Z")),
            (additional, "2015/08/10", Some("2015-08-10T00:00:00Z")),
            ("", "2015/13/10", None),
            ("", "2015/02/29", None),
            ("", "tomorrow", None),
            ("", "  ", None),
            ("dd.MM.yyyy", "31.12.2020", Some("2020-12-31T00:00:00Z")),
            ("dd.MM.yy", "31.12.20", None),
        ] {
            assert_eq!(read(additional, text).as_deref(), expected, "{text} with `{additional}`");
        }
    }

    #[test]
    fn the_fields_mean_utc_wherever_the_server_is() {
        let zone = named_zone("America/Los_Angeles");
        let at = DateFormats::built_in().read("2015/08/10", &zone).expect("a date");
        assert_eq!(at.to_string(), "2015-08-10T00:00:00Z");
    }

    #[test]
    fn a_list_of_formats_has_a_greatest_length() {
        let longest = format!("dd.MM.yyyy||{}", "x".repeat(DATE_FORMATS_BYTES_MAX - 12));
        assert!(read(&longest, "31.12.2020").is_some());
        assert!(read(&format!("{longest}x"), "31.12.2020").is_none());
    }
}
