//! A stream in flight.

use std::rc::Rc;

use crate::death::Death;
use crate::exchange::{Action, Exchange};
use crate::headers::HeaderMap;
use crate::request::Parts;
use crate::routes::LocalReply;
use crate::vm::VmRef;
use crate::vm::stream_state::{Side, StreamState};
use crate::vm::streams::{Opening, Part};
use crate::worker::Thread;

/// A stream in flight. Dropping it is a client that went away: the filter sees the stream's end.
pub struct Stream {
    thread: Rc<Thread>,
    vm: VmRef,
    parts: Rc<Parts>,
    id: Option<u32>,
}

impl Stream {
    /// Sends the request.
    pub(crate) fn open(thread: &Rc<Thread>, parts: Rc<Parts>) -> Result<Self, Death> {
        let vm = thread.vm_for_a_stream();
        thread.remember(&parts);
        let ends = parts.body.is_empty() && parts.trailers.is_none() && !parts.is_unfinished;
        let opening = Opening {
            listener: &parts.listener,
            headers: parts.sent_headers(),
            ends,
            properties: parts.properties.clone(),
            random: parts.random.unwrap_or_else(|| thread.random()),
            is_http2: parts.is_http2,
        };
        let opened = vm.borrow_mut().open_stream(opening);
        let id = Some(opened.map_err(|death| thread.explained(&vm, &parts.listener).unwrap_or(death))?);
        let mut stream = Self { thread: Rc::clone(thread), vm, parts, id };
        let parts = Rc::clone(&stream.parts);
        if !parts.body.is_empty() {
            stream.send(Side::Request, &parts.body, parts.trailers.is_none() && !parts.is_unfinished)?;
        }
        if let Some(trailers) = &parts.trailers {
            stream.push(Side::Request, Part::Trailers(trailers.clone()))?;
        }
        stream.thread.settle();
        Ok(stream)
    }

    /// The request's headers as they are now: what routes see.
    pub fn request(&self) -> HeaderMap {
        self.look(|stream| stream.request.headers.clone()).unwrap_or_default()
    }

    /// What the filter answers instead of the upstream, if it does.
    pub fn local_reply(&self) -> Option<HeaderMap> {
        self.look(|stream| stream.is_filters_reply.then(|| stream.response.headers.clone())).flatten()
    }

    /// Whether both messages go on, or one waits.
    pub fn action(&self) -> Action {
        self.look(StreamState::action).unwrap_or(Action::Continue)
    }

    /// Whether the stream was reset, by the filter for instance.
    pub fn is_closed(&self) -> bool {
        self.look(|stream| stream.is_reset) == Some(true)
    }

    /// The body that has got past the filter to the upstream.
    pub fn upstream_body(&self) -> Vec<u8> {
        self.look(|stream| stream.request.body.clone()).unwrap_or_default()
    }

    /// Whether the upstream has the whole request and nobody has answered it.
    pub fn awaits_answer(&self) -> bool {
        self.look(StreamState::awaits_answer) == Some(true)
    }

    /// The upstream fails, and Envoy answers in its place.
    ///
    /// # Errors
    /// As for [`Stream::respond`].
    pub fn fail(&mut self, reply: &LocalReply) -> Result<(), Death> {
        self.push(Side::Response, Part::Reply(*reply))
    }

    /// A piece of the body of a request that was [left open](crate::Request::unfinished), the last one if it `ends` it.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way, and the proxy has no failure policy.
    pub fn request_body(&mut self, piece: impl AsRef<[u8]>, ends: bool) -> Result<(), Death> {
        self.push(Side::Request, Part::Body(piece.as_ref().to_vec(), ends))
    }

    /// The trailers of a request that was [left open](crate::Request::unfinished), which end it.
    ///
    /// # Errors
    /// As for [`Stream::request_body`].
    pub fn request_trailers(&mut self, trailers: HeaderMap) -> Result<(), Death> {
        self.push(Side::Request, Part::Trailers(trailers))
    }

    /// Passes a response through the filter and returns its headers as the client gets them; empty while the filter holds
    /// them.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way, and the proxy has no failure policy.
    pub fn respond(&mut self, response: HeaderMap) -> Result<HeaderMap, Death> {
        self.respond_headers(response, true)
    }

