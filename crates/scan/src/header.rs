//! What a column's name says, in several languages: which tags it speaks for, and which it speaks against.

use std::collections::BTreeMap;

/// How loudly a header speaks for a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hint {
    /// It may be that.
    Weak,
    /// It says so.
    Strong,
}

/// Phrases that name a tag: words in this order, within the header's words.
const STRONG: &[(&str, &str)] = &[
    (
        "pii.email",
        "email|e mail|mail address|mailaddress|email address|correo|courriel|eposta|epost|posta elettronica|correo electronico|adresse mail",
    ),
    (
        "pii.phone",
        "phone|telephone|tel|mobile|cell|cellphone|cell phone|fax|msisdn|whatsapp|telefon|telefono|telefone|telefonnummer|handy|handynummer|mobil|mobilnummer|portable|celular|movil|cellulare|telefoon|puhelin|gsm|phone number|contact number|contact no|mobile no|phone no",
    ),
    (
        "pii.name",
        "first name|firstname|fname|given name|givenname|last name|lastname|lname|surname|family name|familyname|full name|fullname|middle name|middlename|maiden name|forename|vorname|nachname|familienname|nom|prenom|nom de famille|nombre|apellido|apellidos|nome|cognome|sobrenome|voornaam|achternaam|imie|nazwisko|fornavn|etternavn|efternamn|fornamn|etunimi|sukunimi|nome completo|nombre completo|customer name|client name|patient name|employee name|contact name|person name|cardholder|cardholder name|card holder|account holder|beneficiary name|holder name|passenger name|guest name|member name|recipient name|sender name|owner name|student name|user full name|doctor name|billing name|shipping name",
    ),
    (
        "pii.address",
        "address|addr|street|street address|address line|home address|mailing address|billing address|shipping address|postal address|residence|adresse|anschrift|strasse|straße|wohnort|rue|calle|direccion|domicilio|indirizzo|via|endereco|rua|adres|ulica|gata|gatuadress|straat|zip|zipcode|zip code|postcode|post code|postal code|postal|plz|postleitzahl|code postal|codigo postal|cap|cep|postnummer",
    ),
    (
        "pii.birth_date",
        "dob|birth date|birthdate|date of birth|birthday|birth day|born|born on|geburtsdatum|geburtstag|geb datum|naissance|date de naissance|date naissance|fecha nacimiento|fecha de nacimiento|nacimiento|data di nascita|data nascita|data de nascimento|nascimento|geboortedatum|data urodzenia|fodselsdato|fodelsedatum|syntymaaika|bday|bdate",
    ),
    (
        "pii.national_id",
        "ssn|social security|social security number|sozialversicherungsnummer|national id|national identity|nationalid|national insurance|nino|ni number|id card|id number|identity number|identity card|identity document|passport|passport no|passport number|reisepass|passeport|pasaporte|driver license|drivers license|driving licence|driving license|drivers licence|license number|licence number|personalausweis|ausweisnummer|dni|nie|curp|cpf|rg|pesel|bsn|burgerservicenummer|personnummer|personal number|fodselsnummer|henkilotunnus|hetu|nir|insee|numero secu|aadhaar|aadhar|sin|nhs number|nhs no|ahv|avs|oib|cnp|rodne cislo|codice fiscale|fiscal code|nric|hkid|resident id|egn|citizen id",
    ),
    (
        "pii.tax_id",
        "tax id|taxid|tax number|tax no|tax identification|tin|ein|itin|vat|vat id|vat number|vat no|steuer id|steuerid|steuernummer|steueridentifikationsnummer|ust id|ustid|umsatzsteuer id|nif|nip|cif|siren|siret|cnpj|abn|tfn|utr|gstin|pan number|partita iva|numero fiscal|rfc|btw|orgnr",
    ),
    (
        "pii.ip",
        "ip|ip address|ipaddress|ip addr|ipaddr|ipv4|ipv6|client ip|remote addr|source ip|src ip|dst ip|last login ip",
    ),
    ("pii.gender", "gender|sex|geschlecht|sexe|sexo|sesso|genero|genere|geslacht|kon|kjonn|plec"),
    (
        "pii.health",
        "diagnosis|diagnoses|icd|icd10|icd 10|icd code|blood type|blood group|allergy|allergies|medication|medications|medical condition|health condition|disease|symptom|symptoms|prescription|treatment|diagnose|krankheit|blutgruppe|medical history|disability|hiv status|patient condition|drug name",
    ),
    (
        "pci.pan",
        "pan|card number|cardnumber|card no|cc number|ccnumber|cc no|ccn|cc num|credit card|creditcard|credit card number|debit card|debit card number|card num|kartennummer|kreditkarte|kreditkartennummer|numero carte|carte bancaire|numero tarjeta|tarjeta|payment card",
    ),
    ("pci.cvv", "cvv|cvc|cvv2|cvc2|cv2|cid code|security code|card security code|card verification|card code"),
    ("fin.iban", "iban|bank account iban|account iban|international bank account number|kontonummer iban"),
    (
        "auth.credential",
        "password|passwd|pwd|passwort|kennwort|mot de passe|contrasena|senha|pass phrase|passphrase|password hash|secret|client secret|secret key|api key|apikey|access key|access token|auth token|bearer token|refresh token|token|private key|credential|credentials|pin|pin code|otp secret|webhook secret|connection string",
    ),
];

