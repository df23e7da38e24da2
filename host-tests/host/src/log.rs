//! Log lines of guests.

use std::fmt;

/// The levels of proxy-wasm, the least serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum LogLevel {
    /// Trace.
    Trace = 0,
    /// Debug.
    Debug = 1,
    /// Info; also what a guest writes to its standard output.
    Info = 2,
    /// Warn.
    Warn = 3,
    /// Error; also what a guest writes to its standard error.
    Error = 4,
    /// Critical.
    Critical = 5,
}

impl LogLevel {
    pub(crate) fn from_number(level: u32) -> Option<Self> {
        [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical]
            .into_iter()
            .find(|known| *known as u32 == level)
    }
}

/// One line that a guest logged, whatever the level that the host reports to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The VM that logged it: `canary`, `main` or `worker N`.
    pub vm: String,
    /// How serious it is.
    pub level: LogLevel,
    /// The text, with U+FFFD for what is not UTF-8.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {:?}: {}", self.vm, self.level, self.text)
    }
}
