//! Documents that use every feature, alone and together.

use serde_json::{Value, json};

use crate::site::{merge, shop_with};

/// What the VMs and the oracle see of the environment.
pub(crate) const ENVIRONMENT: [(&str, &str); 3] = [
    ("SERIN_KEY", " the key that signs, of any length\n"),
    ("SERIN_OLD_KEY", "a key of former times"),
    ("SERIN_SECRET", "open, sesame, open"),
];

/// All of them; the names of headers, cookies and parameters are the same everywhere.
pub(crate) fn documents() -> Vec<Value> {
    vec![
        shop_with(50, &json!({})),
        shop_with(50, &json!({"override": overrides(&json!({}))})),
        by_host_and_path(),
        marked(),
        by_conditions(),
        by_rules(),
        inherited_and_drained(),
        pages(),
        by_token(),
        by_secret(),
        native(),
        of_the_route(),
        drawn(),
        dry(),
        without_a_key(),
    ]
}

fn overrides(more: &Value) -> Value {
    let aliases = json!({"always": "v2", "never": "v1"});
    let mut overrides = json!({"header": "x-canary", "query": "canary", "cookie": "lane", "aliases": aliases});
    merge(&mut overrides, more);
    overrides
}

fn keys() -> Value {
    json!([{"id": "k2", "env": "SERIN_KEY"}, {"id": "k1", "env": "SERIN_OLD_KEY"}])
}

fn units() -> Value {
    json!([{"header": "x-user-id"}, {"cookie": "sid"}, {"query": "user"}, {"source": "address"}])
}

fn every_output() -> Value {
    json!({"version": "x-v", "cluster": "x-c", "slot": "x-s", "reason": "x-r", "answer": "x-a"})
}

fn with(mut document: Value, top: &Value) -> Value {
    merge(&mut document, top);
    document
}

fn by_host_and_path() -> Value {
    let mut document =
        shop_with(30, &json!({"match": [{"hosts": ["shop.example.com"]}], "override": overrides(&json!({}))}));
    let entries = [
        ("cart", json!({"hosts": ["*.example.com"], "path": {"prefix": "/cart"}})),
        ("pay", json!({"path": {"exact": "/cart/pay"}})),
    ];
    for (name, entry) in entries {
        document["rollouts"][name] = json!({
            "match": [entry], "stable": "s", "mark_stable": true, "release": name,
            "versions": {"s": {}, "a": {"weight": 20, "place": "low"}, "b": {"weight": 30, "place": "high"}},
            "sticky": {"unit": [{"header": "x-user-id"}, {"cookie": "sid"}], "prefer": "unit"},
        });
    }
    document
}

fn marked() -> Value {
    let sticky = json!({"unit": [{"header": "x-user-id"}, {"cookie": "sid"}]});
    let document = shop_with(50, &json!({"sticky": sticky, "override": overrides(&json!({})), "total": 200}));
    with(document, &json!({"headers": every_output(), "cookie": {"name": "vid", "max_age": "2d"}}))
}

/// A rollout for each condition, so that its name says which of them held.
fn by_conditions() -> Value {
    let conditions = [
        ("methods", json!({"methods": ["POST", "PUT"]})),
        ("regex", json!({"path": {"regex": "/c[a-z]+/pay(/now)?"}})),
        ("exact", json!({"headers": [{"name": "x-beta", "exact": "yes"}]})),
        ("prefix", json!({"headers": [{"name": "x-beta", "prefix": "ye", "ignore_case": true}]})),
        ("suffix", json!({"cookies": [{"name": "lane", "suffix": "2"}, {"name": "sid", "present": true}]})),
        ("contains", json!({"query": [{"name": "user", "contains": "li"}]})),
        ("matched", json!({"query": [{"name": "user", "regex": "b.*|c[a-z]{3,}"}]})),
        ("absent", json!({"headers": [{"name": "x-beta", "present": false}], "hosts": ["*.example.com"]})),
        ("listed", json!({"headers": [{"name": "x-user-id", "in": ["bob", "Carol", ""], "ignore_case": true}]})),
        ("others", json!({"cookies": [{"name": "sid", "exact": "1", "invert": true}], "path": {"prefix": "/cart"}})),
        ("inside", json!({"source": ["10.0.0.0/8", "fd00::/16"], "methods": ["GET"], "path": {"prefix": "/"}})),
    ];
    let rollout = |entry: Value| json!({"match": [entry], "stable": "v1", "versions": {"v1": {}, "v2": {"weight": 50, "cluster": "c"}}});
    let rollouts: serde_json::Map<String, Value> =
        conditions.into_iter().map(|(name, entry)| (name.to_owned(), rollout(entry))).collect();
    json!({"rollouts": rollouts, "headers": {"answer": "x-a"}, "access_log": true})
}

fn by_rules() -> Value {
    let rules = json!([
        {"when": {"headers": [{"name": "x-beta", "present": true}], "methods": ["GET"]}, "use": "v2"},
        {"when": {"path": {"exact": "/cart/pay"}}, "use": "v1"},
        {"when": {"source": ["192.0.2.7"]}, "weights": {"v1": 0, "v2": 60, "v3": 40}},
        {"when": {"query": [{"name": "user", "regex": "(a|b).*"}]}, "use": "v4"},
        {"when": {"cookies": [{"name": "sid", "in": ["1", "2"]}]}, "weights": {"v3": 90}},
    ]);
    let mut document = shop_with(0, &json!({"rules": rules, "override": overrides(&json!({"remember": "5m"}))}));
    document["rollouts"]["shop"]["versions"] = json!({
        "v1": {"cluster": "shop-v1"}, "v2": {"cluster": "shop-v2", "place": "low", "set_headers": {"x-lane": "two", "x-empty": ""}},
        "v3": {"place": "high", "weight": 10, "set_headers": {"x-lane": "three"}}, "v4": {"off": true, "place": 3},
    });
    with(document, &json!({"headers": {"slot": "x-s", "reason": "x-r"}}))
}

