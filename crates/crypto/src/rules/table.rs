//! The one table of algorithms. Rows are in the order: encryption, wrapping, codes, derivation, signatures, hashes,
//! format-preserving encryption.

use jiff::civil::date;

use super::{AlgorithmRule, ChangeDate, Use};

const SP_800_131A_R2: &str = "SP 800-131A r2";
const IR_8547: &str = "IR 8547, initial public draft of 2024-11-12, section 4.1";
const SHA_1_RETIREMENT: &str = "NIST's announcement of 2022-12-15 on the retirement of SHA-1";

/// What most rows begin with.
const APPROVED: AlgorithmRule = AlgorithmRule {
    names: &[],
    publication: "",
    purpose: Use::Encryption,
    key_bits_min: None,
    approved: true,
    deprecated: None,
    disallowed: None,
    refused: None,
    note: "",
    within_validated_module: true,
};
const NOT_APPROVED: AlgorithmRule = AlgorithmRule { approved: false, within_validated_module: false, ..APPROVED };

const fn change(year: i16, month: i8, day: i8, source: &'static str) -> Option<ChangeDate> {
    Some(ChangeDate { from: date(year, month, day), source, draft: false })
}

const fn draft(year: i16, month: i8, day: i8, source: &'static str) -> Option<ChangeDate> {
    Some(ChangeDate { from: date(year, month, day), source, draft: true })
}

/// Public-key algorithms that a quantum computer would break.
const QUANTUM_VULNERABLE: AlgorithmRule = AlgorithmRule { disallowed: draft(2036, 1, 1, IR_8547), ..APPROVED };

