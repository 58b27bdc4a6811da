//! The report of one run: the same sections as text for a terminal and as one HTML file that needs nothing beside it.

use lockgate_evidence::Input;
use lockgate_forensics::{ReportColumn, RunReport, RunState};

use crate::output::{self, thousands};

/// A titled part of the report.
struct Section {
    title: &'static str,
    body: Body,
}

enum Body {
    /// Labels with what they label.
    Facts(Vec<(&'static str, String)>),
    /// A header and rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// Text as it is.
    Verbatim(String),
}

fn sections(report: &RunReport) -> Vec<Section> {
    let mut sections = vec![
        Section { title: "Run", body: Body::Facts(facts(report)) },
        Section { title: "Inputs", body: inputs(report) },
        Section { title: "Columns and their protection", body: columns(&report.columns) },
        Section { title: "Keys", body: keys(&report.columns) },
        Section { title: "SQL", body: Body::Verbatim(report.sql.trim_end().to_owned()) },
    ];
    if report.summary.rows_quarantined > 0 {
        sections.push(Section { title: "Set aside", body: quarantine(report) });
    }
    if !report.timings.is_empty() {
        let row = |timing: &lockgate_evidence::StageTiming| {
            vec![timing.stage.told().to_owned(), format!("{:.3} s", timing.elapsed_ms as f64 / 1000.0)]
        };
        let rows = report.timings.iter().map(row).collect();
        sections.push(Section { title: "Time by stage", body: Body::Table(vec!["stage", "time"], rows) });
    }
    sections.extend(proof(report));
    sections
}

fn facts(report: &RunReport) -> Vec<(&'static str, String)> {
    let summary = &report.summary;
    let state = match (summary.state, &summary.reason) {
        (RunState::Committed, _) => "committed".to_owned(),
        (RunState::Aborted, reason) => {
            format!("aborted, nothing was written: {}", reason.as_deref().unwrap_or("no reason is known"))
        }
        (RunState::Open, _) => "not ended: under way, or killed and settled by the next run".to_owned(),
    };
    let sink = &report.sink;
    let mode = match sink.key.is_empty() {
        true => sink.mode.clone(),
        false => format!("{} by {}", sink.mode, listed(sink.key.iter())),
    };
    let mut facts = vec![
        ("run", summary.run.to_string()),
        ("project", report.project.clone()),
        ("pipeline", summary.pipeline.to_string()),
        ("state", state),
        ("began", summary.at.to_string()),
        ("run as", summary.principal.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("into", format!("{} in store {}, {mode}", summary.dataset, summary.store)),
        ("clearance", format!("{}: what is above it is protected", sink.clearance)),
    ];
    let params: Vec<String> = report.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !params.is_empty() {
        facts.push(("parameters", params.join(", ")));
    }
    if summary.state == RunState::Committed {
        facts.push((
            "read",
            format!("{} records, {} bytes", thousands(summary.rows_read), thousands(summary.bytes_read)),
        ));
        facts.push(("written", format!("{} rows", thousands(summary.rows_written))));
        facts.push(("set aside", format!("{} records", thousands(summary.rows_quarantined))));
    }
    if !report.filters.is_empty() {
        facts.push((
            "rows by",
            listed(report.filters.iter().map(|filter| format!("{}.{}", filter.dataset, filter.column))),
        ));
    }
    facts
}

fn listed<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn inputs(report: &RunReport) -> Body {
    let count = |rows: Option<u64>| rows.map(thousands).unwrap_or_default();
    let row = |input: &Input| {
        let what = match (&input.commit, &input.requarantined) {
            (Some(commit), _) => format!("{} commit {}", input.path, commit.get()),
            (None, Some(run)) => format!("{} (set aside by run {run})", input.path),
            (None, None) => input.path.clone(),
        };
        vec![
            input.dataset.to_string(),
            input.store.to_string(),
            what,
            count(input.rows),
            count(input.rows_quarantined),
            input.sha256.to_string(),
        ]
    };
    let header = vec!["dataset", "store", "file or commit", "records", "set aside", "SHA-256"];
    Body::Table(header, report.inputs.iter().map(row).collect())
}

fn columns(columns: &[ReportColumn]) -> Body {
    let row = |column: &ReportColumn| {
        let record = &column.record;
        let done = record.protection.as_ref().map_or_else(|| record.form.to_string(), ToString::to_string);
        let lineage = record.lineage.iter().map(|from| format!("{}.{}", from.dataset, from.column));
        vec![
            record.name.to_string(),
            record.stored_type.to_string(),
            record.level.clone(),
            listed(record.tags.iter()),
            done,
            record.rule.clone().unwrap_or_default(),
            record.because.clone(),
            listed(lineage),
        ]
    };
    let header = vec!["column", "type", "level", "tags", "form", "rule", "because", "made from"];
    Body::Table(header, columns.iter().map(row).collect())
}

fn keys(columns: &[ReportColumn]) -> Body {
    let row = |column: &ReportColumn, of: &str, key: &lockgate_evidence::ColumnProtectionKey| {
        vec![
            column.record.name.to_string(),
            of.to_owned(),
            key.key.clone(),
            key.algorithm.clone(),
            format!("kek-{}", key.kek_version),
            key.dek.clone().unwrap_or_default(),
            column.key_states.get(&key.key).cloned().unwrap_or_else(|| "unknown".to_owned()),
        ]
    };
    let of_column = |column: &ReportColumn| {
        let values = column.key.iter().map(|key| row(column, "values", key));
        let files = column.file_key.iter().map(|key| row(column, "files", key));
        values.chain(files).collect::<Vec<_>>()
    };
    let header = vec!["column", "protects", "key", "algorithm", "wrapped by", "data key", "key now"];
    Body::Table(header, columns.iter().flat_map(of_column).collect())
}

fn quarantine(report: &RunReport) -> Body {
    let Some(found) = &report.quarantine else {
        return Body::Verbatim(report.quarantine_missing.clone().unwrap_or_default());
    };
    let row = |record: &lockgate_forensics::QuarantinedPlace| {
        let line = record.line.map_or_else(|| format!("record {}", record.row), |line| line.to_string());
        vec![record.path.clone(), line, record.reason.clone()]
    };
    Body::Table(vec!["file", "line", "reason"], found.records.iter().map(row).collect())
}

fn proof(report: &RunReport) -> Vec<Section> {
    let Some(proof) = &report.proof else { return Vec::new() };
    let attached = |attachment: &lockgate_ledger::Attachment| {
        vec![attachment.name.clone(), thousands(attachment.bytes), attachment.sha256.to_string()]
    };
    let facts = vec![
        ("ledger", proof.origin.clone()),
        ("entry", format!("{} of {}", proof.entry, proof.size)),
        ("root", proof.root.clone()),
        ("checked", "this entry is under the root that the checkpoint signs".to_owned()),
    ];
    vec![
        Section { title: "Ledger", body: Body::Facts(facts) },
        Section {
            title: "Objects that the entry names",
            body: Body::Table(vec!["object", "bytes", "SHA-256"], report.attachments.iter().map(attached).collect()),
        },
        Section { title: "The entry", body: Body::Verbatim(proof.entry_text.clone()) },
        Section { title: "Its proof (C2SP tlog-proof)", body: Body::Verbatim(proof.tlog_proof.trim_end().to_owned()) },
    ]
}

/// For a terminal.
pub(super) fn text(report: &RunReport) -> String {
    let part = |section: Section| {
        let body = match section.body {
            Body::Facts(facts) => output::table(
                &facts.into_iter().map(|(label, fact)| vec![label.to_owned(), fact]).collect::<Vec<_>>(),
                2,
            ),
            Body::Table(header, rows) => {
                let header = header.into_iter().map(str::to_owned).collect();
                output::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), 2)
            }
            Body::Verbatim(text) => text.lines().map(|line| format!("  {line}\n")).collect(),
        };
        format!("{}\n{body}", section.title)
    };
    sections(report).into_iter().map(part).collect::<Vec<_>>().join("\n")
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1c2430;max-width:75rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #d5dbe3}\
table{border-collapse:collapse;display:block;overflow-x:auto}th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}\
th{font-weight:600;color:#526071}tr+tr td{border-top:1px solid #eef1f5}td{overflow-wrap:anywhere}\
pre{background:#f5f7fa;padding:.75rem;white-space:pre-wrap;overflow-wrap:anywhere}\
@media print{body{margin:0;max-width:none}}";

/// As one file for a browser: no script, nothing fetched, every text escaped.
pub(super) fn html(report: &RunReport) -> String {
    let title = escaped(&format!("Run {} of {}", report.summary.run, report.summary.pipeline));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for section in sections(report) {
        html.push_str(&format!("<h2>{}</h2>\n", escaped(section.title)));
        match section.body {
            Body::Facts(facts) => {
                html.push_str("<table>\n");
                for (label, fact) in facts {
                    html.push_str(&format!("<tr><th>{}</th><td>{}</td></tr>\n", escaped(label), escaped(&fact)));
                }
                html.push_str("</table>\n");
            }
            Body::Table(header, rows) => {
                let cells = |cells: Vec<String>, tag: &str| -> String {
                    cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
                };
                let header = header.into_iter().map(str::to_owned).collect();
                html.push_str(&format!("<table>\n<tr>{}</tr>\n", cells(header, "th")));
                rows.into_iter().for_each(|row| html.push_str(&format!("<tr>{}</tr>\n", cells(row, "td"))));
                html.push_str("</table>\n");
            }
            Body::Verbatim(text) => html.push_str(&format!("<pre>{}</pre>\n", escaped(&text))),
        }
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
