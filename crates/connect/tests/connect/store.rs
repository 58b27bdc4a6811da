//! Local stores: what is listed is inside the root, and what is read is what was recorded.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use lockgate_connect::{
    BoundPath, CsvOptions, CsvReader, LocalStore, PathTemplate, SourceColumn, SourceError, TextLimits,
};
use lockgate_model::ValueType;

fn pattern(template: &str) -> BoundPath {
    template.parse::<PathTemplate>().unwrap().bind(&BTreeMap::new()).unwrap()
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn paths(store: &LocalStore, template: &str) -> Vec<String> {
    store.list(&pattern(template)).unwrap().into_iter().map(|file| file.path).collect()
}

#[test]
fn matching_files_are_listed_in_the_order_of_their_bytes() {
    let root = tempfile::tempdir().unwrap();
    for path in ["c/2/b.csv", "c/10/a.csv", "c/2/a.csv", "c/2/B.csv", "c/2/.part.csv", "c/2/x.txt", "c/y.csv"] {
        write(root.path(), path, path);
    }
    fs::create_dir(root.path().join("c/2/folder.csv")).unwrap();
    let store = LocalStore::new(root.path()).unwrap();
    assert_eq!(paths(&store, "c/*/*.csv"), ["c/10/a.csv", "c/2/B.csv", "c/2/a.csv", "c/2/b.csv"]);
    assert_eq!(paths(&store, "c/2/a.csv"), ["c/2/a.csv"]);
    assert_eq!(paths(&store, "c/2/.part.csv"), ["c/2/.part.csv"]);
    assert!(paths(&store, "c/2/none*.csv").is_empty());
    assert!(paths(&store, "none/*/x").is_empty());
    assert!(paths(&store, "c/y.csv/x").is_empty());
    let file = &store.list(&pattern("c/10/*")).unwrap()[0];
    assert_eq!((file.bytes, fs::read_to_string(file.local().unwrap()).unwrap().as_str()), (10, "c/10/a.csv"));
}

#[test]
fn a_link_that_leaves_the_root_is_refused() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(outside.path(), "secret.csv", "s");
    write(root.path(), "kept/a.csv", "a");
    let link = |from: &Path, to: &str| std::os::unix::fs::symlink(from, root.path().join(to)).unwrap();
    link(&root.path().join("kept/a.csv"), "inside.csv");
    let store = LocalStore::new(root.path()).unwrap();
    assert_eq!(paths(&store, "*.csv"), ["inside.csv"]);
    link(outside.path(), "kept/folder");
    link(&outside.path().join("secret.csv"), "file.csv");
    for template in ["*.csv", "file.csv", "kept/folder/*.csv", "kept/*/secret.csv", "kept/folder/secret.csv"] {
        let error = store.list(&pattern(template)).unwrap_err();
        assert!(matches!(error, SourceError::OutsideRoot { .. }), "{template}: {error}");
    }
}

#[test]
fn a_root_that_is_no_folder_is_refused() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "file", "");
    assert!(matches!(LocalStore::new(&root.path().join("none")), Err(SourceError::Unreadable { .. })));
    assert!(matches!(LocalStore::new(&root.path().join("file")), Err(SourceError::NoFolder { .. })));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.csv", "id\n1\n2\n");
    let store = LocalStore::new(root.path()).unwrap();
    let file = store.list(&pattern("a.csv")).unwrap().remove(0);
    let digest = store.digest(&file).unwrap();
    assert_eq!(digest, lockgate_crypto::sha256(b"id\n1\n2\n"));

    let mut verified = store.open_verified(&file, digest).unwrap();
    let declared =
        [SourceColumn { name: "id".parse().unwrap(), value_type: ValueType::BigInt, nullable: true, format: None }];
    let mut reader = CsvReader::new(&mut verified, &declared, CsvOptions::default(), TextLimits::default()).unwrap();
    assert_eq!(reader.next_batch(10).unwrap().unwrap().positions.len(), 2);
    assert_eq!(verified.finish().unwrap(), 7);

    let mut unread = store.open_verified(&file, digest).unwrap();
    assert_eq!(unread.read(&mut [0; 2]).unwrap(), 2);
    assert_eq!(unread.finish().unwrap(), 7, "what the caller left is read and compared too");

    for changed in ["id\n1\n3\n", "id\n1\n", "id\n1\n2\n3\n"] {
        let reading = store.open_verified(&file, digest).unwrap();
        write(root.path(), "a.csv", changed);
        let error = reading.finish().unwrap_err();
        assert_eq!(error.to_string(), "`a.csv` changed while it was read: run again once its writer is done");
    }
}
