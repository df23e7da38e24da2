//! The border of the module: every call to the host, and every call from it.
//!
//! The SDK's own wrappers panic on a header byte from 0x80 on and on any status they do not expect, and a panic kills
//! the VM of a whole worker. So the calls are declared here, statuses are read as numbers, and whatever is not what was
//! hoped for becomes `None`, or a status that is no answer. The post-link step keeps the imports that are declared here and
//! no others.
//!
//! The SDK's dispatcher costs a request hundreds of instructions, and some kilobytes. So the callbacks stand here as well: the
//! post-link step exports each `serin_on_…` as `proxy_on_…`, in place of the SDK's. What is the SDK's is the start of the
//! module, the memory that the host asks for, and the mark of the ABI's version.
//!
//! ABI: proxy-wasm 0.2.1 (`proxy-wasm/spec`, `abi-versions/v0.2.1`), and WASI preview 1 for entropy and a clock that does not jump.

#![allow(unsafe_code)] // Calls across the module's border; each block says why it holds.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use serin_core::Source;

use crate::answer::Answered;
use crate::http::Stream;
use crate::root::Root;
use crate::{contexts, pairs};

/// `Continue` of the ABI: the answer of every callback about headers.
const CONTINUE: u32 = 0;
/// `true` of the ABI.
const TRUE: u32 = 1;

// SAFETY of the names below: no other symbol of the module begins like them.

/// A VM has started. What it is told then has no meaning to us.
#[unsafe(no_mangle)]
extern "C" fn serin_on_vm_start(_root: u32, _configuration_size: u32) -> u32 {
    TRUE
}

/// A root begins, which has no root itself, or a stream of a root.
#[unsafe(no_mangle)]
extern "C" fn serin_on_context_create(id: u32, root: u32) {
    if root == 0 {
        contexts::begin_root(id);
    } else {
        contexts::begin_stream(id, root);
    }
}

/// A root has a document. Always true: false at a cold start would mean errors for everybody, and false on a worker alone
/// a filter that is silently skipped.
#[unsafe(no_mangle)]
extern "C" fn serin_on_configure(root: u32, _configuration_size: u32) -> u32 {
    contexts::with_root(root, Root::configure);
    TRUE
}

#[unsafe(no_mangle)]
extern "C" fn serin_on_tick(root: u32) {
    contexts::with_root(root, Root::tick);
}

#[unsafe(no_mangle)]
extern "C" fn serin_on_request_headers(stream: u32, _headers: u32, _end_of_stream: u32) -> u32 {
    contexts::with_stream(stream, Stream::request_headers);
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn serin_on_response_headers(stream: u32, _headers: u32, end_of_stream: u32) -> u32 {
    contexts::with_stream(stream, |stream| stream.response_headers(end_of_stream != 0));
    CONTINUE
}

/// A stream or a root ends.
#[unsafe(no_mangle)]
extern "C" fn serin_on_delete(id: u32) {
    contexts::end(id);
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, message_size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, most: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        version: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, version: u32)
    -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u32;
    fn environ_get(entries: *mut *mut u8, bytes: *mut u8) -> u32;
    fn random_get(buffer: *mut u8, size: usize) -> u32;
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

/// The status of a call that worked.
const OK: u32 = 0;
/// The status of a call for what is not there. Every other one is a refusal, and says nothing about that.
pub(crate) const NOT_FOUND: u32 = 1;

/// The maps of headers, by their numbers in the ABI.
#[derive(Clone, Copy)]
enum Map {
    Request = 0,
    Response = 2,
}

/// The request of the current stream. Only meaningful while its request headers are handled.
///
/// A header that is there costs a call of the host about as much as ten of them together, since what it returns it has to
/// ask the module for memory; one that is not there costs a fraction of that.
pub(crate) struct Request {
    at_once: bool,
    /// `None` if the host does not give them.
    pairs: OnceCell<Option<Vec<u8>>>,
    in_doubt: Cell<bool>,
}

impl Request {
    /// With headers that are read one by one, or all at once.
    pub(crate) fn new(at_once: bool) -> Self {
        Self { at_once, pairs: OnceCell::new(), in_doubt: Cell::new(false) }
    }

    // A function of its own, or whoever reads headers one by one pays for it as well.
    #[inline(never)]
    fn among_all(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        // A host may be configured to refuse this call alone, and a request without headers would be one that nothing covers.
        let Some(pairs) = self.pairs() else { return header(Map::Request, name, &self.in_doubt).map(Cow::from) };
        // Asked for by name Envoy takes the two for the same, and in its map stands the one.
        let name = if name == "host" { ":authority" } else { name };
        pairs::values(pairs, name.as_bytes()).next().map(Cow::from)
    }

    #[inline]
    fn pairs(&self) -> Option<&[u8]> {
        let pairs = self.pairs.get_or_init(|| {
            // SAFETY: `taken` passes pointers that are good for the call.
            let pairs = taken(|data, size| unsafe { proxy_get_header_map_pairs(Map::Request as u32, data, size) });
            // There is no request without a header.
            pairs.ok().filter(|pairs| !pairs.is_empty())
        });
        pairs.as_deref()
    }
}

impl Source for Request {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        if self.at_once { self.among_all(name) } else { header(Map::Request, name, &self.in_doubt).map(Cow::from) }
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        match self.pairs() {
            Some(pairs) => pairs::values(pairs, name.as_bytes()).map(<[u8]>::to_vec).collect(),
            None => {
                // There may be others behind the first.
                self.in_doubt.set(true);
                header(Map::Request, name, &self.in_doubt).into_iter().collect()
            }
        }
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        property(b"source\0address", &self.in_doubt)
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        property(b"xds\0cluster_name", &self.in_doubt)
    }

    #[inline]
    fn in_doubt(&self) -> bool {
        self.in_doubt.get()
    }
}

