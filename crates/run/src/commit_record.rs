//! What the sink keeps with a commit: enough to write the ledger's entry if the run is killed before it could.

use lockgate_evidence::{RunCommit, attachment};
use lockgate_ledger::Attachment;
use lockgate_model::Sha256Digest;
use serde::{Deserialize, Serialize};

/// The record of one commit, as JSON beside the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommitRecord {
    pub(crate) v: u8,
    pub(crate) commit: RunCommit,
    pub(crate) attachments: Vec<Attachment>,
}

impl CommitRecord {
    pub(crate) fn attached(&self, name: &str) -> Option<&Attachment> {
        self.attachments.iter().find(|attachment| attachment.name == name)
    }

    pub(crate) fn plan(&self) -> Option<Sha256Digest> {
        self.attached(attachment::PLAN).map(|attachment| attachment.sha256)
    }
}
