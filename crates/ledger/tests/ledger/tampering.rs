//! Every change to a log is found, and the object that was changed is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lockgate_crypto::{Secret, SigningKey};
use lockgate_ledger::{Checkpoint, Lease, LedgerStore, LedgerWriter, Verified, VerifierKey, VerifyError, verify};

use crate::support::{ORIGIN, create, entries, entry, key, verifier};

/// How many positions of a longer file are tried.
const POSITIONS: usize = 60;

struct Log {
    folder: tempfile::TempDir,
    checkpoints: Vec<Checkpoint>,
}

impl Log {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LedgerStore::local(folder.path()).unwrap();
        let mut writer = create(&store).await;
        let mut checkpoints = Vec::new();
        for batch in 0..3 {
            let attachment = writer.put_attachment("a", format!("attachment {batch}").into_bytes()).await.unwrap();
            let mut all = entries(batch * 100..batch * 100 + 99);
            all.push(entry(batch * 100 + 99, vec![attachment]));
            checkpoints.push(writer.append(&all, &key()).await.unwrap().0);
        }
        Self { folder, checkpoints }
    }

    async fn verify(&self, seen: Option<&Checkpoint>) -> Result<Verified, String> {
        verify_at(self.folder.path(), &verifier(), seen).await
    }

    /// The files that belong to the present checkpoint, by their names in the log.
    fn needed(&self) -> BTreeMap<String, PathBuf> {
        let mut names: Vec<String> = [
            "checkpoint",
            "tile/0/000",
            "tile/0/001.p/44",
            "tile/1/000.p/1",
            "tile/entries/000",
            "tile/entries/001.p/44",
        ]
        .map(String::from)
        .to_vec();
        for batch in 0..3 {
            let digest = lockgate_crypto::sha256(format!("attachment {batch}").as_bytes()).to_string();
            names.push(format!("object/sha256/{}/{digest}", &digest[..2]));
        }
        names.into_iter().map(|name| (name.clone(), self.folder.path().join(name))).collect()
    }
}

async fn verify_at(folder: &Path, key: &VerifierKey, seen: Option<&Checkpoint>) -> Result<Verified, String> {
    let store = LedgerStore::local(folder).unwrap();
    verify(&store, key, seen, &mut |_, _| Ok(())).await.map_err(|error| match error {
        VerifyError::Found(finding) => finding.to_string(),
        VerifyError::Unreadable(error) => panic!("{error}"),
    })
}

#[tokio::test]
async fn every_changed_cut_lengthened_or_removed_file_is_named() {
    let log = Log::new().await;
    let good = log.verify(log.checkpoints.last()).await.unwrap();
    assert_eq!((good.checkpoint.size, good.attachments), (300, 3));
    let mut tried = 0;
    for (name, path) in log.needed() {
        let content = fs::read(&path).unwrap();
        let step = (content.len() / POSITIONS).max(1);
        let flip = |at: usize| content.iter().enumerate().map(|(i, b)| if i == at { b ^ 1 } else { *b }).collect();
        let mut versions: Vec<Vec<u8>> = (0..content.len()).step_by(step).map(flip).collect();
        versions.push(content[..content.len() - 1].to_vec());
        versions.push([&content[..], b"x"].concat());
        versions.push(Vec::new());
        for version in versions {
            fs::write(&path, &version).unwrap();
            let found = log.verify(None).await.expect_err(&name);
            // A changed hash shows where it disagrees: in the bundle, or the tile, on either side of it.
            let kin = name.starts_with("tile/") && found.starts_with("`tile/");
            assert!(found.starts_with(&format!("`{name}`")) || kin, "{name}: {found}");
            tried += 1;
        }
        fs::remove_file(&path).unwrap();
        let found = log.verify(None).await.expect_err(&name);
        assert!(found.contains(&name) && found.contains("missing"), "{name}: {found}");
        fs::write(&path, &content).unwrap();
    }
    assert!(tried > 300, "{tried}");
    log.verify(None).await.unwrap();
}

#[tokio::test]
async fn entries_that_the_next_layer_refuses_are_named_by_their_number() {
    let log = Log::new().await;
    let store = LedgerStore::local(log.folder.path()).unwrap();
    let mut refuse = |index: u64, _: &lockgate_ledger::Entry| {
        if index == 257 { Err("two and five and seven".to_owned()) } else { Ok(()) }
    };
    let found = verify(&store, &verifier(), None, &mut refuse).await.unwrap_err().to_string();
    assert_eq!(found, "`tile/entries/001.p/44`, entry 257: two and five and seven");
}

#[tokio::test]
async fn cut_forked_and_foreign_logs_are_found() {
    let log = Log::new().await;
    let latest = log.checkpoints.last();

    // Rolled back to an older log that is whole in itself.
    let older = tempfile::tempdir().unwrap();
    let store = LedgerStore::local(older.path()).unwrap();
    create(&store).await.append(&entries(0..99), &key()).await.unwrap();
    verify_at(older.path(), &verifier(), None).await.unwrap();
    let found = verify_at(older.path(), &verifier(), latest).await.unwrap_err();
    assert!(found.contains("cut or rolled back"), "{found}");

    // A longer log with another past, signed by the same key.
    let fork = tempfile::tempdir().unwrap();
    let store = LedgerStore::local(fork.path()).unwrap();
    create(&store).await.append(&entries(1..400), &key()).await.unwrap();
    verify_at(fork.path(), &verifier(), None).await.unwrap();
    let found = verify_at(fork.path(), &verifier(), latest).await.unwrap_err();
    assert!(found.contains("history was rewritten"), "{found}");

    // Its checkpoint over these entries.
    fs::copy(fork.path().join("checkpoint"), log.folder.path().join("checkpoint")).unwrap();
    assert!(log.verify(None).await.is_err());

    // Another key, and the same key under another name.
    let other = SigningKey::from_seed(Secret::new([8; 32])).unwrap();
    for key in [VerifierKey::new(ORIGIN, other.verifying_key()), VerifierKey::new("lockgate/x", key().verifying_key())]
    {
        let found = verify_at(fork.path(), &key, None).await.unwrap_err();
        assert!(found.contains("is not signed by the key"), "{found}");
    }
}

#[tokio::test]
async fn a_log_whose_right_edge_was_changed_is_not_appended_to() {
    let log = Log::new().await;
    for name in ["checkpoint", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"] {
        let path = log.folder.path().join(name);
        let content = fs::read(&path).unwrap();
        let mut changed = content.clone();
        changed[3] ^= 1;
        fs::write(&path, changed).unwrap();
        let store = LedgerStore::local(log.folder.path()).unwrap();
        let opened = LedgerWriter::open(store, Lease::in_memory(), ORIGIN, key().verifying_key()).await;
        assert!(opened.is_err(), "{name}");
        fs::write(&path, content).unwrap();
    }
}
