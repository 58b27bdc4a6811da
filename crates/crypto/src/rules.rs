//! What NIST says about an algorithm on a day; an algorithm that isn't in the table is refused, not assumed.
//!
//! ```text
//! "AES-256-GCM", 2026-01-01 ─► approved                "3DES", 2024-01-01 ─► disallowed since 2024-01-01
//! "RSA-3072",    2036-01-01 ─► disallowed (draft)      "AES-512-GCM"      ─► refused; the nearest names
//! ```
//! The table states the publications as of its last change; dates and statuses that come from drafts are marked.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

mod table;

pub use table::ALGORITHM_RULES;

/// How many names are suggested for an unknown algorithm.
const SUGGESTIONS_MAX: usize = 3;

/// The longest name that is looked at and told back, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What an algorithm is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Encrypting data.
    Encryption,
    /// Wrapping or establishing keys.
    Wrapping,
    /// Authenticating messages with a shared key.
    Mac,
    /// Deriving keys.
    Kdf,
    /// Signing.
    Signature,
    /// Hashing.
    Hash,
    /// Format-preserving encryption.
    Fpe,
}

/// A day on which an algorithm's status changes, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChangeDate {
    /// The first day of the new status.
    pub from: Date,
    /// The publication and section.
    pub source: &'static str,
    /// Whether that publication is a draft, so that the day may still change.
    pub draft: bool,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AlgorithmRule {
    /// Its names, the usual one first.
    pub names: &'static [&'static str],
    /// The publication and section that specifies it.
    pub publication: &'static str,
    /// What it is used for.
    pub purpose: Use,
    /// The shortest key that is approved, in bits; `None` for what takes no key and for what isn't approved.
    pub key_bits_min: Option<u16>,
    /// Whether NIST approves, or once approved, it.
    pub approved: bool,
    /// When it becomes deprecated.
    pub deprecated: Option<ChangeDate>,
    /// When it becomes disallowed for protecting data.
    pub disallowed: Option<ChangeDate>,
    /// Why Lockgate refuses it for protecting data whatever NIST says; `None` where it doesn't.
    pub refused: Option<&'static str>,
    /// What else one must know.
    pub note: &'static str,
    /// Whether AWS-LC's validated FIPS module computes it. It does so in truth only in a build with that module.
    pub within_validated_module: bool,
}

/// The status of an algorithm on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    /// May be used.
    Approved,
    /// May be used at one's own risk, until the day before it is disallowed, if one is set.
    Deprecated {
        /// Since when, and who says so.
        since: ChangeDate,
        /// Until when, and who says so.
        until: Option<ChangeDate>,
    },
    /// May not protect data any more; what it protected may still be read.
    Disallowed {
        /// Since when, and who says so.
        since: ChangeDate,
    },
    /// Never approved by NIST.
    NotApproved,
}

/// What the table says about one algorithm on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// The row.
    pub rule: &'static AlgorithmRule,
    /// The status on that day.
    #[serde(flatten)]
    pub status: Status,
}

/// An algorithm that isn't in the table, and so refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not in the table of algorithms and is refused; the nearest names are {}", Listed(suggestions))]
pub struct UnknownAlgorithm {
    /// The name as it was given, cut after 64 bytes.
    pub name: String,
    /// The nearest names in the table, nearest first, one of each row.
    pub suggestions: Vec<&'static str>,
}

/// The status of `algorithm` on the day `on`; case, spaces, `_`, `/` and `-` in the name make no difference.
pub fn assess(algorithm: &str, on: Date) -> Result<Assessment, UnknownAlgorithm> {
    let wanted = folded(algorithm);
    ALGORITHM_RULES
        .iter()
        .find(|rule| rule.names.iter().any(|name| folded(name) == wanted))
        .map(|rule| Assessment { rule, status: rule.status_on(on) })
        .ok_or_else(|| unknown(algorithm, &wanted))
}

