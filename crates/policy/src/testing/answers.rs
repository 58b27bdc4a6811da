//! What Ranger's own engine answered: one JSON object a line, for each case of each file.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The answers, by file, phase and name of the case.
#[derive(Debug, Clone, Default)]
pub struct Answers(BTreeMap<(String, String, String), Vec<Answer>>);

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    file: String,
    phase: String,
    name: String,
    #[serde(flatten)]
    answer: Answer,
}

/// What was answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Answer {
    access: Option<PolicyAnswer>,
    data_mask: Option<PolicyAnswer>,
    row_filter: Option<PolicyAnswer>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PolicyAnswer {
    policy_id: i64,
}

impl Answers {
    /// Reads answers; lines that are none are left out.
    pub fn read(text: &str) -> Self {
        let mut answers = Self::default();
        for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            answers.0.entry((line.file, line.phase, line.name)).or_default().push(line.answer);
        }
        answers
    }

    /// The policy that decided the `nth` case of a name.
    pub(super) fn policy_id(&self, case: &AnsweredCase<'_>, kind: crate::model::PolicyType) -> Option<i64> {
        let key = (case.file.to_owned(), case.phase.to_owned(), case.name.to_owned());
        let answer = self.0.get(&key)?.get(case.nth)?;
        let answer = match kind {
            crate::model::PolicyType::Access => &answer.access,
            crate::model::PolicyType::DataMask => &answer.data_mask,
            crate::model::PolicyType::RowFilter => &answer.row_filter,
        };
        Some(answer.as_ref()?.policy_id)
    }
}

/// By what an answer is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnsweredCase<'a> {
    pub(super) file: &'a str,
    pub(super) phase: &'a str,
    pub(super) name: &'a str,
    pub(super) nth: usize,
}
