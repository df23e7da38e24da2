//! How quick the host is: streams a second through an empty filter that exports every callback of a stream, and tests a
//! second, each of which starts a proxy of its own, sends a request and looks at what came of it.
//!
//! `cargo run --release -p serin-host --example speed`, or with a module's path for that module.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use serin_host::{Lapse, Module, ProxyBuilder};

/// A filter that does nothing in every callback that a stream without a body has.
const EMPTY: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
    (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0)
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) i32.const 0)
    (func (export "proxy_on_log") (param i32))
    (func (export "proxy_on_done") (param i32) (result i32) i32.const 1)
    (func (export "proxy_on_delete") (param i32)))"#;

const STREAMS: u32 = 1_000_000;
const TESTS: u32 = 5_000;

#[allow(clippy::print_stdout, reason = "what is measured is printed")]
fn main() -> Result<()> {
    let module = match std::env::args().nth(1) {
        Some(path) => Module::open(Path::new(&path))?,
        None => Module::compile(EMPTY.as_bytes())?,
    };
    let start = || ProxyBuilder::new(&module).allow(Lapse::ErrorLog).start("{}");

    let proxy = start()?;
    let request = proxy.worker(0).get("/").answer_body::<&str>([]);
    let started = Instant::now();
    for _ in 0..STREAMS {
        ensure!(request.clone().send()?.status == 200, "the filter answers otherwise");
    }
    let per_second = f64::from(STREAMS) / started.elapsed().as_secs_f64();
    println!("{per_second:.0} streams a second");

    let started = Instant::now();
    for _ in 0..TESTS {
        ensure!(start()?.worker(0).get("/").send()?.status == 200, "the filter answers otherwise");
    }
    println!("{TESTS} tests in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
