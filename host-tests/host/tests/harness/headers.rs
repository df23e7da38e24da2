//! Header maps, from the test's side and from the guest's.

use serin_host::{HeaderMap, Lapse};

use crate::guest::{on, proxy, proxy_with, said};

#[test]
fn a_header_map_is_an_ordered_multimap() {
    let check = |change: fn(&mut HeaderMap), name: &str, expected: &[&str]| {
        let mut map =
            HeaderMap::request().with("Accept", "a").with("cookie", "1").with("COOKIE", "2").with("host", "h");
        change(&mut map);
        let values: Vec<_> = map.all(name).into_iter().map(String::from_utf8_lossy).collect();
        assert_eq!(values, expected, "{name}");
    };
    check(|_| {}, "Cookie", &["1", "2"]);
    check(|map| map.add("cookie", ""), "cookie", &["1", "2", ""]);
    check(|map| map.replace("COOKIE", "3"), "cookie", &["3"]);
    check(|map| map.replace("new", "3"), "new", &["3"]);
    check(|map| map.remove("Cookie"), "cookie", &[]);
    check(|map| map.remove("absent"), "cookie", &["1", "2"]);
    check(|_| {}, ":authority", &["h"]);
    check(|_| {}, "host", &["h"]);
    check(|map| map.replace("host", "other"), ":authority", &["other"]);
    check(|map| map.add(":authority", "more"), "host", &["h,more"]);
}

#[test]
fn get_gives_the_first_value_and_only_a_request_has_its_host_as_authority() {
    let request = HeaderMap::request().with("cookie", "1").with("cookie", "2").with("host", "h");
    assert_eq!(request.get("cookie"), Some(&b"1"[..]));
    assert_eq!(request.get(":authority"), Some(&b"h"[..]));
    assert_eq!(HeaderMap::response().with("host", "h").get(":authority"), None);
}

#[test]
fn a_guest_changes_the_headers_that_routes_see() {
    let proxy = proxy(&[
        on("proxy_on_request_headers", "(drop (call $set_lane (i32.const 0)))"),
        on(
            "proxy_on_response_headers",
            "(drop (call $add (i32.const 2) (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)))",
        ),
    ]);
    let response = HeaderMap::response().with(":status", "200").with("x-lane", "red");
    let exchange =
        proxy.worker(0).get("/").header("X-Lane", "red").header("x-lane", "green").answered(response).send().unwrap();
    assert_eq!(exchange.request.all("x-lane"), [b"blue"]);
    assert_eq!(exchange.response.all("x-lane"), [&b"red"[..], b"blue"]);
    assert_eq!(exchange.route_refreshes, 1);
    assert_eq!(exchange.usage.total_host_calls(), 2);
    assert_eq!(exchange.usage.bytes_out(), 20);
}

/// Runs the body on a request with `x-lane: red` and `x-lane: green`.
#[track_caller]
fn check(body: &str, expected: &str) {
    let proxy = proxy(&[on("proxy_on_request_headers", body)]);
    proxy.worker(0).get("/").header("x-lane", "red").header("x-lane", "green").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), expected);
}

#[test]
fn a_guest_gets_the_first_value() {
    check("(call $say (call $get_lane (i32.const 0))) (call $note (i32.load8_u (i32.load (i32.const 3000))))", "0r");
}

#[test]
fn a_header_that_is_not_there_is_not_found() {
    check("(drop (call $remove_lane (i32.const 0))) (call $say (call $get_lane (i32.const 0)))", "1");
}

#[test]
fn an_empty_value_is_there_and_has_no_pointer() {
    check(
        "(drop (call $replace (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 0)))
        (i32.store (i32.const 3000) (i32.const 9))
        (call $say (call $get_lane (i32.const 0))) (call $say (i32.load (i32.const 3000)))",
        "00",
    );
}

#[test]
fn trailers_are_read_only_where_there_are_some() {
    let look = "(call $say (call $get (i32.const 1) (i32.const 0) (i32.const 6) (i32.const 3000) (i32.const 3004)))";
    let proxy = proxy_with(Lapse::WrongPhase, &[on("proxy_on_request_body", look)]);
    let exchange = proxy.worker(0).get("/").body(["a"]).http2().send().unwrap();
    assert_eq!((said(&proxy, "worker 0").as_str(), exchange.request_trailers), ("2", None));
}

#[test]
fn pointers_that_lead_outside_the_memory_are_refused() {
    check("(call $say (call $remove (i32.const 0) (i32.const 131070) (i32.const 6)))", "6");
    check("(call $say (call $get (i32.const 0) (i32.const 0) (i32.const 6) (i32.const -1) (i32.const 3004)))", "6");
}

#[test]
fn pairs_come_as_they_are_and_malformed_ones_empty_the_map() {
    let proxy = proxy(&[on(
        "proxy_on_request_headers",
        "(drop (call $pairs (i32.const 0) (i32.const 3000) (i32.const 3004)))
        (call $say (i32.load (i32.load (i32.const 3000))))
        (drop (call $set_pairs (i32.const 0) (i32.const 0) (i32.const 6)))",
    )]);
    let exchange = proxy.worker(0).get("/").header("x-lane", "red").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), "5");
    assert!(exchange.request.is_empty());
}

/// Runs the probe in one callback: get and set of the request's header, get and remove of the response's, pairs of
/// trailers, a map that does not exist, the configuration, a property.
#[track_caller]
fn check_phase(callback: &str, expected: &str) {
    let probe = "
        (call $say (call $get_lane (i32.const 0))) (call $say (call $set_lane (i32.const 0)))
        (call $say (call $get_lane (i32.const 2))) (call $say (call $remove_lane (i32.const 2)))
        (call $say (call $pairs (i32.const 1) (i32.const 3000) (i32.const 3004)))
        (call $say (call $get_lane (i32.const 8)))
        (call $say (call $configuration))
        (call $say (call $set_property (i32.const 80) (i32.const 4) (i32.const 16) (i32.const 4)))";
    let timer = if callback == "proxy_on_vm_start" {
        String::new()
    } else {
        on("proxy_on_vm_start", "(drop (call $period (i32.const 1000)))")
    };
    let mut proxy = proxy_with(Lapse::WrongPhase, &[timer, on(callback, probe)]);
    let response = HeaderMap::response().with(":status", "200").with("x-lane", "red");
    proxy.worker(0).get("/").header("x-lane", "red").answered(response).send().unwrap();
    proxy.tick().unwrap();
    assert_eq!(said(&proxy, "worker 0"), expected, "{callback}");
}

#[test]
fn a_call_outside_its_phase_is_refused_as_envoy_refuses_it() {
    check_phase("proxy_on_request_headers", "00220210");
    check_phase("proxy_on_response_headers", "22000210");
    check_phase("proxy_on_log", "02020210");
    check_phase("proxy_on_done", "22220210");
    check_phase("proxy_on_vm_start", "22220211");
    check_phase("proxy_on_configure", "22220201");
    check_phase("proxy_on_tick", "22220211");
}
