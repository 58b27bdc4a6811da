//! No secret of a running command gets into a core file, nor to another program of the same user that would look at it.

use std::io;

use lockgate_model::{Failure, FailureKind};
use rustix::process::{Resource, Rlimit, setrlimit};

/// Turns core dumps off for this process and for what it starts; the first thing that the program does.
///
/// The limit keeps the kernel from writing a file. Not being dumpable keeps it also from handing the memory to a program that
/// `core_pattern` names, which the limit does not, and other programs of the same user from attaching to this one.
///
/// Fails where the kernel refuses: then nothing secret may be fetched.
pub(crate) fn apply() -> Result<(), Failure> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(Into::into).and_then(|()| refuse_dumps()).map_err(|error| {
        Failure::new(FailureKind::Failed, format!("core dumps cannot be turned off: {error}"))
            .with_help("let the program call setrlimit and prctl(PR_SET_DUMPABLE)")
    })
}

#[cfg(target_os = "linux")]
fn refuse_dumps() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Elsewhere the limit is all there is.
#[cfg(not(target_os = "linux"))]
fn refuse_dumps() -> io::Result<()> {
    Ok(())
}
