//! An interpreter that knows nothing of DataFusion says what each principal sees and where each row comes from; generated
//! queries over generated data under generated policies must agree with it, rows and sources alike.
//!
//! ```text
//! seed ─► tables, policies, query ─┬─► rendered as SQL and YAML ─► project ─► governed plan ─► engine ─► rows, row ids ─┐
//!                                  └─► evaluated as it stands, row by row ─────────────────► rows, row ids ─────────────┴─ equal
//! ```
//! `LOCKGATE_NAIVE_CASES` sets how many cases are run, `LOCKGATE_NAIVE_SEED` the first of them.

use std::collections::BTreeSet;

mod ast;
mod compare;
mod evaluate;
mod generate;
mod render;
pub(crate) mod spark;

/// What is run where nothing else is said.
const CASES: u64 = 20_000;
/// How many queries are asked of one set of tables and policies.
const QUERIES_PER_WORLD: u64 = 20;

/// Seeds of cases that were once wrong: run whatever range is asked for.
const REGRESSIONS: [u64; 6] = [5, 46, 107, 109, 414, 464];

fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => otherwise,
    }
}

#[test]
fn rows_and_sources_are_those_of_the_naive_interpreter() {
    let first = number("LOCKGATE_NAIVE_SEED", 0);
    let worlds = number("LOCKGATE_NAIVE_CASES", CASES).div_ceil(QUERIES_PER_WORLD);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let seeds: BTreeSet<u64> = REGRESSIONS.into_iter().chain(first..first + worlds).collect();
    let counts = std::thread::scope(|scope| {
        let of_thread = |thread: u64| {
            let seeds: Vec<u64> = seeds.iter().copied().skip(thread as usize).step_by(threads as usize).collect();
            scope.spawn(move || {
                seeds.into_iter().map(|seed| compare::world(seed, QUERIES_PER_WORLD)).sum::<compare::Counts>()
            })
        };
        let handles: Vec<_> = (0..threads).map(of_thread).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).sum::<compare::Counts>()
    });
    println!("{counts:?}");
    assert!(counts.compared >= counts.asked * 9 / 10, "too few of the generated queries are governed: {counts:?}");
    assert!(counts.with_rows >= counts.compared / 3, "too many results are empty: {counts:?}");
}
