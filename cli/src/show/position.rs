//! Lines and columns.

use serde::Serialize;

/// A place in a text, as editors count: lines and columns from 1 on, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The place of a byte of the text; its end for one behind it.
    pub(crate) fn position(&self, text: &str, at: usize) -> Position {
        let line = self.0.partition_point(|start| *start <= at);
        let start = self.0.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = text.get(start..at.min(text.len())).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_editors() {
        let text = "a\n  é: b\r\n\n";
        let lines = Lines::of(text);
        for (at, line, column) in
            [(0, 1, 1), (1, 1, 2), (2, 2, 1), (4, 2, 3), (6, 2, 4), (11, 3, 1), (12, 4, 1), (99, 4, 1)]
        {
            assert_eq!(lines.position(text, at), Position { line, column }, "byte {at}");
        }
    }
}
