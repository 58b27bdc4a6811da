//! From what a project says of a store to the connection that it means.

use std::sync::Arc;

use lockgate_model::{Failure, FailureKind, StoreName};
use lockgate_project::{DatabaseLogin, PostgresLocation, StoreLocation};
use lockgate_trust::{Site, TrustError};

use crate::bucket_store::BucketStore;
use crate::file_store::FileStore;
use crate::local_store::LocalStore;
use crate::postgres::{Logins, PostgresLogin, PostgresServer};

/// The files of a store; fails if it holds none, or cannot be reached.
pub fn open_files(site: &Site, name: &StoreName) -> Result<FileStore, Failure> {
    match site.stores.get(name).map(|store| &store.location) {
        Some(StoreLocation::Files(root)) => {
            let store = LocalStore::new(root)
                .map_err(|error| Failure::new(error.fault().into(), format!("store `{name}`: {error}")))?;
            Ok(FileStore::Local(store))
        }
        Some(StoreLocation::S3(location)) => {
            let bucket = site.bucket(location)?;
            let refusal = Arc::new(bucket.refusal());
            let handle = site.network()?.handle().clone();
            Ok(FileStore::Bucket(BucketStore::new(bucket.objects, &location.prefix, refusal, handle)))
        }
        Some(StoreLocation::Sqlite(_) | StoreLocation::Postgres(_)) | None => {
            Err(Failure::new(FailureKind::Invalid, format!("store `{name}` holds no files")))
        }
    }
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
