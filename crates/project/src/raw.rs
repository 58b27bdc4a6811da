//! The files of a project as they are written: the keys, their types, and nothing about what refers to what.
//!
//! The JSON Schemas that editors use are made from these same types, so the two cannot disagree on a key.

use lockgate_model::{
    ColumnName, Compression, DatasetName, PipelineName, PrincipalName, ProjectName, TextEncoding, TransportSecurity,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::{AnyScalar, Checked, Entries};

pub(crate) use policies::{
    ConditionsEntry, EveryEntry, ItemEntry, LengthEntry, MaskEntry, OnEntry, PoliciesFile, PolicyEntry,
    PolicySettingsEntry, PriorityChoice, RoleEntry, RowFiltersChoice, RowsEntry, Texts, ValidEntry, ZoneEntry,
};
pub(crate) use services::{
    AppRoleEntry, AssertionAlgorithmChoice, AwsEntry, JwtLoginEntry, KubernetesLoginEntry, OAuthEntry, SseEntry,
    TlsEntry, VaultEntry, VaultLoginEntry,
};

mod policies;
mod services;

/// A Lockgate project: where data lies, with which keys it is protected, and what is done to columns of which level.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lockgate project")]
pub(crate) struct ProjectFile {
    /// The version of this format: 1.
    #[schemars(extend("const" = 1))]
    pub(crate) version: Checked<u32>,
    /// The project's name. It is part of every key's context: values sealed in one project never open in another.
    pub(crate) project: Checked<ProjectName>,
    /// The places that hold datasets, by name.
    pub(crate) stores: Checked<Entries<StoreEntry>>,
    /// The key services, by name; `default` must be there.
    pub(crate) keys: Checked<Entries<KeyServiceEntry>>,
    /// How connections are secured, where they do not say it themselves.
    pub(crate) tls: Option<Checked<TlsEntry>>,
    /// The Vault server that keeps secrets.
    pub(crate) vault: Option<Checked<VaultEntry>>,
    /// Clients of OAuth 2.0 authorization servers, by name.
    pub(crate) oauth: Option<Checked<Entries<OAuthEntry>>>,
    /// What the project's AWS services have in common.
    pub(crate) aws: Option<Checked<AwsEntry>>,
    /// Where the ledger lies.
    pub(crate) ledger: Checked<LedgerEntry>,
    /// Where OpenLineage events of every run go, unless the environment says otherwise.
    pub(crate) lineage: Option<Checked<LineageEntry>>,
    /// The classification levels, least restricted first. Without it: public, internal, confidential, restricted.
    pub(crate) levels: Option<Checked<Entries<LevelEntry>>>,
    /// The level of a column that nothing else gives one. Without it: `internal`, if the project has that level.
    #[schemars(with = "Option<String>")]
    pub(crate) default_level: Option<Checked<String>>,
    /// Tags of this project, or other levels for the built-in ones: tag to least level.
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    pub(crate) tags: Option<Checked<Entries<String>>>,
    /// What is done to a column when a sink's clearance is below its level; the first match wins.
    pub(crate) protect: Option<Checked<Vec<Checked<ProtectEntry>>>>,
    /// How the project's policies decide.
    pub(crate) policy: Option<Checked<PolicySettingsEntry>>,
    /// Whose word is taken for who asks a query. Without it: `local`.
    pub(crate) identity: Option<Checked<IdentityChoice>>,
}

/// Whose word is taken for who asks a query.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IdentityChoice {
    /// That of whoever runs the program on this machine, who has its keys: `--as` names anybody.
    Local,
    /// Nobody's: no query is answered from the command line.
    None,
}

