//! Addresses of clients, as policies name them: whole, or a beginning.

/// Addresses that a condition accepts.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    any: bool,
    whole: Vec<String>,
    beginnings: Vec<String>,
}

impl Addresses {
    /// What a condition's values mean: `10.1.2.3`, `10.1.*`, `fe80:*`, `*`.
    pub(crate) fn new(values: &[String]) -> Self {
        let mut addresses = Self { any: values.is_empty(), ..Self::default() };
        for value in values {
            let value = value.trim();
            let separator = if value.contains(':') { ':' } else { '.' };
            if !value.is_empty() && value.split(separator).all(|part| part == "*") {
                addresses.any = true;
                continue;
            }
            let ending = format!("{separator}*");
            let mut beginning = value;
            while let Some(shorter) = beginning.strip_suffix(&ending) {
                beginning = shorter;
            }
            if beginning.len() < value.len() {
                addresses.beginnings.push(normal(&format!("{beginning}{separator}")));
            } else {
                addresses.whole.push(normal(value));
            }
        }
        addresses
    }

    /// Whether every address is accepted, a missing one as well.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// Whether an address is accepted.
    pub(crate) fn contains(&self, address: &str) -> bool {
        let address = normal(address);
        self.any
            || self.whole.contains(&address)
            || self.beginnings.iter().any(|beginning| address.starts_with(beginning.as_str()))
    }
}

/// IPv6 addresses may be written in either letter case.
fn normal(address: &str) -> String {
    if address.contains(':') { address.to_ascii_lowercase() } else { address.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_whole_or_beginnings() {
        let accepted = |values: &[&str], address: &str| {
            Addresses::new(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>()).contains(address)
        };
        assert!(accepted(&["10.1.2.3"], "10.1.2.3") && !accepted(&["10.1.2.3"], "10.1.2.30"));
        assert!(accepted(&["10.1.*"], "10.1.9.9") && !accepted(&["10.1.*"], "10.10.9.9"));
        assert!(accepted(&["10.*.*"], "10.2.3.4"));
        assert!(accepted(&["FE80:*"], "fe80::1") && accepted(&["fe80::1"], "FE80::1"));
        assert!(!accepted(&["1.*.1.*"], "1.2.1.3"), "only trailing stars are wildcards");
        assert!(accepted(&[], "1.2.3.4") && accepted(&["*.*.*.*"], "1.2.3.4") && accepted(&["*"], "::1"));
    }
}
