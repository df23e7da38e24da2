//! Keys and secrets: what is missing, what is said of it, and what is never said.

use serde_json::{Value, json};
use serin_host::{LogLevel, Proxy, ProxyBuilder, Worker};

use crate::site::{PLUGIN, builder, merge, shop_with, version, with_mistakes};

const KEY: &str = "a key that nobody is to see";
const OLD_KEY: &str = "another one, of former times";
const SECRET: &str = "open, sesame, and not a word of it";

/// Two rollouts: one that writes cookies, by its host, and one for everybody else, whose requests are drawn.
fn document(keys: &Value) -> Value {
    let mut document =
        shop_with(100, &json!({"match": [{"hosts": ["shop.example.com"]}], "sticky": {"hold": "version"}}));
    document["rollouts"]["drawn"] = json!({
        "stable": "v1", "versions": {"v1": {}, "v2": {"weight": 100}}, "sticky": {"hold": "none"},
        "override": {"header": "x-canary", "trust": {"header": "x-secret", "env": "SECRET"}},
    });
    merge(&mut document, &json!({"keys": keys, "headers": {"answer": "x-answer"}}));
    document
}

fn with_environment(variables: &[(&str, &str)]) -> ProxyBuilder {
    variables.iter().fold(with_mistakes(), |builder, (name, value)| builder.environment(name, value))
}

/// What the log says, at this level, on one VM.
fn said(proxy: &Proxy, level: LogLevel) -> Vec<String> {
    let lines = proxy.log().into_iter().filter(|line| line.vm == "worker 0" && line.level == level);
    lines.map(|line| line.text).collect()
}

/// Fails if a secret, or a piece of one, stands in the log of any VM.
#[track_caller]
fn assert_discreet(proxy: &Proxy) {
    for line in proxy.log() {
        for secret in [KEY, OLD_KEY, SECRET, "too short"] {
            assert!(!line.text.contains(&secret[..8]), "{line}");
        }
    }
}

fn answer(worker: &Worker, host: &str) -> String {
    worker.get("/").host(host).send().unwrap().response.text("x-answer").unwrap_or_default()
}

/// A start with these variables: the errors and warnings, and who serves the rollout that signs.
#[track_caller]
fn check(keys: &Value, variables: &[(&str, &str)], errors: &[&str], warnings: &[&str], expected: &str) {
    let proxy = with_environment(variables).start(document(keys).to_string()).expect("a missing key stops nobody");
    assert_eq!(said(&proxy, LogLevel::Error), errors, "{keys} {variables:?}");
    assert_eq!(said(&proxy, LogLevel::Warn), warnings, "{keys} {variables:?}");
    assert_discreet(&proxy);
    let (rejected, sound) = if errors.is_empty() { (0, 1) } else { (4, 0) };
    assert_eq!(proxy.counter(&format!("serin_config_rejected.plugin.{PLUGIN}")), rejected, "canary, main, two workers");
    assert_eq!(proxy.gauge(&format!("serin_config_ok.plugin.{PLUGIN}")), Some(sound));
    for worker in proxy.workers() {
        assert_eq!(answer(&worker, "shop.example.com"), expected, "{keys} {variables:?}");
        assert_eq!(answer(&worker, "example.com"), "drawn/v2/random", "what signs nothing needs no key");
    }
}

#[test]
fn a_missing_key_is_told_and_costs_only_what_needs_it() {
    let keys = json!([{"id": "k2", "env": "KEY"}, {"id": "k1", "env": "OLD_KEY"}]);
    let key = "serin: keys[0].env: the environment has no KEY with a secret of 16 to 256 characters";
    let old = "serin: keys[1].env: the environment has no OLD_KEY with a secret of 16 to 256 characters";
    let secret = "serin: rollouts.drawn.override.trust.env: the environment has no SECRET with a secret of 16 to 256 \
                  characters";
    let (signs, broken) = ("shop/v2/slot", "shop/v1/broken");
    let all = [("KEY", KEY), ("OLD_KEY", OLD_KEY), ("SECRET", SECRET)];
    check(&keys, &all, &[], &[], signs);
    check(&keys, &all[..2], &[], &[secret], signs);
    check(&keys, &[all[0], all[2]], &[], &[old], signs);
    check(&keys, &all[1..], &[key], &[], broken);
    check(&keys, &[], &[key], &[old, secret], broken);
    check(&keys, &[("KEY", "too short"), all[1], all[2]], &[key], &[], broken);
    check(&keys, &[("KEY", " \t too short     \n"), all[1], all[2]], &[key], &[], broken);
    check(&keys, &[("KEY", &format!("\n {KEY} \n")), all[1], all[2]], &[], &[], signs);
    check(&json!([{"id": "k1", "secret": KEY}]), &all[2..], &[], &[], signs);
}

#[test]
fn a_secret_that_is_wrong_in_the_document_is_not_told() {
    let fields = json!({"override": {"trust": {"header": "x-secret", "secret": SECRET.repeat(9)}}});
    for (keys, rollout) in [
        (json!([{"id": "k1", "secret": KEY.repeat(10)}]), json!({})),
        (json!([{"id": "k1", "secret": [KEY]}]), json!({})),
        (json!([{"id": "k1", "secret": "too short"}]), json!({})),
        (json!([{"id": "k1", "secret": KEY, "env": "KEY"}]), json!({})),
        (json!([{"id": "k1", "secret": KEY}, {"id": "k1", "secret": OLD_KEY}]), json!({})),
        (json!([{"id": "k1", "secret": KEY}]), fields),
    ] {
        let mut document = shop_with(100, &rollout);
        merge(&mut document, &json!({"keys": keys}));
        let proxy = with_mistakes().start(document.to_string()).unwrap();
        assert!(!said(&proxy, LogLevel::Error).is_empty(), "{document}");
        assert_discreet(&proxy);
    }
}

