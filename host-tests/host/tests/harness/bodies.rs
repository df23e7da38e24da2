//! Bodies and trailers: what a filter sees of them, holds, changes and lets go.

use serin_host::{Action, Exchange, HeaderMap, Lapse, Proxy};

use crate::guest::{on, proxy, proxy_with, said};

/// Says the size of what is shown and whether it is the last.
const SAY: &str = "(call $say (local.get 1)) (call $say (local.get 2))";
/// Holds the body with this answer until its end.
fn hold(answer: u32) -> String {
    format!("(if (i32.eqz (local.get 2)) (then (return (i32.const {answer}))))")
}

/// Puts `blue` into the request's body when it has ended.
fn put(start: u32, size: u32) -> String {
    format!(
        "(if (local.get 2) (then (drop (call $set_buffer (i32.const 0) (i32.const {start}) (i32.const {size})
            (i32.const 16) (i32.const 4)))))"
    )
}

fn send(callback: &str, body: &str, http2: bool) -> (Exchange, String) {
    let proxy = proxy(&[on(callback, body)]);
    let request = proxy.worker(0).request("POST", "/").body(["ab", "c"]).answer_body(["ab", "c"]);
    let exchange = if http2 { request.http2() } else { request }.send().unwrap();
    (exchange, said(&proxy, "worker 0"))
}

#[track_caller]
fn check(body: &str, http2: bool, expected: &str, passed: &str) {
    for (callback, side) in [("proxy_on_request_body", 0), ("proxy_on_response_body", 1)] {
        let body = body.replace("$set_buffer (i32.const 0)", &format!("$set_buffer (i32.const {side})"));
        let (exchange, seen) = send(callback, &body, http2);
        assert_eq!(seen, expected, "{callback}");
        let text = if side == 0 { exchange.request_body } else { exchange.body };
        assert_eq!(String::from_utf8_lossy(&text), passed, "{callback}");
    }
}

#[test]
fn a_body_goes_on_piece_by_piece() {
    check(SAY, false, "201001", "abc");
    check(SAY, true, "2011", "abc");
}

#[test]
fn a_body_that_is_held_is_shown_as_a_whole() {
    check(&[SAY, &hold(1)].concat(), false, "203031", "abc");
    check(&[SAY, &hold(1)].concat(), true, "2031", "abc");
}

#[test]
fn what_is_held_behind_a_watermark_is_shown_once() {
    check(&[SAY, &hold(2)].concat(), true, "2011", "abc");
}

#[test]
fn what_is_not_kept_is_lost() {
    check(&[SAY, &hold(3)].concat(), true, "2011", "c");
}

#[test]
fn a_body_can_be_changed() {
    let changed = |start, size| [hold(1), put(start, size)].concat();
    check(&changed(0, 0), true, "", "blueabc");
    check(&changed(0, 2), true, "", "bluec");
    check(&changed(0, 99), true, "", "blue");
    check(&changed(3, 0), true, "", "abcblue");
    check(&changed(99, 0), true, "", "abcblue");
    check(&changed(1, 0), true, "", "abc");
}

#[test]
fn a_body_that_is_held_for_ever_goes_nowhere() {
    let (exchange, _) = send("proxy_on_request_body", "(return (i32.const 1))", false);
    assert_eq!((exchange.action, exchange.status, exchange.request_body), (Action::Pause, 0, Vec::new()));
    assert!(exchange.upstream.is_some(), "the headers have gone on");
}

#[test]
fn a_body_that_is_held_must_fit() {
    let big = vec![b'x'; 1024 * 1024 + 1];
    let proxy = proxy(&[
        on("proxy_on_request_body", "(return (i32.const 1))"),
        on("proxy_on_response_body", "(return (i32.const 1))"),
    ]);
    let exchange = proxy.worker(0).get("/").body([&big]).send().unwrap();
    assert_eq!((exchange.status, exchange.was_local), (413, false));
    let exchange = proxy.worker(0).get("/").answer_body([&big]).send().unwrap();
    assert!(exchange.was_reset, "the headers had been sent");
}

/// A guest that holds what `callback` shows, and lets it go with the next tick.
fn held_until_tick(callback: &str, more: &[String]) -> Proxy {
    let period = on("proxy_on_configure", "(drop (call $period (i32.const 1000)))");
    let resume = on(
        "proxy_on_tick",
        "(if (i32.eqz (call $act_for (i32.const 2))) (then (drop (call $continue (i32.const 0)))))",
    );
    let hold = on(callback, "(return (i32.const 1))");
    proxy(&[&[period, resume, hold], more].concat())
}

#[test]
fn while_headers_wait_nothing_is_shown_and_then_all_of_it() {
    let trailers = on("proxy_on_request_trailers", "(call $note (i32.const 84)) (call $say (local.get 1))");
    let mut proxy = held_until_tick("proxy_on_request_headers", &[on("proxy_on_request_body", SAY), trailers]);
    let worker = proxy.worker(0);
    let trailers = HeaderMap::request().with("a", "1").with("b", "2");
    let stream = worker.get("/").body(["ab", "c"]).trailers(trailers.clone()).start().unwrap();
    assert_eq!((stream.action(), said(&proxy, "worker 0")), (Action::Pause, String::new()));
    proxy.tick().unwrap();
    assert_eq!(said(&proxy, "worker 0"), "30T2");
    let exchange = stream.complete().unwrap();
    assert_eq!((exchange.status, exchange.request_body), (200, b"abc".to_vec()));
    assert_eq!(exchange.request_trailers, Some(trailers));
}

#[test]
fn a_body_and_trailers_that_are_held_go_on_when_the_stream_is_resumed() {
    for callback in ["proxy_on_request_body", "proxy_on_request_trailers"] {
        let mut proxy = held_until_tick(callback, &[]);
        let trailers = HeaderMap::request().with("a", "1");
        let stream = proxy.worker(0).get("/").body(["ab", "c"]).trailers(trailers).start().unwrap();
        proxy.tick().unwrap();
        let exchange = stream.complete().unwrap();
        assert_eq!((exchange.status, exchange.request_body), (200, b"abc".to_vec()), "{callback}");
    }
}

#[test]
fn trailers_can_be_added_with_the_last_piece_and_seen_by_the_client() {
    let add = "(if (local.get 2) (then
        (call $say (call $add (i32.const 3) (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)))))";
    let unseen = on("proxy_on_response_trailers", "(call $note (i32.const 33))");
    let proxy = proxy(&[on("proxy_on_response_body", add), unseen]);
    let exchange = proxy.worker(0).get("/").send().unwrap();
    assert_eq!(exchange.trailers, Some(HeaderMap::response().with("x-lane", "blue")));
    assert_eq!(said(&proxy, "worker 0"), "0");
}

#[test]
fn a_buffer_that_is_not_at_hand_is_empty() {
    let look = "(call $say (call $buffer_status (i32.const 0) (i32.const 3000) (i32.const 3004)))
        (call $say (i32.load (i32.const 3000)))
        (call $say (call $buffer (i32.const 1) (i32.const 0) (i32.const 9) (i32.const 3000) (i32.const 3004)))
        (call $say (call $buffer (i32.const 4) (i32.const 0) (i32.const 9) (i32.const 3000) (i32.const 3004)))
        (call $say (call $buffer (i32.const 9) (i32.const 0) (i32.const 9) (i32.const 3000) (i32.const 3004)))";
    let proxy = proxy_with(Lapse::WrongPhase, &[on("proxy_on_request_headers", look)]);
    proxy.worker(0).get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), "00012");
}
