//! Small guests: callbacks as text, behind a prelude of imports and helpers.

use serin_host::{Lapse, Module, Proxy, ProxyBuilder};

/// Names and values lie from 0 on, results go to 3000 and 3004, what the host hands over lies from 8192 on.
const PRELUDE: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
    (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
    (import "env" "proxy_get_shared_data" (func $get_data (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_shared_data" (func $set_data (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $period (param i32) (result i32)))
    (import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))
    (import "env" "proxy_done" (func $done (result i32)))
    (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_status" (func $buffer_status (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_size" (func $size (param i32 i32) (result i32)))
    (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
    (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $act_for (param i32) (result i32)))
    (import "env" "proxy_http_call" (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_grpc_call"
        (func $grpc_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_status" (func $status (param i32 i32 i32) (result i32)))
    (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
    (import "env" "proxy_resolve_shared_queue" (func $resolve (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "x-lane")
    (data (i32.const 16) "blue")
    (data (i32.const 32) "key")
    (data (i32.const 48) "xds\00listener_direction")
    (data (i32.const 80) "plugin_name")
    (global $free (mut i32) (i32.const 8192))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
        (global.get $free)
        (global.set $free (i32.add (global.get $free) (local.get $size))))
    (func $note (param $character i32) ;; logs one character
        (i32.store8 (i32.const 4000) (local.get $character))
        (drop (call $log (i32.const 2) (i32.const 4000) (i32.const 1))))
    (func $say (param $status i32) ;; logs a status: `0` for Ok, `1` for NotFound and so on
        (call $note (i32.add (i32.const 48) (local.get $status))))
    (func $get_lane (param $map i32) (result i32)
        (call $get (local.get $map) (i32.const 0) (i32.const 6) (i32.const 3000) (i32.const 3004)))
    (func $set_lane (param $map i32) (result i32)
        (call $replace (local.get $map) (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)))
    (func $remove_lane (param $map i32) (result i32)
        (call $remove (local.get $map) (i32.const 0) (i32.const 6)))
    (func $configuration (result i32) ;; reads it; pointer and size go to 3000 and 3004
        (call $buffer (i32.const 7) (i32.const 0) (i32.const 99) (i32.const 3000) (i32.const 3004)))
"#;

/// A callback with its signature; it returns what lets Envoy go on, unless the body returns something else.
pub(crate) fn on(callback: &str, body: &str) -> String {
    let (signature, result) = match callback {
        "proxy_on_request_headers" | "proxy_on_response_headers" => ("(param i32 i32 i32) (result i32)", "0"),
        "proxy_on_request_body" | "proxy_on_response_body" => ("(param i32 i32 i32) (result i32)", "0"),
        "proxy_on_request_trailers" | "proxy_on_response_trailers" => ("(param i32 i32) (result i32)", "0"),
        "proxy_on_http_call_response" => ("(param i32 i32 i32 i32 i32)", ""),
        "proxy_on_grpc_receive" | "proxy_on_grpc_close" => ("(param i32 i32 i32)", ""),
        "proxy_on_queue_ready" => ("(param i32 i32)", ""),
        "proxy_on_vm_start" | "proxy_on_configure" => ("(param i32 i32) (result i32)", "1"),
        "proxy_on_done" => ("(param i32) (result i32)", "1"),
        "proxy_on_tick" | "proxy_on_log" | "proxy_on_delete" => ("(param i32)", ""),
        "proxy_on_context_create" => ("(param i32 i32)", ""),
        "_initialize" => ("", ""),
        unknown => panic!("{unknown} has no signature here"),
    };
    let result = if result.is_empty() { String::new() } else { format!("(i32.const {result})") };
    format!(r#"(func ${callback} (export "{callback}") {signature} {body} {result})"#)
}

/// Pairs in their wire form, as a piece of memory at this address, and their size.
pub(crate) fn pairs(at: usize, pairs: &[(&str, &str)]) -> (String, usize) {
    let word = |number: usize| u32::try_from(number).expect("a small number").to_le_bytes();
    let mut bytes = word(pairs.len()).to_vec();
    pairs.iter().for_each(|(name, value)| bytes.extend([word(name.len()), word(value.len())].concat()));
    pairs.iter().for_each(|(name, value)| bytes.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat()));
    let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    (format!("(data (i32.const {at}) \"{text}\")"), bytes.len())
}

/// A guest with these callbacks.
pub(crate) fn guest(callbacks: &[String]) -> Module {
    Module::compile(format!("(module {PRELUDE} {})", callbacks.concat()).as_bytes()).expect("a sound guest")
}

/// A proxy with two workers that runs such a guest.
pub(crate) fn proxy(callbacks: &[String]) -> Proxy {
    ProxyBuilder::new(&guest(callbacks)).workers(2).start("first").expect("a guest that starts")
}

/// The same for a guest that is known to have this lapse.
pub(crate) fn proxy_with(lapse: Lapse, callbacks: &[String]) -> Proxy {
    ProxyBuilder::new(&guest(callbacks)).workers(2).allow(lapse).start("first").expect("a guest that starts")
}

/// What one VM logged, joined.
pub(crate) fn said(proxy: &Proxy, vm: &str) -> String {
    proxy.log().into_iter().filter(|line| line.vm == vm).map(|line| line.text).collect()
}
