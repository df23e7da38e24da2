//! What guest code costs: host calls by name, bytes copied each way, fuel.

use std::collections::BTreeMap;

/// The cost of one callback, or of all callbacks of a stream or VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Host calls by import name, WASI's included.
    pub host_calls: BTreeMap<&'static str, u64>,
    /// Callbacks that the guest exports and the host called, by name.
    pub callbacks: BTreeMap<&'static str, u64>,
    /// Bytes of values that the host copied into the guest's memory, without pointers and lengths.
    pub bytes_in: u64,
    /// Bytes that the host read from the guest's memory.
    pub bytes_out: u64,
    /// Fuel of the guest's instructions, its allocator included: deterministic for one module.
    pub fuel: u64,
}

impl Usage {
    /// Host calls of all names.
    pub fn total_host_calls(&self) -> u64 {
        self.host_calls.values().sum()
    }

    /// Host calls of one name.
    pub fn calls_of(&self, name: &str) -> u64 {
        self.host_calls.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, count) in &other.host_calls {
            *self.host_calls.entry(name).or_default() += count;
        }
        for (name, count) in &other.callbacks {
            *self.callbacks.entry(name).or_default() += count;
        }
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.fuel += other.fuel;
    }
}
