//! What a value looks like: a rules document, or the configuration of something else.

use crate::tree::{Entry, Tree, Value};

/// How much a value looks like a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    Ours,
    /// It may be a document with mistakes, and may as well be somebody else's.
    Perhaps,
    Other,
}

/// The fields of a document, by which it is known.
const FIELDS: [&str; 6] = ["rollouts", "cookie", "keys", "headers", "inbound", "access_log"];

/// The one that other plugins hardly have; cookies, keys, headers and logs are everybody's.
const OURS_ALONE: &str = "inbound";

/// What the configuration of a plugin looks like.
pub(super) fn likeness(tree: &Tree) -> Likeness {
    match &tree.value {
        Value::Map(entries) if entries.iter().any(is_rollouts) => Likeness::Ours,
        Value::Map(entries) if !entries.iter().all(|entry| FIELDS.contains(&&*entry.name)) => Likeness::Other,
        Value::Map(entries) if entries.iter().any(|entry| entry.name == OURS_ALONE) => Likeness::Ours,
        // A document in a text, where an object is meant.
        Value::Text(text) if text.text.contains("rollouts") => Likeness::Ours,
        _ => Likeness::Perhaps,
    }
}

/// Whether an object has a field of a document, or nearly its main one.
pub(super) fn has_field_of_ours(tree: &Tree) -> bool {
    tree.entries().iter().any(|entry| is_rollouts(entry) || FIELDS.contains(&&*entry.name))
}

fn is_rollouts(entry: &Entry) -> bool {
    serin_core::nearest(&entry.name, ["rollouts"]).is_some()
}
