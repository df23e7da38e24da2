//! What a sound filter does not do, though a host puts up with it. Each lapse fails the test unless it is allowed by name.

use std::fmt;

/// A kind of lapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lapse {
    /// A foreign function that the profile's host does not have.
    UnknownForeignFunction,
    /// A host call outside the phase in which it can do something: a header map that is not at hand, a stream to be resumed
    /// that there is none of.
    WrongPhase,
    /// A root that answered "not yet" to `proxy_on_done` and never said `proxy_done`.
    LeakedContext,
    /// A metric that is defined while a stream is served; each definition takes memory in Envoy for good.
    MetricOnRequest,
    /// A log line of the level error or critical.
    ErrorLog,
    /// Memory that grows after the first thousand streams of a configuration.
    MemoryGrowth,
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownForeignFunction => "unknown foreign function",
            Self::WrongPhase => "call outside its phase",
            Self::LeakedContext => "leaked context",
            Self::MetricOnRequest => "metric defined while serving a stream",
            Self::ErrorLog => "error in the log",
            Self::MemoryGrowth => "memory grows after warm-up",
        })
    }
}

/// A lapse that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub lapse: Lapse,
    /// The VM: `canary`, `main` or `worker N`.
    pub vm: String,
    /// What was done, in words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {} (Lapse::{:?})", self.lapse, self.vm, self.what, self.lapse)
    }
}
