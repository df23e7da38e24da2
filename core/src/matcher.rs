//! String matchers: what a header, a cookie or a query parameter has to be.
//!
//! Values are bytes as they came in. A value that is not there fails every matcher but `present: false`; `invert` turns
//! the outcome round, whatever it is.

use std::borrow::Cow;
use std::fmt;

use regex_lite::{Regex, RegexBuilder};

/// One matcher.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matcher {
    pub(crate) test: Test,
    pub(crate) invert: bool,
    pub(crate) ignore_case: bool,
}

/// What a value is compared with. With `ignore_case` the texts are in lower case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Present(bool),
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    Contains(Box<[u8]>),
    /// Sorted.
    In(Vec<Box<[u8]>>),
    Regex(Box<Pattern>),
}

/// A longer value is there, and that is all that is asked of it: a document may have a thousand matchers.
const LONGEST_VALUE: usize = 8192;

impl Matcher {
    pub(crate) fn new(test: Test, invert: bool, ignore_case: bool) -> Self {
        Self { test, invert, ignore_case }
    }

    /// Whether a value, or its absence, is what the document asks for.
    pub(crate) fn holds(&self, value: Option<&[u8]>) -> bool {
        let found = match (&self.test, value) {
            (Test::Present(wanted), _) => *wanted == value.is_some(),
            (_, None) => false,
            (_, Some(value)) if value.len() > LONGEST_VALUE => false,
            (Test::Regex(pattern), Some(value)) => pattern.is_match(value),
            (test, Some(value)) if self.ignore_case => test.accepts(&lower_case(value)),
            (test, Some(value)) => test.accepts(value),
        };
        found != self.invert
    }

    /// How many regexes it runs.
    pub(crate) fn regexes(&self) -> usize {
        usize::from(matches!(self.test, Test::Regex(_)))
    }
}

impl Test {
    fn accepts(&self, value: &[u8]) -> bool {
        match self {
            Self::Present(wanted) => *wanted,
            Self::Exact(text) => *value == **text,
            Self::Prefix(text) => value.starts_with(text),
            Self::Suffix(text) => value.ends_with(text),
            Self::Contains(text) => value.windows(text.len().max(1)).any(|window| *window == **text),
            Self::In(texts) => texts.binary_search_by(|text| (**text).cmp(value)).is_ok(),
            Self::Regex(pattern) => pattern.is_match(value),
        }
    }
}

/// ASCII alone: other bytes are what they are.
fn lower_case(value: &[u8]) -> Cow<'_, [u8]> {
    if value.iter().any(u8::is_ascii_uppercase) { Cow::Owned(value.to_ascii_lowercase()) } else { Cow::Borrowed(value) }
}

/// A regular expression that has to match a whole value.
#[derive(Clone)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// The longest value that is tried, in bytes: the time grows with the value times the pattern.
    pub(crate) const LONGEST_VALUE: usize = 2048;

    /// The compiled form of a pattern may take so many bytes.
    const LARGEST: usize = 16 * 1024;

    /// What is wrong with it, in the words of the regex library, if it is none or too large.
    pub(crate) fn new(pattern: &str, ignore_case: bool) -> Result<Self, regex_lite::Error> {
        let build =
            |pattern: &str| RegexBuilder::new(pattern).case_insensitive(ignore_case).size_limit(Self::LARGEST).build();
        // By itself first, so that `a)|(b` is a mistake and does not break out of the anchors.
        build(pattern)?;
        build(&format!("^(?:{pattern})$")).map(Self)
    }

    /// The expression as the document has it.
    #[cfg(feature = "tools")]
    pub(crate) fn as_str(&self) -> &str {
        let anchored = self.0.as_str();
        anchored.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$")).unwrap_or(anchored)
    }

    /// How many capturing groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.0.captures_len() - 1
    }

    /// Whether the whole value matches. One that is not UTF-8, or longer than [`Pattern::LONGEST_VALUE`], does not.
    pub(crate) fn is_match(&self, value: &[u8]) -> bool {
        value.len() <= Self::LONGEST_VALUE && std::str::from_utf8(value).is_ok_and(|text| self.0.is_match(text))
    }
}

impl PartialEq for Pattern {
    /// By their texts; whoever compares matchers compares `ignore_case` beside.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}
