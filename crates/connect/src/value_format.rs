//! Values that are not written in the usual way become the usual way, or are no values: `31.12.2026`, `1.234,56`, `J`.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use lockgate_model::ValueFormat;

/// The value as it is usually written; `None` where it is not of the format.
pub(crate) fn to_usual(format: &ValueFormat, text: &str) -> Option<String> {
    match format {
        ValueFormat::Date(format) => Date::strptime(format, text).ok().map(|date| date.to_string()),
        ValueFormat::Timestamp(format) => {
            let parsed = strtime::parse(format, text).ok()?;
            match parsed.to_timestamp() {
                Ok(timestamp) => Some(timestamp.to_string()),
                Err(_) => parsed.to_datetime().ok().map(|local: DateTime| format!("{local}Z")),
            }
        }
        ValueFormat::Number { decimal, group } => number(text, *decimal, *group),
        ValueFormat::Boolean { yes, no } => {
            let is = |word: &str| text.to_lowercase() == word.to_lowercase();
            if is(yes) { Some("true".to_owned()) } else { is(no).then(|| "false".to_owned()) }
        }
    }
}

/// Thousands are grouped by three or not at all.
fn number(text: &str, decimal: char, group: Option<char>) -> Option<String> {
    let (whole, decimals) = match text.split_once(decimal) {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    let whole = match group {
        Some(group) if whole.contains(group) => {
            let mut groups = whole.split(group);
            let first = groups.next()?;
            let first_fits = (1..=3).contains(&first.trim_start_matches(['-', '+']).len());
            let mut joined = first.to_owned();
            for part in groups {
                if part.len() != 3 {
                    return None;
                }
                joined.push_str(part);
            }
            first_fits.then_some(joined)?
        }
        Some(_) | None => whole.to_owned(),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole.trim_start_matches(['-', '+'])) || !decimals.is_none_or(is_digits) {
        return None;
    }
    Some(match decimals {
        Some(decimals) => format!("{whole}.{decimals}"),
        None => whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_usual_or_nothing() {
        let date = ValueFormat::Date("%d.%m.%Y".into());
        let time = ValueFormat::Timestamp("%d/%m/%Y %H:%M".into());
        let offset = ValueFormat::Timestamp("%Y-%m-%d %H:%M:%S %z".into());
        let number = ValueFormat::Number { decimal: ',', group: Some('.') };
        let word = ValueFormat::Boolean { yes: "J".into(), no: "N".into() };
        for (format, text, expected) in [
            (&date, "31.12.2026", Some("2026-12-31")),
            (&date, "31.02.2026", None),
            (&date, "2026-12-31", None),
            (&time, "31/12/2026 23:59", Some("2026-12-31T23:59:00Z")),
            (&offset, "2026-01-01 01:00:00 +0100", Some("2026-01-01T00:00:00Z")),
            (&number, "1.234,56", Some("1234.56")),
            (&number, "-1234,5", Some("-1234.5")),
            (&number, "1.234.567", Some("1234567")),
            (&number, "12.34", None),
            (&number, "1,2,3", None),
            (&number, "1e3", None),
            (&word, "j", Some("true")),
            (&word, "N", Some("false")),
            (&word, "yes", None),
        ] {
            assert_eq!(to_usual(format, text).as_deref(), expected, "{text}");
        }
    }
}
