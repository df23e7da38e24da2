//! What is wrong with a document: where, what was found, what was expected, and what was probably meant.

use std::borrow::Cow;
use std::fmt;

use crate::node::LONGEST_SHOWN;

/// One mistake in a document.
///
/// Shown as one line, for example
/// `rollouts.reviews.versions.v2.wieght: unknown field; did you mean "weight"?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    rollout: Option<String>,
    kind: Kind,
}

impl ConfigError {
    pub(crate) fn new(path: String, rollout: Option<&str>, kind: Kind) -> Self {
        Self { path, rollout: rollout.map(str::to_owned), kind }
    }

    /// The JSON path of the value, such as `rollouts.reviews.total`; empty for the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    #[cfg(feature = "tools")]
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The rollout that the mistake is confined to; `None` if it spoils the whole document.
    pub fn rollout(&self) -> Option<&str> {
        self.rollout.as_deref()
    }
}

/// What stands in an error: nearly always text of the program itself.
pub(crate) type Text = Cow<'static, str>;

/// The kinds of mistakes. All of them are the author's of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Neither JSON nor a `Struct`; the text says where it stops making sense.
    Syntax(String),
    /// A field that does not exist here.
    UnknownField { nearest: Option<String>, known: String },
    /// The same field twice.
    DuplicateField,
    /// A field that has to be there.
    Missing { expected: Text },
    /// A value of the wrong type, form or range.
    Wrong { found: String, expected: Text, nearest: Option<String> },
    /// A value that contradicts another one.
    Conflict(Text),
    /// Too much of something.
    Limit { found: usize, most: usize, what: &'static str },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "document" } else { &self.path };
        write!(f, "{path}: {}", self.kind)?;
        self.kind.nearest().map_or(Ok(()), |name| write!(f, "; did you mean \"{name}\"?"))
    }
}

impl fmt::Display for Kind {
    /// Without what was probably meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(text) => write!(f, "neither JSON nor a Struct: {text}"),
            Self::UnknownField { nearest: Some(_), .. } => f.write_str("unknown field"),
            Self::UnknownField { nearest: None, known } => write!(f, "unknown field; expected one of {known}"),
            Self::DuplicateField => f.write_str("the field stands here twice; expected it once"),
            Self::Missing { expected } => write!(f, "missing; expected {expected}"),
            Self::Wrong { found, expected, .. } => write!(f, "found {found}; expected {expected}"),
            Self::Conflict(text) => f.write_str(text),
            Self::Limit { found, most, what } => write!(f, "found {found} {what}; expected at most {most}"),
        }
    }
}

impl Kind {
    /// The known name that was probably meant.
    pub(crate) fn nearest(&self) -> Option<&str> {
        match self {
            Self::UnknownField { nearest, .. } | Self::Wrong { nearest, .. } => nearest.as_deref(),
            _ => None,
        }
    }
}

impl std::error::Error for ConfigError {}

/// The known name that is nearest to what was written, if one is near enough to be what was meant, and no other one is as near.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let comparable = |name: &str| name.len() <= LONGEST_SHOWN;
    if !comparable(written) {
        return None;
    }
    let written = written.to_ascii_lowercase();
    let near = known
        .into_iter()
        .filter(|name| comparable(name))
        .map(|name| (strsim::levenshtein(&written, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(written.len()) / 4);
    let mut best: Option<(usize, Option<&str>)> = None;
    for (distance, name) in near {
        match best {
            Some((least, _)) if least < distance => {}
            Some((least, _)) if least == distance => best = Some((least, None)),
            _ => best = Some((distance, Some(name))),
        }
    }
    best?.1.map(str::to_owned)
}
