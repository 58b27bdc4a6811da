//! The real services that tests run against, as `cargo xtask services up` started them.
//!
//! Without them a test skips and says so, except where `CI=true`: there it fails.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

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

    /// Starts a Vault of a test's own, with nothing in it; it is ended when the result is dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn own_vault(&self) -> OwnService {
        self.own("vault")
    }

    /// Starts a PostgreSQL of a test's own, with the roles of the shared one; it is ended when the result is dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn own_postgres(&self) -> OwnService {
        self.own("postgres")
    }

    fn own(&self, service: &str) -> OwnService {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.with_file_name(format!("{service}-{}-{number}", std::process::id()));
        let own = Self { at: Value::Null, folder: folder.clone() };
        own.script(&["up", service], "");
        let text = fs::read_to_string(folder.join("services.json")).unwrap_or_default();
        OwnService(Self { at: serde_json::from_str(&text).unwrap_or_default(), folder })
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

/// A service of a test's own.
pub struct OwnService(pub Services);

impl Drop for OwnService {
    fn drop(&mut self) {
        self.0.script(&["down"], "");
        // What it kept is of no use to anybody.
        let _ = fs::remove_dir_all(&self.0.folder);
    }
}
