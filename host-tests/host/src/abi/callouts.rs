//! HTTP call-outs. They belong to the root, whoever makes them.

use std::time::Duration;

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::callouts::{CallOut, CallOutKind};
use crate::pairs;
use crate::status::{Answer, Status};
use crate::vm::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let http_call = |call: &mut Call<'_>,
                     cluster: u32,
                     cluster_size: u32,
                     headers: u32,
                     headers_size: u32,
                     body: u32,
                     body_size: u32,
                     trailers: u32,
                     trailers_size: u32,
                     timeout: u32,
                     to_token: u32| {
        let cluster = String::from_utf8_lossy(&call.bytes(cluster, cluster_size)?).into_owned();
        let headers = call.bytes(headers, headers_size)?;
        let body = call.bytes(body, body_size)?;
        // Envoy reads them, and does not send them.
        call.bytes(trailers, trailers_size)?;
        call.put_u32(to_token, 0)?;
        let token = http_call(call.state(), cluster, &headers, body, timeout)?;
        call.put_u32(to_token, token)
    };
    http_call.provide(linker, ENV, "proxy_http_call")?;
    get_status.provide(linker, ENV, "proxy_get_status")
}

fn http_call(state: &mut State, cluster: String, pairs: &[u8], body: Vec<u8>, timeout: u32) -> Result<u32, Status> {
    if timeout > i32::MAX.unsigned_abs() || !state.settings.knows_cluster(&cluster) {
        return Err(Status::BadArgument);
    }
    let mut headers = pairs::decode_request(pairs);
    if [":path", ":method", ":authority"].iter().any(|needed| !headers.has(needed)) {
        return Err(Status::BadArgument);
    }
    if !body.is_empty() {
        headers.replace("content-length", body.len().to_string());
    }
    let root = state.root_id();
    let token = state.call_outs.new_token(&CallOutKind::Http);
    if state.settings.is_empty_cluster(&cluster) {
        return Err(Status::InternalFailure);
    }
    let due = (timeout > 0).then(|| state.shared.borrow().now + Duration::from_millis(timeout.into()));
    let call = CallOut { token, vm: state.number, root, kind: CallOutKind::Http, cluster, headers, body, due };
    state.call_outs.pending.insert(token, call);
    Ok(token)
}

/// What the last failed call-out of the root came to.
fn get_status(call: &mut Call<'_>, to_code: u32, to: u32, to_size: u32) -> Answer {
    let state = call.state();
    let root = state.root_id();
    let (code, message) = state.call_outs.status.get(&root).cloned().unwrap_or_default();
    call.put_u32(to_code, code)?;
    call.give(message.as_bytes(), to, to_size)
}
