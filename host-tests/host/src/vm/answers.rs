//! What comes from outside to a VM's roots: answers of call-outs, and queues that have something.

use std::time::Duration;

use super::replies::grpc_status_of;
use super::state::Context;
use super::{Vm, word};
use crate::callouts::{CallOut, CallOutAnswer, CallOutKind, Delivered};
use crate::catalog::Callback;
use crate::death::Death;
use crate::headers::HeaderMap;
use crate::profile::Version;
use crate::status::Status;

/// gRPC's status for a service that cannot be reached; also what Envoy makes of a call that took too long.
pub(super) const UNAVAILABLE: u32 = 14;
/// gRPC's status for an answer without a message.
const INTERNAL: u32 = 13;
/// What Envoy's own answers on behalf of a service say: their text, and the details of their response.
const TIMED_OUT: &str = "upstream request timeout{response_timeout}";
const CLOSED: &str = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
const CLOSED_DETAILS: &str = "{upstream_reset_before_response_started{connection_termination}}";
const REFUSED: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
const REFUSED_BECAUSE: &str = ", transport failure reason: delayed connect error: Connection refused";
const REFUSED_DETAILS: &str = "{upstream_reset_before_response_started{remote_connection_failure|\
    delayed_connect_error:_Connection_refused}}";
pub(super) const NO_ENDPOINT: &str = "no healthy upstream{no_healthy_upstream}";

impl Vm {
    /// The call-outs that wait for an answer.
    pub(crate) fn call_outs(&self) -> Vec<CallOut> {
        self.look().call_outs.pending.values().cloned().collect()
    }

    /// Hands an answer to the root that asked. Returns whether anybody waited for it: a call that was answered, cancelled or
    /// whose root has ended is unknown, as it is in Envoy.
    pub(crate) fn answer(&mut self, token: u32, answer: CallOutAnswer) -> Result<bool, Death> {
        let Some(call) = self.look().call_outs.pending.get(&token).cloned() else { return Ok(false) };
        match call.kind {
            CallOutKind::Http => self.answer_http(&call, answer)?,
            CallOutKind::GrpcCall(..) | CallOutKind::GrpcStream(..) => self.answer_grpc(&call, answer)?,
        }
        Ok(true)
    }

    /// Calls that have waited too long get Envoy's own answer.
    pub(super) fn expire_call_outs(&mut self, now: Duration) -> Result<(), Death> {
        let late = |call: &&CallOut| call.due.is_some_and(|due| due <= now);
        let late: Vec<u32> = self.look().call_outs.pending.values().filter(late).map(|call| call.token).collect();
        late.into_iter().try_for_each(|token| self.answer(token, CallOutAnswer::Timeout).map(|_| ()))
    }

    /// Tells the root that its queue has something, if it still lives.
    pub(crate) fn queue_ready(&mut self, root: u32, token: u32) -> Result<(), Death> {
        if !matches!(self.look().contexts.get(&root), Some(Context::Root(_))) {
            return Ok(());
        }
        self.call(root, Callback::QueueReady, [root, token, 0, 0, 0])?;
        self.act()
    }

    fn answer_http(&mut self, call: &CallOut, answer: CallOutAnswer) -> Result<(), Death> {
        let mut delivered = Delivered { root: call.root, ..Delivered::default() };
        let answer = match answer {
            CallOutAnswer::Timeout => CallOutAnswer::local(504, "upstream request timeout"),
            CallOutAnswer::Refused => CallOutAnswer::local(503, &self.refusal()),
            CallOutAnswer::Closed => CallOutAnswer::local(503, CLOSED),
            answer => answer,
        };
        let (headers, body, trailers) = match answer {
            CallOutAnswer::Response { headers, body, trailers } => {
                let counts = (count(Some(&headers)), word(body.len()), count(trailers.as_ref()));
                (delivered.headers, delivered.body, delivered.trailers) = (Some(headers), Some(body), trailers);
                counts
            }
            // Whatever else comes on an HTTP connection breaks it.
            _ => {
                let broken = (Status::BrokenConnection as u32, "reset".to_owned());
                self.state().call_outs.status.insert(call.root, broken);
                (0, 0, 0)
            }
        };
        self.state().call_outs.pending.remove(&call.token);
        self.deliver(delivered, Callback::HttpCallResponse, [call.root, call.token, headers, body, trailers])?;
        // The number stays, the word does not.
        if let Some((_, message)) = self.state().call_outs.status.get_mut(&call.root) {
            message.clear();
        }
        Ok(())
    }

