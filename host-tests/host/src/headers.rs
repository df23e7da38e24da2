//! Header maps as Envoy keeps them: an ordered multimap of bytes with lower-case names.

use std::fmt;
use std::ops::Range;

/// A list of headers: bytes, in order, names in lower case, a name as often as it was added.
///
/// A map of a request answers to `host` as `:authority`. Some names are single, as in Envoy: adding one that is there joins
/// the values with a comma (`HeaderMapImpl::insertByKey`). These are the pseudo headers and those that Envoy itself looks at.
#[derive(Clone, Default)]
pub struct HeaderMap {
    /// Names and values one behind the other; a header that was removed leaves its bytes behind.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    kind: Kind,
}

/// What a map is of, which decides which names are single.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    Request,
    #[default]
    Response,
    Trailers,
}

/// Where a header's name and value are.
#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    value: usize,
    end: usize,
}

impl HeaderMap {
    /// An empty map of a request.
    pub fn request() -> Self {
        Self { kind: Kind::Request, ..Self::default() }
    }

    /// An empty map of a response.
    pub fn response() -> Self {
        Self::default()
    }

    /// An empty map of trailers, in which no name is single but gRPC's.
    pub fn trailers() -> Self {
        Self { kind: Kind::Trailers, ..Self::default() }
    }

    pub(crate) fn into_trailers(self) -> Self {
        Self { kind: Kind::Trailers, ..self }
    }

    /// The same map with one more header.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.add(name, value);
        self
    }

    /// The first value of `name`.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.position(name.as_ref()).map(|index| self.value(self.entries[index]))
    }

    /// The first value of `name` as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self, name: impl AsRef<[u8]>) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every value of `name`, in order.
    pub fn all(&self, name: impl AsRef<[u8]>) -> Vec<&[u8]> {
        let name = self.known_as(name.as_ref());
        let same = |entry: &&Entry| self.name(**entry).eq_ignore_ascii_case(name);
        self.entries.iter().filter(same).map(|entry| self.value(*entry)).collect()
    }

    /// Whether `name` is there, be it with an empty value.
    pub fn has(&self, name: impl AsRef<[u8]>) -> bool {
        self.position(name.as_ref()).is_some()
    }

    /// Every name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (self.name(*entry), self.value(*entry)))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all names and values.
    pub fn byte_size(&self) -> usize {
        self.entries.iter().map(|entry| entry.end - entry.start).sum()
    }

    /// Appends a header at the end (a pseudo header behind the last of them), or to the value of one that is single.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        match self.position(name) {
            Some(index) if self.is_single(name) => self.join(index, value),
            _ => {
                let entry = self.write(name, value);
                let is_pseudo = |entry: &Entry| self.name(*entry).starts_with(b":");
                let pseudo = || self.entries.iter().take_while(|entry| is_pseudo(entry)).count();
                let place = if is_pseudo(&entry) { pseudo() } else { self.entries.len() };
                self.entries.insert(place, entry);
            }
        }
    }

    /// Removes every header of that name, then appends one.
    pub fn replace(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(&name);
        self.add(name, value);
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let (mut entries, name) = (std::mem::take(&mut self.entries), self.known_as(name.as_ref()));
        entries.retain(|entry| !self.bytes[entry.start..entry.value].eq_ignore_ascii_case(name));
        self.entries = entries;
    }

    /// Removes all headers and takes `pairs` instead.
    pub(crate) fn replace_all<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
        self.entries.clear();
        for (name, value) in pairs {
            self.add(name, value);
        }
    }

    fn join(&mut self, index: usize, more: &[u8]) {
        let entry = self.entries[index];
        let delimiter: &[u8] = if self.value(entry).is_empty() || more.is_empty() { b"" } else { b"," };
        let joined = [self.value(entry), delimiter, more].concat();
        let name = self.name(entry).to_vec();
        self.entries[index] = self.write(&name, &joined);
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        let name = self.known_as(name);
        self.entries.iter().position(|entry| self.name(*entry).eq_ignore_ascii_case(name))
    }

    fn write(&mut self, name: &[u8], value: &[u8]) -> Entry {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(self.known_as(name));
        self.bytes[start..].make_ascii_lowercase();
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        Entry { start, value: middle, end: self.bytes.len() }
    }

    fn name(&self, entry: Entry) -> &[u8] {
        self.piece(entry.start..entry.value)
    }

    fn value(&self, entry: Entry) -> &[u8] {
        self.piece(entry.value..entry.end)
    }

    fn piece(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    fn known_as<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        if self.kind == Kind::Request && name.eq_ignore_ascii_case(b"host") { b":authority" } else { name }
    }

    fn is_single(&self, name: &[u8]) -> bool {
        let listed = |list: &[&str]| list.iter().any(|single| name.eq_ignore_ascii_case(single.as_bytes()));
        let is_listed = match self.kind {
            Kind::Request => listed(SINGLE) || listed(SINGLE_IN_REQUESTS),
            Kind::Response => listed(SINGLE) || listed(SINGLE_IN_RESPONSES),
            Kind::Trailers => listed(&["grpc-message", "grpc-status"]),
        };
        is_listed || self.known_as(name).starts_with(b":")
    }
}

impl PartialEq for HeaderMap {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for HeaderMap {}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        f.debug_list().entries(self.iter().map(|(name, value)| format!("{}: {}", lossy(name), lossy(value)))).finish()
    }
}

/// Envoy's inline headers (`envoy/http/header_map.h`), and those that the extensions of a full build register.
const SINGLE: &[&str] = &[
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy-connection",
    "proxy-status",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-request-id",
];
const SINGLE_IN_REQUESTS: &[&str] = &[
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "authentication",
    "authorization",
    "cdn-loop",
    "expect",
    "grpc-accept-encoding",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "origin",
    "pragma",
    "referer",
    "te",
    "user-agent",
    "x-client-trace-id",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-is-timeout-retry",
    "x-envoy-max-retries",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
];
const SINGLE_IN_RESPONSES: &[&str] = &[
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "date",
    "etag",
    "expires",
    "grpc-message",
    "grpc-status",
    "last-modified",
    "location",
    "server",
    "vary",
    "x-envoy-degraded",
    "x-envoy-immediate-health-check-fail",
    "x-envoy-ratelimited",
    "x-envoy-upstream-canary",
    "x-envoy-upstream-healthchecked-cluster",
    "x-envoy-upstream-service-time",
];