#[test]
fn a_secret_goes_no_further_than_the_filter() {
    let proxy = with_environment(&[("KEY", KEY), ("SECRET", SECRET)])
        .start(document(&json!([{"id": "k1", "env": "KEY"}])).to_string())
        .unwrap();
    let of = |canary: &str, secret: &str| {
        proxy.worker(0).get("/").header("x-canary", canary).header("x-secret", secret).send().unwrap()
    };
    for (canary, secret, expected) in [
        ("v1", SECRET, "drawn/v1/override"),
        ("v1", "a wrong one", "drawn/v2/random"),
        ("v1", "", "drawn/v2/random"),
        ("v3", SECRET, "drawn/v2/random"),
    ] {
        let exchange = of(canary, secret);
        assert_eq!(exchange.response.text("x-answer").as_deref(), Some(expected), "{canary} {secret}");
        assert!(!exchange.request.has("x-secret"), "{canary} {secret}");
    }
    let elsewhere = proxy.worker(0).get("/").host("shop.example.com").header("x-secret", "1").send().unwrap();
    assert!(!elsewhere.request.has("x-secret"), "also where another rollout covers the request");
    assert_discreet(&proxy);
}

#[test]
fn keys_are_exchanged_without_anybody_moving() {
    let key = |id: &str, secret: &str| json!({"id": id, "secret": secret});
    let (old, new) = (key("k1", OLD_KEY), key("k2", KEY));
    let shop = |keys: Value| {
        let mut document = shop_with(50, &json!({"sticky": {"hold": "version"}}));
        merge(&mut document, &json!({"keys": keys, "headers": {"answer": "x-answer"}}));
        document.to_string()
    };
    let mut proxy = builder().start(shop(json!([old]))).unwrap();
    let ask = |proxy: &Proxy, cookies: &str| {
        let exchange = proxy.worker(1).get("/").header("cookie", cookies).send().unwrap();
        (exchange.response.text("x-answer").unwrap_or_default(), crate::site::cookies(&exchange))
    };
    let visitors: Vec<_> = (0..30)
        .map(|_| {
            let exchange = proxy.worker(0).get("/").send().unwrap();
            (format!("shop/{}/held", version(&exchange)), crate::site::cookies(&exchange))
        })
        .collect();
    assert!(visitors.iter().all(|(_, cookies)| cookies.matches(".kk1.t").count() == 2), "{visitors:?}");
    for keys in [json!([old, new]), json!([new, old])] {
        proxy.push(shop(keys)).unwrap();
        for (held, cookies) in &visitors {
            assert_eq!(ask(&proxy, cookies), (held.clone(), String::new()));
        }
    }
    let (_, written) = ask(&proxy, "");
    assert_eq!(written.matches(".kk2.t").count(), 2, "the first key signs: {written}");
    proxy.push(shop(json!([new]))).unwrap();
    for (_, cookies) in &visitors {
        let (answer, written) = ask(&proxy, cookies);
        assert!(
            answer.ends_with("/slot") && written.matches(".kk2.t").count() == 2,
            "a new visitor: {answer} {written}"
        );
    }
    let unsigned = "canary=nAAAAAAAAAA.d20454";
    assert!(!ask(&proxy, unsigned).1.is_empty(), "what is not signed counts as absent");
}

/// A rollout that was good, and is broken by a document that also takes away what it needs.
#[track_caller]
fn check_last_good(fields: &Value, taken_away: &Value, expected: &str) {
    let mut good = shop_with(100, fields);
    merge(&mut good, &json!({"keys": [{"id": "k1", "secret": KEY}], "headers": {"answer": "x-answer"}}));
    let mut proxy = with_mistakes().start(good.to_string()).unwrap();
    assert_eq!(answer(&proxy.worker(0), ""), "shop/v2/slot", "{fields}");
    let mut broken = good.clone();
    broken["rollouts"]["shop"]["total"] = json!("many");
    merge(&mut broken, taken_away);
    proxy.push(broken.to_string()).unwrap();
    for worker in proxy.workers() {
        assert_eq!(answer(&worker, ""), expected, "{fields} without {taken_away}");
    }
}

#[test]
fn a_last_good_form_gives_way_where_the_document_took_away_what_it_needs() {
    let (held, signed) =
        (json!({"sticky": {"hold": "version"}}), json!({"override": {"header": "x-canary", "trust": "signed"}}));
    let remembered =
        json!({"override": {"header": "x-canary", "trust": {"header": "x-s", "secret": SECRET}, "remember": "1h"}});
    let (no_cookie, no_keys) = (json!({"cookie": false}), json!({"keys": null}));
    let missing_key = json!({"keys": [{"id": "k1", "env": "KEY"}]});
    let (kept, broken) = ("shop/v2/slot", "shop/v1/broken");
    check_last_good(&held, &json!({}), kept);
    check_last_good(&held, &no_keys, kept);
    check_last_good(&held, &no_cookie, broken);
    check_last_good(&held, &missing_key, broken);
    check_last_good(&signed, &json!({}), kept);
    check_last_good(&signed, &no_keys, broken);
    check_last_good(&signed, &no_cookie, "shop/v2/random");
    check_last_good(&remembered, &json!({}), kept);
    check_last_good(&remembered, &no_keys, kept);
    check_last_good(&remembered, &no_cookie, broken);
}
