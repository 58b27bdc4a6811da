//! Every value that is sealed, tokenized or signed here is bound to where it belongs, and no key is ever printed.
//!
//! The only crate that does cryptography. It does no I/O, and it calls whole modes of one module, aws-lc-rs; FF1, which
//! the module lacks, is the one construction built here, on the module's AES-CBC.
//!
//! ```text
//! key service ─► key-encryption key ─wrap/unwrap─► column key ─derive─► data key of one writer ─► sealed values
//!                                   └────────────► domain key ─derive─► token key, digit key   ─► tokens, digits
//!
//! refused: a wrapped key under another context, a sealed value in another row, a nonce used twice, a short domain
//! ```
//!
//! The formats are specified in `docs/formats/`: `sealed-value.md`, `token.md` and `key-hierarchy.md`.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::todo
    )
)]

mod aead;
mod canonical;
mod digits;
mod file_key;
mod fpe;
mod hash;
mod id;
mod kdf;
mod key;
mod mac;
mod open;
mod passphrase;
mod random;
mod rules;
mod seal;
mod sealed_value;
mod secret;
mod signature;
mod subject;
mod text;
mod token;
mod wrap;

pub use digits::{DIGIT_SEPARATORS, DigitCipher, DigitsError};
pub use file_key::{FILE_KEY_BYTES_MAX, FileKeyError, FileMasterKey};
pub use fpe::{FPE_DOMAIN_MIN, FPE_TWEAK_BYTES_MAX, Ff1, FpeError, FpeKey, Radix};
pub use hash::{Sha256Hasher, sha256};
pub use id::{DekId, IdError, KeyId, WRITER_ID_BYTES_MAX, WriterId};
pub use key::{ColumnKey, DomainKey, KeyError, KeyMaterial, OpeningDek, SealingDek};
pub use open::{OpenError, Opener};
pub use passphrase::{
    PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, PASSPHRASE_ITERATIONS, PASSPHRASE_ITERATIONS_MAX,
    PASSPHRASE_ITERATIONS_MIN, PASSPHRASE_PLAINTEXT_BYTES_MAX, PassphraseEnvelope, PassphraseError,
    seal_under_passphrase,
};
pub use random::{Random, RandomError, SystemRandom};
pub use rules::{ALGORITHM_RULES, AlgorithmRule, Assessment, ChangeDate, Status, UnknownAlgorithm, Use, assess};
pub use seal::{
    BLOCKS_PER_DEK_MAX, SEALS_PER_DEK_MAX, SUBJECT_BYTES_MAX, SealError, Sealer, VALUE_BYTES_MAX, ValueContext,
};
pub use sealed_value::{SEALED_OVERHEAD_BYTES, SEALED_TEXT_PREFIX, SealedValue, SealedValueError};
pub use secret::Secret;
pub use signature::{SignatureError, SigningKey, VerifyingKey};
pub use subject::SubjectSalt;
pub use token::{TOKEN_TEXT_BYTES, TOKEN_TEXT_PREFIX, TOKEN_VALUE_BYTES_MAX, TokenError, Tokenizer};
pub use wrap::{
    KekMaterial, KeyContext, SERVICE_WRAPPED_BYTES_MAX, WRAPPED_KEY_BYTES, WrapError, WrappedKey, WrappedKeyError,
    WrappingService,
};
