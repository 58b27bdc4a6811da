//! A run does not begin with a login that would end before it does.

use std::time::Duration;

use lockgate_evidence::{Document, Timings, attachment};
use lockgate_model::{Failure, FailureKind};
use lockgate_trust::LeaseStatus;

use crate::inputs::PastCommit;
use crate::journal::Journal;

/// How many of the last runs tell how long the next one takes.
const RUNS: usize = 5;

/// How long a run is expected to take, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nobody does.
    Unknown,
    /// As long as the longest of the last ones took, as their evidence says.
    ByHistory(Duration),
    /// As long as the pipeline declares.
    Declared(Duration),
}

impl Expected {
    /// The longer of what the last runs took and what is declared.
    pub(crate) fn of(past: &[PastCommit], journal: &Journal, declared_s: Option<u32>) -> Self {
        let took = |commit: &PastCommit| {
            let named = commit.record.attached(attachment::TIMINGS)?;
            let timings = Timings::from_bytes(&journal.attached(named).ok()?).ok()?;
            Some(timings.stages.iter().map(|stage| stage.elapsed_ms).sum())
        };
        let history = past.iter().rev().take(RUNS).filter_map(took).max().map(Duration::from_millis);
        Self::longer(history, declared_s.map(|seconds| Duration::from_secs(seconds.into())))
    }

    fn longer(history: Option<Duration>, declared: Option<Duration>) -> Self {
        match (history, declared) {
            (None, None) => Self::Unknown,
            (Some(history), None) => Self::ByHistory(history),
            (Some(history), Some(declared)) if history > declared => Self::ByHistory(history),
            (Some(_) | None, Some(declared)) => Self::Declared(declared),
        }
    }
}

/// Refuses a run whose logins end sooner than it is expected to, and cannot be made to last longer.
pub(crate) fn outlast(leases: &[LeaseStatus], expected: Expected) -> Result<(), Failure> {
    let (duration, why) = match expected {
        Expected::Unknown => return Ok(()),
        Expected::ByHistory(duration) => (duration, "as its last ones did"),
        Expected::Declared(duration) => (duration, "as its `expected_duration_s` says"),
    };
    match leases.iter().find(|lease| !lease.renewable && lease.remaining < duration) {
        None => Ok(()),
        Some(lease) => {
            let message = format!(
                "the login from `{}` lasts {} s more and cannot be renewed, and the run is expected to take {} s, {why}: it \
                 would be cut off",
                lease.path,
                lease.remaining.as_secs(),
                duration.as_secs_f64().ceil()
            );
            Err(Failure::new(FailureKind::Refused, message)
                .with_help("nothing was written; give the role a longer `default_ttl` and `max_ttl` in Vault, or log in with a fresh token"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_ends_too_soon_is_refused_with_both_figures() {
        let lease = |remaining_s, renewable| LeaseStatus {
            path: "database/creds/etl".into(),
            remaining: Duration::from_secs(remaining_s),
            renewable,
        };
        let declared = Expected::Declared(Duration::from_secs(600));
        assert!(outlast(&[], declared).is_ok());
        assert!(outlast(&[lease(600, false), lease(10, true)], declared).is_ok());
        assert!(outlast(&[lease(0, false)], Expected::Unknown).is_ok());
        for (expected, why) in
            [(declared, "expected_duration_s"), (Expected::ByHistory(Duration::from_secs(600)), "last ones")]
        {
            let refused = outlast(&[lease(601, false), lease(10, false)], expected).unwrap_err();
            assert_eq!(refused.kind, FailureKind::Refused);
            for said in ["10 s more", "600 s", why] {
                assert!(refused.message.contains(said), "{refused}");
            }
        }
    }

    #[test]
    fn the_longer_of_history_and_declaration_counts() {
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(Expected::longer(None, None), Expected::Unknown);
        assert_eq!(Expected::longer(None, seconds(5)), Expected::Declared(Duration::from_secs(5)));
        assert_eq!(Expected::longer(seconds(4), seconds(5)), Expected::Declared(Duration::from_secs(5)));
        assert_eq!(Expected::longer(seconds(6), seconds(5)), Expected::ByHistory(Duration::from_secs(6)));
        assert_eq!(Expected::longer(seconds(6), None), Expected::ByHistory(Duration::from_secs(6)));
    }
}
