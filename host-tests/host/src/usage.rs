//! What guest code costs: host calls by name, bytes copied each way, allocations, fuel, each by callback.

use std::collections::BTreeMap;

use crate::catalog::{self, Callback, FunctionId};

/// The cost of a stream or of a VM, by callback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    costs: Vec<Cost>,
}

/// The cost of one callback, however often it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    callback: Callback,
    /// How often the callback was made.
    pub times: u64,
    calls: Vec<(FunctionId, u64)>,
    /// Bytes of values that the host copied into the guest's memory, without pointers and lengths.
    pub bytes_in: u64,
    /// Bytes that the host read from the guest's memory.
    pub bytes_out: u64,
    /// How often the guest allocated for the host.
    pub allocations: u64,
    /// Pages of 64 KiB by which the guest's memory grew.
    pub pages_grown: u64,
    /// Fuel of the guest's instructions, its allocator included: deterministic for one module.
    pub fuel: u64,
}

impl Cost {
    pub(crate) fn new(callback: Callback) -> Self {
        Self {
            callback,
            times: 0,
            calls: Vec::new(),
            bytes_in: 0,
            bytes_out: 0,
            allocations: 0,
            pages_grown: 0,
            fuel: 0,
        }
    }

    /// The callback, as the guest exports it.
    pub fn callback(&self) -> &'static str {
        self.callback.name()
    }

    /// Host calls by import name, WASI's included.
    pub fn host_calls(&self) -> BTreeMap<&'static str, u64> {
        self.calls.iter().map(|(id, count)| (catalog::function(*id).name, *count)).collect()
    }

    /// Host calls of all names.
    pub fn total_host_calls(&self) -> u64 {
        self.calls.iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn count_call(&mut self, id: FunctionId, times: u64) {
        match self.calls.iter_mut().find(|(known, _)| *known == id) {
            Some((_, count)) => *count += times,
            None => self.calls.push((id, times)),
        }
    }

    /// Makes it the cost of a callback that is about to be made, and keeps what it has allocated.
    pub(crate) fn restart(&mut self, callback: Callback) {
        let mut calls = std::mem::take(&mut self.calls);
        calls.clear();
        *self = Self { times: 1, calls, ..Self::new(callback) };
    }

    fn add(&mut self, other: &Self) {
        self.times += other.times;
        other.calls.iter().for_each(|(id, times)| self.count_call(*id, *times));
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.allocations += other.allocations;
        self.pages_grown += other.pages_grown;
        self.fuel += other.fuel;
    }
}

impl Usage {
    /// The callbacks that were made, in the order of their first time, with what each cost.
    pub fn by_callback(&self) -> &[Cost] {
        &self.costs
    }

    /// What a callback cost, by its export's name; `None` if it was not made.
    pub fn of(&self, callback: &str) -> Option<&Cost> {
        self.costs.iter().find(|cost| cost.callback() == callback)
    }

    /// Host calls by import name, WASI's included.
    pub fn host_calls(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        for (name, count) in self.costs.iter().flat_map(Cost::host_calls) {
            *all.entry(name).or_default() += count;
        }
        all
    }

    /// Host calls of all names.
    pub fn total_host_calls(&self) -> u64 {
        self.costs.iter().map(Cost::total_host_calls).sum()
    }

    /// Host calls of one name.
    pub fn calls_of(&self, name: &str) -> u64 {
        self.host_calls().get(name).copied().unwrap_or(0)
    }

    /// Bytes of values that the host copied into the guest's memory.
    pub fn bytes_in(&self) -> u64 {
        self.costs.iter().map(|cost| cost.bytes_in).sum()
    }

    /// Bytes that the host read from the guest's memory.
    pub fn bytes_out(&self) -> u64 {
        self.costs.iter().map(|cost| cost.bytes_out).sum()
    }

    /// How often the guest allocated for the host.
    pub fn allocations(&self) -> u64 {
        self.costs.iter().map(|cost| cost.allocations).sum()
    }

    /// Fuel of the guest's instructions.
    pub fn fuel(&self) -> u64 {
        self.costs.iter().map(|cost| cost.fuel).sum()
    }

    pub(crate) fn add(&mut self, cost: &Cost) {
        match self.costs.iter_mut().find(|known| known.callback == cost.callback) {
            Some(known) => known.add(cost),
            None => self.costs.push(cost.clone()),
        }
    }
}
