//! Walking a [`Node`] tree: paths, typed fields, and every mistake collected instead of the first one thrown.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use crate::error::{ConfigError, Kind, Text, nearest};
use crate::header::HeaderName;
use crate::node::{LONGEST_SHOWN, Node, quote};

/// The way from the document's root to a value. Lives on the stack; turned into text only for an error.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    pub(super) fn field(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    pub(super) fn item(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Item(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Field(name) => {
                let dot = if self.parent.is_some_and(|parent| parent.parent.is_some()) { "." } else { "" };
                let short = (1..=LONGEST_SHOWN).contains(&name.len());
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                if short && name.bytes().all(plain) { write!(f, "{dot}{name}") } else { write!(f, "[{}]", quote(name)) }
            }
        }
    }
}

/// So many mistakes of a document are told; of more, only the number.
const MOST_ERRORS: usize = 1_000;

/// Of all rollouts together.
const MOST_STRIPPED: usize = 32;

/// The mistakes found so far, and the rollout that new ones are confined to.
#[derive(Default)]
pub(super) struct Report<'a> {
    pub(super) errors: Vec<ConfigError>,
    /// All mistakes, also those that are not in `errors`.
    pub(super) count: usize,
    /// Whether one of them is confined to no rollout.
    pub(super) spoiled: bool,
    pub(super) rollout: Option<&'a str>,
    /// Regexes that the document holds, also those that are one too many and were not compiled.
    pub(super) regexes: usize,
    /// Those of the rollout in hand.
    pub(super) regexes_of_rollout: usize,
    /// The names of headers that go with versions or hold secrets: each is asked for on every request.
    pub(super) stripped: Vec<HeaderName>,
    /// What is no mistake, and yet keeps a part of the document from working.
    pub(super) warnings: Vec<ConfigError>,
}

impl Report<'_> {
    pub(super) fn add(&mut self, path: &Path<'_>, kind: Kind) {
        self.add_with(path, || kind);
    }

    /// Whether what stands there is known to be wrong.
    pub(super) fn has_error_at(&self, path: &Path<'_>) -> bool {
        let path = path.to_string();
        self.errors.iter().any(|error| error.path() == path)
    }

    /// Reports a secret that the environment lacks. The document is not spoiled: it works as far as it can without.
    pub(super) fn missing_secret(&mut self, path: &Path<'_>, text: String, needed: bool) {
        if needed {
            let error = self.error(path, Kind::Conflict(text.into()));
            self.count += 1;
            if self.errors.len() < MOST_ERRORS {
                self.errors.push(error);
            }
        } else {
            self.warn(path, text);
        }
    }

    /// Notes what is no mistake and yet surely not meant.
    pub(super) fn warn(&mut self, path: &Path<'_>, text: impl Into<Text>) {
        if self.warnings.len() < MOST_ERRORS {
            let warning = self.error(path, Kind::Conflict(text.into()));
            self.warnings.push(warning);
        }
    }

    /// As [`Report::add`], for what is not worth working out when it is not kept.
    pub(super) fn add_with(&mut self, path: &Path<'_>, kind: impl FnOnce() -> Kind) {
        self.count += 1;
        self.spoiled |= self.rollout.is_none();
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(self.error(path, kind()));
        }
    }

    fn error(&self, path: &Path<'_>, kind: Kind) -> ConfigError {
        // A name that is too long is wrong anyway, and is not repeated in every error.
        let rollout = self.rollout.map(|name| if name.len() > LONGEST_SHOWN { "(a long name)" } else { name });
        ConfigError::new(path.to_string(), rollout, kind)
    }

    /// Reports more than `most` of something; whether there were.
    pub(super) fn limit(&mut self, path: &Path<'_>, found: usize, most: usize, what: &'static str) -> bool {
        if found > most {
            self.add(path, Kind::Limit { found, most, what });
        }
        found > most
    }

    /// Notes a header that goes with a version or holds a secret; one too many is a mistake of the rollout that brings it.
    pub(super) fn strip(&mut self, path: &Path<'_>, name: &HeaderName) {
        if self.stripped.contains(name) {
            return;
        }
        if self.stripped.len() < MOST_STRIPPED {
            return self.stripped.push(name.clone());
        }
        let text = format!("set_headers and secrets of the document have {MOST_STRIPPED} different headers already");
        self.conflict(path, text + "; expected one of those");
    }

    pub(super) fn wrong(&mut self, path: &Path<'_>, node: &Node<'_>, expected: &str) {
        self.wrong_name(path, node, expected, None);
    }

    pub(super) fn wrong_name(&mut self, path: &Path<'_>, node: &Node<'_>, expected: &str, nearest: Option<String>) {
        self.add(path, Kind::Wrong { found: node.describe(), expected: expected.to_owned().into(), nearest });
    }

    pub(super) fn conflict(&mut self, path: &Path<'_>, text: impl Into<Text>) {
        self.conflict_of(path, text.into());
    }

    fn conflict_of(&mut self, path: &Path<'_>, text: Text) {
        self.add(path, Kind::Conflict(text));
    }
}

/// An object whose fields are all known and stand in it once.
pub(super) struct Object<'a> {
    entries: &'a [(Cow<'a, str>, Node<'a>)],
    pub(super) path: Path<'a>,
}