    fn answer_grpc(&mut self, call: &CallOut, answer: CallOutAnswer) -> Result<(), Death> {
        let is_call = matches!(call.kind, CallOutKind::GrpcCall(..));
        let (root, token) = (call.root, call.token);
        let mut delivered = Delivered { root, ..Delivered::default() };
        match answer {
            CallOutAnswer::GrpcInitialMetadata(metadata) => {
                let words = [root, token, count(Some(&metadata)), 0, 0];
                delivered.initial_metadata = Some(metadata);
                self.deliver(delivered, Callback::GrpcInitialMetadata, words)
            }
            CallOutAnswer::GrpcTrailingMetadata(metadata) => {
                let words = [root, token, count(Some(&metadata)), 0, 0];
                delivered.trailing_metadata = Some(metadata);
                self.deliver(delivered, Callback::GrpcTrailingMetadata, words)
            }
            CallOutAnswer::GrpcMessage(message) => {
                let words = [root, token, word(message.len()), 0, 0];
                delivered.message = Some(message);
                if is_call {
                    self.state().call_outs.pending.remove(&token);
                    self.state().call_outs.remotely_closed.insert(token);
                }
                self.deliver(delivered, Callback::GrpcReceive, words)?;
                self.state().call_outs.remotely_closed.remove(&token);
                Ok(())
            }
            CallOutAnswer::GrpcClose(0, _) if is_call => self.close_grpc(call, INTERNAL, String::new()),
            CallOutAnswer::GrpcClose(status, message) => self.close_grpc(call, status, of_the_server(&message)),
            CallOutAnswer::Timeout => self.close_grpc(call, UNAVAILABLE, TIMED_OUT.to_owned()),
            CallOutAnswer::Refused => self.close_grpc(call, UNAVAILABLE, self.refusal() + REFUSED_DETAILS),
            CallOutAnswer::Closed => self.close_grpc(call, UNAVAILABLE, CLOSED.to_owned() + CLOSED_DETAILS),
            CallOutAnswer::Reset => self.close_grpc(call, INTERNAL, of_the_server("")),
            CallOutAnswer::Response { headers, .. } => {
                let status = headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
                self.close_grpc(call, grpc_status_of(status), of_the_server(""))
            }
        }
    }

    /// Newer Envoys keep the cause to themselves.
    fn refusal(&self) -> String {
        let tells = self.look().settings.profile.version() < Version::V1_40;
        format!("{REFUSED}{}", if tells { REFUSED_BECAUSE } else { "" })
    }

    pub(super) fn close_grpc(&mut self, call: &CallOut, status: u32, message: String) -> Result<(), Death> {
        let calls = &mut self.state().call_outs;
        calls.pending.remove(&call.token);
        calls.remotely_closed.insert(call.token);
        calls.status.insert(call.root, (status, message));
        let delivered = Delivered { root: call.root, ..Delivered::default() };
        self.deliver(delivered, Callback::GrpcClose, [call.root, call.token, status, 0, 0])?;
        let calls = &mut self.state().call_outs;
        calls.status.insert(call.root, (status, String::new()));
        // A stream that the guest has not ended is still known to it.
        if matches!(call.kind, CallOutKind::GrpcCall(..)) || calls.locally_closed.remove(&call.token) {
            calls.remotely_closed.remove(&call.token);
        }
        Ok(())
    }

    fn deliver(&mut self, delivered: Delivered, callback: Callback, words: [u32; 5]) -> Result<(), Death> {
        let root = delivered.root;
        self.state().call_outs.delivered = Some(delivered);
        let outcome = self.call(root, callback, words);
        self.state().call_outs.delivered = None;
        outcome?;
        self.act()
    }
}

/// A message of the server as Envoy hands it on (`enhancedGrpcMessage`).
fn of_the_server(message: &str) -> String {
    if message.is_empty() { "via_upstream".to_owned() } else { format!("{message}{{via_upstream}}") }
}

fn count(map: Option<&HeaderMap>) -> u32 {
    word(map.map_or(0, HeaderMap::len))
}
