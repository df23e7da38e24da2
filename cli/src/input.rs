//! Files as they are read: from a path, or from standard input.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::Failure;

/// Larger files are not read: a document has at most 8 MiB.
const MOST_BYTES: u64 = 32 << 20;

/// A file that was read.
pub(crate) struct File {
    /// As it is shown in messages.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// Reads a file; `-` is standard input.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
        let read = if is_stdin { read_all(io::stdin().lock()) } else { read_path(path) };
        let bytes = read.map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Failure::new(format!("cannot read {name}: it has more than {} MiB", MOST_BYTES >> 20)));
        }
        Ok(Self { name, bytes })
    }
}

fn read_path(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.is_dir() {
        return Err(io::Error::other("it is a folder; expected a file"));
    }
    read_all(fs::File::open(path)?)
}

/// All of it, or a little more than may be.
fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
