//! Each limit, on either side.

use std::fmt::Write as _;

use lockgate_project::{
    COLUMNS_PER_DATASET_MAX, EXPANDED_BYTES_MAX, EXPECTED_DURATION_S_MAX, PATH_BYTES_MAX, PROJECT_FILE_BYTES_MAX,
    PROJECT_FILES_MAX, YAML_DEPTH_MAX, YAML_VALUES_MAX,
};

use crate::base::{CUSTOMERS, DAILY, LOCKGATE, lines, load};

const PATH: &str = "catalog/customers.yaml";

/// Whether what is said of a change of the catalog has a code.
fn has(text: &str, code: &str) -> bool {
    lines(&[(PATH, text)]).iter().any(|line| line.contains(code))
}

#[test]
fn a_file_may_be_as_large_as_the_limit() {
    let padded = |size: usize| format!("{CUSTOMERS}#{}", "x".repeat(size - CUSTOMERS.len() - 1));
    assert_eq!(lines(&[(PATH, &padded(PROJECT_FILE_BYTES_MAX))]), [""; 0]);
    assert!(has(&padded(PROJECT_FILE_BYTES_MAX + 1), "LG002"));
}

#[test]
fn a_file_may_be_as_deep_as_the_limit() {
    // The mapping of the file is at depth 0, the value of `x` at depth 1.
    let nested = |depth: usize| format!("{CUSTOMERS}x: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    assert!(!has(&nested(YAML_DEPTH_MAX), "LG006"));
    assert!(has(&nested(YAML_DEPTH_MAX + 1), "LG006"));
    let blocks: String = (0..=YAML_DEPTH_MAX + 1).map(|depth| format!("{}x:\n", " ".repeat(depth))).collect();
    assert!(has(&blocks, "LG006"));
}

#[test]
fn a_file_may_have_as_many_values_as_the_limit() {
    // The file is one value and the list is another.
    let many = |values: usize| format!("x: [{}]\n", "1,".repeat(values - 2));
    assert!(!has(&many(YAML_VALUES_MAX), "LG006"));
    assert!(has(&many(YAML_VALUES_MAX + 1), "LG006"));
}

#[test]
fn variables_may_expand_to_as_much_as_the_limit() {
    let expanded = |times: usize| format!("{CUSTOMERS}x: \"{}\"\n", "${env:LARGE}".repeat(times));
    assert_eq!(crate::base::env("LARGE").unwrap().len() * 2, EXPANDED_BYTES_MAX);
    assert!(!has(&expanded(2), "LG006"));
    assert!(has(&expanded(3), "LG006"));
}

#[test]
fn a_dataset_may_have_as_many_columns_as_the_limit() {
    let with = |columns: usize| {
        let mut text = CUSTOMERS.to_owned();
        for n in 5..columns {
            writeln!(text, "  c{n}: {{ type: text }}").unwrap();
        }
        text
    };
    assert_eq!(lines(&[(PATH, &with(COLUMNS_PER_DATASET_MAX))]), [""; 0]);
    assert!(has(&with(COLUMNS_PER_DATASET_MAX + 1), "LG034"));
}

#[test]
fn a_project_may_have_as_many_files_as_the_limit() {
    // Three files are there already.
    for (more, refused) in [(PROJECT_FILES_MAX - 3, false), (PROJECT_FILES_MAX - 2, true)] {
        let files: Vec<(String, String)> = (0..more)
            .map(|n| {
                let text =
                    DAILY.replace("daily_customers", &format!("p{n}")).replace("analytics.customers", &format!("d{n}"));
                (format!("pipelines/p{n}.yaml"), text)
            })
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(lines(&files).iter().any(|line| line.contains("LG034")), refused);
        assert_eq!(lines(&files).is_empty(), !refused);
    }
}

#[test]
fn a_stores_path_may_be_as_long_as_the_limit() {
    let with = |length: usize| LOCKGATE.replace("./data/landing", &"x".repeat(length));
    assert_eq!(lines(&[("lockgate.yaml", &with(PATH_BYTES_MAX))]), [""; 0]);
    assert!(lines(&[("lockgate.yaml", &with(PATH_BYTES_MAX + 1))])[0].contains("LG026"));
}

#[test]
fn a_run_may_be_expected_to_take_up_to_a_week() {
    let with = |seconds: u64| format!("{DAILY}expected_duration_s: {seconds}\n");
    for (seconds, is_allowed) in
        [(0, false), (1, true), (EXPECTED_DURATION_S_MAX.into(), true), (u64::from(EXPECTED_DURATION_S_MAX) + 1, false)]
    {
        let text = with(seconds);
        let files = [("pipelines/daily_customers.yaml", text.as_str())];
        assert_eq!(lines(&files).is_empty(), is_allowed, "{seconds}: {:?}", lines(&files));
    }
    let text = with(90);
    let project = load(&[("pipelines/daily_customers.yaml", text.as_str())]).unwrap().0;
    assert_eq!(project.pipelines["daily_customers"].expected_duration_s, Some(90));
}
