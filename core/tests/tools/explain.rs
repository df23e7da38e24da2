//! Explanations, held against the decisions that they explain.

use fastrand::Rng;
use serde_json::{Value, json};
use serin_core::{Current, Explanation, Facts, Outcome, Rules, SLOTS, Time, decide, explain};

use crate::common::{Request, TODAY, rules};

/// The explanation of a decision at the beginning of [`TODAY`], with these random bits.
pub(crate) fn explained(rules: &Rules, request: &Request, bits: u64) -> Explanation {
    let now = Time::from_unix_seconds(TODAY);
    let current = Current::new(rules, now);
    let facts = Facts::new(request);
    let decision = decide(rules, &current, &facts, now, || bits);
    let explanation = explain(rules, &current, &facts, now, decision.as_ref());
    let Some(decision) = decision else {
        assert!(explanation.covered.is_empty() && explanation.layers.is_empty(), "{explanation:?}");
        return explanation;
    };
    let reason = decision.reason.as_str();
    let told = || format!("{reason}: {explanation:#?}\n{decision:#?}");
    assert_eq!(explanation.covered[0].rollout, decision.rollout.name(), "{}", told());
    let answered: Vec<&str> =
        explanation.layers.iter().filter(|of| of.outcome == Outcome::Answered).map(|of| of.name).collect();
    let [layer] = answered.as_slice() else { panic!("{}", told()) };
    let fits = match reason {
        "inherit" | "override" | "rule" | "held" | "broken" => *layer == reason,
        "guard" | "missing" => matches!(*layer, "held" | "slot"),
        _ => *layer == "slot",
    };
    assert!(fits, "{}", told());
    assert!(explanation.layers.iter().all(|of| of.notes.is_empty() == (of.outcome == Outcome::NotAsked)), "{}", told());
    if *layer == "slot" && reason != "route" {
        let sum: u32 = explanation.odds.iter().map(|(_, slots)| slots).sum();
        assert_eq!(sum, SLOTS, "{}", told());
    }
    if let (Some((start, end)), Some(slot)) = (explanation.interval, decision.slot) {
        assert!((start..end).contains(&slot.number()), "{}", told());
    }
    explanation
}

/// Checks that a note of a layer says this; `layer` is its name and outcome.
#[track_caller]
pub(crate) fn check(rules: &Rules, request: &Request, layer: &str, note: &str) {
    let explanation = explained(rules, request, 0);
    let found = explanation.layers.iter().find(|of| format!("{} {}", of.name, of.outcome.as_str()) == layer);
    let found = found.unwrap_or_else(|| panic!("no {layer} in {explanation:#?}"));
    assert!(found.notes.iter().any(|of| of == note), "{note:?} is not in {:#?}", found.notes);
}

pub(crate) fn shop(fields: Value) -> Rules {
    let mut rollout = json!({"stable": "v1", "versions": {"v1": {}, "v2": {"weight": 10, "place": "low"}, "v3": {"off": true, "place": "high"}}});
    let mut document = json!({"keys": []});
    for (name, value) in fields.as_object().unwrap() {
        let target = if name == "keys" || name == "cookie" { &mut document } else { &mut rollout };
        target[name] = value.clone();
    }
    if document["keys"] == json!([]) {
        document["keys"] = Value::Null;
    }
    document["rollouts"] = json!({"shop": rollout});
    rules(&document.to_string())
}

