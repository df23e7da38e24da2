//! Lists that are sets or maps: nothing stands in them twice.

use serde_json::Value;

use crate::defaults::of_field;
use crate::kind::Problem;
use crate::places;

/// Finds what stands twice in a list that is a set, and items of the same key in one that is a map.
pub(crate) fn check(value: &Value, schema: &Value, place: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = of_field(schema, name) {
                    check(value, schema, &places::field(place, name), problems);
                }
            }
        }
        Value::Array(items) => {
            let keys: Vec<Vec<&Value>> = items.iter().map(|item| key(item, schema)).collect();
            for (index, item) in items.iter().enumerate() {
                let place = places::item(place, index);
                if !keys[index].is_empty() && keys[..index].contains(&keys[index]) {
                    let key: Vec<String> = keys[index].iter().map(ToString::to_string).collect();
                    problems.push(Problem { place: place.clone(), message: format!("duplicate {}", key.join(", ")) });
                }
                check(item, &schema["items"], &place, problems);
            }
        }
        _ => {}
    }
}

/// What tells an item from the others; empty if nothing has to.
fn key<'a>(item: &'a Value, list: &Value) -> Vec<&'a Value> {
    let keys = list["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
    match list["x-kubernetes-list-type"].as_str() {
        Some("set") => vec![item],
        Some("map") => keys.map(|key| key.as_str().map_or(&Value::Null, |key| &item[key])).collect(),
        _ => Vec::new(),
    }
}
