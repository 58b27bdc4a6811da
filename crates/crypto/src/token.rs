//! Two tokens are equal exactly when project, domain and value are.
//!
//! ```text
//! HMAC-SHA-256(token key, 1 | project | domain | value) ─► first 128 bits ─► lgt1.<22 characters>
//! ```
//! A token can't be undone with any key; who holds the key can test whether a token stands for a guessed value. The
//! format is `docs/formats/token.md`.

use lockgate_model::{DomainName, ProjectName};

use crate::canonical::{append_field, length};
use crate::mac::Mac;
use crate::text::append_base64;
use crate::{Secret, VALUE_BYTES_MAX};

/// What a token begins with.
pub const TOKEN_TEXT_PREFIX: &str = "lgt1.";

/// Bytes of the text of every token.
pub const TOKEN_TEXT_BYTES: usize = 27;

/// The longest value that is tokenized, in bytes.
pub const TOKEN_VALUE_BYTES_MAX: usize = VALUE_BYTES_MAX;

/// Bytes of the code that are kept (FIPS 198-1 section 5, SP 800-107 r1 section 5.3.3): by chance two of 2^40 values
/// share a token with a probability of about 2^-49.
const KEPT_BYTES: usize = 16;

/// The first byte of what is authenticated.
const VERSION: u8 = 1;

/// Why no token was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The value is longer than [`TOKEN_VALUE_BYTES_MAX`].
    #[error("a value of {0} bytes is longer than the {TOKEN_VALUE_BYTES_MAX} tokenized: shorten it or drop the column")]
    ValueTooLong(usize),
    /// The module gave fewer bytes than it must.
    #[error("the cryptographic module made no token: the value was not written; please report it")]
    Module,
}

/// Makes the tokens of one domain. May be shared between threads.
pub struct Tokenizer(Mac);

impl Tokenizer {
    pub(crate) fn new(key: &Secret<[u8; 32]>, project: &ProjectName, domain: &DomainName) -> Self {
        let mut beginning = vec![VERSION];
        append_field(&mut beginning, project.as_str().as_bytes());
        append_field(&mut beginning, domain.as_str().as_bytes());
        Self(Mac::new(key, &beginning))
    }

    /// The token of `value`, [`TOKEN_TEXT_BYTES`] long.
    pub fn token(&self, value: &str) -> Result<String, TokenError> {
        let mut text = String::with_capacity(TOKEN_TEXT_BYTES);
        self.token_into(value, &mut text)?;
        Ok(text)
    }

    /// Appends the token of `value` to `out`; after a failure `out` is as it was.
    pub fn token_into(&self, value: &str, out: &mut String) -> Result<(), TokenError> {
        if value.len() > TOKEN_VALUE_BYTES_MAX {
            return Err(TokenError::ValueTooLong(value.len()));
        }
        let code = self.0.code(&[&length(value.as_bytes()).to_be_bytes(), value.as_bytes()]);
        let kept = code.as_ref().get(..KEPT_BYTES).ok_or(TokenError::Module)?;
        out.push_str(TOKEN_TEXT_PREFIX);
        append_base64(kept, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Tokenizer {
        Tokenizer::new(&Secret::new([1; 32]), &"retail".parse().unwrap(), &"customer".parse().unwrap())
    }

    #[test]
    fn a_token_is_the_first_half_of_the_code_over_the_specified_bytes() {
        let message = b"\x01\x00\x00\x00\x06retail\x00\x00\x00\x08customer\x00\x00\x00\x03Ada";
        let code = Mac::new(&Secret::new([1; 32]), message).code(&[]);
        let expected = format!("lgt1.{}", crate::text::to_base64(&code.as_ref()[..16]));
        assert_eq!(tokenizer().token("Ada").unwrap(), expected);
    }

    #[test]
    fn a_value_is_refused_from_its_first_byte_too_many() {
        let long = "x".repeat(TOKEN_VALUE_BYTES_MAX + 1);
        assert_eq!(tokenizer().token(&long[1..]).unwrap().len(), TOKEN_TEXT_BYTES);
        let mut out = String::from("kept");
        let refused = tokenizer().token_into(&long, &mut out);
        assert_eq!(refused, Err(TokenError::ValueTooLong(TOKEN_VALUE_BYTES_MAX + 1)));
        assert_eq!(out, "kept");
    }
}
