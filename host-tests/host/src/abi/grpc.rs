//! gRPC calls and streams. They belong to the root, whoever makes them.

use std::time::Duration;

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::callouts::{CallOut, CallOutKind};
use crate::pairs;
use crate::status::{Answer, Status};
use crate::vm::state::{AfterCall, State};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_call(linker)?;
    link_stream(linker)?;
    send.provide(linker, ENV, "proxy_grpc_send")?;
    cancel.provide(linker, ENV, "proxy_grpc_cancel")?;
    close.provide(linker, ENV, "proxy_grpc_close")
}

fn link_call(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let grpc_call = |call: &mut Call<'_>,
                     service: u32,
                     service_size: u32,
                     name: u32,
                     name_size: u32,
                     method: u32,
                     method_size: u32,
                     metadata: u32,
                     metadata_size: u32,
                     request: u32,
                     request_size: u32,
                     timeout: u32,
                     to_token: u32| {
        let cluster = call.bytes(service, service_size)?;
        let kind = CallOutKind::GrpcCall(text(call, name, name_size)?, text(call, method, method_size)?);
        let metadata = call.bytes(metadata, metadata_size)?;
        let request = call.bytes(request, request_size)?;
        let token = start(call.state(), kind, &cluster, &metadata, request, timeout)?;
        call.put_u32(to_token, token)
    };
    grpc_call.provide(linker, ENV, "proxy_grpc_call")
}

fn link_stream(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let grpc_stream = |call: &mut Call<'_>,
                       service: u32,
                       service_size: u32,
                       name: u32,
                       name_size: u32,
                       method: u32,
                       method_size: u32,
                       metadata: u32,
                       metadata_size: u32,
                       to_token: u32| {
        let cluster = call.bytes(service, service_size)?;
        let kind = CallOutKind::GrpcStream(text(call, name, name_size)?, text(call, method, method_size)?);
        let metadata = call.bytes(metadata, metadata_size)?;
        let token = start(call.state(), kind, &cluster, &metadata, Vec::new(), 0)?;
        call.put_u32(to_token, token)
    };
    grpc_stream.provide(linker, ENV, "proxy_grpc_stream")
}

fn text(call: &mut Call<'_>, start: u32, size: u32) -> Answer<String> {
    Ok(String::from_utf8_lossy(&call.bytes(start, size)?).into_owned())
}

fn start(
    state: &mut State,
    kind: CallOutKind,
    service: &[u8],
    metadata: &[u8],
    body: Vec<u8>,
    timeout: u32,
) -> Result<u32, Status> {
    let cluster = cluster_of(service).filter(|cluster| state.settings.knows_cluster(cluster));
    let cluster = cluster.ok_or(Status::ParseFailure)?;
    let headers = pairs::decode_request(metadata);
    let root = state.root_id();
    let token = state.call_outs.new_token(&kind);
    let due = (timeout > 0).then(|| state.shared.borrow().now + Duration::from_millis(timeout.into()));
    let is_empty = state.settings.is_empty_cluster(&cluster);
    let call = CallOut { token, vm: state.number, root, kind, cluster, headers, body, due };
    if is_empty {
        // A call is refused and told of its end all the same; Envoy 1.40 hangs on a stream.
        if matches!(call.kind, CallOutKind::GrpcCall(..)) {
            state.after_call.push_back(AfterCall::GrpcClose(call));
        }
        return Err(Status::InternalFailure);
    }
    state.call_outs.pending.insert(token, call);
    Ok(token)
}

/// A cluster's name, or that of `GrpcService { envoy_grpc: { cluster_name } }` in protobuf's wire form.
fn cluster_of(service: &[u8]) -> Option<String> {
    let field = |bytes: &[u8]| match bytes {
        [0x0a, size, rest @ ..] if usize::from(*size) <= rest.len() && *size < 0x80 => {
            Some(rest[..usize::from(*size)].to_vec())
        }
        _ => None,
    };
    let inner = field(service).and_then(|envoy| field(&envoy));
    String::from_utf8(inner.unwrap_or_else(|| service.to_vec())).ok()
}

/// Only a stream takes messages; what is sent on one that the server has ended is lost.
fn send(call: &mut Call<'_>, token: u32, message: u32, message_size: u32, _ends: u32) -> Answer {
    let message = call.bytes(message, message_size)?;
    if token % 4 != 2 {
        return Err(Status::BadArgument.into());
    }
    let calls = &mut call.state().call_outs;
    match calls.pending.get_mut(&token) {
        Some(pending) => pending.body.extend(message),
        None if calls.remotely_closed.contains(&token) => {}
        None => return Err(Status::NotFound.into()),
    }
    Ok(())
}

/// Nothing more comes of the call or of the stream.
fn cancel(call: &mut Call<'_>, token: u32) -> Answer {
    if !matches!(token % 4, 1 | 2) {
        return Err(Status::BadArgument.into());
    }
    let calls = &mut call.state().call_outs;
    calls.locally_closed.remove(&token);
    let known = calls.pending.remove(&token).is_some() | calls.remotely_closed.remove(&token);
    if known { Ok(()) } else { Err(Status::NotFound.into()) }
}

/// Cancels a call. On a stream only the guest's half ends: what the server still sends arrives.
fn close(call: &mut Call<'_>, token: u32) -> Answer {
    if token % 4 != 2 {
        return cancel(call, token);
    }
    let calls = &mut call.state().call_outs;
    if calls.pending.contains_key(&token) {
        calls.locally_closed.insert(token);
        return Ok(());
    }
    if calls.remotely_closed.remove(&token) { Ok(()) } else { Err(Status::NotFound.into()) }
}
