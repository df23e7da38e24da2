//! What all VMs of one proxy share: stats, shared data, the clock and the log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::log::{LogLevel, LogLine};
use crate::status::Status;

/// A handle to the shared state; one thread drives all VMs of a proxy.
pub(crate) type SharedHandle = Rc<RefCell<Shared>>;

/// The kinds of metric, with their numbers in proxy-wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKind {
    /// Only grows.
    Counter = 0,
    /// One cell that is set or moved.
    Gauge = 1,
    /// A list of recorded values.
    Histogram = 2,
}

/// A stat's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stat {
    /// The sum of all increments.
    Counter(u64),
    /// The last value.
    Gauge(u64),
    /// Every recorded value, in order.
    Histogram(Vec<u64>),
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stats: BTreeMap<(MetricKind, String), Stat>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) log_level: LogLevel,
    /// Since the Unix epoch.
    pub(crate) now: Duration,
    /// The clock's value when the proxy was built: zero of the monotonic clock.
    pub(crate) started: Duration,
    data: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
}

impl Shared {
    pub(crate) fn new(now: Duration, log_level: LogLevel) -> Self {
        Self {
            stats: BTreeMap::new(),
            log: Vec::new(),
            log_level,
            now,
            started: now,
            data: BTreeMap::new(),
            last_cas: 0,
        }
    }

    pub(crate) fn stat(&mut self, kind: MetricKind, name: &str) -> &mut Stat {
        self.stats.entry((kind, name.to_owned())).or_insert(match kind {
            MetricKind::Counter => Stat::Counter(0),
            MetricKind::Gauge => Stat::Gauge(0),
            MetricKind::Histogram => Stat::Histogram(Vec::new()),
        })
    }

    /// A value and its CAS number.
    pub(crate) fn data(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.data.get(key).cloned()
    }

    /// Stores a value. A `cas` of 0 is unconditional, and so is any `cas` for a key that is not there, as in Envoy.
    pub(crate) fn set_data(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        if self.data.get(key).is_some_and(|(_, present)| cas != 0 && *present != cas) {
            return Err(Status::CasMismatch);
        }
        self.last_cas += 1;
        self.data.insert(key.to_vec(), (value.to_vec(), self.last_cas));
        Ok(())
    }
}