/// Sets a request header, replacing every other of its name. Envoy matches its routes again. Whether it was set.
pub(crate) fn set_request_header(name: &str, value: &str) -> bool {
    replace(Map::Request, name, value.as_bytes())
}

/// Removes a request header. Envoy matches its routes again, so this is for headers that are there. Whether it is gone.
pub(crate) fn remove_request_header(name: &str) -> bool {
    // SAFETY: the pointer and size are those of a live string.
    let status = unsafe { proxy_remove_header_map_value(Map::Request as u32, name.as_ptr(), name.len()) };
    status == OK
}

/// A response header, if there is one; `None` if the host does not say. Only meaningful while response headers are handled.
pub(crate) fn response_header(name: &str) -> Option<Option<Vec<u8>>> {
    let refused = Cell::new(false);
    let value = header(Map::Response, name, &refused);
    (!refused.get()).then_some(value)
}

/// Sets a response header, replacing every other of its name. Whether it was set.
pub(crate) fn set_response_header(name: &str, value: &[u8]) -> bool {
    replace(Map::Response, name, value)
}

/// Adds a response header beside others of its name. Whether it was added.
pub(crate) fn add_response_header(name: &str, value: &str) -> bool {
    let (name_size, value_size) = (name.len(), value.len());
    // SAFETY: the pointers and sizes are those of live strings.
    let status = unsafe {
        proxy_add_header_map_value(Map::Response as u32, name.as_ptr(), name_size, value.as_ptr(), value_size)
    };
    status == OK
}

/// The status of the response, 0 if it is none. Only meaningful while response headers are handled.
pub(crate) fn response_status() -> u16 {
    status_text().and_then(|status| number(&status)).unwrap_or_default()
}

/// Whether the response may be a server error. Only meaningful while response headers are handled.
pub(crate) fn response_may_be_5xx() -> bool {
    status_text().is_none_or(|status| status.first().is_none_or(|first| *first == b'5'))
}

/// Empty if the host does not tell it.
fn status_text() -> Option<Vec<u8>> {
    header(Map::Response, ":status", &Cell::default())
}

/// The status of the response and that of gRPC in one call. Only meaningful while response headers are handled.
pub(crate) fn response_statuses() -> Answered {
    // SAFETY: `taken` passes pointers that are good for the call.
    let pairs = taken(|data, size| unsafe { proxy_get_header_map_pairs(Map::Response as u32, data, size) });
    let Ok(pairs) = pairs else { return Answered::new(response_status(), None) };
    let value = |name: &[u8]| pairs::values(&pairs, name).next().and_then(number);
    Answered::new(value(b":status").unwrap_or_default(), value(b"grpc-status"))
}

