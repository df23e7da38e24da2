//! The functions that a guest can import: all of proxy-wasm 0.2.1, and WASI as Envoy has it.

mod buffers;
mod callouts;
mod general;
mod grpc;
mod headers;
mod metrics;
mod properties;
mod storage;
mod streams;
mod wasi;
mod wasi_files;

use wasmtime::{Caller, Linker, WasmTy};

use crate::catalog::{self, FunctionId};
use crate::death::{RecentCall, TRAPPED};
use crate::fault::Fault;
use crate::status::{Answer, Refusal, Status};
use crate::vm::state::{Allowed, State};

/// Provides every function that some Envoy has.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    buffers::link(linker)?;
    callouts::link(linker)?;
    general::link(linker)?;
    grpc::link(linker)?;
    headers::link(linker)?;
    metrics::link(linker)?;
    properties::link(linker)?;
    storage::link(linker)?;
    streams::link(linker)?;
    for module in WASI {
        wasi::link(linker, module)?;
        wasi_files::link(linker, module)?;
    }
    Ok(())
}

/// The module name of proxy-wasm's functions.
const ENV: &str = "env";
/// The module names under which Envoy provides WASI.
const WASI: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];
/// WASI's word for a pointer that leads nowhere.
const EFAULT: u32 = 21;

/// One host call under way: the guest's memory and the VM's state.
struct Call<'a> {
    caller: Caller<'a, State>,
    /// What the guest passed, for the death report.
    shown: RecentCall,
    fault: Option<Fault>,
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
        self.state().cost.bytes_out += piece.len() as u64;
        self.shown.note(&piece);
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
        let value = if self.fault == Some(Fault::Null) { &[] } else { value };
        let size = u32::try_from(value.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let pointer = if value.is_empty() { 0 } else { self.allocate(size)? };
        self.put(pointer, value)?;
        self.state().cost.bytes_in += u64::from(size);
        self.put_u32(to, pointer)?;
        self.put_u32(to_size, if let Some(Fault::Size(wrong)) = self.fault { wrong } else { size })
    }

    /// A guest that cannot allocate gets no value. One that traps in it is dead, but its callback runs on (Envoy's
    /// `WasmBase::allocMemory`); here it ends at once.
    fn allocate(&mut self, size: u32) -> Answer<u32> {
        if self.fault == Some(Fault::NoMemory) {
            return Err(Status::InvalidMemoryAccess.into());
        }
        let state = self.state();
        state.cost.allocations += 1;
        let allocate = state.allocate.clone().ok_or(Status::InternalFailure)?;
        let before = std::mem::replace(&mut state.allowed, Allowed::WhileAllocating);
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
    id: FunctionId,
    mut caller: Caller<'_, State>,
    body: impl FnOnce(&mut Call<'_>) -> Answer,
) -> wasmtime::Result<u32> {
    let state = caller.data_mut();
    state.cost.count_call(id, 1);
    let shown = state.recent.begin(id);
    if let Err(trap) = refuse_where_forbidden(id, state) {
        state.recent.end(shown, TRAPPED);
        return Err(trap);
    }
    let fault = state.faults.iter().find(|(faulty, _)| *faulty == id).map(|(_, fault)| *fault);
    let mut call = Call { caller, shown, fault };
    let outcome = match fault {
        Some(Fault::Status(status)) => Err(Refusal::Number(status as u32)),
        Some(Fault::Number(number)) => Err(Refusal::Number(number)),
        _ => body(&mut call),
    };
    let number = match outcome {
        Ok(()) => 0,
        Err(Refusal::Status(Status::InvalidMemoryAccess)) if catalog::function(id).is_wasi() => EFAULT,
        Err(Refusal::Status(status)) => status as u32,
        Err(Refusal::Number(number)) => number,
        Err(Refusal::Trap(trap)) => {
            let Call { mut caller, shown, .. } = call;
            caller.data_mut().recent.end(shown, TRAPPED);
            return Err(trap);
        }
    };
    let Call { mut caller, shown, .. } = call;
    caller.data_mut().recent.end(shown, number);
    Ok(number)
}

fn refuse_where_forbidden(id: FunctionId, state: &State) -> wasmtime::Result<()> {
    let function = catalog::function(id);
    let (since, during) = match state.allowed {
        Allowed::All => return Ok(()),
        Allowed::WhileStarting => (function.while_starting, "while the VM starts"),
        Allowed::WhileAllocating => (function.while_allocating, "while the guest allocates"),
    };
    if since.is_some_and(|since| since <= state.settings.profile.version()) {
        Ok(())
    } else {
        Err(wasmtime::Error::msg(format!("{} is not allowed {during}", function.name)))
    }
}

/// A Rust function that can be a host call, told by its arguments.
trait HostCall<Arguments> {
    fn provide(self, linker: &mut Linker<State>, module: &str, name: &str) -> wasmtime::Result<()>;
}

macro_rules! host_call {
    ($($argument:ident)*) => {
        impl<F, $($argument: WasmTy),*> HostCall<($($argument,)*)> for F
        where
            F: Fn(&mut Call<'_>, $($argument),*) -> Answer + Copy + Send + Sync + 'static,
        {
            #[allow(non_snake_case)] // An argument's name is its type parameter's.
            fn provide(self, linker: &mut Linker<State>, module: &str, name: &str) -> wasmtime::Result<()> {
                let id = listed(name)?;
                let call = move |caller: Caller<'_, State>, $($argument: $argument),*| {
                    answer(id, caller, |call| self(call, $($argument),*))
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

/// Its number in the catalogue.
fn listed(name: &str) -> wasmtime::Result<FunctionId> {
    catalog::find(name).ok_or_else(|| wasmtime::Error::msg(format!("{name} is not in the catalogue")))
}
