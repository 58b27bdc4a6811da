//! The digits of a text are encrypted, its separators stay where they are, and a text that holds anything else is
//! refused rather than left half in the clear.
//!
//! ```text
//! 4111-1111-1111-1111 ─► 0852-7340-9361-5528        refused: 411-11 (5 digits), `Ada 4111111` (letters)
//! ```
//! Equal texts of a domain become equal texts, so that they still join; the tweak of FF1 is empty. What remains visible
//! is how many digits there are and where the separators stand.

use lockgate_model::FPE_DIGITS_MIN;

use crate::{Ff1, FpeError, FpeKey, Radix};

/// The characters that stay where they are.
pub const DIGIT_SEPARATORS: [char; 8] = [' ', '-', '.', '/', '(', ')', '+', '_'];

/// The most characters of a text: 72 digits with as many separators.
const TEXT_BYTES_MAX: usize = 144;

/// Why the digits of a text were not encrypted or decrypted. The text itself is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigitsError {
    /// A character that is neither a digit nor one of [`DIGIT_SEPARATORS`].
    #[error(
        "character {position} is neither a digit from 0 to 9 nor one of ` -./()+_` and would stay in the clear: use \
         `token` or `seal` for this column"
    )]
    Character {
        /// Which, from 1.
        position: usize,
    },
    /// Too few digits.
    #[error("{0} digits are fewer than the {FPE_DIGITS_MIN} that `fpe` takes: use `token` or `seal` for this column")]
    TooFewDigits(usize),
    /// More text than digits and separators can be.
    #[error("a text of {0} bytes is longer than the {TEXT_BYTES_MAX} that `fpe` takes: use `token` or `seal`")]
    TextTooLong(usize),
    /// FF1 refused.
    #[error(transparent)]
    Fpe(#[from] FpeError),
}

/// Encrypts the digits of texts of one domain. May be shared between threads.
pub struct DigitCipher(Ff1);

impl DigitCipher {
    pub(crate) fn new(key: &FpeKey) -> Result<Self, FpeError> {
        Ff1::new(key, Radix::DECIMAL).map(Self)
    }

    /// The text with its digits encrypted.
    pub fn encrypt_digits(&self, text: &str) -> Result<String, DigitsError> {
        let mut out = String::with_capacity(text.len());
        self.encrypt_digits_into(text, &mut out)?;
        Ok(out)
    }

    /// Appends the text with its digits encrypted to `out`; after a failure `out` is as it was.
    pub fn encrypt_digits_into(&self, text: &str, out: &mut String) -> Result<(), DigitsError> {
        let digits = self.0.encrypt(b"", &digits_of(text)?)?;
        put_digits(text, &digits, out);
        Ok(())
    }

    /// The text with its digits decrypted.
    pub fn decrypt_digits(&self, text: &str) -> Result<String, DigitsError> {
        let digits = self.0.decrypt(b"", &digits_of(text)?)?;
        let mut out = String::with_capacity(text.len());
        put_digits(text, &digits, &mut out);
        Ok(out)
    }
}

fn digits_of(text: &str) -> Result<Vec<u8>, DigitsError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(DigitsError::TextTooLong(text.len()));
    }
    let mut digits = Vec::with_capacity(text.len());
    for (at, character) in text.chars().enumerate() {
        match character.to_digit(10).and_then(|digit| u8::try_from(digit).ok()) {
            Some(digit) => digits.push(digit),
            None if DIGIT_SEPARATORS.contains(&character) => {}
            None => return Err(DigitsError::Character { position: at + 1 }),
        }
    }
    if digits.len() < FPE_DIGITS_MIN {
        return Err(DigitsError::TooFewDigits(digits.len()));
    }
    Ok(digits)
}

fn put_digits(text: &str, digits: &[u8], out: &mut String) {
    let mut digits = digits.iter();
    out.extend(text.chars().map(|character| match character.is_ascii_digit() {
        true => digits.next().map_or(character, |digit| char::from(b'0' + digit)),
        false => character,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn cipher() -> DigitCipher {
        DigitCipher::new(&FpeKey::new(Secret::new([1; 32]))).unwrap()
    }

    #[test]
    fn digits_change_and_separators_stay() {
        for text in ["4111-1111-1111-1111", "+49 (0)30 123456", "000000", "12.34.56", "1_2/3 4-5.6"] {
            let encrypted = cipher().encrypt_digits(text).unwrap();
            assert_ne!(encrypted, text);
            let shape = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
            assert_eq!(shape(&encrypted), shape(text));
            assert_eq!(cipher().decrypt_digits(&encrypted).unwrap(), text);
        }
        let plain = cipher().encrypt_digits("4111111111111111").unwrap();
        assert_eq!(cipher().encrypt_digits("4111-1111-1111-1111").unwrap().replace('-', ""), plain);
    }

    #[test]
    fn a_text_that_would_stay_partly_in_the_clear_is_refused() {
        let mut out = String::from("kept");
        for (text, error) in [
            ("12345", DigitsError::TooFewDigits(5)),
            ("", DigitsError::TooFewDigits(0)),
            ("Ada 4111111", DigitsError::Character { position: 1 }),
            ("411111111x", DigitsError::Character { position: 10 }),
            ("٤١١١١١١١", DigitsError::Character { position: 1 }),
            ("123456\n", DigitsError::Character { position: 7 }),
        ] {
            assert_eq!(cipher().encrypt_digits_into(text, &mut out), Err(error), "{text}");
            assert_eq!(cipher().decrypt_digits(text), Err(error), "{text}");
        }
        assert_eq!(out, "kept");
    }

    #[test]
    fn lengths_are_refused_on_either_side_of_the_limits() {
        assert!(cipher().encrypt_digits(&"1".repeat(72)).is_ok());
        let refused = cipher().encrypt_digits(&"1".repeat(73));
        assert_eq!(refused, Err(DigitsError::Fpe(FpeError::TooLong { found: 73, most: 72 })));
        assert!(cipher().encrypt_digits(&"1-".repeat(72)).is_ok());
        assert_eq!(cipher().encrypt_digits(&" ".repeat(145)), Err(DigitsError::TextTooLong(145)));
    }
}
