//! Apache Ranger's own cases, decided exactly as Ranger decides them.

use std::path::Path;
use std::process::Command;

use super::Tally;

pub(super) fn run(program: &Path, folder: &Path, tally: &mut Tally) -> Result<(), String> {
    let output = Command::new(program)
        .args(["policy", "test", "--compat"])
        .arg(folder)
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (passed, failed) = text.lines().last().and_then(counts).ok_or_else(|| {
        format!("`lockgate policy test` did not say how many cases passed: {}", String::from_utf8_lossy(&output.stderr))
    })?;
    text.lines().filter(|_| failed > 0).for_each(|line| println!("{line}"));
    println!("ranger: {passed} cases passed, {failed} failed");
    tally.passed += passed;
    tally.failed += failed;
    Ok(())
}

/// `12 passed, 3 failed`
fn counts(line: &str) -> Option<(usize, usize)> {
    let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_the_counts() {
        assert_eq!(counts("569 passed, 0 failed"), Some((569, 0)));
        assert_eq!(counts("569 passed"), None);
        assert_eq!(counts("x passed, 1 failed"), None);
    }
}