/// A place that holds datasets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreEntry {
    /// Where it is: `file://DIR`, `sqlite://FILE`, `s3://BUCKET/PREFIX` or `postgresql://HOST:PORT/DATABASE`; a relative
    /// path begins at the project's folder.
    #[schemars(extend("examples" = ["file://./data/landing", "sqlite://./data/warehouse.db", "s3://bucket/landing", "postgresql://db.example:5432/analytics"]))]
    pub(crate) at: Checked<String>,
    /// For `s3://`: how objects must be encrypted.
    pub(crate) sse: Option<Checked<SseEntry>>,
    /// For `s3://`: another address than AWS's own, `https://HOST:PORT`.
    pub(crate) endpoint: Option<Checked<String>>,
    /// For `postgresql://`: the role that logs in, unless `secret` names a role of Vault's.
    pub(crate) user: Option<Checked<String>>,
    /// For `postgresql://`: where the role's password is kept, or the role of Vault's database engine that gives both:
    /// `vault-db:ROLE`, `vault-db-static:ROLE`. Without it the certificate of `tls` must do.
    pub(crate) secret: Option<Checked<String>>,
    /// How the connection is secured, where it differs from the project's `tls`.
    pub(crate) tls: Option<Checked<TlsEntry>>,
    /// The highest level that the store may receive in the clear. Without it: the lowest level.
    pub(crate) clearance: Option<Checked<String>>,
}

/// A key service: one of the three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyServiceEntry {
    /// A folder with the keys, or beside another service with what that service wrapped; relative to the project's
    /// folder. Without it, beside another service: `.lockgate/keys`.
    pub(crate) local: Option<Checked<String>>,
    /// Where the passphrase of the local keys is kept: `env:NAME` or `file:PATH`, never the passphrase itself.
    #[schemars(regex(pattern = r"^(env|file):.+"))]
    pub(crate) passphrase: Option<Checked<String>>,
    /// A key of AWS KMS: its ARN, id or alias.
    #[serde(rename = "aws-kms")]
    pub(crate) aws_kms: Option<Checked<String>>,
    /// A key of Vault's transit engine: `NAME`, or `MOUNT/NAME` where the engine is not at `transit`.
    #[serde(rename = "vault-transit")]
    pub(crate) vault_transit: Option<Checked<String>>,
    /// For `aws-kms`: another address than AWS's own, `https://HOST:PORT`.
    pub(crate) endpoint: Option<Checked<String>>,
}

/// Where the ledger lies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LedgerEntry {
    /// `file://DIR`, where a relative path begins at the project's folder, or `s3://BUCKET/PREFIX` for a ledger that several
    /// machines share.
    #[schemars(extend("examples" = ["file://./.lockgate/ledger", "s3://bucket/ledger"]))]
    pub(crate) at: Checked<String>,
    /// For `s3://`: how objects must be encrypted.
    pub(crate) sse: Option<Checked<SseEntry>>,
    /// For `s3://`: another address than AWS's own, `https://HOST:PORT`.
    pub(crate) endpoint: Option<Checked<String>>,
    /// For `s3://`: how the connection is secured, where it differs from the project's `tls`.
    pub(crate) tls: Option<Checked<TlsEntry>>,
}

/// Where OpenLineage events go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineageEntry {
    /// A server's `https://` or `http://` URL, to which `/api/v1/lineage` is added where it has no path, or `file://FILE`,
    /// where a relative path begins at the project's folder.
    #[schemars(extend("examples" = ["https://lineage.example.org", "file://./events.jsonl"]))]
    pub(crate) to: Checked<String>,
    /// The client under `oauth` whose token is shown to the server; it needs `https://`.
    pub(crate) oauth: Option<Checked<String>>,
    /// The namespace of jobs; without it the project's name.
    pub(crate) namespace: Option<Checked<String>>,
}

/// What a level demands of the places that its data goes through. A level also demands what those below it demand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LevelEntry {
    /// The least security in transit.
    pub(crate) transport: Option<Checked<TransportSecurity>>,
    /// `sealed`: values are sealed where they are stored, even where readers may see them in the clear.
    pub(crate) at_rest: Option<Checked<AtRest>>,
    /// `customer-managed`: the key-encryption key is one that the project's owner controls.
    pub(crate) key: Option<Checked<KeyDemand>>,
    /// After how many days a column key starts a new period.
    #[schemars(range(min = 1))]
    pub(crate) rotate_days: Option<Checked<u32>>,
}

/// How values are stored.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AtRest {
    /// Encrypted value by value.
    Sealed,
}

/// Who controls a key.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyDemand {
    /// The project's owner.
    CustomerManaged,
}

