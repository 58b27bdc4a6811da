//! Where a client is, by its address, from a table of address ranges.
//!
//! ```text
//! FROM_IP,TO_IP,COUNTRY_CODE,CITY          LOCATION_ + prefix + COUNTRY_CODE ─► US
//! 20.0.0.0,20.0.0.255,US,Boulder
//! ```

use std::net::Ipv4Addr;

/// What the names of the facts begin with.
const PREFIX: &str = "LOCATION_";

/// A table of address ranges.
#[derive(Debug, Clone, Default)]
pub struct Geolocation {
    names: Vec<String>,
    /// By first address; ranges do not overlap.
    ranges: Vec<Range>,
}

#[derive(Debug, Clone)]
struct Range {
    first: u32,
    last: u32,
    values: Vec<String>,
}

impl Geolocation {
    /// Reads a table. `prefix` is put between `LOCATION_` and the names of the columns. Addresses are written with dots,
    /// or as numbers. Lines that are not ranges are left out, and those that begin with `#`.
    pub fn read(text: &str, prefix: &str, dotted: bool) -> Self {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let header = lines.next().unwrap_or_default();
        let names = header.split(',').skip(2).map(|name| format!("{PREFIX}{prefix}{}", name.trim())).collect();
        let mut ranges: Vec<Range> = lines.filter_map(|line| range(line, dotted)).collect();
        ranges.sort_by_key(|range| range.first);
        Self { names, ranges }
    }

    /// A fact about an address.
    pub fn attribute(&self, name: &str, address: &str) -> Option<&str> {
        let column = self.names.iter().position(|other| other == name)?;
        let address = u32::from(address.trim().parse::<Ipv4Addr>().ok()?);
        let after = self.ranges.partition_point(|range| range.first <= address);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        let value = range.values.get(column).filter(|_| address <= range.last)?;
        Some(value)
    }
}

fn range(line: &str, dotted: bool) -> Option<Range> {
    let mut fields = line.split(',').map(str::trim);
    let mut address = || {
        let field = fields.next()?;
        if dotted { field.parse().ok().map(|address: Ipv4Addr| u32::from(address)) } else { field.parse().ok() }
    };
    let (first, last) = (address()?, address()?);
    (first <= last).then(|| Range { first, last, values: fields.map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_its_range() {
        let table = "# a comment\nFROM_IP,TO_IP,COUNTRY_CODE,CITY\n20.0.1.0,20.0.1.9,DE,Ulm\nnonsense\n10.0.0.0,10.0.0.255,US,Boulder\n";
        let geo = Geolocation::read(table, "TEST_", true);
        let country = |address| geo.attribute("LOCATION_TEST_COUNTRY_CODE", address);
        assert_eq!((country("10.0.0.255"), country("20.0.1.0")), (Some("US"), Some("DE")));
        for outside in ["10.0.1.0", "20.0.1.10", "9.9.9.9", "::1", ""] {
            assert_eq!(country(outside), None, "{outside}");
        }
        assert_eq!(geo.attribute("LOCATION_TEST_CITY", "20.0.1.5"), Some("Ulm"));
        assert_eq!(geo.attribute("COUNTRY_CODE", "20.0.1.5"), None);
    }

    #[test]
    fn addresses_may_be_numbers() {
        let geo = Geolocation::read("A,B,C\n16777216,16777471,AU", "", false);
        assert_eq!(geo.attribute("LOCATION_C", "1.0.0.7"), Some("AU"));
    }
}
