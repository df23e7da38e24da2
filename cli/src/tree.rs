//! The tree of values in a file, each with where it stands.
//!
//! JSON (`json`), YAML (`yaml`) and texts that hold JSON inside either (`embedded`) all become this one tree, which keeps
//! duplicate keys. Of it the core gets [`Node`]s, and of the paths in its errors come positions (`locate`).

mod embedded;
mod json;
mod locate;
mod merge;
mod plain;
mod yaml;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serin_core::Node;

pub(crate) use embedded::read_embedded;
pub(crate) use json::read as read_json;
pub(crate) use locate::locate;
pub(crate) use merge::MERGE;
pub(crate) use plain::{Reader, is_text, taken};
pub(crate) use yaml::{Ambiguous, read as read_yaml};

/// Values inside each other; no document is a dozen levels deep. As many as `serde_json` reads.
const DEEPEST: usize = 127;

/// A value, and the bytes of the file that it stands in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tree {
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    List(Vec<Tree>),
    /// In the order of the file, duplicates kept.
    Map(Vec<Entry>),
}

/// A text, and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// Whether it is a YAML block (`|` or `>`), whose lines stand in the file without quotes and escapes.
    pub(crate) is_block: bool,
}

impl Tree {
    /// The value as a reader takes it; `ambiguous` has the plain scalars that readers differ about.
    pub(crate) fn taken_by(mut self, reader: Reader, file: &str, ambiguous: &BTreeMap<usize, Ambiguous>) -> Self {
        self.value = match self.value {
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| item.taken_by(reader, file, ambiguous)).collect())
            }
            Value::Map(entries) => {
                let entries = entries.into_iter().map(|entry| Entry {
                    name: entry.name_taken_by(reader, ambiguous),
                    tree: entry.tree.taken_by(reader, file, ambiguous),
                    ..entry
                });
                let entries = entries.collect();
                Value::Map(if reader == Reader::Kubernetes { merge::merged(file, entries) } else { entries })
            }
            scalar => match ambiguous.get(&self.span.start).and_then(|of| file.get(self.span.start..of.end)) {
                Some(written) => plain::taken(written, reader),
                None => scalar,
            },
        };
        self
    }
}

impl Entry {
    /// Kubernetes makes texts of names, after it has read them.
    fn name_taken_by(&self, reader: Reader, ambiguous: &BTreeMap<usize, Ambiguous>) -> String {
        let is_ambiguous = reader == Reader::Kubernetes && ambiguous.contains_key(&self.name_span.start);
        match plain::taken(&self.name, reader) {
            Value::Bool(value) if is_ambiguous => value.to_string(),
            Value::Number(value) if is_ambiguous => value.to_string(),
            _ => self.name.clone(),
        }
    }
}

/// The path to a field of what stands at a path, as the core's errors have it.
pub(crate) fn path_below(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let dot = if path.is_empty() { "" } else { "." };
    if is_plain { format!("{path}{dot}{name}") } else { format!("{path}[{}]", serde_json::Value::from(name)) }
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) name_span: Range<usize>,
    pub(crate) tree: Tree,
}

/// Why a text is no JSON or no YAML.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SyntaxMistake {
    /// The byte of the file at which it stops making sense.
    pub(crate) at: usize,
    pub(crate) message: String,
    /// What usually helps.
    pub(crate) hint: Option<&'static str>,
}

impl Tree {
    /// The field of this name; the first one, if it stands there twice.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.name == name).map(|entry| &entry.tree)
    }

    /// The value behind these fields.
    pub(crate) fn at(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |tree, name| tree.get(name))
    }

    /// The fields, if it is an object.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The items, if it is a list.
    pub(crate) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(&text.text) } else { None }
    }

    /// Whether nothing stands there.
    pub(crate) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What the core reads.
    pub(crate) fn to_node(&self) -> Node<'_> {
        match &self.value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Number(value) => Node::Number(*value),
            Value::Text(text) => Node::String(Cow::Borrowed(&text.text)),
            Value::List(items) => Node::List(items.iter().map(Self::to_node).collect()),
            Value::Map(entries) => {
                let entries = entries.iter().map(|entry| (Cow::Borrowed(&*entry.name), entry.tree.to_node()));
                Node::Map(entries.collect())
            }
        }
    }
}
