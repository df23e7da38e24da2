//! Profiles: where the hosts differ.

use serin_host::routes::{FilterSwitch, Route, RouteTable};
use serin_host::{Direction, Module, Profile, ProxyBuilder, Rejected, under_profiles};

use crate::guest::{guest, on, said};

#[under_profiles]
fn a_filter_changes_the_headers_that_routes_see(profile: Profile) {
    let guest = guest(&[on("proxy_on_request_headers", "(drop (call $set_lane (i32.const 0)))")]);
    let proxy = ProxyBuilder::new(&guest).profile(profile).direction(Direction::Inbound).start("").unwrap();
    assert_eq!(proxy.worker(0).get("/").send().unwrap().request.text("x-lane").as_deref(), Some("blue"));
}

/// A guest of a whole module that imports one function of WASI.
fn importing(name: &str, signature: &str) -> Module {
    let text = format!(
        r#"(module (import "wasi_snapshot_preview1" "{name}" (func {signature})) (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) i32.const 0))"#
    );
    Module::compile(text.as_bytes()).unwrap()
}

#[under_profiles]
fn an_import_that_the_host_lacks_fails_the_load(profile: Profile) {
    let started = ProxyBuilder::new(&importing("fd_sync", "(param i32) (result i32)")).profile(profile).start("");
    match (started, profile) {
        (Ok(_), Profile::Envoy1_40) => {}
        (Err(Rejected::MissingImports(names)), _) => assert_eq!(names, ["fd_sync"]),
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn a_function_that_envoy_has_with_another_signature_does_not_link() {
    let standard = "(param i32 i32 i32 i32 i32) (result i32)";
    let text = format!(
        r#"(module (import "wasi_snapshot_preview1" "path_symlink" (func {standard})) (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) i32.const 0))"#
    );
    let error = Module::compile(text.as_bytes()).unwrap_err();
    assert!(format!("{error:#}").contains("path_symlink"), "{error:#}");
}

#[test]
fn a_callback_with_another_signature_does_not_load() {
    let text = r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) i32.const 0) (func (export "proxy_on_log") (param i64)))"#;
    let error = Module::compile(text.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("proxy_on_log"), "{error:#}");
}

/// Names and ids as guests read them, by the first letters of two properties.
#[test]
fn platforms_name_plugins_and_nodes_in_their_own_ways() {
    let read = "(drop (call $property (i32.const 80) (i32.const 11) (i32.const 3000) (i32.const 3004)))
        (drop (call $log (i32.const 2) (i32.load (i32.const 3000)) (i32.load (i32.const 3004))))
        (call $note (i32.const 47))
        (drop (call $property (i32.const 96) (i32.const 12) (i32.const 3000) (i32.const 3004)))
        (drop (call $log (i32.const 2) (i32.load (i32.const 3000)) (i32.load (i32.const 3004))))";
    let guest = guest(&[r#"(data (i32.const 96) "plugin_vm_id")"#.to_owned(), on("proxy_on_configure", read)]);
    let names = |profile, vm_id: &str| {
        let proxy = ProxyBuilder::new(&guest).profile(profile).vm_id(vm_id).start("").unwrap();
        said(&proxy, "main")
    };
    assert_eq!(names(Profile::Envoy1_36, "vm"), "filter/vm");
    assert_eq!(names(Profile::Istio, "vm"), "default.filter/");
    assert_eq!(names(Profile::EnvoyGateway, ""), "filter/filter");
}

#[test]
fn envoy_gateway_enables_filters_on_routes() {
    let enabled = |disabled| Route { filter: Some(FilterSwitch { disabled }), ..Route::to("a").when("x-on", "1") };
    let callbacks = |profile, route: Option<Route>, on: &str| {
        let routes = route.into_iter().chain([Route::to("a")]).collect();
        let guest = guest(&[crate::guest::on("proxy_on_request_headers", "")]);
        let builder = ProxyBuilder::new(&guest).profile(profile).routes(RouteTable::new(&["a"], routes));
        let proxy = builder.start("").unwrap();
        let exchange = proxy.worker(0).get("/").header("x-on", on).send().unwrap();
        assert_eq!(exchange.status, 200);
        exchange.usage.by_callback().len()
    };
    let (envoy, gateway) = (Profile::Envoy1_36, Profile::EnvoyGateway);
    assert_eq!(callbacks(gateway, None, "1"), 1, "a table that says nothing");
    assert_eq!(callbacks(gateway, Some(enabled(false)), "1"), 1);
    assert_eq!(callbacks(gateway, Some(enabled(false)), "0"), 0);
    assert_eq!(callbacks(envoy, Some(enabled(false)), "0"), 1);
    assert_eq!(callbacks(envoy, Some(enabled(true)), "1"), 0);
}

#[test]
fn new_foreign_functions_are_not_in_old_hosts() {
    let call = "(call $say (call $foreign (i32.const 96) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0)))";
    let guest = guest(&[r#"(data (i32.const 96) "sign")"#.to_owned(), on("proxy_on_request_headers", call)]);
    let status = |profile| {
        let proxy = ProxyBuilder::new(&guest).profile(profile).start("").unwrap();
        proxy.worker(0).get("/").send().unwrap();
        proxy.take_findings();
        said(&proxy, "worker 0")
    };
    assert_eq!(status(Profile::Envoy1_36), "1");
    assert_eq!(status(Profile::Envoy1_40), "2");
}
