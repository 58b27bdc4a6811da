//! SHA-256 (FIPS 180-4) of bytes at hand or of a stream.

use aws_lc_rs::digest;
use lockgate_model::Sha256Digest;

/// The SHA-256 digest of `bytes`.
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// Computes the SHA-256 digest of bytes that arrive in pieces; where they are cut makes no difference.
#[derive(Clone)]
pub struct Sha256Hasher(digest::Context);

impl Sha256Hasher {
    /// Begins with nothing.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Sha256Digest {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Sha256Digest::from_bytes(bytes)
    }
}

impl Default for Sha256Hasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 examples, as NIST publishes them.
    const EXAMPLES: [(&str, &str); 3] = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ];

    #[test]
    fn the_published_examples_hold_wherever_the_stream_is_cut() {
        for (text, digest) in EXAMPLES {
            assert_eq!(sha256(text.as_bytes()).to_string(), digest);
            for cut in 0..text.len() {
                let mut hasher = Sha256Hasher::new();
                hasher.update(&text.as_bytes()[..cut]);
                hasher.update(&text.as_bytes()[cut..]);
                assert_eq!(hasher.finish().to_string(), digest, "cut at {cut}");
            }
        }
    }
}
