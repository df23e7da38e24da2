//! One VM: an instance of the module with its memory, and the callbacks into it. A trap kills the VM for good.

mod answers;
mod flow;
mod replies;
pub(crate) mod roots;
pub(crate) mod state;
pub(crate) mod stream_state;
pub(crate) mod streams;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use wasmtime::{Memory, Store, StoreLimitsBuilder};

use crate::callouts::CallOuts;
use crate::catalog::Callback;
use crate::death::{Death, Recent};
use crate::exports::{self, Exports};
use crate::lapse::Lapse;
use crate::metrics::Metrics;
use crate::module::Module;
use crate::plugin::Plugin;
use crate::profile::Version;
use crate::request::Parts;
use crate::scenario::Past;
use crate::settings::Settings;
use crate::shared::SharedHandle;
use crate::usage::{Cost, Usage};
use state::{Allowed, State};

/// A VM that streams, a thread and a proxy hold.
pub(crate) type VmRef = Rc<RefCell<Vm>>;

pub(crate) struct Vm {
    store: Store<State>,
    exports: Exports,
    memory: Memory,
    birth: Birth,
    /// The root that takes a listener's new streams, by the listener's name, and the plugin that it is configured with.
    serving: BTreeMap<String, (u32, Rc<Plugin>)>,
    next_context: u32,
    /// Streams that pass by the filter have numbers of their own, from the top.
    next_bypass: u32,
    fuel: u64,
    usage: Usage,
    death: Option<Death>,
    /// Streams since the last configuration.
    served: u64,
    /// When it was last started anew after a death, and how often.
    last_load: Duration,
    reloads: u32,
}

/// What a new VM is given.
#[derive(Clone)]
pub(crate) struct Birth {
    /// Its name in logs and reports.
    pub(crate) name: Rc<str>,
    pub(crate) module: Module,
    pub(crate) settings: Rc<Settings>,
    pub(crate) shared: SharedHandle,
    pub(crate) entropy_seed: u64,
}

/// The answer of a callback; `None` where the guest does not export it.
pub(crate) type Called<T = u32> = Result<Option<T>, Death>;

/// The most memory that V8 gives a VM in Envoy.
const MAX_MEMORY: usize = 1 << 30;
/// Streams after which memory should not grow any more.
const WARM: u64 = 1000;

impl Vm {
    /// Instantiates the module and lets it initialize itself.
    pub(crate) fn start(birth: Birth) -> Result<Self, Death> {
        let fuel = birth.settings.fuel;
        let mut store = Store::new(birth.module.instance().module().engine(), new_state(&birth));
        let died = |store: &Store<State>, trap: &wasmtime::Error| Death::new(store.data(), "instantiation", trap);
        store.limiter(|state| &mut state.limits);
        let fueled = store.set_fuel(fuel);
        let instance = fueled.and_then(|()| birth.module.instance().instantiate(&mut store));
        let instance = instance.map_err(|trap| died(&store, &trap))?;
        let Some(memory) = instance.get_memory(&mut store, "memory") else {
            return Err(died(&store, &wasmtime::Error::msg("no memory is exported")));
        };
        store.data_mut().memory = Some(memory);
        store.data_mut().allocate = exports::allocator(&instance, &mut store);
        let exports = Exports::find(&instance, &mut store);
        let last_load = birth.shared.borrow().now;
        let mut vm = Self {
            store,
            exports,
            memory,
            birth,
            serving: BTreeMap::new(),
            next_context: 1,
            next_bypass: u32::MAX,
            fuel,
            usage: Usage::default(),
            death: None,
            served: 0,
            last_load,
            reloads: 0,
        };
        vm.initialize()?;
        Ok(vm)
    }

    /// A reactor initializes itself and may have a main function; a command has only its start.
    fn initialize(&mut self) -> Result<(), Death> {
        self.state().allowed = Allowed::WhileStarting;
        if self.exports.has(Callback::Initialize) {
            self.call(0, Callback::Initialize, [0; 5])?;
            if self.exports.has(Callback::Main) {
                self.call(0, Callback::Main, [0; 5])?;
            } else if self.look().settings.profile.version() >= Version::V1_39 {
                self.call(0, Callback::MainVoid, [0; 5])?;
            }
        } else {
            self.call(0, Callback::Start, [0; 5])?;
        }
        self.state().allowed = Allowed::All;
        Ok(())
    }

