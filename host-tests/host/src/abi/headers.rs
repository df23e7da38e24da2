//! Header maps: reading and changing them.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::headers::{decode_pairs, encode_pairs};
use crate::status::{Answer, Status};
use crate::vm::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    get_value.provide(linker, ENV, "proxy_get_header_map_value")?;
    add_value.provide(linker, ENV, "proxy_add_header_map_value")?;
    replace_value.provide(linker, ENV, "proxy_replace_header_map_value")?;
    remove_value.provide(linker, ENV, "proxy_remove_header_map_value")?;
    get_pairs.provide(linker, ENV, "proxy_get_header_map_pairs")?;
    set_pairs.provide(linker, ENV, "proxy_set_header_map_pairs")?;
    get_size.provide(linker, ENV, "proxy_get_header_map_size")
}

fn get_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32, to: u32, to_size: u32) -> Answer {
    State::check_map(map)?;
    let name = call.bytes(name, name_size)?;
    let value = call.state().map(map)?.get(&name).ok_or(Status::NotFound)?.to_vec();
    call.give(&value, to, to_size)
}

fn add_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32, value: u32, value_size: u32) -> Answer {
    let (name, value) = (call.bytes(name, name_size)?, call.bytes(value, value_size)?);
    call.state().map_mut(map)?.add(name, value);
    Ok(())
}

fn replace_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32, value: u32, value_size: u32) -> Answer {
    let (name, value) = (call.bytes(name, name_size)?, call.bytes(value, value_size)?);
    call.state().map_mut(map)?.replace(name, value);
    Ok(())
}

fn remove_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32) -> Answer {
    let name = call.bytes(name, name_size)?;
    call.state().map_mut(map)?.remove(name);
    Ok(())
}

/// A map that is not at hand has no pairs, and no error either.
fn get_pairs(call: &mut Call<'_>, map: u32, to: u32, to_size: u32) -> Answer {
    State::check_map(map)?;
    let pairs = call.state().map(map).map(encode_pairs).unwrap_or_default();
    call.give(&pairs, to, to_size)
}

fn set_pairs(call: &mut Call<'_>, map: u32, pairs: u32, pairs_size: u32) -> Answer {
    let pairs = decode_pairs(&call.bytes(pairs, pairs_size)?);
    call.state().map_mut(map)?.replace_all(pairs);
    Ok(())
}

fn get_size(call: &mut Call<'_>, map: u32, to: u32) -> Answer {
    let size = call.state().map(map).map_err(|_| Status::BadArgument)?.byte_size();
    call.put_u32(to, u32::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?)
}
