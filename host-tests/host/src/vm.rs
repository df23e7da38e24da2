//! One VM: an instance of the module with its memory, and the callbacks into it. A trap kills the VM for good.

pub(crate) mod roots;
pub(crate) mod state;
pub(crate) mod streams;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use wasmtime::{Instance, Memory, Store, Val};

use crate::death::Death;
use crate::module::{ALLOCATORS, Module};
use crate::shared::SharedHandle;
use crate::usage::Usage;
use state::{Allowed, State};

pub(crate) struct Vm {
    store: Store<State>,
    instance: Instance,
    memory: Memory,
    /// The root that takes a listener's new streams, by the listener's name.
    serving: BTreeMap<String, u32>,
    next_context: u32,
    fuel: u64,
    usage: Usage,
    death: Option<Death>,
}

/// What a new VM is given.
pub(crate) struct Birth {
    /// Its name in logs and reports.
    pub(crate) name: String,
    pub(crate) shared: SharedHandle,
    pub(crate) environment: Rc<BTreeMap<String, String>>,
    pub(crate) entropy_seed: u64,
    /// For one callback; what burns more traps.
    pub(crate) fuel: u64,
}

/// The answer of a callback; `None` where the guest does not export it.
pub(crate) type Called<T = u32> = Result<Option<T>, Death>;

impl Vm {
    /// Instantiates the module and lets it initialize itself.
    pub(crate) fn start(module: &Module, birth: Birth) -> Result<Self, Death> {
        let fuel = birth.fuel;
        let mut store = Store::new(module.instance().module().engine(), new_state(birth));
        let died = |store: &Store<State>, trap: &wasmtime::Error| Death::new(store.data(), "instantiation", trap);
        let fueled = store.set_fuel(fuel);
        let instance = fueled.and_then(|()| module.instance().instantiate(&mut store));
        let instance = instance.map_err(|trap| died(&store, &trap))?;
        let Some(memory) = instance.get_memory(&mut store, "memory") else {
            return Err(died(&store, &wasmtime::Error::msg("no memory is exported")));
        };
        let allocate = ALLOCATORS.iter().find_map(|name| instance.get_typed_func(&mut store, name).ok());
        store.data_mut().memory = Some(memory);
        store.data_mut().allocate = allocate;
        let serving = BTreeMap::new();
        let mut vm =
            Self { store, instance, memory, serving, next_context: 1, fuel, usage: Usage::default(), death: None };
        vm.store.data_mut().allowed = Allowed::WhileStarting;
        vm.call(0, "_initialize", &[])?;
        vm.store.data_mut().allowed = Allowed::All;
        Ok(vm)
    }

    /// Makes a callback for a context and returns its first result (0 if it has none). What it cost is in
    /// [`State::usage`] and in the VM's sum afterwards.
    pub(crate) fn call(&mut self, context: u32, name: &'static str, arguments: &[u32]) -> Called {
        if let Some(death) = &self.death {
            return Err(death.clone());
        }
        self.state().usage = Usage::default();
        let Some(function) = self.instance.get_func(&mut self.store, name) else {
            return Ok(None);
        };
        let state = self.state();
        (state.current, state.effective) = (context, None);
        state.usage.callbacks.insert(name, 1);
        let arguments: Vec<Val> = arguments.iter().map(|word| Val::I32(word.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let outcome =
            self.store.set_fuel(self.fuel).and_then(|()| function.call(&mut self.store, &arguments, &mut results));
        self.count_fuel();
        match outcome {
            Ok(()) => Ok(Some(results.first().and_then(Val::i32).unwrap_or(0).cast_unsigned())),
            Err(trap) => Err(self.death.insert(Death::new(self.store.data(), name, &trap)).clone()),
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

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    pub(crate) fn death(&self) -> Option<&Death> {
        self.death.as_ref()
    }

    fn new_context_id(&mut self) -> u32 {
        self.next_context += 1;
        self.next_context - 1
    }

    fn count_fuel(&mut self) {
        let left = self.store.get_fuel().unwrap_or(0);
        let state = self.store.data_mut();
        state.usage.fuel = self.fuel - left;
        self.usage.add(&state.usage);
    }
}

fn new_state(birth: Birth) -> State {
    State {
        vm: birth.name,
        shared: birth.shared,
        environment: birth.environment,
        entropy: fastrand::Rng::with_seed(birth.entropy_seed),
        entropy_given: Vec::new(),
        contexts: BTreeMap::new(),
        current: 0,
        effective: None,
        metrics: Vec::new(),
        timers: BTreeMap::new(),
        usage: Usage::default(),
        recent: VecDeque::new(),
        allowed: Allowed::All,
        memory: None,
        allocate: None,
    }
}
