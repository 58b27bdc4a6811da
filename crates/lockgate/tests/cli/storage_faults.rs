//! Every storage call of a run fails once, is delayed once, is done in part once, and is the last thing that the process
//! does once; whatever happens, the next run leaves exactly the right rows, a ledger that verifies, and nothing lying about.
//!
//! The calls are those of the real program, counted and tampered with from outside by `strace`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Said, Site, in_ci, said};

/// How many times the program is killed, over all sinks and modes together; `LOCKGATE_KILLS` sets another number.
const KILLS: usize = 300;
/// How many times each other fault strikes each sink and mode.
const FAULTS: usize = 6;
/// The calls that change what is stored.
const CALLS: &str = "write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir";
/// What is done to a call instead of letting it be.
const KILL: &str = "signal=SIGKILL";
/// How large a file may become, in blocks of 512 bytes: the write that goes beyond is done in part, and the next fails.
const PARTIAL_WRITES: &[u32] = &[1, 3, 8, 20, 60, 150];
const OTHERS: &[&str] = &["error=EIO", "error=ENOSPC", "delay_enter=150000"];

/// One sink and mode, with the project as it was before the run that is tampered with.
struct Case {
    name: String,
    before: Site,
    expected: BTreeMap<i64, String>,
    /// The calls of a run in their order: each one's name, and how many of that name came before it, plus one.
    calls: Vec<(String, usize)>,
}

macro_rules! cases {
    ($($test:ident $sink:literal $mode:literal)*) => {
        $(#[test]
        fn $test() {
            strike_everywhere($sink, $mode);
        })*
        const CASES: usize = [$($mode),*].len();
    };
}

cases! {
    appending_to_sqlite_survives_every_fault "sqlite" "append"
    replacing_in_sqlite_survives_every_fault "sqlite" "replace"
    merging_into_sqlite_survives_every_fault "sqlite" "merge"
    appending_to_parquet_survives_every_fault "parquet" "append"
    replacing_in_parquet_survives_every_fault "parquet" "replace"
    merging_into_parquet_survives_every_fault "parquet" "merge"
}

fn strike_everywhere(sink: &str, mode: &str) {
    if !has_strace() {
        return;
    }
    let case = case(sink, mode);
    let kills = std::env::var("LOCKGATE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let kills = kills.div_ceil(CASES);
    // Spread evenly over all calls of the run, so that with enough kills each call is the last one once.
    let killed = (0..kills).filter(|number| strike(&case, KILL, number * case.calls.len() / kills)).count();
    assert!(killed >= kills * 9 / 10, "of {kills} kills only {killed} hit a run");
    for fault in OTHERS {
        let call = |number: usize| (2 * number + 1) * case.calls.len() / (2 * FAULTS);
        let struck = (0..FAULTS).filter(|number| strike(&case, fault, call(*number))).count();
        assert!(struck >= FAULTS - 1, "{fault} struck {struck} times instead of {FAULTS}");
    }
    let struck = PARTIAL_WRITES.iter().filter(|blocks| write_in_part(&case, **blocks)).count();
    assert!(struck >= PARTIAL_WRITES.len() / 2, "writes in part failed {struck} runs");
}

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    assert!(found || !in_ci(), "strace is not installed, and CI must not go without this test");
    if !found {
        eprintln!("skipped: strace is not installed (Debian's package strace)");
    }
    found
}

fn case(sink: &str, mode: &str) -> Case {
    let before = Site::empty();
    if sink == "parquet" {
        before.replace("lockgate.yaml", "sqlite://./warehouse.db", "file://./lake");
    }
    let written = if mode == "merge" { "mode: merge, key: [id]".to_owned() } else { format!("mode: {mode}") };
    before.replace("pipelines/daily.yaml", "mode: merge, key: [id]", &written);
    before.add_readback();
    before.write("landing/customers/2026-11-01/a.csv", customers(0..300, "old"));
    before.run();
    // The second file has rows that are there already, where they are merged.
    let second = if mode == "merge" { 200..500 } else { 300..600 };
    before.write("landing/customers/2026-11-01/b.csv", customers(second.clone(), "new"));
    let mut expected: BTreeMap<i64, String> = (0..300).map(|id| (id, "old".to_owned())).collect();
    expected.extend(second.map(|id| (id, "new".to_owned())));
    let mut case = Case { name: format!("{sink}, {mode}"), before, expected, calls: Vec::new() };
    case.calls = calls_of(&case);
    assert!(case.calls.len() > 30, "{}: {} calls", case.name, case.calls.len());
    case
}

fn customers(ids: std::ops::Range<i64>, city: &str) -> String {
    let mut csv = "id,name,email,card,born,city\n".to_owned();
    for id in ids {
        writeln!(csv, "{id},Name {id},n{id}@example.com,4111-1111-1111-{id:04},1990-01-01,{city}").unwrap();
    }
    csv
}

