//! Addresses, and dates on which somebody may have been born.

use std::sync::LazyLock;

use regex::Regex;

use super::Match;

/// A street with a number, in the order of several languages, anchored by nothing.
pub(crate) const STREET: &str = r"(?xi)
    \b[0-9]{1,6}[a-z]?(?:[-/][0-9]{1,4}[a-z]?)?,?\s+(?:[\p{L}0-9.'’-]+\s+){0,5}
      (?: street | st | avenue | ave | road | rd | boulevard | blvd | lane | ln | drive | dr | court | ct | place | pl
        | square | sq | terrace | ter | way | parkway | pkwy | highway | hwy | circle | cir | trail | trl | crescent | close
        | mews | grove | gardens | walk | row | hill | alley | loop | plaza | ridge | run | view | green | parade | quay
        | streets | roads | mills | bypass | causeway | crossing | expressway | extension | turnpike | viaduct | villages?
        | ville | vista | well | wells | union | unions | underpass | track | trace | throughway | summit | stream | station
        | stravenue | springs? | spurs? | shores? | shoals? | rue | points? | plains? | pines? | pike | path | passage | park
        | oval | orchard | neck | mountains? | motorway | mission | mill | meadows? | manors? | mall | locks? | lodge | loaf
        | lights? | landing | lakes? | knolls? | keys? | junctions? | islands? | inlet | hollow | heights | haven | harbors?
        | groves? | glens? | gateway | freeway | fort | forks? | forges? | forest | fords? | flats? | fields? | ferry | falls
        | estates? | drives? | divide | dam | dale | curve | crest | creek | course | courts? | corners? | common | coves?
        | cliffs? | circles? | centers? | cape | canyon | camp | burgs? | brooks? | bridge | branch | bottom | bluffs? | bend
        | beach | bayou | arcade | annex )\b\.?
  | \b(?: rue | avenue | av | boulevard | bd | chemin | impasse | place | allée | quai | calle | c/ | avenida | avda | paseo
        | plaza | carrera | via | viale | piazza | corso | largo | rua | travessa | praça | ul | ulica | aleja | ronda | camino
        | pasaje | glorieta | cuesta | vial | acceso | urbanización | rambla | strada | contrada | borgo | rotonda | canale )
      \.?\s+(?:[\p{L}'’.-]+\s+){0,5}[\p{L}'’.-]*,?\s*(?:n[°º.]?\s*)?[0-9]{1,5}\b
  | \b\p{L}[\p{L}.-]*(?: str(?:a[sß](?:s)?e|\.|aat)? | gasse | weg | platz | allee | ring | damm | ufer | gade | gatan | vägen
        | vej | vei | veien | gata | katu | tie | laan | plein | gracht | kade | hof | steeg | dreef )\.?\s+[0-9]{1,5}[a-z]?\b
  | \bp\.?\s?o\.?\s+box\s+[0-9]{1,6}\b | \bpostfach\s+[0-9]{1,6}\b | \bunit\s+[0-9]+\s+box\s+[0-9]+\b | \bpsc\s+[0-9]+,\s+box\s+[0-9]+\b
";

static WITH_STREET: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(STREET).ok());
static POSTCODE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?: [0-9]{4,6} | [0-9]{5}-[0-9]{3,4} | [0-9]{3}\s[0-9]{2} | [0-9]{2}-[0-9]{3} | [0-9]{4}\s?[A-Z]{2}
        | [A-Z]{1,2}[0-9][0-9A-Z]?\s?[0-9][A-Z]{2} | [A-Z][0-9][A-Z]\s?[0-9][A-Z][0-9] | [0-9]{3}-[0-9]{4} | [A-Z]{1,2}-[0-9]{4,5} )$",
    )
    .ok()
});

/// A street with its number.
pub(crate) fn street(value: &str) -> Match {
    let is_short = value.len() <= 400;
    if is_short && WITH_STREET.as_ref().is_some_and(|street| street.is_match(value)) {
        Match::Likely
    } else {
        Match::No
    }
}

