//! A run over the records that an earlier run set aside, once the files or the catalog are mended.
//!
//! ```text
//! run A: x.csv, 1000 records ─► 997 rows written; records 3, 41, 700 set aside and sealed
//!   mended: the lines in x.csv, or the column's type in the catalog
//! run B --requarantined A: records 3, 41, 700 of x.csv as it is now; of the quarantine where x.csv is gone
//!   what is still broken is in the quarantine of B
//! ```
//! Each quarantine is taken once: B's manifest says so. A mended file keeps its records' places, and is not loaded
//! again by runs to come; that it is a mended one, and not a new one under the same name, is for its owner to say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockgate_connect::RecordPosition;
use lockgate_crypto::Secret;
use lockgate_evidence::{Input, QuarantineLine, QuarantinedRecord};
use lockgate_model::{Compression, Failure, FailureKind, RunId, TextEncoding};
use lockgate_plan::{Governed, Plan};
use lockgate_project::{Dataset, DatasetSource, WriteMode};
use lockgate_trust::{Keyring, LedgerPlace, Site};

use crate::inputs::{
    FileFormat, Kept, Partitions, PastCommit, RunInput, Source, Taken, TextFiles, TextRecords, file_format, find_file,
    partitions_of, text_files,
};
use crate::{failures, quarantine};

/// What an earlier run left to be taken.
pub(crate) struct Request<'a> {
    pub(crate) project: &'a Site,
    pub(crate) plan: &'a Governed<Plan>,
    pub(crate) mode: &'a WriteMode,
    pub(crate) past: &'a [PastCommit],
    pub(crate) ledger: &'a LedgerPlace,
    pub(crate) run: &'a RunId,
    pub(crate) mended: bool,
}

