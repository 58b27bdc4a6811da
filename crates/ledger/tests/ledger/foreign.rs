//! Programs that are not ours accept a log of ours, and only a whole one.
//!
//! They are Tessera's fsck and a Go program on the Go team's and transparency-dev's libraries (`xtask/verifier`). Without
//! Go these tests say so and pass; with CI=true they fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lockgate_crypto::Sha256Hasher;
use lockgate_ledger::{Hash, LedgerReader, LedgerStore};
use serde_json::json;

use crate::support::{create, entries, entry, key, verifier};

const SIZE: usize = 70_000;
const FSCK: &str = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4";

/// The hash of an entry, computed here and not by the ledger.
pub(crate) fn leaf(number: usize) -> Hash {
    let mut hasher = Sha256Hasher::new();
    hasher.update(&[0]);
    hasher.update(&entry(number, Vec::new()).to_bytes().unwrap());
    Hash::from_bytes(*hasher.finish().as_bytes())
}

fn has_go() -> bool {
    let there = Command::new("go").arg("version").output().is_ok_and(|output| output.status.success());
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(there || !in_ci, "CI needs Go, and `go version` does not run");
    if !there {
        eprintln!("skipped: Go is not installed");
    }
    there
}

/// Where built tools are kept from run to run.
fn tools() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tools");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    text(&output)
}

async fn write_log(folder: &Path) -> LedgerReader {
    let store = LedgerStore::local(folder).unwrap();
    let mut writer = create(&store).await;
    writer.append(&entries(0..65_000), &key()).await.unwrap();
    writer.append(&entries(65_000..SIZE), &key()).await.unwrap();
    fs::write(folder.join("ledger.vkey"), format!("{}\n", verifier())).unwrap();
    LedgerReader::open(store, verifier()).await.unwrap()
}

#[tokio::test]
async fn the_go_program_accepts_our_proofs_and_no_others() {
    if !has_go() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let reader = write_log(folder.path()).await;
    let mut inclusion = Vec::new();
    for index in [0, 1, 255, 256, 65_535, 65_536, SIZE as u64 - 1] {
        let proof: Vec<_> = reader.inclusion_proof(index).await.unwrap().iter().map(Hash::to_string).collect();
        inclusion.push(json!({ "index": index, "leaf": leaf(index as usize).to_string(), "proof": proof }));
    }
    let mut consistency = Vec::new();
    for old in [1usize, 2, 255, 256, 257, 4_096, 65_000] {
        let store = LedgerStore::in_memory();
        let (checkpoint, _) = create(&store).await.append(&entries(0..old), &key()).await.unwrap();
        let proof: Vec<_> = reader.consistency_proof(old as u64).await.unwrap().iter().map(Hash::to_string).collect();
        consistency.push(json!({ "old": old, "root": checkpoint.root.to_string(), "proof": proof }));
    }
    let mut proofs = json!({ "inclusion": inclusion, "consistency": consistency });
    let file = folder.path().join("proofs.json");
    fs::write(&file, proofs.to_string()).unwrap();

    let program = tools().join("verifier");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/verifier");
    succeeds(Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(sources));
    let check = || {
        let mut command = Command::new(&program);
        command.arg(folder.path()).arg(folder.path().join("ledger.vkey")).arg(&file);
        command
    };
    assert!(succeeds(&mut check()).contains("verifier: 7 inclusion, 7 consistency proofs hold"));
    for path in ["/inclusion/3/proof/2", "/consistency/4/proof/0", "/inclusion/0/leaf", "/consistency/1/root"] {
        let good = proofs.pointer(path).unwrap().clone();
        *proofs.pointer_mut(path).unwrap() = leaf(99).to_string().into();
        fs::write(&file, proofs.to_string()).unwrap();
        assert!(!check().output().unwrap().status.success(), "{path}");
        *proofs.pointer_mut(path).unwrap() = good;
    }
    fs::write(&file, proofs.to_string()).unwrap();
    let bundle = folder.path().join("tile/entries/100");
    let mut changed = fs::read(&bundle).unwrap();
    changed[40] ^= 1;
    fs::write(&bundle, changed).unwrap();
    assert!(!check().output().unwrap().status.success(), "a changed entry");
}

#[tokio::test]
async fn tessera_s_fsck_accepts_our_log_and_no_changed_one() {
    if !has_go() {
        return;
    }
    succeeds(Command::new("go").args(["install", FSCK]).env("GOBIN", tools()).env("GOFLAGS", ""));
    let folder = tempfile::tempdir().unwrap();
    write_log(folder.path()).await;
    let fsck = |seconds: &str| {
        let output = Command::new("timeout")
            .arg(seconds)
            .arg(tools().join("fsck"))
            .arg(format!("--storage_url=file://{}/", folder.path().display()))
            .arg(format!("--public_key={}", folder.path().join("ledger.vkey").display()))
            .args(["-ui=false", "--logtostderr"])
            .output()
            .unwrap();
        text(&output)
    };
    let accepted = format!("Successfully fsck'd log with size {SIZE}");
    let said = fsck("120");
    assert!(said.contains(&accepted), "{said}");
    let tile = folder.path().join("tile/0/100");
    let mut changed = fs::read(&tile).unwrap();
    changed[77] ^= 1;
    fs::write(&tile, changed).unwrap();
    assert!(!fsck("10").contains("Successfully"), "a changed tile");
}
