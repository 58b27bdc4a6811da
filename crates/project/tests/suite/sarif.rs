//! SARIF that other programs read.

use lockgate_project::to_sarif;
use serde_json::Value;
use serde_sarif::sarif::Sarif;

use crate::base::{CUSTOMERS, load};

fn example() -> (Value, Sarif) {
    let changed = CUSTOMERS.replace("columns:", "colums:").replace("subject: id", "subject: id\nsubject: é");
    let rejected = load(&[("catalog/customers.yaml", &changed), ("catalog/notes.txt", "x")]).unwrap_err();
    let value = to_sarif(&rejected.diagnostics, &rejected.sources);
    let typed = serde_json::from_value(value.clone()).unwrap();
    (value, typed)
}

#[test]
fn it_reads_back_as_sarif_2_1_0_and_loses_nothing() {
    let (value, typed) = example();
    let again = serde_json::to_value(&typed).unwrap();
    assert_eq!(again["runs"][0]["results"], value["runs"][0]["results"]);
    assert_eq!(again["runs"][0]["tool"], value["runs"][0]["tool"]);
    assert_eq!(again["version"], "2.1.0");
}

#[test]
fn a_result_says_rule_place_and_what_to_do() {
    let (value, _) = example();
    let run = &value["runs"][0];
    let rules: Vec<&str> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(rules, ["LG007", "LG012", "LG029"]);
    assert_eq!(run["tool"]["driver"]["rules"][1]["helpUri"], "docs/codes.md#lg012");
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index], result["ruleId"]);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&run["results"][0]).unwrap(), @r#"
    {
      "level": "error",
      "locations": [
        {
          "message": {
            "text": "again here"
          },
          "physicalLocation": {
            "artifactLocation": {
              "uri": "catalog/customers.yaml"
            },
            "region": {
              "endColumn": 8,
              "endLine": 4,
              "startColumn": 1,
              "startLine": 4
            }
          }
        }
      ],
      "message": {
        "text": "the key `subject` is given twice. Help: remove one of the two"
      },
      "relatedLocations": [
        {
          "id": 1,
          "message": {
            "text": "first here"
          },
          "physicalLocation": {
            "artifactLocation": {
              "uri": "catalog/customers.yaml"
            },
            "region": {
              "endColumn": 8,
              "endLine": 3,
              "startColumn": 1,
              "startLine": 3
            }
          }
        }
      ],
      "ruleId": "LG007",
      "ruleIndex": 0
    }
    "#);
    assert_eq!(run["results"][2]["level"], "warning");
}
