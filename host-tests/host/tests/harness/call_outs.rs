//! Call-outs and queues: what roots send out, and what comes back when the test says so.

use std::time::Duration;

use serin_host::{CallOutAnswer, CallOutKind, HeaderMap, Proxy, ProxyBuilder};

use crate::guest::{guest, on, pairs, proxy, said};

/// Where the request of a call lies.
const REQUEST: usize = 1024;

/// Calls the cluster `blue` and says the status.
fn dispatch(timeout: u32, headers: &[(&str, &str)]) -> (String, String) {
    let (data, size) = pairs(REQUEST, headers);
    let call = format!(
        "(call $say (call $http_call (i32.const 16) (i32.const 4) (i32.const {REQUEST}) (i32.const {size})
            (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const {timeout}) (i32.const 3008)))"
    );
    (data, call)
}

const WHOLE: [(&str, &str); 3] = [(":method", "GET"), (":path", "/auth"), (":authority", "auth")];

/// Holds each request until the call that it made is answered. Says headers, body and trailers of the answer, the first
/// letter of its body, and what became of it.
fn asking(timeout: u32) -> Proxy {
    let (data, call) = dispatch(timeout, &WHOLE);
    let answered = "(call $note (i32.const 65))
        (call $say (local.get 2)) (call $say (local.get 3)) (call $say (local.get 4))
        (if (i32.eqz (call $buffer (i32.const 4) (i32.const 0) (i32.const 99) (i32.const 3000) (i32.const 3004)))
            (then (call $note (i32.load8_u (i32.load (i32.const 3000))))))
        (drop (call $status (i32.const 3012) (i32.const 3000) (i32.const 3004))) (call $note (i32.const 83))
        (call $say (i32.load (i32.const 3012)))
        (if (i32.eqz (call $act_for (i32.const 2))) (then (drop (call $continue (i32.const 0)))))";
    let guest = guest(&[
        data,
        on("proxy_on_request_headers", &format!("{call} (return (i32.const 1))")),
        on("proxy_on_http_call_response", answered),
    ]);
    ProxyBuilder::new(&guest).cluster("blue").start("").unwrap()
}

#[track_caller]
fn check(answer: CallOutAnswer, expected: &str) {
    let proxy = asking(0);
    let worker = proxy.worker(0);
    let stream = worker.get("/").start().unwrap();
    let [call] = &worker.call_outs()[..] else { panic!("one call") };
    assert_eq!((call.kind.clone(), call.token, call.root), (CallOutKind::Http, 4, 1));
    assert_eq!((call.headers.text(":path").unwrap(), &call.body[..]), ("/auth".to_owned(), &b"key"[..]));
    assert!(worker.answer(call, answer.clone()).unwrap());
    assert_eq!(said(&proxy, "worker 0"), expected);
    assert_eq!(stream.complete().unwrap().status, 200);
    assert!(!worker.answer(call, answer).unwrap(), "nobody waits any more");
}

#[test]
fn an_answer_comes_to_the_root_which_resumes_the_stream() {
    let headers = HeaderMap::response().with(":status", "200").with("a", "b");
    let trailers = Some(HeaderMap::response().with("t", "1"));
    check(CallOutAnswer::Response { headers, body: b"ok".to_vec(), trailers }, "0A221oS0");
    // An empty body is a null pointer, behind which this guest has an `x`.
    check(CallOutAnswer::response(503, ""), "0A100xS0");
}

#[test]
fn a_time_out_is_an_answer_of_envoys_and_a_broken_connection_has_no_headers() {
    check(CallOutAnswer::Timeout, "0A3H0uS0");
    check(CallOutAnswer::Reset, "0A000S;");
}

#[test]
fn a_call_that_waits_too_long_times_out_by_itself() {
    let mut proxy = asking(1500);
    let stream = proxy.worker(0).get("/").start().unwrap();
    proxy.advance(Duration::from_millis(1499)).unwrap();
    assert_eq!(proxy.worker(0).call_outs().len(), 1);
    proxy.advance(Duration::from_millis(1)).unwrap();
    assert!(said(&proxy, "worker 0").contains("A3"));
    assert_eq!(stream.complete().unwrap().status, 200);
}

#[test]
fn an_answer_may_come_when_the_stream_is_gone() {
    let proxy = asking(0);
    let worker = proxy.worker(0);
    drop(worker.get("/").start().unwrap());
    assert!(worker.answer(&worker.call_outs()[0], CallOutAnswer::response(200, "x")).unwrap());
    assert_eq!(said(&proxy, "worker 0"), "0A110xS0");
}

