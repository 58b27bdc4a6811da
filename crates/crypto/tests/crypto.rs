//! What the crate promises, by topic.

#[path = "crypto/golden.rs"]
mod golden;
#[path = "crypto/passphrase.rs"]
mod passphrase;
#[path = "crypto/seal.rs"]
mod seal;
#[path = "crypto/signature.rs"]
mod signature;
#[path = "crypto/support.rs"]
mod support;
#[path = "crypto/token.rs"]
mod token;
#[path = "crypto/wrap.rs"]
mod wrap;
