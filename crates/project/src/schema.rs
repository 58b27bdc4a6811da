//! The JSON Schemas of a project's files, made from the types that read them.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use crate::raw::{DatasetFile, PipelineFile, PoliciesFile, ProjectFile, ViewFile};

/// The schemas (draft 2020-12), each with the name of the file that editors are pointed at. Keys that a file may not
/// have are refused, and so is an empty value.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("lockgate.schema.json", schema::<ProjectFile>()),
        ("dataset.schema.json", schema::<DatasetFile>()),
        ("pipeline.schema.json", schema::<PipelineFile>()),
        ("view.schema.json", schema::<ViewFile>()),
        ("policies.schema.json", schema::<PoliciesFile>()),
    ]
}

fn schema<T: JsonSchema>() -> Value {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    remove_null(&mut schema);
    schema
}

/// An absent key is allowed where the generator also allows `null`; the files do not.
fn remove_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(remove_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [only] = choices.as_slice() {
                    let only = only.as_object().cloned().unwrap_or_default();
                    object.remove("anyOf");
                    object.extend(only.into_iter().filter(|(key, _)| key != "description"));
                }
            }
            object.values_mut().for_each(remove_null);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
