//! How protobuf merges one message into another, which is how both control planes take patches.

use anyhow::{Result, ensure};
use serde_json::Value;

/// Merges `patch` into `target`: messages field by field, lists one behind the other, everything else replaced.
///
/// # Errors
/// If a name is not written as in `.proto` files, where it would stand beside the field that it means.
pub(crate) fn merge(target: &mut Value, patch: &Value) -> Result<()> {
    match (target, patch) {
        (Value::Object(fields), Value::Object(new)) => {
            for (name, value) in new {
                ensure!(!name.contains(char::is_uppercase), "{name} is not written as in .proto files");
                for others in ONE_OF.iter().filter(|names| names.contains(&name.as_str())) {
                    fields.retain(|known, _| known == name || !others.contains(&known.as_str()));
                }
                match fields.get_mut(name) {
                    Some(known) => merge(known, value)?,
                    None => drop(fields.insert(name.clone(), value.clone())),
                }
            }
        }
        (Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
        (target, patch) => *target = patch.clone(),
    }
    Ok(())
}

/// Fields of which a message has one: another one that is set takes its place.
const ONE_OF: [&[&str]; 1] = [&["cluster", "cluster_header", "weighted_clusters"]];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(target: &Value, patch: &Value, expected: &Value) {
        let mut merged = target.clone();
        merge(&mut merged, patch).unwrap();
        assert_eq!(expected, &merged);
    }

    #[test]
    fn messages_lists_and_values_are_merged_as_protobuf_does() {
        check(&json!({"a": {"b": 1, "c": 2}}), &json!({"a": {"b": 3}}), &json!({"a": {"b": 3, "c": 2}}));
        check(&json!({"list": [1]}), &json!({"list": [2], "new": 3}), &json!({"list": [1, 2], "new": 3}));
        let header = json!({"weighted_clusters": {"header_name": "x-slot"}});
        check(
            &json!({"cluster": "a", "timeout": "0s"}),
            &header,
            &json!({"weighted_clusters": {"header_name": "x-slot"}, "timeout": "0s"}),
        );
        let several = json!({"weighted_clusters": {"clusters": [1]}});
        check(&several, &header, &json!({"weighted_clusters": {"clusters": [1], "header_name": "x-slot"}}));
        assert!(merge(&mut json!({}), &json!({"weightedClusters": {}})).is_err());
    }
}
