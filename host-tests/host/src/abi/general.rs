//! Log, clock, timers, contexts and foreign functions.

use std::time::Duration;

use wasmtime::{Caller, Linker};

use super::{Call, ENV, HostCall, answer, listed};
use crate::lapse::Lapse;
use crate::log::LogLevel;
use crate::profile::Version;
use crate::status::{Answer, Refusal, Status};
use crate::vm::state::{AfterCall, Context, State, Timer};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    log.provide(linker, ENV, "proxy_log")?;
    get_log_level.provide(linker, ENV, "proxy_get_log_level")?;
    get_current_time.provide(linker, ENV, "proxy_get_current_time_nanoseconds")?;
    set_tick_period.provide(linker, ENV, "proxy_set_tick_period_milliseconds")?;
    set_effective_context.provide(linker, ENV, "proxy_set_effective_context")?;
    done.provide(linker, ENV, "proxy_done")?;
    call_foreign_function.provide(linker, ENV, "proxy_call_foreign_function")?;
    // What C++ compiles to: the answer is a truth value and no status.
    let equal = |_: &mut Call<'_>, one: u32, other: u32| Err(Refusal::Number(u32::from(one == other)));
    equal.provide(linker, ENV, "pthread_equal")?;
    let id = listed("emscripten_notify_memory_growth")?;
    let grown = move |caller: Caller<'_, State>, _memory: u32| answer(id, caller, |_| Ok(())).map(|_| ());
    linker.func_wrap(ENV, "emscripten_notify_memory_growth", grown).map(|_| ())
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

/// 0 is the context of the VM itself, and so goes back to the running callback's.
fn set_effective_context(call: &mut Call<'_>, id: u32) -> Answer {
    let state = call.state();
    if id != 0 && !state.contexts.contains_key(&id) {
        return Err(Status::BadArgument.into());
    }
    state.effective = id;
    Ok(())
}

/// Only a root that answered "not yet" to `proxy_on_done` has something to end; a stream of its plugin may say so, too.
fn done(call: &mut Call<'_>) -> Answer {
    let state = call.state();
    let plugin = state.plugin().ok_or(Status::NotFound)?;
    let ends = |context: &Context| matches!(context, Context::Root(root) if root.pending_done && root.plugin == plugin);
    match state.contexts.iter_mut().find(|(_, context)| ends(context)) {
        Some((id, context)) => {
            if let Context::Root(root) = context {
                root.pending_done = false;
            }
            state.after_call.push_back(AfterCall::Delete(*id));
            Ok(())
        }
        None => {
            state.find(Lapse::WrongPhase, || "proxy_done while no root waits for it".to_owned());
            Err(Status::NotFound.into())
        }
    }
}

/// Of the functions that the profile knows, only the one that drops the chosen route does something here; the others refuse
/// their arguments.
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
    let profile = call.state().settings.profile;
    if !profile.foreign_functions().iter().any(|known| known.as_bytes() == name) {
        let name = String::from_utf8_lossy(&name).into_owned();
        call.state().find(Lapse::UnknownForeignFunction, || format!("{profile} has no foreign function {name:?}"));
        return Err(Status::NotFound.into());
    }
    for pointer in [to, to_size].into_iter().filter(|pointer| *pointer != 0) {
        call.put_u32(pointer, 0)?;
    }
    if name != b"clear_route_cache" {
        return Err(Status::BadArgument.into());
    }
    // Before 1.37 it acts on the context of the callback, whatever the effective one.
    let state = call.state();
    let id = if profile.version() < Version::V1_37 { state.current } else { state.context_id() };
    if let Some(Context::Stream(stream)) = state.contexts.get_mut(&id) {
        stream.route_refreshes += 1;
    }
    Ok(())
}
