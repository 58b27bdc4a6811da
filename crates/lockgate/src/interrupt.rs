//! A command that is interrupted ends what it does in order; one that is interrupted twice ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lockgate_model::{Failure, FailureKind};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code of a command that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

/// Is set by Ctrl-C or SIGTERM. The second of them ends the program.
pub(crate) fn flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let failed = |error| Failure::new(FailureKind::Failed, format!("signals can't be waited for: {error}"));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it.
        flag::register_conditional_shutdown(signal, i32::from(EXIT_CODE), Arc::clone(&stop)).map_err(failed)?;
        flag::register(signal, Arc::clone(&stop)).map_err(failed)?;
    }
    Ok(stop)
}
