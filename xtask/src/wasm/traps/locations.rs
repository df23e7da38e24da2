//! Reads `core::panic::Location` constants from the data of a module.

use walrus::ir::Value;
use walrus::{ConstExpr, DataKind, Module};

use super::names;

/// The bytes that a module's memory begins with.
pub(super) struct Locations<'module>(Vec<(u32, &'module [u8])>);

impl<'module> Locations<'module> {
    pub(super) fn of(module: &'module Module) -> Self {
        let segments = module.data.iter().filter_map(|data| match &data.kind {
            DataKind::Active { offset: ConstExpr::Value(Value::I32(at)), .. } => {
                Some((at.cast_unsigned(), data.value.as_slice()))
            }
            _ => None,
        });
        Self(segments.collect())
    }

    /// The file of the location at this address: a text of Rust sources, its length, a line and a column.
    pub(super) fn file(&self, at: i32) -> Option<String> {
        let at = at.cast_unsigned();
        let (text, len) = (self.number(at)?, self.number(at.checked_add(4)?)?);
        let (line, column) = (self.number(at.checked_add(8)?)?, self.number(at.checked_add(12)?)?);
        let path = std::str::from_utf8(self.bytes(text, len)?).ok()?;
        let plausible = path.trim_end_matches('\0').ends_with(".rs") && line > 0 && column > 0;
        plausible.then(|| names::file(path))
    }

    fn number(&self, at: u32) -> Option<u32> {
        self.bytes(at, 4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn bytes(&self, at: u32, len: u32) -> Option<&'module [u8]> {
        self.0.iter().find_map(|(start, bytes)| {
            let begin = at.checked_sub(*start)? as usize;
            bytes.get(begin..begin.checked_add(len as usize)?)
        })
    }
}
