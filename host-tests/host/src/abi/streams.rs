//! The stream's fate: resuming it, closing it, answering it.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::lapse::Lapse;
use crate::pairs;
use crate::status::{Answer, Status};
use crate::vm::state::{AfterCall, Reply, State};
use crate::vm::stream_state::Side;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    continue_stream.provide(linker, ENV, "proxy_continue_stream")?;
    close_stream.provide(linker, ENV, "proxy_close_stream")?;
    let local_response = |call: &mut Call<'_>,
                          status: u32,
                          details: u32,
                          details_size: u32,
                          body: u32,
                          body_size: u32,
                          headers: u32,
                          headers_size: u32,
                          grpc: u32| {
        let details = String::from_utf8_lossy(&call.bytes(details, details_size)?).into_owned().into();
        let body = call.bytes(body, body_size)?;
        let headers = call.bytes(headers, headers_size)?;
        let headers =
            pairs::decode(&headers).into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        // What is no status of gRPC is none.
        let grpc_status = (grpc <= 16).then_some(grpc);
        send_local_response(call, Reply { status, headers, body, grpc_status, details, flag: 0, is_filters: true });
        Ok(())
    };
    local_response.provide(linker, ENV, "proxy_send_local_response")
}

const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;
const UPSTREAM: u32 = 3;

/// Also takes the request out of the guest's reach, whichever side goes on (`Context::continueStream`).
fn continue_stream(call: &mut Call<'_>, stream_type: u32) -> Answer {
    if stream_type >= UPSTREAM {
        let status = if stream_type == UPSTREAM { Status::Unimplemented } else { Status::BadArgument };
        return Err(status.into());
    }
    let state = call.state();
    let id = state.context_id();
    let Some(stream) = state.stream() else {
        state.find(Lapse::WrongPhase, || "proxy_continue_stream without a stream".to_owned());
        return Ok(());
    };
    stream.request.put_away();
    match stream_type {
        REQUEST => state.after_call.push_back(AfterCall::Resume(id, Side::Request)),
        RESPONSE => state.after_call.push_back(AfterCall::Resume(id, Side::Response)),
        _ => {}
    }
    Ok(())
}

fn close_stream(call: &mut Call<'_>, stream_type: u32) -> Answer {
    if stream_type > UPSTREAM {
        return Err(Status::BadArgument.into());
    }
    let state = call.state();
    let id = state.context_id();
    if state.stream().is_none() {
        state.find(Lapse::WrongPhase, || "proxy_close_stream without a stream".to_owned());
    } else if stream_type <= RESPONSE {
        state.after_call.push_back(AfterCall::Reset(id));
    }
    Ok(())
}

/// The answer that the client gets instead of the upstream's. Without a stream nothing happens, and it is Ok.
fn send_local_response(call: &mut Call<'_>, reply: Reply) {
    let state = call.state();
    let id = state.context_id();
    state.stop_iteration = true;
    if state.stream().is_none_or(|stream| stream.is_logged) {
        state.find(Lapse::WrongPhase, || "proxy_send_local_response without a stream that waits".to_owned());
    } else {
        state.after_call.push_back(AfterCall::Reply(id, reply));
    }
}
