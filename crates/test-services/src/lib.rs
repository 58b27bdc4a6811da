//! The real services that tests run against, as `cargo xtask services up` started them.
//!
//! Without them a test skips and says so, except where `CI=true`: there it fails.
#![forbid(unsafe_code)]

mod pyspark;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub use pyspark::pyspark;

/// Names the file that says where they are.
const VARIABLE: &str = "LOCKGATE_TEST_SERVICES";

/// Running services.
#[derive(Debug, Clone)]
pub struct Services {
    /// What `services.json` says.
    pub at: Value,
    folder: PathBuf,
}

/// The services; `None`, with a word on standard error, where there are none and this is not CI.
///
/// # Panics
///
/// Where there are none and `CI` is `true`.
pub fn services() -> Option<Services> {
    let file =
        std::env::var_os(VARIABLE).map_or_else(|| root().join("target/services/run/services.json"), PathBuf::from);
    match fs::read_to_string(&file).map(|text| serde_json::from_str(&text)) {
        Ok(Ok(at)) => Some(Services { at, folder: file.parent().map_or_else(PathBuf::new, Path::to_path_buf) }),
        Ok(Err(_)) | Err(_) if std::env::var("CI").as_deref() == Ok("true") => {
            panic!("no services at {}: `cargo xtask test` starts them", file.display())
        }
        Ok(Err(_)) | Err(_) => {
            eprintln!("skipped: no services at {}; `cargo xtask services up` starts them", file.display());
            None
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Services {
    /// A text of `services.json`, by its path such as `/vault/address`.
    ///
    /// # Panics
    ///
    /// If there is no such text.
    pub fn text(&self, path: &str) -> String {
        match self.at.pointer(path) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            other => panic!("services.json has no text at {path}: {other:?}"),
        }
    }

    /// A file of the test certificates, such as `ca.pem`.
    pub fn pki(&self, name: &str) -> String {
        format!("{}/{name}", self.text("/pki"))
    }

    /// Calls Vault as its administrator.
    ///
    /// # Panics
    ///
    /// If Vault refuses.
    pub fn vault(&self, method: &str, path: &str, body: &Value) -> Value {
        let said = self.script(&["vault", method, path], &body.to_string());
        serde_json::from_str(&said).unwrap_or(Value::Null)
    }

    /// Writes to a path of Vault as its administrator and gives the token that unwraps the answer once.
    ///
    /// # Panics
    ///
    /// If Vault refuses.
    pub fn vault_wrapped(&self, path: &str) -> String {
        let said = self.script(&["vault", "WRAP", path], "{}");
        let answer: Value = serde_json::from_str(&said).unwrap_or_default();
        answer["wrap_info"]["token"].as_str().unwrap_or_default().to_owned()
    }

    /// What Vault was asked and answered so far, as its audit log tells: secrets are hashed there, paths are not.
    ///
    /// # Panics
    ///
    /// If there is no audit log.
    pub fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.folder.join("vault/audit.log")).expect("Vault has an audit log");
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What KMS was asked about a key so far: the operation, such as `Decrypt`, and what was sent with it.
    ///
    /// # Panics
    ///
    /// If nothing is written down of what moto is asked.
    pub fn kms_calls(&self, key: &str) -> Vec<(String, Value)> {
        let log = fs::read_to_string(self.folder.join("aws/asked.jsonl")).expect("moto writes down what it is asked");
        let call = |line: &str| {
            let entry: Value = serde_json::from_str(line).ok()?;
            let operation = entry["headers"]["X-Amz-Target"].as_str()?.strip_prefix("TrentService.")?.to_owned();
            let body = STANDARD.decode(entry["body"].as_str()?).ok()?;
            let sent: Value = serde_json::from_slice(&body).ok()?;
            let names = ["KeyId", "SourceKeyId", "DestinationKeyId"];
            names.iter().any(|name| sent[name] == key).then_some((operation, sent))
        };
        log.lines().filter_map(call).collect()
    }

    /// Calls a service of moto by the names that boto3 gives the operations, one after the other.
    ///
    /// # Panics
    ///
    /// If it refuses one.
    pub fn aws(&self, service: &str, calls: &[(&str, Value)]) -> Vec<Value> {
        calls.iter().map(|(operation, arguments)| self.boto("aws", service, operation, arguments)).collect()
    }

    /// A new key of KMS, by its ARN.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn new_kms_key(&self) -> String {
        let made = self.aws("kms", &[("create_key", Value::Object(serde_json::Map::new()))]);
        made[0]["KeyMetadata"]["Arn"].as_str().expect("it has an ARN").to_owned()
    }

    /// What a file of YAML holds.
    ///
    /// # Panics
    ///
    /// If it is no YAML.
    pub fn yaml(&self, file: &Path) -> Value {
        let code = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
        let python = self.folder.with_file_name("programs").join("venv/bin/python");
        let done = Command::new(python).args(["-c", code]).arg(file).output().expect("python starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("it is JSON")
    }

    /// Lets moto check signatures and IAM's policies from now on: for services of a test's own.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn enforce_policies(&self) {
        self.script(&["enforce"], "");
    }

    /// Starts a Vault of a test's own, with nothing in it; it is ended when the result is dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn own_vault(&self) -> OwnService {
        self.own(&["vault"])
    }

    /// Starts services of a test's own, such as `vault`, with nothing in them; they are ended when the result is dropped.
    ///
    /// # Panics
    ///
    /// If they cannot be started.
    pub fn own(&self, names: &[&str]) -> OwnService {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.with_file_name(format!("own-{}-{number}", std::process::id()));
        let own = Self { at: Value::Null, folder: folder.clone() };
        own.script(&[&["up"], names].concat(), "");
        let text = fs::read_to_string(folder.join("services.json")).unwrap_or_default();
        OwnService(Self { at: serde_json::from_str(&text).unwrap_or_default(), folder })
    }

    /// Starts a PostgreSQL of a test's own, with the roles of the shared one; it is ended when the result is dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn own_postgres(&self) -> OwnService {
        self.own(&["postgres"])
    }

    /// Ends PostgreSQL as a crash would, and starts it again; gives nothing before it answers.
    ///
    /// # Panics
    ///
    /// If it does not come back.
    pub fn strike_postgres(&self) {
        self.script(&["strike"], "");
    }

    /// Seals Vault for some seconds; it is sealed when this returns, and back when the result was dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be sealed.
    pub fn seal(&self, seconds: u32) -> Sealed {
        let mut child = self.start(&["seal", &seconds.to_string()]);
        let mut said = String::new();
        let out = child.stdout.as_mut().expect("it has an output");
        BufReader::new(out).read_line(&mut said).expect("it says something");
        assert_eq!(said.trim(), "sealed");
        Sealed(child)
    }

    /// Runs SQL as the database's administrator and gives what it prints, a line for each row.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn sql(&self, statements: &str) -> String {
        self.script(&["sql"], statements).trim().to_owned()
    }

    /// Puts an object into the bucket `landing`. `encryption` is `none`, or the id of a KMS key.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn put(&self, key: &str, content: &str, encryption: &str) {
        self.script(&["put", key, encryption], content);
    }

    /// Where they keep what they keep.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Calls a service of AWS's kind, such as `s3` at `s3` or `aws`, by the name of boto3's method, as its administrator;
    /// gives what it answers, a content as text in which each character is a byte.
    ///
    /// # Panics
    ///
    /// If it refuses.
    pub fn boto(&self, at: &str, kind: &str, method: &str, arguments: &Value) -> Value {
        let said = self.script(&["boto", at, kind, method], &arguments.to_string());
        serde_json::from_str(&said).unwrap_or_default()
    }

    fn script(&self, args: &[&str], input: &str) -> String {
        let mut child = self.start(args);
        child.stdin.take().expect("it has an input").write_all(input.as_bytes()).expect("it takes its input");
        let done = child.wait_with_output().expect("it ends");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = Command::new("python3");
        command.arg(root().join("xtask/services/services.py")).arg(args.first().copied().unwrap_or_default());
        command
            .arg(&self.folder)
            .args(args.iter().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("python3 starts")
    }
}

/// A Vault that is sealed for a while.
pub struct Sealed(Child);

impl Drop for Sealed {
    fn drop(&mut self) {
        // Whether it came back is seen by whoever asks it next.
        let _ = self.0.wait();
    }
}

/// One or more services of a test's own.
pub struct OwnService(pub Services);

impl Drop for OwnService {
    fn drop(&mut self) {
        self.0.script(&["down"], "");
        // What it kept is of no use to anybody.
        let _ = fs::remove_dir_all(&self.0.folder);
    }
}
