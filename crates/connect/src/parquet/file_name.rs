//! The name of a data file: which commit it is written for, by which run. It is never given twice.

use std::fmt;
use std::str::FromStr;

use lockgate_model::{InputOrdinal, RunId};

/// `CCCCCCCC-RUN-NNNN.parquet`, or `CCCCCCCC-RUN-mNNNN.parquet` for a file that a merge wrote anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName {
    /// The commit that the run wants to make. Once another run made it, the file belongs to no commit for good.
    pub(super) commit: InputOrdinal,
    pub(super) run: RunId,
    pub(super) rewritten: bool,
    pub(super) number: usize,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.rewritten { "m" } else { "" };
        write!(f, "{:08}-{}-{mark}{:04}.parquet", self.commit.get(), self.run, self.number)
    }
}

impl FromStr for FileName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.strip_suffix(".parquet").ok_or(())?.split('-');
        let (Some(commit), Some(run), Some(number), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let (rewritten, number) = number.strip_prefix('m').map_or((false, number), |number| (true, number));
        let commit = InputOrdinal::new(commit.parse().map_err(drop)?).map_err(drop)?;
        let name = Self { commit, run: run.parse().map_err(drop)?, rewritten, number: number.parse().map_err(drop)? };
        // Only what would be written so: neither a sign nor other leading zeros.
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written_and_nothing_else_is_one() {
        for (rewritten, number) in [(false, 0), (true, 12), (false, 9_999), (true, 123_456)] {
            let commit = InputOrdinal::new(7).unwrap();
            let name = FileName { commit, run: RunId::new(1_000, [3; 10]), rewritten, number };
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        let run = RunId::new(1_000, [3; 10]);
        for other in [
            format!("7-{run}-0000.parquet"),
            format!("00000007-{run}-0000.csv"),
            format!("00000007-{run}-x0000.parquet"),
            format!("00000007-{run}-+000.parquet"),
            format!("00000007-{run}-0000-1.parquet"),
            "00000007-run-0000.parquet".to_owned(),
            "part-00000.parquet".to_owned(),
            format!("99999999-{run}-0000.parquet"),
        ] {
            assert_eq!(other.parse::<FileName>(), Err(()), "{other}");
        }
    }
}
