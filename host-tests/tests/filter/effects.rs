//! What a decision leaves behind beside its headers: the access log, counters, caches, and names that nobody may send.

use std::time::Duration;

use serde_json::{Value, json};
use serin_host::{Direction, Exchange, HeaderMap, Proxy};

use crate::site::{builder, merge, proxy, shop, shop_with, version, visitor_on};

/// The decision as the access log shows it.
fn logged(exchange: &Exchange) -> Option<String> {
    let value = exchange.filter_state.get(b"serin".as_slice())?;
    Some(String::from_utf8(value.clone()).expect("text"))
}

fn with_top(mut document: Value, top: &Value) -> Value {
    merge(&mut document, top);
    document
}

#[test]
fn the_access_log_gets_the_decision_if_the_document_says_so() {
    let covered = json!({"match": [{"hosts": ["example.com"]}]});
    let check = |document: &Value, host: &str, expected: Option<&str>| {
        let exchange = proxy(document).worker(0).get("/").host(host).send().unwrap();
        assert_eq!(logged(&exchange).as_deref(), expected, "{document} {host}");
        assert!(exchange.filter_state.len() <= 1, "{:?}", exchange.filter_state);
    };
    let on = json!({"access_log": true});
    let stable = with_top(shop_with(0, &covered), &on);
    check(&stable, "example.com", Some("shop/v1/slot"));
    check(&stable, "example.org", None);
    check(&with_top(shop_with(100, &covered), &on), "example.com", Some("shop/v2/slot"));
    check(&with_top(shop_with(100, &json!({"dry_run": true})), &on), "", Some("shop/v2/slot"));
    check(&with_top(shop(100), &json!({"access_log": false, "headers": {"answer": "x-a"}})), "", None);
    check(&shop(100), "", None);
}

/// A split whose rollout is `shop`, with its decision in the access log.
fn split(fields: &Value) -> Value {
    let mut document = shop_with(0, fields);
    document["rollouts"]["shop"]["versions"] = json!({"v1": {"cluster": "shop-v1"}, "v2": {"cluster": "shop-v2"}});
    with_top(document, &json!({"access_log": true, "headers": {"slot": "x-slot"}}))
}

fn decided(proxy: &mut Proxy, version: &str, reason: &str) -> u64 {
    proxy.advance(Duration::from_secs(1)).unwrap();
    proxy.counter(&format!("serin_decisions.rollout.shop.version.{version}.reason.{reason}"))
}

#[test]
fn a_version_that_the_route_chooses_is_counted_as_unknown() {
    let native = split(&json!({"split": "native"}));
    let route = split(&json!({"split": "route", "sticky": {"hold": "version"}}));
    let check = |document: &Value, cluster: &str, version: &str, reason: &str| {
        let mut proxy = proxy(document);
        let request = proxy.worker(0).get("/").property("xds.cluster_name", cluster);
        let exchange = request.send().unwrap();
        assert_eq!(logged(&exchange), Some(format!("shop/{version}/{reason}")), "{document} {cluster}");
        assert_eq!(decided(&mut proxy, version, reason), 1, "{document} {cluster}");
    };
    check(&native, "shop-v2", "-", "slot");
    check(&split(&json!({"split": "native", "sticky": {"hold": "none"}})), "shop-v2", "-", "random");
    check(&route, "shop-v2", "v2", "route");
    check(&route, "shop-v1", "v1", "route");
    check(&route, "another", "-", "route");
}

#[test]
fn a_response_is_counted_once_and_a_request_without_one_never() {
    let mut proxy = proxy(&shop(100));
    let worker = proxy.worker(0);
    let response = || HeaderMap::response().with(":status", "200");
    // An internal redirect: the first stream ends unanswered, and another one takes its place.
    drop(worker.get("/").start().unwrap());
    let mut stream = worker.get("/").start().unwrap();
    assert!(stream.respond(response()).unwrap().has("set-cookie"));
    stream.finish().unwrap();
    assert_eq!(decided(&mut proxy, "v2", "slot"), 1);
    worker.get("/").start().unwrap().finish().unwrap();
    assert_eq!(decided(&mut proxy, "v2", "slot"), 1, "nobody was answered");
    worker.get("/").answered_with(503).send().unwrap();
    assert_eq!(decided(&mut proxy, "v2", "slot"), 2, "an error is an answer");
}

