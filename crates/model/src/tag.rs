//! The tags that every project knows, each with the least level that it implies.

/// `(tag, least level)`: what a column of that tag is at least, by the names of the default lattice. A project adds
/// tags, or maps these onto levels of its own, under `tags:` in lockgate.yaml.
pub const BUILT_IN_TAGS: &[(&str, &str)] = &[
    ("pii.address", "confidential"),
    ("pii.birth_date", "confidential"),
    ("pii.email", "confidential"),
    ("pii.gender", "confidential"),
    ("pii.ip", "confidential"),
    ("pii.name", "confidential"),
    ("pii.phone", "confidential"),
    ("pii.national_id", "restricted"),
    ("pii.tax_id", "restricted"),
    ("pii.health", "restricted"),
    ("pci.pan", "restricted"),
    ("pci.cvv", "restricted"),
    ("fin.iban", "restricted"),
    ("auth.credential", "restricted"),
];

/// The name of the least level that a built-in tag implies, or `None` for a tag that only a project can know.
pub fn least_level_of(tag: &str) -> Option<&'static str> {
    BUILT_IN_TAGS.iter().find(|(known, _)| *known == tag).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_tag_is_a_name_and_implies_a_default_level() {
        let lattice = crate::Lattice::default();
        for (tag, level) in BUILT_IN_TAGS {
            assert!(tag.parse::<crate::TagName>().is_ok(), "{tag}");
            assert!(lattice.level(level) > lattice.level("internal"), "{tag}");
            assert_eq!(least_level_of(tag), Some(*level));
        }
        assert_eq!(least_level_of("pii.unknown"), None);
    }
}
