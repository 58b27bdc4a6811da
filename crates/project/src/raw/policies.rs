//! Files of policies as they are written. Each key stands for one thing that Ranger's policies can say.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::{Checked, Entries};

/// A list of texts.
pub(crate) type Texts = Checked<Vec<Checked<String>>>;

/// Policies: who may see what, with the roles, groups and zones that they speak of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lockgate policies")]
pub(crate) struct PoliciesFile {
    /// Roles, by name, and who has them.
    pub(crate) roles: Option<Checked<Entries<RoleEntry>>>,
    /// Groups, by name, and their users.
    pub(crate) groups: Option<Checked<Entries<Vec<Checked<String>>>>>,
    /// What is known of users, by name: texts that expressions read as `USER.name`.
    pub(crate) users: Option<Checked<Entries<Entries<String>>>>,
    /// Security zones, by name: datasets with policies of their own.
    pub(crate) zones: Option<Checked<Entries<ZoneEntry>>>,
    /// The policies.
    pub(crate) policies: Option<Checked<Vec<Checked<PolicyEntry>>>>,
}

/// Who has a role.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleEntry {
    /// Users.
    pub(crate) users: Option<Texts>,
    /// Groups.
    pub(crate) groups: Option<Texts>,
    /// Roles that give this one.
    pub(crate) roles: Option<Texts>,
}

/// Datasets with policies of their own: only policies with this `zone` count for them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZoneEntry {
    /// Names of datasets, or patterns.
    #[schemars(length(min = 1))]
    pub(crate) datasets: Texts,
}

/// One policy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyEntry {
    /// Its name, which decisions and messages give.
    pub(crate) policy: Checked<String>,
    /// Whether it counts. Without it: true.
    pub(crate) enabled: Option<Checked<bool>>,
    /// Whether accesses that it decides are audited. Without it: true.
    pub(crate) audit: Option<Checked<bool>>,
    /// `override`: it counts before all policies without. Without it: `normal`.
    pub(crate) priority: Option<Checked<PriorityChoice>>,
    /// The security zone that it belongs to.
    pub(crate) zone: Option<Checked<String>>,
    /// What it is about.
    pub(crate) on: Checked<OnEntry>,
    /// What it is about as well.
    pub(crate) also_on: Option<Checked<Vec<Checked<OnEntry>>>>,
    /// When it counts; any of these is enough.
    pub(crate) valid: Option<Checked<Vec<Checked<ValidEntry>>>>,
    /// Under which conditions it counts; all must hold.
    #[serde(rename = "if")]
    pub(crate) conditions: Option<Checked<ConditionsEntry>>,
    /// Who may.
    pub(crate) allow: Option<Checked<Vec<Checked<ItemEntry>>>>,
    /// Whom `allow` does not cover.
    pub(crate) allow_except: Option<Checked<Vec<Checked<ItemEntry>>>>,
    /// Who may not.
    pub(crate) deny: Option<Checked<Vec<Checked<ItemEntry>>>>,
    /// Whom `deny` does not cover.
    pub(crate) deny_except: Option<Checked<Vec<Checked<ItemEntry>>>>,
    /// Whether whom `allow` does not cover may not, whatever other policies say. Without it: false.
    pub(crate) deny_all_else: Option<Checked<bool>>,
    /// Who sees which columns masked; the first that fits counts.
    pub(crate) mask: Option<Checked<Vec<Checked<MaskEntry>>>>,
    /// Who sees which rows; the first that fits counts.
    pub(crate) rows: Option<Checked<Vec<Checked<RowsEntry>>>>,
}

/// Which policies count first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PriorityChoice {
    /// After those that override.
    Normal,
    /// Before all others, those on tags included.
    Override,
}

/// What a policy is about: columns of datasets, or tags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["datasets"] }, { "required": ["tags"] }]))]
pub(crate) struct OnEntry {
    /// Names of datasets, or patterns: `*` is any text, `?` any character, and `*` alone every dataset.
    #[schemars(length(min = 1))]
    pub(crate) datasets: Option<Texts>,
    /// Datasets that are not meant although a pattern in `datasets` fits them.
    #[schemars(length(min = 1))]
    pub(crate) except_datasets: Option<Texts>,
    /// Names of columns, or patterns. Without it: every column.
    #[schemars(length(min = 1))]
    pub(crate) columns: Option<Texts>,
    /// Every column but these.
    #[schemars(length(min = 1))]
    pub(crate) except_columns: Option<Texts>,
    /// Tags of columns, or patterns.
    #[schemars(length(min = 1))]
    pub(crate) tags: Option<Texts>,
}

/// When a policy counts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValidEntry {
    /// From when on: `2026-01-31` or `2026-01-31 14:30:00`.
    #[schemars(extend("examples" = ["2026-01-31", "2026-01-31 14:30:00"]))]
    pub(crate) from: Option<Checked<String>>,
    /// Until when; a date is meant with its whole day.
    #[schemars(extend("examples" = ["2026-12-31", "2026-12-31 18:00:00"]))]
    pub(crate) until: Option<Checked<String>>,
    /// The time zone of both, such as `Europe/Zurich`. Without it: UTC.
    pub(crate) time_zone: Option<Checked<String>>,
    /// Within these, when again and again.
    pub(crate) every: Option<Checked<Vec<Checked<EveryEntry>>>>,
}

