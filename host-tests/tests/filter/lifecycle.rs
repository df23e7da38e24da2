//! Starting: bad documents, the forms of a configuration, counters, and that nothing grows.

use std::time::Duration;

use serde_json::{Value, json};
use serin_host::{LogLevel, Proxy};

use crate::site::{
    PLUGIN, assert_sound, builder, merge, new_visitor, proxy, shop, shop_with, version, visitor_on, with_mistakes,
};
use crate::wire::encode_struct;

/// Starts with a document that cannot be used at all.
#[track_caller]
fn check_inert(document: &[u8], named_in_log: &str) {
    let proxy = with_mistakes().start(document).expect("a bad document is no reason not to start");
    let exchange = proxy.worker(0).get("/").header("x-canary-version", "v2").send().unwrap();
    let shown = String::from_utf8_lossy(document);
    assert!(!exchange.request.has("x-canary-version"), "{shown}");
    assert!(!exchange.response.has("set-cookie"), "{shown}");
    assert_eq!(proxy.worker(0).get("/").send().unwrap().route_refreshes, 0, "{shown}");
    assert_eq!(
        proxy.counter(&format!("serin_config_rejected.plugin.{PLUGIN}")),
        4,
        "canary, main, two workers: {shown}"
    );
    assert_eq!(proxy.gauge(&format!("serin_config_ok.plugin.{PLUGIN}")), Some(0), "{shown}");
    let errors: Vec<_> = proxy.log().into_iter().filter(|line| line.level == LogLevel::Error).collect();
    assert!(errors.iter().any(|line| line.text.contains(named_in_log)), "{shown}: {errors:?}");
}

