//! Faults: host calls that fail as no sound host would let them.

use serin_host::{Fault, ProxyBuilder, Status};

use crate::guest::{guest, on, proxy, said};

/// Reads `x-lane` and says the status, whether there is a pointer, and the size.
const READ: &str = "(i32.store (i32.const 3000) (i32.const 0)) (i32.store (i32.const 3004) (i32.const 0))
    (call $say (call $get_lane (i32.const 0)))
    (call $say (i32.ne (i32.load (i32.const 3000)) (i32.const 0))) (call $say (i32.load (i32.const 3004)))";

#[track_caller]
fn check(fault: Option<Fault>, expected: &str) {
    let proxy = proxy(&[on("proxy_on_request_headers", READ)]);
    proxy.worker(0).inject("proxy_get_header_map_value", fault);
    for number in [0, 1] {
        proxy.worker(number).get("/").header("x-lane", "red").send().unwrap();
    }
    assert_eq!(said(&proxy, "worker 0"), expected);
    assert_eq!(said(&proxy, "worker 1"), "013", "the other worker is sound");
}

#[test]
fn a_host_call_fails_as_it_is_told() {
    check(None, "013");
    check(Some(Fault::Status(Status::InternalFailure)), ":00");
    check(Some(Fault::Number(5)), "500");
    check(Some(Fault::Null), "000");
    check(Some(Fault::Size(9)), "019");
    check(Some(Fault::NoMemory), "600");
}

#[test]
fn a_fault_ends_when_it_is_taken_back() {
    let proxy = proxy(&[on("proxy_on_request_headers", READ)]);
    let worker = proxy.worker(0);
    for fault in [Some(Fault::Null), None] {
        worker.inject("proxy_get_header_map_value", fault);
        worker.get("/").header("x-lane", "red").send().unwrap();
    }
    assert_eq!(said(&proxy, "worker 0"), "000013");
}

#[test]
fn a_callback_can_run_out_of_fuel_in_the_middle() {
    let guest = guest(&[on("proxy_on_request_headers", READ)]);
    let proxy = ProxyBuilder::new(&guest).start("").unwrap();
    let worker = proxy.worker(0);
    let whole = worker.get("/").send().unwrap().usage.fuel();
    // What runs past the end by less than a block is let through.
    for fuel in 0..whole - 10 {
        let proxy = ProxyBuilder::new(&guest).start("").unwrap();
        proxy.worker(0).set_fuel(fuel);
        assert!(proxy.worker(0).get("/").send().is_err_and(|death| death.reason.contains("fuel")), "{fuel}");
    }
}

#[test]
fn a_fault_can_be_there_from_the_start() {
    let draw = "(call $say (i32.eqz (call $random (i32.const 3000) (i32.const 8))))";
    let builder = ProxyBuilder::new(&guest(&[on("proxy_on_configure", draw)])).inject("random_get", Fault::Number(76));
    let proxy = builder.start("").unwrap();
    assert_eq!((said(&proxy, "canary"), said(&proxy, "worker 0")), ("0".to_owned(), "0".to_owned()));
}

#[test]
#[should_panic(expected = "proxy_log gives no value that Null could happen to")]
fn a_fault_must_be_able_to_happen() {
    proxy(&[]).worker(0).inject("proxy_log", Some(Fault::Null));
}

#[test]
#[should_panic(expected = "no host has a call \"proxy_get_headers\"")]
fn a_host_call_must_exist_to_fail() {
    proxy(&[]).worker(0).inject("proxy_get_headers", None);
}
