//! What the host keeps for one VM while guest code runs: contexts, metric ids, timers, entropy, and the counts of the
//! running callback. Host calls read and change it; callbacks are made elsewhere.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use wasmtime::{Memory, StoreLimits, TypedFunc};

use crate::callouts::{CallOut, CallOuts};
use crate::catalog::Callback;
use crate::death::Recent;
use crate::fault::Faults;
use crate::lapse::Lapse;
use crate::log::{LogLevel, LogLine};
use crate::metrics::Metrics;
use crate::plugin::Plugin;
use crate::settings::Settings;
use crate::shared::SharedHandle;
use crate::status::Status;
use crate::usage::Cost;
use crate::vm::stream_state::{Side, StreamState};

pub(crate) struct State {
    pub(crate) vm: Rc<str>,
    /// Tells it from all other VMs of the proxy, also from those of the same name.
    pub(crate) number: u64,
    pub(crate) shared: SharedHandle,
    pub(crate) settings: Rc<Settings>,
    pub(crate) entropy: fastrand::Rng,
    pub(crate) entropy_given: Vec<Vec<u8>>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    /// The context of the running callback, and the callback.
    pub(crate) current: u32,
    pub(crate) callback: Callback,
    /// Set by the guest for the rest of a callback; 0 if it is not.
    pub(crate) effective: u32,
    pub(crate) metrics: Metrics,
    /// By root context id. An entry outlives its root, as in Envoy; only a period of zero ends it.
    pub(crate) timers: BTreeMap<u32, Timer>,
    pub(crate) call_outs: CallOuts,
    /// Of the running callback.
    pub(crate) cost: Cost,
    pub(crate) recent: Recent,
    pub(crate) allowed: Allowed,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    /// What waits for the end of the running callback.
    pub(crate) after_call: VecDeque<AfterCall>,
    /// Whether the running callback has answered the request itself, so that its own answer does not count.
    pub(crate) stop_iteration: bool,
    pub(crate) faults: Faults,
    pub(crate) limits: StoreLimits,
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

/// What a host call asked for that Envoy does once the callback has returned.
#[derive(Debug)]
pub(crate) enum AfterCall {
    Resume(u32, Side),
    Reply(u32, Reply),
    Reset(u32),
    Delete(u32),
    /// A gRPC call that could not even be started.
    GrpcClose(CallOut),
}

/// An answer of the host or of the filter in place of the upstream's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) grpc_status: Option<u32>,
    pub(crate) details: Cow<'static, str>,
    /// Envoy's response flag, as a bit of `response.flags`.
    pub(crate) flag: u64,
    /// Whether the filter gave it.
    pub(crate) is_filters: bool,
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
    /// Whether it was told that it leaks.
    pub(crate) is_told: bool,
    /// Until when a drained listener keeps it, though it serves nothing new.
    pub(crate) kept_until: Option<Duration>,
}

impl State {
    /// The id of the context that host calls act on.
    pub(crate) fn context_id(&self) -> u32 {
        if self.effective != 0 && self.contexts.contains_key(&self.effective) { self.effective } else { self.current }
    }

    /// The context that host calls act on; there is none while a VM starts.
    pub(crate) fn context(&mut self) -> Result<&mut Context, Status> {
        let id = self.context_id();
        self.contexts.get_mut(&id).ok_or(Status::BadArgument)
    }

    /// The root of the context that host calls act on.
    pub(crate) fn root_id(&mut self) -> u32 {
        let own = self.context_id();
        match self.contexts.get(&own) {
            Some(Context::Stream(stream)) => stream.root,
            _ => own,
        }
    }

    /// The stream that host calls act on; a root has none of what a stream has.
    pub(crate) fn stream(&mut self) -> Option<&mut StreamState> {
        match self.context() {
            Ok(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    pub(crate) fn plugin(&mut self) -> Option<Rc<Plugin>> {
        match self.context().ok()? {
            Context::Root(root) => Some(Rc::clone(&root.plugin)),
            Context::Stream(stream) => Some(Rc::clone(&stream.plugin)),
        }
    }

    pub(crate) fn log(&mut self, level: LogLevel, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        let mut shared = self.shared.borrow_mut();
        if level >= LogLevel::Error {
            shared.find(Lapse::ErrorLog, &self.vm, || text.clone());
        }
        shared.log.push(LogLine { vm: self.vm.to_string(), level, text });
    }

    /// Notes a lapse of the guest.
    pub(crate) fn find(&self, lapse: Lapse, what: impl FnOnce() -> String) {
        let callback = self.callback.name();
        self.shared.borrow_mut().find(lapse, &self.vm, || format!("{} in {callback}", what()));
    }
}