impl AlgorithmRule {
    /// The usual name.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// The status on one day.
    pub fn status_on(&self, day: Date) -> Status {
        match (self.approved, self.deprecated, self.disallowed) {
            (false, _, _) => Status::NotApproved,
            (true, _, Some(since)) if day >= since.from => Status::Disallowed { since },
            (true, Some(since), until) if day >= since.from => Status::Deprecated { since, until },
            (true, _, _) => Status::Approved,
        }
    }
}

impl Assessment {
    /// Whether data may be protected with it on that day: NIST approves it, at least as deprecated, and Lockgate
    /// doesn't refuse it. What only a draft disallows may still be used.
    pub fn permits_protecting(&self) -> bool {
        let by_nist = match self.status {
            Status::Approved | Status::Deprecated { .. } => true,
            Status::Disallowed { since } => since.draft,
            Status::NotApproved => false,
        };
        by_nist && self.rule.refused.is_none()
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.rule.name();
        match self.status {
            Status::Approved => write!(f, "{name} is approved ({})", self.rule.publication),
            Status::Deprecated { since, until: None } => write!(f, "{name} is deprecated since {since}"),
            Status::Deprecated { since, until: Some(until) } => {
                write!(f, "{name} is deprecated since {since}, and disallowed from {until}")
            }
            Status::Disallowed { since } => write!(f, "{name} is disallowed since {since}"),
            Status::NotApproved => write!(f, "{name} is not approved by NIST: {}", self.rule.note),
        }?;
        self.rule.refused.map_or(Ok(()), |reason| write!(f, "; refused for protecting data: {reason}"))
    }
}

impl fmt::Display for ChangeDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let draft = if self.draft { ", a draft" } else { "" };
        write!(f, "{} ({}{draft})", self.from, self.source)
    }
}

struct Listed<'a>(&'a [&'static str]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            write!(f, "{}`{name}`", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn folded(name: &str) -> String {
    let kept = |c: &char| !matches!(c, ' ' | '_' | '-' | '/');
    name.chars().take(NAME_BYTES_MAX).filter(kept).map(|c| c.to_ascii_uppercase()).collect()
}

fn unknown(algorithm: &str, wanted: &str) -> UnknownAlgorithm {
    let nearest = |rule: &AlgorithmRule| rule.names.iter().map(|name| (distance(wanted, &folded(name)), *name)).min();
    let mut near: Vec<_> = ALGORITHM_RULES.iter().filter_map(nearest).collect();
    near.sort_by_key(|(distance, _)| *distance);
    let end = algorithm.floor_char_boundary(NAME_BYTES_MAX);
    UnknownAlgorithm {
        name: algorithm.get(..end).unwrap_or_default().to_owned(),
        suggestions: near.into_iter().map(|(_, name)| name).take(SUGGESTIONS_MAX).collect(),
    }
}

