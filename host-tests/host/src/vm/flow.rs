//! A message's way through the filter, as Envoy's filter manager and wasm filter go it: what the filter sees, what it holds,
//! what goes on. Requests and responses go the same way.
//!
//! Sources: `Context::decodeHeaders` … `encodeTrailers` (`extensions/common/wasm/context.cc`) and
//! `commonHandleAfterHeadersCallback`, `commonHandleAfterDataCallback`, `commonContinue` (`http/filter_manager.cc`).

use std::borrow::Cow;

use super::state::{AfterCall, Context, Reply};
use super::stream_state::{Message, Side, Stage, StreamState};
use super::{Vm, word};
use crate::catalog::Callback;
use crate::death::Death;
use crate::headers::HeaderMap;

/// What callbacks answer.
const CONTINUE: u32 = 0;
/// For a body: hold it, and show all of it next time.
const HOLD_ALL: u32 = 1;
/// For a body: hold it, and show only what is new.
const HOLD_AND_WATERMARK: u32 = 2;
/// Headers have a number that means "go on" besides 0: the one of a status that Envoy does not know.
const ALSO_CONTINUE: u32 = 2;
/// The most that Envoy holds of a message's body.
const MAX_HELD: usize = 1024 * 1024;

impl Vm {
    /// Headers come, with which the message `ends` if nothing follows.
    pub(super) fn take_headers(&mut self, id: u32, side: Side, headers: HeaderMap, ends: bool) -> Result<(), Death> {
        if self.stage(id, side) != Stage::Waiting {
            return Ok(());
        }
        let count = word(headers.len());
        self.with_message(id, side, |message| {
            (message.headers, message.is_whole) = (headers, ends);
            message.headers_at_hand = true;
            message.stage = Stage::Flowing;
        });
        let answer = self.call_for(id, side.on_headers(), [id, count, u32::from(ends), 0, 0])?;
        if matches!(answer, CONTINUE | ALSO_CONTINUE) && !self.is_stopped(id) {
            // What Envoy does not know goes on, and yet is not forgotten.
            self.with_message(id, side, |message| message.headers_at_hand = answer != CONTINUE);
            self.pass_headers(id, side)?;
        } else {
            self.with_message(id, side, |message| message.stage = Stage::HeldAtHeaders);
        }
        self.act()
    }

    /// A piece of the body comes, the last one if it `ends` the message.
    pub(super) fn take_body(&mut self, id: u32, side: Side, piece: Vec<u8>, ends: bool) -> Result<(), Death> {
        match self.stage(id, side) {
            Stage::Closed | Stage::Waiting => return Ok(()),
            Stage::HeldAtHeaders | Stage::HeldAtTrailers => {
                self.with_message(id, side, |message| {
                    message.waiting_body.extend(piece);
                    message.is_whole = ends;
                });
                return Ok(());
            }
            Stage::Flowing | Stage::HeldAtBody => {}
        }
        let size = self.with_message(id, side, |message| {
            message.is_whole = ends;
            message.body_at_hand = true;
            if message.buffering {
                message.held.extend(piece);
            } else {
                message.chunk = piece;
            };
            (message.shown().len(), message.buffering && message.held.len() > MAX_HELD)
        });
        let (size, overflows) = size.unwrap_or_default();
        if overflows {
            // What is added to a held body is weighed before the filter sees it, whatever the filter then makes of it.
            self.state().after_call.push_back(AfterCall::Reply(id, too_large(side)));
            if side == Side::Response {
                return self.act();
            }
        }
        let size = word(size);
        let answer = self.call_for(id, side.on_body(), [id, size, u32::from(ends), 0, 0])?;
        let answer = if overflows || self.is_stopped(id) { u32::MAX } else { answer };
        let is_too_much = self.with_message(id, side, |message| settle_body(message, answer, ends)).unwrap_or(false);
        if is_too_much && !overflows {
            self.state().after_call.push_back(AfterCall::Reply(id, too_large(side)));
        }
        self.act()
    }

    /// The message ends with trailers.
    pub(super) fn take_trailers(&mut self, id: u32, side: Side, trailers: HeaderMap) -> Result<(), Death> {
        match self.stage(id, side) {
            Stage::Closed | Stage::Waiting => return Ok(()),
            Stage::HeldAtHeaders => {
                self.with_message(id, side, |message| {
                    message.waiting_trailers = Some(trailers);
                    message.is_whole = true;
                });
                return Ok(());
            }
            _ => {}
        }
        let trailers = trailers.into_trailers();
        let count = word(trailers.len());
        self.with_message(id, side, |message| {
            (message.trailers, message.trailers_at_hand) = (Some(trailers), true);
            message.is_whole = true;
        });
        let answer = self.call_for(id, side.on_trailers(), [id, count, 0, 0, 0])?;
        let goes_on = answer == CONTINUE && !self.is_stopped(id);
        self.with_message(id, side, |message| {
            message.stage = if goes_on { Stage::Flowing } else { Stage::HeldAtTrailers };
            if goes_on {
                message.trailers_at_hand = false;
                message.pass_body();
                message.end_passed = true;
            }
        });
        self.act()
    }

