//! A key is used only if it is where it should be, readable by its owner alone, and in a state that the rules allow.
//!
//! ```text
//! key store (0600, perhaps under a passphrase)      key table (beside the ledger)            a run
//!   kek-1, kek-2 ... the ledger's signing key         column keys, wrapped by a kek   ──►    a DEK of its own per column
//!                                                     domain keys, wrapped by a kek   ──►    tokens, digits
//!                                                     outbox: changes not yet in the ledger
//! ```
//! Every change of a key is written to the table together with the ledger entry that tells of it; an entry that could
//! not be appended stays in the outbox until it is.
#![forbid(unsafe_code)]

mod aws;
mod bucket_probe;
mod credentials;
mod durable_file;
mod error;
mod event_poster;
mod key_service;
mod key_store;
mod key_table;
mod keyring;
mod ledger_place;
mod network;
mod oauth;
mod probe;
mod s3;
mod secret_ref;
mod site;
mod subject_salts;
mod tls;
mod vault;

pub use bucket_probe::{BucketFacts, DefaultEncryption, Told};
pub use durable_file::write_durably;
pub use error::{Problem, TrustError};
pub use event_poster::EventPoster;
pub use key_service::{CACHED_KEY_TTL, CACHED_KEYS_MAX};
pub use key_store::{KEY_FILE, KEY_FILE_BYTES_MAX, KekState, KeyStore, SEEN_CHECKPOINT_FILE, VERIFIER_KEY_FILE};
pub use key_table::{DekRecord, KEY_TABLE_BYTES_MAX, KEY_TABLE_FILE, KeyRecord, KeyState, KeyTable};
pub use keyring::{KeyStatus, Keyring};
pub use ledger_place::{Beside, LedgerPlace};
pub use network::{Network, jittered, root_of, tls_cause};
pub use oauth::{
    BearerToken, Claims, FetchKeys, JWKS_KEYS_MAX, JwtRefusal, JwtValidator, TOKEN_BYTES_MAX, TokenClient,
};
pub use probe::{CertificateFacts, Opening, TlsFacts, TokenFacts};
pub use s3::{Bucket, refusal_of};
pub use site::Site;
pub use subject_salts::{SUBJECT_SALTS_FILE, SubjectSalts, SubjectState};
pub use vault::LeaseStatus;
