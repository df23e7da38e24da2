//! Log, clock, timers, contexts, the stream's fate, and foreign functions.

use std::time::Duration;

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::headers::{HeaderMap, decode_pairs};
use crate::log::LogLevel;
use crate::status::{Answer, Status};
use crate::vm::state::{Context, State, Timer};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    log.provide(linker, ENV, "proxy_log")?;
    get_log_level.provide(linker, ENV, "proxy_get_log_level")?;
    get_current_time.provide(linker, ENV, "proxy_get_current_time_nanoseconds")?;
    set_tick_period.provide(linker, ENV, "proxy_set_tick_period_milliseconds")?;
    set_effective_context.provide(linker, ENV, "proxy_set_effective_context")?;
    done.provide(linker, ENV, "proxy_done")?;
    continue_stream.provide(linker, ENV, "proxy_continue_stream")?;
    close_stream.provide(linker, ENV, "proxy_close_stream")?;
    call_foreign_function.provide(linker, ENV, "proxy_call_foreign_function")?;
    let local_response = |call: &mut Call<'_>,
                          status: u32,
                          details: u32,
                          details_size: u32,
                          body: u32,
                          body_size: u32,
                          headers: u32,
                          headers_size: u32,
                          _grpc: u32| {
        call.bytes(details, details_size)?;
        call.bytes(body, body_size)?;
        let headers = call.bytes(headers, headers_size)?;
        send_local_response(call, status, &headers)
    };
    local_response.provide(linker, ENV, "proxy_send_local_response")
}

fn log(call: &mut Call<'_>, level: u32, text: u32, text_size: u32) -> Answer {
    let level = LogLevel::from_number(level).ok_or(Status::BadArgument)?;
    let text = call.bytes(text, text_size)?;
    call.state().log(level, &text);
    Ok(())
}

fn get_log_level(call: &mut Call<'_>, to: u32) -> Answer {
    let level = call.state().shared.borrow().log_level;
    call.put_u32(to, level as u32)
}

fn get_current_time(call: &mut Call<'_>, to: u32) -> Answer {
    let now = call.state().shared.borrow().now;
    call.put_u64(to, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// Sets the timer of the root, also when called for a stream.
fn set_tick_period(call: &mut Call<'_>, milliseconds: u32) -> Answer {
    let state = call.state();
    let period = Duration::from_millis(milliseconds.into());
    let due = state.shared.borrow().now + period;
    let root = state.root_id();
    if period.is_zero() {
        state.timers.remove(&root);
    } else {
        state.timers.insert(root, Timer { period, due });
    }
    Ok(())
}

fn set_effective_context(call: &mut Call<'_>, id: u32) -> Answer {
    let state = call.state();
    if !state.contexts.contains_key(&id) {
        return Err(Status::BadArgument.into());
    }
    state.effective = Some(id);
    Ok(())
}

/// Only a root that answered "not yet" to `proxy_on_done` has something to end.
fn done(call: &mut Call<'_>) -> Answer {
    match call.state().context()? {
        Context::Root(root) if root.pending_done => {
            root.done = true;
            Ok(())
        }
        _ => Err(Status::NotFound.into()),
    }
}

const LAST_STREAM_TYPE: u32 = 3;

fn continue_stream(call: &mut Call<'_>, stream_type: u32) -> Answer {
    of_stream_type(call, stream_type, |stream| stream.paused = false)
}

fn close_stream(call: &mut Call<'_>, stream_type: u32) -> Answer {
    of_stream_type(call, stream_type, |stream| stream.closed = true)
}

fn of_stream_type(
    call: &mut Call<'_>,
    stream_type: u32,
    then: impl FnOnce(&mut crate::vm::state::StreamState),
) -> Answer {
    if stream_type > LAST_STREAM_TYPE {
        return Err(Status::BadArgument.into());
    }
    then(call.state().stream().map_err(|_| Status::BadArgument)?);
    Ok(())
}

/// The answer that the client gets instead of the upstream's.
fn send_local_response(call: &mut Call<'_>, status: u32, headers: &[u8]) -> Answer {
    let mut reply = HeaderMap::response().with(":status", status.to_string());
    for (name, value) in decode_pairs(headers) {
        reply.add(name, value);
    }
    call.state().stream().map_err(|_| Status::BadArgument)?.local_reply = Some(reply);
    Ok(())
}

/// Only the function that drops the chosen route exists here.
fn call_foreign_function(
    call: &mut Call<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    arguments_size: u32,
    to: u32,
    to_size: u32,
) -> Answer {
    let name = call.bytes(name, name_size)?;
    call.bytes(arguments, arguments_size)?;
    if name != b"clear_route_cache" {
        return Err(Status::NotFound.into());
    }
    call.state().stream().map_err(|_| Status::BadArgument)?.route_refreshes += 1;
    for pointer in [to, to_size].into_iter().filter(|pointer| *pointer != 0) {
        call.put_u32(pointer, 0)?;
    }
    Ok(())
}
