//! One thread of a proxy: where requests go in, and what can be seen of its VM.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::callouts::{CallOut, CallOutAnswer};
use crate::death::Death;
use crate::fault::Fault;
use crate::request::{Parts, Request};
use crate::scenario::REMEMBERED;
use crate::shared::{Last, SharedHandle};
use crate::usage::Usage;
use crate::vm::VmRef;

/// A thread of a proxy: its VM, those that a change of the code has left behind, and its last requests.
pub(crate) struct Thread {
    vm: RefCell<VmRef>,
    retired: RefCell<Vec<VmRef>>,
    requests: RefCell<Last<(Rc<Parts>, Duration), REMEMBERED>>,
    shared: SharedHandle,
    /// For choices of the routes.
    random: RefCell<fastrand::Rng>,
    /// All threads of the proxy, for what one of them has for another.
    threads: RefCell<Vec<Weak<Thread>>>,
}

impl Thread {
    pub(crate) fn new(vm: VmRef, shared: SharedHandle, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            vm: RefCell::new(vm),
            retired: RefCell::default(),
            requests: RefCell::new(Last::new()),
            shared,
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            threads: RefCell::default(),
        })
    }

    pub(crate) fn vm(&self) -> VmRef {
        Rc::clone(&self.vm.borrow())
    }

    /// Its VM and those that still have something to end.
    pub(crate) fn vms(&self) -> Vec<VmRef> {
        let mut vms = vec![self.vm()];
        self.retired.borrow_mut().retain(|vm| vm.borrow().is_needed());
        vms.extend(self.retired.borrow().iter().cloned());
        vms
    }

    pub(crate) fn replace_vm(&self, vm: VmRef) {
        let before = self.vm.replace(vm);
        self.retired.borrow_mut().push(before);
    }

    pub(crate) fn introduce(&self, threads: &[Rc<Thread>]) {
        *self.threads.borrow_mut() = threads.iter().map(Rc::downgrade).collect();
    }

    pub(crate) fn random(&self) -> u64 {
        self.random.borrow_mut().u64(..)
    }

    pub(crate) fn remember(&self, request: &Rc<Parts>) {
        let now = self.shared.borrow().now;
        self.requests.borrow_mut().push((Rc::clone(request), now));
    }

    /// The report of the death of one of its VMs, if it is dead, with the last requests that came on this listener.
    pub(crate) fn explained(&self, vm: &VmRef, listener: &str) -> Option<Death> {
        let mut vm = vm.borrow_mut();
        vm.death()?;
        if let Some(plugin) = vm.plugin_of(listener) {
            let requests: Vec<_> = self.requests.borrow().iter().cloned().collect();
            vm.explain_death(&plugin, &requests);
        }
        vm.death().cloned()
    }

    /// Its VM for a new stream: a new one where that one is dead and the policy wants it.
    pub(crate) fn vm_for_a_stream(&self) -> VmRef {
        let reborn = self.vm().borrow_mut().reborn();
        if let Some(vm) = reborn {
            self.replace_vm(Rc::new(RefCell::new(vm)));
        }
        self.vm()
    }

    /// Tells the consumers of queues what has come, as their dispatchers do once nothing else runs.
    pub(crate) fn settle(&self) {
        for told in 0.. {
            let Some(ready) = self.shared.borrow_mut().queues.next_ready() else { return };
            assert!(told < MOST_TOLD, "queue {} never comes to rest: its consumer fills it again", ready.token);
            let threads = self.threads.borrow().clone();
            for thread in threads.iter().filter_map(Weak::upgrade) {
                for vm in thread.vms().into_iter().filter(|vm| vm.borrow().look().number == ready.vm) {
                    // A death is kept by the VM, and the next use of the worker reports it.
                    if vm.borrow_mut().queue_ready(ready.root, ready.token).is_err() {
                        thread.explained(&vm, "");
                    }
                }
            }
        }
    }
}

/// More news of queues than this after one call never end.
const MOST_TOLD: usize = 100_000;

/// A handle to a thread and its VM; clones are the same thread.
#[derive(Clone)]
pub struct Worker {
    pub(crate) thread: Rc<Thread>,
}

impl Worker {
    /// A GET request for `path` at `example.com`.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A request for `path` at `example.com`.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(Rc::clone(&self.thread), method, path)
    }

    /// Its name: `main` or `worker N`.
    pub fn name(&self) -> String {
        self.thread.vm().borrow().look().vm.to_string()
    }

    /// The report of its VM's death, if it is dead.
    pub fn death(&self) -> Option<Death> {
        self.thread.vm().borrow().death().cloned()
    }

    /// How often its VM was started anew after a death.
    pub fn reloads(&self) -> u32 {
        self.thread.vm().borrow().reloads()
    }

    /// Pages of 64 KiB of linear memory.
    pub fn pages(&self) -> u64 {
        self.thread.vm().borrow().pages()
    }

    /// A copy of the linear memory.
    pub fn memory(&self) -> Vec<u8> {
        self.thread.vm().borrow().memory()
    }

    /// The cost of all callbacks so far.
    pub fn usage(&self) -> Usage {
        self.thread.vm().borrow().usage().clone()
    }

    /// The context ids of the living roots.
    pub fn roots(&self) -> Vec<u32> {
        self.thread.vm().borrow().roots()
    }

    /// The periods of the running timers, by root; also of timers that outlived their root.
    pub fn timers(&self) -> BTreeMap<u32, Duration> {
        self.thread.vm().borrow().look().timers.iter().map(|(root, timer)| (*root, timer.period)).collect()
    }

    /// How many metrics the VM has defined; a name that was defined twice counts twice, as it does in Envoy's memory.
    pub fn metric_definitions(&self) -> usize {
        self.thread.vm().borrow().look().metrics.len()
    }

    /// What the VM drew from the host's entropy, one entry for each call.
    pub fn entropy(&self) -> Vec<Vec<u8>> {
        self.thread.vm().borrow().look().entropy_given.clone()
    }

    /// The call-outs that the VM's roots have made and that nobody has answered yet, in the order of their tokens.
    pub fn call_outs(&self) -> Vec<CallOut> {
        self.thread.vms().iter().flat_map(|vm| vm.borrow().call_outs()).collect()
    }

    /// Answers a call-out, at once or as late as the test likes. Returns whether its root still waited for it.
    ///
    /// # Errors
    /// If the VM is dead or dies in the callback.
    pub fn answer(&self, call: &CallOut, answer: CallOutAnswer) -> Result<bool, Death> {
        let made_it = |vm: &VmRef| vm.borrow().look().number == call.vm;
        let Some(vm) = self.thread.vms().into_iter().find(made_it) else { return Ok(false) };
        let answered = vm.borrow_mut().answer(call.token, answer);
        self.thread.settle();
        answered.map_err(|death| self.thread.explained(&vm, "").unwrap_or(death))
    }

    /// Makes a host call fail from now on, in this VM alone; with `None`, lets it work again.
    ///
    /// # Panics
    /// If no host has a call of that name, or if the fault cannot happen to it.
    pub fn inject(&self, host_call: &str, fault: Option<Fault>) {
        let id = fault.unwrap_or(Fault::Number(0)).target(host_call);
        let vm = self.thread.vm();
        let mut vm = vm.borrow_mut();
        let faults = &mut vm.state().faults;
        faults.retain(|(faulty, _)| *faulty != id);
        faults.extend(fault.map(|fault| (id, fault)));
    }

    /// Sets the fuel that each callback of this VM may burn from now on.
    pub fn set_fuel(&self, fuel: u64) {
        self.thread.vm().borrow_mut().set_fuel(fuel);
    }
}
