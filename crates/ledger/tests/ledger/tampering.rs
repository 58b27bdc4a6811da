//! Every change to a log is found, and the object that was changed is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lockgate_crypto::{Secret, SigningKey};
use lockgate_ledger::{
    Checkpoint, Entry, Lease, LedgerStore, LedgerWriter, Verified, VerifierKey, VerifyError, verify,
};

use crate::support::{ORIGIN, create, entries, entry, key, verifier};

/// Every byte of a file up to this length is changed; of a longer one, so many that are spread over it.
const EVERY_BYTE_UP_TO: usize = 2_048;
const POSITIONS: usize = 120;

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
            let all = batch_of(batch, &writer).await;
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
            "tile/0/001.p/4",
            "tile/1/000.p/1",
            "tile/entries/000",
            "tile/entries/001.p/4",
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

/// The entries of one append, the last with an attachment: 100, 100 and 60 of them.
async fn batch_of(batch: usize, writer: &LedgerWriter) -> Vec<Entry> {
    let attachment = writer.put_attachment("a", format!("attachment {batch}").into_bytes()).await.unwrap();
    let last = (batch * 100 + 99).min(259);
    let mut all = entries(batch * 100..last);
    all.push(entry(last, vec![attachment]));
    all
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
    assert_eq!((good.checkpoint.size, good.attachments), (260, 3));
    let mut tried = 0;
    for (name, path) in log.needed() {
        let content = fs::read(&path).unwrap();
        let step = if content.len() <= EVERY_BYTE_UP_TO { 1 } else { content.len() / POSITIONS };
        let flip = |at: usize| content.iter().enumerate().map(|(i, b)| if i == at { b ^ 1 } else { *b }).collect();
        let mut versions: Vec<Vec<u8>> = (0..content.len()).step_by(step).map(flip).collect();
        versions.push(content[..content.len() - 1].to_vec());
        versions.push([&content[..], b"x"].concat());
        versions.push(Vec::new());
        versions.retain(|version| *version != content);
        for version in versions {
            fs::write(&path, &version).unwrap();
            let found = log.verify(None).await.expect_err(&name);
            assert!(found.starts_with(&format!("`{name}`")), "{name}: {found}");
            tried += 1;
        }
        fs::remove_file(&path).unwrap();
        let found = log.verify(None).await.expect_err(&name);
        assert!(found.contains(&name) && found.contains("missing"), "{name}: {found}");
        fs::write(&path, &content).unwrap();
    }
    assert!(tried > 1_000, "{tried}");
    log.verify(None).await.unwrap();
}

#[tokio::test]
async fn objects_that_were_swapped_are_named_by_the_first() {
    let log = Log::new().await;
    let files: Vec<_> = log.needed().into_iter().collect();
    let mut tried = 0;
    for (at, (one, one_path)) in files.iter().enumerate() {
        for (other, other_path) in files.iter().skip(at + 1) {
            let (one_content, other_content) = (fs::read(one_path).unwrap(), fs::read(other_path).unwrap());
            fs::write(one_path, &other_content).unwrap();
            fs::write(other_path, &one_content).unwrap();
            let found = log.verify(None).await.expect_err(one);
            let named = [one, other].iter().any(|name| found.starts_with(&format!("`{name}`")));
            assert!(named, "{one} and {other}: {found}");
            assert_eq!(log.verify(None).await.unwrap_err(), found, "the same log gives the same answer");
            fs::write(one_path, one_content).unwrap();
            fs::write(other_path, other_content).unwrap();
            tried += 1;
        }
    }
    assert_eq!(tried, 36, "each pair of nine");
    log.verify(None).await.unwrap();
}

#[tokio::test]
async fn an_attachment_that_was_edited_is_named_with_the_first_entry_that_has_it() {
    let log = Log::new().await;
    let digest = lockgate_crypto::sha256(b"attachment 1").to_string();
    let name = format!("object/sha256/{}/{digest}", &digest[..2]);
    fs::write(log.folder.path().join(&name), "attachment 2").unwrap();
    let found = log.verify(None).await.unwrap_err();
    let expected = format!("`{name}`, entry 199: the attachment does not have the digest that its entry names");
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_entry_that_was_rewritten_with_all_its_hashes_is_found_at_the_checkpoint() {
    let log = Log::new().await;
    let checkpoint = fs::read(log.folder.path().join("checkpoint")).unwrap();
    // Every object but the checkpoint is of a log that differs in one entry.
    let forged = tempfile::tempdir().unwrap();
    let store = LedgerStore::local(forged.path()).unwrap();
    let mut writer = create(&store).await;
    for batch in 0..3 {
        let mut all = batch_of(batch, &writer).await;
        if batch == 1 {
            all[7] = entry(9_999, Vec::new());
        }
        writer.append(&all, &key()).await.unwrap();
    }
    verify_at(forged.path(), &verifier(), None).await.unwrap();
    let found =
        verify_at(forged.path(), &verifier(), log.checkpoints.first()).await.map(|verified| verified.checkpoint.size);
    assert_eq!(found, Ok(260), "the entries before it are as they were");
    let found = verify_at(forged.path(), &verifier(), log.checkpoints.last()).await.unwrap_err();
    assert!(found.contains("history was rewritten"), "{found}");
    fs::write(forged.path().join("checkpoint"), checkpoint).unwrap();
    let found = verify_at(forged.path(), &verifier(), None).await.unwrap_err();
    assert_eq!(found, "`checkpoint`: its root is not the root of the entries");
}

#[tokio::test]
async fn entries_that_the_next_layer_refuses_are_named_by_their_number() {
    let log = Log::new().await;
    let store = LedgerStore::local(log.folder.path()).unwrap();
    let mut refuse = |index: u64, _: &Entry| {
        if index == 257 { Err("two and five and seven".to_owned()) } else { Ok(()) }
    };
    let found = verify(&store, &verifier(), None, &mut refuse).await.unwrap_err().to_string();
    assert_eq!(found, "`tile/entries/001.p/4`, entry 257: two and five and seven");
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
    for name in ["checkpoint", "tile/0/001.p/4", "tile/1/000.p/1", "tile/entries/001.p/4"] {
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