impl Request<'_> {
    /// The records as inputs; none if a run has taken them already.
    pub(crate) fn inputs(&self, keyring: &Keyring) -> Result<Vec<RunInput>, Failure> {
        let run = self.run;
        let refused = |message: String| Failure::new(FailureKind::Invalid, message);
        if *self.mode == WriteMode::Replace {
            let message = "the pipeline replaces its table, so the mended records alone would be all that is left";
            return Err(refused(message.into()).with_help("run the pipeline as usual: it reads its files anew"));
        }
        let of_run = self.past.iter().find(|commit| commit.record.commit.run == *run);
        let commit = of_run.ok_or_else(|| {
            refused(format!("the table has no rows of a run {run}")).with_help("`lockgate history` lists the runs")
        })?;
        let taken = |commit: &PastCommit| commit.manifest.inputs.iter().any(|i| i.requarantined.as_ref() == Some(run));
        let Some(digest) = commit.record.commit.quarantine_sha256 else {
            return Err(refused(format!("run {run} set nothing aside")));
        };
        if self.past.iter().any(taken) {
            return Ok(Vec::new());
        }
        let lines = quarantine::read(self.ledger, run, digest)?;
        let mut of_input: BTreeMap<u32, SetAsideOfInput> = BTreeMap::new();
        for line in lines {
            match line {
                QuarantineLine::Header(header) => of_input.entry(header.input).or_default().header = Some(header.raw),
                QuarantineLine::Record(record) => of_input.entry(record.input).or_default().records.push(record),
            }
        }
        let input = |(ordinal, set_aside): (u32, SetAsideOfInput)| {
            let entry = commit.manifest.inputs.get(usize::try_from(ordinal).unwrap_or(usize::MAX));
            let entry = entry.ok_or_else(|| failures::bug(format!("run {run} has no input {ordinal}")))?;
            self.input(entry, &set_aside, keyring)
        };
        of_input.into_iter().map(input).collect()
    }

    fn input(&self, entry: &Input, set_aside: &SetAsideOfInput, keyring: &Keyring) -> Result<RunInput, Failure> {
        let gone = |what: &str| {
            let message = format!("records of `{}` were set aside, and {what}", entry.path);
            Failure::new(FailureKind::Invalid, message).with_help("put it back as it was, and run again")
        };
        let read = self.plan.reads().any(|table| table.dataset == entry.dataset);
        let dataset = self.project.datasets.get(&entry.dataset).filter(|_| read);
        let dataset = dataset.ok_or_else(|| gone("the pipeline reads its dataset no longer"))?;
        let mut entry =
            Input { rows: None, rows_quarantined: None, requarantined: Some(self.run.clone()), ..entry.clone() };
        let files = match &dataset.source {
            DatasetSource::Files(files) => files,
            DatasetSource::Table(_) => return self.table_input(entry, dataset, set_aside, keyring),
        };
        let format = file_format(self.project, dataset, files)?;
        let partitions = partitions_of(dataset, &entry.path)?;
        let of = self.records_of_file(self.run, &entry.path);
        let source = match find_file(self.project, dataset, &entry.path)? {
            Some((store, file)) => {
                let digest = store.digest(&file).map_err(|error| failures::source(entry.store.as_str(), &error))?;
                if digest != entry.sha256 && !self.mended {
                    // Another day's file under the same name is not a mended one, and only people can tell.
                    let message = format!("`{}` in store `{}` is not the file that was read", entry.path, entry.store);
                    return Err(Failure::new(FailureKind::Invalid, message).with_help(
                        "nothing was written; if it is that file with its broken records mended in their places, say \
                         `--mended`, else put that file back, or take this one away: its records are kept",
                    ));
                }
                entry.sha256 = digest;
                entry.bytes = file.bytes;
                let rows: BTreeSet<u64> = set_aside.records.iter().map(|record| record.row).collect();
                Source::File { store, file, format, partitions, taken: Taken::Rows { rows: Arc::new(rows), of } }
            }
            None => match format {
                FileFormat::Text(files) => set_aside.source(&mut entry, files, partitions, keyring)?,
                FileFormat::Parquet(_) => {
                    return Err(gone("the file is gone: rows of Parquet files are read from there"));
                }
            },
        };
        Ok(RunInput { entry, source })
    }

    /// Rows of a table are taken from the quarantine: the table is another by now, and rows that were mended in it are read by
    /// the next run as usual.
    fn table_input(
        &self,
        mut entry: Input,
        dataset: &Dataset,
        set_aside: &SetAsideOfInput,
        keyring: &Keyring,
    ) -> Result<RunInput, Failure> {
        if self.mended {
            let message = format!("rows of the table `{}` were set aside, and `--mended` is for files", entry.path);
            return Err(Failure::new(FailureKind::Invalid, message)
                .with_help("run the pipeline as usual: it reads the rows that were mended in the table"));
        }
        let files = text_files(dataset, TextRecords::JsonLines, Compression::None, TextEncoding::Utf8);
        let source = set_aside.source(&mut entry, files, Vec::new(), keyring)?;
        Ok(RunInput { entry, source })
    }

    /// How many records a file had when a run first read it.
    fn records_of_file(&self, run: &RunId, path: &str) -> u64 {
        let of_run = self.past.iter().find(|commit| commit.record.commit.run == *run);
        let input = of_run.and_then(|commit| commit.manifest.inputs.iter().find(|input| input.path == path));
        match input.map(|input| (&input.requarantined, input.rows)) {
            Some((Some(earlier), _)) => self.records_of_file(earlier, path),
            Some((None, rows)) => rows.unwrap_or(0),
            None => 0,
        }
    }
}

/// What was set aside of one input.
#[derive(Default)]
struct SetAsideOfInput {
    header: Option<String>,
    records: Vec<QuarantinedRecord>,
}

impl SetAsideOfInput {
    /// The records as what is read of their input.
    fn source(
        &self,
        entry: &mut Input,
        files: Arc<TextFiles>,
        partitions: Partitions,
        keyring: &Keyring,
    ) -> Result<Source, Failure> {
        let kept = self.open(keyring)?;
        entry.bytes = kept.text.expose().len() as u64;
        Ok(Source::Kept { kept: Arc::new(kept), files, partitions })
    }

    /// The records as a file of their own.
    fn open(&self, keyring: &Keyring) -> Result<Kept, Failure> {
        let mut text = Vec::new();
        let records = self.records.iter().map(|record| &record.raw);
        for raw in self.header.iter().chain(records) {
            text.extend_from_slice(quarantine::open(keyring, raw)?.expose());
            text.push(b'\n');
        }
        let position = |record: &QuarantinedRecord| RecordPosition { row: record.row, line: record.line };
        Ok(Kept { text: Secret::new(text), positions: self.records.iter().map(position).collect() })
    }
}
