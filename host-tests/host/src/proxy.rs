//! One proxy: a main thread and workers, each with its own VM, configured and ticked in Envoy's order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::death::Death;
use crate::log::{LogLevel, LogLine};
use crate::module::Module;
use crate::plugin::{Plugin, property_path};
use crate::shared::{MetricKind, Shared, SharedHandle, Stat};
use crate::vm::{Birth, Vm};
use crate::worker::Worker;

/// The traffic direction of a listener, as `xds.listener_direction` gives it to streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Direction {
    /// Neither is said.
    Unspecified = 0,
    /// Traffic to the workload beside the proxy.
    Inbound = 1,
    /// Traffic from it.
    Outbound = 2,
}

/// A proxy to be started.
#[derive(Clone, Debug)]
#[must_use = "a proxy runs only once it is started"]
pub struct ProxyBuilder {
    module: Module,
    workers: usize,
    plugin: Plugin,
    environment: BTreeMap<String, String>,
    seed: u64,
    same_entropy: bool,
    now: Duration,
    log_level: LogLevel,
    fuel: u64,
}

impl ProxyBuilder {
    /// A proxy with one worker that runs the module, at the start of 2026, with the log level info.
    pub fn new(module: &Module) -> Self {
        let plugin = Plugin { name: "filter".to_owned(), ..Plugin::default() };
        Self {
            module: module.clone(),
            workers: 1,
            plugin,
            environment: BTreeMap::new(),
            seed: 0,
            same_entropy: false,
            now: Duration::from_secs(1_767_225_600),
            log_level: LogLevel::Info,
            fuel: 5_000_000_000,
        }
    }

    /// Sets the number of workers.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets the plugin's name.
    pub fn plugin_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.plugin.name);
        self
    }

    /// Sets the plugin's root id.
    pub fn root_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.plugin.root_id);
        self
    }

    /// Sets the VM's id.
    pub fn vm_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.plugin.vm_id);
        self
    }

    /// Sets a property that every context can read, by its dotted path.
    pub fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.plugin.properties.insert(property_path(path), value.as_ref().to_vec());
        self
    }

    /// Sets the listener's direction, which only streams can read.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.plugin.direct(direction);
        self
    }

    /// Sets an environment variable of the VMs.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Seeds the entropy. Each VM draws from its own sequence.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Makes all VMs draw the same entropy: a host that should not exist.
    pub fn same_entropy(mut self) -> Self {
        self.same_entropy = true;
        self
    }

    /// Sets the clock, since the Unix epoch.
    pub fn now(mut self, now: Duration) -> Self {
        self.now = now;
        self
    }

    /// Sets the level that guests are told; lines of all levels are recorded.
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = level;
        self
    }

    /// Sets the fuel that one callback may burn before it traps; by default five thousand million, some seconds.
    pub fn fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// Starts the proxy: a canary VM tries the configuration, then the main thread and the workers get theirs.
    ///
    /// # Errors
    /// If the canary VM refuses the configuration or dies; an Envoy would not start.
    pub fn start(self, configuration: impl AsRef<[u8]>) -> Result<Proxy, Rejected> {
        let mut nursery = Nursery::new(self);
        let plugin = nursery.plugin(configuration.as_ref());
        nursery.try_in_canary(&plugin)?;
        let main = nursery.thread("main".to_owned())?;
        let names = (0..nursery.settings.workers).map(|number| format!("worker {number}"));
        let workers = names.map(|name| nursery.thread(name)).collect::<Result<_, _>>()?;
        let proxy =
            Proxy { verdicts: BTreeMap::from([(configuration.as_ref().to_vec(), Ok(()))]), nursery, main, workers };
        proxy.configure("", &plugin);
        Ok(proxy)
    }
}

/// A running proxy.
pub struct Proxy {
    nursery: Nursery,
    main: Worker,
    workers: Vec<Worker>,
    /// What a canary VM said of a configuration; asked once for each.
    verdicts: BTreeMap<Vec<u8>, Result<(), Rejected>>,
}

/// Why a configuration was not taken over. The one before goes on serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The guest answered false.
    Refused,
    /// The canary VM died.
    Died(Death),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the guest refused the configuration"),
            Self::Died(death) => death.fmt(f),
        }
    }
}

impl std::error::Error for Rejected {}

impl From<Death> for Rejected {
    fn from(death: Death) -> Self {
        Self::Died(death)
    }
}

impl Proxy {
    /// Pushes a configuration of the first listener: a fresh canary VM tries it, then every living VM gets a new root
    /// for new streams. Streams in flight stay on their root, which ends with the last of them. Bytes that a living
    /// root was configured with use that root again, and a canary VM tries the same bytes only once, as in Envoy.
    ///
    /// # Errors
    /// If the canary VM refuses the configuration or dies. What happens in the other VMs shows there.
    pub fn push(&mut self, configuration: impl AsRef<[u8]>) -> Result<(), Rejected> {
        self.push_to("", configuration)
    }

    /// Pushes a configuration of a listener by name, with the same plugin name and in the same VMs.
    ///
    /// # Errors
    /// As for [`Proxy::push`].
    pub fn push_to(&mut self, listener: &str, configuration: impl AsRef<[u8]>) -> Result<(), Rejected> {
        let plugin = self.nursery.plugin(configuration.as_ref());
        self.push_plugin(listener, plugin)
    }

    /// As [`Proxy::push_to`], for a listener of this traffic direction. The direction is part of the plugin's key, so the
    /// same configuration for another direction has a root of its own.
    ///
    /// # Errors
    /// As for [`Proxy::push`].
    pub fn push_directed(
        &mut self,
        listener: &str,
        direction: Direction,
        configuration: impl AsRef<[u8]>,
    ) -> Result<(), Rejected> {
        let mut plugin = Plugin::clone(&self.nursery.plugin(configuration.as_ref()));
        plugin.direct(direction);
        self.push_plugin(listener, Rc::new(plugin))
    }

