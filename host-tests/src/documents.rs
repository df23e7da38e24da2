//! The cases themselves.

use serde_json::{Value, json};

use crate::{Case, Visitor};

/// All cases, in the order of a report.
pub fn all() -> Vec<Case> {
    let mut all = by_match();
    all.extend(by_layer());
    all
}

/// A small document: one rollout, `shop`, with stable `v1`, `v2` with a weight of 30, and an override header.
pub fn shop() -> Value {
    json!({"rollouts": {"shop": {
        "stable": "v1",
        "versions": {"v1": {"cluster": "shop-v1"}, "v2": {"cluster": "shop-v2", "weight": 30}},
        "override": {"header": "x-canary"},
    }}})
}

/// The three ways to cover a request.
fn by_match() -> Vec<Case> {
    let covering = |entry: Value| shop_with(json!({"match": [entry]}));
    let all = || covering(json!({}));
    let hosts = || covering(json!({"hosts": ["example.com"]}));
    let paths = || covering(json!({"hosts": ["example.com"], "path": {"prefix": "/cart"}}));
    let (stable, canary, new) = (Visitor::On("v1"), Visitor::On("v2"), Visitor::New);
    vec![
        case("match_all_stable", "cookie holds stable, match-all", all(), stable),
        case("match_all_canary", "cookie holds canary, match-all", all(), canary),
        case("new", "new visitor, match-all", all(), new),
        case("hosts_stable", "cookie holds stable, hosts", hosts(), stable),
        case("hosts_canary", "cookie holds canary, hosts", hosts(), canary),
        case("hosts_new", "new visitor, hosts", hosts(), new),
        case("paths_stable", "cookie holds stable, hosts and paths", paths(), stable),
        case("paths_canary", "cookie holds canary, hosts and paths", paths(), canary),
        case("paths_new", "new visitor, hosts and paths", paths(), new),
        case("override", "override, match-all", all(), new).with("x-canary", "v2"),
        case("not_covered", "no rollout covers it", covering(json!({"hosts": ["other.example.com"]})), new),
    ]
}

/// The layers and kinds of cookie that a document need not have.
fn by_layer() -> Vec<Case> {
    let by_id = shop_with(json!({"sticky": {"unit": [{"header": "x-user-id"}], "prefer": "unit"}}));
    let mut signed = shop();
    signed["keys"] = json!([{"id": "k1", "secret": "a key of sixteen bytes or more"}]);
    let rule = |name: &str| json!({"when": {"headers": [{"name": name, "exact": "yes"}]}, "use": "v2"});
    let rules = || shop_with(json!({"rules": [rule("x-beta"), rule("x-staff"), rule("x-region")]}));
    let held = || shop_with(json!({"sticky": {"hold": "version"}}));
    let (stable, canary) = (Visitor::On("v1"), Visitor::On("v2"));
    vec![
        case("user_hash", "user id, match-all", by_id, Visitor::New).with("x-user-id", "alice"),
        case("signed", "signed cookie holds stable, match-all", signed, stable),
        case("rules", "cookie holds stable, three rules that do not hold", rules(), stable),
        case("rule_holds", "the last of three rules holds", rules(), stable).with("x-region", "yes"),
        case("held_stable", "held version is stable, match-all", held(), stable),
        case("held_canary", "held version is canary, match-all", held(), canary),
    ]
}

fn case(name: &'static str, title: &'static str, document: Value, visitor: Visitor) -> Case {
    Case { name, title, document, visitor, headers: Vec::new() }
}

impl Case {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The small document with more fields in its rollout.
fn shop_with(fields: Value) -> Value {
    let mut document = shop();
    if let (Some(rollout), Value::Object(fields)) = (document["rollouts"]["shop"].as_object_mut(), fields) {
        rollout.extend(fields);
    }
    document
}