/// Words and numbers, or a postal code: what only a header makes an address.
pub(crate) fn address_part(value: &str) -> Match {
    let value = value.trim();
    let is_postcode = POSTCODE.as_ref().is_some_and(|code| code.is_match(&value.to_ascii_uppercase()));
    let has_letters = value.chars().any(char::is_alphabetic);
    let is_other = value.contains('@') || value.contains("://");
    if is_postcode || (has_letters && value.chars().count() >= 2 && !is_other) { Match::Possible } else { Match::No }
}

/// The year of a date, in the usual orders; `None` for what is no date of a day.
pub(crate) fn year_of_date(value: &str) -> Option<u32> {
    let value = value.trim();
    let day = value.split(['T', ' ']).next().filter(|day| day.contains(['-', '/', '.'])).unwrap_or(value);
    let groups: Vec<&str> = day.split(['-', '/', '.', ' ', ',']).filter(|group| !group.is_empty()).collect();
    let numbers: Option<Vec<u32>> = groups.iter().map(|group| group.parse().ok()).collect();
    let is_year = |year: u32| (1_880..=2_100).contains(&year);
    match (numbers.as_deref(), groups.len()) {
        (Some(&[year, month, day]), _) if is_year(year) && (1..=12).contains(&month) && (1..=31).contains(&day) => {
            Some(year)
        }
        (Some(&[a, b, year]), _)
            if is_year(year) && (1..=31).contains(&a) && (1..=31).contains(&b) && a.min(b) <= 12 =>
        {
            Some(year)
        }
        (Some(&[a, b, year]), _)
            if year < 100
                && groups.get(2).is_some_and(|year| year.len() == 2)
                && (1..=31).contains(&a)
                && (1..=31).contains(&b) =>
        {
            Some(1_900 + year)
        }
        (Some(&[packed]), _)
            if day.len() == 8 && is_year(packed / 10_000) && (1..=12).contains(&(packed / 100 % 100)) =>
        {
            Some(packed / 10_000)
        }
        (None, 3) => {
            let month = groups.iter().any(|group| is_month(group));
            groups.iter().filter_map(|group| group.parse().ok()).find(|year| is_year(*year)).filter(|_| month)
        }
        _ => None,
    }
}

fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let folded = word.to_lowercase();
    MONTHS.iter().any(|month| folded.starts_with(month))
}

/// A date that may be somebody's day of birth.
pub(crate) fn birth_date(value: &str) -> Match {
    let written = value.trim();
    // `12 March 1985` has its parts apart.
    let found = year_of_date(written).or_else(|| year_of_date(&written.replace([' ', ','], "-").replace("--", "-")));
    if found.is_some_and(|year| year <= 2_026) { Match::Possible } else { Match::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streets_of_several_languages_are_known() {
        for value in [
            "1600 Pennsylvania Avenue NW",
            "221B Baker Street, London",
            "12 rue de la Paix",
            "rue de Rivoli 12",
            "Hauptstraße 5",
            "Unter-Linden-Str. 7a",
            "Calle de Alcalá, 48",
            "Via Roma 12",
            "Kungsgatan 4",
            "P.O. Box 1234",
            "0567 Michael Branch Suite 12",
        ] {
            assert_eq!(street(value), Match::Likely, "{value}");
        }
        for value in ["London", "order 17", "12 pieces", "Room 5", "version 2"] {
            assert_eq!(street(value), Match::No, "{value}");
        }
    }

    #[test]
    fn dates_are_read_in_the_usual_orders() {
        for (value, year) in [
            ("1985-03-12", Some(1985)),
            ("12.03.1985", Some(1985)),
            ("03/12/1985", Some(1985)),
            ("19850312", Some(1985)),
            ("12-Mar-1985", Some(1985)),
            ("1985-03-12T00:00:00Z", Some(1985)),
            ("1985-13-12", None),
            ("x", None),
            ("12345678", None),
        ] {
            assert_eq!(year_of_date(value), year, "{value}");
        }
        assert_eq!(birth_date("March 12, 1985"), Match::Possible);
    }
}
