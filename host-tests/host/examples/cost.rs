//! Shows what a filter costs, callback by callback: host calls, bytes copied, allocations and fuel.
//!
//! `cargo run -p serin-host --example cost [MODULE.wasm [CONFIGURATION]]`; without a module it runs the one below.

#![allow(clippy::print_stdout, reason = "what is found is printed")]

use anyhow::Result;
use serin_host::{HeaderMap, Lapse, Module, ProxyBuilder, Usage};

/// Copies the path of a request into another header, and counts the bytes of its body.
const GUEST: &str = r#"(module
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) ":pathx-path")
    (global $bytes (mut i32) (i32.const 0))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $get (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 256) (i32.const 260)))
        (call $set (i32.const 0) (i32.const 5) (i32.const 6) (i32.load (i32.const 256)) (i32.load (i32.const 260))))
    (func (export "proxy_on_request_body") (param i32) (param $size i32) (param i32) (result i32)
        (global.set $bytes (i32.add (global.get $bytes) (local.get $size)))
        (i32.const 0)))"#;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let module = match arguments.next() {
        Some(path) => Module::compile(&std::fs::read(path)?)?,
        None => Module::compile(GUEST.as_bytes())?,
    };
    let configuration = arguments.next().unwrap_or_default();
    // This is to measure: what else there is to find fault with is printed at the end.
    let proxy = ProxyBuilder::new(&module).allow(Lapse::ErrorLog).start(configuration)?;
    let worker = proxy.worker(0);
    print("to start a VM and to be configured", &worker.usage());
    let request = || worker.request("POST", "/cart?id=7").header("cookie", "session=1").body(["one", "two"]);
    let answer = || HeaderMap::response().with(":status", "200").with("content-type", "text/plain");
    print("the first request", &request().answered(answer()).send()?.usage);
    for _ in 0..1000 {
        request().answered(answer()).send()?;
    }
    print("a request when all is warm", &request().answered(answer()).send()?.usage);
    println!("\nThe VM has {} pages of memory.", worker.pages());
    proxy.take_findings().iter().for_each(|finding| println!("{finding}"));
    Ok(())
}

fn print(title: &str, usage: &Usage) {
    println!("\n{title}");
    if usage.by_callback().is_empty() {
        return println!("  nothing: the guest has no callback for it");
    }
    println!(
        "  {:<34}{:>6}{:>11}{:>10}{:>11}{:>12}{:>9}",
        "callback", "times", "host calls", "bytes in", "bytes out", "allocations", "fuel"
    );
    for cost in usage.by_callback() {
        let (name, calls) = (cost.callback(), cost.total_host_calls());
        println!(
            "  {name:<34}{:>6}{calls:>11}{:>10}{:>11}{:>12}{:>9}",
            cost.times, cost.bytes_in, cost.bytes_out, cost.allocations, cost.fuel
        );
        for (call, times) in cost.host_calls() {
            println!("    {call:<32}{times:>17}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_costs_one_callback_for_each_piece_and_one_for_its_end() {
        let module = Module::compile(GUEST.as_bytes()).unwrap();
        let proxy = ProxyBuilder::new(&module).start("").unwrap();
        let usage = proxy.worker(0).request("POST", "/a").body(["one", "two"]).send().unwrap().usage;
        assert_eq!(usage.of("proxy_on_request_body").unwrap().times, 3);
        assert_eq!(usage.of("proxy_on_request_headers").unwrap().total_host_calls(), 2);
    }
}