#[test]
fn a_server_error_takes_no_cookie_and_stays_as_public_as_it_was() {
    let check = |fields: &Value, status: &str, sent: &str, expected: &str, cookies: usize| {
        let proxy = proxy(&shop_with(100, fields));
        let answer = HeaderMap::response().with(":status", status).with("cache-control", sent);
        let response = proxy.worker(0).get("/").answered(answer).send().unwrap().response;
        assert_eq!(response.text("cache-control").as_deref(), Some(expected), "{fields} {status}");
        assert_eq!(response.all("set-cookie").len(), cookies, "{fields} {status}");
    };
    let (none, all) = (json!({"sticky": {"hold": "version"}}), json!({"sticky": {"hold": "version", "cache": "all"}}));
    check(&none, "200", "public, max-age=9", "private, max-age=9", 2);
    check(&none, "503", "public, max-age=9", "public, max-age=9", 0);
    check(&all, "200", "public, max-age=9", "private, max-age=9", 2);
    check(&all, "503", "public, max-age=9", "private, max-age=9", 0);
    check(&json!({"dry_run": true, "sticky": {"cache": "all"}}), "200", "public", "public", 0);
}

#[test]
fn a_held_version_of_a_marked_visitor_is_private_only_if_all_are() {
    for (cache, expected) in [("cookie", None), ("all", Some("private"))] {
        let proxy = proxy(&shop_with(50, &json!({"sticky": {"cache": cache}})));
        for (wanted, expected) in [("v1", None), ("v2", expected)] {
            let cookie = visitor_on(&proxy.worker(0), wanted);
            let response = proxy.worker(0).get("/").header("cookie", cookie).send().unwrap().response;
            assert_eq!(response.text("cache-control").as_deref(), expected, "{cache} {wanted}");
        }
    }
}

#[test]
fn names_of_set_headers_never_come_in_from_a_client() {
    let mut document = shop_with(100, &json!({"match": [{"path": {"prefix": "/shop"}}]}));
    document["rollouts"]["shop"]["versions"]["v2"]["set_headers"] = json!({"X-Lane": "two", "x-empty": ""});
    document["rollouts"]["cart"] = json!({
        "match": [{"path": {"prefix": "/cart"}}], "stable": "v1", "mark_stable": true,
        "versions": {"v1": {"set_headers": {"x-lane": "cart"}}, "v2": {}},
    });
    let proxy = proxy(&document);
    let check = |path: &str, lane: Option<&str>, empty: Option<&str>, refreshes: u64| {
        for sent in [false, true] {
            let request = proxy.worker(1).get(path);
            let request = if sent {
                request.header("X-LANE", "spoofed").header("x-lane", "1").header("x-empty", "1")
            } else {
                request
            };
            let exchange = request.send().unwrap();
            assert_eq!(exchange.request.text("x-lane").as_deref(), lane, "{path} {sent}");
            assert_eq!(exchange.request.text("x-empty").as_deref(), empty, "{path} {sent}");
            assert!(exchange.request.all("x-lane").len() <= 1);
            assert!(sent || exchange.route_refreshes == refreshes, "{path}: {}", exchange.route_refreshes);
        }
    };
    check("/shop", Some("two"), Some(""), 3);
    check("/cart", Some("cart"), None, 2);
    check("/other", None, None, 0);
}

#[test]
fn a_dry_run_decides_and_changes_nothing() {
    let mut document = shop_with(100, &json!({"dry_run": true, "mark_stable": true, "sticky": {"hold": "version"}}));
    document["rollouts"]["shop"]["versions"]["v2"]["set_headers"] = json!({"x-lane": "two"});
    let mut proxy = proxy(&document);
    let exchange = proxy.worker(0).get("/").send().unwrap();
    assert_eq!((version(&exchange).as_str(), exchange.route_refreshes), ("v1", 0));
    assert!(!exchange.request.has("x-lane") && !exchange.response.has("set-cookie"));
    assert_eq!(decided(&mut proxy, "v2", "slot"), 1, "it is counted as if it were carried out");
}

/// What an inbound listener makes of a version that the hop before has chosen.
#[test]
fn inherit_waits_for_an_inbound_listener_to_decide() {
    let check = |direction: Direction, inbound: &str, sent: &str, expected: &str| {
        let document =
            with_top(shop_with(0, &json!({"inherit": true})), &json!({"inbound": inbound, "access_log": true}));
        let proxy = builder().direction(direction).start(document.to_string()).unwrap();
        let exchange = proxy.worker(0).get("/").header("x-canary-version", sent).send().unwrap();
        let seen = exchange.request.text("x-canary-version").unwrap_or_default();
        let shown = logged(&exchange).unwrap_or_default();
        assert_eq!(format!("{seen} {shown}"), expected, "{direction:?} {inbound} {sent}");
    };
    check(Direction::Inbound, "skip", "v2", "v2 ");
    check(Direction::Inbound, "skip", "unknown", "unknown ");
    check(Direction::Inbound, "decide", "v2", "v2 shop/v2/inherit");
    check(Direction::Inbound, "decide", "unknown", " shop/v1/slot");
    check(Direction::Outbound, "skip", "v2", "v2 shop/v2/inherit");
    check(Direction::Unspecified, "skip", "v1", "v1 shop/v1/inherit");
}
