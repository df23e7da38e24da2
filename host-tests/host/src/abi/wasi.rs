//! WASI preview 1 as far as guests without files use it, with Envoy's answers (`src/exports.cc` of proxy-wasm-cpp-host).

use wasmtime::{Caller, Linker};

use super::{Call, HostCall, answer, listed};
use crate::log::LogLevel;
use crate::profile::Version;
use crate::status::{Answer, Refusal};
use crate::vm::state::State;

pub(super) const EBADF: u32 = 8;
const EINVAL: u32 = 28;
pub(super) const ENOSYS: u32 = 52;
pub(super) const ENOTSUP: u32 = 58;
/// The most random bytes that Envoy gives at once.
const MAX_RANDOM: u32 = 64 * 1024;

pub(super) fn link(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    random_get.provide(linker, module, "random_get")?;
    environ_get.provide(linker, module, "environ_get")?;
    environ_sizes_get.provide(linker, module, "environ_sizes_get")?;
    args_get.provide(linker, module, "args_get")?;
    args_sizes_get.provide(linker, module, "args_sizes_get")?;
    clock_time_get.provide(linker, module, "clock_time_get")?;
    clock_res_get.provide(linker, module, "clock_res_get")?;
    fd_write.provide(linker, module, "fd_write")?;
    poll_oneoff.provide(linker, module, "poll_oneoff")?;
    sched_yield.provide(linker, module, "sched_yield")?;
    // Envoy logs the exit and goes on; the guest then traps by itself.
    let id = listed("proc_exit")?;
    let exit = move |caller: Caller<'_, State>, _code: u32| answer(id, caller, |_| Ok(())).map(|_| ());
    linker.func_wrap(module, "proc_exit", exit).map(|_| ())
}

fn random_get(call: &mut Call<'_>, to: u32, size: u32) -> Answer {
    if size > MAX_RANDOM {
        return Err(Refusal::Number(EINVAL));
    }
    let entropy = &mut call.state().entropy;
    let bytes: Vec<u8> = (0..size).map(|_| entropy.u8(..)).collect();
    call.put(to, &bytes)?;
    call.state().cost.bytes_in += u64::from(size);
    call.state().entropy_given.push(bytes);
    Ok(())
}

fn environ_get(call: &mut Call<'_>, mut to_pointers: u32, mut to: u32) -> Answer {
    for entry in environment(call) {
        call.put_u32(to_pointers, to)?;
        call.put(to, &entry)?;
        to_pointers += 4;
        to += size_of(&entry)?;
    }
    Ok(())
}

fn environ_sizes_get(call: &mut Call<'_>, to_count: u32, to_size: u32) -> Answer {
    let entries = environment(call);
    let count = size_of(&entries)?;
    let mut bytes = 0;
    for entry in &entries {
        bytes += size_of(entry)?;
    }
    call.put_u32(to_count, count)?;
    call.put_u32(to_size, bytes)
}

fn args_get(_: &mut Call<'_>, _to_pointers: u32, _to: u32) -> Answer {
    Ok(())
}

fn args_sizes_get(call: &mut Call<'_>, to_count: u32, to_size: u32) -> Answer {
    call.put_u32(to_count, 0)?;
    call.put_u32(to_size, 0)
}

/// Real time (0) and monotonic time (1), both in nanoseconds.
fn clock_time_get(call: &mut Call<'_>, clock: u32, _precision: u64, to: u32) -> Answer {
    let shared = call.state().shared.clone();
    let time = match clock {
        0 => shared.borrow().now,
        1 => shared.borrow().now.saturating_sub(shared.borrow().started),
        _ => return Err(Refusal::Number(ENOTSUP)),
    };
    call.put_u64(to, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn clock_res_get(call: &mut Call<'_>, clock: u32, to: u32) -> Answer {
    if clock > 1 { Err(Refusal::Number(ENOTSUP)) } else { call.put_u64(to, 1) }
}

/// No event ever comes. Hosts before 1.39 do not do it at all.
fn poll_oneoff(call: &mut Call<'_>, _subscriptions: u32, _events: u32, _count: u32, to_count: u32) -> Answer {
    if call.state().settings.profile.version() < Version::V1_39 {
        return Err(Refusal::Number(ENOSYS));
    }
    call.put_u32(to_count, 0)
}

fn sched_yield(_: &mut Call<'_>) -> Answer {
    Ok(())
}

/// What goes to standard output and error becomes a log line, without its last newline.
pub(super) fn fd_write(call: &mut Call<'_>, file: u32, pieces: u32, count: u32, to_written: u32) -> Answer {
    let level = match file {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return Err(Refusal::Number(EBADF)),
    };
    let mut text = Vec::new();
    for index in 0..count {
        let start = pieces.wrapping_add(index.wrapping_mul(8));
        let (pointer, size) = (read_u32(call, start)?, read_u32(call, start.wrapping_add(4))?);
        text.extend(call.bytes(pointer, size)?);
    }
    let written = size_of(&text)?;
    if written > 0 {
        let line = text.strip_suffix(b"\n").unwrap_or(&text);
        call.state().log(level, line);
    }
    call.put_u32(to_written, written)
}

fn read_u32(call: &mut Call<'_>, start: u32) -> Answer<u32> {
    let bytes = call.bytes(start, 4)?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// `NAME=value` with a NUL behind it.
fn environment(call: &mut Call<'_>) -> Vec<Vec<u8>> {
    let entry = |(name, value): (&String, &String)| format!("{name}={value}\0").into_bytes();
    call.state().settings.environment.iter().map(entry).collect()
}

fn size_of<T>(items: &[T]) -> Answer<u32> {
    u32::try_from(items.len()).map_err(|_| Refusal::Number(EINVAL))
}
