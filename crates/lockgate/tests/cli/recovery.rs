//! Wherever a run is stopped, the next one finishes or repeats it: no row is lost or doubled, and the ledger verifies.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use lockgate_ledger::{Checkpoint, Lease, LedgerReader, LedgerStore, LedgerWriter, VerifierKey};
use lockgate_project::Project;
use lockgate_trust::KeyStore;

use crate::support::Site;

/// How often the program is killed.
const KILLS: u64 = 40;

fn many_customers(rows: u32) -> String {
    let mut csv = "id,name,email,card,born,city\n".to_owned();
    for id in 0..rows {
        writeln!(csv, "{id},Name {id},n{id}@example.com,4111-1111-1111-{id:04},1990-01-01,City {}", id % 50).unwrap();
    }
    csv
}

#[test]
fn a_run_that_is_killed_anywhere_is_finished_or_repeated_by_the_next() {
    let rows = 6_000;
    let csv = many_customers(rows);
    let site = Site::empty();
    site.replace("pipelines/daily.yaml", "mode: merge, key: [id]", "mode: append");
    let mut killed = 0;
    let mut files = 0;
    for attempt in 0..KILLS {
        // A new file as soon as the one before is loaded, so that there is always something to do.
        let loaded = site.rows_count();
        if loaded == u64::from(rows) * files {
            files += 1;
            site.write(
                &format!("landing/customers/2026-11-01/{files:02}.csv"),
                format!("{csv}{}", "\n".repeat(files as usize)),
            );
        }
        let mut child = site.command(&["run", "daily"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Spread over the whole of a run: start-up, reading, writing, committing.
        std::thread::sleep(Duration::from_millis(attempt * 23 % 700));
        killed += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > KILLS / 4, "only {killed} of {KILLS} runs were still going when they were killed");
    site.run();
    assert_eq!(site.rows_count(), u64::from(rows) * files, "after {killed} kills and {files} files");
    site.lockgate(&["verify"]).exits(0);
    assert_eq!(site.run()["status"], "nothing_new");
}

impl Site {
    fn rows_count(&self) -> u64 {
        let path = self.path("warehouse.db");
        if !path.exists() {
            return 0;
        }
        let database = rusqlite::Connection::open(path).unwrap();
        let count = database.query_row("SELECT count(*) FROM \"analytics.customers\"", [], |row| row.get::<_, i64>(0));
        count.map_or(0, |count| count as u64)
    }

    /// Replaces the ledger by its first entries, as a crash right after them would have left it.
    fn cut_ledger_after(&self, kind: &str) {
        let (project, _) = Project::load(&self.path("."), &|_| None).unwrap();
        let keys = KeyStore::open(&lockgate_trust::Site::new(project.clone())).unwrap();
        let origin = Checkpoint::origin_of(&project.name);
        let verifier = VerifierKey::new(&origin, keys.signing_key().verifying_key());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (old, new) = (self.path(".lockgate/ledger"), self.path(".lockgate/cut"));
        let signed = runtime.block_on(async {
            let reader = LedgerReader::open(LedgerStore::local(&old).unwrap(), verifier).await.unwrap();
            let entries = reader.entries(0).await.unwrap();
            let last = entries.iter().rposition(|entry| entry.kind.as_str() == kind).unwrap();
            let store = LedgerStore::local(&new).unwrap();
            let mut writer =
                LedgerWriter::create(store, Lease::in_memory(), &origin, keys.signing_key()).await.unwrap();
            writer.append(&entries[..=last], keys.signing_key()).await.unwrap().1
        });
        for kept in ["object", "key-table.json"] {
            fs::rename(old.join(kept), new.join(kept)).unwrap();
        }
        fs::remove_dir_all(&old).unwrap();
        fs::rename(&new, &old).unwrap();
        fs::write(self.path(".lockgate/keys/seen.checkpoint"), signed).unwrap();
    }
}

#[test]
fn a_commit_that_the_ledger_did_not_hear_of_is_told_to_it() {
    let site = Site::new();
    let run = site.run()["run"].clone();
    site.cut_ledger_after("run.intent");
    let rows = site.rows();
    let said = site.lockgate(&["run", "daily", "--format", "json"]).exits(0);
    assert_eq!(said.json()["status"], "nothing_new");
    assert!(said.err.contains(run.as_str().unwrap()) && said.err.contains("the ledger has it now"), "{}", said.err);
    assert_eq!(site.rows(), rows);
    let verified = site.lockgate(&["verify", "--format", "json"]).exits(0).json();
    assert_eq!((&verified["entries"]["run.commit"], &verified["entries"]["dataset.version"]), (&1.into(), &1.into()));
}

#[test]
fn an_intent_without_rows_is_aborted_and_the_run_repeated() {
    let site = Site::new();
    site.run();
    site.cut_ledger_after("run.intent");
    fs::remove_file(site.path("warehouse.db")).unwrap();
    let said = site.lockgate(&["run", "daily", "--format", "json"]).exits(0);
    assert_eq!(said.json()["rows_written"], 3);
    assert!(said.err.contains("it is aborted"), "{}", said.err);
    let verified = site.lockgate(&["verify", "--format", "json"]).exits(0).json();
    assert_eq!((&verified["entries"]["run.abort"], &verified["entries"]["run.commit"]), (&1.into(), &1.into()));
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let site = Site::empty();
    site.write("landing/customers/2026-11-01/a.csv", many_customers(6_000));
    let start = || site.command(&["run", "daily"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (first, second) = (start(), start());
    let said = [first, second].map(|child| crate::support::said(&child.wait_with_output().unwrap()));
    for said in &said {
        assert!(said.code == 0 || said.err.contains("held by another process: process "), "{}{}", said.out, said.err);
    }
    // The one that was refused names the run that is under way.
    let [first, second] = &said;
    for (winner, loser) in [(first, second), (second, first)] {
        if loser.code != 0 {
            let run = winner.out.split_whitespace().nth(1).unwrap();
            assert!(loser.err.contains(&format!("run {run} of daily")), "{}{}", winner.out, loser.err);
        }
    }
    assert!(said.iter().any(|said| said.code == 0));
    site.run();
    assert_eq!(site.rows_count(), 6_000);
    site.lockgate(&["verify"]).exits(0);
}
