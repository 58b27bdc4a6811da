use super::*;

/// The tags that are more likely than not.
fn tags(header: &str, values: &[&str]) -> Vec<&'static str> {
    let header = (!header.is_empty()).then_some(header);
    let found = scan_column(header, values);
    found.tags.iter().filter(|found| found.confidence >= 0.5).map(|found| found.tag).collect()
}

#[test]
fn personal_data_is_found_by_header_and_values() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("email", &["ada@example.org", "x@y.de", "b@c.com"], "pii.email"),
        ("col3", &["ada@example.org", "x@y.de", "b@c.com"], "pii.email"),
        ("phone", &["+49 30 901820", "(212) 555-0123", "2125550123"], "pii.phone"),
        ("", &["+49 30 901820", "+1 212 555 0123", "+44 20 7946 0958"], "pii.phone"),
        ("mobile", &["15112345678", "15212345678", "17012345678"], "pii.phone"),
        ("first_name", &["Ada", "Grace", "Xylo"], "pii.name"),
        ("name", &["Ada Lovelace", "Grace Hopper", "Alan Turing"], "pii.name"),
        ("c7", &["Ada Lovelace", "Grace Hopper", "John Smith", "Maria Garcia"], "pii.name"),
        ("street", &["Hauptstraße 5", "Lindenallee 7", "Am Markt 3"], "pii.address"),
        ("x", &["12 Main Street", "4 Park Avenue", "17 Oak Road"], "pii.address"),
        ("dob", &["1985-03-12", "1990-01-01", "1971-12-31"], "pii.birth_date"),
        ("ssn", &["078-05-1120", "219-09-9999", "457-55-5462"], "pii.national_id"),
        ("nr", &["RSSMRA85T10A562S", "RSSMRA85T10A562S", "RSSMRA85T10A562S"], "pii.national_id"),
        ("tax_id", &["12-3456789", "98-7654321", "45-1234567"], "pii.tax_id"),
        ("iban", &["DE89370400440532013000", "GB82WEST12345698765432"], "fin.iban"),
        ("payment", &["4111111111111111", "5500000000000004", "340000000000009"], "pci.pan"),
        ("cvv", &["123", "4567", "000"], "pci.cvv"),
        ("ip_address", &["203.0.113.7", "2001:db8::1", "198.51.100.4"], "pii.ip"),
        ("gender", &["F", "M", "M"], "pii.gender"),
        ("diagnosis", &["E11.9", "asthma", "I10"], "pii.health"),
        ("password", &["hunter22!", "pa55word", "correct-horse"], "auth.credential"),
    ];
    for (header, values, tag) in cases {
        assert_eq!(tags(header, values), [*tag], "{header}: {:?}", scan_column(Some(header), values));
    }
}

#[test]
fn what_only_looks_like_it_is_left_alone() {
    let ids: Vec<String> = (2_125_550_100u64..2_125_550_200).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let numbers: Vec<String> = (0..200u64).map(|n| (4_000_000_000_000_000 + n * 7_919_331).to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let cases: &[(&str, &[&str])] = &[
        ("order_id", &ids),
        ("id", &ids),
        ("", &ids),
        ("reference", &numbers),
        ("product_name", &["Wireless Keyboard", "Jordan Sneaker", "Victoria Lamp"]),
        ("product", &["Wireless Keyboard", "Stainless Bottle", "Desk Lamp"]),
        ("company_name", &["Smith Ltd", "Johnson & Sons", "Miller GmbH"]),
        ("city", &["Berlin", "Paris", "Austin", "Sydney"]),
        ("status", &["active", "closed", "open"]),
        ("color", &["red", "amber", "violet"]),
        ("created_at", &["2024-03-12", "2023-01-01", "2025-12-31"]),
        ("version", &["1.2.3.4", "1.2.4.0", "2.0.0.1"]),
        ("amount", &["1234567.89", "9876543.21", "1111111.11"]),
        ("email_count", &["1", "2", "3"]),
        ("phone_model", &["Pixel 9", "iPhone 17", "Galaxy S26"]),
        ("uuid", &["0b8ad9a4-6b5c-4f0e-9d5e-1a2b3c4d5e6f", "9b8ad9a4-6b5c-4f0e-9d5e-1a2b3c4d5e6f"]),
        ("quantity", &["123", "456", "789"]),
        ("sku", &["AB12345678C", "ZX-1234", "SKU-000123"]),
    ];
    for (header, values) in cases {
        assert_eq!(tags(header, values), Vec::<&str>::new(), "{header}: {:?}", scan_column(Some(header), values));
    }
}

#[test]
fn evidence_never_holds_a_value() {
    for (header, values) in [("email", ["secret.person@example.org"]), ("c1", ["4111111111111111"])] {
        for finding in scan_column(Some(header), &values).tags {
            assert!(!finding.evidence.contains(values[0]) && !finding.evidence.is_empty(), "{}", finding.evidence);
        }
    }
}

#[test]
fn empty_columns_are_judged_by_their_header_alone() {
    let found = scan_column(Some("email"), &["", "NULL"]);
    assert_eq!((found.values, found.tags[0].tag, found.tags[0].confidence), (0, "pii.email", 0.6));
    assert!(scan_column(None, &[]).tags.is_empty());
}
