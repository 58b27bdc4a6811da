//! Files of apache/parquet-testing with modular encryption, each read by a pipeline of its own that writes a row only if
//! its values are those that the files' authors wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Tally;

/// Every decrypted value is checked: row n holds n × 1.1111111 and n × 1.1, or, in the file with Bloom filters, n + 0.5
/// and n + 0.25.
const SQL: &str = "SELECT boolean_field, double_field, float_field FROM cases \
    WHERE (abs(round(double_field / 1.1111111) * 1.1111111 - double_field) < 0.000001 \
      AND abs(round(float_field / 1.1) * 1.1 - float_field) < 0.0001) \
      OR (double_field - floor(double_field) = 0.5 AND float_field = double_field - 0.25)";
/// The keys' ids, and the digits that differ between them, for 16 and for 32 bytes.
const KEYS: [(&str, &str, &str); 9] = [
    ("kf", "0123456789012345", "01234567890123456789012345678901"),
    ("kc1", "1234567890123450", "12345678901234567890123456789012"),
    ("kc2", "1234567890123451", "12345678901234567890123456789013"),
    ("kc3", "1234567890123452", "12345678901234567890123456789014"),
    ("kc4", "1234567890123453", "12345678901234567890123456789015"),
    ("kc5", "1234567890123454", "12345678901234567890123456789016"),
    ("kc6", "1234567890123455", "12345678901234567890123456789017"),
    ("kc7", "1234567890123456", "12345678901234567890123456789018"),
    ("kc8", "1234567890123457", "12345678901234567890123456789019"),
];

pub(super) fn run(program: &Path, files: &[PathBuf], tally: &mut Tally) -> Result<(), String> {
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match case(program, file, &name) {
            Ok(how) => {
                println!("parquet-encryption: {}: {how}", file.display());
                tally.passed += 1;
            }
            Err(why) => {
                println!("parquet-encryption: {}: FAILED: {why}", file.display());
                tally.failed += 1;
            }
        }
    }
    Ok(())
}

fn case(program: &Path, file: &Path, name: &str) -> Result<String, String> {
    let with_256_bits = file.components().any(|part| part.as_os_str() == "aes256") || name.contains("256");
    let folder = std::env::temp_dir().join(format!("lockgate-conformance-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let outcome = write_project(&folder, file, name, with_256_bits).and_then(|()| {
        let run = Command::new(program).args(["run", "case", "--format", "json", "--project"]).arg(&folder).output();
        run.map_err(|error| error.to_string())
    });
    let _ = fs::remove_dir_all(&folder);
    let outcome = outcome?;
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    if name.contains("_ctr") {
        return match (outcome.status.success(), said.contains("AES_GCM_CTR_V1")) {
            (false, true) => Ok("refused by name".to_owned()),
            _ => Err(format!("AES-GCM-CTR was not refused by name: {said}")),
        };
    }
    if !outcome.status.success() {
        return Err(said.trim().to_owned());
    }
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).map_err(|error| error.to_string())?;
    let count = |key: &str| report.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
    match (count("rows_read"), count("rows_written")) {
        (read, right) if read > 0 && read == right => {
            Ok(format!("{read} rows, every decrypted value as it was written"))
        }
        (read, right) => Err(format!("{right} of {read} rows have the right values")),
    }
}

fn write_project(folder: &Path, file: &Path, name: &str, with_256_bits: bool) -> Result<(), String> {
    let write = |path: PathBuf, content: &[u8]| {
        fs::create_dir_all(path.parent().unwrap_or(folder)).and_then(|()| fs::write(path, content))
    };
    let keys: Vec<String> = KEYS.iter().map(|(id, _, _)| format!("{id}: \"file:./keys/{id}\"")).collect();
    // Both files with a prefix need it: one does not store it, and one that does must not be read under another.
    let prefix = if name.contains("_aad") { ", aad_prefix: tester" } else { "" };
    let catalog = format!(
        "dataset: cases\n\
         at: {{ store: files, path: {name:?}, format: parquet, parquet: {{ keys: {{ {} }}{prefix} }} }}\n\
         columns:\n  boolean_field: {{ type: boolean }}\n  double_field: {{ type: double }}\n  float_field: {{ type: double }}\n",
        keys.join(", ")
    );
    let project = "version: 1\nproject: conformance\nstores:\n  files: { at: \"file://./data\" }\n  \
        out: { at: \"sqlite://./out.db\", clearance: internal }\nkeys:\n  default: { local: \"./.lockgate/keys\" }\n\
        ledger: { at: \"file://./.lockgate/ledger\" }\n";
    let pipeline =
        format!("pipeline: case\nsql: {SQL:?}\ninto: {{ dataset: read, store: out }}\nruns_as: conformance\n");
    let all = || -> std::io::Result<()> {
        write(folder.join("lockgate.yaml"), project.as_bytes())?;
        write(folder.join("catalog/cases.yaml"), catalog.as_bytes())?;
        write(folder.join("pipelines/case.yaml"), pipeline.as_bytes())?;
        for (id, short, long) in KEYS {
            write(folder.join("keys").join(id), if with_256_bits { long } else { short }.as_bytes())?;
        }
        write(folder.join("data").join(name), &fs::read(file)?)?;
        let material = format!("_KEY_MATERIAL_FOR_{name}.json");
        if file.with_file_name(&material).exists() {
            write(folder.join("data").join(&material), &fs::read(file.with_file_name(&material))?)?;
        }
        Ok(())
    };
    all().map_err(|error| format!("the project of the case cannot be written: {error}"))
}
