//! Buffers: bodies, the answers of call-outs, and configurations.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::lapse::Lapse;
use crate::status::{Answer, Status};
use crate::vm::state::{Context, State};
use crate::vm::stream_state::Message;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    get_bytes.provide(linker, ENV, "proxy_get_buffer_bytes")?;
    get_status.provide(linker, ENV, "proxy_get_buffer_status")?;
    set_bytes.provide(linker, ENV, "proxy_set_buffer_bytes")
}

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALL_BODY: u32 = 4;
const GRPC_MESSAGE: u32 = 5;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;
const LAST: u32 = 8;

/// What does not reach so far is cut off, and nothing at all is a null pointer.
fn get_bytes(call: &mut Call<'_>, buffer: u32, start: u32, size: u32, to: u32, to_size: u32) -> Answer {
    let content = content_of(call.state(), buffer)?;
    let (start, size) = (index(start), index(size));
    let piece = content.get(start..).unwrap_or_default();
    let piece = piece.get(..size).unwrap_or(piece).to_vec();
    call.give(&piece, to, to_size)
}

fn get_status(call: &mut Call<'_>, buffer: u32, to_size: u32, to_flags: u32) -> Answer {
    let content = content_of(call.state(), buffer)?;
    call.put_u32(to_size, u32::try_from(content.len()).map_err(|_| Status::InvalidMemoryAccess)?)?;
    call.put_u32(to_flags, 0)
}

/// `Buffer::copyFrom`: replaces the first bytes, or appends behind the last one.
fn set_bytes(call: &mut Call<'_>, buffer: u32, start: u32, size: u32, data: u32, data_size: u32) -> Answer {
    content_of(call.state(), buffer)?;
    let data = call.bytes(data, data_size)?;
    let state = call.state();
    let Some(body) = body_of(state, buffer) else {
        state.find(Lapse::WrongPhase, || format!("buffer {buffer} is not at hand to be changed"));
        return Err(Status::BadArgument.into());
    };
    let (start, size) = (index(start), index(size));
    if start == 0 {
        body.splice(..size.min(body.len()), data);
    } else if start >= body.len() {
        body.extend(data);
    } else {
        return Err(Status::BadArgument.into());
    }
    Ok(())
}

/// The bytes of a buffer. One that is not at hand is empty, but for those of call-outs and of the configuration.
fn content_of(state: &mut State, buffer: u32) -> Result<Vec<u8>, Status> {
    let root = state.root_id();
    let delivered = state.call_outs.delivered_to(root);
    match buffer {
        CALL_BODY => delivered.and_then(|delivered| delivered.body.clone()).ok_or(Status::NotFound),
        GRPC_MESSAGE => Ok(delivered.and_then(|delivered| delivered.message.clone()).unwrap_or_default()),
        VM_CONFIGURATION => Ok(state.settings.vm_configuration.clone()),
        PLUGIN_CONFIGURATION => match state.context() {
            Ok(Context::Root(root)) if root.configurable => Ok(root.plugin.configuration.clone()),
            _ => {
                state.find(Lapse::WrongPhase, || "the plugin's configuration is not at hand".to_owned());
                Err(Status::NotFound)
            }
        },
        REQUEST_BODY | RESPONSE_BODY => {
            let body = body_of(state, buffer).map(|body| body.clone());
            if body.is_none() {
                state.find(Lapse::WrongPhase, || "a body is not at hand".to_owned());
            }
            Ok(body.unwrap_or_default())
        }
        0..=LAST => Ok(Vec::new()),
        _ => Err(Status::BadArgument),
    }
}

/// A body that is at hand.
fn body_of(state: &mut State, buffer: u32) -> Option<&mut Vec<u8>> {
    let stream = state.stream()?;
    let message: &mut Message = match buffer {
        REQUEST_BODY => &mut stream.request,
        RESPONSE_BODY => &mut stream.response,
        _ => return None,
    };
    message.body_at_hand.then(|| message.shown())
}

fn index(word: u32) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}
