//! VMs: loading, starting, entropy, environment, cost and death.

use serin_host::{Lapse, Module, ProxyBuilder, Rejected};

use crate::guest::{guest, on, proxy, proxy_with, said};

const ABI: &str = r#"(func (export "proxy_abi_version_0_2_1"))"#;
const MEMORY: &str = r#"(memory (export "memory") 1)"#;
const MALLOC: &str = r#"(func (export "malloc") (param i32) (result i32) (i32.const 0))"#;

#[test]
fn a_module_that_no_envoy_would_run_does_not_load() {
    let check = |parts: &[&str], expected: &str| {
        let error = Module::compile(format!("(module {})", parts.concat()).as_bytes()).expect_err("it loads");
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    };
    check(&[r#"(import "env" "proxy_teleport" (func))"#, ABI, MEMORY, MALLOC], "proxy_teleport");
    check(&[r#"(import "wasi_snapshot_preview1" "path_open" (func))"#, ABI, MEMORY, MALLOC], "path_open");
    check(&[r#"(import "env" "proxy_done" (func (param i64)))"#, ABI, MEMORY, MALLOC], "proxy_done");
    check(&[MEMORY, MALLOC], "proxy_abi_version_0_2_1");
    check(&[ABI, MALLOC], "memory");
    check(&[ABI, MEMORY], "malloc");
    check(&["(nonsense)"], "compiling the module");
    Module::compile(format!("(module {ABI}{MEMORY}{MALLOC})").as_bytes()).expect("nothing is missing");
}

#[test]
fn callbacks_that_the_guest_does_not_export_are_skipped() {
    let exchange = proxy(&[]).worker(0).get("/").send().unwrap();
    assert!(exchange.usage.by_callback().is_empty());
    assert_eq!(exchange.response.get(":status"), Some(&b"200"[..]));
}

#[test]
fn a_starting_vm_may_draw_entropy_but_not_ask_for_the_time() {
    let start = |body| ProxyBuilder::new(&guest(&[on("_initialize", body)])).start("").map(|_| ());
    assert_eq!(start("(drop (call $random (i32.const 3000) (i32.const 8)))"), Ok(()));
    match start("(drop (call $now (i32.const 3000)))") {
        Err(Rejected::Died(death)) => assert!(death.reason.contains("proxy_get_current_time_nanoseconds"), "{death}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_vm_draws_its_own_entropy_unless_told_otherwise() {
    let guest = guest(&[on("_initialize", "(drop (call $random (i32.const 3000) (i32.const 8)))")]);
    let drawn = |builder: ProxyBuilder| {
        let proxy = builder.workers(2).start("").unwrap();
        [proxy.main_thread(), proxy.worker(0), proxy.worker(1)].map(|thread| thread.entropy().concat())
    };
    let [main, first, second] = drawn(ProxyBuilder::new(&guest).seed(7));
    assert_eq!(first.len(), 8);
    assert!(main != first && first != second && main != second);
    assert_eq!(drawn(ProxyBuilder::new(&guest).seed(7)), [main, first.clone(), second]);
    assert_ne!(drawn(ProxyBuilder::new(&guest).seed(8))[1], first);
    let [main, first, second] = drawn(ProxyBuilder::new(&guest).same_entropy());
    assert!(main == first && first == second);
}

#[test]
fn more_than_64_kib_of_entropy_at_once_are_refused() {
    let draw = |bytes: u32| {
        let body = format!("(call $note (call $random (i32.const 8192) (i32.const {bytes})))");
        let proxy = proxy(&[on("proxy_on_configure", &body)]);
        said(&proxy, "main").into_bytes()
    };
    assert_eq!(draw(65_536), [0]);
    assert_eq!(draw(65_537), [28]);
}

#[test]
fn the_environment_is_the_one_of_the_configuration() {
    let body = "(drop (call $environ_sizes (i32.const 3000) (i32.const 3004)))
        (drop (call $environ (i32.const 5000) (i32.const 6000)))
        (drop (call $log (i32.const 2) (i32.load (i32.const 5004))
            (i32.sub (i32.load (i32.const 3004)) (i32.sub (i32.load (i32.const 5004)) (i32.const 6000)))))";
    let guest = guest(&[on("proxy_on_configure", body)]);
    let proxy = ProxyBuilder::new(&guest).environment("KEY", "secret").environment("A", "").start("").unwrap();
    assert_eq!(said(&proxy, "main"), "KEY=secret\0");
}

#[test]
fn what_a_guest_prints_is_logged() {
    let body = "(i32.store (i32.const 3000) (i32.const 16)) (i32.store (i32.const 3004) (i32.const 4))
        (i32.store (i32.const 3008) (i32.const 32)) (i32.store (i32.const 3012) (i32.const 3))
        (drop (call $write (i32.const 2) (i32.const 3000) (i32.const 2) (i32.const 3016)))
        (call $say (i32.load (i32.const 3016)))
        (call $say (call $write (i32.const 3) (i32.const 3000) (i32.const 2) (i32.const 3016)))";
    assert_eq!(said(&proxy_with(Lapse::ErrorLog, &[on("proxy_on_configure", body)]), "main"), "bluekey78");
}

#[test]
fn the_same_request_costs_the_same_on_every_worker() {
    let proxy = proxy(&[on("proxy_on_request_headers", "(drop (call $get_lane (i32.const 0)))")]);
    let cost = |worker: usize, value: &str| proxy.worker(worker).get("/").header("x-lane", value).send().unwrap().usage;
    assert_eq!(cost(0, "red"), cost(1, "red"));
    let usage = cost(0, "green");
    assert_eq!((usage.bytes_in(), usage.bytes_out()), (5, 6));
    assert_eq!(usage.calls_of("proxy_get_header_map_value"), 1);
    assert!(usage.fuel() > 0);
}

#[test]
fn a_trap_kills_one_vm_and_leaves_a_report() {
    let trap = "(func $deep unreachable)";
    let body = "(drop (call $get_lane (i32.const 0))) (call $note (i32.const 33)) (call $deep)";
    let proxy = proxy(&[trap.to_owned(), on("proxy_on_request_headers", body)]);
    let death = proxy.worker(0).get("/").send().expect_err("it lives");
    assert_eq!((death.vm.as_str(), death.callback.as_str()), ("worker 0", "proxy_on_request_headers"));
    assert_eq!(death.backtrace, ["deep", "proxy_on_request_headers"]);
    assert_eq!(death.host_calls[0], r#"proxy_get_header_map_value("x-lane") -> NotFound"#);
    assert_eq!(death.log.len(), 1);
    assert!(death.to_string().contains("unreachable"), "{death}");
    assert_eq!(proxy.worker(0).get("/").start().err(), Some(death), "dead for good");
    assert_eq!(proxy.worker(1).death(), None);
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    let guest = guest(&[on("proxy_on_request_headers", "(loop (br 0))")]);
    let proxy = ProxyBuilder::new(&guest).fuel(100_000).start("").unwrap();
    let death = proxy.worker(0).get("/").send().expect_err("it ends");
    assert!(death.reason.contains("fuel"), "{death}");
}