#[test]
fn what_covers_a_request() {
    let entries = |entry: Value| json!({"match": [entry], "stable": "v1", "versions": {"v1": {}}});
    let document = json!({"rollouts": {
        "any": {"stable": "v1", "versions": {"v1": {}}},
        "host": entries(json!({"hosts": ["shop.example.com", "a.b"]})),
        "wild": entries(json!({"hosts": ["*.example.com"]})),
        "path": entries(json!({"hosts": ["shop.example.com"], "path": {"prefix": "/cart"}})),
        "qa": entries(json!({"hosts": ["shop.example.com"], "path": {"prefix": "/cart"}, "headers": [{"name": "x-team", "in": ["qa", "dev"]}], "methods": ["GET"]})),
    }});
    let rules = rules(&document.to_string());
    let covered = |request: &Request| {
        explained(&rules, request, 0).covered.iter().map(|of| of.rollout.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(covered(&Request::to("SHOP.example.com:80", "/cart/x?y")), "path host wild any");
    let qa = Request::to("shop.example.com", "/cart").with("x-team", "qa").with(":method", "GET");
    assert_eq!(covered(&qa), "qa path host wild any");
    assert_eq!(
        explained(&rules, &qa, 0).covered[0].what,
        "host shop.example.com, path below /cart, method GET, header x-team is \"dev\" or \"qa\""
    );
    assert_eq!(covered(&Request::to("www.other.org", "/")), "any");
    let after: Vec<_> = explained(&rules, &qa, 0).covered.iter().map(|of| of.after).collect();
    let (path, host) = (Some("its path is less specific"), Some("its host is less specific"));
    assert_eq!(after, [None, Some("its conditions are less specific"), path, host, host]);
}

#[test]
fn why_nothing_covers_a_request() {
    let rules = rules(
        r#"{"rollouts": {"a": {"match": [
            {"hosts": ["shop.example.com"], "path": {"prefix": "/cart"}, "methods": ["POST"], "source": ["10.0.0.0/8"]},
            {"query": [{"name": "q", "prefix": "x", "ignore_case": true}], "cookies": [{"name": "c", "present": false}]}
        ], "stable": "v1", "versions": {"v1": {}}}}}"#,
    );
    let why =
        |request: Request| explained(&rules, &request, 0).uncovered.into_iter().map(|of| of.why).collect::<Vec<_>>();
    let other = "query parameter q is absent; expected one that begins with \"x\" in any case";
    assert_eq!(why(Request::to("a.b", "/")), ["the host is \"a.b\", not shop.example.com", other]);
    assert_eq!(why(Request::to("shop.example.com", "/x")), ["the path is \"/x\", not below /cart", other]);
    let post = Request::to("shop.example.com", "/cart").with(":method", "POST").from("192.0.2.1:5");
    assert_eq!(why(post), ["the client's address is 192.0.2.1; expected one in 10.0.0.0/8", other]);
    let get = Request::to("shop.example.com", "/cart?q=Xy").with(":method", "GET").with("cookie", "c=1");
    assert_eq!(why(get), ["the method is \"GET\", not POST", "cookie c is \"1\"; expected none"]);
}

#[test]
fn overrides() {
    let open = shop(
        json!({"override": {"header": "x-canary", "query": "canary", "aliases": {"always": "v2"}, "remember": "8h"}}),
    );
    let ask = |value: &str| Request::new().with("x-canary", value);
    check(&shop(json!({})), &Request::new(), "override passed", "the rollout takes no override");
    check(&open, &Request::new(), "override passed", "header x-canary is absent");
    check(&open, &Request::new(), "override passed", "no override is remembered");
    check(&open, &ask("v2"), "override answered", "header x-canary is \"v2\"");
    check(&open, &ask("always"), "override answered", "header x-canary is \"always\", which stands for v2");
    check(&open, &ask("v3"), "override passed", "header x-canary is \"v3\", and does not count: v3 is off");
    check(
        &open,
        &ask("v9"),
        "override passed",
        "header x-canary is \"v9\", and does not count: it names no version and no alias",
    );
    check(
        &open,
        &ask("auto"),
        "override passed",
        "header x-canary is \"auto\", which means no override, and forgets a remembered one",
    );
    let in_query = Request::to("h", "/?canary=v9&canary=v1");
    check(&open, &in_query, "override answered", "query parameter canary is \"v1\"");
    let remembered = |expiry: u64| Request::new().with("cookie", format!("canary-shop=ov2.e{expiry}.d20778"));
    check(&open, &remembered(TODAY + 3_660), "override answered", "v2 is remembered for another 1 h 1 min");
    check(&open, &remembered(TODAY - 5), "override passed", "v2 was remembered until 5 s ago");
}

