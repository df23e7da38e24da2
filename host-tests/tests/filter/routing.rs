//! What routes see: overrides, output headers, which requests a rollout covers, inbound listeners.

use serde_json::{Value, json};
use serin_host::{Direction, Worker};

use crate::site::{builder, merge, proxy, shop, shop_with, version, version_for, visitor_on};

fn with_override() -> Value {
    shop_with(
        0,
        &json!({"override": {
            "header": "x-canary", "query": "canary", "cookie": "lane", "aliases": {"always": "v2", "never": "v1"},
        }}),
    )
}

#[test]
fn an_override_reaches_the_version_that_it_names() {
    let proxy = proxy(&with_override());
    let worker = proxy.worker(0);
    let cases: [(&str, &str, &str, &str); 15] = [
        // path, header, cookie, version
        ("/", "v2", "", "v2"),
        ("/", " v2\t", "", "v2"),
        ("/", "always", "", "v2"),
        ("/?canary=v2", "", "", "v2"),
        ("/a?b=c&canary=always&d", "", "", "v2"),
        ("/", "", "lane=v2", "v2"),
        ("/", "", "a=b; lane=always", "v2"),
        ("/?canary=v2", "v1", "lane=v2", "v1"),
        ("/?canary=never", "", "lane=v2", "v1"),
        ("/?canary=v2", "unknown", "", "v2"),
        ("/", "v3", "", "v1"),
        ("/", "V2", "", "v1"),
        ("/?xcanary=v2", "", "", "v1"),
        ("/#?canary=v2", "", "", "v1"),
        ("/", "", "Lane=v2", "v1"),
    ];
    for (path, header, cookie, expected) in cases {
        let request = worker.get(path);
        let request = if header.is_empty() { request } else { request.header("x-canary", header) };
        let request = if cookie.is_empty() { request } else { request.header("cookie", cookie) };
        assert_eq!(version_for(request), expected, "{path} {header} {cookie}");
    }
}

#[test]
fn an_unknown_override_changes_nothing_and_is_counted() {
    let mut document = with_override();
    document["rollouts"]["shop"]["versions"]["v2"]["weight"] = json!(50);
    let mut proxy = proxy(&document);
    let worker = proxy.worker(0);
    for wanted in ["v1", "v2"] {
        let cookie = visitor_on(&worker, wanted);
        assert_eq!(version_for(worker.get("/").header("cookie", cookie).header("x-canary", "nobody")), wanted);
    }
    proxy.tick().unwrap();
    assert_eq!(proxy.counter("serin_overrides_ignored.rollout.shop"), 2);
}

#[test]
fn an_override_writes_no_cookie() {
    let proxy = proxy(&with_override());
    assert!(!proxy.worker(0).get("/").header("x-canary", "v2").send().unwrap().response.has("set-cookie"));
}

/// Sends the request with a client's own copies of the output headers: one, two, in odd case.
#[track_caller]
fn check_spoofed(worker: &Worker, cookie: &str, names: &[&str], expected: &[(&str, &[&str])]) {
    for copies in [1, 2] {
        for upper in [false, true] {
            let mut request = worker.get("/").header("cookie", cookie);
            for name in names {
                let name = if upper { name.to_ascii_uppercase() } else { (*name).to_owned() };
                for _ in 0..copies {
                    request = request.header(&name, "spoofed");
                }
            }
            let exchange = request.send().unwrap();
            for (name, values) in expected {
                let found: Vec<_> = exchange.request.all(name).into_iter().map(String::from_utf8_lossy).collect();
                assert_eq!(found, *values, "{name}, {copies} copies, in upper case: {upper}");
            }
        }
    }
}

#[test]
fn a_clients_copies_of_our_headers_never_reach_a_route() {
    let mut document = shop(50);
    merge(&mut document, &json!({"headers": {"cluster": "x-cluster", "reason": "x-reason"}}));
    let proxy = proxy(&document);
    let worker = proxy.worker(0);
    let names = ["x-canary-version", "x-cluster", "x-reason"];
    let stable = visitor_on(&worker, "v1");
    check_spoofed(&worker, &stable, &names, &[("x-canary-version", &[]), ("x-cluster", &[]), ("x-reason", &[])]);
    let canary = visitor_on(&worker, "v2");
    let carried: [(&str, &[&str]); 3] =
        [("x-canary-version", &["v2"]), ("x-cluster", &["shop-v2"]), ("x-reason", &["slot"])];
    check_spoofed(&worker, &canary, &names, &carried);
}

