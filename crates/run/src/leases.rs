//! A run does not begin with a login that would end before it does.

use std::time::Duration;

use lockgate_evidence::{Document, Timings, attachment};
use lockgate_model::{Failure, FailureKind};
use lockgate_trust::LeaseStatus;

use crate::inputs::PastCommit;
use crate::journal::Journal;

/// How many of the last runs tell how long the next one takes.
const RUNS: usize = 5;

/// How long a run is expected to take: as long as the longest of the last ones, as their evidence says; nothing where there
/// is none.
pub(crate) fn expected(past: &[PastCommit], journal: &Journal) -> Duration {
    let took = |commit: &PastCommit| {
        let named = commit.record.attached(attachment::TIMINGS)?;
        let timings = Timings::from_bytes(&journal.attached(named).ok()?).ok()?;
        Some(timings.stages.iter().map(|stage| stage.elapsed_ms).sum())
    };
    Duration::from_millis(past.iter().rev().take(RUNS).filter_map(took).max().unwrap_or_default())
}

/// Refuses a run whose logins end sooner than it is expected to, and cannot be made to last longer.
pub(crate) fn outlast(leases: &[LeaseStatus], expected: Duration) -> Result<(), Failure> {
    match leases.iter().find(|lease| !lease.renewable && lease.remaining < expected) {
        None => Ok(()),
        Some(lease) => {
            let message = format!(
                "the login from `{}` lasts {} s more and cannot be renewed, and the run is expected to take {} s, as its last \
                 ones did: it would be cut off",
                lease.path,
                lease.remaining.as_secs(),
                expected.as_secs_f64().ceil()
            );
            Err(Failure::new(FailureKind::Refused, message)
                .with_help("nothing was written; give the role a longer `default_ttl` and `max_ttl` in Vault"))
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
        let expected = Duration::from_secs(600);
        assert!(outlast(&[], expected).is_ok());
        assert!(outlast(&[lease(601, false), lease(10, true)], expected).is_ok());
        assert!(outlast(&[lease(10, false)], Duration::ZERO).is_ok());
        let refused = outlast(&[lease(601, false), lease(10, false)], expected).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Refused);
        assert!(refused.message.contains("10 s more") && refused.message.contains("600 s"), "{refused}");
    }
}
