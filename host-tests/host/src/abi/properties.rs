//! Properties: what Envoy's CEL attributes give, in the wire form of `serializeValue`.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::headers::HeaderMap;
use crate::lapse::Lapse;
use crate::pairs;
use crate::status::{Answer, Status};
use crate::vm::state::State;
use crate::vm::stream_state::StreamState;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    get.provide(linker, ENV, "proxy_get_property")?;
    set.provide(linker, ENV, "proxy_set_property")
}

fn get(call: &mut Call<'_>, path: u32, path_size: u32, to: u32, to_size: u32) -> Answer {
    let path = call.bytes(path, path_size)?;
    let path = path.strip_suffix(b"\0").unwrap_or(&path);
    let state = call.state();
    let has_stream = state.stream().is_some();
    let is_whole = |whole: &str| whole.as_bytes() == path && (has_stream || whole == "xds");
    if path.is_empty() || WHOLE.into_iter().any(is_whole) {
        return Err(Status::SerializationFailure.into());
    }
    let value = of_plugin(state, path).or_else(|| state.stream().and_then(|stream| of_stream(stream, path)));
    let value = value.ok_or(Status::NotFound)?;
    call.give(&value, to, to_size)
}

/// Becomes filter state of the stream; a root has none.
fn set(call: &mut Call<'_>, path: u32, path_size: u32, value: u32, value_size: u32) -> Answer {
    let (path, value) = (call.bytes(path, path_size)?, call.bytes(value, value_size)?);
    let state = call.state();
    let Some(stream) = state.stream() else {
        state.find(Lapse::WrongPhase, || "a property is set without a stream".to_owned());
        return Err(Status::NotFound.into());
    };
    stream.filter_state.insert(path, value);
    Ok(())
}

/// Maps that have no wire form of their own.
const WHOLE: [&str; 8] =
    ["request", "response", "connection", "upstream", "source", "destination", "xds", "filter_state"];

/// What no stream is needed for.
fn of_plugin(state: &mut State, path: &[u8]) -> Option<Vec<u8>> {
    match path {
        b"plugin_vm_id" => Some(state.settings.vm_id.clone().into_bytes()),
        b"xds\0node\0id" => Some(state.settings.profile.node_id().as_bytes().to_vec()),
        _ => state.plugin()?.property(path).map(<[u8]>::to_vec),
    }
}

/// What the test gave the stream or its listener comes first, then what the stream is, then its filter state.
fn of_stream(stream: &StreamState, path: &[u8]) -> Option<Vec<u8>> {
    let given = stream.properties.get(path).or_else(|| stream.plugin.stream_properties.get(path)).cloned();
    let mut parts = path.splitn(3, |byte| *byte == 0);
    let first = parts.next()?;
    let (second, third) = (parts.next(), parts.next());
    given
        .or_else(|| match (first, second.unwrap_or_default()) {
            (b"connection_id", b"") => Some(1_u64.to_le_bytes().to_vec()),
            (b"request", name) => of_request(stream, name, third),
            (b"response", name) => of_response(stream, name, third),
            (b"xds", name) => of_route(stream, name),
            _ => None,
        })
        // What was set under a path of several parts cannot be read again: each part is looked for by itself.
        .or_else(|| stream.filter_state.get(path).filter(|_| second.is_none()).cloned())
}

/// Attributes of headers are there while the headers are.
fn of_request(stream: &StreamState, name: &[u8], key: Option<&[u8]>) -> Option<Vec<u8>> {
    let headers = at_hand(stream.request.headers_at_hand, stream, &stream.request.headers);
    let header = |name: &str| joined(headers?, name.as_bytes());
    match name {
        b"headers" => of_headers(headers?, key),
        b"path" => header(":path"),
        b"url_path" => header(":path").map(|path| split_query(&path).0.to_vec()),
        b"query" => header(":path").map(|path| split_query(&path).1.to_vec()),
        b"host" => header(":authority"),
        b"method" => header(":method"),
        b"scheme" => header(":scheme"),
        b"id" => header("x-request-id"),
        b"useragent" => header("user-agent"),
        b"referer" => header("referer"),
        b"protocol" => Some(stream.protocol.as_bytes().to_vec()),
        b"time" => Some(i64::try_from(stream.opened.as_nanos()).ok()?.to_le_bytes().to_vec()),
        b"size" => {
            let length = header("content-length").and_then(|length| String::from_utf8(length).ok()?.parse().ok());
            Some(number(length.unwrap_or(stream.request.body.len())))
        }
        _ => None,
    }
}

fn of_response(stream: &StreamState, name: &[u8], key: Option<&[u8]>) -> Option<Vec<u8>> {
    let response = &stream.response;
    let headers = at_hand(response.headers_at_hand, stream, &response.headers);
    match name {
        b"headers" => of_headers(headers?, key),
        b"trailers" => of_headers(response.trailers.as_ref()?, key),
        b"code" => {
            let started = response.headers_at_hand || response.headers_passed;
            let code = response.headers.text(":status").filter(|_| started)?.parse::<i64>().ok()?;
            Some(code.to_le_bytes().to_vec())
        }
        b"code_details" => stream.details.as_ref().map(|details| details.as_bytes().to_vec()),
        b"flags" => Some(stream.flags.to_le_bytes().to_vec()),
        b"size" => Some(number(response.body.len())),
        _ => None,
    }
}

/// What was chosen last; changed headers do not choose again before the router does.
fn of_route(stream: &StreamState, name: &[u8]) -> Option<Vec<u8>> {
    match name {
        b"cluster_name" => stream.cluster.clone().map(String::into_bytes),
        // Routes have no names here.
        b"route_name" => Some(Vec::new()),
        _ => None,
    }
}

fn at_hand<'a>(live: bool, stream: &StreamState, headers: &'a HeaderMap) -> Option<&'a HeaderMap> {
    (live || stream.is_logged).then_some(headers)
}

/// One header with all its values joined with commas, or all of them as pairs.
fn of_headers(headers: &HeaderMap, key: Option<&[u8]>) -> Option<Vec<u8>> {
    match key {
        Some(key) => joined(headers, key),
        None => {
            let once = headers.iter().fold(HeaderMap::response(), |mut once, (name, _)| {
                if !once.has(name) {
                    once.add(name, joined(headers, name).unwrap_or_default());
                }
                once
            });
            Some(pairs::encode(&once))
        }
    }
}

fn joined(headers: &HeaderMap, name: &[u8]) -> Option<Vec<u8>> {
    headers.has(name).then(|| headers.all(name).join(&b","[..]))
}

fn split_query(path: &[u8]) -> (&[u8], &[u8]) {
    let path = path.split(|byte| *byte == b'#').next().unwrap_or_default();
    match path.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&path[..mark], &path[mark + 1..]),
        None => (path, &[]),
    }
}

fn number(size: usize) -> Vec<u8> {
    (size as u64).to_le_bytes().to_vec()
}
