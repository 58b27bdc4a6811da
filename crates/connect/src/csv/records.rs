//! Cuts a stream of bytes into records, each with the line on which it begins, in memory bounded by one record.
//!
//! ```text
//! BOM │ record │ line end │ line end │ record │ line end │ record      every byte is one of these
//!                                    └ begins on line 3: blank lines are counted and are no records
//! ```
//! The fields come from `csv_core`; where a record begins, its line and whether it is well formed are found here.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, ReaderBuilder};

use super::limits::{CsvOptions, TextLimits};
use super::quotes;
use crate::text_error::{BreakReason, TextFileError};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One record as it stands in the file.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// The one-based line on which it begins.
    pub(super) line: u64,
    /// Its bytes as in the file, without the line's end.
    pub(super) raw: &'a [u8],
    /// The values of its fields, one after the other.
    pub(super) values: &'a [u8],
    /// Where in `values` each field ends; not meaningful beyond the limit on columns.
    pub(super) ends: &'a [usize],
    /// The number of its fields.
    pub(super) fields: usize,
    /// What is wrong with its bytes.
    pub(super) fault: Option<BreakReason>,
}

/// A stream of records.
pub(super) struct Records<R> {
    source: R,
    parser: csv_core::Reader,
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    limits: TextLimits,
    /// The bytes at hand: those from `begin` to `end` were read and belong to no earlier record.
    input: Vec<u8>,
    begin: usize,
    end: usize,
    at_end_of_file: bool,
    /// Beyond this there is no NUL byte in `input`.
    nul_until: usize,
    values: Vec<u8>,
    ends: Vec<usize>,
    /// The line of the byte at `begin`, and whether a CR stands before it.
    line: u64,
    after_cr: bool,
}

