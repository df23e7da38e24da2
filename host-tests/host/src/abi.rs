//! The functions that a guest can import: all of proxy-wasm 0.2.1 and the part of WASI that its guests use. What this
//! host does not model answers with the status that Envoy gives where the thing is not configured.

mod callouts;
mod general;
mod headers;
mod metrics;
mod storage;
mod wasi;

use wasmtime::{Caller, Linker, WasmTy};

use crate::status::{Answer, Refusal, Status};
use crate::vm::state::{Allowed, State};

/// Provides every function.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    callouts::link(linker)?;
    general::link(linker)?;
    headers::link(linker)?;
    metrics::link(linker)?;
    storage::link(linker)?;
    wasi::link(linker)
}

/// The module name of proxy-wasm's functions.
const ENV: &str = "env";
/// WASI's word for a pointer that leads nowhere.
const EFAULT: u32 = 21;
/// Bytes of an argument that a death report shows.
const SHOWN_BYTES: usize = 64;
/// What Envoy allows while a VM starts.
const WHILE_STARTING: [&str; 6] =
    ["proxy_log", "fd_write", "environ_sizes_get", "environ_get", "clock_time_get", "random_get"];
/// What Envoy allows while the guest allocates.
const WHILE_ALLOCATING: [&str; 3] = ["proxy_log", "fd_write", "clock_time_get"];

/// One host call under way: the guest's memory and the VM's state.
struct Call<'a> {
    caller: Caller<'a, State>,
    /// What the guest passed, for the death report.
    shown: String,
}

impl Call<'_> {
    fn state(&mut self) -> &mut State {
        self.caller.data_mut()
    }

    /// A piece of the guest's memory.
    fn bytes(&mut self, start: u32, size: u32) -> Answer<Vec<u8>> {
        let memory = self.memory()?;
        let start = usize::try_from(start).map_err(|_| Status::InvalidMemoryAccess)?;
        let size = usize::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?;
        let piece = memory.data(&self.caller).get(start..).and_then(|rest| rest.get(..size));
        let piece = piece.ok_or(Status::InvalidMemoryAccess)?.to_vec();
        self.state().usage.bytes_out += piece.len() as u64;
        let shown = piece.get(..SHOWN_BYTES).unwrap_or(&piece);
        self.shown += &format!("{:?} ", String::from_utf8_lossy(shown));
        Ok(piece)
    }

    /// Writes into the guest's memory.
    fn put(&mut self, start: u32, bytes: &[u8]) -> Answer {
        let memory = self.memory()?;
        let start = usize::try_from(start).map_err(|_| Status::InvalidMemoryAccess)?;
        memory.write(&mut self.caller, start, bytes).map_err(|_| Status::InvalidMemoryAccess.into())
    }

    fn put_u32(&mut self, start: u32, number: u32) -> Answer {
        self.put(start, &number.to_le_bytes())
    }

    fn put_u64(&mut self, start: u32, number: u64) -> Answer {
        self.put(start, &number.to_le_bytes())
    }

    /// Hands a value over: the guest allocates, gets the bytes, and finds pointer and size at `to` and `to_size`. An
    /// empty value is a null pointer.
    fn give(&mut self, value: &[u8], to: u32, to_size: u32) -> Answer {
        let size = u32::try_from(value.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let pointer = if value.is_empty() { 0 } else { self.allocate(size)? };
        self.put(pointer, value)?;
        self.state().usage.bytes_in += u64::from(size);
        self.put_u32(to, pointer)?;
        self.put_u32(to_size, size)
    }

    fn allocate(&mut self, size: u32) -> Answer<u32> {
        let allocate = self.state().allocate.clone().ok_or(Status::InternalFailure)?;
        let before = std::mem::replace(&mut self.state().allowed, Allowed::WhileAllocating);
        let pointer = allocate.call(&mut self.caller, size)?;
        self.state().allowed = before;
        if pointer == 0 { Err(Status::InvalidMemoryAccess.into()) } else { Ok(pointer) }
    }

    fn memory(&mut self) -> Answer<wasmtime::Memory> {
        let missing = || Refusal::Trap(wasmtime::Error::msg("a host call before the guest's memory was known"));
        self.state().memory.ok_or_else(missing)
    }
}

/// Runs a host call: counts it, refuses it where Envoy does, and keeps it for the death report.
fn answer(
    name: &'static str,
    mut caller: Caller<'_, State>,
    body: impl FnOnce(&mut Call<'_>) -> Answer,
) -> wasmtime::Result<u32> {
    let state = caller.data_mut();
    *state.usage.host_calls.entry(name).or_default() += 1;
    refuse_where_forbidden(name, state.allowed)?;
    let mut call = Call { caller, shown: String::new() };
    let (number, words) = match body(&mut call) {
        Ok(()) => (0, "Ok".to_owned()),
        Err(Refusal::Status(Status::InvalidMemoryAccess)) if !name.starts_with("proxy_") => {
            (EFAULT, "fault".to_owned())
        }
        Err(Refusal::Status(status)) => (status as u32, format!("{status:?}")),
        Err(Refusal::Errno(errno)) => (errno, format!("errno {errno}")),
        Err(Refusal::Trap(trap)) => return Err(trap),
    };
    let line = format!("{name}({}) -> {words}", call.shown.trim_end());
    call.state().remember(line);
    Ok(number)
}

fn refuse_where_forbidden(name: &str, allowed: Allowed) -> wasmtime::Result<()> {
    let (names, during): (&[&str], _) = match allowed {
        Allowed::All => return Ok(()),
        Allowed::WhileStarting => (&WHILE_STARTING, "while the VM starts"),
        Allowed::WhileAllocating => (&WHILE_ALLOCATING, "while the guest allocates"),
    };
    if names.contains(&name) { Ok(()) } else { Err(wasmtime::Error::msg(format!("{name} is not allowed {during}"))) }
}

/// A Rust function that can be a host call, told by its arguments.
trait HostCall<Arguments> {
    fn provide(self, linker: &mut Linker<State>, module: &'static str, name: &'static str) -> wasmtime::Result<()>;
}

macro_rules! host_call {
    ($($argument:ident)*) => {
        impl<F, $($argument: WasmTy),*> HostCall<($($argument,)*)> for F
        where
            F: Fn(&mut Call<'_>, $($argument),*) -> Answer + Copy + Send + Sync + 'static,
        {
            #[allow(non_snake_case)] // An argument's name is its type parameter's.
            fn provide(self, linker: &mut Linker<State>, module: &'static str, name: &'static str) -> wasmtime::Result<()> {
                let call = move |caller: Caller<'_, State>, $($argument: $argument),*| {
                    answer(name, caller, |call| self(call, $($argument),*))
                };
                linker.func_wrap(module, name, call).map(|_| ())
            }
        }
    };
}
host_call!();
host_call!(A);
host_call!(A B);
host_call!(A B C);
host_call!(A B C D);
host_call!(A B C D E);
host_call!(A B C D E G);
host_call!(A B C D E G H);
host_call!(A B C D E G H I);
host_call!(A B C D E G H I J);
host_call!(A B C D E G H I J K);
host_call!(A B C D E G H I J K L);
host_call!(A B C D E G H I J K L M);