const WEAK: &[(&str, &str)] = &[
    ("pii.email", "mail|contact|login|user|username"),
    ("pii.phone", "contact|number|contact info"),
    (
        "pii.name",
        "name|customer|client|employee|patient|person|contact|author|manager|owner|user|member|guest|passenger|student|teacher|doctor|driver|agent|recipient|sender|assignee|holder|created by|reviewer|signatory|initials|username|user name|nickname|display name|naam|namn|navn|kunde|mitarbeiter|cliente|titular",
    ),
    ("pii.address", "location|place|adr|city|town|ort|stadt|ville|ciudad|citta|cidade|house number|hausnummer"),
    ("pii.birth_date", "birth|geb|birth year|year of birth|geburtsjahr"),
    ("pii.national_id", "id no|identity|identification|ni|document number|document no|government id"),
    ("pii.ip", "host|client|source|origin|addr|remote host"),
    ("pci.pan", "card|account number|cc|karte"),
    ("fin.iban", "account|bank account|konto|kontonummer|account number|compte|cuenta"),
    ("auth.credential", "key|pass|hash|auth|signature"),
];

/// Words that say that a column holds something about the thing, not the thing, and the tags that they deny.
const DENIED: &[(&str, &str)] = &[
    ("pii.email", "count|sent|opened|verified|opt|template|subject|status|domain|provider|consent|body|campaign"),
    ("pii.phone", "model|brand|type|os|verified|count|plan|carrier|network|country|code|extension"),
    (
        "pii.name",
        "product|item|file|table|column|brand|company|city|country|state|region|store|shop|department|team|project|category|event|host|domain|server|service|model|campaign|course|school|bank|plan|package|app|application|device|currency|street|hotel|airport|station|version|game|movie|song|album|book|vendor|supplier|type|status|color|colour|title|role|job|position|id|count|organization|organisation|business|field|variable|class|species|drug|process|rule|policy|key|stadt|produkt|firma|entreprise|produit|empresa|producto|prodotto|ville|pays|pais",
    ),
    ("pii.address", "id|count|type|status|verified|email|mail|ip|mac|web|url|wallet|memory|hash"),
    ("pii.birth_date", "place|city|country|weight|order|rate"),
    ("pii.national_id", "type|status|expiry|expires|country|issued|verified|date"),
    ("pii.tax_id", "rate|amount|percent|total|type|included|sum|exempt"),
    ("pii.ip", "count|type|version|rating|country"),
    ("pii.health", "count|date|cost|id"),
    ("pci.pan", "type|brand|network|expiry|exp|issuer|status|last4|count|month|year|holder|holdername"),
    ("fin.iban", "type|status|balance|name|holder|count|country|manager"),
    (
        "auth.credential",
        "count|changed|expires|expiry|reset|type|strength|at|updated|last|attempts|policy|hint|used|primary|foreign|sort|ticker|symbol",
    ),
];

/// What a header says.
#[derive(Debug, Default)]
pub(crate) struct Header {
    hints: BTreeMap<&'static str, Hint>,
    denied: Vec<&'static str>,
}

