//! One proxy: a main thread and workers, each with its own VM, configured and ticked in Envoy's order.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::builder::ProxyBuilder;
use crate::death::Death;
use crate::lapse::Finding;
use crate::log::LogLine;
use crate::module::Module;
use crate::nursery::Nursery;
use crate::plugin::Plugin;
use crate::shared::{MetricKind, SharedHandle, Stat};
use crate::vm::VmRef;
use crate::worker::{Thread, Worker};

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

/// A running proxy.
///
/// Dropping it looks for what a sound filter does not do, and panics with the findings unless they were
/// [allowed](ProxyBuilder::allow) or [taken](Proxy::take_findings): so a test fails by name.
pub struct Proxy {
    nursery: Nursery,
    threads: Vec<Rc<Thread>>,
    /// What a canary VM said of a plugin; asked once for each.
    verdicts: Vec<(Rc<Plugin>, Result<(), Rejected>)>,
    /// The plugin of each listener.
    listeners: BTreeMap<String, Rc<Plugin>>,
}

/// Why a configuration was not taken over. The one before goes on serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The profile lacks what the module imports.
    MissingImports(Vec<String>),
    /// The guest answered false.
    Refused,
    /// The canary VM died.
    Died(Death),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingImports(names) => write!(f, "the host has no {}", names.join(", ")),
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
    pub(crate) fn start(builder: ProxyBuilder, shared: SharedHandle, configuration: &[u8]) -> Result<Self, Rejected> {
        let workers = builder.workers;
        let mut nursery = Nursery::new(builder, shared);
        let plugin = nursery.plugin(configuration);
        nursery.try_in_canary(&plugin)?;
        let names = std::iter::once("main".to_owned()).chain((0..workers).map(|number| format!("worker {number}")));
        let threads = names.map(|name| nursery.thread(&name)).collect::<Result<Vec<_>, _>>()?;
        threads.iter().for_each(|thread| thread.introduce(&threads));
        let verdicts = vec![(Rc::clone(&plugin), Ok(()))];
        let mut proxy = Self { nursery, threads, verdicts, listeners: BTreeMap::new() };
        proxy.configure("", &plugin);
        Ok(proxy)
    }

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

    /// Removes a listener: its root ends with its last stream, or once it has drained.
    pub fn remove(&mut self, listener: &str) {
        self.listeners.remove(listener);
        self.on_all_threads(|vm| vm.borrow_mut().remove(listener));
    }

    /// Changes the code: new VMs run the module with the listeners' configurations and serve new streams; those before end
    /// with their last stream. Shared data and queues stay.
    ///
    /// # Errors
    /// As for [`Proxy::push`], or if the profile lacks what the module imports.
    pub fn replace_module(&mut self, module: &Module) -> Result<(), Rejected> {
        let missing = module.missing_in(self.nursery.profile());
        if !missing.is_empty() {
            return Err(Rejected::MissingImports(missing));
        }
        let before = self.nursery.replace_module(module);
        let tried = self.listeners.values().try_for_each(|plugin| self.nursery.try_in_canary(plugin));
        if let Err(rejected) = tried {
            self.nursery.replace_module(&before);
            return Err(rejected);
        }
        self.verdicts = self.listeners.values().map(|plugin| (Rc::clone(plugin), Ok(()))).collect();
        let names = self.threads.iter().map(|thread| thread.vm().borrow().look().vm.to_string()).collect::<Vec<_>>();
        let new = names.iter().map(|name| self.nursery.vm(name)).collect::<Result<Vec<_>, _>>();
        let new = new.inspect_err(|_| {
            self.nursery.replace_module(&before);
        })?;
        for (thread, new) in self.threads.iter().zip(new) {
            let old = thread.vm();
            thread.replace_vm(new);
            for listener in self.listeners.keys() {
                // A death concerns the old VM alone, and shows there.
                let _ = old.borrow_mut().remove(listener);
            }
        }
        for (listener, plugin) in self.listeners.clone() {
            self.configure(&listener, &plugin);
        }
        Ok(())
    }

    fn push_plugin(&mut self, listener: &str, plugin: Rc<Plugin>) -> Result<(), Rejected> {
        let known = self.verdicts.iter().find(|(known, _)| *known == plugin).map(|(_, verdict)| verdict.clone());
        let verdict = known.unwrap_or_else(|| {
            let verdict = self.nursery.try_in_canary(&plugin);
            self.verdicts.push((Rc::clone(&plugin), verdict.clone()));
            verdict
        });
        verdict.map(|()| self.configure(listener, &plugin))
    }

    /// A worker by number.
    ///
    /// # Panics
    /// If there are not that many workers.
    pub fn worker(&self, number: usize) -> Worker {
        Worker { thread: Rc::clone(&self.threads[number + 1]) }
    }

    /// All workers.
    pub fn workers(&self) -> Vec<Worker> {
        self.threads[1..].iter().map(|thread| Worker { thread: Rc::clone(thread) }).collect()
    }

    /// The main thread, whose VM gets ticks and configurations but no streams.
    pub fn main_thread(&self) -> Worker {
        Worker { thread: Rc::clone(&self.threads[0]) }
    }

    /// Lets time pass, firing the timers of all threads when they are due, and giving up call-outs that have waited too long.
    ///
    /// # Errors
    /// If a VM dies in a tick; the others got theirs.
    pub fn advance(&mut self, by: Duration) -> Result<(), Death> {
        let end = self.now() + by;
        let mut outcome = Ok(());
        while let Some(due) = self.next_event().filter(|due| *due <= end) {
            outcome = outcome.and(self.pass_time(due));
        }
        self.nursery.shared.borrow_mut().now = end;
        outcome
    }

    /// Lets time pass up to the next timer and fires all that are due then. Nothing happens if there is none.
    ///
    /// # Errors
    /// As for [`Proxy::advance`].
    pub fn tick(&mut self) -> Result<(), Death> {
        self.next_event().map_or(Ok(()), |due| self.pass_time(due))
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
        let shared = self.nursery.shared.borrow();
        shared.data(&self.nursery.settings.vm_id, key.as_ref()).map(|(value, _)| value)
    }

    /// What was found amiss so far. It does not fail the test any more.
    pub fn take_findings(&self) -> Vec<Finding> {
        for vm in self.threads.iter().flat_map(|thread| thread.vms()) {
            vm.borrow_mut().find_leaks();
        }
        std::mem::take(&mut self.nursery.shared.borrow_mut().findings)
    }

    fn configure(&mut self, listener: &str, plugin: &Rc<Plugin>) {
        self.replace_the_dead();
        self.listeners.insert(listener.to_owned(), Rc::clone(plugin));
        self.on_all_threads(|vm| vm.borrow_mut().configure(listener, plugin).map(|_| ()));
    }

    /// A push finds no VM where one has died, and so starts another with all that the first one served.
    fn replace_the_dead(&mut self) {
        for thread in &self.threads {
            let name = thread.vm().borrow().death().map(|death| death.vm.clone());
            let Some(Ok(vm)) = name.map(|name| self.nursery.vm(&name)) else { continue };
            for (listener, plugin) in &self.listeners {
                // Another death shows there.
                let _ = vm.borrow_mut().configure(listener, plugin);
            }
            thread.replace_vm(vm);
        }
    }

    /// A refusal or a death on one thread concerns that thread alone, and shows there.
    fn on_all_threads(&self, what: impl Fn(&VmRef) -> Result<(), Death>) {
        for thread in &self.threads {
            if what(&thread.vm()).is_err() {
                thread.explained(&thread.vm(), "");
            }
        }
        self.threads.iter().for_each(|thread| thread.settle());
    }

    fn next_event(&self) -> Option<Duration> {
        let vms = self.threads.iter().flat_map(|thread| thread.vms());
        vms.filter_map(|vm| vm.borrow().next_event()).min()
    }

    fn pass_time(&self, due: Duration) -> Result<(), Death> {
        let now = due.max(self.now());
        self.nursery.shared.borrow_mut().now = now;
        let of = |thread: &Rc<Thread>, vm: VmRef| {
            let passed = vm.borrow_mut().pass_time(now);
            passed.map_err(|death| thread.explained(&vm, "").unwrap_or(death))
        };
        let passed = self.threads.iter().flat_map(|thread| thread.vms().into_iter().map(move |vm| of(thread, vm)));
        let outcome = passed.fold(Ok(()), Result::and);
        self.threads.iter().for_each(|thread| thread.settle());
        outcome
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let findings: Vec<String> = self.take_findings().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "the filter has lapses:\n  {}", findings.join("\n  "));
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("settings", &self.nursery.settings).finish_non_exhaustive()
    }
}