/// Up to three decimal digits.
fn number(text: &[u8]) -> Option<u16> {
    let sound = matches!(text.len(), 1..=3) && text.iter().all(u8::is_ascii_digit);
    sound.then(|| text.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

/// What Envoy says of how the response came about: the bits of `StreamInfo::CoreResponseFlag`.
pub(crate) fn response_flags() -> Option<u64> {
    let flags = property(b"response\0flags", &Cell::default())?;
    flags.try_into().ok().map(u64::from_le_bytes)
}

/// Keeps a value for the access log, as the filter state `wasm.<name>`.
pub(crate) fn set_filter_state(name: &str, value: &str) {
    // SAFETY: the pointers and sizes are those of live strings.
    let _ = unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// A variable of the environment that the VM's configuration gives, if it is text.
///
/// The standard library would end the VM where the host refuses this.
pub(crate) fn env(name: &str) -> Option<String> {
    let (mut count, mut size) = (0, 0);
    // SAFETY: the host writes four bytes at each live number.
    if unsafe { environ_sizes_get(&raw mut count, &raw mut size) } != OK {
        return None;
    }
    if count == 0 || size == 0 {
        return None;
    }
    let (mut entries, mut bytes) = (vec![std::ptr::null_mut(); count], vec![0; size]);
    // SAFETY: the host writes as many pointers and bytes as it has just said.
    if unsafe { environ_get(entries.as_mut_ptr(), bytes.as_mut_ptr()) } != OK {
        return None;
    }
    let value = |entry: &[u8]| Some(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec());
    String::from_utf8(bytes.split(|byte| *byte == 0).find_map(value)?).ok()
}

/// The document, or so many bytes of it. Only meaningful inside `on_configure`.
pub(crate) fn configuration(most: usize) -> Vec<u8> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    // SAFETY: `taken` passes pointers that are good for the call.
    taken(|data, size| unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, most, data, size) }).unwrap_or_default()
}

/// The name that the plugin has in Envoy's configuration; with Istio `namespace.name`.
pub(crate) fn plugin_name() -> Option<String> {
    String::from_utf8(property(b"plugin_name", &Cell::default())?).ok()
}

/// Whether the listener is a sidecar's inbound one (`core.v3.TrafficDirection.INBOUND` is 1); `None` if the host does not say.
pub(crate) fn is_inbound() -> Option<bool> {
    let refused = Cell::new(false);
    let value = property(b"xds\0listener_direction", &refused);
    (!refused.get()).then(|| value.is_some_and(|value| value.first() == Some(&1)))
}

/// The wall clock, in nanoseconds since 1970-01-01 UTC, if the host tells it.
pub(crate) fn now_nanoseconds() -> Option<u64> {
    let mut now = 0;
    // SAFETY: the host writes eight bytes at a live u64.
    let status = unsafe { proxy_get_current_time_nanoseconds(&raw mut now) };
    (status == OK).then_some(now)
}

/// A clock that does not jump, in nanoseconds, if the host has one.
pub(crate) fn monotonic_nanoseconds() -> Option<u64> {
    const MONOTONIC: u32 = 1;
    let mut now = 0;
    // SAFETY: the host writes eight bytes at a live u64.
    let status = unsafe { clock_time_get(MONOTONIC, 0, &raw mut now) };
    (status == OK).then_some(now)
}

/// A value that all VMs of this `vm_id` share, and its version; or the status.
pub(crate) fn shared_data(key: &str) -> Result<(Vec<u8>, u32), u32> {
    let mut version = 0;
    // SAFETY: the key is a live string, the host writes four bytes at a live u32, and `taken` passes pointers that are good
    // for the call.
    let value =
        taken(|data, size| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version) });
    Ok((value?, version))
}

/// Sets a value that all VMs of this `vm_id` share, if it still has this version; with version 0 whatever it has. Whether it
/// was set.
pub(crate) fn set_shared_data(key: &str, value: &[u8], version: u32) -> bool {
    // SAFETY: the pointers and sizes are those of live strings.
    let status = unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version) };
    status == OK
}

