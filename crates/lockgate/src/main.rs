//! `lockgate`: data on standard output, progress and messages on standard error, and an exit code that says who is to act.

mod cli;
mod command;
mod context;
mod output;
mod progress;
mod select;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match command::dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::report(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}
