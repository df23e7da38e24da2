//! Faults that a host can be made to have.

use crate::catalog::{self, FunctionId};
use crate::status::Status;

/// What a host call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers this status. For a call of WASI, the number is an error number.
    Status(Status),
    /// It answers a number that is no status.
    Number(u32),
    /// Of a call that gives a value: it answers [`Status::Ok`], and a null pointer with the size 0 where it should give a value.
    Null,
    /// Of such a call: it answers [`Status::Ok`] and gives its value with this size in place of the right one.
    Size(u32),
    /// Of such a call: the guest's allocator is taken to have failed, so that no value can be given.
    NoMemory,
}

/// The calls that give a value in memory that the guest allocates for it.
const GIVING: [&str; 7] = [
    "proxy_get_property",
    "proxy_get_header_map_value",
    "proxy_get_header_map_pairs",
    "proxy_get_buffer_bytes",
    "proxy_get_shared_data",
    "proxy_dequeue_shared_queue",
    "proxy_get_status",
];

impl Fault {
    /// Whether it can happen to this call: only calls that give a value can give a wrong one.
    pub fn can_happen_to(self, host_call: &str) -> bool {
        matches!(self, Self::Status(_) | Self::Number(_)) || GIVING.contains(&host_call)
    }

    /// The number of the call that it is for.
    pub(crate) fn target(self, host_call: &str) -> FunctionId {
        let id = catalog::find(host_call).unwrap_or_else(|| panic!("no host has a call {host_call:?}"));
        assert!(self.can_happen_to(host_call), "{host_call} gives no value that {self:?} could happen to");
        id
    }
}

/// The faults of a VM by host call.
pub(crate) type Faults = Vec<(FunctionId, Fault)>;
