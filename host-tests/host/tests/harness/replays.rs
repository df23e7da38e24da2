//! The scenario of a death, which does it again.

use std::time::Duration;

use serin_host::scenario::{Http, Scenario, Setting};
use serin_host::{Death, Delivery, Fault, Module, Profile, Proxy, ProxyBuilder};

use crate::guest::{guest, on};

/// Runs the scenario of a death from its text, and expects the same trap.
#[track_caller]
fn check(module: &Module, death: &Death) -> Scenario {
    let scenario = Scenario::parse(&death.scenario, "replay", Duration::from_secs(1)).unwrap();
    let setting = Setting { http: Http::One, workers: 1, profile: Profile::default(), delivery: Delivery::Ecds };
    let error = scenario.run(module, setting).expect_err("it lives");
    let again = error.downcast_ref::<Death>().unwrap_or_else(|| panic!("{error:#}"));
    assert_eq!((&again.callback, &again.reason), (&death.callback, &death.reason));
    scenario
}

fn start(module: &Module, configuration: impl AsRef<[u8]>) -> Proxy {
    ProxyBuilder::new(module).start(configuration).unwrap()
}

#[test]
fn requests_kill_again_as_they_did() {
    let module =
        guest(&[on("proxy_on_request_headers", "(if (i32.eqz (call $get_lane (i32.const 0))) (then unreachable))")]);
    let proxy = start(&module, "");
    let worker = proxy.worker(0);
    worker.get("/{now}").send().unwrap();
    let death = worker.request("POST", "/").header("x-lane", [0xff]).body(["a", "b"]).send().unwrap_err();
    let scenario = check(&module, &death);
    assert_eq!(scenario.steps.len(), 2);
    assert!(!scenario.about.contains("lacks"), "{}", scenario.about);
}

/// Dies if the configuration is what it was, at the second that it was, so that neither may be lost.
#[test]
fn configuration_and_clock_are_those_of_the_death() {
    let bytes = [0xff, 0xfe, b'{', b'n', b'o', b'w', b'}'];
    let module = guest(&[
        on(
            "proxy_on_configure",
            "(drop (call $configuration)) (i32.store8 (i32.const 3100) (i32.load8_u (i32.load (i32.const 3000))))
            (drop (call $period (i32.const 1000)))",
        ),
        on(
            "proxy_on_tick",
            "(drop (call $now (i32.const 3200)))
            (if (i32.and (i32.eq (i32.load8_u (i32.const 3100)) (i32.const 255))
                (i64.eq (i64.load (i32.const 3200)) (i64.const 1767225603000000000))) (then unreachable))",
        ),
    ]);
    let mut proxy = start(&module, bytes);
    proxy.worker(0).get("/").send().unwrap();
    let death = proxy.advance(Duration::from_secs(5)).unwrap_err();
    check(&module, &death);
}

#[test]
fn what_cannot_be_done_again_is_named() {
    let module = guest(&[on("proxy_on_request_headers", "(if (call $get_lane (i32.const 0)) (then unreachable))")]);
    let proxy = start(&module, "");
    let worker = proxy.worker(0);
    worker.inject("proxy_get_header_map_value", Some(Fault::Null));
    worker.inject("proxy_get_header_map_value", Some(Fault::Number(99)));
    let death = worker.get("/").header("x-lane", "red").property("a.b", "c").send().unwrap_err();
    let scenario = Scenario::parse(&death.scenario, "replay", Duration::ZERO).unwrap();
    assert!(scenario.about.ends_with("It lacks injected faults, the property a.b."), "{death}");
}
