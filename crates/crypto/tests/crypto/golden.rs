//! The formats stand still: what these files hold was made once and is made and read the same way ever after.
//!
//! With `LOCKGATE_WRITE_GOLDEN=1` in the environment the files are written anew; a change in one of them is a new
//! version of a format.

use std::fmt::Write as _;
use std::path::PathBuf;

use lockgate_crypto::{
    KekMaterial, KeyContext, KeyId, Opener, SealedValue, Sealer, Secret, SigningKey, WrappedKey, seal_under_passphrase,
};

use crate::support::{Counting, column_key, deks, domain_key, material, names, passphrase, writer};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Compares with the file of that name, or writes it.
fn assert_golden(name: &str, made: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("LOCKGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(made, golden, "{name}");
    golden
}

/// The fields of the lines that begin with `name`.
fn fields<'a>(golden: &'a str, name: &str) -> Vec<&'a str> {
    let values = golden.lines().filter_map(|line| line.split_once(" = ")).filter(|(key, _)| *key == name);
    values.map(|(_, value)| value).collect()
}

/// The page that specifies the format shows the same vectors.
fn assert_documented(page: &str, texts: &[&str]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats").join(page);
    let page = std::fs::read_to_string(path).unwrap();
    assert!(!texts.is_empty());
    for text in texts {
        assert!(page.contains(&format!("`{text}`")), "{text}");
    }
}

#[test]
fn sealed_values() {
    let key = column_key(0);
    let (sealing, opening) = deks(&key, 0xd0);
    let mut sealer = Sealer::new(sealing, &names()).unwrap();
    let cases: [(&str, Option<&str>); 5] =
        [("Ada Lovelace", Some("7")), ("Ada Lovelace", Some("8")), ("", Some("7")), ("Zoë", Some("")), ("Zoë", None)];
    let mut made = format!(
        "column key = {}\nwriter = {}\ndek id = {}\nproject = retail\ndataset = customers\ncolumn = name\n",
        hex(key.material().expose()),
        writer(),
        opening.id(),
    );
    for (value, subject) in cases {
        let sealed = sealer.seal(value.as_bytes(), subject.map(str::as_bytes)).unwrap();
        let subject = subject.map_or("absent".to_owned(), |subject| format!("`{subject}`"));
        write!(made, "\nvalue = `{value}`\nsubject = {subject}\nbytes = {}\n", hex(sealed.as_bytes())).unwrap();
        writeln!(made, "text = {sealed}").unwrap();
    }
    let golden = assert_golden("sealed_value.txt", &made);
    let opener = Opener::new(&opening, &names()).unwrap();
    let texts = fields(&golden, "text");
    assert_eq!(texts.len(), cases.len());
    assert_documented("sealed-value.md", &texts);
    for (text, (value, subject)) in texts.into_iter().zip(cases) {
        let sealed: SealedValue = text.parse().unwrap();
        assert_eq!(*opener.open(&sealed, subject.map(str::as_bytes)).unwrap().expose(), value.as_bytes());
    }
}

#[test]
fn tokens_and_digits() {
    let key = domain_key(0x40);
    let mut made = format!("domain key = {}\nproject = retail\n", hex(key.material().expose()));
    for (domain, value) in [("customer", "ada@example.com"), ("customer", ""), ("customer", "Zoë"), ("partner", "Zoë")]
    {
        let tokenizer = key.tokenizer(&"retail".parse().unwrap(), &domain.parse().unwrap()).unwrap();
        let token = tokenizer.token(value).unwrap();
        writeln!(made, "\ndomain = {domain}\nvalue = `{value}`\ntoken = {token}").unwrap();
    }
    for text in ["4111-1111-1111-1111", "000000"] {
        let cipher = key.fpe(&"retail".parse().unwrap(), &"card".parse().unwrap()).unwrap();
        let encrypted = cipher.encrypt_digits(text).unwrap();
        writeln!(made, "\ndomain = card\nvalue = `{text}`\nfpe = {encrypted}").unwrap();
        assert_eq!(cipher.decrypt_digits(&encrypted).unwrap(), text);
    }
    let golden = assert_golden("token.txt", &made);
    assert_documented("token.md", &[fields(&golden, "token"), fields(&golden, "fpe")].concat());
}

#[test]
fn wrapped_keys() {
    let kek = KekMaterial::new(material(0x80));
    let id = KeyId::from_bytes([0xc1; 16]);
    let column = KeyContext::Column {
        project: "retail".parse().unwrap(),
        dataset: "customers".parse().unwrap(),
        column: "name".parse().unwrap(),
    };
    let domain = KeyContext::Domain { project: "retail".parse().unwrap(), domain: "customer".parse().unwrap() };
    let mut made = format!("kek = {}\nkey id = {id}\n", hex(material(0x80).expose()));
    for (context, key) in [(&column, material(0)), (&domain, material(0x40))] {
        let wrapped = kek.wrap(&key, id, context, &Counting::from(0xa0)).unwrap();
        write!(made, "\ncontext = {context}\nkey = {}\n", hex(key.expose())).unwrap();
        writeln!(made, "bytes = {}\ntext = {wrapped}", hex(wrapped.as_bytes())).unwrap();
    }
    let golden = assert_golden("wrapped_key.txt", &made);
    assert_documented("key-hierarchy.md", &fields(&golden, "text"));
    for ((text, key), context) in
        fields(&golden, "text").into_iter().zip(fields(&golden, "key")).zip([&column, &domain])
    {
        let wrapped: WrappedKey = text.parse().unwrap();
        assert_eq!(hex(kek.unwrap(&wrapped, id, context).unwrap().expose()), key);
    }
}

#[test]
fn passphrase_envelope() {
    let secret = Secret::new(b"32 bytes of a key-encryption key".to_vec());
    let words = passphrase("correct horse battery staple");
    let envelope = seal_under_passphrase(&words, &secret, &Counting::from(0x20)).unwrap();
    let golden = assert_golden("passphrase.json", &format!("{}\n", serde_json::to_string_pretty(&envelope).unwrap()));
    let read: lockgate_crypto::PassphraseEnvelope = serde_json::from_str(&golden).unwrap();
    assert_eq!(read.open(&words).unwrap().expose(), secret.expose());
}

#[test]
fn signatures() {
    let key = SigningKey::generate(&Counting::from(0x60)).unwrap();
    let signature = key.sign(b"lockgate").unwrap();
    let public = hex(key.verifying_key().as_bytes());
    let made = format!(
        "seed = {}\npublic = {public}\nmessage = lockgate\nsignature = {}\n",
        hex(key.seed().expose()),
        hex(&signature)
    );
    assert_golden("signature.txt", &made);
}