    /// As [`Stream::respond`], for a response whose body follows.
    ///
    /// # Errors
    /// As for [`Stream::respond`].
    pub fn respond_with_body(&mut self, response: HeaderMap) -> Result<HeaderMap, Death> {
        self.respond_headers(response, false)
    }

    /// A piece of the response's body, the last one if it `ends` it.
    ///
    /// # Errors
    /// As for [`Stream::respond`].
    pub fn respond_body(&mut self, piece: impl AsRef<[u8]>, ends: bool) -> Result<(), Death> {
        self.push(Side::Response, Part::Body(piece.as_ref().to_vec(), ends))
    }

    /// The response's trailers, which end it.
    ///
    /// # Errors
    /// As for [`Stream::respond`].
    pub fn respond_trailers(&mut self, trailers: HeaderMap) -> Result<(), Death> {
        self.push(Side::Response, Part::Trailers(trailers))
    }

    /// Lets the upstream answer as the request said, if it has the whole request, and ends the stream.
    ///
    /// # Errors
    /// As for [`Stream::respond`].
    pub fn complete(mut self) -> Result<Exchange, Death> {
        if self.awaits_answer() {
            let parts = Rc::clone(&self.parts);
            let answer = &parts.answer;
            let is_bodiless = self.parts.headers.get(":method") == Some(b"HEAD")
                || matches!(answer.headers.get(":status"), Some(b"204" | b"304"));
            let is_empty = answer.body.is_empty() && answer.trailers.is_none();
            let ends = answer.headers.has("grpc-status") || is_empty || is_bodiless;
            self.respond_headers(answer.headers.clone(), ends)?;
            if !ends {
                self.send(Side::Response, &answer.body, answer.trailers.is_none())?;
                if let Some(trailers) = &answer.trailers {
                    self.respond_trailers(trailers.clone())?;
                }
            }
        }
        self.finish()
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// As for [`Stream::respond`].
    pub fn finish(mut self) -> Result<Exchange, Death> {
        let ended = match self.id.take() {
            Some(id) => {
                let ended = self.vm.borrow_mut().end_stream(id);
                ended.map_err(|death| self.explained(death))?
            }
            None => None,
        };
        self.thread.settle();
        let death = self.thread.explained(&self.vm, &self.parts.listener);
        let Some(state) = ended else { unreachable!("a stream in flight has its context") };
        let mut exchange = Exchange::new(*state, death);
        if !self.parts.is_http2 {
            exchange.drop_trailers_of_http1();
        }
        Ok(exchange)
    }

    fn respond_headers(&mut self, response: HeaderMap, ends: bool) -> Result<HeaderMap, Death> {
        self.push(Side::Response, Part::Headers(response, ends))?;
        let passed = self.look(|stream| stream.response.headers_passed.then(|| stream.response.headers.clone()));
        Ok(passed.flatten().unwrap_or_else(HeaderMap::response))
    }

    /// The pieces of a body, and what tells its end: the last piece in HTTP/2, an empty one more in HTTP/1.
    fn send(&mut self, side: Side, pieces: &[Vec<u8>], ends: bool) -> Result<(), Death> {
        let ends_with_last = ends && self.parts.is_http2;
        for (index, piece) in pieces.iter().enumerate() {
            self.push(side, Part::Body(piece.clone(), ends_with_last && index + 1 == pieces.len()))?;
        }
        if ends && !ends_with_last { self.push(side, Part::Body(Vec::new(), true)) } else { Ok(()) }
    }

    fn push(&mut self, side: Side, part: Part) -> Result<(), Death> {
        let Some(id) = self.id else { return Ok(()) };
        let pushed = self.vm.borrow_mut().push(id, side, part);
        pushed.map_err(|death| self.explained(death))?;
        self.thread.settle();
        Ok(())
    }

    fn explained(&self, death: Death) -> Death {
        self.thread.explained(&self.vm, &self.parts.listener).unwrap_or(death)
    }

    fn look<T>(&self, at: impl FnOnce(&StreamState) -> T) -> Option<T> {
        self.id.and_then(|id| self.vm.borrow().stream(id).map(at))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let (Some(id), Ok(mut vm)) = (self.id.take(), self.vm.try_borrow_mut()) {
            // A death is kept by the VM, and the next use of the worker reports it.
            let _ = vm.end_stream(id);
        }
    }
}
