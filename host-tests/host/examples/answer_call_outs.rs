//! Tests a filter that asks another service before it lets a request go on: the answers come from here.
//!
//! `cargo run -p serin-host --example answer_call_outs [MODULE.wasm [CLUSTER]]`; without a module it runs the one below.

#![allow(clippy::print_stdout, reason = "what is found is printed")]

use std::time::Duration;

use anyhow::Result;
use serin_host::{Action, CallOutAnswer, Exchange, Lapse, Module, Proxy, ProxyBuilder, Worker};

/// Asks the cluster `auth` and lets a request go on if the answer is 200; else answers 403 itself.
const GUEST: &str = r#"(module
    (import "env" "proxy_http_call"
        (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $for (param i32) (result i32)))
    (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
    (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "auth")
    ;; Three headers: their number, the sizes of names and values, then all of them with a NUL behind each.
    (data (i32.const 16) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\06\00\00\00\0a\00\00\00\04\00\00\00"
        ":method\00GET\00:path\00/check\00:authority\00auth\00")
    (data (i32.const 128) ":statusasked: no")
    (global $stream (mut i32) (i32.const 0))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param $id i32) (param i32 i32) (result i32)
        (global.set $stream (local.get $id))
        (if (call $ask (i32.const 0) (i32.const 4) (i32.const 16) (i32.const 69) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 256))
            (then unreachable))
        (i32.const 1))
    (func $is_200 (result i32)
        (if (call $get (i32.const 6) (i32.const 128) (i32.const 7) (i32.const 256) (i32.const 260))
            (then (return (i32.const 0))))
        (i32.eq (i32.and (i32.load (i32.load (i32.const 256))) (i32.const 0xffffff)) (i32.const 0x303032)))
    (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
        ;; The client may be gone by now, and its stream with it.
        (if (call $for (global.get $stream)) (then return))
        (if (call $is_200)
            (then (drop (call $continue (i32.const 0))))
            (else (drop (call $reply (i32.const 403) (i32.const 135) (i32.const 5) (i32.const 135) (i32.const 9)
                (i32.const 0) (i32.const 0) (i32.const -1)))))))"#;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let module = match arguments.next() {
        Some(path) => Module::compile(&std::fs::read(path)?)?,
        None => Module::compile(GUEST.as_bytes())?,
    };
    let cluster = arguments.next().unwrap_or_else(|| "auth".to_owned());
    // A filter that reads headers which a broken call does not have would else fail here.
    let mut proxy = ProxyBuilder::new(&module).cluster(&cluster).allow(Lapse::WrongPhase).start("")?;
    let worker = proxy.worker(0);
    show("a 200 with two bytes", &answered(&worker, &CallOutAnswer::response(200, [2, 2]))?);
    show("a 403", &answered(&worker, &CallOutAnswer::response(403, "no"))?);
    show("a connection that breaks", &answered(&worker, &CallOutAnswer::Reset)?);
    show("nothing for a minute", &unanswered(&mut proxy)?);
    show("nothing before the client leaves", &left(&worker)?);
    Ok(())
}

/// A request whose call-outs are all answered alike.
fn answered(worker: &Worker, answer: &CallOutAnswer) -> Result<Exchange> {
    let stream = worker.get("/cart").start()?;
    for call in worker.call_outs() {
        worker.answer(&call, answer.clone())?;
    }
    Ok(stream.complete()?)
}

/// A request whose call-outs run out of time.
fn unanswered(proxy: &mut Proxy) -> Result<Exchange> {
    let stream = proxy.worker(0).get("/cart").start()?;
    proxy.advance(Duration::from_secs(60))?;
    Ok(stream.complete()?)
}

/// A request whose client goes away first; what it asked is answered all the same.
fn left(worker: &Worker) -> Result<Exchange> {
    let exchange = worker.get("/cart").start()?.finish()?;
    for call in worker.call_outs() {
        worker.answer(&call, CallOutAnswer::response(200, ""))?;
    }
    Ok(exchange)
}

fn show(answer: &str, exchange: &Exchange) {
    let client = match (exchange.action, exchange.status) {
        (Action::Pause, 0) => "nothing".to_owned(),
        (_, status) => format!("{status}, from {}", if exchange.was_local { "the filter" } else { "the upstream" }),
    };
    println!("The call-out gets {answer}. The client gets {client}.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_lets_in_only_who_is_known() {
        let module = Module::compile(GUEST.as_bytes()).unwrap();
        let mut proxy = ProxyBuilder::new(&module).cluster("auth").allow(Lapse::WrongPhase).start("").unwrap();
        let worker = proxy.worker(0);
        for (answer, expected) in [
            (CallOutAnswer::response(200, [2, 2]), (200, false)),
            (CallOutAnswer::response(403, "no"), (403, true)),
            (CallOutAnswer::Reset, (403, true)),
        ] {
            let exchange = answered(&worker, &answer).unwrap();
            assert_eq!((exchange.status, exchange.was_local), expected, "{answer:?}");
        }
        assert_eq!(left(&worker).unwrap().status, 0);
        assert_eq!(unanswered(&mut proxy).unwrap().status, 403);
    }
}
