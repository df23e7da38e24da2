//! WASI preview 1, as far as guests without files use it, with Envoy's answers.

use wasmtime::{Caller, Linker};

use super::{Call, HostCall, answer};
use crate::log::LogLevel;
use crate::status::{Answer, Refusal};
use crate::vm::state::State;

const WASI: &str = "wasi_snapshot_preview1";
const EBADF: u32 = 8;
const EINVAL: u32 = 28;
const ENOTSUP: u32 = 58;
/// The most random bytes that Envoy gives at once.
const MAX_RANDOM: u32 = 64 * 1024;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    random_get.provide(linker, WASI, "random_get")?;
    environ_get.provide(linker, WASI, "environ_get")?;
    environ_sizes_get.provide(linker, WASI, "environ_sizes_get")?;
    clock_time_get.provide(linker, WASI, "clock_time_get")?;
    fd_write.provide(linker, WASI, "fd_write")?;
    // Envoy logs the exit and goes on; the guest then traps by itself.
    let exit = |caller: Caller<'_, State>, _code: u32| answer("proc_exit", caller, |_| Ok(())).map(|_| ());
    linker.func_wrap(WASI, "proc_exit", exit).map(|_| ())
}

fn random_get(call: &mut Call<'_>, to: u32, size: u32) -> Answer {
    if size > MAX_RANDOM {
        return Err(Refusal::Errno(EINVAL));
    }
    let entropy = &mut call.state().entropy;
    let bytes: Vec<u8> = (0..size).map(|_| entropy.u8(..)).collect();
    call.put(to, &bytes)?;
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

/// Real time (0) and monotonic time (1), both in nanoseconds.
fn clock_time_get(call: &mut Call<'_>, clock: u32, _precision: u64, to: u32) -> Answer {
    let shared = call.state().shared.clone();
    let time = match clock {
        0 => shared.borrow().now,
        1 => shared.borrow().now - shared.borrow().started,
        _ => return Err(Refusal::Errno(ENOTSUP)),
    };
    call.put_u64(to, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// What goes to standard output and error becomes a log line, without its last newline.
fn fd_write(call: &mut Call<'_>, file: u32, pieces: u32, count: u32, to_written: u32) -> Answer {
    let level = match file {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return Err(Refusal::Errno(EBADF)),
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
    call.state().environment.iter().map(entry).collect()
}

fn size_of<T>(items: &[T]) -> Answer<u32> {
    u32::try_from(items.len()).map_err(|_| Refusal::Errno(EINVAL))
}
