//! What an API server fills in before it looks at a resource.

use serde_json::Value;

/// Takes out each `null` that stands for nothing, as the schema has it, and fills in what is not there and has a default.
pub(crate) fn fill_in(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| !(value.is_null() && refuses_null(schema, name)));
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let (false, Some(default)) = (fields.contains_key(name), schema.get("default")) {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields {
                if let Some(schema) = of_field(schema, name) {
                    fill_in(value, schema);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, &schema["items"])),
        _ => {}
    }
}

/// The schema of a field.
pub(crate) fn of_field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let named = schema.get("properties").and_then(|fields| fields.get(name));
    named.or_else(|| schema.get("additionalProperties").filter(|schema| schema.is_object()))
}

/// Whether the schema describes the field, and does not take `null` for it.
fn refuses_null(schema: &Value, name: &str) -> bool {
    of_field(schema, name).is_some_and(|schema| schema["nullable"] != true)
}