/// What NIST says about each algorithm that Lockgate uses or that somebody may configure.
pub static ALGORITHM_RULES: &[AlgorithmRule] = &[
    AlgorithmRule {
        names: &["AES-256-GCM", "A256GCM", "AES256-GCM96", "SYMMETRIC_DEFAULT"],
        publication: "SP 800-38D",
        key_bits_min: Some(256),
        note: "what Lockgate seals and wraps with; sealing gives the module a counted nonce (section 8.2.1), and the \
               validated module counts encryption as approved only with nonces that it makes itself, decryption always",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["AES-192-GCM", "A192GCM"],
        publication: "SP 800-38D",
        key_bits_min: Some(192),
        note: "AES-256-GCM costs about the same",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["AES-128-GCM", "A128GCM", "AES128-GCM96"],
        publication: "SP 800-38D",
        key_bits_min: Some(128),
        note: "enough for NIST; AES-256-GCM leaves a margin against a quantum computer",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["AES-CCM", "AES-128-CCM", "AES-256-CCM"],
        publication: "SP 800-38C",
        key_bits_min: Some(128),
        note: "authenticated like AES-GCM",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["AES-GCM-CTR", "AES_GCM_CTR_V1"],
        publication: "Apache Parquet, modular encryption",
        note: "the footer is authenticated and the pages are not",
        refused: Some("pages can be altered unseen; choose AES_GCM_V1"),
        ..NOT_APPROVED
    },
    AlgorithmRule {
        names: &["AES-CTR", "AES-128-CTR", "AES-256-CTR"],
        publication: "SP 800-38A section 6.5",
        key_bits_min: Some(128),
        note: "no authentication",
        refused: Some("ciphertext can be altered unseen; choose AES-256-GCM"),
        ..APPROVED
    },
    AlgorithmRule {
        names: &["AES-CBC", "AES-128-CBC", "AES-256-CBC"],
        publication: "SP 800-38A section 6.2",
        key_bits_min: Some(128),
        note: "no authentication",
        refused: Some("ciphertext can be altered unseen, and padding errors tell plaintext; choose AES-256-GCM"),
        ..APPROVED
    },
    AlgorithmRule {
        names: &["AES-ECB", "AES-128-ECB", "AES-256-ECB"],
        publication: "SP 800-38A section 6.1",
        key_bits_min: Some(128),
        note: "the draft SP 800-131A r3 of 2024-10-21 disallows it for encryption from the day it is final",
        refused: Some("equal blocks show as equal; choose AES-256-GCM, or `token` where values must join"),
        ..APPROVED
    },
    AlgorithmRule {
        names: &["3DES", "TDEA", "DES-EDE3", "Triple DES", "3DES-CBC"],
        publication: "SP 800-67 r2",
        key_bits_min: Some(168),
        deprecated: change(2019, 3, 21, SP_800_131A_R2),
        disallowed: change(2024, 1, 1, SP_800_131A_R2),
        note: "SP 800-67 r2 was withdrawn on 2024-01-01; what it encrypted may still be decrypted",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["DES", "DES-CBC"],
        publication: "FIPS 46-3",
        disallowed: change(2005, 5, 19, "withdrawal of FIPS 46-3"),
        note: "56 bits of key",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["RC4", "ARC4"],
        publication: "RFC 7465 forbids it in TLS",
        note: "its output is biased",
        ..NOT_APPROVED
    },
    AlgorithmRule {
        names: &["ChaCha20-Poly1305", "C20P", "XChaCha20-Poly1305"],
        publication: "RFC 8439",
        note: "no weakness is known, and no NIST publication approves it",
        ..NOT_APPROVED
    },
    AlgorithmRule {
        names: &["AES-256-GCM-SIV", "AES-GCM-SIV", "AES-128-GCM-SIV"],
        publication: "RFC 8452",
        note: "no weakness is known, and no NIST publication approves it",
        ..NOT_APPROVED
    },
    AlgorithmRule {
        names: &["AES-KW", "AES-KWP", "A256KW", "A128KW"],
        publication: "SP 800-38F",
        purpose: Use::Wrapping,
        key_bits_min: Some(128),
        note: "binds no context to the wrapped key, unlike AES-GCM",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["RSA-OAEP", "RSA-OAEP-SHA-256", "RSA-OAEP-256"],
        publication: "SP 800-56B r2 section 7.2.2",
        purpose: Use::Wrapping,
        key_bits_min: Some(2048),
        note: "see RSA-2048 for keys shorter than 3072 bits",
        ..QUANTUM_VULNERABLE
    },
    AlgorithmRule {
        names: &["RSA-PKCS1v1.5-encryption", "RSA1_5", "RSAES-PKCS1-v1_5"],
        publication: "RFC 8017 section 7.2",
        purpose: Use::Wrapping,
        key_bits_min: Some(2048),
        deprecated: change(2019, 3, 21, SP_800_131A_R2),
        disallowed: change(2024, 1, 1, SP_800_131A_R2),
        note: "padding errors tell plaintext; choose RSA-OAEP",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["ECDH-P-256", "ECDH-P-384", "ECDH"],
        publication: "SP 800-56A r3",
        purpose: Use::Wrapping,
        key_bits_min: Some(256),
        note: "key agreement; the draft IR 8547 moves it to ML-KEM",
        ..QUANTUM_VULNERABLE
    },
    AlgorithmRule {
        names: &["X25519"],
        publication: "RFC 7748",
        purpose: Use::Wrapping,
        note: "SP 800-186 takes its curve for signatures only",
        ..NOT_APPROVED
    },
    AlgorithmRule {
        names: &["ML-KEM", "ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"],
        publication: "FIPS 203",
        purpose: Use::Wrapping,
        note: "key encapsulation that is thought to withstand a quantum computer",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["HMAC-SHA-256", "HS256"],
        publication: "FIPS 198-1 and SP 800-131A r2 section 10",
        purpose: Use::Mac,
        key_bits_min: Some(112),
        note: "what Lockgate makes tokens with, under a key of 256 bits, 128 bits of the code kept",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["HMAC-SHA-384", "HS384", "HMAC-SHA-512", "HS512"],
        publication: "FIPS 198-1 and SP 800-131A r2 section 10",
        purpose: Use::Mac,
        key_bits_min: Some(112),
        note: "as HMAC-SHA-256",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["HMAC-SHA-1"],
        publication: "FIPS 198-1",
        purpose: Use::Mac,
        key_bits_min: Some(112),
        disallowed: change(2031, 1, 1, SHA_1_RETIREMENT),
        note: "choose HMAC-SHA-256",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["AES-CMAC", "CMAC"],
        publication: "SP 800-38B",
        purpose: Use::Mac,
        key_bits_min: Some(128),
        note: "a code of 128 bits",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["KBKDF-CTR-HMAC-SHA-256", "KBKDF", "SP800-108"],
        publication: "SP 800-108 r1 update 1, section 4.1",
        purpose: Use::Kdf,
        key_bits_min: Some(112),
        note: "what Lockgate derives data keys, token keys and digit keys with",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["HKDF-SHA-256", "HKDF"],
        publication: "SP 800-56C r2",
        purpose: Use::Kdf,
        key_bits_min: Some(112),
        note: "for keys that two parties agreed on",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["PBKDF2-HMAC-SHA-256", "PBKDF2"],
        publication: "SP 800-132",
        purpose: Use::Kdf,
        note: "what Lockgate derives keys from passphrases with: 600,000 iterations, a salt of 128 bits, 14 bytes of \
               passphrase or more",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["scrypt", "Argon2id", "bcrypt"],
        publication: "RFC 7914, RFC 9106",
        purpose: Use::Kdf,
        note: "no weakness is known, and no NIST publication approves it",
        ..NOT_APPROVED
    },
    AlgorithmRule {
        names: &["Ed25519", "EdDSA"],
        publication: "FIPS 186-5 section 7.6",
        purpose: Use::Signature,
        key_bits_min: Some(256),
        note: "what Lockgate signs checkpoints and reports with; the module's library counts it as outside its \
               validated services",
        within_validated_module: false,
        ..QUANTUM_VULNERABLE
    },
    AlgorithmRule {
        names: &["ECDSA-P-256", "ES256", "ECDSA-P-384", "ES384"],
        publication: "FIPS 186-5 section 6",
        purpose: Use::Signature,
        key_bits_min: Some(256),
        note: "the draft IR 8547 moves it to ML-DSA",
        ..QUANTUM_VULNERABLE
    },
    AlgorithmRule {
        names: &["RSA-3072", "RSA-4096"],
        publication: "FIPS 186-5 section 5",
        purpose: Use::Signature,
        key_bits_min: Some(3072),
        note: "128 bits of strength or more",
        ..QUANTUM_VULNERABLE
    },
    AlgorithmRule {
        names: &["RSA-2048"],
        publication: "FIPS 186-5 section 5",
        purpose: Use::Signature,
        key_bits_min: Some(2048),
        disallowed: change(2031, 1, 1, "SP 800-57 part 1 r5, table 4"),
        note: "112 bits of strength; the drafts SP 800-131A r3 and IR 8547 would make it deprecated from 2031-01-01 \
               and disallowed from 2036-01-01 instead",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["RSA-1024"],
        publication: "FIPS 186-2",
        purpose: Use::Signature,
        deprecated: change(2011, 1, 1, "SP 800-131A"),
        disallowed: change(2014, 1, 1, "SP 800-131A"),
        note: "80 bits of strength",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["ML-DSA", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"],
        publication: "FIPS 204",
        purpose: Use::Signature,
        note: "signatures that are thought to withstand a quantum computer; counted as outside the validated module \
               until a certificate names it",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["SHA-256", "SHA2-256"],
        publication: "FIPS 180-4",
        purpose: Use::Hash,
        note: "what Lockgate names files and ledger entries with",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["SHA-384", "SHA-512", "SHA3-256", "SHA3-384", "SHA3-512"],
        publication: "FIPS 180-4 and FIPS 202",
        purpose: Use::Hash,
        note: "192 bits of collision resistance or more for the longer ones",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["SHA-224", "SHA-512/224"],
        publication: "FIPS 180-4",
        purpose: Use::Hash,
        disallowed: draft(2031, 1, 1, "SP 800-131A r3, initial public draft of 2024-10-21"),
        note: "112 bits of collision resistance",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["SHA-1"],
        publication: "FIPS 180-4",
        purpose: Use::Hash,
        disallowed: change(2031, 1, 1, SHA_1_RETIREMENT),
        note: "disallowed for signatures since 2014-01-01 already (SP 800-131A); collisions were shown in 2017",
        ..APPROVED
    },
    AlgorithmRule {
        names: &["MD5", "HMAC-MD5"],
        publication: "RFC 6151",
        purpose: Use::Hash,
        note: "collisions take seconds",
        ..NOT_APPROVED
    },
    AlgorithmRule {
        names: &["FF1", "AES-FF1"],
        publication: "SP 800-38G section 5.1",
        purpose: Use::Fpe,
        key_bits_min: Some(128),
        note: "what Lockgate encrypts digits with, under a key of 256 bits; that 1,000,000 texts must exist is the \
               rule of SP 800-38G r1, which is a draft (second public draft of 2025-02-03); built on the module's AES-CBC, \
               so outside the validated module",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["FF3"],
        publication: "SP 800-38G section 5.2",
        purpose: Use::Fpe,
        deprecated: change(2017, 4, 12, "NIST's announcement of 2017-04-12 on FF3"),
        disallowed: draft(2025, 2, 3, "SP 800-38G r1, second public draft, which removes it"),
        refused: Some("it was broken for small domains; choose `fpe`, which is FF1"),
        note: "attacks by Durak and Vaudenay, 2017",
        within_validated_module: false,
        ..APPROVED
    },
    AlgorithmRule {
        names: &["FF3-1"],
        publication: "SP 800-38G r1, initial public draft of 2019-02-28",
        purpose: Use::Fpe,
        note: "only ever in a draft, and removed in the second public draft of 2025-02-03; choose FF1",
        ..NOT_APPROVED
    },
];
