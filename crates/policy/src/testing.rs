//! Runs test cases in Ranger's own JSON formats, unchanged.
//!
//! ```text
//! test_policyengine_*.json      requests against policies; Ranger's answers beside them, where they are
//! gds/test_gds_*.json           requests against shares
//! test_resourcematcher_*.json   values against the values of a policy
//! test_defaultpolicyresourcematcher*.json, …_for_*_policy.json   resources and policies against a policy
//! test_aclprovider_*.json       who has which access to a resource
//! test-validity-schedules-*.json   times against schedules
//! ```
//! Nothing is read here: the files that a file refers to are asked of the caller.

mod acls;
mod answers;
mod engine_file;
mod matchers;
mod request;
mod schedules;
mod shares;

use jiff::Timestamp;
use serde_json::Value;

use crate::engine::Mode;
use crate::json::{ReadError, read};
pub use answers::Answers;

/// How cases are run.
#[derive(Debug, Clone, Copy)]
pub struct TestRun<'a> {
    /// What can't be decided.
    pub mode: Mode,
    /// When it is, for requests that do not say.
    pub now: Timestamp,
    /// What Ranger's engine answered, compared besides what the file expects.
    pub answers: Option<&'a Answers>,
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// What was compared and differs, or nothing if the case passed.
    pub failure: Option<Failure>,
}

/// Why a case failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is expected.
    pub expected: String,
    /// What was found.
    pub actual: String,
    /// How it came about, where that can be told.
    pub explanation: String,
}

impl CaseReport {
    /// Compares what is expected with what was found.
    pub(crate) fn compare(
        name: &str,
        expected: impl Into<String>,
        actual: impl Into<String>,
        explain: impl FnOnce() -> String,
    ) -> Self {
        let (expected, actual) = (expected.into(), actual.into());
        let differs = expected != actual;
        let failure = differs.then(|| Failure { expected, actual, explanation: explain() });
        Self { name: name.to_owned(), failure }
    }

    /// Whether the case passed.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Runs the cases of a file. `name` is the file's own, by which its answers are known; `resolve` gives the text of a
/// file that it refers to, by the path that it has there.
pub fn run(
    name: &str,
    text: &str,
    resolve: &dyn Fn(&str) -> Option<String>,
    run: &TestRun<'_>,
) -> Result<Vec<CaseReport>, ReadError> {
    let shape: Value = read(text)?;
    if shape.is_array() {
        return schedules::run(text);
    }
    let has = |key: &str| shape.get(key).is_some();
    let first_case = shape.get("testCases").and_then(|cases| cases.get(0));
    let case_has = |key: &str| first_case.is_some_and(|case| case.get(key).is_some());
    if has("gdsInfoFilename") || has("gdsInfo") || has("serviceType") {
        shares::run(text, resolve, run)
    } else if case_has("servicePolicies") {
        acls::run(text, run)
    } else if case_has("resourceDef") {
        matchers::run_values(text)
    } else if has("testCases") {
        matchers::run_resources(text)
    } else {
        engine_file::run(name, text, resolve, run)
    }
}