/// Calls `on_tick` of the current root every so many milliseconds; 0 stops. Whether the host agrees.
pub(crate) fn set_tick_period(milliseconds: u32) -> bool {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) == OK }
}

/// 64 random bits from the host, or the time.
pub(crate) fn entropy() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is live and has so many bytes.
    unsafe { serin_random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// `random_get` of WASI, but never refused: the first eight bytes are the time then, and the others are left. The standard
/// library, which seeds the maps of regular expressions with it, would end the VM; so the post-link step has everything call
/// this instead.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn serin_random_get(buffer: *mut u8, size: usize) -> u32 {
    // SAFETY: there are so many bytes at the buffer: that is what WASI asks of who calls.
    if unsafe { random_get(buffer, size) } != OK {
        let now = now_nanoseconds().unwrap_or_default().to_le_bytes();
        // SAFETY: as above, and no more bytes than the time has.
        unsafe { buffer.copy_from_nonoverlapping(now.as_ptr(), size.min(now.len())) };
    }
    OK
}

/// One line in Envoy's log, at error level.
pub(crate) fn log_error(message: &str) {
    const ERROR: u32 = 4;
    log(ERROR, message);
}

/// One line in Envoy's log, at info level.
pub(crate) fn log_info(message: &str) {
    const INFO: u32 = 2;
    log(INFO, message);
}

/// One line in Envoy's log, at warning level.
pub(crate) fn log_warning(message: &str) {
    const WARNING: u32 = 3;
    log(WARNING, message);
}

/// A counter or gauge, by the id that the host gave it.
#[derive(Clone, Copy)]
pub(crate) struct Metric(u32);

/// What a metric is, by its number in the ABI.
#[derive(Clone, Copy)]
pub(crate) enum MetricKind {
    Counter = 0,
    Gauge = 1,
}

impl Metric {
    /// Defines a metric. Every call makes a new id, so the caller keeps it.
    pub(crate) fn define(kind: MetricKind, name: &str) -> Option<Self> {
        let mut id = 0;
        // SAFETY: the name is a live string, and the host writes four bytes at a live u32.
        let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
        (status == OK).then_some(Self(id))
    }

    /// Adds to a counter.
    pub(crate) fn add(self, count: u32) {
        // SAFETY: no pointers.
        let _ = unsafe { proxy_increment_metric(self.0, i64::from(count)) };
    }

    /// Sets a gauge.
    pub(crate) fn set(self, value: u32) {
        // SAFETY: no pointers.
        let _ = unsafe { proxy_record_metric(self.0, u64::from(value)) };
    }
}

fn log(level: u32, message: &str) {
    // SAFETY: the pointer and size are those of a live string.
    let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// A header; what the host refuses is noted.
fn header(map: Map, name: &str, refused: &Cell<bool>) -> Option<Vec<u8>> {
    // SAFETY: the name is a live string; `told` passes pointers that are good for the call.
    told(refused, |data, size| unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size) })
}

fn replace(map: Map, name: &str, value: &[u8]) -> bool {
    let (name_size, value_size) = (name.len(), value.len());
    // SAFETY: the pointers and sizes are those of live strings.
    let status =
        unsafe { proxy_replace_header_map_value(map as u32, name.as_ptr(), name_size, value.as_ptr(), value_size) };
    status == OK
}

/// A property, by its path with NUL between the parts; what the host refuses is noted.
fn property(path: &[u8], refused: &Cell<bool>) -> Option<Vec<u8>> {
    // SAFETY: the path is a live slice; `told` passes pointers that are good for the call.
    told(refused, |data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Makes a call that returns bytes, if what it asks for is there. What the host refuses may be there: it is noted, and comes to
/// nothing in bytes.
#[inline]
fn told(refused: &Cell<bool>, call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    match taken(call) {
        Ok(bytes) => Some(bytes),
        Err(NOT_FOUND) => None,
        Err(_) => {
            refused.set(true);
            Some(Vec::new())
        }
    }
}

/// Makes a call that returns bytes, and takes them over; or gives its status.
#[inline]
fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, u32> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    let status = call(&raw mut data, &raw mut size);
    if status != OK {
        return Err(status);
    }
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host put the bytes where the SDK's `proxy_on_memory_allocate` told it to: into a `Vec` of this very
    // capacity, which was forgotten there.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}
