//! Requests as tests make them: a builder that reads as a sentence, a stream in flight, and the finished exchange.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::death::Death;
use crate::headers::HeaderMap;
use crate::plugin::property_path;
use crate::usage::Usage;
use crate::vm::Vm;

/// What a filter wants to happen with a message's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// They go on.
    Continue = 0,
    /// They wait until the filter resumes the stream or answers itself.
    Pause = 1,
}

/// A request to be sent through the filter on one worker.
#[derive(Clone)]
#[must_use = "a request does nothing until it is sent or started"]
pub struct Request {
    vm: Rc<RefCell<Vm>>,
    listener: String,
    headers: HeaderMap,
    properties: BTreeMap<Vec<u8>, Vec<u8>>,
    answer: HeaderMap,
}

impl Request {
    pub(crate) fn new(vm: Rc<RefCell<Vm>>, method: &str, path: &str) -> Self {
        let headers = HeaderMap::request()
            .with(":authority", "example.com")
            .with(":path", path)
            .with(":method", method)
            .with(":scheme", "https");
        let answer = HeaderMap::response().with(":status", "200");
        Self { vm, listener: String::new(), headers, properties: BTreeMap::new(), answer }
    }

    /// Sets the host.
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Self {
        self.headers.replace(":authority", host);
        self
    }

    /// Adds a header, behind those of the same name.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// Leaves out a header, `:authority` for instance.
    pub fn without(mut self, name: impl AsRef<[u8]>) -> Self {
        self.headers.remove(name);
        self
    }

    /// Gives the stream a property, by its dotted path.
    pub fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties.insert(property_path(path), value.as_ref().to_vec());
        self
    }

    /// Goes through a listener other than the first.
    pub fn on(mut self, listener: &str) -> Self {
        listener.clone_into(&mut self.listener);
        self
    }

    /// What the upstream will answer instead of a bare 200.
    pub fn answered(mut self, response: HeaderMap) -> Self {
        self.answer = response;
        self
    }

    /// The status that the upstream will answer with.
    pub fn answered_with(self, status: u16) -> Self {
        self.answered(HeaderMap::response().with(":status", status.to_string()))
    }

    /// Sends the request, lets the upstream (or the filter) answer it, and ends the stream. The answer has a body, but for one
    /// with a `grpc-status` in its headers.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way.
    pub fn send(self) -> Result<Exchange, Death> {
        let upstream = self.answer.clone();
        let mut stream = self.start()?;
        let local_reply = stream.local_reply();
        if local_reply.is_some() || stream.action() == Action::Continue {
            let answer = local_reply.unwrap_or(upstream);
            let ends = answer.has("grpc-status");
            stream.pass(answer, ends)?;
        }
        stream.finish()
    }

    /// Sends the request only, so that the stream is in flight until it is answered and finished.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way.
    pub fn start(self) -> Result<Stream, Death> {
        let root = self.vm.borrow().serving(&self.listener);
        let id = match root {
            Some(root) => Some(self.vm.borrow_mut().open_stream(root, self.headers.clone(), self.properties)?),
            None => None,
        };
        Ok(Stream { vm: self.vm, id, unfiltered: self.headers, answer: HeaderMap::response() })
    }
}

/// A stream in flight. Dropping it is a client that went away: the filter sees the stream's end.
pub struct Stream {
    vm: Rc<RefCell<Vm>>,
    /// None where the listener has no filter in this VM.
    id: Option<u32>,
    unfiltered: HeaderMap,
    answer: HeaderMap,
}

impl Stream {
    /// The request's headers as they are now: what routes see.
    pub fn request(&self) -> HeaderMap {
        self.look(|stream| stream.request.clone()).unwrap_or_else(|| self.unfiltered.clone())
    }

    /// What the filter answers instead of the upstream, if it does.
    pub fn local_reply(&self) -> Option<HeaderMap> {
        self.look(|stream| stream.local_reply.clone()).flatten()
    }

    /// Whether the headers go on or wait.
    pub fn action(&self) -> Action {
        if self.look(|stream| stream.paused) == Some(true) { Action::Pause } else { Action::Continue }
    }

    /// Whether the filter closed the stream.
    pub fn is_closed(&self) -> bool {
        self.look(|stream| stream.closed) == Some(true)
    }

    /// Passes a response through the filter and returns it as the client gets it.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way.
    pub fn respond(&mut self, response: HeaderMap) -> Result<HeaderMap, Death> {
        self.pass(response, true)
    }

    /// As [`Stream::respond`], for a response whose body follows, which the filter does not see.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way.
    pub fn respond_with_body(&mut self, response: HeaderMap) -> Result<HeaderMap, Death> {
        self.pass(response, false)
    }

    fn pass(&mut self, response: HeaderMap, ends: bool) -> Result<HeaderMap, Death> {
        self.answer = match self.id {
            Some(id) => self.vm.borrow_mut().respond(id, response, ends)?,
            None => response,
        };
        Ok(self.answer.clone())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way.
    pub fn finish(mut self) -> Result<Exchange, Death> {
        let action = self.action();
        let ended = match self.id.take() {
            Some(id) => self.vm.borrow_mut().end_stream(id)?,
            None => None,
        };
        let Some(ended) = ended else {
            let (request, response) = (self.unfiltered.clone(), self.answer.clone());
            return Ok(Exchange { request, response, action, ..Exchange::default() });
        };
        Ok(Exchange {
            request: ended.request,
            response: ended.response,
            action,
            was_local: ended.local_reply.is_some(),
            route_refreshes: ended.route_refreshes,
            filter_state: ended.filter_state,
            usage: ended.usage,
        })
    }

    fn look<T>(&self, at: impl FnOnce(&crate::vm::state::StreamState) -> T) -> Option<T> {
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

/// A finished request and response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's headers as routes and the upstream saw them.
    pub request: HeaderMap,
    /// The response's headers as the client got them; empty if none came.
    pub response: HeaderMap,
    /// Whether the last headers went on or wait for ever.
    pub action: Action,
    /// Whether the filter answered instead of the upstream.
    pub was_local: bool,
    /// How often the filter made Envoy forget the route that it had chosen.
    pub route_refreshes: u64,
    /// What the filter left as filter state, by path.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What the stream cost, from its context's creation to its deletion.
    pub usage: Usage,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            request: HeaderMap::request(),
            response: HeaderMap::response(),
            action: Action::Continue,
            was_local: false,
            route_refreshes: 0,
            filter_state: BTreeMap::new(),
            usage: Usage::default(),
        }
    }
}
