//! Errors of the layers below, as the surface tells them: no text that could hold a value from the data gets through.

use datafusion::common::DataFusionError;
use lockgate_connect::{ParquetError, PostgresError, SinkError, SourceError, TextFileError};
use lockgate_model::{Failure, FailureKind};

pub(crate) fn source(store: &str, error: &SourceError) -> Failure {
    Failure::new(error.fault().into(), format!("store `{store}`: {error}"))
}

pub(crate) fn text_file(store: &str, path: &str, error: &TextFileError) -> Failure {
    Failure::new(error.fault().into(), format!("`{path}` in store `{store}`: {error}"))
        .with_help("mend the file or the dataset's catalog entry, and run again; nothing was written")
}

pub(crate) fn sink(store: &str, error: &SinkError) -> Failure {
    Failure::new(error.fault().into(), format!("store `{store}`: {error}")).with_help("nothing was written")
}

pub(crate) fn postgres(store: &str, error: &PostgresError) -> Failure {
    let failure = Failure::new(error.kind(), format!("store `{store}`: {error}"));
    match error {
        PostgresError::Login(login) => match &login.help {
            Some(help) => failure.with_help(help.clone()),
            None => failure,
        },
        _ => failure.with_help("nothing was written"),
    }
}

pub(crate) fn files(store: &str, error: &ParquetError) -> Failure {
    let failure = Failure::new(error.fault().into(), format!("store `{store}`: {error}"));
    if error.leaves_commit_open() { failure } else { failure.with_help("nothing was written") }
}

pub(crate) fn parquet(store: &str, error: &ParquetError) -> Failure {
    if let ParquetError::Store(error) = error {
        return source(store, error);
    }
    Failure::new(error.fault().into(), format!("store `{store}`: {error}"))
        .with_help("mend the file, its keys or the dataset's catalog entry, and run again; nothing was written")
}

pub(crate) fn changed(store: &str, path: &str) -> Failure {
    Failure::new(FailureKind::Failed, format!("`{path}` in store `{store}` changed while it was read"))
        .with_help("nothing was written; run again once the file is complete")
}

/// What keeps a policy's table, or a table that somebody sees part of, from being read: to whoever asks, no more than that.
pub(crate) fn behind_a_policy(kind: FailureKind) -> Failure {
    Failure::new(kind, "something that is behind the policies can't be read, so nothing is shown")
        .with_help("whoever keeps the project finds the reason in a run, or as a principal who sees all of it")
}

/// An engine's error: our own comes back as it was; of the others only the kind is told, since their texts quote values.
pub(crate) fn engine(error: &DataFusionError) -> Failure {
    let failed = |what: &str| {
        Failure::new(FailureKind::Failed, format!("evaluating the SQL failed: {what}"))
            .with_help("the row is not named, since that would tell of its values; use TRY_CAST, NULLIF or a WHERE")
    };
    match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Failure>() {
            Some(failure) => failure.clone(),
            None => failed("a component of the engine reported an error"),
        },
        DataFusionError::ArrowError(arrow, _) => failed(arrow_kind(arrow)),
        DataFusionError::Execution(text) if text.starts_with("protecting `") => {
            Failure::new(FailureKind::Failed, text.clone()).with_help("nothing was written")
        }
        DataFusionError::ResourcesExhausted(_) => failed("the memory that the engine may use is exhausted"),
        DataFusionError::Internal(_) => Failure::new(FailureKind::Bug, "the engine reported an error of its own"),
        _ => failed("an expression could not be evaluated"),
    }
}

fn arrow_kind(error: &arrow::error::ArrowError) -> &'static str {
    use arrow::error::ArrowError::{ArithmeticOverflow, CastError, DivideByZero, ParseError};
    match error {
        CastError(_) => "a value could not be cast",
        ParseError(_) => "a value could not be parsed",
        DivideByZero => "a division by zero",
        ArithmeticOverflow(_) => "an arithmetic overflow",
        _ => "an expression could not be evaluated",
    }
}

/// A mistake in this program, with the place that noticed it.
pub(crate) fn bug(message: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Bug, format!("this should not happen: {message}")).with_help("please report it")
}
