//! A column's tags: what its values prove, what its header says, and how the two agree.

use lockgate_model::BUILT_IN_TAGS;
use serde::Serialize;

use crate::detect::{Match, contact, credential, identity, payment, person, place};
use crate::header::{Header, Hint};

/// How many values of a column are looked at.
pub const SAMPLED_VALUES_MAX: usize = 10_000;
/// The least number of values that prove anything by themselves.
const VALUES_MIN: usize = 3;

/// What a column seems to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TagFinding {
    /// One of the tags that every project knows.
    pub tag: &'static str,
    /// From 0 to 1.
    pub confidence: f64,
    /// Why, without a value.
    #[serde(skip)]
    pub evidence: String,
}

/// What was found in a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnFinding {
    /// The most confident first.
    pub tags: Vec<TagFinding>,
    /// Values that were looked at: those that are not empty.
    pub values: usize,
}

/// How confident one is of a tag, by what speaks for it. Each number is a confidence; 0 is nothing.
struct Policy {
    tag: &'static str,
    what: &'static str,
    matches: fn(&str) -> Match,
    /// By the values alone, where nearly all of them prove themselves, are likely, are possible.
    alone: [f64; 3],
    /// With a header that may mean it.
    weak: [f64; 3],
    /// With a header that says it.
    strong: [f64; 3],
}

const POLICIES: &[Policy] = &[
    Policy {
        tag: "pii.email",
        what: "e-mail addresses",
        matches: contact::email,
        alone: [0.97, 0.0, 0.0],
        weak: [0.98, 0.0, 0.0],
        strong: [0.99, 0.0, 0.0],
    },
    Policy {
        tag: "pii.phone",
        what: "telephone numbers",
        matches: contact::phone,
        alone: [0.93, 0.82, 0.2],
        weak: [0.95, 0.9, 0.55],
        strong: [0.98, 0.96, 0.9],
    },
    Policy {
        tag: "pii.name",
        what: "names of persons",
        matches: person::name,
        alone: [0.9, 0.4, 0.0],
        weak: [0.95, 0.75, 0.3],
        strong: [0.98, 0.96, 0.85],
    },
    Policy {
        tag: "pii.address",
        what: "streets with numbers",
        matches: address,
        alone: [0.9, 0.88, 0.0],
        weak: [0.92, 0.9, 0.4],
        strong: [0.97, 0.97, 0.85],
    },
    Policy {
        tag: "pii.birth_date",
        what: "dates",
        matches: place::birth_date,
        alone: [0.0, 0.0, 0.0],
        weak: [0.0, 0.0, 0.6],
        strong: [0.0, 0.0, 0.97],
    },
    Policy {
        tag: "pii.national_id",
        what: "national identity numbers",
        matches: |v| identity::national_id(v).0,
        alone: [0.92, 0.75, 0.0],
        weak: [0.95, 0.85, 0.0],
        strong: [0.98, 0.96, 0.0],
    },
    Policy {
        tag: "pii.tax_id",
        what: "tax numbers",
        matches: |v| identity::tax_id(v).0,
        alone: [0.9, 0.65, 0.0],
        weak: [0.93, 0.8, 0.0],
        strong: [0.98, 0.96, 0.0],
    },
    Policy {
        tag: "fin.iban",
        what: "IBANs",
        matches: payment::iban,
        alone: [0.98, 0.0, 0.0],
        weak: [0.98, 0.0, 0.0],
        strong: [0.99, 0.0, 0.0],
    },
    Policy {
        tag: "pci.pan",
        what: "card numbers with their check digit",
        matches: payment::card,
        alone: [0.96, 0.93, 0.0],
        weak: [0.97, 0.96, 0.0],
        strong: [0.99, 0.98, 0.0],
    },
    Policy {
        tag: "pci.cvv",
        what: "three or four digits",
        matches: payment::security_code,
        alone: [0.0, 0.0, 0.0],
        weak: [0.0, 0.0, 0.0],
        strong: [0.0, 0.0, 0.95],
    },
    Policy {
        tag: "pii.ip",
        what: "network addresses",
        matches: contact::ip,
        alone: [0.95, 0.0, 0.1],
        weak: [0.96, 0.0, 0.4],
        strong: [0.98, 0.0, 0.9],
    },
    Policy {
        tag: "pii.gender",
        what: "words for a gender",
        matches: person::gender,
        alone: [0.0, 0.75, 0.0],
        weak: [0.0, 0.8, 0.0],
        strong: [0.0, 0.96, 0.9],
    },
    Policy {
        tag: "pii.health",
        what: "codes or words of medicine",
        matches: person::health,
        alone: [0.0, 0.6, 0.0],
        weak: [0.0, 0.7, 0.0],
        strong: [0.0, 0.96, 0.85],
    },
    Policy {
        tag: "auth.credential",
        what: "credentials",
        matches: credential::credential,
        alone: [0.97, 0.0, 0.0],
        weak: [0.98, 0.0, 0.0],
        strong: [0.99, 0.0, 0.88],
    },
];

