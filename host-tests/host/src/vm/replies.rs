//! What comes back in place of the upstream's response: answers of the filter, of the router, and of a host whose VM is dead.

use std::borrow::Cow;
use std::rc::Rc;

use super::Vm;
use super::answers::{NO_ENDPOINT, UNAVAILABLE};
use super::state::{AfterCall, Reply};
use super::stream_state::{Side, Stage, StreamState};
use crate::death::Death;
use crate::headers::HeaderMap;
use crate::routes::{Destination, LocalReply};

impl Vm {
    /// Does what the guest asked for in its last callback, in order.
    pub(super) fn act(&mut self) -> Result<(), Death> {
        while let Some(action) = self.state().after_call.pop_front() {
            match action {
                AfterCall::Resume(id, side) => self.resume(id, side)?,
                AfterCall::Reply(id, reply) => {
                    let reply = self.first_of(id, reply);
                    self.reply(id, reply)?;
                }
                AfterCall::Reset(id) => self.reset(id, "wasm_close_stream"),
                AfterCall::Delete(root) => self.delete_root(root)?,
                AfterCall::GrpcClose(call) => self.close_grpc(&call, UNAVAILABLE, NO_ENDPOINT.to_owned())?,
            }
        }
        Ok(())
    }

    /// Of several answers in one callback the first counts, with the details of the last.
    fn first_of(&mut self, id: u32, mut reply: Reply) -> Reply {
        self.state().after_call.retain(|action| match action {
            AfterCall::Reply(other, later) if *other == id => {
                reply.details.clone_from(&later.details);
                false
            }
            _ => true,
        });
        reply
    }

    /// The request gets to the router, which chooses a cluster or answers itself. Without a table, everything has an upstream.
    pub(super) fn route(&mut self, id: u32) -> Result<(), Death> {
        let settings = Rc::clone(&self.look().settings);
        let Some(table) = &settings.routes else {
            self.with_stream(id, |stream| stream.to_upstream = Some(stream.request.headers.clone()));
            return Ok(());
        };
        let answer = self.with_stream(id, |stream| {
            let choice = table.choose(&stream.request.headers, stream.random);
            stream.cluster = choice.cluster;
            match choice.destination {
                Destination::Upstream(_) => {
                    let mut headers = stream.request.headers.clone();
                    choice.remove.iter().for_each(|name| headers.remove(name));
                    stream.to_upstream = Some(headers);
                    None
                }
                Destination::Local(reply) => Some(reply),
            }
        });
        match answer.flatten() {
            Some(answer) => self.reply(id, Reply::from(answer)),
            None => Ok(()),
        }
    }

    /// Answers in place of the upstream (`FilterManager::sendLocalReply`): through the filter if no response has come, past it
    /// if one has but has not been sent, and not at all if it has been sent.
    pub(super) fn reply(&mut self, id: u32, reply: Reply) -> Result<(), Death> {
        let stage = self.with_stream(id, |stream| {
            if stream.is_reset {
                return None;
            }
            stream.details = Some(reply.details.clone());
            stream.flags |= reply.flag;
            stream.request.stage = Stage::Closed;
            Some((stream.response.stage, stream.response.headers_passed))
        });
        match stage.flatten() {
            None => Ok(()),
            Some((_, true)) => {
                self.reset(id, "response_already_sent");
                Ok(())
            }
            Some((Stage::Waiting, false)) => self.reply_through_the_filter(id, reply),
            Some(_) => {
                self.with_stream(id, |stream| reply_past_the_filter(stream, reply));
                Ok(())
            }
        }
    }

    fn reply_through_the_filter(&mut self, id: u32, reply: Reply) -> Result<(), Death> {
        let prepared = self.with_stream(id, |stream| {
            stream.is_replied = true;
            stream.is_filters_reply = reply.is_filters;
            prepare(&stream.request.headers, &reply)
        });
        let Some((headers, body)) = prepared else { return Ok(()) };
        let ends = body.is_empty();
        self.take_headers(id, Side::Response, headers, ends)?;
        if ends { Ok(()) } else { self.take_body(id, Side::Response, body, true) }
    }

    pub(super) fn reset(&mut self, id: u32, details: &'static str) {
        self.with_stream(id, |stream| {
            stream.is_reset = true;
            stream.details.get_or_insert(Cow::Borrowed(details));
            (stream.request.stage, stream.response.stage) = (Stage::Closed, Stage::Closed);
        });
    }

    /// What becomes of a stream whose VM has died (`Context::failStream`): from now on it passes by the filter.
    pub(crate) fn fail_stream(&mut self, id: u32) {
        self.state().after_call.clear();
        self.with_stream(id, |stream| {
            let reply = Reply {
                status: 503,
                grpc_status: Some(14),
                details: Cow::Borrowed("wasm_fail_stream"),
                ..Reply::default()
            };
            stream.request.stage = Stage::Closed;
            if stream.response.headers_passed {
                (stream.is_reset, stream.details) = (true, Some(reply.details));
            } else {
                reply_past_the_filter(stream, reply);
            }
        });
    }
}

/// Replaces a response that has not been sent.
fn reply_past_the_filter(stream: &mut StreamState, reply: Reply) {
    let (headers, body) = prepare(&stream.request.headers, &reply);
    (stream.is_replied, stream.is_filters_reply, stream.details) = (true, reply.is_filters, Some(reply.details));
    let response = &mut stream.response;
    (response.headers, response.body, response.trailers) = (headers, body, None);
    (response.headers_passed, response.end_passed) = (true, true);
    response.stage = Stage::Closed;
    response.put_away();
}

/// The headers and the body of an answer (`Http::Utility::prepareLocalReply`).
fn prepare(request: &HeaderMap, reply: &Reply) -> (HeaderMap, Vec<u8>) {
    let is_grpc = request
        .text("content-type")
        .is_some_and(|kind| kind == "application/grpc" || kind.starts_with("application/grpc+"));
    let status = if is_grpc { 200 } else { reply.status };
    let mut headers = HeaderMap::response().with(":status", status.to_string());
    reply.headers.iter().for_each(|(name, value)| headers.add(name, value));
    if is_grpc {
        headers.replace("content-type", "application/grpc");
        if headers.get("grpc-status").is_none_or(<[u8]>::is_empty) {
            headers.replace("grpc-status", reply.grpc_status.unwrap_or(grpc_status_of(reply.status)).to_string());
        }
        if !reply.body.is_empty() {
            headers.replace("grpc-message", percent_encoded(&reply.body));
        }
        headers.remove("content-length");
        return (headers, Vec::new());
    }
    if reply.body.is_empty() {
        headers.remove("content-length");
        headers.remove("content-type");
    } else {
        headers.replace("content-length", reply.body.len().to_string());
        if !headers.has("content-type") {
            headers.add("content-type", "text/plain");
        }
    }
    let body = if request.text(":method").as_deref() == Some("HEAD") { Vec::new() } else { reply.body.clone() };
    (headers, body)
}

/// The status of gRPC that stands for one of HTTP.
pub(super) fn grpc_status_of(status: u32) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// As `grpc-message` carries it: printable ASCII but for the percent sign.
fn percent_encoded(text: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b' '..=b'~' if *byte != b'%' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.iter().map(one).collect()
}

impl From<LocalReply> for Reply {
    fn from(reply: LocalReply) -> Self {
        Self {
            status: reply.status.into(),
            body: reply.body.into(),
            details: Cow::Borrowed(reply.details),
            flag: reply.flags,
            ..Self::default()
        }
    }
}
