//! Why something could not be done at all.

use std::io;

/// Why something could not be done at all: a file that cannot be read, an argument that fits nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Told to the user, a line each.
    Told(Vec<String>),
    /// The reader of the output has gone away, which is nobody's fault.
    OutputClosed,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Told(vec![message.into()])
    }

    /// What went wrong, to be told to the user; nothing if nobody is to be told.
    pub(crate) fn messages(&self) -> &[String] {
        match self {
            Self::Told(messages) => messages,
            Self::OutputClosed => &[],
        }
    }
}

impl From<io::Error> for Failure {
    /// Of writing the output.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::new(format!("cannot write the output: {error}")),
        }
    }
}
