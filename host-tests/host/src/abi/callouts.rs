//! Call-outs and queues. This host has no clusters, no gRPC services and no queues, so every call gets the status that
//! Envoy gives where a name leads nowhere.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::status::{Answer, Status};
use crate::vm::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_calls(linker)?;
    link_queues(linker)?;
    get_status.provide(linker, ENV, "proxy_get_status")
}

fn link_calls(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let http_call =
        |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            Err(Status::BadArgument.into())
        };
    http_call.provide(linker, ENV, "proxy_http_call")?;
    let grpc_call = |_: &mut Call<'_>,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32,
                     _: u32| { Err(Status::ParseFailure.into()) };
    grpc_call.provide(linker, ENV, "proxy_grpc_call")?;
    let grpc_stream = |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
        Err(Status::ParseFailure.into())
    };
    grpc_stream.provide(linker, ENV, "proxy_grpc_stream")?;
    let grpc_send = |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32| Err(Status::NotFound.into());
    grpc_send.provide(linker, ENV, "proxy_grpc_send")?;
    let by_token = |_: &mut Call<'_>, _: u32| Err(Status::NotFound.into());
    by_token.provide(linker, ENV, "proxy_grpc_cancel")?;
    by_token.provide(linker, ENV, "proxy_grpc_close")
}

fn link_queues(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let register = |_: &mut Call<'_>, _: u32, _: u32, _: u32| Err(Status::Unimplemented.into());
    register.provide(linker, ENV, "proxy_register_shared_queue")?;
    let resolve = |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u32| Err(Status::NotFound.into());
    resolve.provide(linker, ENV, "proxy_resolve_shared_queue")?;
    let by_token = |_: &mut Call<'_>, _: u32, _: u32, _: u32| Err(Status::NotFound.into());
    by_token.provide(linker, ENV, "proxy_dequeue_shared_queue")?;
    by_token.provide(linker, ENV, "proxy_enqueue_shared_queue")
}

/// The status of the last call-out: none was made.
fn get_status(call: &mut Call<'_>, to_code: u32, to: u32, to_size: u32) -> Answer {
    call.put_u32(to_code, 0)?;
    call.give(b"", to, to_size)
}