    /// Makes a callback for a context and returns its result (0 if it has none). What it cost is in [`State::cost`] and in
    /// the VM's sum afterwards.
    pub(crate) fn call(&mut self, context: u32, callback: Callback, words: [u32; 5]) -> Called {
        if let Some(death) = &self.death {
            return Err(death.clone());
        }
        let pages = self.memory.size(&self.store);
        let state = self.store.data_mut();
        (state.current, state.effective, state.callback) = (context, 0, callback);
        state.stop_iteration = false;
        state.cost.restart(callback);
        let fueled = self.store.set_fuel(self.fuel);
        let Some(outcome) = self.exports.call(&mut self.store, callback, words) else { return Ok(None) };
        self.count(pages);
        match fueled.and(outcome) {
            Ok(answer) => Ok(Some(answer)),
            Err(trap) => Err(self.death.insert(Death::new(self.store.data(), callback.name(), &trap)).clone()),
        }
    }

    fn count(&mut self, pages_before: u64) {
        let left = self.store.get_fuel().unwrap_or(0);
        let grown = self.memory.size(&self.store) - pages_before;
        let served = self.served;
        let state = self.store.data_mut();
        state.cost.fuel = self.fuel.saturating_sub(left);
        state.cost.pages_grown = grown;
        self.usage.add(&state.cost);
        let starts = matches!(state.callback, Callback::ContextCreate | Callback::VmStart | Callback::Configure);
        if grown > 0 && served > WARM && (!starts || state.stream().is_some()) {
            state.find(Lapse::MemoryGrowth, || format!("{grown} pages more after {served} streams"));
        }
    }

    pub(crate) fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    pub(crate) fn look(&self) -> &State {
        self.store.data()
    }

    /// Pages of 64 KiB of linear memory.
    pub(crate) fn pages(&self) -> u64 {
        self.memory.size(&self.store)
    }

    /// A copy of the linear memory.
    pub(crate) fn memory(&self) -> Vec<u8> {
        self.memory.data(&self.store).to_vec()
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    pub(crate) fn death(&self) -> Option<&Death> {
        self.death.as_ref()
    }

    /// Adds to the report of its death how it can be had again: with this plugin and these requests.
    pub(crate) fn explain_death(&mut self, plugin: &Plugin, requests: &[(Rc<Parts>, Duration)]) {
        let lacks = self.lacks();
        let (started, now) = (self.look().shared.borrow().started, self.look().shared.borrow().now);
        let settings = &self.birth.settings;
        if let Some(death) = &mut self.death {
            death.explain(|| Past { plugin, settings, requests, started, now, lacks }.scenario());
        }
    }

    /// What no scenario can have of what the test did to this VM.
    fn lacks(&self) -> Vec<String> {
        let state = self.look();
        let mut lacks = Vec::new();
        let mut lack = |is_so: bool, what: &str| lacks.extend(is_so.then(|| what.to_owned()));
        lack(!state.faults.is_empty(), "injected faults");
        lack(self.fuel != Settings::FUEL, "the limit of fuel");
        lack(self.next_context > 2 && self.roots().first() != Some(&1), "the configurations before");
        lack(state.call_outs.has_begun(), "answers of call-outs");
        lack(self.birth.settings.seed != 0, "the seed");
        lacks
    }

    /// The plugin that serves a listener.
    pub(crate) fn plugin_of(&self, listener: &str) -> Option<Rc<Plugin>> {
        self.serving.get(listener).map(|(_, plugin)| Rc::clone(plugin))
    }

    /// Whether anything of it is still to end.
    pub(crate) fn is_needed(&self) -> bool {
        let has_streams = self.look().contexts.values().any(|context| matches!(context, state::Context::Stream(_)));
        has_streams || (self.death.is_none() && !self.look().contexts.is_empty())
    }

    /// How often it was started anew after a death.
    pub(crate) fn reloads(&self) -> u32 {
        self.reloads
    }

    /// Sets the fuel of the callbacks from now on.
    pub(crate) fn set_fuel(&mut self, fuel: u64) {
        self.fuel = fuel;
    }

    fn new_context_id(&mut self) -> u32 {
        self.next_context += 1;
        self.next_context - 1
    }
}

/// A size as guests get it; their memory holds no more than it can tell.
fn word(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn new_state(birth: &Birth) -> State {
    State {
        vm: Rc::clone(&birth.name),
        number: birth.shared.borrow_mut().new_vm(),
        shared: Rc::clone(&birth.shared),
        settings: Rc::clone(&birth.settings),
        entropy: fastrand::Rng::with_seed(birth.entropy_seed),
        entropy_given: Vec::new(),
        contexts: BTreeMap::new(),
        current: 0,
        callback: Callback::Initialize,
        effective: 0,
        metrics: Metrics::default(),
        timers: BTreeMap::new(),
        call_outs: CallOuts::default(),
        cost: Cost::new(Callback::Initialize),
        recent: Recent::new(),
        allowed: Allowed::All,
        memory: None,
        allocate: None,
        after_call: VecDeque::new(),
        stop_iteration: false,
        faults: birth.settings.faults.clone(),
        limits: StoreLimitsBuilder::new().memory_size(MAX_MEMORY).build(),
    }
}
