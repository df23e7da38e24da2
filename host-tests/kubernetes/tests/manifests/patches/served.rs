//! Which versions somebody gets besides stable.

use serde_json::Value;
use serin_core::{Current, Time};
use serin_kubernetes::Resource;

use super::parsed;

/// Moments in the past, now and in the future, for what a schedule may do.
const MOMENTS: [u64; 3] = [1_500_000_000, 1_800_000_000, 4_000_000_000];

/// The versions besides stable that the rules of a resource give to somebody, and the destinations of a canary in its
/// routes.
pub(super) fn versions(resource: &Resource, documents: &[&Value]) -> Vec<String> {
    let mut served: Vec<String> = documents.iter().flat_map(|document| by_rules(document)).collect();
    by_routes(&resource.value["spec"], &mut served);
    served
}

fn by_rules(document: &Value) -> Vec<String> {
    let Some(rules) = parsed(document).rules else { return Vec::new() };
    let currents = MOMENTS.map(|seconds| Current::new(&rules, Time::from_unix_seconds(seconds)));
    let mut served = Vec::new();
    for (index, rollout) in rules.rollouts().enumerate() {
        let said = &document["rollouts"][rollout.name()];
        // Where its weight is not all that brings somebody to a version, a weight of 0 takes nobody away.
        let is_all = said["split"].as_str().unwrap_or("filter") == "filter"
            && said["rules"].is_null()
            && said["sticky"]["at_zero"] != "drain";
        let others = rollout.versions().iter().filter(|version| said["stable"] != version.name() && !version.is_off());
        for version in others {
            let id = rollout.version_named(version.name().as_bytes()).unwrap();
            if !is_all || currents.iter().any(|current| current.slots(&rules, index, id) > 0) {
                served.push(format!("{} of rollout {}", version.name(), rollout.name()));
            }
        }
    }
    served
}

/// Services and subsets with a weight that are a canary's by their names.
fn by_routes(value: &Value, served: &mut Vec<String>) {
    let backends = value["backendRefs"].as_array().into_iter().flatten().map(|backend| (&backend["name"], backend));
    let routes = value["route"].as_array().into_iter().flatten().map(|route| (&route["destination"]["subset"], route));
    for (name, target) in backends.chain(routes) {
        let name = name.as_str().unwrap_or_default();
        if (name.ends_with("v2") || name.ends_with("canary")) && target["weight"] != 0 {
            served.push(name.to_owned());
        }
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|value| by_routes(value, served)),
        Value::Array(items) => items.iter().for_each(|item| by_routes(item, served)),
        _ => {}
    }
}
