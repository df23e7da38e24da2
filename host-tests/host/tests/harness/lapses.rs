//! Strictness: what a host puts up with fails the test, by name, unless it is allowed.

use serin_host::{Lapse, Module, Proxy, ProxyBuilder};

use crate::guest::{guest, on};

/// What is found after a request, and then once that lapse is allowed.
#[track_caller]
fn check(lapse: Lapse, module: &Module, drive: impl Fn(&mut Proxy)) {
    let mut strict = ProxyBuilder::new(module).start("").unwrap();
    drive(&mut strict);
    let found: Vec<Lapse> = strict.take_findings().into_iter().map(|finding| finding.lapse).collect();
    assert!(!found.is_empty() && found.iter().all(|found| *found == lapse), "{found:?}");
    assert_eq!(strict.take_findings(), [], "they were taken");
    drop(strict);

    let mut lenient = ProxyBuilder::new(module).allow(lapse).start("").unwrap();
    drive(&mut lenient);
    assert_eq!(lenient.take_findings(), []);
}

fn get(proxy: &mut Proxy) {
    proxy.worker(0).get("/").send().unwrap();
}

#[test]
fn each_lapse_is_found_by_name() {
    let on_request = |body: &str| guest(&[on("proxy_on_request_headers", body)]);
    let unknown = on_request(
        "(drop (call $foreign (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
    );
    check(Lapse::UnknownForeignFunction, &unknown, get);
    check(Lapse::WrongPhase, &on_request("(drop (call $get_lane (i32.const 2)))"), get);
    let metric = "(drop (call $define (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 3000)))";
    check(Lapse::MetricOnRequest, &on_request(metric), get);
    let error = "(drop (call $log (i32.const 4) (i32.const 32) (i32.const 3)))";
    check(Lapse::ErrorLog, &on_request(error), get);
}

#[test]
fn a_root_that_is_never_done_leaks() {
    let guest = guest(&[on("proxy_on_done", "(return (i32.const 0))")]);
    check(Lapse::LeakedContext, &guest, |proxy| proxy.push("second").unwrap());
}

#[test]
fn memory_may_grow_while_a_filter_warms_up_and_not_later() {
    let grow = guest(&[on("proxy_on_request_headers", "(drop (memory.grow (i32.const 1)))")]);
    let requests = |proxy: &mut Proxy, count: u32| (0..count).for_each(|_| get(proxy));
    let proxy = &mut ProxyBuilder::new(&grow).start("").unwrap();
    requests(proxy, 1000);
    assert_eq!(proxy.take_findings(), []);
    check(Lapse::MemoryGrowth, &grow, |proxy| requests(proxy, 1001));
}

#[test]
#[should_panic(expected = "error in the log in worker 0: key (Lapse::ErrorLog)")]
fn a_test_fails_when_its_proxy_ends() {
    let guest =
        guest(&[on("proxy_on_request_headers", "(drop (call $log (i32.const 4) (i32.const 32) (i32.const 3)))")]);
    let proxy = ProxyBuilder::new(&guest).start("").unwrap();
    proxy.worker(0).get("/").send().unwrap();
}