/// The storage calls of a run's main thread. Strace counts calls by thread and by name.
fn calls_of(case: &Case) -> Vec<(String, usize)> {
    let site = case.before.copy();
    let log = site.path("calls.log");
    let traced = site.under_strace(&["-o", &log.display().to_string(), "-e", &format!("trace={CALLS}")]);
    assert_eq!(traced.code, 0, "{}: {}", case.name, traced.err);
    let text = fs::read_to_string(&log).unwrap();
    let main = text.split(' ').next().unwrap_or_default();
    let mut seen = BTreeMap::<&str, usize>::new();
    let names = text.lines().filter_map(|line| line.strip_prefix(main)?.trim().split_once('(').map(|(name, _)| name));
    names
        .map(|name| {
            let count = seen.entry(name).or_default();
            *count += 1;
            (name.to_owned(), *count)
        })
        .collect()
}

/// Lets a fault strike one call of a run. Gives whether it did; asserts that all is well after the next run.
fn strike(case: &Case, fault: &str, call: usize) -> bool {
    let site = case.before.copy();
    let (name, number) = &case.calls[call];
    let what = format!("{}: {fault} at call {call} of {}, {name} {number}", case.name, case.calls.len());
    let inject = format!("inject={name}:{fault}:when={number}");
    let log = site.path("calls.log").display().to_string();
    let outcome = site.under_strace(&["-o", &log, "-e", &format!("trace={CALLS}"), "-e", &inject]);
    let traced = fs::read_to_string(&log).unwrap_or_default();
    let hit = traced.contains("(INJECTED)") || traced.contains("(DELAYED)") || outcome.code != 0 && fault == KILL;
    assert!(!outcome.err.contains("panicked"), "{what}: {}", outcome.err);
    fs::remove_file(&log).unwrap();
    assert_whole_after_the_next_run(case, &site, &what, &outcome);
    hit
}

/// Lets no file of a run become larger than so many blocks. Gives whether that failed it; asserts as [`strike`].
fn write_in_part(case: &Case, blocks: u32) -> bool {
    let site = case.before.copy();
    let what = format!("{}: no file beyond {blocks} blocks", case.name);
    let program = site.command(&["run", "daily"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()]).arg(program.get_program());
    let outcome = said(&limited.args(program.get_args()).env("NO_COLOR", "1").output().unwrap());
    assert!(!outcome.err.contains("panicked"), "{what}: {}", outcome.err);
    assert_whole_after_the_next_run(case, &site, &what, &outcome);
    outcome.code != 0
}

fn assert_whole_after_the_next_run(case: &Case, site: &Site, what: &str, outcome: &Said) {
    let again = site.lockgate(&["run", "daily"]);
    assert_eq!(again.code, 0, "{what}: {}{}\nfirst: {}", again.out, again.err, outcome.err);
    let readback = site.lockgate(&["run", "zz_readback"]);
    assert_eq!(readback.code, 0, "{what}: {}", readback.err);
    assert_eq!(site.readback(), case.expected, "{what}");
    let verified = site.lockgate(&["verify"]);
    assert_eq!(verified.code, 0, "{what}: {}", verified.err);
    assert_eq!(leftovers(site), Vec::<String>::new(), "{what}");
}

/// Files that no commit knows of.
fn leftovers(site: &Site) -> Vec<String> {
    let dataset = site.path("lake/analytics.customers");
    let mut live = Vec::new();
    for (path, content) in site.files("lake/analytics.customers/_lockgate/commits") {
        let commit: serde_json::Value =
            serde_json::from_slice(&content).unwrap_or_else(|error| panic!("{} is left over: {error}", path.display()));
        let names = |key: &str| -> Vec<String> {
            let entries = commit[key].as_array().unwrap().iter();
            entries.map(|entry| entry["name"].as_str().or(entry.as_str()).unwrap().to_owned()).collect()
        };
        let removed = names("removes");
        live.retain(|name| !removed.contains(name));
        live.extend(names("adds"));
    }
    let found = site.files("lake").into_keys().map(|path| path.strip_prefix(&dataset).unwrap().display().to_string());
    found
        .filter(|path| !path.starts_with("_lockgate/commits/0") && path != "_lockgate/lock" && !live.contains(path))
        .collect()
}

impl Site {
    /// The same project in another folder.
    fn copy(&self) -> Self {
        let copy = Self::empty();
        for (path, content) in self.files(".") {
            let name = path.strip_prefix(self.path(".")).unwrap().display().to_string();
            copy.write(&name, &content);
            fs::set_permissions(copy.path(&name), fs::metadata(&path).unwrap().permissions()).unwrap();
        }
        let keys = fs::metadata(self.path(".lockgate/keys")).unwrap().permissions();
        fs::set_permissions(copy.path(".lockgate/keys"), keys).unwrap();
        copy
    }

    fn under_strace(&self, options: &[&str]) -> Said {
        let program = self.command(&["run", "daily"]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q"]).args(options).arg("--").arg(program.get_program());
        said(&strace.args(program.get_args()).env("NO_COLOR", "1").output().unwrap())
    }
}
