//! Faults that a host can be made to have.

use crate::catalog::FunctionId;
use crate::status::Status;

/// What a host call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers this status. For a call of WASI, the number is an error number.
    Status(Status),
    /// It answers a number that is no status.
    Number(u32),
    /// It answers [`Status::Ok`], and a null pointer with the size 0 where it should give a value.
    Null,
    /// It answers [`Status::Ok`] and gives its value with this size in place of the right one.
    Size(u32),
    /// The guest's allocator is taken to have failed, so that no value can be given.
    NoMemory,
}

/// The faults of a VM by host call.
pub(crate) type Faults = Vec<(FunctionId, Fault)>;
