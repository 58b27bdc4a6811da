//! What was decided.

use std::borrow::Cow;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<'e> {
    /// Whether access is allowed; of masks and filters, whether one was found.
    pub is_allowed: bool,
    /// Whether it is settled, so that nothing else is to be asked.
    pub is_determined: bool,
    /// Whether the access is to be audited.
    pub is_audited: bool,
    /// The policy that decided, or -1.
    pub policy_id: i64,
    /// Its name.
    pub policy_name: Option<&'e str>,
    /// Its version.
    pub policy_version: Option<i64>,
    /// The policy that says that the access is audited, or -1.
    pub audit_policy_id: i64,
    /// The zone whose policies decided.
    pub zone: Option<&'e str>,
    /// The priority of the policy that decided.
    pub priority: i32,
    /// The mask.
    pub mask: Option<Mask<'e>>,
    /// The rows that are seen.
    pub filter: Option<Cow<'e, str>>,
    /// Why nothing was evaluated, where that is so.
    pub refused: Option<Cow<'e, str>>,
    /// How many policies were looked at: of those that the resource leads to, those that may name who asks and the access,
    /// or may say that it is audited; policies on tags once for each tag. [`crate::Engine::explain`] looks at all that the
    /// resource leads to, and counts more.
    pub evaluated: u32,
}

/// A mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask<'e> {
    /// Its kind: `MASK_HASH`, `CUSTOM`; `MASK_NONE` says that the value is seen as it is.
    pub kind: Option<&'e str>,
    /// A condition, which no engine is known to use.
    pub condition: Option<&'e str>,
    /// The expression of a custom mask.
    pub value: Option<Cow<'e, str>>,
}

impl Mask<'_> {
    /// Whether the value is seen as it is.
    pub fn is_clear(&self) -> bool {
        self.kind.is_none_or(|kind| kind.is_empty() || kind.eq_ignore_ascii_case("MASK_NONE"))
    }
}

/// The mask of what could not be decided.
pub const CLOSED_MASK: &str = "MASK_NULL";
/// The filter of what could not be decided: no row.
pub const CLOSED_FILTER: &str = "1 = 0";
