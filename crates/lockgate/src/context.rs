//! What most commands begin with: the project, its plans, a runtime, the time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use lockgate_crypto::{Random, SystemRandom};
use lockgate_model::{Failure, FailureKind, PipelineName, RunId};
use lockgate_plan::{Asker, Compiled, CompiledQuery, Governed, Plan, compile_query};
use lockgate_project::{
    Code, Diagnostics, Identity, Pipeline, Project, Severity, SourceFiles, find_root, nearest, render,
};
use lockgate_trust::Site;
use tokio::runtime::Runtime;

use crate::output;
use crate::select::select;

/// The project in `dir`, or in the nearest parent of the present folder that has one. Warnings go to standard error.
pub(crate) fn load(dir: Option<&Path>) -> Result<Opened, Failure> {
    let root = root(dir)?;
    match Project::load(&root, &env) {
        Ok((project, warnings)) => {
            tell(&warnings, &project.sources);
            Ok(Opened(Site::new(project)))
        }
        Err(rejected) => Err(rejection(&rejected.diagnostics, &rejected.sources)),
    }
}

/// The same for looking at services: none of them is waited for or asked twice.
pub(crate) fn load_impatient(dir: Option<&Path>) -> Result<Opened, Failure> {
    Ok(Opened(load(dir)?.0.clone().impatient()))
}

/// A project with its services, for one command; what they lent is given back when it ends.
pub(crate) struct Opened(Site);

impl Deref for Opened {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.0
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The folder of the project.
pub(crate) fn root(dir: Option<&Path>) -> Result<std::path::PathBuf, Failure> {
    if let Some(dir) = dir {
        return Ok(dir.to_path_buf());
    }
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("the present folder cannot be had: {error}")))?;
    find_root(&here).ok_or_else(|| {
        Failure::new(FailureKind::Invalid, "there is no lockgate.yaml here or in a folder above")
            .with_help("say where it is with `--project DIR`, or write a project with `lockgate init`")
    })
}

/// The environment as projects expand it.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Compiles the project and gives one pipeline with its plan. Other pipelines may have errors.
pub(crate) fn pipeline<'p>(project: &'p Project, name: &str) -> Result<(&'p Pipeline, Governed<Plan>), Failure> {
    let found = pipelines(project, &[name.to_owned()], &[])?.pop();
    found.ok_or_else(|| Failure::new(FailureKind::Bug, format!("pipeline `{name}` has no plan")))
}

/// Compiles the project and gives the named and the selected pipelines, each once and after those whose outputs it
/// reads. Pipelines that are neither may have errors.
pub(crate) fn pipelines<'p>(
    project: &'p Project,
    names: &[String],
    selections: &[String],
) -> Result<Vec<(&'p Pipeline, Governed<Plan>)>, Failure> {
    let mut named: BTreeSet<PipelineName> =
        names.iter().map(|name| known(project, name).cloned()).collect::<Result<_, _>>()?;
    let Compiled { order, mut plans, reads, diagnostics } = lockgate_plan::compile(project, now());
    named.extend(select(project, &reads, selections)?);
    if named.iter().any(|name| !plans.contains_key(name)) {
        return Err(rejection(&diagnostics, &project.sources));
    }
    let warnings = diagnostics.into_iter().filter(|diagnostic| diagnostic.severity != Severity::Error);
    tell(&warnings.collect(), &project.sources);
    let selected = order.iter().filter(|name| named.contains(*name));
    Ok(selected.filter_map(|name| Some((project.pipelines.get(name)?, plans.remove(name)?))).collect())
}

/// The name of a pipeline of the project.
fn known<'p>(project: &'p Project, name: &str) -> Result<&'p PipelineName, Failure> {
    project.pipelines.get_key_value(name).map(|(name, _)| name).ok_or_else(|| {
        let known: Vec<_> = project.pipelines.keys().map(PipelineName::as_str).collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the project has {}", known.join(", ")),
        };
        Failure::new(FailureKind::Invalid, format!("there is no pipeline `{name}`")).with_help(help)
    })
}

/// Shows diagnostics on standard error.
pub(crate) fn tell(diagnostics: &Diagnostics, sources: &SourceFiles) {
    if !diagnostics.is_empty() {
        output::note(render(diagnostics, sources, output::colour()).trim_end());
    }
}

/// Shows diagnostics and says whose problem they are.
fn rejection(diagnostics: &Diagnostics, sources: &SourceFiles) -> Failure {
    tell(diagnostics, sources);
    let kind = kind_of(diagnostics);
    Failure::new(kind, "nothing was done").with_help("`docs/codes.md` explains each code with an example")
}

