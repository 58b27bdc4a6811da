//! E-mail addresses, telephone numbers and network addresses.

use std::net::IpAddr;
use std::str::FromStr;

use email_address::EmailAddress;
use phonenumber::country::Id;

use super::Match;

/// The regions in which a number without a country code is looked up.
const REGIONS: &[Id] = &[
    Id::US,
    Id::GB,
    Id::DE,
    Id::FR,
    Id::ES,
    Id::IT,
    Id::NL,
    Id::PL,
    Id::BR,
    Id::IN,
    Id::MX,
    Id::SE,
    Id::AU,
    Id::JP,
    Id::CH,
    Id::AT,
    Id::BE,
    Id::PT,
    Id::DK,
    Id::TR,
    Id::CN,
    Id::ZA,
];

/// An address with a domain that has a dot.
pub(crate) fn email(value: &str) -> Match {
    let value = value.trim();
    let bare = value.strip_prefix("mailto:").unwrap_or(value);
    let domain = bare.rsplit_once('@').map(|(_, domain)| domain);
    let has_suffix = domain.and_then(|domain| domain.rsplit_once('.')).is_some_and(|(name, suffix)| {
        !name.is_empty() && suffix.chars().count() >= 2 && !suffix.chars().any(|c| c.is_ascii_digit())
    });
    if has_suffix && !bare.contains(char::is_whitespace) && EmailAddress::is_valid(bare) {
        Match::Certain
    } else {
        Match::No
    }
}

/// A telephone number: with a country code it proves itself; grouped as numbers are it is likely; bare digits are possible.
pub(crate) fn phone(value: &str) -> Match {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    let number = ["ext", "x", ";ext="]
        .iter()
        .find_map(|mark| lower.split_once(mark))
        .map_or(value, |(number, _)| value.get(..number.len()).unwrap_or(value).trim_end_matches([' ', '.', ',']));
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let is_written_so = number.chars().all(|c| c.is_ascii_digit() || " +-().\u{a0}/".contains(c));
    if !(7..=15).contains(&digits) || !is_written_so {
        return Match::No;
    }
    if number.starts_with('+') || number.starts_with("00") || number.starts_with("(+") {
        let international = number.trim_start_matches('(').replacen(')', "", usize::from(number.starts_with("(+")));
        let international = match international.strip_prefix("00") {
            Some(rest) => format!("+{rest}"),
            None => international,
        };
        return match phonenumber::parse(None, international.replace("(0)", "")) {
            Ok(parsed) if parsed.is_valid() => Match::Certain,
            Ok(_) if number.starts_with('+') => Match::Likely,
            Ok(_) | Err(_) => Match::No,
        };
    }
    if is_like_something_else(number) {
        return Match::No;
    }
    let is_valid =
        REGIONS.iter().any(|region| phonenumber::parse(Some(*region), number).is_ok_and(|number| number.is_valid()));
    let is_grouped = number.contains(|c: char| !c.is_ascii_digit());
    match (is_valid, is_grouped) {
        (true, true) => Match::Likely,
        (true, false) => Match::Possible,
        (false, true) if digits >= 9 => Match::Possible,
        (false, _) => Match::No,
    }
}

/// Dates, decimals, network addresses, social security numbers: digits in groups that are no telephone number.
fn is_like_something_else(number: &str) -> bool {
    let groups: Vec<usize> = number.split(|c: char| !c.is_ascii_digit()).map(str::len).collect();
    let separators: Vec<char> = number.chars().filter(|c| !c.is_ascii_digit()).collect();
    let one_separator = separators.first().is_some_and(|first| separators.iter().all(|other| other == first));
    let is_date = (one_separator && matches!(groups.as_slice(), [4, 2, 2] | [2, 2, 4]))
        || number.starts_with(['1', '2']) && groups.starts_with(&[4, 2, 2]);
    let is_decimal = separators == ['.']
        || (number.contains('.') && number.parse::<f64>().is_ok())
        || (separators == ['-'] && groups.first().is_some_and(|first| *first != 3));
    let is_social_security = groups == [3, 2, 4] && separators == ['-', '-'];
    let is_card = groups == [4, 4, 4, 4] || groups == [4, 6, 5];
    is_date || is_decimal || is_social_security || is_card || number.parse::<IpAddr>().is_ok()
}

/// An IPv4 or IPv6 address, also with a port or a prefix length.
pub(crate) fn ip(value: &str) -> Match {
    let value = value.trim();
    let address = value.split_once('/').map_or(value, |(address, _)| address);
    let address = address.trim_start_matches('[').split_once(']').map_or(address, |(address, _)| address);
    let without_port = match address.rsplit_once(':') {
        Some((host, port)) if host.contains('.') && port.parse::<u16>().is_ok() => host,
        _ => address,
    };
    match IpAddr::from_str(without_port) {
        Ok(IpAddr::V6(_)) if without_port.len() > 3 => Match::Certain,
        // Version numbers have small parts.
        Ok(IpAddr::V4(v4)) if v4.octets().iter().any(|octet| *octet > 30) => Match::Certain,
        Ok(IpAddr::V4(_)) => Match::Possible,
        Ok(IpAddr::V6(_)) | Err(_) => Match::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses_are_parsed() {
        for good in ["ada@example.org", "a.b+c@sub.example.co.uk", "jürgen@bücher.example", "mailto:x@y.de"] {
            assert_eq!(email(good), Match::Certain, "{good}");
        }
        for wrong in ["", "ada", "@x.org", "a@b", "a b@x.org", "a@b@c.org", "foo@1.2", "user@host"] {
            assert_eq!(email(wrong), Match::No, "{wrong}");
        }
    }

    #[test]
    fn phones_are_graded_by_what_they_say_themselves() {
        for (value, expected) in [
            ("+49 30 901820", Match::Certain),
            ("+1 (212) 555-0123", Match::Certain),
            ("0044 20 7946 0958", Match::Certain),
            ("(212) 555-0123", Match::Likely),
            ("030/901820", Match::Likely),
            ("2125550123", Match::Possible),
            ("2026-11-24", Match::No),
            ("192.168.100.200", Match::No),
            ("078-05-1120", Match::No),
            ("1234567.89", Match::No),
            ("-12.345678", Match::No),
            ("2026-11-24 10", Match::No),
            ("12345", Match::No),
            ("4111 1111 1111 1111", Match::No),
            ("ABC-123-4567", Match::No),
        ] {
            assert_eq!(phone(value), expected, "{value}");
        }
    }

    #[test]
    fn addresses_are_told_from_versions() {
        for (value, expected) in [
            ("203.0.113.7", Match::Certain),
            ("203.0.113.7:443", Match::Certain),
            ("2001:db8::1", Match::Certain),
            ("10.0.0.0/24", Match::Possible),
            ("1.2.3.4", Match::Possible),
            ("1.2.3", Match::No),
            ("::", Match::No),
            ("12:30", Match::No),
        ] {
            assert_eq!(ip(value), expected, "{value}");
        }
    }
}
