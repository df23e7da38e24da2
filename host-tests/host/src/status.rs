//! The status codes of proxy-wasm 0.2.1, and how a host call ends early.

/// What a host call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// The header, property, metric or function is not there.
    NotFound = 1,
    /// An argument is out of range, or what it names is not available in this phase.
    BadArgument = 2,
    /// The value has no wire form.
    SerializationFailure = 3,
    /// The bytes do not parse.
    ParseFailure = 4,
    /// An expression does not compile.
    BadExpression = 5,
    /// A pointer leads outside the guest's memory.
    InvalidMemoryAccess = 6,
    /// There is nothing to take.
    Empty = 7,
    /// The value was changed since it was read.
    CasMismatch = 8,
    /// The result is not of the expected kind.
    ResultMismatch = 9,
    /// The host failed, or does not allow the call.
    InternalFailure = 10,
    /// The connection is gone.
    BrokenConnection = 11,
    /// The host does not do this.
    Unimplemented = 12,
}

impl Status {
    /// The status of that number, if it is one.
    pub fn from_number(number: u32) -> Option<Self> {
        const ALL: [Status; 13] = [
            Status::Ok,
            Status::NotFound,
            Status::BadArgument,
            Status::SerializationFailure,
            Status::ParseFailure,
            Status::BadExpression,
            Status::InvalidMemoryAccess,
            Status::Empty,
            Status::CasMismatch,
            Status::ResultMismatch,
            Status::InternalFailure,
            Status::BrokenConnection,
            Status::Unimplemented,
        ];
        ALL.into_iter().find(|status| *status as u32 == number)
    }
}

/// What a host call's body returns: `Ok` answers [`Status::Ok`].
pub(crate) type Answer<T = ()> = Result<T, Refusal>;

/// Why a host call ends before its work is done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The guest gets this status.
    Status(Status),
    /// The guest gets this number, one of WASI's errors for instance.
    Number(u32),
    /// The guest traps.
    Trap(wasmtime::Error),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<wasmtime::Error> for Refusal {
    fn from(trap: wasmtime::Error) -> Self {
        Self::Trap(trap)
    }
}
