//! From what a project says of a store to the connection that it means.

use std::sync::Arc;

use lockgate_model::{Failure, FailureKind, StoreName};
use lockgate_project::{DatabaseLogin, PostgresLocation, S3Location, StoreLocation};
use lockgate_trust::{Site, TrustError};

use crate::bucket_store::BucketStore;
use crate::file_store::FileStore;
use crate::local_store::LocalStore;
use crate::parquet::DatasetStore;
use crate::postgres::{Logins, PostgresLogin, PostgresServer};

/// The files of a store; fails if it holds none, or cannot be reached.
pub fn open_files(site: &Site, name: &StoreName) -> Result<FileStore, Failure> {
    match site.stores.get(name).map(|store| &store.location) {
        Some(StoreLocation::Files(root)) => {
            let store = LocalStore::new(root)
                .map_err(|error| Failure::new(error.fault().into(), format!("store `{name}`: {error}")))?;
            Ok(FileStore::Local(store))
        }
        Some(StoreLocation::S3(location)) => bucket_store(site, location).map(FileStore::Bucket),
        Some(StoreLocation::Sqlite(_) | StoreLocation::Postgres(_)) | None => {
            Err(Failure::new(FailureKind::Invalid, format!("store `{name}` holds no files")))
        }
    }
}

/// The store into which pipelines write files; fails if it is none, or cannot be reached. A folder need not be there.
pub fn dataset_store(site: &Site, name: &StoreName) -> Result<DatasetStore, Failure> {
    match site.stores.get(name).map(|store| &store.location) {
        Some(StoreLocation::Files(root)) => Ok(DatasetStore::Folder(root.clone())),
        Some(StoreLocation::S3(location)) => bucket_store(site, location).map(DatasetStore::Bucket),
        Some(StoreLocation::Sqlite(_) | StoreLocation::Postgres(_)) | None => {
            Err(Failure::new(FailureKind::Invalid, format!("store `{name}` holds no files")))
        }
    }
}

fn bucket_store(site: &Site, location: &S3Location) -> Result<BucketStore, Failure> {
    let bucket = site.bucket(location)?;
    let handle = site.network()?.handle().clone();
    Ok(BucketStore::new(bucket.objects, (&location.bucket, &location.prefix), handle))
}

/// The way to a database; nothing is connected to yet. Each attempt to connect fetches the login and our certificate anew.
pub fn postgres_server(site: &Site, location: &PostgresLocation) -> Result<PostgresServer, TrustError> {
    let (own, login) = (site.clone(), location.login.clone());
    let logins: Logins = Arc::new(move || {
        let (user, password) = match &login {
            DatabaseLogin::Certificate { user } => (user.clone(), None),
            DatabaseLogin::Password { user, password } => (user.clone(), Some(own.secret(password)?)),
            DatabaseLogin::Vault(role) => {
                let (user, password) = own.database_login(role)?;
                (user, Some(password))
            }
        };
        Ok(PostgresLogin { user, password })
    });
    let (own, tls) = (site.clone(), location.tls.clone());
    Ok(PostgresServer {
        host: location.host.clone(),
        port: location.port,
        database: location.database.clone(),
        tls: Arc::new(move || Ok(own.tls(tls.as_ref())?)),
        logins,
        patience: site.patience(),
        runtime: site.network()?.handle().clone(),
    })
}