#[test]
fn they_are_removed_from_requests_that_no_rollout_covers_too() {
    let proxy = proxy(&shop_with(50, &json!({"match": [{"hosts": ["shop.example.com"]}]})));
    check_spoofed(&proxy.worker(0), "a=b", &["x-canary-version"], &[("x-canary-version", &[])]);
}

#[test]
fn a_decision_for_stable_touches_nothing_and_a_canary_one_header() {
    let proxy = proxy(&shop(50));
    let worker = proxy.worker(0);
    let of = |wanted: &str| {
        let cookie = visitor_on(&worker, wanted);
        worker.get("/").header("cookie", cookie).header("x-other", "1").send().unwrap()
    };
    let (stable, canary) = (of("v1"), of("v2"));
    assert_eq!(stable.route_refreshes, 0);
    assert_eq!(canary.route_refreshes, 1);
    assert_eq!(canary.request.len(), stable.request.len() + 1, "{:?}", canary.request);
    assert!(canary.request.has("x-canary-version") && !stable.request.has("x-canary-version"));
}

#[test]
fn every_output_header_that_is_asked_for_is_written() {
    let mut document = shop(100);
    let headers = json!({"version": "x-v", "cluster": "x-c", "slot": "x-s", "reason": "x-r", "answer": "x-a"});
    merge(&mut document, &json!({"headers": headers}));
    let exchange = proxy(&document).worker(0).get("/").send().unwrap();
    let text = |name: &str| exchange.request.text(name).unwrap_or_default();
    assert_eq!([text("x-v"), text("x-c"), text("x-r")], ["v2", "shop-v2", "slot"]);
    assert!(text("x-s").parse::<u32>().is_ok_and(|slot| slot < 1_000_000), "{}", text("x-s"));
    assert_eq!(exchange.response.text("x-a").as_deref(), Some("shop/v2/slot"));
}

#[test]
fn a_marked_stable_is_named() {
    let proxy = proxy(&shop_with(0, &json!({"mark_stable": true})));
    let exchange = proxy.worker(0).get("/").header("x-canary-version", "v2").send().unwrap();
    assert_eq!(exchange.request.all("x-canary-version"), [b"v1"]);
}

#[test]
fn a_second_cookie_line_is_read() {
    let proxy = proxy(&shop(50));
    let worker = proxy.worker(0);
    for wanted in ["v1", "v2"] {
        let cookie = visitor_on(&worker, wanted);
        let exchange = worker.get("/").header("cookie", "a=b; c=d").header("cookie", &cookie).send().unwrap();
        assert_eq!(version(&exchange), wanted);
        assert!(!exchange.response.has("set-cookie"));
    }
}

#[test]
fn a_rollout_covers_its_hosts_and_paths_and_the_most_specific_one_wins() {
    let rollout = |entries: Value, name: &str| json!({"match": entries, "stable": "s", "versions": {"s": {}, name: {"weight": 100}}});
    let proxy = proxy(&json!({"rollouts": {
        "all": rollout(json!([{}]), "all"),
        "wide": rollout(json!([{"hosts": ["*.example.com"]}]), "wide"),
        "shop": rollout(json!([{"hosts": ["shop.example.com"]}]), "shop"),
        "cart": rollout(json!([{"hosts": ["shop.example.com"], "path": {"prefix": "/cart"}}]), "cart"),
        "pay": rollout(json!([{"hosts": ["shop.example.com"], "path": {"exact": "/cart/pay"}}]), "pay"),
    }}));
    let check = |host: &str, path: &str, expected: &str| {
        assert_eq!(version_for(proxy.worker(0).get(path).host(host)), expected, "{host}{path}");
    };
    check("example.com", "/", "all");
    check("shop.example.org", "/cart", "all");
    check("a.example.com", "/cart", "wide");
    check("a.b.example.com", "/", "wide");
    check("shop.example.com", "/", "shop");
    check("SHOP.Example.com:8443", "/", "shop");
    check("shop.example.com", "/carts", "shop");
    check("shop.example.com", "/cart", "cart");
    check("shop.example.com", "/cart?pay", "cart");
    check("shop.example.com", "/cart/pay/", "cart");
    check("shop.example.com", "/cart/pay", "pay");
    check("shop.example.com", "/cart/pay?x=/", "pay");
    check("", "/cart/pay", "all");
}