/// When an interval starts again and again, and how long it is. Each of the times is `*`, or numbers and ranges: `1-3,5`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EveryEntry {
    /// 0 to 59.
    pub(crate) minute: Option<Checked<String>>,
    /// 0 to 23.
    pub(crate) hour: Option<Checked<String>>,
    /// 1 to 31.
    pub(crate) day_of_month: Option<Checked<String>>,
    /// 1 (Sunday) to 7.
    pub(crate) day_of_week: Option<Checked<String>>,
    /// 1 to 12.
    pub(crate) month: Option<Checked<String>>,
    /// 2017 to 2100.
    pub(crate) year: Option<Checked<String>>,
    /// How long the interval is.
    #[serde(rename = "for")]
    pub(crate) length: Checked<LengthEntry>,
}

/// How long an interval is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LengthEntry {
    /// Days.
    pub(crate) days: Option<Checked<u32>>,
    /// Hours besides.
    pub(crate) hours: Option<Checked<u32>>,
    /// Minutes besides.
    pub(crate) minutes: Option<Checked<u32>>,
}

/// Conditions, all of which must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionsEntry {
    /// The client's address is one of these, or begins as one of these: `10.0.*`.
    pub(crate) ip: Option<Texts>,
    /// The time of day is in one of these: `9:00 AM - 6:00 PM`.
    pub(crate) time_of_day: Option<Texts>,
    /// An expression holds: `USER.dept == 'sales'`, `IS_IN_ROLE('lead')`.
    pub(crate) expression: Option<Checked<String>>,
    /// The operation is one of these.
    pub(crate) action: Option<Texts>,
    /// Two or more of these columns are read together: `DATASET.COLUMN`.
    pub(crate) together: Option<Texts>,
    /// These columns are not read together.
    pub(crate) not_together: Option<Texts>,
    /// The column has all of these tags.
    pub(crate) all_tags: Option<Texts>,
    /// The column has one of these tags.
    pub(crate) any_tag: Option<Texts>,
    /// The column has none of these tags.
    pub(crate) no_tag: Option<Texts>,
    /// The cluster is one of these.
    pub(crate) cluster: Option<Texts>,
    /// The cluster is none of these.
    pub(crate) not_cluster: Option<Texts>,
    /// Facts of the request, by name, are one of the texts.
    pub(crate) context: Option<Checked<Entries<Vec<Checked<String>>>>>,
    /// Facts of the request, by name, are none of the texts.
    pub(crate) not_context: Option<Checked<Entries<Vec<Checked<String>>>>>,
}

/// Who may, or may not, do what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemEntry {
    /// Users; `{USER}` is anybody, `{OWNER}` who owns the dataset.
    #[schemars(length(min = 1))]
    pub(crate) users: Option<Texts>,
    /// Groups; `public` is anybody.
    #[schemars(length(min = 1))]
    pub(crate) groups: Option<Texts>,
    /// Roles.
    #[schemars(length(min = 1))]
    pub(crate) roles: Option<Texts>,
    /// What: `select`, `update`, `unseal`, or `all`, which is every access but `unseal`.
    #[schemars(length(min = 1))]
    pub(crate) access: Texts,
    /// Under which conditions.
    #[serde(rename = "if")]
    pub(crate) conditions: Option<Checked<ConditionsEntry>>,
    /// Whether they may pass the right on. Without it: false.
    pub(crate) delegate_admin: Option<Checked<bool>>,
}

/// Who sees which columns masked, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["with"] }, { "required": ["sql"] }]))]
pub(crate) struct MaskEntry {
    /// Users.
    #[schemars(length(min = 1))]
    pub(crate) users: Option<Texts>,
    /// Groups; `public` is anybody.
    #[schemars(length(min = 1))]
    pub(crate) groups: Option<Texts>,
    /// Roles.
    #[schemars(length(min = 1))]
    pub(crate) roles: Option<Texts>,
    /// The columns. Without it: those that the policy is on.
    #[schemars(length(min = 1))]
    pub(crate) columns: Option<Texts>,
    /// How: `redact`, `show_first: 4`, `show_last: 4`, `hash`, `"null"`, `date_to_year`, or `clear` for no mask.
    pub(crate) with: Option<Checked<String>>,
    /// How, as an expression in which `{col}` stands for the column.
    pub(crate) sql: Option<Checked<String>>,
    /// Under which conditions.
    #[serde(rename = "if")]
    pub(crate) conditions: Option<Checked<ConditionsEntry>>,
}

/// Who sees which rows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsEntry {
    /// Users.
    #[schemars(length(min = 1))]
    pub(crate) users: Option<Texts>,
    /// Groups; `public` is anybody.
    #[schemars(length(min = 1))]
    pub(crate) groups: Option<Texts>,
    /// Roles.
    #[schemars(length(min = 1))]
    pub(crate) roles: Option<Texts>,
    /// The condition that a row must meet, in SQL.
    #[serde(rename = "where")]
    pub(crate) filter: Checked<String>,
    /// Under which conditions.
    #[serde(rename = "if")]
    pub(crate) conditions: Option<Checked<ConditionsEntry>>,
}

/// How the project's policies decide.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySettingsEntry {
    /// Which of several row filters that fit counts. Without it: `first`, as in Ranger.
    pub(crate) row_filters: Option<Checked<RowFiltersChoice>>,
    /// The zone in which times without a zone are meant. Without it: UTC.
    pub(crate) time_zone: Option<Checked<String>>,
    /// Users who may do everything.
    pub(crate) super_users: Option<Texts>,
    /// Groups whose members may do everything.
    pub(crate) super_groups: Option<Texts>,
}

/// Which of several row filters counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RowFiltersChoice {
    /// The first.
    First,
    /// All: a row must meet each of them.
    All,
}
