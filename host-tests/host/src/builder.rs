//! How a proxy is put together.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::fault::Fault;
use crate::lapse::Lapse;
use crate::log::LogLevel;
use crate::module::Module;
use crate::plugin::{Plugin, property_path};
use crate::profile::Profile;
use crate::proxy::{Direction, Proxy, Rejected};
use crate::routes::RouteTable;
use crate::settings::{Delivery, FailurePolicy, Settings};
use crate::shared::Shared;

/// A proxy to be started.
#[derive(Clone, Debug)]
#[must_use = "a proxy runs only once it is started"]
pub struct ProxyBuilder {
    pub(crate) module: Module,
    pub(crate) workers: usize,
    pub(crate) plugin: Plugin,
    pub(crate) settings: Settings,
    now: Duration,
    log_level: LogLevel,
    allowed: BTreeSet<Lapse>,
}

impl ProxyBuilder {
    /// A proxy with one worker that runs the module as Envoy 1.36 does, at the start of 2026, with the log level info.
    pub fn new(module: &Module) -> Self {
        let settings = Settings {
            profile: Profile::default(),
            vm_id: String::new(),
            vm_configuration: Vec::new(),
            environment: BTreeMap::new(),
            clusters: BTreeSet::new(),
            routes: None,
            is_disabled: false,
            failure_policy: None,
            delivery: Delivery::Ecds,
            faults: Vec::new(),
            seed: 0,
            same_entropy: false,
            fuel: Settings::FUEL,
        };
        Self {
            module: module.clone(),
            workers: 1,
            plugin: Plugin::default(),
            settings,
            now: Duration::from_secs(1_767_225_600),
            log_level: LogLevel::Info,
            allowed: BTreeSet::new(),
        }
    }

    /// Sets the host that it is like.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.settings.profile = profile;
        self
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

    /// Asks for an id of the VM; profiles differ in what becomes of it.
    pub fn vm_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.settings.vm_id);
        self
    }

    /// Sets the VM's own configuration.
    pub fn vm_configuration(mut self, configuration: impl AsRef<[u8]>) -> Self {
        self.settings.vm_configuration = configuration.as_ref().to_vec();
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
        self.settings.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Gives it routes. Without them every request has an upstream, whose cluster nobody knows.
    pub fn routes(mut self, routes: RouteTable) -> Self {
        self.settings.routes = Some(routes);
        self
    }

    /// Installs the filter switched off, so that only routes that switch it on have it.
    pub fn disabled(mut self) -> Self {
        self.settings.is_disabled = true;
        self
    }

    /// Adds a cluster that call-outs can name, besides those of the routes.
    pub fn cluster(mut self, name: &str) -> Self {
        self.settings.clusters.insert(name.to_owned());
        self
    }

    /// Sets what becomes of requests once a VM has died. Without it, the report of the death is the request's error.
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.settings.failure_policy = Some(policy);
        self
    }

    /// Sets how configurations come.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.settings.delivery = delivery;
        self
    }

    /// Makes a host call fail in all VMs from their start on, also while the canary VM tries the configuration. See
    /// [`Worker::inject`](crate::Worker::inject).
    ///
    /// # Panics
    /// If no host has a call of that name, or if the fault cannot happen to it.
    pub fn inject(mut self, host_call: &str, fault: Fault) -> Self {
        self.settings.faults.push((fault.target(host_call), fault));
        self
    }

    /// Seeds the entropy and the choices of the routes. Each VM draws from its own sequence.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Makes all VMs draw the same entropy: a host that should not exist.
    pub fn same_entropy(mut self) -> Self {
        self.settings.same_entropy = true;
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
        self.settings.fuel = fuel;
        self
    }

    /// Lets the filter have this lapse, which fails the test else.
    pub fn allow(mut self, lapse: Lapse) -> Self {
        self.allowed.insert(lapse);
        self
    }

    /// Starts the proxy: a canary VM tries the configuration, then the main thread and the workers get theirs.
    ///
    /// # Errors
    /// If the profile lacks what the module imports, or if the canary VM refuses the configuration or dies; an Envoy would
    /// not start.
    pub fn start(mut self, configuration: impl AsRef<[u8]>) -> Result<Proxy, Rejected> {
        let profile = self.settings.profile;
        let missing = self.module.missing_in(profile);
        if !missing.is_empty() {
            return Err(Rejected::MissingImports(missing));
        }
        if self.plugin.name.is_empty() {
            profile.plugin_name().clone_into(&mut self.plugin.name);
        }
        self.settings.vm_id = profile.vm_id(&self.settings.vm_id, &self.plugin.name);
        let allowed = std::mem::take(&mut self.allowed);
        let shared = Rc::new(RefCell::new(Shared::new(self.now, self.log_level, allowed)));
        Proxy::start(self, shared, configuration.as_ref())
    }
}
