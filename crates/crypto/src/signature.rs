//! A signature verifies exactly under the key and for the message that it was made with (Ed25519, RFC 8032).

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::{Random, RandomError, Secret};

/// Why something was not signed or doesn't verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No randomness for a new key.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The signature isn't of this key and message.
    #[error("the signature does not verify: the text was altered, or another key signed it")]
    DoesNotVerify,
    /// The module refused.
    #[error("the cryptographic module signed nothing; please report it")]
    Module,
}

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: Secret<[u8; 32]>,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A new key, from 32 random bytes.
    pub fn generate(random: &dyn Random) -> Result<Self, SignatureError> {
        let mut seed = Secret::new([0; 32]);
        random.fill(seed.expose_mut())?;
        Self::from_seed(seed)
    }

    /// The key of a seed (the private key of RFC 8032 section 5.1.5). Any 32 bytes are one.
    pub fn from_seed(seed: Secret<[u8; 32]>) -> Result<Self, SignatureError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| SignatureError::Module)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| SignatureError::Module)?;
        Ok(Self { pair, seed, verifying: VerifyingKey(public) })
    }

    /// The seed, to be stored under protection.
    pub fn seed(&self) -> &Secret<[u8; 32]> {
        &self.seed
    }

    /// The key that others verify with.
    pub const fn verifying_key(&self) -> VerifyingKey {
        self.verifying
    }

    /// The signature of `message`; the same for the same key and message.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignatureError> {
        let signature = self.pair.try_sign(message).map_err(|_| SignatureError::Module)?;
        signature.as_ref().try_into().map_err(|_| SignatureError::Module)
    }
}

/// A key that verifies; public, written as base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VerifyingKey(#[serde(with = "crate::text::base64_array")] [u8; 32]);

impl VerifyingKey {
    /// Takes the 32 bytes of a public key. Bytes that are no point of the curve verify nothing.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Succeeds exactly if `signature` was made for `message` by the key's holder.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).map_err(|_| SignatureError::DoesNotVerify)
    }
}