fn inherited_and_drained() -> Value {
    let versions = json!({
        "v1": {"set_headers": {"x-lane": "one"}}, "v2": {"weight": 30, "place": "low", "set_headers": {"x-empty": "no"}},
        "v3": {"weight": 0, "place": "high"},
    });
    let sticky = json!({"hold": "version", "at_zero": "drain", "cache": "all", "unit": units()});
    let shop = json!({
        "inherit": true, "mark_stable": true, "sticky": sticky, "versions": versions, "release": "r2",
        "override": overrides(&json!({})), "rules": [{"when": {"methods": ["PUT"]}, "weights": {"v2": 0, "v3": 100}}],
    });
    with(shop_with(0, &shop), &json!({"access_log": true, "cookie": {"max_age": "20d", "secure": false}}))
}

fn pages() -> Value {
    let sticky = json!({"hold": "page", "first": "stable", "unit": [{"cookie": "sid"}], "cache": "all"});
    let rules = json!([{"when": {"source": ["10.0.0.0/8"]}, "weights": {"v2": 0}}]);
    let shop = json!({"sticky": sticky, "rules": rules, "override": overrides(&json!({"remember": "1m"}))});
    with(shop_with(60, &shop), &json!({"keys": keys(), "headers": {"answer": "x-a"}}))
}

fn by_token() -> Value {
    let trust = json!({"trust": "signed", "remember": "2m"});
    let document = shop_with(40, &json!({"sticky": {"hold": "version"}, "override": overrides(&trust)}));
    with(document, &json!({"keys": keys(), "access_log": true, "cookie": {"name": "vid", "partitioned": true}}))
}

fn by_secret() -> Value {
    let trust = json!({"trust": {"header": "x-secret", "env": "SERIN_SECRET"}, "remember": "10d"});
    let document =
        shop_with(40, &json!({"override": overrides(&trust), "sticky": {"unit": units(), "prefer": "unit"}}));
    with(
        document,
        &json!({"keys": [{"id": "k1", "secret": "a key in the document"}, {"id": "k0", "env": "SERIN_NONE"}]}),
    )
}

fn native() -> Value {
    let rollout = |host: &str, sticky: Value| {
        json!({
            "match": [{"hosts": [host]}], "stable": "v1", "total": 1_000, "split": "native", "sticky": sticky,
            "versions": {"v1": {}, "v2": {"cluster": "shop-v2"}},
            "rules": [{"when": {"methods": ["PUT"]}, "use": "v2"}], "override": overrides(&json!({"remember": "1h"})),
        })
    };
    let shop = rollout("shop.example.com", json!({"unit": [{"header": "x-user-id"}], "cache": "all"}));
    let rollouts = json!({"shop": shop, "www": rollout("*.example.com", json!({"hold": "none"}))});
    json!({"rollouts": rollouts, "headers": every_output(), "access_log": true})
}

fn of_the_route() -> Value {
    let shop = json!({
        "split": "route", "sticky": {"hold": "version", "at_zero": "drain", "cache": "all", "unit": [{"query": "user"}]},
        "rules": [{"when": {"methods": ["POST"]}, "use": "v2"}, {"when": {"headers": [{"name": "x-beta", "exact": "yes"}]}, "use": "v3"}],
        "versions": {
            "v1": {"cluster": "shop-v1", "set_headers": {"x-lane": "one"}},
            "v2": {"cluster": "shop-v2", "set_headers": {"x-lane": "two"}}, "v3": {"cluster": "shop-v3", "off": true},
        },
        "override": overrides(&json!({"remember": "1m"})),
    });
    with(
        shop_with(0, &shop),
        &json!({"keys": keys(), "access_log": true, "headers": {"reason": "x-r", "answer": "x-a"}}),
    )
}

fn drawn() -> Value {
    let shop =
        json!({"sticky": {"hold": "none", "cache": "all"}, "override": overrides(&json!({})), "mark_stable": true});
    let mut document = with(shop_with(50, &shop), &json!({"cookie": false, "headers": every_output()}));
    document["rollouts"]["first"] = json!({
        "match": [{"path": {"prefix": "/cart"}}], "stable": "v1", "versions": {"v1": {}, "v2": {"weight": 50, "cluster": "c"}},
        "sticky": {"first": "stable", "unit": [{"query": "user"}]},
    });
    document
}

fn dry() -> Value {
    let sticky = json!({"hold": "version", "cache": "all"});
    let mut document =
        shop_with(50, &json!({"dry_run": true, "sticky": sticky, "override": overrides(&json!({"remember": "1h"}))}));
    document["rollouts"]["shop"]["versions"]["v2"]["set_headers"] = json!({"x-lane": "two"});
    with(document, &json!({"access_log": true, "headers": {"answer": "x-a"}}))
}

/// The key that signs is missing, so that what needs it serves stable, and the rest goes on.
fn without_a_key() -> Value {
    let mut document =
        shop_with(50, &json!({"match": [{"hosts": ["*.example.com"]}], "override": overrides(&json!({}))}));
    document["rollouts"]["drawn"] = json!({
        "stable": "v1", "versions": {"v1": {}, "v2": {"weight": 50}}, "sticky": {"hold": "none"},
        "override": overrides(&json!({"trust": "signed"})),
    });
    with(
        document,
        &json!({"keys": [{"id": "k3", "env": "SERIN_NONE"}, {"id": "k1", "env": "SERIN_OLD_KEY"}], "access_log": true}),
    )
}
