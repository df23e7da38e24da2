//! A filter of another kind: one that refuses configurations, answers by itself, and logs.

use std::time::Duration;

use anyhow::Result;
use serin_host::scenario::{Http, Scenario};
use serin_scenarios::runner::{Discovery, Envoy, Options, run};

use super::{assert_alike, options, path_in};

/// Takes configurations of an even length, logging an error for others but that of one byte. Answers requests with an
/// `x-lane` header by itself, and logs that.
const PICKY: &str = r#"(module
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "x-lane")
    (data (i32.const 16) "blue")
    (data (i32.const 32) "an odd length")
    (data (i32.const 48) "a lane of its own")
    (global $free (mut i32) (i32.const 8192))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param $size i32) (result i32)
        (global.get $free) (global.set $free (i32.add (global.get $free) (local.get $size))))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
    (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
        (if (i32.and (i32.and (local.get $size) (i32.const 1)) (i32.gt_u (local.get $size) (i32.const 1)))
            (then (drop (call $log (i32.const 4) (i32.const 32) (i32.const 13)))))
        (i32.eqz (i32.and (local.get $size) (i32.const 1))))
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (if (i32.eqz (call $get (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 3000) (i32.const 3004)))
            (then
                (drop (call $log (i32.const 3) (i32.const 48) (i32.const 17)))
                (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))
                (return (i32.const 1))))
        (drop (call $add (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)))
        (i32.const 0))
    (func (export "proxy_on_delete") (param i32)))"#;

const REFUSING: &str = r"
about: A push that the filter refuses leaves the one before in force, and later ones are judged by themselves.
module: picky
configuration: good
steps:
- request: {}
  expect: {status: 200, cluster: v1, request: {x-lane: blue}}
- push: bad
  expect: {accepted: false, errors: [an odd length]}
- request: {}
  expect: {status: 200, request: {x-lane: blue}}
- push: better
- request: {headers: {x-lane: red}}
  expect: {status: 403, cluster: null}
- log: [{level: warn, contains: a lane of its own}]
- push: odd
  expect: {accepted: false, errors: [an odd length]}
- push: odd
  expect: {accepted: false, errors: []}
- push: even
- request: {}
  expect: {request: {x-lane: blue}}
";

const REFUSED: &str = r"
about: A filter that refuses its first configuration never serves.
module: picky
configuration: x
expect: {accepted: false, errors: []}
steps: []
";

#[tokio::test]
async fn a_filter_that_refuses_is_alike_in_both_hosts() -> Result<()> {
    let module = tempfile::Builder::new().suffix(".wasm").tempfile()?;
    std::fs::write(module.path(), wat::parse_str(PICKY)?)?;
    let read = |text: &str, name: &str| Scenario::parse(text, name, Duration::ZERO);
    let scenarios = [read(REFUSING, "refusing")?, read(REFUSED, "refused")?, read(REFUSING, "refusing-beside")?];
    let options = Options {
        modules: [("picky".to_owned(), module.path().to_path_buf())].into(),
        envoys: vec![Envoy { name: "Envoy".to_owned(), binary: path_in("ENVOY")? }],
        http: vec![Http::One],
        discovery: vec![Discovery::Lds, Discovery::Ecds],
        workers: vec![1],
        ..options()?
    };
    assert_alike(&scenarios, &run(&scenarios, &options).await?);
    Ok(())
}
