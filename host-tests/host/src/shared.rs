//! What all VMs of one proxy share: stats, shared data, queues, the clock, the log, and what was found amiss.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use crate::lapse::{Finding, Lapse};
use crate::log::{LogLevel, LogLine};
use crate::queues::Queues;
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
    pub(crate) queues: Queues,
    pub(crate) findings: Vec<Finding>,
    pub(crate) allowed: BTreeSet<Lapse>,
    /// By VM id, then by key.
    data: BTreeMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    last_cas: u32,
    vms: u64,
}

/// Findings that are kept; a filter that errs on every request would fill the memory else.
const MOST_FINDINGS: usize = 100;

impl Shared {
    pub(crate) fn new(now: Duration, log_level: LogLevel, allowed: BTreeSet<Lapse>) -> Self {
        Self {
            stats: BTreeMap::new(),
            log: Vec::new(),
            log_level,
            now,
            started: now,
            queues: Queues::default(),
            findings: Vec::new(),
            allowed,
            data: BTreeMap::new(),
            last_cas: 0,
            vms: 0,
        }
    }

    /// A number for a new VM.
    pub(crate) fn new_vm(&mut self) -> u64 {
        self.vms += 1;
        self.vms
    }

    pub(crate) fn stat(&mut self, kind: MetricKind, name: &str) -> &mut Stat {
        self.stats.entry((kind, name.to_owned())).or_insert(match kind {
            MetricKind::Counter => Stat::Counter(0),
            MetricKind::Gauge => Stat::Gauge(0),
            MetricKind::Histogram => Stat::Histogram(Vec::new()),
        })
    }

    /// A value and its CAS number.
    pub(crate) fn data(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.data.get(&(vm_id.to_owned(), key.to_vec())).cloned()
    }

    /// Stores a value. A `cas` of 0 is unconditional, and so is any `cas` for a key that is not there, as in Envoy.
    pub(crate) fn set_data(&mut self, vm_id: &str, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let place = (vm_id.to_owned(), key.to_vec());
        if self.data.get(&place).is_some_and(|(_, present)| cas != 0 && *present != cas) {
            return Err(Status::CasMismatch);
        }
        self.last_cas += 1;
        self.data.insert(place, (value.to_vec(), self.last_cas));
        Ok(())
    }

    /// Notes a lapse that is not allowed.
    pub(crate) fn find(&mut self, lapse: Lapse, vm: &str, what: impl FnOnce() -> String) {
        if !self.allowed.contains(&lapse) && self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding { lapse, vm: vm.to_owned(), what: what() });
        }
    }
}

/// The last few of what came along, the latest last.
#[derive(Clone, Debug)]
pub(crate) struct Last<T, const N: usize>(VecDeque<T>);

impl<T, const N: usize> Last<T, N> {
    pub(crate) fn new() -> Self {
        Self(VecDeque::with_capacity(N))
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.0.len() == N {
            self.0.pop_front();
        }
        self.0.push_back(item);
    }

    /// The oldest of a full list, to be used for what comes next.
    pub(crate) fn take_oldest(&mut self) -> Option<T> {
        if self.0.len() == N { self.0.pop_front() } else { None }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }
}
