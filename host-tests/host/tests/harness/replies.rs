//! Answers in place of the upstream's: the filter's, the router's, and streams that end before their time.

use serin_host::routes::{Cluster, LocalReply, Route, RouteTable};
use serin_host::{HeaderMap, ProxyBuilder};

use crate::guest::{guest, on, proxy, said};

/// Answers with 418 and the body `blue`.
const REPLY: &str = "(drop (call $reply (i32.const 418) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 4)
    (i32.const 0) (i32.const 0) (i32.const -1)))";

/// Says that a response's headers came, and whether they are all.
fn witness() -> String {
    on("proxy_on_response_headers", "(call $note (i32.const 72)) (call $say (local.get 2))")
}

#[track_caller]
fn check(callbacks: &[String], status: u16, body: &str, expected: &str) {
    let proxy = proxy(callbacks);
    let exchange = proxy.worker(0).request("POST", "/").body(["ab"]).send().unwrap();
    assert_eq!((exchange.status, String::from_utf8_lossy(&exchange.body).as_ref()), (status, body));
    assert!(exchange.was_local || exchange.was_reset);
    assert_eq!(said(&proxy, "worker 0"), expected);
}

#[test]
fn a_filters_answer_passes_the_filter_if_nothing_has_come_back() {
    let body = on("proxy_on_response_body", "(call $note (i32.const 66)) (call $say (local.get 1))");
    for callback in ["proxy_on_request_headers", "proxy_on_request_body"] {
        check(&[on(callback, REPLY), witness(), body.clone()], 418, "blue", "H0B4");
    }
}

#[test]
fn it_replaces_a_response_that_has_come_and_ends_one_that_was_sent() {
    check(&[on("proxy_on_response_headers", REPLY)], 418, "blue", "");
    check(&[on("proxy_on_response_body", REPLY), witness()], 200, "", "H0");
}

#[test]
fn of_two_answers_the_first_counts() {
    let second = "(drop (call $reply (i32.const 500) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const -1)))";
    check(&[on("proxy_on_request_headers", &[REPLY, second].concat())], 418, "blue", "");
}

#[test]
fn what_is_answered_or_closed_takes_no_other_answer() {
    let late = |callbacks: &[String]| {
        let proxy = proxy(callbacks);
        let mut stream = proxy.worker(0).get("/").start().unwrap();
        stream.respond(HeaderMap::response().with(":status", "200")).unwrap();
        let exchange = stream.finish().unwrap();
        (exchange.status, exchange.was_local, exchange.was_reset, said(&proxy, "worker 0"))
    };
    assert_eq!(late(&[on("proxy_on_request_headers", REPLY), witness()]), (418, true, false, "H0".to_owned()));
    let close = format!("(drop (call $close (i32.const 0))) {REPLY}");
    assert_eq!(late(&[on("proxy_on_request_headers", &close), witness()]), (0, false, true, String::new()));
}

#[test]
fn envoys_answer_for_an_upstream_that_fails_passes_the_filter() {
    for (reply, status) in [(LocalReply::TIMEOUT, 504), (LocalReply::RESET, 503)] {
        let proxy = proxy(&[witness()]);
        let mut stream = proxy.worker(0).get("/").start().unwrap();
        stream.fail(&reply).unwrap();
        let exchange = stream.finish().unwrap();
        assert_eq!((exchange.status, exchange.was_local), (status, false));
        assert_eq!((exchange.details.as_deref(), said(&proxy, "worker 0").as_str()), (Some(reply.details), "H0"));
    }
}

#[test]
fn answers_without_a_body_end_with_their_headers() {
    let proxy = proxy(&[witness()]);
    let worker = proxy.worker(0);
    worker.request("HEAD", "/").send().unwrap();
    worker.get("/").answered_with(204).send().unwrap();
    worker.get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), "H1H1H0");
}

#[test]
fn an_answer_has_the_headers_that_envoy_gives_it() {
    let answered = |method: &str, kind: &str| {
        let proxy = proxy(&[on("proxy_on_request_headers", REPLY)]);
        let request = proxy.worker(0).request(method, "/").header("content-type", kind);
        let exchange = request.send().unwrap();
        (exchange.response, exchange.body)
    };
    let plain = HeaderMap::response().with(":status", "418").with("content-length", "4");
    let plain = plain.with("content-type", "text/plain");
    assert_eq!(answered("GET", "text/html"), (plain.clone(), b"blue".to_vec()));
    assert_eq!(answered("HEAD", "text/html"), (plain, Vec::new()));
    let grpc = HeaderMap::response().with(":status", "200").with("content-type", "application/grpc");
    let grpc = grpc.with("grpc-status", "2").with("grpc-message", "blue");
    assert_eq!(answered("POST", "application/grpc"), (grpc, Vec::new()));
}

#[test]
fn a_filter_can_close_the_stream() {
    let proxy = proxy(&[on("proxy_on_request_headers", "(drop (call $close (i32.const 0)))"), witness()]);
    let exchange = proxy.worker(0).get("/").send().unwrap();
    assert!(exchange.was_reset && exchange.response.is_empty());
    assert_eq!(exchange.details.as_deref(), Some("wasm_close_stream"));
    assert_eq!(said(&proxy, "worker 0"), "");
}

/// Routes by `x-lane`; the filter sets it to `blue`.
fn routed(cluster: Option<Cluster>) -> (u16, Option<String>, String) {
    let mut table = RouteTable::new(&["red"], vec![Route::to("blue").when("x-lane", "blue"), Route::to("red")]);
    table.clusters.extend(cluster.map(|cluster| ("blue".to_owned(), cluster)));
    let guest = guest(&[on("proxy_on_request_headers", "(drop (call $set_lane (i32.const 0)))"), witness()]);
    let proxy = ProxyBuilder::new(&guest).routes(table).start("").unwrap();
    let exchange = proxy.worker(0).get("/").send().unwrap();
    (exchange.status, exchange.cluster, said(&proxy, "worker 0"))
}

#[test]
fn a_request_goes_where_its_headers_say_at_last() {
    assert_eq!(routed(Some(Cluster::Serves)), (200, Some("blue".to_owned()), "H0".to_owned()));
}

#[test]
fn the_routers_own_answers_pass_the_filter() {
    assert_eq!(routed(None), (503, None, "H1".to_owned()), "no such cluster");
    assert_eq!(routed(Some(Cluster::Empty)), (503, None, "H0".to_owned()), "no endpoint");
    let guest = guest(&[witness()]);
    let proxy = ProxyBuilder::new(&guest).routes(RouteTable::new(&[], Vec::new())).start("").unwrap();
    assert_eq!(proxy.worker(0).get("/").send().unwrap().status, 404);
    assert_eq!(said(&proxy, "worker 0"), "H1");
}
