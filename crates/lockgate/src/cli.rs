//! The command line, and nothing that it does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs data pipelines so that their owner can prove, later and to a stranger, who saw which rows and how each value was
/// protected at every stage.
#[derive(Debug, Parser)]
#[command(
    name = "lockgate",
    version,
    after_help = "Exit codes: 0 done; 1 the work failed or a check found something; 2 usage or configuration; 3 refused by \
                  classification, protection or a key rule; 4 something is unreachable; 5 evidence does not verify.\n\n\
                  A first run:  lockgate init demo && lockgate run daily_customers --project demo"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// The project's folder [default: the nearest parent with lockgate.yaml]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
}

/// How a command writes what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How `check` writes what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For code review: SARIF 2.1.0
    Sarif,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a project that runs
    #[command(
        after_help = "Example:  lockgate init demo\n          lockgate init shop --from exports/customers.csv exports/orders.jsonl.gz"
    )]
    Init {
        /// Where to write it; made if it is not there
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Load these CSV, JSON lines or Parquet files: their types and personal data are found by reading them
        #[arg(long, value_name = "FILE", num_args = 1..)]
        from: Vec<PathBuf>,
    },
    /// Find personal and payment data in columns, or in free text; values are never shown
    #[command(
        after_help = "Example:  lockgate scan customers.csv\n          lockgate scan --text tickets.jsonl > spans.jsonl"
    )]
    Scan(ScanArgs),
    /// Look at everything that a project names: stores, keys, secrets, certificates, clocks; a hint for each failure
    #[command(after_help = "Example:  lockgate doctor --format json")]
    Doctor {
        /// How to write the findings
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Check a project without running anything: files, types, classification, protections, key rules
    #[command(after_help = "Example:  lockgate check --format sarif > lockgate.sarif")]
    Check {
        /// How to write the findings
        #[arg(long, default_value = "text")]
        format: CheckFormat,
    },
    /// Show a governed plan, of a pipeline or of somebody's query: what is done to each column, and why
    #[command(
        after_help = "Example:  lockgate explain daily_customers\n          lockgate explain --sql \"SELECT email FROM customers\" --as anna --dialect spark"
    )]
    Explain(ExplainArgs),
    /// Show on which columns each column depends, and how: of the project's datasets, or of any SQL statement
    #[command(
        after_help = "Example:  lockgate lineage analytics.customers.email\n          lockgate lineage --sql \"INSERT INTO r SELECT day, sum(x) FROM t GROUP BY day\" --dialect postgres --catalog tables.yaml"
    )]
    Lineage(LineageArgs),
    /// Run pipelines; safe to repeat and to kill
    #[command(after_help = "Example:  lockgate run daily_customers --param date=2026-11-01")]
    Run(RunArgs),
    /// Ask for rows as somebody sees them; the ledger keeps who saw which rows
    #[command(
        after_help = "Example:  lockgate query \"SELECT country, count(*) AS customers FROM customers GROUP BY country\" --as anna"
    )]
    Query(QueryArgs),
    /// Trace rows of a table to the files, rows and lines they were made from
    #[command(
        after_help = "Example:  lockgate trace analytics.customers --where \"id = 4711\"\n          lockgate trace --quarantine 06f9…"
    )]
    Trace(TraceArgs),
    /// List the runs, or report one of them: inputs, counts, protections with reasons, keys, timings, ledger proof
    #[command(after_help = "Example:  lockgate history\n          lockgate history 06f9… --output report.html")]
    History(HistoryArgs),
    /// Compare how two runs protected the data; exits 1 if they differ, and says where the second is weaker
    #[command(after_help = "Example:  lockgate diff 06f9… 06fb…")]
    Diff {
        /// The first run
        #[arg(value_name = "RUN")]
        before: String,
        /// The second run
        #[arg(value_name = "RUN")]
        after: String,
        /// How to write it
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Verify a ledger: recompute all of it and name the first thing that is wrong
    #[command(
        after_help = "Example:  lockgate verify\n          lockgate verify ./copy-of-ledger --public-key ledger.vkey --against kept.checkpoint"
    )]
    Verify(VerifyArgs),
    /// Destroy the key of one person: no sealed value of theirs opens any more, wherever its copies lie
    #[command(after_help = "Example:  lockgate erase customers --subject 4711 --because \"request of 2026-11-24\"")]
    Erase(EraseArgs),
    /// Show and change the project's keys
    #[command(subcommand, after_help = "Example:  lockgate keys list")]
    Keys(KeysCommand),
    /// Test, explain, import and compare policies of Apache Ranger
    #[command(
        subcommand,
        after_help = "Example:  lockgate policy explain --user anna --resource sales.orders --access select"
    )]
    Policy(PolicyCommand),
    /// Print the JSON Schemas of a project's files
    #[command(after_help = "Example:  lockgate schema --output schemas")]
    Schema {
        /// Write one file for each schema into this folder
        #[arg(long, short, value_name = "DIR")]
        output: Option<PathBuf>,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:  lockgate completions bash > /etc/bash_completion.d/lockgate")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Run test files in Ranger's own formats, unchanged; exits 1 if a case fails
    #[command(after_help = "Example:  lockgate policy test --compat ranger/policyengine/test_policyengine_hive.json")]
    Test {
        /// The files, or folders with files whose names begin with `test`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Decide exactly as Ranger, also where it lets through what it cannot decide
        #[arg(long)]
        compat: bool,
    },
    /// Say whether somebody may do something, what is masked and filtered, and which policies say so
    #[command(
        after_help = "Example:  lockgate policy explain --user anna --group clerks --resource sales.orders.price --access select"
    )]
    Explain(PolicyExplainArgs),
    /// Take over an export, unchanged, as the project's policies, and say what of it has no effect here
    #[command(after_help = "Example:  lockgate policy import hive-policies.json")]
    Import {
        /// The export, or what a plugin downloads; tags, roles, users and shares as well
        export: PathBuf,
        /// The definition of the export's service, as Ranger gives it in JSON; that of `hive` is known
        #[arg(long, value_name = "FILE")]
        service_def: Option<PathBuf>,
    },
    /// List who gains and who loses which access between two sets of policies; exits 1 if somebody does
    #[command(after_help = "Example:  lockgate policy diff old/policies.json policies/policies.json")]
    Diff {
        /// The policies before
        old: PathBuf,
        /// The policies after
        new: PathBuf,
        /// How to write it
        #[arg(long, default_value = "text")]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LineageArgs {
    /// A dataset that a pipeline writes, or one of its columns [default: all of them]
    #[arg(value_name = "DATASET[.COLUMN]", conflicts_with = "sql")]
    pub(crate) of: Option<String>,
    /// One SQL statement of any kind; `-` reads it from standard input
    #[arg(long, value_name = "SQL")]
    pub(crate) sql: Option<String>,
    /// Whose SQL it is
    #[arg(long, default_value = "generic", requires = "sql")]
    pub(crate) dialect: LineageDialect,
    /// The tables that the SQL may name, with their columns, in YAML or JSON [default: the project's datasets]
    #[arg(long, value_name = "FILE", requires = "sql")]
    pub(crate) catalog: Option<PathBuf>,
    /// Write an OpenLineage event for each pipeline into this file, a line each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sql", "of"])]
    pub(crate) export: Option<PathBuf>,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// A dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineageDialect {
    /// PostgreSQL
    Postgres,
    /// Spark SQL, with Hive's and Databricks' additions
    Spark,
    /// What most databases understand
    Generic,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyExplainArgs {
    /// Who asks
    #[arg(long)]
    pub(crate) user: String,
    /// A group of who asks, besides those that the project's policies give; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// A role of who asks, instead of those that the policies' roles give; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// What is asked for: a dataset or a column of one, `sales.orders.price`, or `path=/data,…` with the names of the levels
    #[arg(long)]
    pub(crate) resource: String,
    /// The kind of access
    #[arg(long)]
    pub(crate) access: String,
    /// Say for each policy what it would need to allow the access
    #[arg(long)]
    pub(crate) why_not: bool,
    /// Decide exactly as Ranger, also where it lets through what it cannot decide
    #[arg(long)]
    pub(crate) compat: bool,
    /// Documents of Ranger to decide by, instead of the project's policies
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) policies: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The pipeline
    #[arg(required_unless_present = "sql", conflicts_with_all = ["sql", "principal", "groups", "purpose"])]
    pub(crate) pipeline: Option<String>,
    /// A query instead; nothing is read, and nobody is shown a row
    #[arg(long, requires = "principal")]
    pub(crate) sql: Option<String>,
    /// Who asks
    #[arg(long = "as", value_name = "PRINCIPAL", requires = "sql")]
    pub(crate) principal: Option<String>,
    /// A group that who asks is in, besides those that the policies know; may be repeated
    #[arg(long = "group", value_name = "GROUP", requires = "sql")]
    pub(crate) groups: Vec<String>,
    /// What it is for
    #[arg(long, requires = "sql")]
    pub(crate) purpose: Option<String>,
    /// Print the governed plan as SQL that another engine executes, with its filters, masks and row ids
    #[arg(long)]
    pub(crate) dialect: Option<ExplainDialect>,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// An engine that a governed plan is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainDialect {
    /// Apache Spark 4
    Spark,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The pipelines; each runs after those whose outputs it reads, and none after one that failed
    #[arg(required_unless_present_any = ["requarantined", "select"], value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Pipelines by name or by the dataset that they write: `daily_*`, `+report` with all that feeds it, `customers+`
    /// with all that it feeds
    #[arg(long, value_name = "SELECTION")]
    pub(crate) select: Vec<String>,
    /// Make the tables anew from everything that there is to read, however much of it they have; parameters that are not
    /// given stand for any value
    #[arg(long, conflicts_with_all = ["requarantined", "dry_run"])]
    pub(crate) full_refresh: bool,
    /// Say what would be read, written and protected, and touch no file's content, key, ledger or table
    #[arg(long, conflicts_with = "requarantined")]
    pub(crate) dry_run: bool,
    /// Take the records that this run had set aside, now that their file or the catalog is mended
    #[arg(long, value_name = "RUN", conflicts_with_all = ["pipelines", "select", "params"])]
    pub(crate) requarantined: Option<String>,
    /// The files that were read are other ones now: the same with their broken records mended in their places
    #[arg(long, requires = "requarantined")]
    pub(crate) mended: bool,
    /// A parameter, such as date=2026-11-01; of several pipelines those get it that know it
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Write nothing if more records than this cannot be read: a number, or a percentage
    #[arg(long, value_name = "N|P%", default_value = "1%")]
    pub(crate) max_quarantined: lockgate_run::MaxQuarantined,
    /// How to write the outcome
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// How `query` writes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// For people
    Text,
    /// One JSON list
    Json,
    /// JSON lines
    Ndjson,
    /// CSV, RFC 4180
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// One SELECT over the project's datasets
    #[arg(value_name = "SQL")]
    pub(crate) sql: String,
    /// Who asks
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub(crate) principal: String,
    /// A group that who asks is in, besides those that the policies know; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// What it is for; the ledger keeps it, and policies may ask for it
    #[arg(long)]
    pub(crate) purpose: Option<String>,
    /// A parameter in the paths of files, such as date=2026-11-01; one without a value stands for any
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Show with each row what it was made from
    #[arg(long)]
    pub(crate) provenance: bool,
    /// Give up when the rows took so many seconds to make
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout_s: u64,
    /// How to write the rows
    #[arg(long, default_value = "text")]
    pub(crate) format: RowFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Datasets of the catalog, or CSV, JSON lines or Parquet files [default: all datasets of the project]
    #[arg(value_name = "DATASET|FILE")]
    pub(crate) what: Vec<String>,
    /// Look into free text instead: JSON lines {id, text} from a file, or `-` for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with = "what")]
    pub(crate) text: Option<PathBuf>,
    /// How many rows of each dataset are looked at
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) rows: usize,
    /// Tags with less confidence than this are left out
    #[arg(long, value_name = "0..1", default_value_t = 0.5)]
    pub(crate) min_confidence: f64,
    /// How to write the findings; JSON is one line for each column
    #[arg(long, default_value = "json")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The dataset, as a pipeline writes it
    #[arg(required_unless_present = "quarantine")]
    pub(crate) dataset: Option<String>,
    /// An SQL expression over the table's columns
    #[arg(long = "where", value_name = "SQL", required_unless_present_any = ["row", "quarantine"], conflicts_with = "row")]
    pub(crate) condition: Option<String>,
    /// List the records that a run set aside instead: file, line and reason, never a value
    #[arg(long, value_name = "RUN", conflicts_with_all = ["dataset", "condition", "row"])]
    pub(crate) quarantine: Option<String>,
    /// A row's lockgate_rid; with --file, the number of a record in it, from zero
    #[arg(long, value_name = "ID")]
    pub(crate) row: Option<i64>,
    /// Trace the other way: to every row that was made from it
    #[arg(long, conflicts_with = "quarantine")]
    pub(crate) down: bool,
    /// The file of the record, by its path in the store, or the table that others write
    #[arg(long, value_name = "PATH", requires_all = ["down", "row"])]
    pub(crate) file: Option<String>,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The run to report [default: list all runs, newest first]
    pub(crate) run: Option<String>,
    /// Only the runs of this pipeline
    #[arg(long, value_name = "PIPELINE", conflicts_with = "run")]
    pub(crate) pipeline: Option<String>,
    /// At most so many runs
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "run")]
    pub(crate) limit: usize,
    /// Write the report as an HTML file that needs nothing beside it
    #[arg(long, short, value_name = "FILE", requires = "run", conflicts_with = "format")]
    pub(crate) output: Option<PathBuf>,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The ledger's folder [default: the project's]
    pub(crate) ledger: Option<PathBuf>,
    /// The key that it is signed with, or a file that holds it [default: the project's]
    #[arg(long, value_name = "KEY|FILE")]
    pub(crate) public_key: Option<String>,
    /// A checkpoint that you kept from before; the ledger must continue it
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Vec<PathBuf>,
    /// How to write the outcome
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// The dataset of the catalog that declares `erase_by: subject`
    pub(crate) dataset: String,
    /// The person, as the dataset's subject column has it
    #[arg(long, value_name = "ID")]
    pub(crate) subject: String,
    /// Why, for the ledger; without the person's name
    #[arg(long)]
    pub(crate) because: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// How to write the outcome
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys
    List {
        /// How to write them
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Say what needs attention: rules, states, keys that are not under the newest key-encryption key
    Status {
        /// How to write it
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Rotate the key-encryption key, or begin a new period for one column's key
    #[command(
        after_help = "Example:  lockgate keys rotate kek\n          lockgate keys rotate analytics.customers.name --because \"left the company\""
    )]
    Rotate {
        /// `kek`, or DATASET.COLUMN
        key: String,
        /// Why, for the ledger
        #[arg(long, default_value = "asked for")]
        because: String,
    },
    /// Wrap every key under the newest key-encryption key
    Rewrap,
    /// Destroy a key: what it protected can never be read again
    #[command(after_help = "Example:  lockgate keys shred 4f1c… --because \"retention period over\"")]
    Shred {
        /// The key's id, as `keys list` shows it
        key: String,
        /// Why, for the ledger
        #[arg(long)]
        because: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}
