//! A bar on a terminal; nothing where standard error is a file.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lockgate_run::Progress;

/// Bytes read of all, with rows per second.
pub(crate) struct Bar {
    bar: ProgressBar,
    rows: AtomicU64,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new(0);
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{bar:30} {bytes}/{total_bytes}  {msg}  {elapsed}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, rows: AtomicU64::new(0) }
    }

    pub(crate) fn announce(&self, bytes: u64) {
        self.bar.set_length(bytes);
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn advance(&self, bytes: u64, rows: u64) {
        let all = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let per_second = all as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{all} rows, {per_second:.0} rows/s"));
        self.bar.inc(bytes);
    }
}
