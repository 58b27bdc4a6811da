//! National identity and tax numbers, by the published form and check digits of each country.

use super::{Match, digits_of};

type Check = fn(&str) -> bool;

/// `(country and number, its check, whether passing by chance is out of the question)`. The checks are those that each
/// country's registry publishes; the module tests name an example of each.
const NATIONAL: &[(&str, Check, bool)] = &[
    ("US social security number", us_ssn, true),
    ("British national insurance number", gb_nino, true),
    ("British NHS number", gb_nhs, false),
    ("French NIR", fr_nir, true),
    ("Italian codice fiscale", it_codice_fiscale, true),
    ("Spanish DNI or NIE", es_dni, true),
    ("Polish PESEL", pl_pesel, true),
    ("Dutch BSN", nl_bsn, false),
    ("Belgian national number", be_national, true),
    ("Swedish personal number", se_personal, true),
    ("Finnish identity code", fi_hetu, true),
    ("Norwegian birth number", no_birth, true),
    ("Danish CPR", dk_cpr, false),
    ("Brazilian CPF", br_cpf, true),
    ("Indian Aadhaar", in_aadhaar, false),
    ("Chinese resident id", cn_resident, true),
    ("Canadian SIN", ca_sin, false),
    ("Swiss AHV number", ch_ahv, true),
    ("Mexican CURP", mx_curp, true),
    ("South African id", za_id, true),
    ("Turkish identity number", tr_identity, true),
];

const TAX: &[(&str, Check, bool)] = &[
    ("German tax id", de_tax_id, true),
    ("US EIN", us_ein, true),
    ("US ITIN", us_itin, true),
    ("European VAT number", eu_vat, true),
    ("Polish NIP", pl_nip, false),
    ("Brazilian CNPJ", br_cnpj, true),
    ("Indian PAN", in_pan, true),
    ("Australian tax file number", au_tfn, false),
    ("Australian business number", au_abn, false),
    ("Portuguese NIF", pt_nif, false),
    ("Spanish CIF", es_cif, false),
    ("French SIRET", fr_siret, false),
];