/// What is done to columns of a tag, of a level, or of both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["tag"] }, { "required": ["level"] }]))]
pub(crate) struct ProtectEntry {
    /// Columns with this tag.
    pub(crate) tag: Option<Checked<String>>,
    /// Columns of this level.
    pub(crate) level: Option<Checked<String>>,
    /// The protection: `seal`, `token(domain: NAME)`, `fpe(domain: NAME)`, `mask(KIND)` or `drop`.
    #[schemars(with = "lockgate_model::Protection")]
    pub(crate) with: Checked<String>,
}

/// A dataset of the catalog: where it is and what its columns are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lockgate dataset")]
pub(crate) struct DatasetFile {
    /// The dataset's name, as SQL reads it.
    pub(crate) dataset: Checked<DatasetName>,
    /// Where it is.
    pub(crate) at: Checked<DatasetPlace>,
    /// The level of those of its columns that name none.
    #[schemars(with = "Option<String>")]
    pub(crate) level: Option<Checked<String>>,
    /// The column that names the person a row is about.
    #[schemars(with = "Option<String>")]
    pub(crate) subject: Option<Checked<String>>,
    /// What sealed values are bound to besides their column: `subject` (without it, where a subject is named), or
    /// `column`, so that they open without the row's subject.
    pub(crate) bind: Option<Checked<BindChoice>>,
    /// `subject`: sealed values are under a key of their subject's own, and `lockgate erase` destroys it.
    pub(crate) erase_by: Option<Checked<EraseChoice>>,
    /// The columns, in the order of the files.
    pub(crate) columns: Checked<Entries<ColumnEntry>>,
}

/// Where a dataset is: files at a path in a format, or a table that others write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["path", "format"] }, { "required": ["table"] }]))]
pub(crate) struct DatasetPlace {
    /// The name of a store.
    pub(crate) store: Checked<String>,
    /// The path of the files in the store; `*` stands for any name, `{name}` for a parameter of the run.
    #[schemars(extend("examples" = ["customers/{date}/*.csv"]))]
    pub(crate) path: Option<Checked<String>>,
    /// How the files are written.
    pub(crate) format: Option<Checked<FormatChoice>>,
    /// A table or view in a store at `postgresql://`: `SCHEMA.TABLE`, or `TABLE` in the schema `public`.
    #[schemars(extend("examples" = ["public.customers"]))]
    pub(crate) table: Option<Checked<String>>,
    /// For `table`: the columns whose values no two rows have in common, by which rows are put in order. Without it: the
    /// table's primary key.
    #[schemars(length(min = 1, max = 32))]
    pub(crate) key: Option<Checked<Vec<Checked<ColumnName>>>>,
    /// How the files are compressed. Without it: `auto`, as their first bytes say.
    pub(crate) compression: Option<Checked<Compression>>,
    /// For `format: csv`: the dialect, where it is not the usual one.
    pub(crate) csv: Option<Checked<CsvEntry>>,
    /// For `format: parquet`: how files that others encrypted are opened.
    pub(crate) parquet: Option<Checked<ParquetEntry>>,
}

/// How CSV files are written, where it is not the usual way (RFC 4180 in UTF-8 with a header).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CsvEntry {
    /// Whether the first record names the columns. Without it: true. Where not, the columns stand in the catalog's order.
    pub(crate) header: Option<Checked<bool>>,
    /// One character. Without it: `,`.
    #[schemars(with = "Option<String>")]
    pub(crate) delimiter: Option<Checked<String>>,
    /// One character, or `none`. Without it: `"`.
    #[schemars(with = "Option<String>")]
    pub(crate) quote: Option<Checked<String>>,
    /// One character that takes its meaning from the next one. Without it a quote is doubled.
    #[schemars(with = "Option<String>")]
    pub(crate) escape: Option<Checked<String>>,
    /// How text is encoded. Without it: `utf-8`.
    pub(crate) encoding: Option<Checked<TextEncoding>>,
    /// The texts that stand for null. Without it: the empty one.
    pub(crate) null_tokens: Option<Checked<Vec<Checked<String>>>>,
}

