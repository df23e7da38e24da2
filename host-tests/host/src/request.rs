//! Requests as tests make them: a builder that reads as a sentence.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::death::Death;
use crate::exchange::Exchange;
use crate::headers::HeaderMap;
use crate::plugin::property_path;
use crate::stream::Stream;
use crate::worker::Thread;

/// A request to be sent through the filter on one worker.
#[derive(Clone)]
#[must_use = "a request does nothing until it is sent or started"]
pub struct Request {
    pub(crate) thread: Rc<Thread>,
    pub(crate) parts: Rc<Parts>,
}

/// All that a request brings, and what it is answered with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) listener: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<Vec<u8>>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) is_http2: bool,
    pub(crate) is_unfinished: bool,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) random: Option<u64>,
    pub(crate) answer: Answer,
}

/// What the upstream answers with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<Vec<u8>>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Parts {
    /// The headers as the codec hands them on.
    pub(crate) fn sent_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        let crumbs = if self.is_http2 { self.headers.all("cookie") } else { Vec::new() };
        // `Utility::reconstituteCrumbledCookies`: behind nothing there is no semicolon.
        let cookie = crumbs.iter().fold(Vec::new(), |cookie, crumb| match cookie.as_slice() {
            [] => crumb.to_vec(),
            _ => [&cookie[..], crumb].join(&b"; "[..]),
        });
        if crumbs.len() > 1 || (crumbs.len() == 1 && cookie.is_empty()) {
            headers.remove("cookie");
            if !cookie.is_empty() {
                headers.add("cookie", cookie);
            }
        }
        headers
    }
}

impl Request {
    pub(crate) fn new(thread: Rc<Thread>, method: &str, path: &str) -> Self {
        let headers = HeaderMap::request()
            .with(":authority", "example.com")
            .with(":path", path)
            .with(":method", method)
            .with(":scheme", "https");
        let answer = Answer {
            headers: HeaderMap::response().with(":status", "200"),
            body: vec![b"ok".to_vec()],
            trailers: None,
        };
        Self { thread, parts: Rc::new(Parts { headers, answer, ..Parts::default() }) }
    }

    fn change(mut self, how: impl FnOnce(&mut Parts)) -> Self {
        how(Rc::make_mut(&mut self.parts));
        self
    }

    /// Sets the host.
    pub fn host(self, host: impl AsRef<[u8]>) -> Self {
        self.change(|parts| parts.headers.replace(":authority", host))
    }

    /// Adds a header, behind those of the same name.
    pub fn header(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.change(|parts| parts.headers.add(name, value))
    }

    /// Leaves out a header, `:authority` for instance.
    pub fn without(self, name: impl AsRef<[u8]>) -> Self {
        self.change(|parts| parts.headers.remove(name))
    }

    /// Gives it a body that comes in these pieces.
    pub fn body<T: AsRef<[u8]>>(self, pieces: impl IntoIterator<Item = T>) -> Self {
        let pieces = pieces.into_iter().map(|piece| piece.as_ref().to_vec()).collect();
        self.change(|parts| parts.body = pieces)
    }

    /// Leaves it open: the rest of its body, or its trailers, come with [`Stream::request_body`] and
    /// [`Stream::request_trailers`].
    pub fn unfinished(self) -> Self {
        self.change(|parts| parts.is_unfinished = true)
    }

    /// Gives it trailers.
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.change(|parts| parts.trailers = Some(trailers))
    }

    /// Sends it as HTTP/2: several `cookie` headers are joined, and the last piece of a body ends it. In HTTP/1 a body ends
    /// with an empty piece, which a filter sees as one more callback.
    pub fn http2(self) -> Self {
        self.change(|parts| parts.is_http2 = true)
    }

    /// Gives the stream a property, by its dotted path, in the wire form that Envoy gives it.
    pub fn property(self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.change(|parts| {
            parts.properties.insert(property_path(path), value.as_ref().to_vec());
        })
    }

    /// Goes through a listener other than the first.
    pub fn on(self, listener: &str) -> Self {
        self.change(|parts| listener.clone_into(&mut parts.listener))
    }

    /// Settles the choice among weighted clusters, which is drawn from the proxy's seed else.
    pub fn random(self, random: u64) -> Self {
        self.change(|parts| parts.random = Some(random))
    }

    /// What the upstream will answer instead of a bare 200.
    pub fn answered(self, response: HeaderMap) -> Self {
        self.change(|parts| parts.answer.headers = response)
    }

    /// The status that the upstream will answer with.
    pub fn answered_with(self, status: u16) -> Self {
        self.answered(HeaderMap::response().with(":status", status.to_string()))
    }

    /// The pieces that the body of the answer comes in, instead of `ok`; none for an answer that ends with its headers.
    pub fn answer_body<T: AsRef<[u8]>>(self, pieces: impl IntoIterator<Item = T>) -> Self {
        let pieces = pieces.into_iter().map(|piece| piece.as_ref().to_vec()).collect();
        self.change(|parts| parts.answer.body = pieces)
    }

    /// The trailers that the answer ends with.
    pub fn answer_trailers(self, trailers: HeaderMap) -> Self {
        self.change(|parts| parts.answer.trailers = Some(trailers))
    }

    /// Sends the request, lets the upstream (or the filter) answer it, and ends the stream. A request that the filter holds
    /// gets no answer.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way, and the proxy has no failure policy.
    pub fn send(self) -> Result<Exchange, Death> {
        self.start()?.complete()
    }

    /// Sends the request only, so that the stream is in flight until it is answered and finished.
    ///
    /// # Errors
    /// If the VM is dead or dies on the way, and the proxy has no failure policy.
    pub fn start(self) -> Result<Stream, Death> {
        Stream::open(&self.thread, self.parts)
    }
}
