//! The customers of `examples/retail`: invented, the same on every machine, and as ugly as real exports are.
//!
//! Four regions export in four styles: one with a byte order mark, one with CRLF, two with other column orders, one with
//! a column more. Thirteen records are broken, each in another way.

use std::fmt::Write as _;
use std::path::Path;

/// Where the files lie.
const FOLDER: &str = "examples/retail/data/landing/customers/2026-11-01";
/// The seed of everything.
const SEED: u64 = 0x10c6_6a7e_2026_1101;
/// Customers of each region.
const PER_REGION: u64 = 3_100;

/// Writes the files anew.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, content) in files() {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// The files, by name.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    REGIONS
        .iter()
        .zip(0..)
        .map(|(region, number)| (format!("customers-{}.csv", region.name), file(region, number)))
        .collect()
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }
}

struct Region {
    name: &'static str,
    bom: bool,
    newline: &'static str,
    /// The order in which it exports; `legacy_id` is a column that nobody asked for.
    columns: &'static [&'static str],
    given: &'static [&'static str],
    family: &'static [&'static str],
    /// City, country, and how its phone numbers begin: ranges kept free for fiction, or of no subscriber.
    places: &'static [(&'static str, &'static str, &'static str)],
    /// Broken records: after which good one, and their bytes.
    broken: &'static [(u64, &'static [u8])],
}

const PLAIN_ORDER: &[&str] = &[
    "id",
    "name",
    "email",
    "phone",
    "birth_date",
    "city",
    "country",
    "signup_date",
    "marketing_consent",
    "lifetime_value",
    "notes",
];

const REGIONS: &[Region] = &[
    Region {
        name: "apac",
        bom: true,
        newline: "\n",
        columns: PLAIN_ORDER,
        given: &["太郎", "花子", "伟", "芳", "지훈", "서연", "अर्जुन", "प्रिया", "สมชาย", "Mei", "Oliver", "さくら"],
        family: &["山田", "佐藤", "王", "李", "김", "박", "शर्मा", "पटेल", "ใจดี", "Nguyễn", "Smith", "タナカ"],
        places: &[
            ("東京", "jp", "+81 3 0000 "),
            ("서울", "kr", "02-0000-"),
            ("मुंबई", "in", "+91 00000 0"),
            ("กรุงเทพฯ", "th", "02 000 "),
            ("Sydney", "au", "+61 2 5550 "),
        ],
        broken: &[
            (40, b"900001,\xe5\xb1\xb1\xe7\x94\xb0,a@example.com"),
            (1200, b"nine hundred,Nobody,b@example.com,,,Sydney,au,2026-01-01,true,1.00,"),
            (2500, b"900003,Bad\xff\xfeBytes,c@example.com,,,Sydney,au,2026-01-01,true,1.00,"),
        ],
    },
    Region {
        name: "eu",
        bom: false,
        newline: "\r\n",
        columns: PLAIN_ORDER,
        given: &[
            "Zoë",
            "Jürgen",
            "Siân",
            "Łukasz",
            "Ελένη",
            "Иван",
            "Мария",
            "François",
            "Søren",
            "Iñigo",
            "Ada",
            "Björk",
        ],
        family: &[
            "Müller",
            "O'Connor",
            "Papadopoulou",
            "Παππάς",
            "Иванов",
            "Кузнецова",
            "de la Cruz",
            "Østergård",
            "Þórsdóttir",
            "Novák",
            "Lovelace",
            "van der Berg",
        ],
        places: &[
            ("München", "de", "+49 30 23125 "),
            ("London", "gb", "020 7946 0"),
            ("Αθήνα", "gr", "+30 210 000 "),
            ("Kraków", "pl", "+48 00 000 "),
            ("Reykjavík", "is", "+354 000 "),
        ],
        broken: &[
            (3, b"900011,Two Many,d@example.com,,,London,gb,2026-01-01,true,1.00,,,surplus"),
            (700, b"900012,Leap Day,e@example.com,,2026-02-30,London,gb,2026-01-01,true,1.00,"),
            (1900, b"900013,Nul\0Byte,f@example.com,,,London,gb,2026-01-01,true,1.00,"),
            (2900, b"900014,\"Quoted\" tail,g@example.com,,,London,gb,2026-01-01,true,1.00,"),
        ],
    },
    Region {
        name: "latam",
        bom: false,
        newline: "\n",
        columns: &[
            "country",
            "city",
            "name",
            "id",
            "email",
            "notes",
            "phone",
            "signup_date",
            "birth_date",
            "lifetime_value",
            "marketing_consent",
        ],
        given: &["José", "María", "João", "Ana", "Sofía", "Luis", "Thiago", "Camila", "Ñusta", "Gabriela"],
        family: &["García Márquez", "da Silva", "Núñez", "Rodríguez", "Araújo", "Quispe", "Peña", "Fernández"],
        places: &[
            ("São Paulo", "br", "+55 11 0000-"),
            ("México", "mx", "+52 55 0000 "),
            ("Bogotá", "co", "+57 1 000 "),
            ("Córdoba", "ar", "0351 000-"),
        ],
        broken: &[
            (99, b"br,Recife,Maybe,900021,h@example.com,,,2026-01-01,,1.00,perhaps"),
            (1500, b"br,Recife,Price,900022,i@example.com,,,2026-01-01,,1.0.0,true"),
            (3000, b"br,Recife"),
        ],
    },
    Region {
        name: "us",
        bom: false,
        newline: "\n",
        columns: &[
            "id",
            "legacy_id",
            "name",
            "email",
            "phone",
            "birth_date",
            "city",
            "country",
            "signup_date",
            "marketing_consent",
            "lifetime_value",
            "notes",
        ],
        given: &["Grace", "Alan", "Keisha", "דוד", "فاطمة", "محمد", "Mary-Jane", "Tyrone", "Xochitl", "Ann", "J. R."],
        family: &[
            "Hopper",
            "Turing",
            "Washington",
            "כהן",
            "الزهراء",
            "O’Neil",
            "Nguyen",
            "St. John",
            "Begay",
            "Smith, Jr.",
        ],
        places: &[
            ("New York", "us", "(212) 555-01"),
            ("Seattle", "us", "+1 206 555 01"),
            ("Winston-Salem", "us", "336.555.01"),
            ("St. Paul", "us", "00 1 651 555 01"),
        ],
        broken: &[
            (10, b"900031,L1,Future,j@example.com,,2026-13-01,Seattle,us,2026-01-01,true,1.00,"),
            (2000, b"99999999999999999999,L2,Too Big,k@example.com,,,Seattle,us,2026-01-01,true,1.00,"),
            (2001, b"900033"),
        ],
    },
];