/// How Parquet files that others encrypted are opened. Files of this project need none of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParquetEntry {
    /// Keys by the id that the files name, each a reference to a secret (`env:NAME`, `file:PATH`) of 16, 24 or 32 bytes:
    /// as they are, or after `hex:` or `base64:`. A key also unwraps keys that name it as their master key.
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    pub(crate) keys: Option<Checked<Entries<String>>>,
    /// The AAD prefix that the files were written with and do not store.
    pub(crate) aad_prefix: Option<Checked<String>>,
}

/// How files are written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatChoice {
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// A JSON object on each line (RFC 8259 in UTF-8).
    #[serde(rename = "jsonl")]
    JsonLines,
    /// Apache Parquet, also with modular encryption.
    Parquet,
}

/// Whose values can be made unreadable together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EraseChoice {
    /// Those of one person, as the dataset's `subject` names them.
    Subject,
}

/// What sealed values are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BindChoice {
    /// The row's subject and the column.
    Subject,
    /// The column.
    Column,
}

/// A column.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnEntry {
    /// The type of its values.
    #[serde(rename = "type")]
    #[schemars(with = "lockgate_model::ValueType")]
    pub(crate) value_type: Checked<String>,
    /// What the column is, such as `pii.email`; each tag implies a least level.
    pub(crate) tags: Option<Checked<Vec<Checked<String>>>>,
    /// Its level; not below what its tags imply.
    pub(crate) level: Option<Checked<String>>,
    /// Whether values may be absent. Without it: true.
    pub(crate) nullable: Option<Checked<bool>>,
    /// How values are written in a CSV file, where it is not the usual way: a date or timestamp as `strptime` reads it
    /// (`%d.%m.%Y`), a number by the example `1.234,56`, a boolean by two words (`J/N`).
    #[schemars(with = "Option<String>")]
    pub(crate) format: Option<Checked<String>>,
}

/// A pipeline: a query and where its rows go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lockgate pipeline")]
pub(crate) struct PipelineFile {
    /// The pipeline's name.
    pub(crate) pipeline: Checked<PipelineName>,
    /// One SELECT over the catalog's datasets and other pipelines' outputs.
    #[schemars(length(min = 1))]
    pub(crate) sql: Checked<String>,
    /// Where its rows go.
    pub(crate) into: Checked<OutputEntry>,
    /// The principal with whose rights it runs.
    pub(crate) runs_as: Checked<PrincipalName>,
    /// How many seconds a run is expected to take. A run whose logins end sooner, and cannot be renewed, is refused. Where
    /// its last runs took longer, their time counts.
    #[schemars(range(min = 1, max = 604_800))]
    pub(crate) expected_duration_s: Option<Checked<u32>>,
    /// The parameters that a run takes, by name.
    pub(crate) params: Option<Checked<Entries<ParamEntry>>>,
}

/// A file of `views/`: a name for a query.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewFile {
    /// The name by which SQL reads it, as it reads datasets.
    pub(crate) view: Checked<DatasetName>,
    /// One SELECT over datasets and other views. Whoever reads the view sees of them what the policies let them see.
    #[schemars(length(min = 1))]
    pub(crate) sql: Checked<String>,
}

/// Where the rows of a pipeline go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutputEntry {
    /// The dataset that the pipeline makes.
    pub(crate) dataset: Checked<DatasetName>,
    /// The name of the store that holds it.
    pub(crate) store: Checked<String>,
    /// How rows meet those that are there. Without it: `append`.
    pub(crate) mode: Option<Checked<ModeChoice>>,
    /// For `merge`: the columns by which a row is recognised.
    #[schemars(length(min = 1))]
    pub(crate) key: Option<Checked<Vec<Checked<ColumnName>>>>,
}

/// How rows meet those that are there.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeChoice {
    /// Rows are added.
    Append,
    /// All rows that were there are replaced.
    Replace,
    /// Rows with a known key are replaced, others added.
    Merge,
}

/// A parameter of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParamEntry {
    /// The type of its value.
    #[serde(rename = "type")]
    pub(crate) param_type: Checked<ParamTypeChoice>,
    /// Its value where none is given.
    pub(crate) default: Option<Checked<AnyScalar>>,
    /// What it is for.
    pub(crate) description: Option<Checked<String>>,
}

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ParamTypeChoice {
    /// Text.
    Text,
    /// A date, YYYY-MM-DD.
    Date,
    /// A 64-bit signed integer.
    Bigint,
}
