//! `completions`: the script that a shell loads.

use clap::CommandFactory;
use lockgate_model::Failure;

use crate::cli::Cli;
use crate::output;

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lockgate", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
