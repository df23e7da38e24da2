//! One thread of a proxy: where requests go in, and what can be seen of its VM.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::death::Death;
use crate::stream::Request;
use crate::usage::Usage;
use crate::vm::Vm;

/// A handle to a thread and its VM; clones are the same thread.
#[derive(Clone)]
pub struct Worker {
    pub(crate) vm: Rc<RefCell<Vm>>,
}

impl Worker {
    pub(crate) fn new(vm: Vm) -> Self {
        Self { vm: Rc::new(RefCell::new(vm)) }
    }

    /// A GET request for `path` at `example.com`.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A request for `path` at `example.com`.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(Rc::clone(&self.vm), method, path)
    }

    /// Its name: `main` or `worker N`.
    pub fn name(&self) -> String {
        self.vm.borrow().look().vm.clone()
    }

    /// The report of its VM's death, if it is dead.
    pub fn death(&self) -> Option<Death> {
        self.vm.borrow().death().cloned()
    }

    /// Pages of 64 KiB of linear memory.
    pub fn pages(&self) -> u64 {
        self.vm.borrow().pages()
    }

    /// The cost of all callbacks so far.
    pub fn usage(&self) -> Usage {
        self.vm.borrow().usage().clone()
    }

    /// The context ids of the living roots.
    pub fn roots(&self) -> Vec<u32> {
        self.vm.borrow().roots()
    }

    /// The periods of the running timers, by root; also of timers that outlived their root.
    pub fn timers(&self) -> BTreeMap<u32, Duration> {
        self.vm.borrow().look().timers.iter().map(|(root, timer)| (*root, timer.period)).collect()
    }

    /// How many metrics the VM has defined; a name that was defined twice counts twice, as it does in Envoy's memory.
    pub fn metric_definitions(&self) -> usize {
        self.vm.borrow().look().metrics.len()
    }

    /// What the VM drew from the host's entropy, one entry for each call.
    pub fn entropy(&self) -> Vec<Vec<u8>> {
        self.vm.borrow().look().entropy_given.clone()
    }
}