    /// Whether the callback that has returned ended the stream, so that its own answer does not count.
    fn is_stopped(&self, id: u32) -> bool {
        let closes = |action: &AfterCall| matches!(action, AfterCall::Reset(stream) if *stream == id);
        self.look().stop_iteration || self.look().after_call.iter().any(closes)
    }

    /// What was held goes on; what came meanwhile is shown to the filter if only the headers were held.
    pub(super) fn resume(&mut self, id: u32, side: Side) -> Result<(), Death> {
        match self.stage(id, side) {
            Stage::HeldAtHeaders => self.resume_from_headers(id, side),
            Stage::HeldAtBody | Stage::HeldAtTrailers => {
                self.with_message(id, side, |message| {
                    message.stage = Stage::Flowing;
                    message.pass_body();
                    message.end_passed = message.is_whole;
                });
                Ok(())
            }
            Stage::Waiting | Stage::Flowing | Stage::Closed => Ok(()),
        }
    }

    fn resume_from_headers(&mut self, id: u32, side: Side) -> Result<(), Death> {
        let waiting = self.with_message(id, side, |message| {
            message.stage = Stage::Flowing;
            let body = std::mem::take(&mut message.waiting_body);
            (body, message.waiting_trailers.take(), message.is_whole)
        });
        let Some((body, trailers, is_whole)) = waiting else { return Ok(()) };
        let ends = is_whole && body.is_empty() && trailers.is_none();
        // Whether anything follows is known by now.
        self.with_message(id, side, |message| message.is_whole = ends);
        self.pass_headers(id, side)?;
        if !body.is_empty() {
            self.take_body(id, side, body, is_whole && trailers.is_none())?;
        }
        match trailers {
            Some(trailers) => self.take_trailers(id, side, trailers),
            None => Ok(()),
        }
    }

    /// The headers leave the filter: a request gets to the routes, a response to the client.
    fn pass_headers(&mut self, id: u32, side: Side) -> Result<(), Death> {
        self.with_message(id, side, |message| {
            message.headers_passed = true;
            message.end_passed = message.is_whole;
        });
        if side == Side::Request { self.route(id) } else { Ok(()) }
    }

    fn stage(&self, id: u32, side: Side) -> Stage {
        match self.look().contexts.get(&id) {
            Some(Context::Stream(stream)) if side == Side::Request => stream.request.stage,
            Some(Context::Stream(stream)) => stream.response.stage,
            _ => Stage::Closed,
        }
    }

    pub(super) fn with_message<T>(&mut self, id: u32, side: Side, then: impl FnOnce(&mut Message) -> T) -> Option<T> {
        self.with_stream(id, |stream| then(stream.message(side)))
    }

    pub(super) fn with_stream<T>(&mut self, id: u32, then: impl FnOnce(&mut StreamState) -> T) -> Option<T> {
        match self.state().contexts.get_mut(&id) {
            Some(Context::Stream(stream)) => Some(then(stream)),
            _ => None,
        }
    }

    /// Makes a callback and adds its cost to the stream's. A stream that passes by the filter goes on.
    pub(super) fn call_for(&mut self, id: u32, callback: Callback, words: [u32; 5]) -> Result<u32, Death> {
        if id > self.next_bypass {
            self.state().stop_iteration = false;
            return Ok(CONTINUE);
        }
        let was_dead = self.death().is_some();
        let called = self.call(id, callback, words);
        if matches!(called, Ok(None)) || was_dead {
            return called.map(|_| CONTINUE);
        }
        let state = self.store.data_mut();
        if let Some(Context::Stream(stream)) = state.contexts.get_mut(&id) {
            stream.usage.add(&state.cost);
        }
        called.map(|answer| answer.unwrap_or(CONTINUE))
    }
}

/// What becomes of the body that the filter has seen. Whether it holds more than Envoy would.
fn settle_body(message: &mut Message, answer: u32, ends: bool) -> bool {
    message.stage = Stage::HeldAtBody;
    match answer {
        CONTINUE => {
            message.pass_body();
            message.body_at_hand = false;
            message.stage = Stage::Flowing;
            message.end_passed = ends;
        }
        HOLD_ALL | HOLD_AND_WATERMARK => {
            let mut chunk = std::mem::take(&mut message.chunk);
            message.held.append(&mut chunk);
            message.buffering = answer == HOLD_ALL;
        }
        _ => message.chunk.clear(),
    }
    // Behind a watermark the sender is slowed down instead.
    message.buffering && message.held.len() > MAX_HELD
}

/// Envoy's answer to a message that does not fit into what it can hold.
fn too_large(side: Side) -> Reply {
    let (status, body, details) = match side {
        Side::Request => (413, "Payload Too Large", "request_payload_too_large"),
        Side::Response => (500, "Internal Server Error", "response_payload_too_large"),
    };
    Reply { status, body: body.into(), details: Cow::Borrowed(details), ..Reply::default() }
}
