//! Modules that make the filter's host calls and do nothing else, written in the text form of WebAssembly: no filter that
//! asks its host for the same can be cheaper.

use anyhow::{Context, Result};
use base64ct::{Base64, Encoding};

use crate::job::Copy;

/// What is asked of the host for each request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Calls {
    /// Nothing: what remains are the callbacks.
    None,
    /// The override header, the cookies, and the version header, of which only the cookies are there.
    Headers,
    /// All headers at once.
    Pairs,
}

/// The module, as base64. All copies ask for the same names, so that they share a VM as those of the filter do.
///
/// # Errors
/// If the text is no valid module.
pub(crate) fn module(calls: Calls) -> Result<String> {
    let copy = Copy(1);
    let (absent, cookie, marked) = (copy.override_header(), "cookie".to_owned(), copy.version_header());
    let body = match calls {
        Calls::None => String::new(),
        Calls::Headers => by_name(&[(&absent, false), (&cookie, true), (&marked, false)]),
        Calls::Pairs => demand(&format!("(call $pairs (i32.const 0) {RETURNED})"), true),
    };
    let bytes = wat::parse_str(text(&(absent + &cookie + &marked), &body)).context("the module of host calls")?;
    Ok(Base64::encode_string(&bytes))
}

/// Where the names of headers begin in memory; what comes before takes pointers and sizes.
const NAMES: usize = 16;
/// Where the host writes the pointer and the size of what it returns.
const RETURNED: &str = "(i32.const 0) (i32.const 4)";

/// Asks for headers one after the other, some of which are there.
fn by_name(names: &[(&str, bool)]) -> String {
    let mut at = NAMES;
    let call = |(name, is_there): &(&str, bool)| {
        let start = at;
        at += name.len();
        let call = format!("(call $get (i32.const 0) (i32.const {start}) (i32.const {}) {RETURNED})", name.len());
        demand(&call, *is_there)
    };
    names.iter().map(call).collect()
}

/// Makes a call, and ends the VM and so the run if its status is another one than is due.
fn demand(call: &str, is_there: bool) -> String {
    let wrong = if is_there { call.to_owned() } else { format!("(i32.eqz {call})") };
    format!("(if {wrong} (then unreachable))")
}

/// A module with the callbacks of ours but the tick. What the host returns goes to the same place each time.
fn text(names: &str, body: &str) -> String {
    format!(
        r#"(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const {NAMES}) "{names}")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {body} (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_delete") (param i32)))"#
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::Result;
    use serin_envoy::{Connection, Running};

    use super::*;
    use crate::bootstrap::{answer, any_route, bootstrap, inline, restricted, wasm_inline};
    use crate::job::{Brings, request};

    async fn start(calls: Calls) -> Result<Running> {
        // What is refused answers with a status of its own.
        let capabilities =
            ["proxy_on_vm_start", "proxy_on_configure", "proxy_on_request_headers", "proxy_get_header_map_value"];
        let filter = restricted(wasm_inline("calls", &module(calls)?), &capabilities);
        let envoy = std::env::var_os("ENVOY").context("ENVOY is not set: run `cargo xtask test`")?;
        let routes = || inline(vec![any_route(answer("answer"))]);
        Running::start(&std::path::absolute(PathBuf::from(envoy))?, 1, &[], |_| bootstrap(&[filter], routes(), &[]))
            .await
    }

    /// A VM that makes no calls would answer whatever comes.
    #[tokio::test]
    async fn calls_are_made() -> Result<()> {
        let cases = [
            (Calls::None, Brings::Stable, 200),
            (Calls::None, Brings::Nothing, 200),
            (Calls::Headers, Brings::Stable, 200),
            (Calls::Headers, Brings::Nothing, 503),
            (Calls::Pairs, Brings::Stable, 503),
        ];
        for (calls, brings, expected) in cases {
            let reply = Connection::to(start(calls).await?.address()).send(request(&brings, 1)?).await?;
            assert_eq!(reply.status, expected, "{calls:?}, {brings:?}");
        }
        Ok(())
    }
}
