//! One file for each command; each gives its exit code, or the failure that decides it.

mod check;
mod completions;
mod diff;
mod doctor;
mod erase;
mod explain;
mod history;
mod init;
mod keys;
mod lineage;
mod policy;
mod query;
mod run;
mod scan;
mod schema;
mod trace;
mod verify;

use lockgate_model::Failure;

use crate::cli::{Cli, Command};

/// Carries out a command.
pub(crate) fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let project = cli.project.as_deref();
    match cli.command {
        Command::Init { dir, from } => init::init(&dir, &from),
        Command::Check { format } => check::check(project, format),
        Command::Explain(args) => explain::explain(project, &args),
        Command::Lineage(args) => lineage::lineage(project, &args),
        Command::Run(args) => run::run(project, &args),
        Command::Query(args) => query::query(project, &args),
        Command::Scan(args) => scan::scan(project, &args),
        Command::Trace(args) => trace::trace(project, &args),
        Command::History(args) => history::history(project, &args),
        Command::Diff { before, after, format } => diff::diff(project, &before, &after, format),
        Command::Verify(args) => verify::verify(project, &args),
        Command::Doctor { format } => doctor::doctor(project, format),
        Command::Erase(args) => erase::erase(project, &args),
        Command::Keys(command) => keys::keys(project, command),
        Command::Policy(command) => policy::policy(project, command),
        Command::Schema { output } => schema::schema(output.as_deref()),
        Command::Completions { shell } => completions::completions(shell),
    }
}
