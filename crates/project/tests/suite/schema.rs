//! The schemas accept what the loader accepts and refuse a misspelt key.

use lockgate_project::schemas;
use serde_json::{Value, json};

fn schema(name: &str) -> Value {
    schemas().into_iter().find(|(known, _)| *known == name).unwrap().1
}

fn valid(name: &str, file: &Value) -> bool {
    jsonschema::draft202012::options().build(&schema(name)).unwrap().is_valid(file)
}

fn project_file() -> Value {
    json!({
        "version": 1,
        "project": "retail",
        "stores": {
            "landing": { "at": "file://./data/landing" },
            "warehouse": { "at": "sqlite://./data/warehouse.db", "clearance": "internal" },
        },
        "keys": { "default": { "local": "./.lockgate/keys" } },
        "ledger": { "at": "file://./.lockgate/ledger" },
        "levels": {
            "public": {},
            "internal": { "transport": "tls" },
            "restricted": { "transport": "mtls", "at_rest": "sealed", "key": "customer-managed", "rotate_days": 90 },
        },
        "protect": [
            { "tag": "pii.email", "with": "token(domain: customer)" },
            { "level": "restricted", "with": "seal" },
        ],
    })
}

fn dataset_file() -> Value {
    json!({
        "dataset": "customers",
        "at": { "store": "landing", "path": "customers/{date}/*.csv", "format": "csv" },
        "subject": "id",
        "columns": { "id": { "type": "bigint" }, "email": { "type": "text", "tags": ["pii.email"] } },
    })
}

fn pipeline_file() -> Value {
    json!({
        "pipeline": "daily_customers",
        "sql": "SELECT id FROM customers",
        "into": { "dataset": "analytics.customers", "store": "warehouse", "mode": "merge", "key": ["id"] },
        "runs_as": "svc-etl",
        "params": { "date": { "type": "date", "default": "2026-11-01" } },
    })
}

#[test]
fn the_schemas_are_schemas_and_accept_the_example() {
    for (name, schema) in schemas() {
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false, "{name}");
        assert!(schema["description"].is_string() && schema["title"].is_string(), "{name}");
        assert!(!schema.to_string().contains("\"null\""), "{name}: an empty value is refused by the loader");
    }
    assert!(valid("lockgate.schema.json", &project_file()));
    assert!(valid("dataset.schema.json", &dataset_file()));
    assert!(valid("pipeline.schema.json", &pipeline_file()));
}

#[test]
fn every_key_of_every_schema_is_described() {
    fn walk(value: &Value, path: &str) {
        match value {
            Value::Object(object) => {
                for (key, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    assert!(property.get("description").is_some(), "{path}.{key} has no description");
                }
                object.iter().for_each(|(key, value)| walk(value, &format!("{path}.{key}")));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, path)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    schemas().iter().for_each(|(name, schema)| walk(schema, name));
}

#[test]
fn a_misspelt_a_missing_and_an_empty_key_are_refused() {
    let changed = |mut file: Value, pointer: &str, key: &str, new: Option<(&str, Value)>| {
        let object = file.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap();
        object.remove(key).unwrap();
        object.extend(new.map(|(key, value)| (key.to_owned(), value)));
        file
    };
    for (name, file, pointer, key) in [
        ("lockgate.schema.json", project_file(), "", "ledger"),
        ("lockgate.schema.json", project_file(), "/stores/landing", "at"),
        ("lockgate.schema.json", project_file(), "/protect/0", "with"),
        ("dataset.schema.json", dataset_file(), "", "columns"),
        ("dataset.schema.json", dataset_file(), "/columns/id", "type"),
        ("pipeline.schema.json", pipeline_file(), "/into", "store"),
        ("pipeline.schema.json", pipeline_file(), "", "runs_as"),
    ] {
        let value = file.pointer(pointer).unwrap()[key].clone();
        assert!(valid(name, &file));
        assert!(!valid(name, &changed(file.clone(), pointer, key, None)), "{name} {key} missing");
        let misspelt = format!("{key}x");
        assert!(!valid(name, &changed(file.clone(), pointer, key, Some((&misspelt, value)))), "{name} {misspelt}");
        assert!(!valid(name, &changed(file, pointer, key, Some((key, Value::Null)))), "{name} {key} empty");
    }
}

#[test]
fn values_that_the_loader_refuses_are_refused() {
    for (pointer, key, value) in [
        ("", "version", json!(2)),
        ("/levels/internal", "transport", json!("ssl")),
        ("/levels/restricted", "rotate_days", json!(0)),
        ("/protect/0", "with", json!(5)),
        ("", "protect", json!([{ "with": "seal" }])),
        ("/keys/default", "passphrase", json!("hunter2")),
    ] {
        let mut file = project_file();
        file.pointer_mut(pointer).unwrap()[key] = value;
        assert!(!valid("lockgate.schema.json", &file), "{pointer}/{key}");
    }
}
