//! A stream as the host keeps it: its two messages, what of them is at hand, and what became of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::catalog::Callback;
use crate::headers::HeaderMap;
use crate::plugin::Plugin;
use crate::usage::Usage;

/// A direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl Side {
    pub(crate) fn on_headers(self) -> Callback {
        if self == Self::Request { Callback::RequestHeaders } else { Callback::ResponseHeaders }
    }

    pub(crate) fn on_body(self) -> Callback {
        if self == Self::Request { Callback::RequestBody } else { Callback::ResponseBody }
    }

    pub(crate) fn on_trailers(self) -> Callback {
        if self == Self::Request { Callback::RequestTrailers } else { Callback::ResponseTrailers }
    }

    pub(crate) fn empty_map(self) -> HeaderMap {
        if self == Self::Request { HeaderMap::request() } else { HeaderMap::response() }
    }
}

/// Where a message is held, if it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing of it has come.
    #[default]
    Waiting,
    /// What comes goes on once the filter has seen it.
    Flowing,
    /// Nothing goes on, and the filter sees nothing of what comes (`StopAllIteration`).
    HeldAtHeaders,
    /// The body waits for the filter.
    HeldAtBody,
    /// The trailers wait, and the body if it was held.
    HeldAtTrailers,
    /// What still comes concerns nobody.
    Closed,
}

/// A request or a response on its way through the filter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) stage: Stage,
    /// What the guest can reach.
    pub(crate) headers_at_hand: bool,
    pub(crate) body_at_hand: bool,
    pub(crate) trailers_at_hand: bool,
    /// The piece of the body that the filter looks at, where it looks at pieces.
    pub(crate) chunk: Vec<u8>,
    /// The body that the filter holds.
    pub(crate) held: Vec<u8>,
    /// Whether the filter looks at all of the body that it holds.
    pub(crate) buffering: bool,
    /// Whether the sender has sent all of it.
    pub(crate) is_whole: bool,
    /// What came while the headers were held.
    pub(crate) waiting_body: Vec<u8>,
    pub(crate) waiting_trailers: Option<HeaderMap>,
    /// What went on.
    pub(crate) headers_passed: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) end_passed: bool,
}

impl Message {
    /// The body that the guest looks at.
    pub(crate) fn shown(&mut self) -> &mut Vec<u8> {
        if self.buffering { &mut self.held } else { &mut self.chunk }
    }

    /// Lets go of the body.
    pub(crate) fn pass_body(&mut self) {
        self.body.append(&mut self.held);
        self.body.append(&mut self.chunk);
        self.buffering = false;
    }

    /// Takes everything out of the guest's reach.
    pub(crate) fn put_away(&mut self) {
        (self.headers_at_hand, self.body_at_hand, self.trailers_at_hand) = (false, false, false);
    }
}

pub(crate) struct StreamState {
    pub(crate) root: u32,
    pub(crate) plugin: Rc<Plugin>,
    pub(crate) request: Message,
    pub(crate) response: Message,
    pub(crate) is_logged: bool,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the response is the host's own or the filter's.
    pub(crate) is_replied: bool,
    pub(crate) is_filters_reply: bool,
    pub(crate) is_reset: bool,
    pub(crate) details: Option<Cow<'static, str>>,
    pub(crate) flags: u64,
    pub(crate) route_refreshes: u64,
    /// What the routes made of it, once it got that far.
    pub(crate) cluster: Option<String>,
    pub(crate) protocol: &'static str,
    pub(crate) opened: Duration,
    pub(crate) to_upstream: Option<HeaderMap>,
    /// The same for every choice of the stream.
    pub(crate) random: u64,
    pub(crate) usage: Usage,
}

impl StreamState {
    pub(crate) fn message(&mut self, side: Side) -> &mut Message {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}
