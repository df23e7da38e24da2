//! From the schema of a definition to a JSON Schema that says all of it which JSON Schema can say, unknown fields included.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::metadata;

/// What says nothing about which values are valid, or is looked at elsewhere: defaults, lists, rules.
const ELSEWHERE: [&str; 8] = [
    "default",
    "description",
    "nullable",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

/// What means the same in JSON Schema.
const ALIKE: [&str; 11] = [
    "enum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "required",
];

/// The schema of a resource.
pub(crate) fn of_resource(schema: &Value) -> Result<Value> {
    let mut schema = strict(schema, true)?;
    for (name, of_field) in [("apiVersion", json!({"type": "string"})), ("kind", json!({"type": "string"}))] {
        schema["properties"][name] = of_field;
    }
    schema["properties"]["metadata"] = metadata::schema(metadata::SUBDOMAIN);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let always = ["apiVersion", "kind", "metadata"].map(Value::from);
    schema["required"] = required.into_iter().chain(always).collect();
    Ok(schema)
}

/// The JSON Schema for a schema. Where it describes a value (`describes`), and not only what else must hold for one, fields that it
/// does not name are wrong.
fn strict(schema: &Value, describes: bool) -> Result<Value> {
    let schema = schema.as_object().context("a schema is an object")?;
    let mut out = Map::new();
    for (name, value) in schema {
        keyword(&mut out, schema, name, value, describes).with_context(|| name.clone())?;
    }
    let is = |name: &str| schema.get(name) == Some(&Value::Bool(true));
    let is_object = schema.get("type").is_some_and(|kind| kind == "object") || out.contains_key("properties");
    let keeps_unknown = is("x-kubernetes-preserve-unknown-fields") || out.contains_key("additionalProperties");
    if describes && is_object && !keeps_unknown {
        out.insert("additionalProperties".into(), false.into());
        out.entry("properties").or_insert_with(|| json!({}));
    }
    let out = Value::Object(out);
    Ok(if is("nullable") { json!({"if": {"not": {"type": "null"}}, "then": out}) } else { out })
}

/// Adds what a keyword of a schema says.
fn keyword(
    out: &mut Map<String, Value>,
    schema: &Map<String, Value>,
    name: &str,
    value: &Value,
    describes: bool,
) -> Result<()> {
    let said = match name {
        "x-kubernetes-validations" | "default" if !describes => bail!("it stands where no value is described"),
        _ if ELSEWHERE.contains(&name) => return Ok(()),
        _ if ALIKE.contains(&name) => value.clone(),
        "type" => value.clone(),
        "format" => {
            number_format(out, value);
            if schema.get("type").is_some_and(|kind| kind != "string") {
                return Ok(());
            }
            value.clone()
        }
        "properties" => {
            let fields = value.as_object().context("it is no object")?;
            let fields = fields
                .iter()
                .map(|(name, schema)| Ok((name.clone(), strict(schema, describes).with_context(|| name.clone())?)));
            Value::Object(fields.collect::<Result<_>>()?)
        }
        "additionalProperties" if value.is_boolean() => value.clone(),
        "items" | "additionalProperties" => strict(value, describes)?,
        "not" => strict(value, false)?,
        "allOf" | "anyOf" | "oneOf" => {
            let schemas = value.as_array().context("it is no list")?;
            schemas.iter().map(|schema| strict(schema, false)).collect::<Result<_>>()?
        }
        "x-kubernetes-int-or-string" => {
            out.insert("type".into(), json!(["integer", "string"]));
            return Ok(());
        }
        _ => bail!("no such keyword is known"),
    };
    out.insert(name.to_owned(), said);
    Ok(())
}

/// The bounds of the formats of numbers; they are in a schema of their own, beside those that the definition may have.
fn number_format(out: &mut Map<String, Value>, format: &Value) {
    let bounds = match format.as_str() {
        Some("int32") => json!({"minimum": i32::MIN, "maximum": i32::MAX}),
        Some("int64") => json!({"minimum": i64::MIN, "maximum": i64::MAX}),
        _ => return,
    };
    out.insert("if".into(), true.into());
    out.insert("then".into(), bounds);
}
