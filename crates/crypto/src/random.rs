//! Randomness is passed in, and where it can't be had nothing is made up in its place.

/// A source of random bytes that nobody can guess.
///
/// Keys, ids, salts and wrapping nonces come from here; a test passes one that is known beforehand.
pub trait Random: Send + Sync {
    /// Fills all of `bytes`, or fails and leaves them unfit for use.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// No random bytes could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes: nothing was encrypted; check the host's entropy source and try again")]
pub struct RandomError;

/// The random bit generator of the cryptographic module (SP 800-90A r1), seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| RandomError)
    }
}

/// Draws an array.
pub(crate) fn draw<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod fixed {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Counts upwards from where it was started; known beforehand, so for tests only.
    pub(crate) struct Counting(AtomicU8);

    impl Counting {
        pub(crate) fn from(first: u8) -> Self {
            Self(AtomicU8::new(first))
        }
    }

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(draw::<32>(&SystemRandom).unwrap(), draw::<32>(&SystemRandom).unwrap());
    }
}
