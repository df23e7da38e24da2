//! What becomes of requests once a VM has died, and what outlives a VM.

use std::time::Duration;

use serin_host::{Delivery, FailurePolicy, HeaderMap, Module, Proxy, ProxyBuilder};

use crate::guest::{guest, on, proxy, said};

/// Dies of a request with `x-lane`, and says `R` for each other one.
fn mortal() -> Module {
    guest(&[on(
        "proxy_on_request_headers",
        "(if (i32.eqz (call $get_lane (i32.const 0))) (then unreachable)) (call $note (i32.const 82))",
    )])
}

fn start(policy: FailurePolicy) -> Proxy {
    ProxyBuilder::new(&mortal()).failure_policy(policy).start("").unwrap()
}

/// The status of a request, of one that kills the VM, and of one after it.
#[track_caller]
fn check(policy: FailurePolicy, after: u16, expected: &str) {
    let proxy = start(policy);
    let worker = proxy.worker(0);
    let in_flight = worker.get("/").start().unwrap();
    let killed = worker.get("/").header("x-lane", "red").send().unwrap();
    assert_eq!((killed.status, killed.details.as_deref()), (503, Some("wasm_fail_stream")));
    assert!(killed.death.unwrap().reason.contains("unreachable"));
    assert_eq!(in_flight.complete().unwrap().status, 503);
    assert_eq!(worker.get("/").send().unwrap().status, after);
    assert_eq!(said(&proxy, "worker 0"), expected);
}

#[test]
fn a_dead_vm_answers_503_or_is_passed_by() {
    check(FailurePolicy::Closed, 503, "R");
    check(FailurePolicy::Open, 200, "R");
    check(FailurePolicy::Reload, 503, "R");
}

#[test]
fn a_dead_vm_is_started_anew_after_its_back_off() {
    let mut proxy = start(FailurePolicy::Reload);
    let worker = proxy.worker(0);
    worker.get("/").header("x-lane", "red").send().unwrap();
    assert_eq!((worker.get("/").send().unwrap().status, worker.reloads()), (503, 0));
    proxy.advance(Duration::from_millis(1500)).unwrap();
    assert_eq!((worker.get("/").send().unwrap().status, worker.reloads()), (200, 1));
    assert_eq!(said(&proxy, "worker 0"), "R");
}

#[test]
fn streams_of_a_dead_vm_are_not_those_of_its_successor() {
    let mut proxy = start(FailurePolicy::Reload);
    let worker = proxy.worker(0);
    let old = worker.get("/old").start().unwrap();
    worker.get("/").header("x-lane", "red").send().unwrap();
    proxy.advance(Duration::from_secs(2)).unwrap();
    let new = worker.get("/new").start().unwrap();
    let (old, new) = (old.complete().unwrap(), new.complete().unwrap());
    assert_eq!((old.status, old.request.text(":path").as_deref()), (503, Some("/old")));
    assert_eq!((new.status, new.request.text(":path").as_deref()), (200, Some("/new")));
}

#[test]
fn a_push_brings_a_dead_vm_back() {
    for policy in [FailurePolicy::Closed, FailurePolicy::Open, FailurePolicy::Reload] {
        let mut proxy = start(policy);
        let worker = proxy.worker(0);
        worker.get("/").header("x-lane", "red").send().unwrap();
        proxy.push("second").unwrap();
        assert_eq!(worker.get("/").send().unwrap().usage.by_callback().len(), 1, "{policy:?}");
    }
}

#[test]
fn a_configuration_that_a_new_vm_refuses_lets_nobody_past() {
    // The second VM of a worker finds the data that the first one left.
    let configure = "(local $status i32)
        (local.set $status (call $get_data (i32.const 32) (i32.const 3) (i32.const 3000) (i32.const 3004) (i32.const 3008)))
        (if (i32.eqz (local.get $status)) (then (return (i32.const 0))))";
    let die =
        "(drop (call $set_data (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4) (i32.const 0))) unreachable";
    let guest = guest(&[on("proxy_on_configure", configure), on("proxy_on_request_headers", die)]);
    let mut proxy = ProxyBuilder::new(&guest).failure_policy(FailurePolicy::Reload).start("").unwrap();
    let worker = proxy.worker(0);
    for _ in 0..3 {
        assert_eq!(worker.get("/").send().unwrap().status, 503);
        proxy.advance(Duration::from_secs(2)).unwrap();
    }
    assert_eq!(worker.reloads(), 0);
}

#[test]
fn a_death_that_a_policy_hides_is_reported_with_its_scenario() {
    let proxy = start(FailurePolicy::Closed);
    let exchange = proxy.worker(0).get("/").header("x-lane", "red").send().unwrap();
    assert!(exchange.death.unwrap().scenario.contains("x-lane"));
    assert_eq!(exchange.usage.by_callback().len(), 1, "what it cost is counted");
}

#[test]
fn a_change_of_the_code_keeps_shared_data_and_the_streams_of_the_old_vm() {
    let set = "(drop (call $set_data (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4) (i32.const 0)))";
    let end = on("proxy_on_response_headers", "(call $note (i32.const 49))");
    let mut proxy = proxy(&[on("proxy_on_configure", set), end]);
    let mut old = proxy.worker(0).get("/").start().unwrap();
    let get = "(call $say (call $get_data (i32.const 32) (i32.const 3) (i32.const 3000) (i32.const 3004)
        (i32.const 3008)))";
    let second =
        guest(&[on("proxy_on_configure", get), on("proxy_on_response_headers", "(call $note (i32.const 50))")]);
    proxy.replace_module(&second).unwrap();
    old.respond(HeaderMap::response().with(":status", "200")).unwrap();
    proxy.worker(0).get("/").send().unwrap();
    assert_eq!(said(&proxy, "worker 0"), "012");
    old.finish().unwrap();
}

#[test]
fn with_new_listeners_the_old_root_ticks_until_it_has_drained() {
    let guest = guest(&[
        on("proxy_on_configure", "(drop (call $period (i32.const 1000)))"),
        on("proxy_on_tick", "(call $say (local.get 0))"),
        on("proxy_on_delete", "(call $note (i32.const 68)) (drop (call $period (i32.const 0)))"),
    ]);
    let delivery = Delivery::Lds(Duration::from_millis(2500));
    let mut proxy = ProxyBuilder::new(&guest).delivery(delivery).start("first").unwrap();
    proxy.push("second").unwrap();
    proxy.advance(Duration::from_secs(4)).unwrap();
    assert_eq!(said(&proxy, "worker 0"), "1212D22");
    proxy.remove("");
    assert_eq!(proxy.worker(0).get("/").send().unwrap().usage.by_callback().len(), 0);
    proxy.advance(Duration::from_secs(3)).unwrap();
    assert_eq!(proxy.worker(0).roots(), Vec::<u32>::new());
}
