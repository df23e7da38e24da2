//! Why something could not be done at all.

use std::io;

/// Why something could not be done at all: a file that cannot be read, an argument that fits nothing. Told to the user, a line
/// each.
#[derive(Debug)]
pub(crate) struct Failure(Vec<String>);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(vec![message.into()])
    }

    /// What went wrong, in several lines.
    pub(crate) fn of(messages: Vec<String>) -> Self {
        Self(messages)
    }

    /// What went wrong.
    pub(crate) fn messages(&self) -> &[String] {
        &self.0
    }
}

impl From<io::Error> for Failure {
    /// Of writing the output.
    fn from(error: io::Error) -> Self {
        Self::new(format!("cannot write the output: {error}"))
    }
}
