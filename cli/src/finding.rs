//! What is found in files: mistakes, warnings and notes, each with its place.

use std::ops::Range;

use serin_core::{ConfigError, Step, Warning};

use crate::hints::{empty, hint, misnamed, name_of};
use crate::secrets::{is_secret, may_hold, steps_to_secret};
use crate::tree::{MERGE, Tree, locate, path_below};

/// Something that was found in a file.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The kind of finding, such as `unknown-field`.
    pub(crate) code: &'static str,
    /// The bytes of the file that it is about.
    pub(crate) span: Range<usize>,
    /// The document that it is about, of those of the file; `None` for what is about the file.
    pub(crate) document: Option<usize>,
    /// Where in the file the document is; empty for a bare one.
    pub(crate) place: String,
    /// The path inside the document; empty for the document as a whole, or the file.
    pub(crate) path: String,
    /// The rollout that it is confined to.
    pub(crate) rollout: Option<String>,
    /// What is wrong, and what was expected.
    pub(crate) message: String,
    /// The same with the name that it is about, for those who do not read the path first.
    pub(crate) title: Option<String>,
    /// What was probably meant.
    pub(crate) suggestion: Option<String>,
    /// What else helps.
    pub(crate) hint: Option<String>,
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
            document: None,
            place: String::new(),
            path: String::new(),
            rollout: None,
            message: on_one_line(&message.into()),
            title: None,
            suggestion: None,
            hint: None,
        }
    }

    /// A mistake that the core has found in a document.
    pub(crate) fn of_error(file: &str, document: &Tree, error: &ConfigError) -> Self {
        let steps = error.steps();
        let shown = steps_to_secret(&steps);
        let name = name_of(&steps).filter(|_| shown.is_none());
        let is_missing = error.code() == "missing";
        let empty = empty(document, &steps).filter(|_| is_missing);
        let instead = empty.or_else(|| misnamed(document, &steps).filter(|_| is_missing));
        let span = instead.map_or_else(|| locate(file, document, error), |entry| entry.name_span.clone());
        let hint = match (error.code(), name) {
            ("unknown-field", _) if shown.is_some() => {
                Some("a colon and a space stand between a name and its value".to_owned())
            }
            ("unknown-field", Some(MERGE)) => {
                Some("only Kubernetes merges fields so; here they have to stand themselves".to_owned())
            }
            _ => hint(file, document, error),
        };
        Self {
            path: shown.and_then(|shown| steps.get(..shown)).map_or_else(|| error.path().to_owned(), path),
            rollout: error.rollout().filter(|_| shown.is_none()).map(str::to_owned),
            title: name.and_then(|name| title(name, empty.is_some(), error)).as_deref().map(on_one_line),
            suggestion: error.suggestion().map(str::to_owned),
            hint,
            ..Self::error(error.code(), span, message(document, &steps, error))
        }
    }

    /// What the core has found surely not meant.
    pub(crate) fn of_warning(file: &str, document: &Tree, warning: &Warning) -> Self {
        let error = Self::of_error(file, document, &warning.error);
        Self { severity: Severity::Warning, code: warning.code, ..error }
    }
}

/// What an error says, with the name that it is about.
fn title(name: &str, is_empty: bool, error: &ConfigError) -> Option<String> {
    match error.code() {
        "missing" if is_empty => Some(format!("{name} is {}", error.message().replacen("missing", "empty", 1))),
        "missing" => Some(format!("{name} is {}", error.message())),
        "unknown-field" => Some(error.message().replacen("field", &format!("field {name}"), 1)),
        _ => None,
    }
}

/// A path of these steps.
fn path(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Field(name) | Step::LongField(name) => path_below(&path, name),
        Step::Item(index) => format!("{path}[{index}]"),
    })
}

/// What an error says. A text that stands for a whole document is not repeated, and neither is one that may hold secrets.
fn message(document: &Tree, steps: &[Step], error: &ConfigError) -> String {
    let message = error.message();
    let names: Vec<&str> = steps.iter().filter_map(|step| name_of(std::slice::from_ref(step))).collect();
    // There the core knows what a secret is, and what to tell of it.
    let is_home = names.first() == Some(&"keys") || names.contains(&"override");
    let is_hidden = |text: &&str| steps.is_empty() || may_hold(text) || (!is_home && is_secret(&names, text));
    let text = document.follow(steps).and_then(Tree::text).filter(is_hidden);
    match (text, message.rsplit_once("; expected ")) {
        (Some(_), Some((found, expected))) if found.starts_with("found \"") => {
            format!("found a text; expected {expected}")
        }
        _ => message,
    }
}

/// A text with escapes for what would break its line, as names of a file may have it.
fn on_one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    shown
}