#[test]
fn a_call_needs_a_cluster_and_three_headers() {
    let status = |cluster: &str, headers: &[(&str, &str)], timeout: u32| {
        let (data, call) = dispatch(timeout, headers);
        let guest = guest(&[data, on("proxy_on_configure", &call)]);
        said(&ProxyBuilder::new(&guest).cluster(cluster).start("").unwrap(), "main")
    };
    assert_eq!(status("blue", &WHOLE, 0), "0");
    assert_eq!(status("green", &WHOLE, 0), "2");
    assert_eq!(status("blue", &WHOLE[1..], 0), "2");
    assert_eq!(status("blue", &WHOLE, u32::MAX), "2");
}

#[test]
fn a_grpc_call_is_answered_with_a_message_or_closed() {
    let call = "(call $say (call $grpc_call (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 6) (i32.const 32)
        (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 3008)))";
    let guest = guest(&[
        on("proxy_on_request_headers", call),
        on("proxy_on_grpc_receive", "(call $note (i32.const 82)) (call $say (local.get 2))"),
        on("proxy_on_grpc_close", "(call $note (i32.const 67)) (call $say (local.get 2))"),
    ]);
    let proxy = ProxyBuilder::new(&guest).cluster("blue").start("").unwrap();
    let worker = proxy.worker(0);
    for answer in [CallOutAnswer::GrpcMessage(b"abc".to_vec()), CallOutAnswer::GrpcClose(7, "no".to_owned())] {
        worker.get("/").send().unwrap();
        let [call] = &worker.call_outs()[..] else { panic!("one call") };
        assert_eq!(call.kind, CallOutKind::GrpcCall("x-lane".to_owned(), "key".to_owned()));
        assert!(worker.answer(call, answer).unwrap());
    }
    assert_eq!(said(&proxy, "worker 0"), "0R30C7");
}

#[test]
fn calls_and_queues_are_those_of_the_vm_that_made_them() {
    let (data, call) = dispatch(0, &WHOLE);
    let answered = |letter: u8| on("proxy_on_http_call_response", &format!("(call $note (i32.const {letter}))"));
    let register = on("proxy_on_configure", "(drop (call $register (i32.const 32) (i32.const 3) (i32.const 3008)))");
    let ready = |letter: u8| on("proxy_on_queue_ready", &format!("(call $note (i32.const {letter}))"));
    let hold = on("proxy_on_request_headers", &format!("{call} (return (i32.const 1))"));
    let first = guest(&[data.clone(), hold, answered(b'a'), register, ready(b'q')]);
    let enqueue = "(drop (call $resolve (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 3008)))
        (drop (call $enqueue (i32.load (i32.const 3008)) (i32.const 16) (i32.const 4)))";
    let second = on("proxy_on_request_headers", &format!("{enqueue} {call}"));
    let second = guest(&[data, second, answered(b'b'), ready(b'r')]);

    let mut proxy = ProxyBuilder::new(&first).cluster("blue").start("").unwrap();
    let worker = proxy.worker(0);
    let old = worker.get("/").start().unwrap();
    proxy.replace_module(&second).unwrap();
    worker.get("/").send().unwrap();
    let calls = worker.call_outs();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert!(worker.answer(call, CallOutAnswer::response(200, "")).unwrap());
    }
    let said = said(&proxy, "worker 0");
    assert!(!said.contains('r') && said.contains('a') && said.contains('b'), "{said}");
    drop(old);
}

#[test]
fn a_queue_tells_the_root_that_registered_last_once_the_callback_is_over() {
    let register = "(drop (call $register (i32.const 32) (i32.const 3) (i32.const 3008)))";
    let enqueue = "(drop (call $resolve (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 3008)))
        (call $say (call $enqueue (i32.load (i32.const 3008)) (i32.const 16) (i32.const 4)))
        (call $say (call $enqueue (i32.const 77) (i32.const 16) (i32.const 4)))";
    let dequeue = "(local $item i32)
        (call $say (call $dequeue (local.get 1) (i32.const 3000) (i32.const 3004)))
        (call $note (i32.load8_u (i32.load (i32.const 3000))))
        (call $say (call $dequeue (local.get 1) (i32.const 3000) (i32.const 3004)))";
    let proxy = proxy(&[
        on("proxy_on_configure", register),
        on("proxy_on_request_headers", enqueue),
        on("proxy_on_queue_ready", dequeue),
    ]);
    proxy.worker(0).get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), "01");
    assert_eq!(said(&proxy, "worker 1"), "0b7");
}
