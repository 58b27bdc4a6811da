//! Patterns of JavaScript, written as the `regex` crate writes them: it never backtracks, so that a text is matched in
//! time proportional to its length. What it can't match so (lookaround, back references) is refused.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// How much memory a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// The pattern, and whether it is for all matches.
pub(super) fn pattern(text: &str, flags: &str) -> Result<(Arc<Regex>, bool), String> {
    let mut builder = RegexBuilder::new(&translate(text, flags.contains('s'))?);
    builder.size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
    let mut global = false;
    for flag in flags.chars() {
        match flag {
            'g' => global = true,
            'i' => {
                builder.case_insensitive(true);
            }
            'm' => {
                builder.multi_line(true);
            }
            's' => {}
            other => return Err(format!("the flag `{other}` of a pattern is not supported")),
        }
    }
    let regex = builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => format!("the pattern needs more than {PATTERN_BYTES_MAX} bytes"),
        _ => format!("the pattern `{text}` is not supported"),
    })?;
    Ok((Arc::new(regex), global))
}

fn translate(text: &str, dot_is_all: bool) -> Result<String, String> {
    let mut out = String::new();
    let mut in_class = false;
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\\' => {
                let escaped = rest.next().ok_or("the pattern ends in `\\`")?;
                escape(escaped, in_class, &mut rest, &mut out)?;
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // JavaScript has an empty class, which matches nothing; it is a mistake.
                if rest.peek() == Some(&']') {
                    return Err("an empty class in a pattern is not supported".to_owned());
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // These have a meaning inside of a class for the crate only.
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(char);
            }
            '-' if in_class && rest.peek() == Some(&'-') => {
                return Err("`--` in a class of a pattern is not supported".to_owned());
            }
            '.' if !in_class && !dot_is_all => out.push_str(r"[^\n\r\u{2028}\u{2029}]"),
            '.' if !in_class => out.push_str("(?s:.)"),
            '(' if !in_class && rest.peek() == Some(&'?') => {
                out.push('(');
                group(&mut rest, &mut out)?;
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

type Rest<'t> = std::iter::Peekable<std::str::Chars<'t>>;

/// Behind `(` and before `?`: only groups that don't capture, or have a name.
fn group(rest: &mut Rest<'_>, out: &mut String) -> Result<(), String> {
    rest.next();
    out.push('?');
    match rest.peek() {
        Some(':') => Ok(()),
        Some('<') => {
            rest.next();
            out.push('<');
            match rest.peek() {
                Some('=' | '!') => Err("a pattern that looks behind is not supported".to_owned()),
                _ => Ok(()),
            }
        }
        Some('=' | '!') => Err("a pattern that looks ahead is not supported".to_owned()),
        _ => Err("a group of this kind is not supported in a pattern".to_owned()),
    }
}

fn escape(escaped: char, in_class: bool, rest: &mut Rest<'_>, out: &mut String) -> Result<(), String> {
    match escaped {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\s\u{feff}&&[^\u{85}]]"),
        'S' => out.push_str(r"[^\s\u{feff}\u{85}]"),
        'b' if !in_class => out.push_str(r"(?-u:\b)"),
        'B' if !in_class => return Err("`\\B` is not supported in a pattern".to_owned()),
        'n' | 'r' | 't' | 'f' | 'v' => {
            out.push('\\');
            out.push(escaped);
        }
        'x' => hex(2, rest, out)?,
        'u' => hex(4, rest, out)?,
        letter if letter.is_ascii_alphanumeric() => {
            return Err(format!("`\\{letter}` is not supported in a pattern"));
        }
        other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
    }
    Ok(())
}

fn hex(digits: usize, rest: &mut Rest<'_>, out: &mut String) -> Result<(), String> {
    let hex: String = rest.by_ref().take(digits).collect();
    let is_hex = hex.len() == digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err("an escape in a pattern is not complete".to_owned());
    }
    out.push_str(&format!("\\u{{{hex}}}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, flags: &str, tested: &str) -> bool {
        pattern(text, flags).expect("a pattern").0.is_match(tested)
    }

    #[test]
    fn patterns_mean_what_they_mean_in_javascript() {
        for (text, flags, tested, expected) in [
            (r"^a.c$", "", "abc", true),
            (r"^a.c$", "", "a\nc", false),
            (r"^a.c$", "s", "a\nc", true),
            (r"^b$", "m", "a\nb", true),
            (r"ABC", "i", "xabcx", true),
            (r"^\d+$", "", "١٢", false),
            (r"^\d+$", "", "12", true),
            (r"^[\w.]+@[\w-]+$", "", "a.b@c-d", true),
            (r"^[[&~]+$", "", "[&~", true),
            (r"^\s$", "", "\u{feff}", true),
            (r"\bfoo\b", "", "a foo b", true),
            (r"\/x\-\@", "", "/x-@", true),
            (r"^\u0041\x42$", "", "AB", true),
            (r"^(?:a|b)(?<n>c)$", "", "bc", true),
            (r"^a{2,3}$", "", "aaa", true),
            (r"^[^\]]$", "", "a", true),
            (r"^[\D]$", "", "a", true),
        ] {
            assert_eq!(matches(text, flags, tested), expected, "/{text}/{flags} on {tested:?}");
        }
        assert!(pattern("a", "g").expect("a pattern").1);
    }

    #[test]
    fn what_needs_backtracking_or_is_unknown_is_refused() {
        for (text, flags) in [
            (r"(?=a)", ""),
            (r"(?!a)", ""),
            (r"(?<=a)", ""),
            (r"(?<!a)", ""),
            (r"(a)\1", ""),
            (r"(?i)a", ""),
            (r"\p{L}", ""),
            (r"[]", ""),
            (r"[a--b]", ""),
            (r"a{99999999}", ""),
            (r"(a", ""),
            ("a\\", ""),
            (r"\u12", ""),
            (r"a", "y"),
            (r"a", "u"),
        ] {
            assert!(pattern(text, flags).is_err(), "/{text}/{flags}");
        }
    }

    #[test]
    fn a_pattern_has_a_greatest_size() {
        assert!(pattern(r"[a-z]{100}", "").is_ok());
        assert!(pattern(r"[a-z]{100000}", "").expect_err("too big").contains("bytes"));
    }
}