/// Refused if classification, protection, a key rule or what policies decide refuses anything; otherwise a mistake in a
/// file, to which a name in a policy that nothing has and a condition that nothing can evaluate belong.
pub(crate) fn kind_of(diagnostics: &Diagnostics) -> FailureKind {
    let refuses = |code: Code| match code {
        Code::UngovernedStatement
        | Code::UngovernedExpression
        | Code::NoPolicies
        | Code::PolicyNotEvaluable
        | Code::NothingVisible => true,
        Code::PolicyNamesUnknown | Code::UndecidablePolicy => false,
        _ => code.as_str() >= "LG200",
    };
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    if errors.into_iter().any(|diagnostic| refuses(diagnostic.code)) {
        FailureKind::Refused
    } else {
        FailureKind::Invalid
    }
}

/// Parameters, as a command line gives them.
pub(crate) fn params(params: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let parse = |param: &String| match param.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failure::new(FailureKind::Invalid, format!("`{param}` is no parameter"))
            .with_help("write `--param NAME=VALUE`")),
    };
    params.iter().map(parse).collect()
}

/// Who asks, as a command line names them, where the project takes its word.
pub(crate) fn asker(
    project: &Project,
    principal: &str,
    groups: &[String],
    purpose: Option<&String>,
) -> Result<Asker, Failure> {
    match project.identity {
        Identity::Local => {}
        Identity::None => {
            let message = "this project answers no query from the command line: `identity: none`";
            return Err(Failure::new(FailureKind::Refused, message)
                .with_help("`identity: local` in lockgate.yaml takes the word of whoever runs the program"));
        }
    }
    let principal = principal.parse().map_err(|error| Failure::new(FailureKind::Invalid, format!("--as: {error}")))?;
    Ok(Asker { principal, groups: groups.to_vec(), purpose: purpose.cloned(), address: None, at: now() })
}

/// Compiles a query as its asker may ask it.
pub(crate) fn query(project: &Project, sql: &str, asker: &Asker) -> Result<CompiledQuery, Failure> {
    compile_query(project, sql, asker).map_err(|refused| rejection(&refused.diagnostics, &refused.sources))
}

/// A run's id, as a command line gives it.
pub(crate) fn run_id(text: &str) -> Result<RunId, Failure> {
    text.parse().map_err(|error| {
        Failure::new(FailureKind::Invalid, format!("{error}")).with_help("`lockgate history` lists the runs")
    })
}

/// The stack of a thread of the runtime.
const THREAD_STACK_BYTES: usize = 8 << 20;

/// The runtime of the command.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    // As much as the main thread has: the engine evaluates an expression as deep as it is long.
    threads.enable_all().thread_stack_size(THREAD_STACK_BYTES);
    threads.build().map_err(|error| Failure::new(FailureKind::Failed, format!("threads cannot be started: {error}")))
}

/// The system's randomness.
pub(crate) fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom)
}

/// The time, to the millisecond: what entries are dated with.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use lockgate_project::check_policies;

    use super::*;

    /// What the policies of a small project are found to be.
    fn kind(policy: &str) -> FailureKind {
        let project = "version: 1\nproject: retail\nstores: { landing: { at: 'file://./landing' } }\n\
                       keys: { default: { local: ./keys } }\nledger: { at: 'file://./ledger' }\n";
        let catalog = "dataset: customers\nat: { store: landing, path: 'c/*.csv', format: csv }\ncolumns:\n  \
                       id: { type: bigint }\n  card: { type: text, level: restricted }\nsubject: id\n";
        let policies = format!("policies:\n  - policy: p\n    {policy}\n");
        let files = [
            ("lockgate.yaml", project.as_bytes()),
            ("catalog/customers.yaml", catalog.as_bytes()),
            ("policies/a.yaml", policies.as_bytes()),
        ];
        let loaded = Project::from_files(Path::new("/p"), &files, &|_| None);
        let (project, _) = loaded.unwrap_or_else(|rejected| {
            panic!("{}", render(&rejected.diagnostics, &rejected.sources, lockgate_project::Colour::Never))
        });
        let found = check_policies(&project, Timestamp::UNIX_EPOCH);
        assert!(found.has_errors(), "{policy}");
        kind_of(&found)
    }

    #[test]
    fn a_mistake_in_policies_is_told_from_what_they_must_not_decide() {
        let everybody = "allow: [{ groups: [public], access: [select] }]";
        let misspelt = kind(&format!("on: {{ datasets: [custmers] }}\n    {everybody}"));
        assert_eq!((misspelt, misspelt.exit_code()), (FailureKind::Invalid, 2));
        let script = "on: { datasets: [customers] }\n    \
                      allow: [{ users: [a], access: [select], if: { expression: 'while (1) {}' } }]";
        assert_eq!(kind(script), FailureKind::Invalid);
        let open = kind(&format!("on: {{ datasets: [customers] }}\n    {everybody}"));
        assert_eq!((open, open.exit_code()), (FailureKind::Refused, 3));
        let both = kind(&format!("on: {{ datasets: [customers, custmers] }}\n    {everybody}"));
        assert_eq!(both, FailureKind::Refused);
    }
}
