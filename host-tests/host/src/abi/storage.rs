//! Properties, shared data, and the buffers that carry configuration.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::status::{Answer, Status};
use crate::vm::state::{Context, State};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    get_property.provide(linker, ENV, "proxy_get_property")?;
    set_property.provide(linker, ENV, "proxy_set_property")?;
    get_shared_data.provide(linker, ENV, "proxy_get_shared_data")?;
    set_shared_data.provide(linker, ENV, "proxy_set_shared_data")?;
    get_buffer_bytes.provide(linker, ENV, "proxy_get_buffer_bytes")?;
    get_buffer_status.provide(linker, ENV, "proxy_get_buffer_status")?;
    set_buffer_bytes.provide(linker, ENV, "proxy_set_buffer_bytes")
}

/// A stream sees its own properties, those of its listener, its filter state, and those of its plugin.
fn get_property(call: &mut Call<'_>, path: u32, path_size: u32, to: u32, to_size: u32) -> Answer {
    let path = call.bytes(path, path_size)?;
    let path = path.strip_suffix(b"\0").unwrap_or(&path);
    let value = match call.state().context()? {
        Context::Root(root) => root.plugin.property(path),
        Context::Stream(stream) => {
            let of_stream = stream.properties.get(path).or_else(|| stream.plugin.stream_properties.get(path));
            let own = of_stream.or_else(|| stream.filter_state.get(path)).map(Vec::as_slice);
            own.or_else(|| stream.plugin.property(path))
        }
    };
    let value = value.ok_or(Status::NotFound)?.to_vec();
    call.give(&value, to, to_size)
}

/// Becomes filter state of the stream; a root has none.
fn set_property(call: &mut Call<'_>, path: u32, path_size: u32, value: u32, value_size: u32) -> Answer {
    let (path, value) = (call.bytes(path, path_size)?, call.bytes(value, value_size)?);
    call.state().stream()?.filter_state.insert(path, value);
    Ok(())
}

fn get_shared_data(call: &mut Call<'_>, key: u32, key_size: u32, to: u32, to_size: u32, to_cas: u32) -> Answer {
    let key = call.bytes(key, key_size)?;
    let found = call.state().shared.borrow().data(&key);
    let (value, cas) = found.ok_or(Status::NotFound)?;
    call.give(&value, to, to_size)?;
    call.put_u32(to_cas, cas)
}

fn set_shared_data(call: &mut Call<'_>, key: u32, key_size: u32, value: u32, value_size: u32, cas: u32) -> Answer {
    let (key, value) = (call.bytes(key, key_size)?, call.bytes(value, value_size)?);
    Ok(call.state().shared.borrow_mut().set_data(&key, &value, cas)?)
}

fn get_buffer_bytes(call: &mut Call<'_>, buffer: u32, start: u32, size: u32, to: u32, to_size: u32) -> Answer {
    let content = content_of(call.state(), buffer)?;
    let end = start.checked_add(size).ok_or(Status::BadArgument)?;
    let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(Status::BadArgument.into());
    };
    match content.get(start..end.min(content.len())) {
        // Envoy leaves pointer and size untouched where there is nothing.
        None | Some([]) => Ok(()),
        Some(piece) => call.give(piece, to, to_size),
    }
}

fn get_buffer_status(call: &mut Call<'_>, buffer: u32, to_size: u32, to_flags: u32) -> Answer {
    let content = content_of(call.state(), buffer)?;
    call.put_u32(to_size, u32::try_from(content.len()).map_err(|_| Status::InvalidMemoryAccess)?)?;
    call.put_u32(to_flags, 0)
}

/// No buffer of this host can be changed.
fn set_buffer_bytes(call: &mut Call<'_>, buffer: u32, _start: u32, _size: u32, _data: u32, _data_size: u32) -> Answer {
    content_of(call.state(), buffer)?;
    Err(Status::BadArgument.into())
}

const CALL_RESPONSE_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;
const LAST_BUFFER: u32 = 8;

/// All buffers are empty but one: the plugin's configuration is there while the plugin is configured.
fn content_of(state: &mut State, buffer: u32) -> Result<Vec<u8>, Status> {
    match (buffer, state.context()?) {
        (PLUGIN_CONFIGURATION, Context::Root(root)) if root.configurable => Ok(root.plugin.configuration.clone()),
        (PLUGIN_CONFIGURATION | CALL_RESPONSE_BODY, _) => Err(Status::NotFound),
        (0..=LAST_BUFFER, _) => Ok(Vec::new()),
        _ => Err(Status::BadArgument),
    }
}
