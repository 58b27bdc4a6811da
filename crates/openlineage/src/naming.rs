//! Datasets are named as OpenLineage's naming conventions say, so that what others name alike is the same dataset.
//!
//! | where | namespace | name |
//! |---|---|---|
//! | a file or folder | `file` | `/absolute/path` |
//! | objects of a bucket | `s3://bucket` | `key/prefix` |
//! | a table of PostgreSQL | `postgres://host:port` | `database.schema.table` |
//! | a table of SQLite (no rule of theirs) | `sqlite:///absolute/path` | `table` |

use std::path::Path;

use serde::Serialize;

/// The name of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DatasetId {
    /// Where it is.
    pub namespace: String,
    /// Which one it is there.
    pub name: String,
}

impl DatasetId {
    /// A file, or a folder of files, by its absolute path.
    pub fn file(path: &Path) -> Self {
        Self { namespace: "file".into(), name: trimmed(&path.to_string_lossy()) }
    }

    /// Objects of a bucket whose keys begin so.
    pub fn s3(bucket: &str, key: &str) -> Self {
        Self { namespace: format!("s3://{bucket}"), name: key.trim_matches('/').to_owned() }
    }

    /// A table of PostgreSQL.
    pub fn postgres(host: &str, port: u16, database: &str, schema: &str, table: &str) -> Self {
        Self { namespace: format!("postgres://{host}:{port}"), name: format!("{database}.{schema}.{table}") }
    }

    /// A table of a SQLite database in a file.
    pub fn sqlite(path: &Path, table: &str) -> Self {
        Self { namespace: format!("sqlite://{}", path.to_string_lossy()), name: table.to_owned() }
    }

    /// The part of a path that has no pattern and no parameter: `a/b` of `a/b/{date}/*.csv`.
    pub fn fixed_part(pattern: &str) -> String {
        if !pattern.contains(['*', '?', '{', '[']) {
            return pattern.to_owned();
        }
        pattern.split('/').take_while(|part| !part.contains(['*', '?', '{', '['])).collect::<Vec<_>>().join("/")
    }
}

fn trimmed(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let named = |id: DatasetId| format!("{} {}", id.namespace, id.name);
        assert_eq!(named(DatasetId::file(Path::new("/data/landing/"))), "file /data/landing");
        assert_eq!(named(DatasetId::s3("b", "/lake/x/")), "s3://b lake/x");
        assert_eq!(named(DatasetId::postgres("h", 5432, "d", "s", "t")), "postgres://h:5432 d.s.t");
        assert_eq!(named(DatasetId::sqlite(Path::new("/w.db"), "a.b")), "sqlite:///w.db a.b");
        assert_eq!(DatasetId::fixed_part("customers/{date}/*.csv"), "customers");
        assert_eq!(DatasetId::fixed_part("customers/all.csv"), "customers/all.csv");
        assert_eq!(DatasetId::fixed_part("*.csv"), "");
    }
}
