//! Secrets in the forms that their issuers give them.

use std::sync::LazyLock;

use regex::Regex;

use super::Match;

/// What credentials look like, anchored by nothing: columns ask for the whole value, texts for a part.
pub(crate) const PATTERN: &str = r"(?x)
    \b(?: AKIA | ASIA )[0-9A-Z]{16}\b                                   # AWS access key ids
  | \bgh[pousr]_[0-9A-Za-z]{36,255}\b | \bgithub_pat_[0-9A-Za-z_]{22,255}\b
  | \bglpat-[0-9A-Za-z_-]{20,}
  | \b(?: sk | rk | pk )_(?: live | test )_[0-9A-Za-z]{16,}\b           # Stripe
  | \bsk-(?: proj- | ant- )?[0-9A-Za-z_-]{20,}
  | \bxox[abposr]-[0-9A-Za-z-]{10,}                                     # Slack
  | \bAIza[0-9A-Za-z_-]{35}                                             # Google
  | \bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}                          # SendGrid
  | \bnpm_[0-9A-Za-z]{36}\b | \bpypi-[0-9A-Za-z_-]{16,} | \bhv[sb]\.[0-9A-Za-z_-]{20,}
  | \beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}     # JSON Web Tokens
  | -----BEGIN\ (?: [A-Z]+\ )*PRIVATE\ KEY-----
  | \$2[abxy]?\$[0-9]{2}\$[./0-9A-Za-z]{53} | \$argon2(?: id | i | d )\$\S+ | \$6\$\S{8,} | \{SSHA\}\S{16,}
  | \b[a-z][a-z0-9+]{2,20}://[^\s:/@]+:[^\s/@]{3,}@[^\s/]+              # a password in a URL
";

static WHOLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!(r"^(?:{PATTERN})")).ok());

/// A value in the form of a known credential; or an opaque text, which only its header makes one.
pub(crate) fn credential(value: &str) -> Match {
    let value = value.trim();
    if WHOLE.as_ref().is_some_and(|pattern| pattern.is_match(value)) {
        return Match::Certain;
    }
    let opaque = value.chars().count() >= 4
        && !value.contains(char::is_whitespace)
        && value.parse::<f64>().is_err()
        && !matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "none" | "yes")
        && !value.chars().all(|c| c.is_ascii_digit() || "-:/.TZ+".contains(c));
    if opaque { Match::Possible } else { Match::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_forms_prove_themselves() {
        for value in [
            concat!("AKIA", "IOSFODNN7EXAMPLE"),
            concat!("ghp", "_0123456789abcdefghijABCDEFGHIJ012345"),
            "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.abcdefghijklmnop",
            "postgresql://etl:hunter22@db.example/warehouse",
        ] {
            assert_eq!(credential(value), Match::Certain, "{value}");
        }
        assert_eq!(credential("hunter22!"), Match::Possible);
        for value in ["", "12345", "2026-11-24T10:00:00Z", "true", "two words"] {
            assert_eq!(credential(value), Match::No, "{value}");
        }
    }
}