fn file(region: &Region, number: u64) -> Vec<u8> {
    let mut dice = Dice(SEED ^ number);
    let mut ids: Vec<u64> = (0..PER_REGION).map(|n| 1 + number + n * REGIONS.len() as u64).collect();
    // Neighbours are swapped now and then: exports are not sorted.
    for at in 1..ids.len() {
        if dice.one_in(5) {
            ids.swap(at - 1, at);
        }
    }
    let mut file = if region.bom { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
    file.extend_from_slice(format!("{}{}", region.columns.join(","), region.newline).as_bytes());
    for (row, id) in (0..).zip(ids) {
        let record = record(region, id, &mut dice);
        file.extend_from_slice(format!("{record}{}", region.newline).as_bytes());
        for (_, broken) in region.broken.iter().filter(|(after, _)| *after == row) {
            file.extend_from_slice(broken);
            file.extend_from_slice(region.newline.as_bytes());
        }
    }
    file
}

fn record(region: &Region, id: u64, dice: &mut Dice) -> String {
    let (given, family) = (*dice.pick(region.given), *dice.pick(region.family));
    let name = match dice.below(12) {
        0 => format!("{family}, {given}"),
        1 => format!("{given} \"{}\" {family}", dice.pick(&["Ace", "Doc", "Nonna", "小明"])),
        _ => format!("{given} {family}"),
    };
    let (city, country, phone) = *dice.pick(region.places);
    let number = dice.below(100);
    let domain = dice.pick(&["example.com", "example.org", "example.net"]);
    let email = format!("{}{id}@{domain}", dice.pick(&["c", "Kunde.", "first.last+", "USER-"]));
    let field = |column: &str, dice: &mut Dice| match column {
        "id" => id.to_string(),
        "legacy_id" => format!("L{:06}", id * 7 % 1_000_000),
        "name" => name.clone(),
        "email" if dice.one_in(40) => String::new(),
        "email" => email.clone(),
        "phone" if dice.one_in(9) => String::new(),
        "phone" => format!("{phone}{number:02}"),
        "birth_date" if dice.one_in(7) => String::new(),
        "birth_date" => date(dice, 1935, 70),
        "city" => city.to_owned(),
        "country" => country.to_owned(),
        "signup_date" if dice.one_in(50) => String::new(),
        "signup_date" => date(dice, 2015, 11),
        "marketing_consent" => (*dice.pick(&["true", "false", "yes", "no", "1", "0", ""])).to_owned(),
        "lifetime_value" => format!("{}.{:02}", dice.below(20_000), dice.below(100)),
        _ => notes(dice),
    };
    let mut line = String::new();
    for (at, column) in region.columns.iter().enumerate() {
        let value = field(column, dice);
        // Some exporters quote what they need not.
        let quoted = value.contains(['"', ',', '\n', '\r']) || (!value.is_empty() && dice.one_in(25));
        let separator = if at == 0 { "" } else { "," };
        let value = if quoted { format!("\"{}\"", value.replace('"', "\"\"")) } else { value };
        // Writing to a text cannot fail.
        let _ = write!(line, "{separator}{value}");
    }
    line
}

fn date(dice: &mut Dice, first_year: u64, years: u64) -> String {
    format!("{:04}-{:02}-{:02}", first_year + dice.below(years), 1 + dice.below(12), 1 + dice.below(28))
}

fn notes(dice: &mut Dice) -> String {
    let text = dice.pick(&[
        "",
        "",
        "",
        "",
        "prefers e-mail",
        "called twice, no answer",
        "said \"never again\"",
        "moved house;\nnew address to follow",
        "VIP, handle with care",
        "refund 0042 pending,\nsee ticket",
    ]);
    (*text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_what_the_program_writes() {
        for (name, content) in files() {
            let committed = std::fs::read(crate::root().join(FOLDER).join(&name)).unwrap_or_default();
            assert!(committed == content, "{name} is another one: run `cargo xtask example-data`");
        }
    }

    #[test]
    fn the_data_are_as_many_and_as_ugly_as_the_example_promises() {
        let all: Vec<u8> = files().into_iter().flat_map(|(_, content)| content).collect();
        let has = |bytes: &[u8]| all.windows(bytes.len()).any(|window| window == bytes);
        assert!(PER_REGION * REGIONS.len() as u64 > 12_000);
        assert_eq!(REGIONS.iter().map(|region| region.broken.len()).sum::<usize>(), 13);
        for ugliness in
            ["\u{feff}id,", "\r\n", "\"\"never again\"\"", "house;\nnew", "(212) 555-01", "+49 ", ",,", ",4711,"]
        {
            assert!(has(ugliness.as_bytes()), "{ugliness:?}");
        }
    }
}