#[test]
fn overrides_that_not_everybody_may_send() {
    let keys = json!([{"id": "k1", "secret": "the first secret of the vectors"}]);
    let signed = shop(json!({"override": {"header": "x-canary", "trust": "signed"}, "keys": keys}));
    let ask = |value: String| Request::new().with("x-canary", value);
    let token = |rollout: &str, version: &str, expiry: u64| {
        signed.keys().unwrap().token(rollout, version, Time::from_unix_seconds(expiry)).unwrap()
    };
    let refused = |value: String, why: &str| {
        check(&signed, &ask(value), "override passed", &format!("header x-canary is given, and does not count: {why}"));
    };
    check(
        &signed,
        &ask(token("shop", "v2", TODAY + 60)),
        "override answered",
        "header x-canary is given, which stands for v2",
    );
    refused("v2".to_owned(), "it is not signed by one of the keys");
    refused(token("shop", "v2", TODAY - 90_000), "it expired 1 d 1 h ago");
    refused(token("shop", "v9", TODAY + 60), "it names no version and no alias");
    refused(token("cart", "v2", TODAY + 60), "it is not signed by one of the keys");

    let secret = shop(
        json!({"override": {"header": "x-canary", "trust": {"header": "x-secret", "secret": "sixteen characters"}}}),
    );
    let ask = ask("v2".to_owned());
    check(
        &secret,
        &ask.clone().with("x-secret", "sixteen characters"),
        "override answered",
        "header x-canary is \"v2\"",
    );
    check(
        &secret,
        &ask,
        "override passed",
        "header x-canary is \"v2\", and does not count: header x-secret with the secret is absent",
    );
    check(
        &secret,
        &ask.with("x-secret", "other"),
        "override passed",
        "header x-canary is \"v2\", and does not count: header x-secret is not the secret",
    );
}

#[test]
fn rules_and_what_is_held() {
    let rules = json!([
        {"when": {"headers": [{"name": "x-team", "exact": "qa"}]}, "use": "v2"},
        {"use": "v3"},
        {"when": {"methods": ["PUT"]}, "weights": {"v2": 50}},
    ]);
    let with_rules = shop(json!({"rules": rules}));
    check(
        &with_rules,
        &Request::new(),
        "rule passed",
        "rules[0]: header x-team is absent; expected one that is \"qa\"",
    );
    check(&with_rules, &Request::new(), "rule passed", "rules[1]: its version v3 is off");
    check(&with_rules, &Request::new(), "rule passed", "rules[2]: the method is \"\", not PUT");
    check(
        &with_rules,
        &Request::new().with("x-team", "qa"),
        "rule answered",
        "rules[0] holds: header x-team is \"qa\", so use: v2",
    );
    check(
        &with_rules,
        &Request::new().with(":method", "PUT"),
        "rule passed",
        "rules[2] holds: method PUT, so its weights count",
    );

    check(&shop(json!({})), &Request::new(), "held passed", "hold: slot keeps no version");
    let held = shop(json!({"sticky": {"hold": "version"}, "release": "b"}));
    let with = |own: &str| Request::new().with("cookie", format!("canary=nAAAAAAAAAA.d20778; canary-shop={own}"));
    check(&held, &Request::new(), "held passed", "cookie canary-shop is absent");
    check(&held, &with("d1.uAAAA.vv1"), "held passed", "cookie canary-shop does not count: it is past its max_age");
    check(&held, &with("x"), "held passed", "cookie canary-shop does not count: it is not in its form");
    check(
        &held,
        &with("ra.uAAAA.vv1.d20778"),
        "held passed",
        "cookie canary-shop holds what does not count: a version of another release, or one that is not listed",
    );
    check(&held, &with("rb.uAAAA.vv1.d20778"), "held passed", "cookie canary-shop holds v1, for another unit");
}

