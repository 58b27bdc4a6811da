//! `lockgate`: data on standard output, progress and messages on standard error, and an exit code that says who is to act.

mod cli;
mod command;
mod context;
mod hardening;
mod interrupt;
mod lineage_events;
mod output;
mod progress;
mod select;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match hardening::apply().and_then(|()| command::dispatch(cli::Cli::parse())) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::report(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}
