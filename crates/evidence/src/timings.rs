//! Where the time of a run went, up to its commit.

use serde::{Deserialize, Serialize};

use crate::{Document, attachment};

/// The stages of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timings {
    /// Format version, 1.
    pub v: u8,
    /// In the order in which they begin. Reading is done on a thread of its own, beside the stages that follow it.
    pub stages: Vec<StageTiming>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageTiming {
    /// Which.
    pub stage: Stage,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// A part of a run's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Finding and digesting what is to be read.
    Inputs,
    /// Unwrapping and making keys.
    Keys,
    /// Reading, parsing and checking records; not the time it waited for the stages after it.
    Read,
    /// The engine: SQL and protections, and waiting for records.
    Protect,
    /// Writing rows to the sink.
    Write,
    /// Sealing what was set aside, and writing the evidence.
    Evidence,
}

impl Stage {
    /// What it does, for people.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Inputs => "find and digest the inputs",
            Self::Keys => "unwrap and make keys",
            Self::Read => "read and parse (a thread of its own)",
            Self::Protect => "evaluate and protect, with waiting for records",
            Self::Write => "write rows",
            Self::Evidence => "quarantine and evidence",
        }
    }
}

impl Document for Timings {
    const NAME: &'static str = attachment::TIMINGS;
}
