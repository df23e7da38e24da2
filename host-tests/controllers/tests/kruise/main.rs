//! The script that `OpenKruise` Rollouts runs for each step, out of the `ConfigMap` that is applied, in a Lua interpreter.

mod manager;
mod recorded;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_core::{Rollout, Rules, SLOTS, Surroundings};

use manager::{Step, run};

/// What a resource of each kind has around its document.
const KINDS: [(&str, &str, &str); 3] = [
    ("WasmPlugin.extensions.istio.io", "wasm-plugin.yaml", "/spec/pluginConfig"),
    ("TrafficExtension.extensions.istio.io", "traffic-extension.yaml", "/spec/wasm/pluginConfig"),
    ("EnvoyExtensionPolicy.gateway.envoyproxy.io", "envoy-extension-policy.yaml", "/spec/wasm/0/config"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/openkruise")
}

fn file(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(name)).expect("a file of the folder");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The script for a kind of resource, by the key under which `OpenKruise` looks for it.
fn script(kind: &str) -> String {
    let map = file("configmap.yaml");
    let script = map["data"][format!("lua.traffic.routing.{kind}")].as_str();
    script.unwrap_or_else(|| panic!("no script for {kind}")).to_owned()
}

/// A `WasmPlugin` with this document and these annotations.
fn plugin(document: &Value, annotations: &Value) -> Value {
    json!({
        "metadata": {"name": "serin", "annotations": annotations},
        "spec": {"url": "oci://registry.example.com/serin", "priority": 10, "pluginConfig": document},
    })
}

/// A document with one rollout of these fields beside stable and versions.
fn document(versions: &Value, fields: &Value) -> Value {
    let mut rollout = json!({"stable": "stable", "versions": versions});
    for (name, value) in fields.as_object().into_iter().flatten() {
        rollout[name] = value.clone();
    }
    json!({"rollouts": {"reviews": rollout}})
}

/// The rules of a document without mistakes.
#[track_caller]
fn rules(document: &Value) -> Rules {
    let parsed = Rules::parse(document.to_string().as_bytes(), &Surroundings::default());
    assert!(parsed.errors.is_empty(), "{document}\n{:#?}", parsed.errors);
    parsed.rules.expect("rules without a mistake")
}

/// The slots of each version, by name.
fn slots(rollout: &Rollout) -> Vec<(String, u32)> {
    let intervals = rollout.intervals().expect("a rollout that is not broken");
    let versions = rollout.versions().iter();
    versions
        .map(|version| {
            let id = rollout.version_named(version.name().as_bytes()).expect("one of its versions");
            (version.name().to_owned(), intervals.width(id))
        })
        .collect()
}

/// Runs a step on a document, and checks what becomes of it: the rest of the resource stays, the result has no mistakes, and
/// the same step on the result changes nothing.
#[track_caller]
fn check(before: &Value, annotations: &Value, step: &Step, expected: &Value) {
    let script = script(KINDS[0].0);
    let resource = plugin(before, annotations);
    let after = run(&script, &resource, step).unwrap_or_else(|error| panic!("{error}\n{before:#}"));
    let mut wanted = resource.clone();
    wanted["spec"]["pluginConfig"] = expected.clone();
    assert_eq!(after["spec"], wanted["spec"], "{step:?}");
    assert_eq!(after["annotations"], resource["metadata"]["annotations"]);
    rules(&after["spec"]["pluginConfig"]);
    if step.matches.is_null() {
        let again = run(&script, &plugin(&after["spec"]["pluginConfig"], annotations), step);
        assert_eq!(again.expect("the same step again")["spec"], after["spec"]);
    }
}

/// Runs a step that cannot be taken, and checks what is said about it.
#[track_caller]
fn check_refused(resource: &Value, step: &Step, expected: &str) {
    let error = run(&script(KINDS[0].0), resource, step).expect_err("a step that is refused");
    assert!(error.contains(expected), "{error:?} does not have {expected:?}");
}

#[test]
fn a_step_sets_the_weight() {
    let (stable, none) = (json!({"off": false}), Value::Null);
    let cases = [
        // An empty version stays listed.
        (
            json!({"stable": {}, "canary": {}}),
            none.clone(),
            20,
            json!({"stable": stable, "canary": {"off": false, "weight": 20}}),
        ),
        (
            json!({"stable": {}, "canary": {"weight": 5}}),
            none.clone(),
            0,
            json!({"stable": stable, "canary": {"weight": 0}}),
        ),
        (
            json!({"stable": {"cluster": "a"}, "canary": {"cluster": "b", "weight": 0}}),
            json!({"total": 1000, "sticky": {"unit": [{"header": "x-user"}]}}),
            7,
            json!({"stable": {"cluster": "a"}, "canary": {"cluster": "b", "weight": 70}}),
        ),
        (
            json!({"stable": {}, "canary": {}}),
            json!({"total": 5}),
            40,
            json!({"stable": stable, "canary": {"off": false, "weight": 2}}),
        ),
        // Stable with a weight has what is left.
        (
            json!({"stable": {"weight": 100}, "canary": {"weight": 0}}),
            none.clone(),
            30,
            json!({"stable": {"weight": 70}, "canary": {"weight": 30}}),
        ),
        // A version that is not the rollout's to drive keeps its weight.
        (
            json!({"stable": {}, "canary": {"weight": 0, "place": "low"}, "next": {"weight": 5, "place": "high"}}),
            none.clone(),
            95,
            json!({"stable": stable, "canary": {"weight": 95, "place": "low"}, "next": {"weight": 5, "place": "high"}}),
        ),
        // No traffic and no matches.
        (json!({"stable": {}, "canary": {"weight": 0}}), none, -1, json!({"stable": stable, "canary": {"weight": 0}})),
    ];
    let annotations = json!({"serin.dev/rollout": "reviews", "serin.dev/version": "canary", "team": "reviews"});
    for (versions, fields, weight, expected) in cases {
        check(&document(&versions, &fields), &annotations, &Step::traffic(weight), &document(&expected, &fields));
    }
}

#[test]
fn other_rollouts_stay_as_they_are() {
    let other = json!({
        "match": [{"hosts": ["shop.example.com"], "path": {"prefix": "/cart"}}],
        "stable": "v1", "total": 7, "release": "r1",
        "versions": {"v1": {"cluster": "cart-v1"}, "v2": {"cluster": "cart-v2", "weight": 3, "set_headers": {"x-a": "null"}}},
        "rules": [{"when": {"source": ["10.0.0.0/8"]}, "use": "v2"}],
        "guard": {"max_percent": 0.5, "for": "10m"},
    });
    let mut before =
        document(&json!({"stable": {}, "canary": {"weight": 0}}), &json!({"match": [{"path": {"prefix": "/a"}}]}));
    before["rollouts"]["cart"] = other.clone();
    before["cookie"] = json!({"name": "seen", "max_age": "7d"});
    let mut expected = document(
        &json!({"stable": {"off": false}, "canary": {"weight": 25}}),
        &json!({"match": [{"path": {"prefix": "/a"}}]}),
    );
    expected["rollouts"]["cart"] = other;
    expected["cookie"] = before["cookie"].clone();
    check(&before, &json!({"serin.dev/rollout": "reviews"}), &Step::traffic(25), &expected);
    check_refused(
        &plugin(&before, &json!({})),
        &Step::traffic(25),
        "spec.pluginConfig.rollouts: several; expected the annotation serin.dev/rollout",
    );
}

#[test]
fn matches_become_rules() {
    let fields = json!({"rules": [{"when": {"headers": [{"name": "x-team", "exact": "qa"}]}, "use": "stable"}]});
    let before = document(&json!({"stable": {"cluster": "a"}, "canary": {"weight": 0}}), &fields);
    let annotations = json!({"team": "reviews"});
    let step = Step::matches(json!([
        {"headers": [{"type": "Exact", "name": "X-User", "value": "anna"}, {"name": "x-region", "value": "eu"}]},
        {"queryParams": [{"type": "RegularExpression", "name": "preview", "value": "[0-9]+"}]},
        {"path": {"value": "/reviews/new"}, "headers": [{"type": "RegularExpression", "name": "x-app", "value": "4[.].*"}]},
        {"path": {"type": "Exact", "value": "/reviews/top"}},
        {"path": {"type": "RegularExpression", "value": "/reviews/[0-9]+"}},
    ]));
    let rules = json!([
        {"when": {"headers": [{"name": "X-User", "exact": "anna"}, {"name": "x-region", "exact": "eu"}]}, "use": "canary"},
        {"when": {"query": [{"name": "preview", "regex": "[0-9]+"}]}, "use": "canary"},
        {"when": {"path": {"prefix": "/reviews/new"}, "headers": [{"name": "x-app", "regex": "4[.].*"}]}, "use": "canary"},
        {"when": {"path": {"exact": "/reviews/top"}}, "use": "canary"},
        {"when": {"path": {"regex": "/reviews/[0-9]+"}}, "use": "canary"},
        fields["rules"][0],
    ]);
    check(
        &before,
        &annotations,
        &step,
        &document(&before["rollouts"]["reviews"]["versions"], &json!({"rules": rules})),
    );
    // Matches win over traffic: whoever they do not hold for gets stable.
    check(
        &before,
        &annotations,
        &Step { weight: 50, ..step },
        &document(&before["rollouts"]["reviews"]["versions"], &json!({"rules": rules})),
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let versions = json!({"stable": {"cluster": "a"}, "canary": {"cluster": "b", "weight": 0}});
    let sound = document(&versions, &Value::Null);
    let with = |fields: Value| plugin(&document(&versions, &fields), &json!({}));
    let of = |versions: Value| plugin(&document(&versions, &Value::Null), &json!({}));
    let traffic = Step::traffic(50);
    let schedule = json!({"version": "canary", "start": "2026-11-21T09:00:00Z", "steps": [{"weight": 5}]});
    let named = |name: &str| plugin(&sound, &json!({"serin.dev/version": name}));
    let cases = [
        (with(json!({"total": 5})), "rollouts.reviews.total: found 5, of which 50 % is no whole weight"),
        (with(json!({"schedule": schedule})), "rollouts.reviews.schedule: OpenKruise sets the weights"),
        (with(json!({"split": "route"})), "rollouts.reviews.split: found route; expected filter"),
        (
            with(json!({"rules": [{"when": {}, "use": "canary"}]})),
            "rollouts.reviews.rules[0].when: empty; OpenKruise makes null",
        ),
        (
            with(json!({"guard": {"max_percent": 5, "failures": {"status": []}}})),
            "reviews.guard.failures.status: empty",
        ),
        (with(json!({"match": []})), "spec.pluginConfig.rollouts.reviews.match: empty"),
        (
            of(json!({"stable": {}, "canary": {"off": true}})),
            "versions.canary.off: found true; nobody would get the step",
        ),
        (
            of(json!({"stable": {}, "canary": {"false": true}})),
            "versions.canary.off: found true; nobody would get the step",
        ),
        (of(json!({"stable": {}})), "versions: nothing whose weight there is to set"),
        (of(json!({"stable": {}, "a": {}, "b": {}})), "versions: several; expected the annotation serin.dev/version"),
        (of(json!({"canary": {"weight": 0}})), "rollouts.reviews.stable: missing, or no version of it"),
        (named("next"), "versions.next: missing, or stable; named by the annotation serin.dev/version"),
        (named("stable"), "versions.stable: missing, or stable"),
        (plugin(&sound, &json!({"serin.dev/rollout": "cart"})), "rollouts.cart: missing"),
        (plugin(&json!({"rollouts": {}}), &json!({})), "spec.pluginConfig.rollouts: empty"),
        (plugin(&Value::Null, &json!({})), "spec: no rules document"),
        (
            with(json!({"rules": [{"weights": {"canary": 10}}, {"weights": {"canary": 101}}]})),
            "rollouts.reviews.rules[1]: 50 % does not fit beside its weights",
        ),
    ];
    for (resource, expected) in &cases {
        check_refused(resource, &traffic, expected);
    }
    let beside = |place: Value| {
        let next = json!({"weight": 60, "place": "high"});
        plugin(
            &document(&json!({"stable": {}, "canary": {"place": place}, "next": next}), &Value::Null),
            &json!({"serin.dev/version": "canary"}),
        )
    };
    check_refused(&beside(json!("low")), &traffic, "rollouts.reviews: 50 % does not fit beside the other weights");
    check_refused(
        &beside(json!("high")),
        &traffic,
        "versions.canary.place: expected one, and another than that of next",
    );
    check_refused(&beside(Value::Null), &traffic, "versions.canary.place: expected one");
    let sound = plugin(&sound, &json!({}));
    let modifier = Step { request_header_modifier: json!({"set": [{"name": "a", "value": "b"}]}), ..traffic };
    check_refused(
        &sound,
        &modifier,
        "requestHeaderModifier: cannot be used here; expected spec.pluginConfig.rollouts.reviews",
    );
    let odd = json!([{"headers": [{"name": "a", "type": "Prefix", "value": "b"}]}]);
    check_refused(&sound, &Step::matches(odd), "matches[0].headers[0].type: found Prefix");
    check_refused(
        &sound,
        &Step::matches(json!([{"path": {"value": "/"}}, {}])),
        "matches[1]: empty; expected a condition",
    );
}

/// Each of the files that are applied, under the script of its own kind, at every weight.
#[test]
fn every_weight_in_every_kind_of_resource() {
    for (kind, name, pointer) in KINDS {
        let (script, resource) = (script(kind), file(name));
        for weight in 0..=100 {
            let after = run(&script, &resource, &Step::traffic(weight)).expect("a step");
            let mut expected = resource.clone();
            let versions = json!({"stable": {"off": false}, "canary": {"weight": weight}});
            *expected.pointer_mut(&format!("{pointer}/rollouts/reviews/versions")).expect("versions") = versions;
            assert_eq!(after["spec"], expected["spec"], "{kind}");
            let rules = rules(expected.pointer(pointer).expect("a document"));
            let canary = weight as u32 * (SLOTS / 100);
            let expected = [("canary".to_owned(), canary), ("stable".to_owned(), SLOTS - canary)];
            assert_eq!(slots(rules.rollout_named("reviews").expect("the rollout")), expected);
        }
    }
}

/// What the Rollout refers to is what its script is for, and where it may be changed.
#[test]
fn the_rollout_refers_to_the_plugin() {
    let rollout = file("rollout.yaml");
    let routing = &rollout["spec"]["strategy"]["blueGreen"]["trafficRoutings"][0];
    let reference = &routing["customNetworkRefs"][0];
    let plugin = file("wasm-plugin.yaml");
    for field in ["apiVersion", "kind"] {
        assert_eq!(reference[field], plugin[field]);
    }
    assert_eq!(reference["name"], plugin["metadata"]["name"]);
    assert_eq!(rollout["metadata"]["namespace"], plugin["metadata"]["namespace"]);
    let scripts: Vec<String> = KINDS.iter().map(|(kind, ..)| script(kind)).collect();
    assert!(scripts.windows(2).all(|both| both[0] == both[1]), "the scripts differ");
}

proptest! {
    /// Whatever else the rollout has, its version gets the step's share, and nobody else loses or wins but stable.
    #[test]
    fn the_share_is_that_of_the_step(weight in 0..=90_i32, total in 1..=50_u32, beside in 0..=10_u32, with_stable: bool, empty: bool) {
        let total = total * 100;
        let beside_weight = total / 100 * beside;
        let mut versions = json!({
            "stable": if empty { json!({}) } else { json!({"cluster": "a"}) },
            "canary": {"place": "low"},
            "next": {"place": "high", "weight": beside_weight},
        });
        if with_stable {
            versions["stable"]["weight"] = json!(total - beside_weight);
        }
        let before = document(&versions, &json!({"total": total}));
        let resource = plugin(&before, &json!({"serin.dev/version": "canary"}));
        let after = run(&script(KINDS[0].0), &resource, &Step::traffic(weight)).expect("a step");
        let rules = rules(&after["spec"]["pluginConfig"]);
        let part = SLOTS / 100;
        let expected = [("canary", weight as u32), ("next", beside), ("stable", 100 - weight as u32 - beside)]
            .map(|(name, percent)| (name.to_owned(), percent * part));
        prop_assert_eq!(slots(rules.rollout_named("reviews").expect("the rollout")), expected);
    }
}
