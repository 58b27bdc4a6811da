//! `docs/codes.md` has a section for every code, and the example of each LG0xx code gives that code.

use std::collections::BTreeMap;

use lockgate_model::{DatasetName, PipelineName};
use lockgate_project::{CHECKED_REQUESTS_MAX, Code, Diagnostics, Project, bind_params, check_policies};

use crate::base;

const PAGE: &str = include_str!("../../../../docs/codes.md");

/// One `## LG012 Unknown key` section.
struct Section<'a> {
    heading: &'a str,
    body: &'a str,
}

impl<'a> Section<'a> {
    /// The fenced blocks, as (path, text).
    fn files(&self) -> Vec<(&'a str, &'a str)> {
        self.body
            .split("\n```")
            .skip(1)
            .step_by(2)
            .map(|block| {
                let (info, text) = block.split_once('\n').unwrap();
                (info.split_once(' ').expect("a fence says `yaml PATH`").1, text)
            })
            .collect()
    }
}

fn sections() -> BTreeMap<&'static str, Section<'static>> {
    PAGE.split("\n## ")
        .skip(1)
        .filter_map(|section| {
            let (heading, body) = section.split_once('\n')?;
            Some((heading.split_once(' ')?.0, Section { heading, body }))
        })
        .collect()
}

#[test]
fn every_code_has_a_section_with_its_title_its_explanation_an_example_and_a_mend() {
    let sections = sections();
    for code in Code::ALL {
        let section = sections.get(code.as_str()).unwrap_or_else(|| panic!("docs/codes.md lacks {code}"));
        assert_eq!(section.heading, format!("{code} {}", code.title()));
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(section.body).contains(&words(code.explanation())), "{code}: {}", code.explanation());
        assert!(section.body.contains("\nMend: "), "{code} lacks `Mend:`");
        assert!(!section.files().is_empty(), "{code} lacks an example");
    }
    for heading in sections.keys() {
        assert!(Code::ALL.iter().any(|code| code.as_str() == *heading), "`{heading}` is no code");
    }
}

#[test]
fn the_base_project_of_the_page_is_the_one_that_examples_change() {
    let files = [
        ("lockgate.yaml", base::LOCKGATE),
        ("catalog/customers.yaml", base::CUSTOMERS),
        ("pipelines/daily_customers.yaml", base::DAILY),
    ];
    for (path, text) in files {
        assert!(PAGE.contains(&format!("```yaml {path}\n{text}```\n")), "{path}");
    }
    assert_eq!(base::said(&[]), "");
}

#[test]
fn every_example_of_a_file_code_gives_that_code() {
    for code in Code::ALL.iter().filter(|code| code.as_str() < "LG100") {
        let section = &sections()[code.as_str()];
        let files = bytes(*code, &section.files());
        let changes: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, bytes.as_slice())).collect();
        let found = match base::load_bytes(&changes) {
            Err(rejected) => rejected.diagnostics,
            Ok((project, warnings)) if warnings.is_empty() => run(&project),
            Ok((_, warnings)) => warnings,
        };
        let codes: Vec<Code> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [*code], "{code}");
    }
}

#[test]
fn every_example_of_a_policy_code_gives_that_code() {
    for code in Code::ALL.iter().filter(|code| code.as_str() > "LG400") {
        let files = bytes(*code, &sections()[code.as_str()].files());
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, bytes.as_slice())).collect();
        let (project, _) = base::load_bytes(&files).unwrap();
        let found = check_policies(&project, "2026-11-25T12:00:00Z".parse().unwrap());
        let codes: Vec<Code> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [*code], "{code}");
    }
}

/// Examples that no text can hold are made here from the files that stand for them.
fn bytes<'a>(code: Code, files: &[(&'a str, &'a str)]) -> Vec<(&'a str, Vec<u8>)> {
    files
        .iter()
        .map(|(path, text)| match code {
            Code::FileTooLarge => (*path, text.repeat(1 + (1 << 20) / text.len()).into_bytes()),
            Code::NotUtf8 => (*path, latin_1(text)),
            Code::ProjectLimit => (*path, columns(text)),
            Code::ColumnsNotCompared => (*path, users(text)),
            _ => (*path, text.as_bytes().to_vec()),
        })
        .collect()
}

fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn columns(text: &str) -> Vec<u8> {
    let more: String = (0..2_000).map(|n| format!("  c{n}: {{ type: text }}\n")).collect();
    format!("{}\n{more}", text.trim_end()).into_bytes()
}

/// With so many users that not all of them are asked for.
fn users(text: &str) -> Vec<u8> {
    let list = |n: usize| (0..1_000).map(|user| format!("u{n}_{user}")).collect::<Vec<_>>().join(", ");
    let item = |n: usize| format!("{{ users: [{}], access: [select] }}", list(n));
    let items = (0..CHECKED_REQUESTS_MAX / 2_000).map(item).collect::<Vec<_>>().join(", ");
    text.replace("{ users: [sam, kim, lea, tom], access: [select] }", &items).into_bytes()
}

/// What is found when the pipelines of a project are ordered and run without parameters but a `colour`.
fn run(project: &Project) -> Diagnostics {
    let reads: BTreeMap<PipelineName, Vec<DatasetName>> = project
        .pipelines
        .values()
        .map(|pipeline| {
            let read = pipeline.sql.value.split_whitespace().last().unwrap().parse().unwrap();
            (pipeline.name.value.clone(), vec![read])
        })
        .collect();
    if let Err(found) = project.dependency_order(&reads) {
        return found;
    }
    let pipeline = project.pipelines.values().next().unwrap();
    let mut given = BTreeMap::new();
    if pipeline.params.contains_key("region") {
        given.extend([("date", "2026-11-01"), ("regoin", "eu"), ("region", "eu")]);
    }
    let given = given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let used: Vec<_> = reads[&pipeline.name.value].iter().filter_map(|name| project.datasets.get(name)).collect();
    bind_params(pipeline, &given, &used).err().unwrap_or_default()
}
