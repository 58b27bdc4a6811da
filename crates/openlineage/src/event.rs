//! The event itself: what became of a run of a job, over which datasets.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::facet::{Facet, PRODUCER};
use crate::naming::DatasetId;

/// The schemas that events name.
const SCHEMA_URL: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

const JOB_SCHEMA_URL: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent";

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventType {
    /// It begins.
    Start,
    /// Its inputs are known, and rows flow.
    Running,
    /// It is done.
    Complete,
    /// It was broken off, and a later run found it so.
    Abort,
    /// It failed.
    Fail,
}

/// Facets by their keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Facets(BTreeMap<&'static str, Value>);

impl Facets {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These and others; of one key the other is kept.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl FromIterator<Facet> for Facets {
    fn from_iter<I: IntoIterator<Item = Facet>>(facets: I) -> Self {
        Self(facets.into_iter().map(|facet| (facet.key, facet.value)).collect())
    }
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// A UUID.
    pub run_id: String,
    /// What is known of it.
    #[serde(skip_serializing_if = "Facets::is_empty")]
    pub facets: Facets,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Whose names these are.
    pub namespace: String,
    /// Which one.
    pub name: String,
    /// What is known of it.
    #[serde(skip_serializing_if = "Facets::is_empty")]
    pub facets: Facets,
}

/// A dataset that a run reads or writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    /// Its name.
    #[serde(flatten)]
    pub id: DatasetId,
    /// What is known of it.
    #[serde(skip_serializing_if = "Facets::is_empty")]
    pub facets: Facets,
    /// What is known of it as an input.
    #[serde(skip_serializing_if = "Facets::is_empty")]
    pub input_facets: Facets,
    /// What is known of it as an output.
    #[serde(skip_serializing_if = "Facets::is_empty")]
    pub output_facets: Facets,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEvent {
    event_type: EventType,
    event_time: String,
    run: Run,
    job: Job,
    inputs: Vec<Dataset>,
    outputs: Vec<Dataset>,
    producer: &'static str,
    #[serde(rename = "schemaURL")]
    schema_url: &'static str,
}

impl RunEvent {
    /// An event at a time in RFC 3339.
    pub fn new(
        event_type: EventType,
        event_time: String,
        run: Run,
        job: Job,
        inputs: Vec<Dataset>,
        outputs: Vec<Dataset>,
    ) -> Self {
        Self { event_type, event_time, run, job, inputs, outputs, producer: PRODUCER, schema_url: SCHEMA_URL }
    }
}

/// What a job reads and writes, whether or not it runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobEvent {
    event_time: String,
    job: Job,
    inputs: Vec<Dataset>,
    outputs: Vec<Dataset>,
    producer: &'static str,
    #[serde(rename = "schemaURL")]
    schema_url: &'static str,
}

impl JobEvent {
    /// An event at a time in RFC 3339.
    pub fn new(event_time: String, job: Job, inputs: Vec<Dataset>, outputs: Vec<Dataset>) -> Self {
        Self { event_time, job, inputs, outputs, producer: PRODUCER, schema_url: JOB_SCHEMA_URL }
    }
}

/// A UUID of version 7 (RFC 9562): the time in milliseconds since 1970, and random bytes.
pub fn uuid_v7(at_ms: u64, random: [u8; 10]) -> String {
    let [_, _, time @ ..] = at_ms.to_be_bytes();
    let [a, b, c, rest @ ..] = random;
    let bytes = time.into_iter().chain([(a & 0x0f) | 0x70, b, (c & 0x3f) | 0x80]).chain(rest);
    let mut text = String::new();
    for (index, byte) in bytes.enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_its_variant_and_its_time() {
        assert_eq!(uuid_v7(0x0123_4567_89ab, [0xff; 10]), "01234567-89ab-7fff-bfff-ffffffffffff");
        assert_eq!(uuid_v7(0, [0; 10]), "00000000-0000-7000-8000-000000000000");
    }
}
