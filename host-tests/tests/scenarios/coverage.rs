//! Every field of the rules document occurs in a scenario, and every value of those that have but a few: in a document
//! without mistakes.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Map, Value};
use serin_host::scenario::{Configuration, Expectation, Scenario, Step};

use super::scenarios;

const SCHEMA: &str = include_str!("../../../manifests/rules.schema.json");

/// Fields of the schema by path, with `*` for names that documents choose, `[]` for elements, and `=` before each value of
/// those that the schema lists.
fn fields(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(schema, schema, "", &mut found);
    found
}

fn collect(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/definitions/")) {
        return collect(root, &root["definitions"][name], path, found);
    }
    for alternatives in ["allOf", "anyOf", "oneOf"] {
        for alternative in schema[alternatives].as_array().into_iter().flatten() {
            collect(root, alternative, path, found);
        }
    }
    let listed = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    found.extend(listed.map(|value| format!("{path}={value}")));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        collect(root, field, &path, found);
        found.insert(path);
    }
    for field in schema["patternProperties"].as_object().into_iter().flat_map(Map::values) {
        collect(root, field, &format!("{path}.*"), found);
    }
    if schema["items"].is_object() {
        collect(root, &schema["items"], &format!("{path}.[]"), found);
    }
}

/// Which of these fields a document has.
fn mark(document: &Value, path: &str, fields: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(object) => {
            for (name, value) in object {
                let own = format!("{path}.{name}");
                let path = if fields.contains(&own) { own } else { format!("{path}.*") };
                mark(value, &path, fields, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| mark(item, &format!("{path}.[]"), fields, found)),
        value => {
            found.insert(format!("{path}={value}"));
        }
    }
}

/// Those that a scenario expects no error of.
fn documents(scenario: &Scenario) -> Vec<Value> {
    let pushed = scenario.steps.iter().filter_map(|step| match step {
        Step::Push(push) => Some((&push.configuration, &push.expect)),
        _ => None,
    });
    let all = std::iter::once((&scenario.configuration, &scenario.expect)).chain(pushed);
    let sound = all.filter(|(_, expect)| **expect == Expectation::taken()).map(|(configuration, _)| configuration);
    let read = |configuration: &Configuration| match configuration {
        Configuration::Mapping(document) => Some(document.clone()),
        Configuration::Text(text) => serde_json::from_str(text).ok(),
        Configuration::None | Configuration::Bytes(_) => None,
    };
    sound.filter_map(read).collect()
}

#[test]
fn every_field_and_listed_value_of_the_rules_document_occurs() -> Result<()> {
    let fields = fields(&serde_json::from_str(SCHEMA)?);
    let mut found = BTreeSet::new();
    for document in scenarios()?.iter().flat_map(documents) {
        mark(&document, "", &fields, &mut found);
    }
    let missing: Vec<&str> = fields.difference(&found).map(|path| path.trim_start_matches('.')).collect();
    assert!(
        missing.is_empty(),
        "{} of {} fields and values are in no scenario:\n{}",
        missing.len(),
        fields.len(),
        missing.join("\n")
    );
    Ok(())
}

#[test]
fn what_no_document_has_is_found() {
    let schema = serde_json::json!({"properties": {"a": {"patternProperties": {"^x$": {"$ref": "#/definitions/B"}}}},
        "definitions": {"B": {"items": {"properties": {"b": {"enum": [1, "1"]}, "c": {}}}}}});
    let fields = fields(&schema);
    let mut found = BTreeSet::new();
    mark(&serde_json::json!({"a": {"x": [{"b": 1}]}}), "", &fields, &mut found);
    assert_eq!(vec![".a.*.[].b=\"1\"", ".a.*.[].c"], fields.difference(&found).collect::<Vec<_>>());
}