/// How many characters must be inserted, removed or replaced to make one text the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (above, a) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        let mut next = vec![left];
        for (b, up) in other.chars().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(a != b)).min(left + 1).min(up + 1);
            diagonal = *up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn status(name: &str, on: Date) -> Status {
        assess(name, on).unwrap().status
    }

    #[test]
    fn the_distance_of_texts() {
        for (one, other, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("AES", "ADES", 1), ("3DES", "DES3", 2)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn no_name_stands_for_two_rows_and_every_row_is_filled_in() {
        let mut names: Vec<_> = ALGORITHM_RULES.iter().flat_map(|rule| rule.names).map(|name| folded(name)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        for rule in ALGORITHM_RULES {
            assert!(
                !rule.name().is_empty() && !rule.publication.is_empty() && !rule.note.is_empty(),
                "{}",
                rule.name()
            );
            let ordered = rule.deprecated.zip(rule.disallowed).is_none_or(|(first, then)| first.from < then.from);
            assert!(ordered, "{}", rule.name());
            assert!(rule.approved || (rule.deprecated, rule.disallowed) == (None, None), "{}", rule.name());
            assert!(rule.names.iter().all(|name| name.len() <= NAME_BYTES_MAX));
        }
    }

    #[test]
    fn each_date_changes_the_status_on_its_day_and_not_before() {
        let mut seen = 0;
        for rule in ALGORITHM_RULES {
            for change in rule.deprecated.into_iter().chain(rule.disallowed) {
                let before = rule.status_on(change.from.yesterday().unwrap());
                let after = rule.status_on(change.from);
                assert_ne!(before, after, "{}", rule.name());
                seen += 1;
            }
        }
        assert!(seen >= 18, "{seen}");
    }

    #[test]
    fn what_lockgate_uses_is_approved() {
        let today = date(2026, 6, 1);
        for name in [
            "AES-256-GCM",
            "HMAC-SHA-256",
            "KBKDF-CTR-HMAC-SHA-256",
            "PBKDF2-HMAC-SHA-256",
            "Ed25519",
            "SHA-256",
            "FF1",
        ] {
            assert_eq!(status(name, today), Status::Approved, "{name}");
        }
    }

    #[test]
    fn statuses_on_known_days() {
        for (name, on, permitted) in [
            ("3DES", date(2023, 12, 31), true),
            ("3DES", date(2024, 1, 1), false),
            ("SHA-1", date(2030, 12, 31), true),
            ("SHA-1", date(2031, 1, 1), false),
            ("RSA-PKCS1v1.5-encryption", date(2023, 12, 31), true),
            ("RSA-PKCS1v1.5-encryption", date(2024, 1, 1), false),
            ("RSA-1024", date(2013, 12, 31), true),
            ("RSA-1024", date(2014, 1, 1), false),
            ("RSA-2048", date(2030, 12, 31), true),
            ("RSA-2048", date(2031, 1, 1), false),
            ("FF3", date(2017, 1, 1), false),
            ("FF3-1", date(2026, 1, 1), false),
            ("AES-ECB", date(2026, 1, 1), false),
            ("AES-CBC", date(2026, 1, 1), false),
            ("AES_GCM_CTR_V1", date(2026, 1, 1), false),
            ("RC4", date(2026, 1, 1), false),
            ("MD5", date(1995, 1, 1), false),
            ("ChaCha20-Poly1305", date(2026, 1, 1), false),
            ("ML-DSA-44", date(2026, 1, 1), true),
        ] {
            assert_eq!(assess(name, on).unwrap().permits_protecting(), permitted, "{name} on {on}");
        }
        let ed25519 = |year| assess("Ed25519", date(year, 1, 1)).unwrap();
        assert_eq!(ed25519(2035).status, Status::Approved);
        assert!(matches!(ed25519(2036).status, Status::Disallowed { since: ChangeDate { draft: true, .. } }));
        assert!(ed25519(2036).permits_protecting(), "a draft alone refuses nothing");
        let ff3 = |on| assess("FF3", on).unwrap().status;
        assert!(matches!(ff3(date(2025, 2, 2)), Status::Deprecated { .. }));
        assert!(matches!(ff3(date(2025, 2, 3)), Status::Disallowed { .. }));
    }

    #[test]
    fn an_unknown_algorithm_is_refused_with_the_nearest_names() {
        let error = assess("AES-265-GCM", date(2026, 1, 1)).unwrap_err();
        assert_eq!(error.suggestions.first(), Some(&"AES-256-GCM"));
        assert_eq!(error.suggestions.len(), SUGGESTIONS_MAX);
        assert!(error.to_string().starts_with("`AES-265-GCM` is not in the table of algorithms and is refused"));
        let long = assess(&"é".repeat(500), date(2026, 1, 1)).unwrap_err();
        assert!(long.name.len() <= NAME_BYTES_MAX);
        assert!(assess("", date(2026, 1, 1)).is_err());
    }

    #[test]
    fn names_are_found_however_they_are_spelled() {
        for name in ["aes256gcm", "AES_256_GCM", "A256GCM", "aes 256 gcm", "AES/256/GCM"] {
            assert_eq!(assess(name, date(2026, 1, 1)).unwrap().rule.name(), "AES-256-GCM", "{name}");
        }
    }
}
