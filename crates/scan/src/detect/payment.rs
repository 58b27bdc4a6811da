//! Payment cards and bank accounts.

use card_validate::Validate;
use iban::Iban;

use super::{Match, digits_of};

/// A card number: its issuer's prefix and length, and the Luhn digit (ISO/IEC 7812-1). One of ten numbers with a prefix
/// passes by chance, so one that is not written in groups is only likely.
pub(crate) fn card(value: &str) -> Match {
    let value = value.trim();
    let Some(digits) = digits_of(value, &[' ', '-']) else { return Match::No };
    if !(13..=19).contains(&digits.len()) || digits.iter().all(|digit| Some(digit) == digits.first()) {
        return Match::No;
    }
    let plain: String = value.chars().filter(char::is_ascii_digit).collect();
    if Validate::from(&plain).is_ok() || is_known_issuer(&plain) && Validate::is_luhn_valid(&plain) {
        let groups: Vec<usize> = value.split([' ', '-']).map(str::len).collect();
        let grouped = matches!(groups.as_slice(), [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 4, 3]);
        return if grouped { Match::Certain } else { Match::Likely };
    }
    Match::No
}

/// Ranges of issuers (ISO/IEC 7812) beside those that the library knows: Mastercard's 2-series, Maestro, Discover, JCB.
fn is_known_issuer(digits: &str) -> bool {
    let prefix = |count: usize| digits.get(..count).and_then(|prefix| prefix.parse::<u32>().ok()).unwrap_or(0);
    matches!((prefix(4), digits.len()), (2221..=2720, 16) | (3528..=3589, 16..=19) | (6011, 16..=19))
        || matches!(
            (prefix(2), digits.len()),
            (51..=55, 16) | (34 | 37, 15) | (36 | 38 | 39, 14..=19) | (64..=65, 16..=19)
        )
        || matches!((prefix(2), digits.len()), (50 | 56..=58, 13..=19) | (62, 16..=19))
        || (digits.starts_with('4') && matches!(digits.len(), 13 | 16 | 19))
}

/// Three or four digits.
pub(crate) fn security_code(value: &str) -> Match {
    match digits_of(value.trim(), &[]) {
        Some(digits) if matches!(digits.len(), 3 | 4) => Match::Possible,
        Some(_) | None => Match::No,
    }
}

/// An IBAN (ISO 13616), its country's form and its check digits.
pub(crate) fn iban(value: &str) -> Match {
    let compact: String = value.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if compact.len() >= 15 && compact.to_ascii_uppercase().parse::<Iban>().is_ok() { Match::Certain } else { Match::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_have_a_prefix_and_a_check_digit() {
        for (value, expected) in [
            ("4111 1111 1111 1111", Match::Certain),
            ("5500-0000-0000-0004", Match::Certain),
            ("4111111111111111", Match::Likely),
            ("378282246310005", Match::Likely),
            ("2223003122003222", Match::Likely),
            ("4111111111111112", Match::No),
            ("1234567812345670", Match::No),
            ("0000000000000000", Match::No),
            ("41111", Match::No),
        ] {
            assert_eq!(card(value), expected, "{value}");
        }
    }

    #[test]
    fn ibans_are_checked() {
        assert_eq!(iban("DE89 3704 0044 0532 0130 00"), Match::Certain);
        assert_eq!(iban("gb82west12345698765432"), Match::Certain);
        for wrong in ["DE89370400440532013001", "XX00", "", "4111111111111111"] {
            assert_eq!(iban(wrong), Match::No, "{wrong}");
        }
    }
}