/// A street proves an address; with a header other parts of an address may be one.
fn address(value: &str) -> Match {
    place::street(value).max(place::address_part(value))
}

/// What a column with this header and these values is. Values that are empty are passed over; of the others at most
/// [`SAMPLED_VALUES_MAX`] are looked at, evenly spread.
pub fn scan_column(header: Option<&str>, values: &[&str]) -> ColumnFinding {
    let read = Header::read(header);
    let present: Vec<&str> = values.iter().copied().filter(|value| !is_empty(value)).collect();
    let step = present.len().div_ceil(SAMPLED_VALUES_MAX).max(1);
    let sample: Vec<&str> = present.iter().copied().step_by(step).collect();
    let shape = Shape::of(&sample);
    let found = POLICIES.iter().filter_map(|policy| judge(policy, header, &read, &sample, &shape));
    let mut tags: Vec<TagFinding> = found.collect();
    tags.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.tag.cmp(b.tag)));
    settle(&mut tags, &read);
    ColumnFinding { tags, values: present.len() }
}

fn is_empty(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || ["null", "none", "n/a", "na", "nan", "\\n", "-"].iter().any(|token| value.eq_ignore_ascii_case(token))
}

/// What speaks against a column of single values.
struct Shape {
    /// Whole numbers that count up: ids.
    rises: bool,
    distinct: usize,
}

impl Shape {
    fn of(sample: &[&str]) -> Self {
        let numbers: Option<Vec<u64>> = sample.iter().map(|value| value.trim().parse().ok()).collect();
        let rises = numbers.is_some_and(|numbers| {
            let close = numbers.windows(2).filter(|pair| matches!(pair, [a, b] if *b > *a && b - a <= 1_000)).count();
            numbers.len() >= 5 && close * 10 >= (numbers.len() - 1) * 9
        });
        let distinct = sample.iter().collect::<std::collections::BTreeSet<_>>().len();
        Self { rises, distinct }
    }
}

fn judge(policy: &Policy, header: Option<&str>, read: &Header, sample: &[&str], shape: &Shape) -> Option<TagFinding> {
    let hint = read.hint(policy.tag);
    let said = |hint: Hint| match hint {
        Hint::Strong => format!("the header `{}` says so", header.unwrap_or_default()),
        Hint::Weak => format!("the header `{}` may mean it", header.unwrap_or_default()),
    };
    if sample.is_empty() {
        let hint = hint.filter(|hint| *hint == Hint::Strong)?;
        let evidence = format!("{}; it has no values to look at", said(hint));
        return Some(TagFinding { tag: policy.tag, confidence: 0.6, evidence });
    }
    let graded: Vec<Match> = sample.iter().map(|value| (policy.matches)(value)).collect();
    let share = |least: Match| graded.iter().filter(|grade| **grade >= least).count() as f64 / graded.len() as f64;
    let shares = [share(Match::Certain), share(Match::Likely), share(Match::Possible)];
    let limits = match hint {
        None => policy.alone,
        Some(Hint::Weak) => policy.weak,
        Some(Hint::Strong) => policy.strong,
    };
    let mut best = 0.0f64;
    let mut share_of_best = 0.0;
    for (limit, share) in limits.iter().zip(shares) {
        let confidence = limit * coverage(policy.tag, share, hint);
        if confidence > best {
            best = confidence;
            share_of_best = share;
        }
    }
    best *= doubt(policy.tag, hint, read, sample, shape);
    if best < 0.05 {
        // A header that says so, over values that are something else: little is left of it.
        return (hint == Some(Hint::Strong) && !matches!(policy.tag, "pii.birth_date" | "pci.cvv")).then(|| {
            TagFinding {
                tag: policy.tag,
                confidence: 0.3,
                evidence: format!("{}, and its values do not look so", said(Hint::Strong)),
            }
        });
    }
    let values = format!("{:.0}% of {} values can be {}", share_of_best * 100.0, sample.len(), policy.what);
    let evidence = hint.map_or(values.clone(), |hint| format!("{}; {values}", said(hint)));
    Some(TagFinding { tag: policy.tag, confidence: (best.min(0.99) * 100.0).round() / 100.0, evidence })
}