impl<'a> Object<'a> {
    /// The object at `path`, with every unknown or repeated field reported.
    pub(super) fn read(node: &'a Node<'_>, path: Path<'a>, known: &[&str], report: &mut Report<'_>) -> Option<Self> {
        let Node::Map(entries) = node else {
            report.wrong(&path, node, "an object");
            return None;
        };
        // One bit for each known field, of which there are never as many as 63, and the last for another name of one.
        let mut seen = 0_u64;
        for (name, _) in entries {
            match known.iter().zip(0_u32..).find(|(known, _)| **known == field_name(name)) {
                Some((known, at)) => {
                    let bit = 1 << if name == known { at } else { 63 };
                    if seen & bit != 0 {
                        report.add(&path.field(name), Kind::DuplicateField);
                    }
                    seen |= bit;
                }
                None => report.add_with(&path.field(name), || Kind::UnknownField {
                    nearest: nearest(name, known.iter().copied()),
                    known: known.join(", "),
                }),
            }
        }
        Some(Self { entries, path })
    }

    /// The field's value; `null` means that it is not there. Where it stands under both of its names, `false` says nothing: a kill
    /// switch is in force if either is.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node<'a>> {
        let mut found = None;
        for (key, node) in self.entries {
            let says_nothing = matches!(node, Node::Null) || found.is_some() && matches!(node, Node::Bool(false));
            if field_name(key) == name && !says_nothing {
                found = Some(node);
            }
        }
        found
    }

    pub(super) fn field(&self, name: &'a str) -> Path<'_> {
        self.path.field(name)
    }

    /// Reports a field that contradicts another one.
    pub(super) fn conflict(&self, report: &mut Report<'_>, name: &str, text: impl Into<Text>) {
        self.conflict_of(report, name, text.into());
    }

    fn conflict_of(&self, report: &mut Report<'_>, name: &str, text: Text) {
        report.conflict_of(&self.path.field(name), text);
    }

    /// Reports a field that has to be there and is not.
    pub(super) fn require(&self, report: &mut Report<'_>, name: &str, expected: &'static str) {
        if self.get(name).is_none() {
            report.add(&self.path.field(name), Kind::Missing { expected: expected.into() });
        }
    }

    /// Reads the field with `read`, if it is there.
    pub(super) fn with<T>(&self, name: &str, read: impl FnOnce(&'a Node<'a>, &Path<'_>) -> Option<T>) -> Option<T> {
        let node = self.get(name)?;
        read(node, &self.path.field(name))
    }

    pub(super) fn bool(&self, name: &str, report: &mut Report<'_>) -> Option<bool> {
        self.with(name, |node, path| match node {
            Node::Bool(value) => Some(*value),
            _ => {
                report.wrong(path, node, "true or false");
                None
            }
        })
    }

    pub(super) fn whole(&self, name: &str, range: RangeInclusive<u32>, report: &mut Report<'_>) -> Option<u32> {
        self.with(name, |node, path| whole_within(node, path, range, report))
    }

    /// Text that `parse` understands, described by `expected`.
    pub(super) fn text<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let node = self.get(name)?;
        let value = node.text().and_then(parse);
        if value.is_none() {
            report.wrong(&self.path.field(name), node, expected);
        }
        value
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
        let node = self.get(name)?;
        let word = |at: usize| words.get(at).map(|(word, _)| *word);
        let found = read_word(node, &self.path.field(name), &word, report)?;
        words.get(found).map(|(_, value)| *value)
    }
}

/// The name of a field. In the YAML that Kubernetes reads a bare `off` is false, even as a name, and arrives as the text of that.
fn field_name(name: &str) -> &str {
    if name == "false" { "off" } else { name }
}

/// The index of the word that stands here. Apart from [`Object::choice`], which is built for every kind of choice.
fn read_word<'w>(
    node: &Node<'_>,
    path: &Path<'_>,
    word: &dyn Fn(usize) -> Option<&'w str>,
    report: &mut Report<'_>,
) -> Option<usize> {
    let words: Vec<&str> = (0..).map_while(word).collect();
    let Node::String(written) = node else {
        report.wrong(path, node, &one_of(&words));
        return None;
    };
    let found = words.iter().position(|word| word == written);
    if found.is_none() {
        report.wrong_name(path, node, &one_of(&words), nearest(written, words.iter().copied()));
    }
    found
}

/// The items of a list, each with its path.
pub(super) fn items<'a>(
    node: &'a Node<'_>,
    path: &Path<'_>,
    expected: &str,
    report: &mut Report<'_>,
) -> &'a [Node<'a>] {
    if let Node::List(items) = node {
        return items;
    }
    report.wrong(path, node, expected);
    &[]
}

/// The entries of an object whose keys are names, not fields.
pub(super) fn entries<'a>(
    node: &'a Node<'_>,
    path: &Path<'_>,
    expected: &str,
    report: &mut Report<'_>,
) -> Option<&'a [(Cow<'a, str>, Node<'a>)]> {
    if let Node::Map(entries) = node {
        return Some(entries);
    }
    report.wrong(path, node, expected);
    None
}

/// Text that `parse` understands, described by `expected`.
pub(super) fn text<T>(
    node: &Node<'_>,
    path: &Path<'_>,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
    report: &mut Report<'_>,
) -> Option<T> {
    let value = node.text().and_then(parse);
    if value.is_none() {
        report.wrong(path, node, expected);
    }
    value
}

/// A whole number in a range.
pub(super) fn whole_within(
    node: &Node<'_>,
    path: &Path<'_>,
    range: RangeInclusive<u32>,
    report: &mut Report<'_>,
) -> Option<u32> {
    let value = whole(node).and_then(|value| u32::try_from(value).ok()).filter(|value| range.contains(value));
    if value.is_none() {
        report.wrong(path, node, &format!("a whole number from {} to {}", range.start(), range.end()));
    }
    value
}

/// A number without a fraction.
pub(super) fn whole(node: &Node<'_>) -> Option<i64> {
    const LARGEST: f64 = 1e15;
    match node {
        #[allow(clippy::cast_possible_truncation)] // Whole and far inside i64.
        Node::Number(value) if value.abs() <= LARGEST && value.trunc() == *value => Some(*value as i64),
        _ => None,
    }
}

fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
