//! Reads values strictly: a text is of a type or it is not, and nothing is trimmed, rounded or guessed.

/// Reads `[+-]?[0-9]+` within 64 bits.
pub(crate) fn bigint(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Reads `[+-]?[0-9]+` within 32 bits.
pub(crate) fn integer(text: &str) -> Option<i32> {
    text.parse().ok()
}

/// Reads a finite decimal number, with or without an exponent; words such as `inf` and `nan` are none.
pub(crate) fn double(text: &str) -> Option<f64> {
    let is_numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(is_numeric) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Reads `[+-]?[0-9]*(\.[0-9]*)?` with a digit in it as a whole number of `10^-scale`; `None` where digits would be
/// lost, before the point or after it.
pub(crate) fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (mut value, mut seen, mut after_point) = (0i128, false, None::<u8>);
    for &byte in digits {
        match byte {
            b'.' if after_point.is_none() => after_point = Some(0),
            b'0'..=b'9' => {
                seen = true;
                match &mut after_point {
                    Some(count) if *count == scale && byte == b'0' => continue,
                    Some(count) if *count == scale => return None,
                    Some(count) => *count += 1,
                    None => {}
                }
                value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
            }
            _ => return None,
        }
    }
    for _ in after_point.unwrap_or(0)..scale {
        value = value.checked_mul(10)?;
    }
    (seen && value < 10i128.pow(u32::from(precision))).then_some(if negative { -value } else { value })
}

/// Reads `true`, `t`, `1`, `yes` or `false`, `f`, `0`, `no`, in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["true", "t", "1", "yes"].iter().any(is) {
        Some(true)
    } else if ["false", "f", "0", "no"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_keep_to_their_width() {
        assert_eq!(bigint("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(bigint("9223372036854775807"), Some(i64::MAX));
        assert_eq!(bigint("+007"), Some(7));
        assert_eq!(integer("-2147483648"), Some(i32::MIN));
        assert_eq!(integer("2147483648"), None);
        for wrong in ["", "+", "-", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "9223372036854775808", "١"] {
            assert_eq!(bigint(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn doubles_are_finite_numbers() {
        for (text, value) in [("1", 1.0), ("-1.5", -1.5), ("+.5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1E-3", 0.001)] {
            assert_eq!(double(text), Some(value), "{text}");
        }
        for wrong in ["", ".", "e1", "inf", "-Infinity", "nan", "1e999", "-1e999", " 1", "1,5", "--1", "1e", "0x1p3"] {
            assert_eq!(double(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("12.3", 1230),
            ("12.34", 1234),
            ("-12.3400", -1234),
            ("+999.99", 99999),
            (".5", 50),
            ("5.", 500),
            ("00012.30", 1230),
        ] {
            assert_eq!(decimal(text, 5, 2), Some(value), "{text}");
        }
        for wrong in ["", ".", "-", "1000", "999.991", "1.2.3", "1e2", " 1", "1 ", "1,2", "+-1", "NaN"] {
            assert_eq!(decimal(wrong, 5, 2), None, "{wrong}");
        }
        let most = "9".repeat(38);
        assert_eq!(decimal(&most, 38, 0), Some(10i128.pow(38) - 1));
        assert_eq!(decimal(&format!("1{}", "0".repeat(38)), 38, 0), None);
        assert_eq!(decimal(&"9".repeat(1000), 38, 0), None);
        assert_eq!(decimal(&format!("0.{}", "0".repeat(1000)), 38, 38), Some(0));
    }

    #[test]
    fn booleans_are_a_few_words() {
        for (text, value) in [
            ("true", true),
            ("T", true),
            ("1", true),
            ("YES", true),
            ("False", false),
            ("f", false),
            ("0", false),
            ("no", false),
        ] {
            assert_eq!(boolean(text), Some(value), "{text}");
        }
        for wrong in ["", "y", "n", "on", "2", " true", "truee"] {
            assert_eq!(boolean(wrong), None, "{wrong}");
        }
    }
}
