//! Writing for people and programs.

use std::io::{ErrorKind, IsTerminal, Write};

use lockgate_model::{Failure, FailureKind};
use serde::Serialize;

/// Writes data to standard output. A reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    try_print(text).map(drop)
}

/// Writes data to standard output, and says whether there is still a reader.
pub(crate) fn try_print(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(FailureKind::Failed, format!("standard output cannot be written: {error}"))),
    }
}

/// Writes one JSON value and a line's end to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("the outcome cannot be written as JSON: {error}")))?;
    print(&(text + "\n"))
}

/// Writes a message to standard error.
pub(crate) fn note(text: &str) {
    // Where standard error is gone there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Tells of a failure on standard error: what happened, and what to do next.
pub(crate) fn report(failure: &Failure) {
    note(&match &failure.help {
        Some(help) => format!("{}: {}\n  help: {help}", failure.kind.as_str(), failure.message),
        None => format!("{}: {}", failure.kind.as_str(), failure.message),
    });
}

/// Whether messages on standard error may be coloured (NO_COLOR is honoured).
pub(crate) fn colour() -> lockgate_project::Colour {
    let wanted = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted { lockgate_project::Colour::Always } else { lockgate_project::Colour::Never }
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let grouped: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    grouped.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

/// Rows of cells as aligned columns, each line indented.
pub(crate) fn table(rows: &[Vec<String>], indent: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(&format!("{:indent$}{}\n", "", line.trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_tables_aligned() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows, 2), "  a    bb\n  ccc  d\n");
    }
}