#[test]
fn a_bad_document_at_a_cold_start_leaves_the_filter_inert() {
    check_inert(b"", "");
    check_inert(b"{", "");
    check_inert(b"[]", "");
    check_inert(b"rollouts: {}", "");
    check_inert(&[0, 0xff, 0x0a, 0x80], "");
    check_inert(&[0x0a; 64], "");
    check_inert(br#"{"rolouts": {}}"#, "rolouts");
    check_inert(br#"{"rollouts": 3}"#, "rollouts");
    check_inert(br#"{"cookie": {"max_age": "soon"}}"#, "cookie.max_age");
    check_inert(br#"{"headers": {"version": 7}}"#, "headers.version");
    check_inert("[".repeat(100_000).as_bytes(), "");
}

#[test]
fn an_inert_filter_strips_the_names_of_headers_that_can_be_read() {
    let document = json!({"headers": {"version": "x-lane"}, "rolouts": {}});
    let proxy = with_mistakes().start(document.to_string()).unwrap();
    let exchange = proxy.worker(0).get("/").header("x-lane", "v2").send().unwrap();
    assert!(!exchange.request.has("x-lane"));
}

#[test]
fn a_rollout_that_is_broken_from_the_start_serves_stable_and_leaves_the_others_alone() {
    let mut document = shop_with(100, &json!({"match": [{"hosts": ["shop.example.com"]}]}));
    document["rollouts"]["cart"] =
        json!({"match": [{"hosts": ["cart.example.com"]}], "stable": "s", "versions": {"s": {}, "t": {"wieght": 100}}});
    let proxy = with_mistakes().start(document.to_string()).unwrap();
    let of = |host: &str| version(&proxy.worker(0).get("/").host(host).send().unwrap());
    assert_eq!(of("shop.example.com"), "v2");
    assert_eq!(of("cart.example.com"), "v1", "no version header, so the routes' stable");
    assert!(proxy.log().iter().any(|line| line.text.contains("rollouts.cart.versions.t.wieght")), "{:?}", proxy.log());
}

#[test]
fn every_vm_says_the_same_of_a_document() {
    let proxy =
        with_mistakes().start(r#"{"rollouts": {"a": {}, "b": {"stable": 1, "versions": []}}, "x": 1}"#).unwrap();
    let said =
        |vm: &str| proxy.log().into_iter().filter(|line| line.vm == vm).map(|line| line.text).collect::<Vec<_>>();
    assert!(!said("canary").is_empty());
    for vm in ["main", "worker 0", "worker 1"] {
        assert_eq!(said(vm), said("canary"), "{vm}");
    }
}

#[test]
fn a_document_decides_the_same_as_json_and_as_struct_bytes() {
    let mut document = shop_with(
        30,
        &json!({
            "match": [{"hosts": ["*.example.com"], "path": {"prefix": "/"}}],
            "release": "2026-11", "cohort": null, "mark_stable": true,
            "sticky": {"unit": [{"header": "x-user-id"}]},
        }),
    );
    merge(&mut document, &json!({"cookie": {"http_only": false}}));
    let object = document.as_object().unwrap();
    let start = |bytes: Vec<u8>| {
        let proxy = builder().start(bytes).unwrap();
        assert_sound(&proxy);
        let of = |id: u32| {
            let request = proxy.worker(0).get("/").host("shop.example.com").header("x-user-id", format!("user-{id}"));
            version(&request.send().unwrap())
        };
        (0..300).map(of).collect::<Vec<_>>()
    };
    let from_json = start(document.to_string().into_bytes());
    assert!(from_json.contains(&"v1".to_owned()) && from_json.contains(&"v2".to_owned()));
    assert_eq!(start(encode_struct(object, false)), from_json);
    assert_eq!(start(encode_struct(object, true)), from_json);
}

#[test]
fn flushed_counters_add_up_over_workers() {
    let mut proxy = proxy(&shop_with(50, &json!({"override": {"header": "x-canary"}})));
    for number in 0..300 {
        new_visitor(&proxy.worker(number % 2));
    }
    for _ in 0..7 {
        proxy.worker(1).get("/").header("x-canary", "v2").send().unwrap();
    }
    let count = |proxy: &Proxy, version: &str, reason: &str| {
        proxy.counter(&format!("serin_decisions.rollout.shop.version.{version}.reason.{reason}"))
    };
    assert_eq!(count(&proxy, "v1", "slot") + count(&proxy, "v2", "slot"), 0, "they wait for the tick");
    for _ in 0..3 {
        proxy.advance(Duration::from_secs(1)).unwrap();
        assert_eq!(count(&proxy, "v1", "slot") + count(&proxy, "v2", "slot"), 300);
        assert_eq!(count(&proxy, "v2", "override"), 7);
    }
}

#[test]
fn what_was_counted_is_not_lost_with_its_root() {
    let mut proxy = proxy(&shop(0));
    new_visitor(&proxy.worker(0));
    proxy.push(shop(1).to_string()).unwrap();
    assert_eq!(proxy.counter("serin_decisions.rollout.shop.version.v1.reason.slot"), 1);
}

#[test]
fn a_metric_is_defined_when_it_has_something_to_say_and_once() {
    let mut proxy = proxy(&shop(50));
    let worker = proxy.worker(0);
    let at_start = worker.metric_definitions();
    let stable = visitor_on(&worker, "v1");
    let canary = visitor_on(&worker, "v2");
    proxy.advance(Duration::from_secs(2)).unwrap();
    assert_eq!(worker.metric_definitions(), at_start + 2);
    for cookie in [stable, canary] {
        worker.get("/").header("cookie", cookie).send().unwrap();
    }
    proxy.push(shop(40).to_string()).unwrap();
    proxy.advance(Duration::from_secs(2)).unwrap();
    assert_eq!(worker.metric_definitions(), at_start + 2);
}

#[test]
fn nothing_grows_with_requests_and_pushes() {
    let mut proxy = proxy(&rollouts_at(10));
    let drive = |proxy: &mut Proxy, requests: usize, pushes: u32| {
        for push in 0..pushes {
            for number in 0..requests {
                let worker = proxy.worker(number % 2);
                let id = format!("user-{number}");
                worker.get("/cart?x=1").header("x-user-id", id).header("cookie", "a=b").send().unwrap();
            }
            let held = proxy.worker(0).get("/").start().unwrap();
            proxy.push(rollouts_at(1 + push % 97).to_string()).unwrap();
            drop(held);
            proxy.advance(Duration::from_secs(1)).unwrap();
        }
    };
    let size = |proxy: &Proxy| {
        let of = |worker: serin_host::Worker| {
            (worker.pages(), worker.metric_definitions(), worker.roots().len(), worker.timers().len())
        };
        [of(proxy.main_thread()), of(proxy.worker(0)), of(proxy.worker(1))]
    };
    drive(&mut proxy, 100, 20);
    let before = size(&proxy);
    drive(&mut proxy, 100, 200);
    assert_eq!(size(&proxy), before);
    assert!(before.iter().all(|(_, _, roots, timers)| (*roots, *timers) == (1, 1)), "{before:?}");
}

/// Twenty rollouts, so that a push is of some size.
fn rollouts_at(weight: u32) -> Value {
    let rollout = |number: usize| {
        let name = format!("r{number}");
        let entry = json!([{"hosts": [format!("h{number}.example.com")]}]);
        (name, json!({"match": entry, "stable": "v1", "versions": {"v1": {}, "v2": {"weight": weight}}}))
    };
    let mut document = shop_with(weight, &json!({"sticky": {"unit": [{"header": "x-user-id"}]}}));
    merge(&mut document["rollouts"], &Value::Object((0..20).map(rollout).collect()));
    document
}
