//! A finished request and response.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::death::Death;
use crate::headers::HeaderMap;
use crate::usage::Usage;
use crate::vm::stream_state::{Stage, StreamState};

/// What a filter wants to happen with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Continue,
    /// It waits until the filter resumes the stream or answers itself.
    Pause,
}

/// A finished request and response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The status that the client got; 0 if it got no answer.
    pub status: u16,
    /// The cluster that the request reached; `None` without routes, and where Envoy or the filter answered.
    pub cluster: Option<String>,
    /// The request's headers as routes saw them.
    pub request: HeaderMap,
    /// The request's headers as the upstream saw them; `None` if they did not get that far.
    pub upstream: Option<HeaderMap>,
    /// The request's body as the upstream saw it.
    pub request_body: Vec<u8>,
    /// The request's trailers as the upstream saw them.
    pub request_trailers: Option<HeaderMap>,
    /// The response's headers as the client got them; empty if none came.
    pub response: HeaderMap,
    /// The response's body as the client got it.
    pub body: Vec<u8>,
    /// The response's trailers as the client got them.
    pub trailers: Option<HeaderMap>,
    /// Whether both messages went on, or one waits for ever.
    pub action: Action,
    /// Whether the filter answered instead of the upstream.
    pub was_local: bool,
    /// Whether the stream was reset before its end.
    pub was_reset: bool,
    /// `response.code_details`: `via_upstream` where the upstream answered, else what the host or the filter gave.
    pub details: Option<String>,
    /// How often the filter made Envoy forget the route that it had chosen.
    pub route_refreshes: u64,
    /// What the filter left as filter state, by path.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What the stream cost, from its context's creation to its deletion, by callback.
    pub usage: Usage,
    /// The report of the VM, if it is dead and the proxy has a failure policy.
    pub death: Option<Death>,
}

impl Exchange {
    pub(crate) fn new(stream: StreamState, death: Option<Death>) -> Self {
        let action = stream.action();
        let StreamState { request, response, .. } = stream;
        let status = response.headers.text(":status").and_then(|status| status.parse().ok());
        let reached = stream.to_upstream.is_some();
        let answer = response.headers_passed.then_some(response.headers);
        Self {
            status: status.filter(|_| response.headers_passed).unwrap_or(0),
            cluster: stream.cluster.filter(|_| reached),
            request: request.headers,
            upstream: stream.to_upstream,
            request_body: request.body,
            request_trailers: request.trailers.filter(|_| request.end_passed),
            response: answer.unwrap_or_else(HeaderMap::response),
            body: response.body,
            trailers: response.trailers.filter(|_| response.end_passed),
            action,
            was_local: stream.is_filters_reply,
            was_reset: stream.is_reset,
            details: stream.details.map(Cow::into_owned),
            route_refreshes: stream.route_refreshes,
            filter_state: stream.filter_state,
            usage: stream.usage,
            death,
        }
    }
}

impl Exchange {
    /// HTTP/1 carries trailers behind chunks only (`StreamEncoderImpl::encodeTrailers`).
    pub(crate) fn drop_trailers_of_http1(&mut self) {
        let has_length = |headers: &HeaderMap| headers.has("content-length");
        self.request_trailers.take_if(|_| self.upstream.as_ref().is_some_and(has_length));
        self.trailers.take_if(|_| has_length(&self.response));
    }
}

impl StreamState {
    pub(crate) fn action(&self) -> Action {
        let is_held = |stage: Stage| matches!(stage, Stage::HeldAtHeaders | Stage::HeldAtBody | Stage::HeldAtTrailers);
        if is_held(self.request.stage) || is_held(self.response.stage) { Action::Pause } else { Action::Continue }
    }

    /// Whether the upstream has the whole request and nobody has answered it yet.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.request.end_passed && self.response.stage == Stage::Waiting && !self.is_reset
    }
}
