//! One writer at a time: a second one is refused, by the name of the first where that is another process.

use lockgate_ledger::{Lease, LedgerError, LedgerStore, LedgerWriter, verify};

use crate::support::{ORIGIN, create, entries, key, open, verifier};

#[tokio::test]
async fn a_second_writer_of_a_folder_is_refused_by_the_name_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = LedgerStore::local(folder.path()).unwrap();
    let lease = Lease::local(folder.path(), "run daily_customers").unwrap();
    let mut first = LedgerWriter::create(store, lease, ORIGIN, &key()).await.unwrap();
    let refused = Lease::local(folder.path(), "keys rotate").unwrap_err().to_string();
    let named = format!("process {}, run daily_customers, since ", std::process::id());
    assert!(refused.contains(&named), "{refused}");
    first.append(&entries(0..3), &key()).await.unwrap();
    drop(first);
    let lease = Lease::local(folder.path(), "keys rotate").unwrap();
    let store = LedgerStore::local(folder.path()).unwrap();
    let second = LedgerWriter::open(store, lease, ORIGIN, key().verifying_key()).await.unwrap();
    assert_eq!(second.size(), 3);
}

#[tokio::test]
async fn a_second_writer_of_a_store_in_memory_is_refused() {
    let store = LedgerStore::in_memory();
    let mut first = create(&store).await;
    let second = LedgerWriter::open(store.clone(), Lease::in_memory(), ORIGIN, key().verifying_key()).await;
    assert!(matches!(second, Err(LedgerError::Held(_))));
    first.append(&entries(0..3), &key()).await.unwrap();
    drop(first);
    assert_eq!(open(&store).await.size(), 3);
    // Whoever failed to open one does not keep others out.
    let absent = LedgerStore::in_memory();
    for _ in 0..2 {
        let opened = LedgerWriter::open(absent.clone(), Lease::in_memory(), ORIGIN, key().verifying_key()).await;
        assert!(matches!(opened, Err(LedgerError::Damaged { .. })));
    }
    create(&absent).await;
}

#[tokio::test]
async fn the_lease_of_another_folder_is_no_lease() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = LedgerStore::local(one.path()).unwrap();
    let lease = Lease::local(other.path(), "run").unwrap();
    let created = LedgerWriter::create(store.clone(), lease, ORIGIN, &key()).await;
    assert!(matches!(created, Err(LedgerError::WrongLease)));
    // The same folder by another path is the same.
    let lease = Lease::local(&one.path().join("../").join(one.path().file_name().unwrap()), "run").unwrap();
    LedgerWriter::create(store.clone(), lease, ORIGIN, &key()).await.unwrap();
    verify(&store, &verifier(), None, &mut |_, _| Ok(())).await.unwrap();
}