impl Header {
    /// Reads a header; `None` for a column without one.
    pub(crate) fn read(header: Option<&str>) -> Self {
        let words = header.map(words).unwrap_or_default();
        let mut read = Self::default();
        for (list, hint) in [(WEAK, Hint::Weak), (STRONG, Hint::Strong)] {
            for (tag, phrases) in list {
                if phrases.split('|').any(|phrase| holds(&words, phrase)) {
                    read.hints.insert(tag, hint);
                }
            }
        }
        for (tag, phrases) in DENIED {
            if phrases.split('|').any(|phrase| holds(&words, phrase)) {
                read.denied.push(tag);
            }
        }
        read
    }

    /// How loudly it speaks for a tag; not at all where it also says that it is about something else.
    pub(crate) fn hint(&self, tag: &str) -> Option<Hint> {
        if self.denies(tag) { None } else { self.hints.get(tag).copied() }
    }

    /// Whether it says that the column is something else.
    pub(crate) fn denies(&self, tag: &str) -> bool {
        self.denied.contains(&tag)
    }
}

/// The words of a header: `customerEmail_2` is `customer email`, `Straße` is `strasse`.
pub(crate) fn words(header: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(header.len() + 8);
    let mut before = ' ';
    let mut characters = header.chars().peekable();
    while let Some(c) = characters.next() {
        let next_is_lower = characters.peek().is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && next_is_lower));
        if begins {
            spaced.push(' ');
        }
        match c {
            'ß' => spaced.push_str("ss"),
            'ä' | 'á' | 'à' | 'â' | 'ã' | 'å' | 'Ä' | 'Å' => spaced.push('a'),
            'ö' | 'ó' | 'ò' | 'ô' | 'õ' | 'ø' | 'Ö' | 'Ø' => spaced.push('o'),
            'ü' | 'ú' | 'ù' | 'û' | 'Ü' => spaced.push('u'),
            'é' | 'è' | 'ê' | 'ë' | 'ę' | 'É' => spaced.push('e'),
            'í' | 'ì' | 'î' | 'ï' => spaced.push('i'),
            'ñ' | 'ń' => spaced.push('n'),
            'ç' | 'ć' => spaced.push('c'),
            'ł' => spaced.push('l'),
            _ if c.is_alphanumeric() => spaced.extend(c.to_lowercase()),
            _ => spaced.push(' '),
        }
        before = c;
    }
    let bare = |word: &str| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let words = spaced.split_whitespace().map(|word| {
        let bare = bare(word);
        // `cvv2`, `icd10` and `ipv4` keep their digits.
        if bare.is_empty() || matches!(word, "cvv2" | "cvc2" | "cv2" | "icd10" | "ipv4" | "ipv6" | "last4") {
            word.to_owned()
        } else {
            bare
        }
    });
    words.collect()
}

fn holds(words: &[String], phrase: &str) -> bool {
    let wanted: Vec<&str> = phrase.split(' ').collect();
    words.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(|(word, wanted)| word == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_in_many_spellings() {
        for (header, tag) in [
            ("customerEmail", "pii.email"),
            ("E-Mail", "pii.email"),
            ("EMAIL_ADDRESS_2", "pii.email"),
            ("Straße", "pii.address"),
            ("prénom", "pii.name"),
            ("LastName", "pii.name"),
            ("fecha_nacimiento", "pii.birth_date"),
            ("CCNumber", "pci.pan"),
            ("cvv2", "pci.cvv"),
            ("clientIPAddress", "pii.ip"),
        ] {
            assert_eq!(Header::read(Some(header)).hint(tag), Some(Hint::Strong), "{header}: {:?}", words(header));
        }
    }

    #[test]
    fn headers_about_something_else_speak_for_nothing() {
        for (header, tag) in [
            ("email_count", "pii.email"),
            ("phone_model", "pii.phone"),
            ("product_name", "pii.name"),
            ("address_id", "pii.address"),
            ("card_type", "pci.pan"),
            ("password_changed_at", "auth.credential"),
            ("vat_rate", "pii.tax_id"),
        ] {
            assert_eq!(Header::read(Some(header)).hint(tag), None, "{header}");
        }
        assert_eq!(Header::read(None).hint("pii.name"), None);
    }
}
