//! Call-outs of a VM: HTTP calls, gRPC calls and gRPC streams that its roots have made and the test answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::headers::HeaderMap;

/// A call that a filter has made and that nobody has answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOut {
    /// The number that the guest knows it by.
    pub token: u32,
    /// The VM that made it.
    pub(crate) vm: u64,
    /// The root that made it, and that gets the answer.
    pub root: u32,
    /// What kind it is.
    pub kind: CallOutKind,
    /// The cluster; for gRPC as the guest named it.
    pub cluster: String,
    /// The request's headers; for gRPC its initial metadata.
    pub headers: HeaderMap,
    /// The request's body, or the messages of a gRPC stream so far.
    pub body: Vec<u8>,
    /// When it fails by itself, since the Unix epoch.
    pub due: Option<Duration>,
}

/// The kinds of call-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutKind {
    /// `proxy_http_call`.
    Http,
    /// `proxy_grpc_call`, with service and method.
    GrpcCall(String, String),
    /// `proxy_grpc_stream`, with service and method.
    GrpcStream(String, String),
}

/// What comes back on a call-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutAnswer {
    /// A response to an HTTP call.
    Response {
        /// Its headers.
        headers: HeaderMap,
        /// Its body.
        body: Vec<u8>,
        /// Its trailers.
        trailers: Option<HeaderMap>,
    },
    /// The 504 that Envoy makes of a time-out.
    Timeout,
    /// Nobody listens: Envoy answers an HTTP call with a 503 itself.
    Refused,
    /// The connection ended before any header came: Envoy answers an HTTP call with a 503 itself.
    Closed,
    /// The connection broke in the middle of the response: an HTTP call gets no header at all.
    Reset,
    /// The initial metadata of a gRPC stream.
    GrpcInitialMetadata(HeaderMap),
    /// A message: the answer of a gRPC call, or one of those of a stream.
    GrpcMessage(Vec<u8>),
    /// The trailing metadata of a gRPC stream.
    GrpcTrailingMetadata(HeaderMap),
    /// The end of a gRPC call that failed, or of a stream, with its status and message.
    GrpcClose(u32, String),
}

impl CallOutAnswer {
    /// A response without trailers to an HTTP call.
    pub fn response(status: u16, body: impl AsRef<[u8]>) -> Self {
        let headers = HeaderMap::response().with(":status", status.to_string());
        Self::Response { headers, body: body.as_ref().to_vec(), trailers: None }
    }

    /// A response of Envoy's own (`Http::Utility::sendLocalReply`).
    pub(crate) fn local(status: u16, body: &str) -> Self {
        let headers = HeaderMap::response()
            .with(":status", status.to_string())
            .with("content-length", body.len().to_string())
            .with("content-type", "text/plain");
        Self::Response { headers, body: body.as_bytes().to_vec(), trailers: None }
    }
}

/// The calls of a VM, and the answer that is being handed over.
#[derive(Debug, Default)]
pub(crate) struct CallOuts {
    pub(crate) pending: BTreeMap<u32, CallOut>,
    pub(crate) delivered: Option<Delivered>,
    /// What `proxy_get_status` says, by root.
    pub(crate) status: BTreeMap<u32, (u32, String)>,
    /// gRPC calls and streams that the server has ended and the guest can still name.
    pub(crate) remotely_closed: BTreeSet<u32>,
    /// gRPC streams on which the guest sends no more.
    pub(crate) locally_closed: BTreeSet<u32>,
    last_http: u32,
    last_grpc: u32,
}

/// An answer while its callback runs.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) root: u32,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) initial_metadata: Option<HeaderMap>,
    pub(crate) trailing_metadata: Option<HeaderMap>,
    pub(crate) message: Option<Vec<u8>>,
}

impl CallOuts {
    /// The next number: the low two bits tell the kind, as in Envoy.
    pub(crate) fn new_token(&mut self, kind: &CallOutKind) -> u32 {
        let (last, tag) = match kind {
            CallOutKind::Http => (&mut self.last_http, 0),
            CallOutKind::GrpcCall(..) => (&mut self.last_grpc, 1),
            CallOutKind::GrpcStream(..) => (&mut self.last_grpc, 2),
        };
        *last = last.wrapping_add(4);
        *last + tag
    }

    /// Whether any call was made.
    pub(crate) fn has_begun(&self) -> bool {
        self.last_http + self.last_grpc > 0
    }

    /// What an answer of that root reaches.
    pub(crate) fn delivered_to(&self, root: u32) -> Option<&Delivered> {
        self.delivered.as_ref().filter(|delivered| delivered.root == root)
    }

    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.pending.values().filter_map(|call| call.due).min()
    }
}
