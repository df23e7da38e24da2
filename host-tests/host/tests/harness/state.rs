//! What outlives a callback: metrics, shared data, properties, local replies.

use serin_host::{Action, Direction, Lapse, MetricKind, ProxyBuilder, Stat};

use crate::guest::{guest, on, proxy, proxy_with, said};

#[test]
fn every_definition_of_a_metric_gives_a_new_id_and_the_name_one_value() {
    let define = "(drop (call $define (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 3000)))
        (drop (call $define (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 3004)))
        (call $say (i32.eq (i32.load (i32.const 3000)) (i32.load (i32.const 3004))))";
    let count = "(drop (call $increment (i32.load (i32.const 3000)) (i64.const 2)))
        (drop (call $increment (i32.load (i32.const 3004)) (i64.const 3)))";
    let proxy = proxy(&[on("proxy_on_configure", define), on("proxy_on_request_headers", count)]);
    for worker in proxy.workers() {
        worker.get("/").send().unwrap();
        assert_eq!(worker.metric_definitions(), 2);
    }
    assert_eq!(said(&proxy, "worker 0"), "0", "the two ids are equal");
    assert_eq!(proxy.counter("key"), 10);
}

/// Defines a metric of a kind, then runs the body with its id at 3000.
#[track_caller]
fn check_metric(kind: MetricKind, body: &str, expected: &str, stat: Stat) {
    let define =
        format!("(drop (call $define (i32.const {}) (i32.const 32) (i32.const 3) (i32.const 3000)))", kind as u32);
    let proxy = proxy_with(Lapse::MetricOnRequest, &[on("proxy_on_request_headers", &format!("{define} {body}"))]);
    proxy.worker(0).get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), expected);
    assert_eq!(proxy.stats()[&(kind, "key".to_owned())], stat);
}

#[test]
fn metrics_take_what_their_kind_takes() {
    let increment = |by: i64| format!("(call $say (call $increment (i32.load (i32.const 3000)) (i64.const {by})))");
    let record = |value: u64| format!("(call $say (call $record (i32.load (i32.const 3000)) (i64.const {value})))");
    let all = [increment(5), increment(0), increment(-2), record(7)].concat();
    check_metric(MetricKind::Counter, &all, "0220", Stat::Counter(12));
    check_metric(MetricKind::Gauge, &all, "0000", Stat::Gauge(7));
    check_metric(MetricKind::Histogram, &all, "2220", Stat::Histogram(vec![7]));
    check_metric(MetricKind::Gauge, &[record(9), increment(-2)].concat(), "00", Stat::Gauge(7));
    let unknown = "(call $say (call $increment (i32.const 77) (i64.const 1)))";
    check_metric(MetricKind::Counter, unknown, "1", Stat::Counter(0));
}

#[test]
fn a_cas_of_zero_is_unconditional_and_a_missing_key_takes_any() {
    let set = |cas: &str| {
        format!("(call $say (call $set_data (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4) {cas}))")
    };
    let get = "(call $say (call $get_data (i32.const 32) (i32.const 3) (i32.const 3000) (i32.const 3004)
        (i32.const 3008)))";
    let read = "(i32.load (i32.const 3008))";
    let body = [
        get.to_owned(),
        set("(i32.const 99)"),
        set("(i32.const 0)"),
        get.to_owned(),
        set(read),
        set(read),
        set("(i32.const 0)"),
    ];
    let proxy = proxy(&[on("proxy_on_request_headers", &body.concat())]);
    proxy.worker(0).get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), "1000080");
    proxy.worker(1).get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 1"), "0800080", "the data is the proxy's, not the VM's");
    assert_eq!(proxy.shared_data("key"), Some(b"blue".to_vec()));
}

#[test]
fn the_listeners_direction_is_a_property_of_streams_and_the_plugins_name_of_all() {
    let direction = "(call $say (call $property (i32.const 48) (i32.const 22) (i32.const 3000) (i32.const 3004)))";
    let its_byte = "(call $say (i32.load8_u (i32.load (i32.const 3000))))";
    let name = "(call $say (call $property (i32.const 80) (i32.const 11) (i32.const 3000) (i32.const 3004)))
        (call $note (i32.load8_u (i32.load (i32.const 3000))))";
    let guest = guest(&[
        on("proxy_on_configure", &[direction, name].concat()),
        on("proxy_on_request_headers", &[direction, its_byte, name].concat()),
    ]);
    let proxy = ProxyBuilder::new(&guest).plugin_name("canary").direction(Direction::Inbound).start("").unwrap();
    proxy.worker(0).get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), ["10c", "010c"].concat());
}

#[test]
fn a_property_that_is_set_becomes_filter_state() {
    let body = "(drop (call $set_property (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4)))
        (call $say (call $property (i32.const 32) (i32.const 3) (i32.const 3000) (i32.const 3004)))";
    let proxy = proxy(&[on("proxy_on_request_headers", body)]);
    let exchange = proxy.worker(0).get("/").send().unwrap();
    assert_eq!(exchange.filter_state[&b"key"[..]], b"blue");
    assert_eq!(said(&proxy, "worker 0"), "0");
}

#[test]
fn a_filter_can_answer_itself() {
    let body = "(drop (call $reply (i32.const 418) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const -1))) (return (i32.const 1))";
    let mark = "(drop (call $set_lane (i32.const 2)))";
    let proxy = proxy(&[on("proxy_on_request_headers", body), on("proxy_on_response_headers", mark)]);
    let exchange = proxy.worker(0).get("/").send().unwrap();
    assert!(exchange.was_local);
    assert_eq!(exchange.response.get(":status"), Some(&b"418"[..]));
    assert_eq!(exchange.response.get("x-lane"), Some(&b"blue"[..]));
}

#[test]
fn a_request_that_is_paused_gets_no_answer() {
    let proxy = proxy(&[on("proxy_on_request_headers", "(return (i32.const 1))")]);
    let exchange = proxy.worker(0).get("/").send().unwrap();
    assert_eq!(exchange.action, Action::Pause);
    assert!(exchange.response.is_empty());
}
