//! The streams that commands write to.

use std::io::{self, Write};

/// A stream whose reader may go away, as in `serin check … | head -1`. Nothing is written from then on, and the command goes on:
/// how it ends is not for the reader to decide.
pub(crate) struct UntilClosed<W> {
    stream: W,
    is_closed: bool,
}

impl<W: Write> UntilClosed<W> {
    pub(crate) fn new(stream: W) -> Self {
        Self { stream, is_closed: false }
    }

    /// What came of writing, or `written` if nobody reads it.
    fn settled<T>(&mut self, result: io::Result<T>, written: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(written)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = if self.is_closed { Ok(bytes.len()) } else { self.stream.write(bytes) };
        self.settled(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = if self.is_closed { Ok(()) } else { self.stream.flush() };
        self.settled(result, ())
    }
}
