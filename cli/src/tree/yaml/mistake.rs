//! Why a text is no YAML: where it stands, and what is usually behind it.

use granit_parser::{ErrorKind, ScanError};

use super::super::SyntaxMistake;

/// Where and why the parser gave up.
pub(super) fn mistake(text: &str, error: &ScanError) -> SyntaxMistake {
    let at = error.marker().byte_offset().unwrap_or_default();
    match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => {
            let message = "a tab where only spaces may stand; expected spaces before a field".to_owned();
            SyntaxMistake { at: tab(text, at), message, hint: None }
        }
        kind => SyntaxMistake { at, message: error.info(), hint: hint(text, at, kind) },
    }
}

/// The tab in the blank before the place at which the parser has noticed it, or the next one: of a text that goes on behind a tab
/// the parser tells the beginning.
fn tab(text: &str, at: usize) -> usize {
    let (before, behind) = text.split_at_checked(at).unwrap_or((text, ""));
    let blank = before.trim_end().len();
    let tab = before.get(blank..).and_then(|blank| blank.find('\t')).map(|tab| blank + tab);
    tab.or_else(|| behind.find('\t').map(|tab| at + tab)).unwrap_or(at)
}

/// What people usually have to do then.
fn hint(text: &str, at: usize, kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::MappingValueNotAllowed | ErrorKind::ExpectedBlockMappingKey if is_after_no_field(text, at) => {
            Some("the line before has no colon with a space behind it")
        }
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::ExpectedBlockMappingKey => Some(
            "a space stands behind each colon, the names of one object are indented alike, and a text with a colon in it stands \
             in quotes",
        ),
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => {
            Some("in brackets commas stand between fields, and each bracket is closed")
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            Some("a quote that was opened before is not closed")
        }
        _ => None,
    }
}

/// Whether nothing but a name stands before in the line, and the line before is no field and no item.
fn is_after_no_field(text: &str, at: usize) -> bool {
    let mut lines = text.get(..at).unwrap_or_default().lines().rev();
    let is_first = lines.next().is_some_and(|line| !line.contains(": "));
    let before = lines.map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    is_first && before.is_some_and(|line| !line.starts_with('-') && !line.contains(": ") && !line.ends_with(':'))
}
