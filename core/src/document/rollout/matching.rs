//! `match`: which requests a rollout covers.

use super::super::entry::{exactly, read_entry};
use super::super::reader::{Object, Report, items};
use crate::condition::MatchEntry;
use crate::node::Node;
use crate::rules::OutputHeaders;

const LIST: &str = "a list of objects with hosts, path, methods, headers, cookies, query or source";

/// The entries that could be read: of a broken rollout, what they cover goes to stable.
pub(super) fn read(rollout: &Object<'_>, outputs: &OutputHeaders, report: &mut Report<'_>) -> Vec<MatchEntry> {
    let Some(node) = rollout.get("match") else { return vec![MatchEntry::ALL] };
    let path = rollout.field("match");
    let entries = items(node, &path, LIST, report);
    if matches!(node, Node::List(entries) if entries.is_empty()) {
        report.conflict(
            &path,
            "found an empty list, which matches nothing; expected an entry, or no match for every request",
        );
    }
    exactly(entries, |index, entry| read_entry(entry, path.item(index), outputs, report))
}
