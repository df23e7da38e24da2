//! Header maps: reading and changing them.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::headers::HeaderMap;
use crate::lapse::Lapse;
use crate::pairs;
use crate::status::{Answer, Status};
use crate::vm::state::State;
use crate::vm::stream_state::StreamState;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    get_value.provide(linker, ENV, "proxy_get_header_map_value")?;
    add_value.provide(linker, ENV, "proxy_add_header_map_value")?;
    replace_value.provide(linker, ENV, "proxy_replace_header_map_value")?;
    remove_value.provide(linker, ENV, "proxy_remove_header_map_value")?;
    get_pairs.provide(linker, ENV, "proxy_get_header_map_pairs")?;
    set_pairs.provide(linker, ENV, "proxy_set_header_map_pairs")?;
    get_size.provide(linker, ENV, "proxy_get_header_map_size")
}

/// The header maps of proxy-wasm by number.
const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
const RESPONSE_TRAILERS: u32 = 3;
const GRPC_INITIAL_METADATA: u32 = 4;
const GRPC_TRAILING_METADATA: u32 = 5;
const CALL_HEADERS: u32 = 6;
const CALL_TRAILERS: u32 = 7;

fn get_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32, to: u32, to_size: u32) -> Answer {
    check(map)?;
    let name = call.bytes(name, name_size)?;
    let value = match readable(call.state(), map) {
        Some(headers) => headers.get(&name).ok_or(Status::NotFound)?.to_vec(),
        None => return Err(not_at_hand(call.state(), map).into()),
    };
    call.give(&value, to, to_size)
}

fn add_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32, value: u32, value_size: u32) -> Answer {
    check(map)?;
    let (name, value) = (call.bytes(name, name_size)?, call.bytes(value, value_size)?);
    change(call, map, |headers| headers.add(name, value))
}

fn replace_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32, value: u32, value_size: u32) -> Answer {
    check(map)?;
    let (name, value) = (call.bytes(name, name_size)?, call.bytes(value, value_size)?);
    change(call, map, |headers| headers.replace(name, value))
}

fn remove_value(call: &mut Call<'_>, map: u32, name: u32, name_size: u32) -> Answer {
    check(map)?;
    let name = call.bytes(name, name_size)?;
    change(call, map, |headers| headers.remove(name))
}

/// A map that is not at hand has no pairs, and no error either.
fn get_pairs(call: &mut Call<'_>, map: u32, to: u32, to_size: u32) -> Answer {
    check(map)?;
    let pairs = readable(call.state(), map).map(pairs::encode);
    if pairs.is_none() {
        not_at_hand(call.state(), map);
    }
    call.give(&pairs.unwrap_or_default(), to, to_size)
}

fn set_pairs(call: &mut Call<'_>, map: u32, pairs: u32, pairs_size: u32) -> Answer {
    check(map)?;
    let pairs = call.bytes(pairs, pairs_size)?;
    change(call, map, |headers| headers.replace_all(pairs::decode(&pairs)))
}

/// The bytes of names and values. Only of a map that could be changed, too (`Context::getHeaderMapSize`).
fn get_size(call: &mut Call<'_>, map: u32, to: u32) -> Answer {
    check(map)?;
    let size = match changeable(call.state(), map) {
        Some(headers) => headers.byte_size(),
        None => {
            note_absence(call.state(), map);
            return Err(Status::BadArgument.into());
        }
    };
    call.put_u32(to, u32::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?)
}

fn check(map: u32) -> Result<(), Status> {
    if map <= CALL_TRAILERS { Ok(()) } else { Err(Status::BadArgument) }
}

/// Changes a map; Envoy drops the chosen route if it is the request's headers.
fn change(call: &mut Call<'_>, map: u32, how: impl FnOnce(&mut HeaderMap)) -> Answer {
    let Some(headers) = changeable(call.state(), map) else {
        note_absence(call.state(), map);
        return Err(Status::BadArgument.into());
    };
    how(headers);
    if let (REQUEST_HEADERS, Some(stream)) = (map, call.state().stream()) {
        stream.route_refreshes += 1;
    }
    Ok(())
}

/// What a getter answers where there is no map; only in the log phase it is merely not there.
fn not_at_hand(state: &mut State, map: u32) -> Status {
    if state.stream().is_some_and(|stream| stream.is_logged) {
        return Status::NotFound;
    }
    note_absence(state, map);
    Status::BadArgument
}

/// An answer without trailers has none, and that is no lapse.
fn note_absence(state: &mut State, map: u32) {
    const NAMES: [&str; 8] = [
        "request headers",
        "request trailers",
        "response headers",
        "response trailers",
        "gRPC initial metadata",
        "gRPC trailing metadata",
        "call-out headers",
        "call-out trailers",
    ];
    let root = state.root_id();
    if map >= GRPC_INITIAL_METADATA && state.call_outs.delivered_to(root).is_some() {
        return;
    }
    let name = usize::try_from(map).ok().and_then(|map| NAMES.get(map)).unwrap_or(&"unknown map");
    state.find(Lapse::WrongPhase, || format!("the {name} are not at hand"));
}

/// `Context::getConstMap`: in the log phase the messages as they were sent.
fn readable(state: &mut State, map: u32) -> Option<&HeaderMap> {
    if map >= GRPC_INITIAL_METADATA {
        let root = state.root_id();
        let delivered = state.call_outs.delivered_to(root)?;
        return match map {
            GRPC_INITIAL_METADATA => delivered.initial_metadata.as_ref(),
            GRPC_TRAILING_METADATA => delivered.trailing_metadata.as_ref(),
            CALL_HEADERS => delivered.headers.as_ref(),
            _ => delivered.trailers.as_ref(),
        };
    }
    let stream = state.stream()?;
    if stream.is_logged { logged(stream, map) } else { at_hand(stream, map) }
}

fn at_hand(stream: &StreamState, map: u32) -> Option<&HeaderMap> {
    let (request, response) = (&stream.request, &stream.response);
    match map {
        REQUEST_HEADERS => request.headers_at_hand.then_some(&request.headers),
        REQUEST_TRAILERS => request.trailers.as_ref().filter(|_| request.trailers_at_hand),
        RESPONSE_HEADERS => response.headers_at_hand.then_some(&response.headers),
        _ => response.trailers.as_ref().filter(|_| response.trailers_at_hand),
    }
}

fn logged(stream: &StreamState, map: u32) -> Option<&HeaderMap> {
    match map {
        REQUEST_HEADERS => Some(&stream.request.headers),
        RESPONSE_HEADERS => Some(&stream.response.headers),
        RESPONSE_TRAILERS => stream.response.trailers.as_ref(),
        _ => None,
    }
}

/// `Context::getMap`.
fn changeable(state: &mut State, map: u32) -> Option<&mut HeaderMap> {
    live(state.stream()?, map)
}

fn live(stream: &mut StreamState, map: u32) -> Option<&mut HeaderMap> {
    let message = match map {
        REQUEST_HEADERS | REQUEST_TRAILERS => &mut stream.request,
        RESPONSE_HEADERS | RESPONSE_TRAILERS => &mut stream.response,
        _ => return None,
    };
    match map {
        REQUEST_HEADERS | RESPONSE_HEADERS => message.headers_at_hand.then_some(&mut message.headers),
        // Trailers can be added to a message whose last piece of body is at hand.
        _ if message.trailers.is_none() && message.body_at_hand && message.is_whole => {
            message.trailers_at_hand = true;
            Some(message.trailers.insert(HeaderMap::trailers()))
        }
        _ => message.trailers_at_hand.then_some(message.trailers.as_mut()).flatten(),
    }
}