fn matched(value: &str, checks: &[(&'static str, Check, bool)]) -> (Match, &'static str) {
    let value = value.trim();
    if !(8..=24).contains(&value.len()) || !value.is_ascii() {
        return (Match::No, "");
    }
    let upper = value.to_ascii_uppercase();
    let mut found = (Match::No, "");
    for (name, check, proves) in checks {
        if check(&upper) {
            let how = if *proves { Match::Certain } else { Match::Likely };
            if how > found.0 {
                found = (how, name);
            }
        }
    }
    found
}

/// Letters or separators, which bare numbers do not have.
fn is_written_out(value: &str) -> bool {
    value.chars().any(|c| !c.is_ascii_digit())
}

/// Whether a value is the number of a person, and of which kind.
pub(crate) fn national_id(value: &str) -> (Match, &'static str) {
    matched(value, NATIONAL)
}

/// Whether a value is a tax number, and of which kind.
pub(crate) fn tax_id(value: &str) -> (Match, &'static str) {
    matched(value, TAX)
}

fn exactly(value: &str, separators: &[char], count: usize) -> Option<Vec<u32>> {
    digits_of(value, separators)
        .filter(|digits| digits.len() == count && digits.iter().any(|d| Some(d) != digits.first()))
}

fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}

fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn part(digits: &[u32], from: usize, count: usize) -> u64 {
    number(digits.get(from..from + count).unwrap_or_default())
}

fn is_day(month: u64, day: u64) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |(place, digit): (usize, &u32)| match place % 2 {
        0 => *digit,
        _ => (digit * 2) / 10 + (digit * 2) % 10,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

fn shape(value: &str) -> String {
    value
        .chars()
        .map(|c| {
            if c.is_ascii_digit() {
                '9'
            } else if c.is_ascii_alphabetic() {
                'A'
            } else {
                c
            }
        })
        .collect()
}

fn us_ssn(value: &str) -> bool {
    let Some(digits) = exactly(value, &['-', ' '], 9) else { return false };
    let area = part(&digits, 0, 3);
    let well_written = matches!(shape(value).as_str(), "999-99-9999" | "999 99 9999");
    well_written && area != 0 && area != 666 && area < 900 && part(&digits, 3, 2) != 0 && part(&digits, 5, 4) != 0
}

fn us_itin(value: &str) -> bool {
    let Some(digits) = exactly(value, &['-', ' '], 9) else { return false };
    let group = part(&digits, 3, 2);
    shape(value) == "999-99-9999"
        && part(&digits, 0, 1) == 9
        && (matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

fn us_ein(value: &str) -> bool {
    shape(value) == "99-9999999" && exactly(value, &['-'], 9).is_some()
}

fn gb_nino(value: &str) -> bool {
    let compact: String = value.chars().filter(|c| *c != ' ' && *c != '-').collect();
    let bytes = compact.as_bytes();
    let (Some(first), Some(second), Some(last)) = (bytes.first(), bytes.get(1), bytes.last()) else { return false };
    shape(&compact) == "AA999999A"
        && !b"DFIQUV".contains(first)
        && !b"DFIOQUV".contains(second)
        && !matches!(&[*first, *second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && (b'A'..=b'D').contains(last)
}

fn gb_nhs(value: &str) -> bool {
    let Some(digits) = exactly(value, &[' ', '-'], 10) else { return false };
    if !matches!(shape(value).as_str(), "9999999999" | "999 999 9999" | "999-999-9999") {
        return false;
    }
    let check = 11 - weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check != 10 && u64::from(check % 11) == part(&digits, 9, 1)
}

fn fr_nir(value: &str) -> bool {
    let compact: String = value.chars().filter(|c| *c != ' ' && *c != '.').collect();
    let compact = compact.replacen("2A", "19", 1).replacen("2B", "18", 1);
    let Some(digits) = exactly(&compact, &[], 15) else { return false };
    matches!(part(&digits, 0, 1), 1 | 2 | 7 | 8)
        && matches!(part(&digits, 3, 2), 1..=12 | 20..=42 | 50..=99)
        && 97 - part(&digits, 0, 13) % 97 == part(&digits, 13, 2)
}

fn it_codice_fiscale(value: &str) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    if shape(value) != "AAAAAA99A99A999A" {
        return false;
    }
    let order = |byte: u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' });
    let sum: u32 = value
        .bytes()
        .take(15)
        .enumerate()
        .map(|(place, byte)| match place % 2 {
            0 => usize::try_from(order(byte)).ok().and_then(|at| ODD.get(at)).copied().unwrap_or(0),
            _ => order(byte),
        })
        .sum();
    value.bytes().last().map(order) == Some(sum % 26)
}

fn es_dni(value: &str) -> bool {
    const LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let compact: String = value.chars().filter(|c| *c != '-' && *c != ' ' && *c != '.').collect();
    let numeric = match compact.chars().next() {
        Some('X') => compact.replacen('X', "0", 1),
        Some('Y') => compact.replacen('Y', "1", 1),
        Some('Z') => compact.replacen('Z', "2", 1),
        _ => compact,
    };
    if shape(&numeric) != "99999999A" {
        return false;
    }
    let (digits, letter) = numeric.split_at(8);
    let at = digits.parse::<usize>().ok().map(|number| number % 23);
    at.and_then(|at| LETTERS.get(at)).copied() == letter.bytes().next()
}

fn es_cif(value: &str) -> bool {
    let compact: String = value.chars().filter(|c| *c != '-').collect();
    let Some((first, rest)) = compact.split_at_checked(1) else { return false };
    let Some(body) = rest.get(..7).and_then(|body| exactly(body, &[], 7)) else { return false };
    let odd: u32 = body.iter().step_by(2).map(|digit| (digit * 2) / 10 + (digit * 2) % 10).sum();
    let even: u32 = body.iter().skip(1).step_by(2).sum();
    let check = (10 - (odd + even) % 10) % 10;
    let letter = usize::try_from(check).ok().and_then(|at| b"JABCDEFGHI".get(at)).map(|byte| char::from(*byte));
    let last = rest.get(7..).and_then(|last| last.chars().next());
    "ABCDEFGHJNPQRSUVW".contains(first) && rest.len() == 8 && (last == char::from_digit(check, 10) || last == letter)
}

fn pl_pesel(value: &str) -> bool {
    let Some(digits) = exactly(value, &[], 11) else { return false };
    let month = part(&digits, 2, 2) % 20;
    is_day(month, part(&digits, 4, 2))
        && (10 - weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == digits.last().copied().unwrap_or(10)
}

fn pl_nip(value: &str) -> bool {
    let Some(digits) = exactly(value, &['-'], 10) else { return false };
    weighted(&digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == digits.last().copied().unwrap_or(10)
        && matches!(shape(value).as_str(), "9999999999" | "999-999-99-99" | "999-99-99-999")
}

fn nl_bsn(value: &str) -> bool {
    let Some(digits) = exactly(value, &['.', ' '], 9) else { return false };
    let sum = weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let last = digits.last().copied().unwrap_or(0);
    sum > last && (sum - last).is_multiple_of(11)
}

fn be_national(value: &str) -> bool {
    let Some(digits) = exactly(value, &['.', '-', ' '], 11) else { return false };
    let (body, check) = (part(&digits, 0, 9), part(&digits, 9, 2));
    is_day(part(&digits, 2, 2), part(&digits, 4, 2))
        && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

fn se_personal(value: &str) -> bool {
    let Some(digits) = digits_of(value, &['-', '+']) else { return false };
    let short = match digits.len() {
        10 => digits.as_slice(),
        12 => digits.get(2..).unwrap_or_default(),
        _ => return false,
    };
    is_written_out(value) && is_day(part(short, 2, 2), part(short, 4, 2) % 60) && luhn(short)
}

fn fi_hetu(value: &str) -> bool {
    const LETTERS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (Some(date), Some(sign), Some(serial), Some(check)) =
        (value.get(..6), value.get(6..7), value.get(7..10), value.get(10..))
    else {
        return false;
    };
    let Some(digits) = digits_of(&format!("{date}{serial}"), &[]) else { return false };
    let at = usize::try_from(number(&digits) % 31).ok();
    "-+ABCDEFUVWXY".contains(sign)
        && is_day(part(&digits, 2, 2), part(&digits, 0, 2))
        && check.len() == 1
        && at.and_then(|at| LETTERS.get(at)).copied() == check.bytes().next()
}

fn no_birth(value: &str) -> bool {
    let Some(digits) = exactly(value, &[' '], 11) else { return false };
    let first = (11 - weighted(&digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
    let second = (11 - weighted(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    is_day(part(&digits, 2, 2) % 40, part(&digits, 0, 2) % 40)
        && u64::from(first) == part(&digits, 9, 1)
        && u64::from(second) == part(&digits, 10, 1)
}

fn dk_cpr(value: &str) -> bool {
    shape(value) == "999999-9999"
        && digits_of(value, &['-']).is_some_and(|digits| is_day(part(&digits, 2, 2), part(&digits, 0, 2)))
}

fn br_check(digits: &[u32], weights: &[u32]) -> u32 {
    match weighted(digits, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

fn br_cpf(value: &str) -> bool {
    let Some(digits) = exactly(value, &['.', '-'], 11) else { return false };
    u64::from(br_check(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2])) == part(&digits, 9, 1)
        && u64::from(br_check(&digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == part(&digits, 10, 1)
}

fn br_cnpj(value: &str) -> bool {
    let Some(digits) = exactly(value, &['.', '-', '/'], 14) else { return false };
    u64::from(br_check(&digits, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == part(&digits, 12, 1)
        && u64::from(br_check(&digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == part(&digits, 13, 1)
}

fn in_aadhaar(value: &str) -> bool {
    // Verhoeff's permutation; a product of the dihedral group of order ten.
    const PERMUTED: [[u32; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let Some(digits) = exactly(value, &[' ', '-'], 12) else { return false };
    let permuted = |place: usize, digit: u32| {
        PERMUTED.get(place % 8).and_then(|row| row.get(usize::try_from(digit).ok()?)).copied().unwrap_or(0)
    };
    part(&digits, 0, 1) >= 2
        && digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| product(sum, permuted(place, *digit))) == 0
}

fn in_pan(value: &str) -> bool {
    shape(value) == "AAAAA9999A" && value.get(3..4).is_some_and(|kind| "ABCFGHJLPT".contains(kind))
}

fn cn_resident(value: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let Some((body, check)) = value.split_at_checked(17) else { return false };
    let Some(digits) = exactly(body, &[], 17) else { return false };
    let expected =
        usize::try_from(weighted(&digits, &WEIGHTS) % 11).ok().and_then(|at| b"10X98765432".get(at)).copied();
    check.len() == 1
        && matches!(part(&digits, 6, 4), 1900..=2100)
        && is_day(part(&digits, 10, 2), part(&digits, 12, 2))
        && expected == check.bytes().next()
}

fn ca_sin(value: &str) -> bool {
    let Some(digits) = exactly(value, &[' ', '-'], 9) else { return false };
    matches!(shape(value).as_str(), "999 999 999" | "999-999-999" | "999999999") && luhn(&digits)
}

fn ch_ahv(value: &str) -> bool {
    let Some(digits) = exactly(value, &['.'], 13) else { return false };
    let weights = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3];
    part(&digits, 0, 3) == 756 && u64::from((10 - weighted(&digits, &weights) % 10) % 10) == part(&digits, 12, 1)
}

fn mx_curp(value: &str) -> bool {
    let sexed = value.get(10..11).is_some_and(|sex| "HMX".contains(sex));
    let date = value.get(4..10).and_then(|date| digits_of(date, &[]));
    value.len() == 18
        && sexed
        && value.get(..4).is_some_and(|name| name.bytes().all(|b| b.is_ascii_uppercase()))
        && date.is_some_and(|digits| is_day(part(&digits, 2, 2), part(&digits, 4, 2)))
        && value.get(11..16).is_some_and(|place| place.bytes().all(|b| b.is_ascii_uppercase()))
}

fn za_id(value: &str) -> bool {
    let Some(digits) = exactly(value, &[], 13) else { return false };
    is_day(part(&digits, 2, 2), part(&digits, 4, 2)) && part(&digits, 10, 1) <= 1 && luhn(&digits)
}

fn tr_identity(value: &str) -> bool {
    let Some(digits) = exactly(value, &[], 11) else { return false };
    let odd: u32 = digits.iter().take(9).step_by(2).sum();
    let even: u32 = digits.iter().take(8).skip(1).step_by(2).sum();
    let all: u32 = digits.iter().take(10).sum();
    part(&digits, 0, 1) != 0
        && u64::from((odd * 7 + 90 - even) % 10) == part(&digits, 9, 1)
        && u64::from(all % 10) == part(&digits, 10, 1)
}

fn de_tax_id(value: &str) -> bool {
    let Some(digits) = exactly(value, &[' '], 11) else { return false };
    let mut counts = [0; 10];
    for digit in digits.iter().take(10) {
        if let Some(count) = usize::try_from(*digit).ok().and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    // ISO/IEC 7064, MOD 11,10.
    let product = digits.iter().take(10).fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    let repeated = counts.iter().filter(|count| **count > 1).count();
    part(&digits, 0, 1) != 0
        && repeated == 1
        && counts.iter().all(|count| *count <= 3)
        && u64::from((11 - product) % 10) == part(&digits, 10, 1)
}

fn eu_vat(value: &str) -> bool {
    let compact: String = value.chars().filter(|c| *c != ' ' && *c != '.' && *c != '-').collect();
    let Some((country, rest)) = compact.split_at_checked(2) else { return false };
    let wanted: &[&str] = match country {
        "DE" | "EE" | "EL" | "PT" => &["999999999"],
        "AT" => &["A99999999"],
        "BE" => &["9999999999"],
        "DK" | "FI" | "HU" | "LU" | "MT" | "SI" => &["99999999"],
        "ES" => &["A99999999", "99999999A", "A9999999A"],
        "FR" => &["99999999999", "AA999999999"],
        "GB" => &["999999999", "999999999999"],
        "IT" | "HR" | "LV" => &["99999999999"],
        "NL" => &["999999999A99"],
        "PL" | "SK" => &["9999999999"],
        "SE" => &["999999999999"],
        "IE" => &["9999999A", "9999999AA"],
        _ => return false,
    };
    wanted.contains(&shape(rest).as_str())
}

fn au_tfn(value: &str) -> bool {
    let Some(digits) = exactly(value, &[' '], 9) else { return false };
    weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

fn au_abn(value: &str) -> bool {
    let Some(mut digits) = exactly(value, &[' '], 11) else { return false };
    let Some(first) = digits.first_mut().filter(|first| **first > 0) else { return false };
    *first -= 1;
    weighted(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
}

fn pt_nif(value: &str) -> bool {
    let Some(digits) = exactly(value, &[' '], 9) else { return false };
    let check = match weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    matches!(part(&digits, 0, 1), 1..=3 | 5 | 6 | 8 | 9) && u64::from(check) == part(&digits, 8, 1)
}

fn fr_siret(value: &str) -> bool {
    exactly(value, &[' '], 14).is_some_and(|digits| luhn(&digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_each_country_are_known() {
        for (value, kind) in [
            ("078-05-1120", "US social security number"),
            ("AB123456C", "British national insurance number"),
            ("943 476 5919", "British NHS number"),
            ("2 69 05 49 588 157 80", "French NIR"),
            ("RSSMRA85T10A562S", "Italian codice fiscale"),
            ("12345678Z", "Spanish DNI or NIE"),
            ("X1234567L", "Spanish DNI or NIE"),
            ("44051401359", "Polish PESEL"),
            ("111222333", "Dutch BSN"),
            ("85.07.30-033.28", "Belgian national number"),
            ("811228-9874", "Swedish personal number"),
            ("131052-308T", "Finnish identity code"),
            ("529.982.247-25", "Brazilian CPF"),
            ("2341 2341 2346", "Indian Aadhaar"),
            ("11010519491231002X", "Chinese resident id"),
            ("046 454 286", "Canadian SIN"),
            ("756.9217.0769.85", "Swiss AHV number"),
            ("10000000146", "Turkish identity number"),
            ("8001015009087", "South African id"),
        ] {
            let (how, found) = national_id(value);
            assert!(how >= Match::Likely, "{value} is no {kind}");
            assert!(found == kind || how == Match::Certain, "{value}: {found}");
        }
        for (value, kind) in [
            ("86095742719", "German tax id"),
            ("12-3456789", "US EIN"),
            ("912-70-1234", "US ITIN"),
            ("DE136695976", "European VAT number"),
            ("11.222.333/0001-81", "Brazilian CNPJ"),
            ("ABCPE1234F", "Indian PAN"),
            ("51 824 753 556", "Australian business number"),
        ] {
            assert_eq!(tax_id(value).1, kind, "{value}");
        }
    }

    #[test]
    fn other_numbers_are_not_taken_for_them() {
        for value in
            ["", "12345678", "000-12-3456", "2026-11-24", "ABCDEFGHI", "111111111", "ORD-000123", "1.234.567,89"]
        {
            assert_eq!(national_id(value).0, Match::No, "{value}");
        }
        assert_eq!(national_id("RSSMRA85T10A562T").0, Match::No, "a wrong check letter");
        assert_eq!(national_id("44051401358").0, Match::No, "a wrong check digit");
    }
}