    fn push_plugin(&mut self, listener: &str, plugin: Rc<Plugin>) -> Result<(), Rejected> {
        let verdict = match self.verdicts.get(&plugin.configuration) {
            Some(verdict) => verdict.clone(),
            None => self.nursery.try_in_canary(&plugin),
        };
        self.verdicts.insert(plugin.configuration.clone(), verdict.clone());
        verdict.map(|()| self.configure(listener, &plugin))
    }

    /// A worker by number.
    ///
    /// # Panics
    /// If there are not that many workers.
    pub fn worker(&self, number: usize) -> Worker {
        self.workers[number].clone()
    }

    /// All workers.
    pub fn workers(&self) -> Vec<Worker> {
        self.workers.clone()
    }

    /// The main thread, whose VM gets ticks and configurations but no streams.
    pub fn main_thread(&self) -> Worker {
        self.main.clone()
    }

    /// Lets time pass, firing the timers of all threads when they are due.
    ///
    /// # Errors
    /// If a VM dies in a tick; the others got theirs.
    pub fn advance(&mut self, by: Duration) -> Result<(), Death> {
        let end = self.now() + by;
        let mut outcome = Ok(());
        while let Some(due) = self.next_tick().filter(|due| *due <= end) {
            outcome = outcome.and(self.fire(due));
        }
        self.nursery.shared.borrow_mut().now = end;
        outcome
    }

    /// Lets time pass up to the next timer and fires all that are due then. Nothing happens if there is none.
    ///
    /// # Errors
    /// As for [`Proxy::advance`].
    pub fn tick(&mut self) -> Result<(), Death> {
        self.next_tick().map_or(Ok(()), |due| self.fire(due))
    }

    /// The clock, since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.nursery.shared.borrow().now
    }

    /// A counter's value; 0 if no VM defined it.
    pub fn counter(&self, name: &str) -> u64 {
        match self.nursery.shared.borrow().stats.get(&(MetricKind::Counter, name.to_owned())) {
            Some(Stat::Counter(value)) => *value,
            _ => 0,
        }
    }

    /// A gauge's value, if a VM defined it.
    pub fn gauge(&self, name: &str) -> Option<u64> {
        match self.nursery.shared.borrow().stats.get(&(MetricKind::Gauge, name.to_owned())) {
            Some(Stat::Gauge(value)) => Some(*value),
            _ => None,
        }
    }

    /// All stats by kind and name.
    pub fn stats(&self) -> BTreeMap<(MetricKind, String), Stat> {
        self.nursery.shared.borrow().stats.clone()
    }

    /// All log lines so far, in order.
    pub fn log(&self) -> Vec<LogLine> {
        self.nursery.shared.borrow().log.clone()
    }

    /// A value of the shared data.
    pub fn shared_data(&self, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        self.nursery.shared.borrow().data(key.as_ref()).map(|(value, _)| value)
    }

    fn configure(&self, listener: &str, plugin: &Rc<Plugin>) {
        for thread in self.threads() {
            // A refusal or a death on one thread concerns that thread alone, and shows there.
            let _ = thread.vm.borrow_mut().configure(listener, plugin);
        }
    }

    fn threads(&self) -> impl Iterator<Item = &Worker> {
        std::iter::once(&self.main).chain(&self.workers)
    }

    fn next_tick(&self) -> Option<Duration> {
        self.threads().filter_map(|thread| thread.vm.borrow().next_tick()).min()
    }

    fn fire(&self, due: Duration) -> Result<(), Death> {
        self.nursery.shared.borrow_mut().now = due;
        let fired = self.threads().map(|thread| thread.vm.borrow_mut().tick(due));
        fired.fold(Ok(()), Result::and)
    }
}

/// Where VMs come from.
struct Nursery {
    settings: ProxyBuilder,
    environment: Rc<BTreeMap<String, String>>,
    shared: SharedHandle,
    vms_born: u64,
}

/// Keeps the seeds of VMs apart: 2^64 divided by the golden ratio.
const SEED_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Nursery {
    fn new(settings: ProxyBuilder) -> Self {
        Self {
            environment: Rc::new(settings.environment.clone()),
            shared: Rc::new(RefCell::new(Shared::new(settings.now, settings.log_level))),
            settings,
            vms_born: 0,
        }
    }

    fn plugin(&self, configuration: &[u8]) -> Rc<Plugin> {
        Rc::new(Plugin { configuration: configuration.to_vec(), ..self.settings.plugin.clone() })
    }

    fn try_in_canary(&mut self, plugin: &Rc<Plugin>) -> Result<(), Rejected> {
        let mut canary = self.vm("canary".to_owned())?;
        if canary.configure("", plugin)? { Ok(()) } else { Err(Rejected::Refused) }
    }

    fn thread(&mut self, name: String) -> Result<Worker, Death> {
        self.vm(name).map(Worker::new)
    }

    fn vm(&mut self, name: String) -> Result<Vm, Death> {
        let sequence = if self.settings.same_entropy { 0 } else { self.vms_born };
        self.vms_born += 1;
        let birth = Birth {
            name,
            shared: Rc::clone(&self.shared),
            environment: Rc::clone(&self.environment),
            entropy_seed: self.settings.seed.wrapping_add(sequence.wrapping_mul(SEED_STEP)),
            fuel: self.settings.fuel,
        };
        Vm::start(&self.settings.module, birth)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("settings", &self.nursery.settings).finish_non_exhaustive()
    }
}
