//! What comes from outside to a VM's roots: answers of call-outs, and queues that have something.

use std::time::Duration;

use super::Vm;
use super::state::Context;
use crate::callouts::{CallOut, CallOutAnswer, CallOutKind, Delivered};
use crate::catalog::Callback;
use crate::death::Death;
use crate::headers::HeaderMap;
use crate::status::Status;

/// gRPC's status for what took too long.
const DEADLINE_EXCEEDED: u32 = 4;
/// gRPC's status for a connection that broke.
const UNAVAILABLE: u32 = 14;

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
        let answer = if answer == CallOutAnswer::Timeout {
            CallOutAnswer::local(504, "upstream request timeout")
        } else {
            answer
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
                }
                self.deliver(delivered, Callback::GrpcReceive, words)
            }
            CallOutAnswer::GrpcClose(status, message) => self.close_grpc(call, status, message),
            CallOutAnswer::Timeout => self.close_grpc(call, DEADLINE_EXCEEDED, String::new()),
            CallOutAnswer::Reset | CallOutAnswer::Response { .. } => {
                self.close_grpc(call, UNAVAILABLE, "upstream reset".to_owned())
            }
        }
    }

    fn close_grpc(&mut self, call: &CallOut, status: u32, message: String) -> Result<(), Death> {
        self.state().call_outs.pending.remove(&call.token);
        self.state().call_outs.status.insert(call.root, (status, message));
        let delivered = Delivered { root: call.root, ..Delivered::default() };
        self.deliver(delivered, Callback::GrpcClose, [call.root, call.token, status, 0, 0])?;
        self.state().call_outs.status.insert(call.root, (status, String::new()));
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

fn count(map: Option<&HeaderMap>) -> u32 {
    word(map.map_or(0, HeaderMap::len))
}

fn word(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
