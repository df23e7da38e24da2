//! Configuration pushes, root contexts, and timers.

use std::time::Duration;

use serin_host::{HeaderMap, Lapse, Proxy, ProxyBuilder, Rejected};

use crate::guest::{guest, on, proxy, proxy_with, said};

/// Says the first letter of the configuration; refuses one that begins with `n`, traps at one that begins with `t`.
fn configure() -> String {
    on(
        "proxy_on_configure",
        "(local $letter i32)
        (drop (call $configuration))
        (local.set $letter (i32.load8_u (i32.load (i32.const 3000))))
        (call $note (local.get $letter))
        (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))
        (if (i32.eq (local.get $letter) (i32.const 110)) (then (return (i32.const 0))))",
    )
}

/// Says `D` and the id of what ends.
fn delete() -> String {
    on("proxy_on_delete", "(call $note (i32.const 68)) (call $say (local.get 0))")
}

fn tick() -> String {
    on("proxy_on_tick", "(call $note (i32.const 84)) (call $say (local.get 0))")
}

#[test]
fn a_canary_the_main_thread_and_every_worker_are_configured() {
    let mut proxy = proxy(&[configure()]);
    proxy.push("second").unwrap();
    assert_eq!(said(&proxy, "canary"), "fs");
    for vm in ["main", "worker 0", "worker 1"] {
        assert_eq!(said(&proxy, vm), "fs", "{vm}");
    }
}

#[test]
fn streams_in_flight_stay_on_their_root_which_ends_with_the_last_of_them() {
    let mut proxy = proxy(&[configure(), delete()]);
    let worker = proxy.worker(0);
    let mut stream = worker.get("/").start().unwrap();
    proxy.push("second").unwrap();
    assert_eq!(worker.roots(), [1, 3], "both roots live");
    assert_eq!(proxy.worker(1).roots(), [2], "nothing held the old root of the other worker");
    stream.respond(HeaderMap::response().with(":status", "200")).unwrap();
    stream.finish().unwrap();
    assert_eq!(worker.roots(), [3]);
    assert_eq!(said(&proxy, "worker 0"), "fsD2D1");
    assert_eq!(said(&proxy, "worker 1"), "fsD1");
}

#[test]
fn a_dropped_stream_ends() {
    let proxy = proxy(&[delete()]);
    drop(proxy.worker(0).get("/").start().unwrap());
    assert_eq!(said(&proxy, "worker 0"), "D2");
}

#[test]
fn a_refused_configuration_leaves_the_old_one_serving() {
    let mut proxy = proxy(&[configure(), delete()]);
    assert_eq!(proxy.push("no"), Err(Rejected::Refused));
    assert!(matches!(proxy.push("trap"), Err(Rejected::Died(death)) if death.vm == "canary"));
    assert_eq!(said(&proxy, "worker 0"), "f");
    assert_eq!(proxy.worker(0).roots(), [1]);
    proxy.worker(0).get("/").send().unwrap();
}

#[test]
fn a_proxy_does_not_start_with_a_refused_configuration() {
    let started = ProxyBuilder::new(&guest(&[configure()])).start("no");
    assert!(matches!(started, Err(Rejected::Refused)));
}

#[test]
fn the_same_bytes_use_a_living_root_again_and_no_canary() {
    let mut proxy = proxy(&[configure()]);
    let _held = proxy.worker(0).get("/").start().unwrap();
    proxy.push("second").unwrap();
    proxy.push("first").unwrap();
    assert_eq!(said(&proxy, "canary"), "fs");
    assert_eq!(said(&proxy, "worker 0"), "fs", "the old root lives for its stream and serves again");
    assert_eq!(said(&proxy, "worker 1"), "fsf", "the old root had ended");
}

#[test]
fn two_listeners_have_their_own_roots_in_the_same_vm() {
    let mut proxy = proxy(&[configure()]);
    proxy.push_to("internal", "second").unwrap();
    let worker = proxy.worker(0);
    assert_eq!(worker.roots(), [1, 2]);
    worker.get("/").on("internal").send().unwrap();
    assert!(worker.get("/").on("unknown").send().unwrap().usage.by_callback().is_empty());
}

#[test]
fn a_root_that_is_not_done_is_deleted_once_it_says_so() {
    let not_done = on("proxy_on_done", "(return (i32.const 0))");
    let done = on("proxy_on_tick", "(call $say (call $done))");
    let period = on("proxy_on_vm_start", "(drop (call $period (i32.const 1000)))");
    let mut proxy = proxy_with(Lapse::WrongPhase, &[period, not_done, done, delete()]);
    let worker = proxy.worker(0);
    proxy.push("second").unwrap();
    assert_eq!(worker.roots(), [1, 2]);
    proxy.tick().unwrap();
    assert_eq!(worker.roots(), [2]);
    assert_eq!(said(&proxy, "worker 0"), "0D11", "the serving root has nothing to end");
}

#[test]
fn timers_fire_when_they_are_due_on_the_main_thread_and_on_workers() {
    let mut proxy = proxy(&[on("proxy_on_configure", "(drop (call $period (i32.const 1500)))"), tick()]);
    let check = |proxy: &mut Proxy, milliseconds, expected: &str| {
        proxy.advance(Duration::from_millis(milliseconds)).unwrap();
        for vm in ["main", "worker 0", "worker 1"] {
            assert_eq!(said(proxy, vm), expected, "{vm}");
        }
    };
    check(&mut proxy, 1499, "");
    check(&mut proxy, 1, "T1");
    check(&mut proxy, 3200, "T1T1T1");
}

#[test]
fn a_timer_that_is_not_stopped_outlives_its_root_in_silence() {
    let start = on("proxy_on_configure", "(drop (call $period (i32.const 1000)))");
    let stop = on("proxy_on_delete", "(drop (call $period (i32.const 0)))");
    let roots_with_timer = |callbacks: &[String]| {
        let mut proxy = proxy(callbacks);
        proxy.push("second").unwrap();
        proxy.advance(Duration::from_secs(1)).unwrap();
        (proxy.worker(0).timers().into_keys().collect::<Vec<_>>(), said(&proxy, "worker 0"))
    };
    assert_eq!(roots_with_timer(&[start.clone(), tick()]), (vec![1, 2], "T2".to_owned()));
    assert_eq!(roots_with_timer(&[start, stop, tick()]), (vec![2], "T2".to_owned()));
}
