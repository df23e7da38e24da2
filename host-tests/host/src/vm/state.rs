//! What the host keeps for one VM while guest code runs: contexts, metric ids, timers, entropy, and the counts of the
//! running callback. Host calls read and change it; callbacks are made elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use wasmtime::{Memory, TypedFunc};

use crate::headers::HeaderMap;
use crate::log::{LogLevel, LogLine};
use crate::plugin::Plugin;
use crate::shared::{MetricKind, SharedHandle};
use crate::status::Status;
use crate::usage::Usage;

/// Host calls that a death report shows.
const RECENT_CALLS: usize = 20;

pub(crate) struct State {
    pub(crate) vm: String,
    pub(crate) shared: SharedHandle,
    pub(crate) environment: Rc<BTreeMap<String, String>>,
    pub(crate) entropy: fastrand::Rng,
    pub(crate) entropy_given: Vec<Vec<u8>>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) current: u32,
    /// Set by the guest for the rest of a callback.
    pub(crate) effective: Option<u32>,
    pub(crate) metrics: Vec<(MetricKind, String)>,
    /// By root context id. An entry outlives its root, as in Envoy; only a period of zero ends it.
    pub(crate) timers: BTreeMap<u32, Timer>,
    /// Of the running callback.
    pub(crate) usage: Usage,
    pub(crate) recent: VecDeque<String>,
    pub(crate) allowed: Allowed,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
}

/// Which host calls the guest may make now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// All of them.
    All,
    /// Those that Envoy allows while a VM starts.
    WhileStarting,
    /// Those that Envoy allows while the guest allocates for the host.
    WhileAllocating,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    pub(crate) period: Duration,
    /// The clock's value at which it fires next.
    pub(crate) due: Duration,
}

pub(crate) enum Context {
    Root(Root),
    Stream(Box<StreamState>),
}

pub(crate) struct Root {
    pub(crate) plugin: Rc<Plugin>,
    /// Whether the plugin's configuration can be read: only while the root is created or configured.
    pub(crate) configurable: bool,
    /// The guest answered "not yet" to `proxy_on_done`.
    pub(crate) pending_done: bool,
    /// The guest called `proxy_done` after that.
    pub(crate) done: bool,
}

pub(crate) struct StreamState {
    pub(crate) root: u32,
    pub(crate) plugin: Rc<Plugin>,
    pub(crate) phase: Phase,
    pub(crate) request: HeaderMap,
    pub(crate) response: HeaderMap,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) local_reply: Option<HeaderMap>,
    pub(crate) route_refreshes: u64,
    pub(crate) paused: bool,
    pub(crate) closed: bool,
    pub(crate) usage: Usage,
}

/// Where a stream is: decides which header maps its guest can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The request's headers are at hand.
    Request,
    /// Neither map is.
    Between,
    /// The response's headers are at hand.
    Response,
    /// Both are, for reading.
    Log,
}

/// The header maps of proxy-wasm by number; others (trailers, call-outs, gRPC) are never at hand in this host.
const REQUEST_HEADERS: u32 = 0;
const RESPONSE_HEADERS: u32 = 2;
const LAST_MAP: u32 = 7;

impl State {
    /// The context that host calls act on.
    pub(crate) fn context(&mut self) -> Result<&mut Context, Status> {
        let effective = self.effective.filter(|id| self.contexts.contains_key(id));
        self.contexts.get_mut(&effective.unwrap_or(self.current)).ok_or(Status::BadArgument)
    }

    /// The root of the context that host calls act on.
    pub(crate) fn root_id(&mut self) -> u32 {
        let own = self.effective.unwrap_or(self.current);
        match self.context() {
            Ok(Context::Stream(stream)) => stream.root,
            _ => own,
        }
    }

    /// The stream that host calls act on; a root has none of what a stream has.
    pub(crate) fn stream(&mut self) -> Result<&mut StreamState, Status> {
        match self.context()? {
            Context::Stream(stream) => Ok(stream),
            Context::Root(_) => Err(Status::NotFound),
        }
    }

    /// A header map to read. Outside its phase it is a bad argument; in the log phase merely not there.
    pub(crate) fn map(&mut self, map: u32) -> Result<&HeaderMap, Status> {
        match (map, self.stream().map_err(|_| Status::BadArgument)?) {
            (REQUEST_HEADERS, stream) if matches!(stream.phase, Phase::Request | Phase::Log) => Ok(&stream.request),
            (RESPONSE_HEADERS, stream) if matches!(stream.phase, Phase::Response | Phase::Log) => Ok(&stream.response),
            (0..=LAST_MAP, stream) if stream.phase == Phase::Log => Err(Status::NotFound),
            _ => Err(Status::BadArgument),
        }
    }

    /// A header map to change, for which Envoy drops the chosen route if it is the request's.
    pub(crate) fn map_mut(&mut self, map: u32) -> Result<&mut HeaderMap, Status> {
        let stream = self.stream().map_err(|_| Status::BadArgument)?;
        match (map, stream.phase) {
            (REQUEST_HEADERS, Phase::Request) => {
                stream.route_refreshes += 1;
                Ok(&mut stream.request)
            }
            (RESPONSE_HEADERS, Phase::Response) => Ok(&mut stream.response),
            _ => Err(Status::BadArgument),
        }
    }

    /// Whether the number is one of proxy-wasm's maps.
    pub(crate) fn check_map(map: u32) -> Result<(), Status> {
        if map <= LAST_MAP { Ok(()) } else { Err(Status::BadArgument) }
    }

    /// A metric's kind and name by the id that its definition gave: the kind sits in the low two bits.
    pub(crate) fn metric(&self, id: u32) -> Option<&(MetricKind, String)> {
        let index = usize::try_from(id / 4).ok()?.checked_sub(1)?;
        self.metrics.get(index).filter(|(kind, _)| *kind as u32 == id % 4)
    }

    pub(crate) fn log(&mut self, level: LogLevel, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        self.shared.borrow_mut().log.push(LogLine { vm: self.vm.clone(), level, text });
    }

    pub(crate) fn remember(&mut self, call: String) {
        if self.recent.len() == RECENT_CALLS {
            self.recent.pop_front();
        }
        self.recent.push_back(call);
    }
}
