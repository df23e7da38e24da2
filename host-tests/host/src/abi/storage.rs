//! Shared data and queues.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::status::{Answer, Status};
use crate::vm::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    get_shared_data.provide(linker, ENV, "proxy_get_shared_data")?;
    set_shared_data.provide(linker, ENV, "proxy_set_shared_data")?;
    register_queue.provide(linker, ENV, "proxy_register_shared_queue")?;
    resolve_queue.provide(linker, ENV, "proxy_resolve_shared_queue")?;
    enqueue.provide(linker, ENV, "proxy_enqueue_shared_queue")?;
    dequeue.provide(linker, ENV, "proxy_dequeue_shared_queue")
}

fn get_shared_data(call: &mut Call<'_>, key: u32, key_size: u32, to: u32, to_size: u32, to_cas: u32) -> Answer {
    let key = call.bytes(key, key_size)?;
    let state = call.state();
    let found = state.shared.borrow().data(&state.settings.vm_id, &key);
    let (value, cas) = found.ok_or(Status::NotFound)?;
    call.give(&value, to, to_size)?;
    call.put_u32(to_cas, cas)
}

fn set_shared_data(call: &mut Call<'_>, key: u32, key_size: u32, value: u32, value_size: u32, cas: u32) -> Answer {
    let (key, value) = (call.bytes(key, key_size)?, call.bytes(value, value_size)?);
    let state = call.state();
    Ok(state.shared.borrow_mut().set_data(&state.settings.vm_id, &key, &value, cas)?)
}

fn register_queue(call: &mut Call<'_>, name: u32, name_size: u32, to: u32) -> Answer {
    let name = call.bytes(name, name_size)?;
    let state = call.state();
    let (root, vm) = (state.root_id(), state.number);
    let token = state.shared.borrow_mut().queues.register(&state.settings.vm_id, &name, vm, root);
    call.put_u32(to, token)
}

fn resolve_queue(call: &mut Call<'_>, vm_id: u32, vm_id_size: u32, name: u32, name_size: u32, to: u32) -> Answer {
    let vm_id = String::from_utf8_lossy(&call.bytes(vm_id, vm_id_size)?).into_owned();
    let name = call.bytes(name, name_size)?;
    let state = call.state();
    let vm_id = if vm_id.is_empty() { &state.settings.vm_id } else { &vm_id };
    let token = state.shared.borrow().queues.resolve(vm_id, &name)?;
    call.put_u32(to, token)
}

fn enqueue(call: &mut Call<'_>, token: u32, item: u32, item_size: u32) -> Answer {
    let item = call.bytes(item, item_size)?;
    Ok(call.state().shared.borrow_mut().queues.enqueue(token, item)?)
}

fn dequeue(call: &mut Call<'_>, token: u32, to: u32, to_size: u32) -> Answer {
    let item = call.state().shared.borrow_mut().queues.dequeue(token)?;
    call.give(&item, to, to_size)
}