#[test]
fn units() {
    let plain = shop(json!({}));
    check(&plain, &Request::new(), "slot answered", "cookie canary is absent");
    check(&plain, &Request::new(), "slot answered", "a new visitor, drawn as AAAAAAAAAA");
    check(
        &plain,
        &Request::new().with("cookie", "canary=nEjRWeJq83v.d1"),
        "slot answered",
        "cookie canary does not count: it is past its max_age",
    );
    check(
        &plain,
        &Request::new().with("cookie", "canary=v2"),
        "slot answered",
        "cookie canary does not count: it names a version, which a cookie does with override: {cookie: NAME} alone",
    );
    check(
        &plain,
        &Request::new().with("cookie", "canary=x"),
        "slot answered",
        "cookie canary does not count: it is not in the form of a visitor, such as nEjRWeJq83v.d20778",
    );
    check(
        &plain,
        &Request::new().with("cookie", "canary=nEjRWeJq83v.d20778"),
        "slot answered",
        "the unit is visitor EjRWeJq83v",
    );
    let visitor = shop(json!({"sticky": {"unit": [{"header": "x-user-id"}], "prefer": "visitor"}}));
    check(
        &visitor,
        &Request::new().with("x-user-id", "alice").with("cookie", "canary=nEjRWeJq83v.d20778"),
        "slot answered",
        "header x-user-id is there, and does not count beside the visitor cookie: prefer: visitor",
    );
    let ids = shop(
        json!({"sticky": {"unit": [{"header": "x-user-id"}, {"source": "address"}], "prefer": "unit"}, "cookie": false}),
    );
    check(&ids, &Request::new().with("x-user-id", "alice"), "slot answered", "the unit is id \"alice\"");
    check(&ids, &Request::new().from("192.0.2.7:1"), "slot answered", "header x-user-id is absent or empty");
    check(&ids, &Request::new().from("192.0.2.7:1"), "slot answered", "the unit is address 192.0.2.7");
    check(&ids, &Request::new(), "slot answered", "nothing makes the request stick, so it is drawn");
    check(
        &shop(json!({"sticky": {"hold": "none"}})),
        &Request::new(),
        "slot answered",
        "hold: none draws every request",
    );
    check(
        &shop(json!({"sticky": {"first": "stable"}})),
        &Request::new(),
        "slot answered",
        "by first: stable whoever carries nothing yet gets stable, and the slot decides from the next request on",
    );
}

/// Whatever a request holds, the explanation is of the decision; see [`explained`].
#[test]
fn of_any_request() {
    let mut rng = Rng::with_seed(7);
    let stickiness = [
        json!({}),
        json!({"hold": "version", "at_zero": "drain", "unit": [{"header": "x-user-id"}]}),
        json!({"hold": "page", "first": "stable"}),
        json!({"hold": "none"}),
    ];
    for sticky in stickiness {
        let rules = json!([
            {"when": {"headers": [{"name": "x-beta", "exact": "yes"}]}, "use": "v2"},
            {"when": {"methods": ["PUT"]}, "weights": {"v2": 0}},
        ]);
        let overrides = json!({"header": "x-canary", "query": "canary", "cookie": "lane", "remember": "1h"});
        let rules = shop(json!({"sticky": sticky, "rules": rules, "override": overrides, "inherit": true}));
        for _ in 0..500 {
            let mut request =
                Request::to("h", rng.choice(["/", "/?canary=v2", "/?canary=v3&canary=auto"].iter()).unwrap());
            for (name, values) in [
                (":method", &["GET", "PUT"][..]),
                ("x-canary", &["v1", "v2", "v3", "", "auto", "x"]),
                ("x-canary-version", &["v1", "v3", "x"]),
                ("x-beta", &["yes", "no"]),
                ("x-user-id", &["alice", ""]),
                ("accept", &["text/html", "*/*"]),
                (
                    "cookie",
                    &[
                        "canary=nEjRWeJq83v.d20778; canary-shop=u9NPh.vv2.d20778",
                        "lane=v2; canary-shop=ov1.e1795250000.d20778",
                        "canary=nAAAAAAAAAA.d20770; lane=",
                        "sid=1",
                    ],
                ),
            ] {
                if rng.u8(..3) == 0 {
                    request = request.with(name, *rng.choice(values.iter()).unwrap());
                }
            }
            explained(&rules, &request, rng.u64(..));
        }
    }
}