/// How far the record at `begin` has been parsed.
#[derive(Default)]
struct Progress {
    /// Bytes of the record taken from the input, its line end included.
    taken: usize,
    values: usize,
    ends: usize,
    /// Fields whose ends were dropped to make room.
    dropped: usize,
    /// Ends compared with the limit so far, and the last of them.
    checked: usize,
    checked_end: usize,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R, options: &CsvOptions, limits: TextLimits) -> Self {
        let mut dialect = ReaderBuilder::new();
        dialect.delimiter(options.delimiter()).escape(options.escape());
        // With an escape, a quote is escaped and not doubled.
        dialect.double_quote(options.escape().is_none());
        match options.quote() {
            Some(quote) => dialect.quote(quote),
            None => dialect.quoting(false),
        };
        let mut parser = dialect.build();
        // The parser would strip a BOM from the first bytes that it sees; after an empty read it leaves that to
        // `skip_bom`, which knows where the file begins.
        parser.read_record(&[], &mut [], &mut []);
        let read_bytes = limits.read_bytes.max(BOM.len());
        Self {
            source,
            parser,
            delimiter: options.delimiter(),
            quote: options.quote(),
            escape: options.escape(),
            input: vec![0; read_bytes],
            begin: 0,
            end: 0,
            at_end_of_file: false,
            nul_until: 0,
            values: vec![0; read_bytes],
            ends: vec![0; limits.columns.max(1)],
            limits,
            line: 1,
            after_cr: false,
        }
    }

    /// The line that the next record is not before.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The stream itself.
    pub(super) fn into_inner(self) -> R {
        self.source
    }

    /// Skips the byte order mark of UTF-8 at the beginning of the stream.
    pub(super) fn skip_bom(&mut self) -> Result<(), TextFileError> {
        while self.end - self.begin < BOM.len() && !self.at_end_of_file {
            self.fill()?;
        }
        if self.input[self.begin..self.end].starts_with(BOM) {
            self.begin += BOM.len();
        }
        Ok(())
    }

    /// The next record, `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, TextFileError> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let line = self.line;
        let mut progress = Progress::default();
        let closed_by_line_end = loop {
            let from = self.begin + progress.taken;
            if from == self.end && !self.at_end_of_file {
                self.fill()?;
                continue;
            }
            let (result, taken, values, ends) = self.parser.read_record(
                &self.input[from..self.end],
                &mut self.values[progress.values..],
                &mut self.ends[progress.ends..],
            );
            progress.taken += taken;
            progress.values += values;
            progress.ends += ends;
            let line_end = usize::from(result == ReadRecordResult::Record && taken > 0);
            self.check_limits(&mut progress, line_end)?;
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break line_end == 1,
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    self.values.resize(self.values.len() + self.limits.read_bytes.max(1), 0)
                }
                ReadRecordResult::OutputEndsFull => {
                    progress.dropped += progress.ends;
                    (progress.ends, progress.checked) = (0, 0);
                }
            }
        };
        Ok(Some(self.finish_record(line, &progress, closed_by_line_end)))
    }

    fn finish_record(&mut self, line: u64, progress: &Progress, closed_by_line_end: bool) -> Record<'_> {
        let (begin, next) = (self.begin, self.begin + progress.taken);
        let end = next - usize::from(closed_by_line_end);
        let raw = &self.input[begin..end];
        let scan = match self.quote {
            Some(quote) if raw.contains(&quote) => quotes::scan(raw, self.delimiter, quote, self.escape),
            Some(_) | None => quotes::QuoteScan::default(),
        };
        let fault = if scan.open {
            Some(BreakReason::OpenQuote)
        } else if scan.text_after_quote {
            Some(BreakReason::TextAfterQuote)
        } else if begin < self.nul_until && raw.contains(&0) {
            Some(BreakReason::Nul)
        } else {
            None
        };
        self.line += scan.line_ends + u64::from(closed_by_line_end);
        self.after_cr = closed_by_line_end && self.input[end] == b'\r';
        self.begin = next;
        Record {
            line,
            raw,
            values: &self.values[..progress.values],
            ends: &self.ends[..progress.ends],
            fields: progress.dropped + progress.ends,
            fault,
        }
    }

    /// Skips to the next byte of a record, counting lines; `false` at the end of the file.
    fn skip_line_ends(&mut self) -> Result<bool, TextFileError> {
        loop {
            while self.begin < self.end {
                match self.input[self.begin] {
                    b'\n' => self.line += u64::from(!self.after_cr),
                    b'\r' => self.line += 1,
                    _ => {
                        self.after_cr = false;
                        return Ok(true);
                    }
                }
                self.after_cr = self.input[self.begin] == b'\r';
                self.begin += 1;
            }
            if self.at_end_of_file {
                return Ok(false);
            }
            self.fill()?;
        }
    }

    fn check_limits(&self, progress: &mut Progress, line_end: usize) -> Result<(), TextFileError> {
        let line = self.line;
        if progress.taken - line_end > self.limits.record_bytes {
            return Err(TextFileError::RecordTooLong { line, most: self.limits.record_bytes });
        }
        let most = self.limits.field_bytes;
        if progress.values > most {
            for end in &self.ends[progress.checked..progress.ends] {
                if end - progress.checked_end > most {
                    return Err(TextFileError::FieldTooLong { line, most });
                }
                progress.checked_end = *end;
            }
            if progress.values - progress.checked_end > most {
                return Err(TextFileError::FieldTooLong { line, most });
            }
        } else if let Some(end) = self.ends[progress.checked..progress.ends].last() {
            progress.checked_end = *end;
        }
        progress.checked = progress.ends;
        Ok(())
    }

    /// Reads more, keeping the bytes from `begin`; grows the buffer only where one record fills it.
    fn fill(&mut self) -> Result<(), TextFileError> {
        if self.end == self.input.len() {
            self.input.copy_within(self.begin..self.end, 0);
            self.nul_until = self.nul_until.saturating_sub(self.begin);
            (self.begin, self.end) = (0, self.end - self.begin);
            if self.end == self.input.len() {
                let step = self.limits.read_bytes.max(1);
                let longer = (self.input.len() * 2).min(self.limits.record_bytes.max(self.input.len()) + step);
                self.input.resize(longer, 0);
                self.values.resize(longer, 0);
            }
        }
        let read = loop {
            match self.source.read(&mut self.input[self.end..]) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(TextFileError::Read { line: self.line, source }),
            }
        };
        let until = self.end + read;
        if self.input[self.end..until].contains(&0) {
            self.nul_until = until;
        }
        self.end = until;
        self.at_end_of_file = read == 0;
        Ok(())
    }
}
