//! Runs one filter as each of the hosts would, and shows where they differ for it.
//!
//! `cargo run -p serin-host --example profiles [MODULE.wasm [CONFIGURATION]]`; without a module it runs the one below.

#![allow(clippy::print_stdout, reason = "what is found is printed")]

use anyhow::Result;
use serin_host::{Exchange, Lapse, Module, Profile, ProxyBuilder};

/// Adds the id of its VM and the name of its plugin to a request. `fd_sync` is a function that not every Envoy has.
const GUEST: &str = r#"(module
    (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
    FD_SYNC
    (memory (export "memory") 1)
    (data (i32.const 0) "plugin_vm_idplugin_name")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func $copy (param $name i32) (param $size i32)
        (if (call $get (local.get $name) (local.get $size) (i32.const 256) (i32.const 260)) (then return))
        (drop (call $set (i32.const 0) (local.get $name) (local.get $size)
            (i32.load (i32.const 256)) (i32.load (i32.const 260)))))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $copy (i32.const 0) (i32.const 12))
        (call $copy (i32.const 12) (i32.const 11))
        (i32.const 0)))"#;
const FD_SYNC: &str = r#"(import "wasi_snapshot_preview1" "fd_sync" (func (param i32) (result i32)))"#;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let given = arguments.next();
    let configuration = arguments.next().unwrap_or_default();
    let modules = match given {
        Some(path) => vec![(path.clone(), Module::compile(&std::fs::read(path)?)?)],
        None => vec![
            ("the guest below".to_owned(), Module::compile(GUEST.replace("FD_SYNC", "").as_bytes())?),
            ("the same with `fd_sync`".to_owned(), Module::compile(GUEST.replace("FD_SYNC", FD_SYNC).as_bytes())?),
        ],
    };
    for (name, module) in modules {
        println!("{name}");
        for profile in Profile::ALL {
            let outcome = run(&module, profile, &configuration);
            let why_not = |error: anyhow::Error| {
                format!("does not run: {}", error.to_string().lines().next().unwrap_or_default())
            };
            println!("  {:<14} {}", profile.to_string(), outcome.unwrap_or_else(why_not));
        }
    }
    Ok(())
}

/// What a request looks like behind the filter, or what the client gets instead.
fn run(module: &Module, profile: Profile, configuration: &str) -> Result<String> {
    let builder = ProxyBuilder::new(module).profile(profile).vm_id("shop").plugin_name("lane");
    let proxy = builder.allow(Lapse::ErrorLog).start(configuration)?;
    let exchange = proxy.worker(0).get("/cart").send()?;
    let findings = proxy.take_findings();
    let findings = findings.iter().map(|finding| format!("\n    {finding}"));
    Ok(described(&exchange) + &findings.collect::<String>())
}

fn described(exchange: &Exchange) -> String {
    let Some(upstream) = &exchange.upstream else { return format!("answers {}", exchange.status) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let added = upstream.iter().filter(|(name, _)| !name.starts_with(b":"));
    let added: Vec<String> = added.map(|(name, value)| format!("{}={:?}", text(name), text(value))).collect();
    format!("adds {}", if added.is_empty() { "nothing to the request".to_owned() } else { added.join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_differ_in_ids_and_in_what_they_provide() {
        let found = |profile, import: &str| {
            let module = Module::compile(GUEST.replace("FD_SYNC", import).as_bytes()).unwrap();
            run(&module, profile, "").unwrap_or_else(|error| error.to_string())
        };
        assert_eq!(found(Profile::Envoy1_40, FD_SYNC), r#"adds plugin_vm_id="shop" plugin_name="lane""#);
        assert_eq!(found(Profile::Istio, ""), r#"adds plugin_vm_id="" plugin_name="lane""#);
        assert_eq!(found(Profile::Envoy1_36, FD_SYNC), "the host has no fd_sync");
    }
}