#[test]
fn an_inbound_listener_is_left_alone_unless_the_document_says_decide() {
    let check = |direction: Direction, inbound: &str, expected: &str| {
        let mut document = shop(100);
        merge(&mut document, &json!({"inbound": inbound}));
        let proxy = builder().direction(direction).start(document.to_string()).unwrap();
        let exchange = proxy.worker(0).get("/").send().unwrap();
        assert_eq!(version(&exchange), expected, "{direction:?}, {inbound}");
        assert_eq!(exchange.response.has("set-cookie"), expected == "v2");
    };
    check(Direction::Inbound, "skip", "v1");
    check(Direction::Inbound, "decide", "v2");
    check(Direction::Outbound, "skip", "v2");
    check(Direction::Unspecified, "skip", "v2");
}

#[test]
fn on_an_inbound_listener_the_version_of_the_hop_before_goes_on() {
    let proxy = builder().direction(Direction::Inbound).start(shop(0).to_string()).unwrap();
    let exchange = proxy.worker(0).get("/").header("x-canary-version", "v2").send().unwrap();
    assert_eq!(version(&exchange), "v2");
    assert_eq!(exchange.route_refreshes, 0);
}

/// A rollout with hosts has all headers read at once, others have them read by name. What they find is the same.
#[test]
fn headers_read_at_once_are_those_read_by_name() {
    let condition =
        |name: &str, value: &str| json!([{"when": {"headers": [{"name": name, "exact": value}]}, "use": "v2"}]);
    let cases = [
        (condition("x-plan", "gold"), "v2"),
        // The first of two counts.
        (condition("x-plan", "silver"), "v1"),
        (condition("x-plan-b", "gold"), "v1"),
        (condition("x-empty", ""), "v2"),
        (condition("x-bytes", "a"), "v1"),
        // Asked for by this name, Envoy gives :authority.
        (condition("host", "example.com"), "v2"),
        // In the second line.
        (json!([{"when": {"cookies": [{"name": "b", "exact": "2"}]}, "use": "v2"}]), "v2"),
    ];
    for (rules, expected) in cases {
        let values_read = [json!({}), json!({"hosts": ["example.com"]})].map(|entry| {
            let document = shop_with(0, &json!({"match": [entry], "rules": rules}));
            let request = proxy(&document).worker(0).get("/cart?a=b").header("x-empty", "").header("x-plan", "gold");
            let request = request.header("x-plan", "silver").header("x-plano", "gold").header("x-bytes", [0xff, b'a']);
            let request = request.header("cookie", "a=1").header("cookie", "b=2").header("x-canary-version", "spoofed");
            let exchange = request.send().unwrap();
            assert_eq!(version(&exchange), expected, "{rules} with {entry}");
            exchange.usage.calls_of("proxy_get_header_map_value")
        });
        assert!(values_read[0] > values_read[1], "both by name? {values_read:?}");
    }
}

/// One call for all headers is worth it from three on that rules ask for, however often they ask for them.
#[test]
fn headers_are_read_at_once_where_many_are_asked_for() {
    let check = |names: &[&str], expected: bool| {
        let rules: Vec<_> = names
            .iter()
            .map(|name| json!({"when": {"headers": [{"name": name, "exact": "yes"}]}, "use": "v2"}))
            .collect();
        let exchange = proxy(&shop_with(0, &json!({"rules": rules}))).worker(0).get("/").send().unwrap();
        assert_eq!(exchange.usage.calls_of("proxy_get_header_map_pairs"), u64::from(expected), "{names:?}");
    };
    check(&["x-a", "x-b"], false);
    check(&["x-a", "x-b", "x-a", "x-a", "x-b"], false);
    check(&["x-a", "x-b", "x-c"], true);
}
