//! What is found in files: mistakes, warnings and notes, each with its place.

use std::ops::Range;

use serin_core::{ConfigError, Warning};

use crate::tree::{Tree, locate};

/// Something that was found in a file.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The kind of finding, such as `unknown-field`.
    pub(crate) code: &'static str,
    /// The bytes of the file that it is about.
    pub(crate) span: Range<usize>,
    /// Where in the file the document is; empty for a bare one.
    pub(crate) place: String,
    /// The path inside the document; empty for the document as a whole, or the file.
    pub(crate) path: String,
    /// The rollout that it is confined to.
    pub(crate) rollout: Option<String>,
    /// What is wrong, and what was expected.
    pub(crate) message: String,
    /// What was probably meant.
    pub(crate) suggestion: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The filter does not take it.
    Error,
    /// Valid, and surely not meant.
    Warning,
    /// Something to know.
    Note,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl Finding {
    /// About a file as a whole, or what stands in it before any document is found.
    pub(crate) fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            span,
            place: String::new(),
            path: String::new(),
            rollout: None,
            message: message.into(),
            suggestion: None,
        }
    }

    /// A mistake that the core has found in a document.
    pub(crate) fn of_error(file: &str, place: &str, document: &Tree, error: &ConfigError) -> Self {
        Self {
            place: place.to_owned(),
            path: error.path().to_owned(),
            rollout: error.rollout().map(str::to_owned),
            suggestion: error.suggestion().map(str::to_owned),
            ..Self::error(error.code(), locate(file, document, error), error.message())
        }
    }

    /// What the core has found surely not meant.
    pub(crate) fn of_warning(file: &str, place: &str, document: &Tree, warning: &Warning) -> Self {
        let error = Self::of_error(file, place, document, &warning.error);
        Self { severity: Severity::Warning, code: warning.code, ..error }
    }
}