/// How much of the confidence is left when only a share of the values is of the kind.
fn coverage(tag: &str, share: f64, hint: Option<Hint>) -> f64 {
    // Lists of names know but a part of all names.
    let share = match (tag, hint) {
        ("pii.name", None) => (share / 0.6).min(1.0),
        ("pii.name", Some(Hint::Weak)) => (share / 0.5).min(1.0),
        ("pii.name" | "pii.address", Some(Hint::Strong)) => (share / 0.7).min(1.0),
        ("pii.address", None | Some(Hint::Weak)) => (share / 0.7).min(1.0),
        _ => share,
    };
    if share >= 0.9 {
        1.0
    } else if share >= 0.6 {
        0.75 + (share - 0.6) / 0.3 * 0.25
    } else if share >= 0.2 {
        0.3 + (share - 0.2) / 0.4 * 0.45
    } else if matches!(tag, "pii.email" | "fin.iban" | "auth.credential") {
        // Even a few of these among other values are what one looks for.
        share * 2.5
    } else {
        0.0
    }
}

/// What makes a finding without a header less sure.
fn doubt(tag: &str, hint: Option<Hint>, read: &Header, sample: &[&str], shape: &Shape) -> f64 {
    let mut left = 1.0;
    if read.denies(tag) && !matches!(tag, "pii.email" | "fin.iban" | "auth.credential") {
        left *= 0.35;
    }
    if hint.is_none() && sample.len() < VALUES_MIN {
        left *= 0.8;
    }
    if hint.is_none() && shape.rises && matches!(tag, "pii.phone" | "pii.national_id" | "pii.tax_id" | "pci.pan") {
        left *= 0.2;
    }
    // Names repeat seldom; a handful of values is a list of something.
    if hint.is_none() && tag == "pii.name" && sample.len() >= 20 && shape.distinct * 5 < sample.len() {
        left *= 0.5;
    }
    left
}

/// Where two tags claim the same values, the one that the header names stays; else the surer.
fn settle(tags: &mut Vec<TagFinding>, read: &Header) {
    const RIVALS: &[(&str, &str)] = &[
        ("pii.national_id", "pii.tax_id"),
        ("pci.pan", "pii.phone"),
        ("pci.pan", "pii.national_id"),
        ("pci.pan", "pii.tax_id"),
        ("fin.iban", "pii.tax_id"),
        ("pii.national_id", "pii.phone"),
        ("pii.tax_id", "pii.phone"),
        ("pii.ip", "pii.phone"),
        ("pii.address", "pii.name"),
        ("pii.email", "auth.credential"),
        ("pii.email", "pii.address"),
        ("pii.birth_date", "pii.phone"),
        ("pii.health", "pii.name"),
        ("pii.gender", "pii.name"),
    ];
    for (one, other) in RIVALS {
        let confidence = |tag: &str| tags.iter().find(|found| found.tag == tag).map(|found| found.confidence);
        let (Some(a), Some(b)) = (confidence(one), confidence(other)) else { continue };
        let (named_a, named_b) = (read.hint(one), read.hint(other));
        let one_wins = if named_a == named_b { a >= b } else { named_a > named_b };
        let (loser, kept, lost) = if one_wins { (*other, a, b) } else { (*one, b, a) };
        if kept >= 0.5 || kept >= lost {
            tags.retain(|found| found.tag != loser);
        }
    }
    debug_assert!(tags.iter().all(|found| BUILT_IN_TAGS.iter().any(|(tag, _)| *tag == found.tag)));
}

#[cfg(test)]
mod tests;
