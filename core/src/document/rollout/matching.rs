//! `match`: which requests a rollout covers.

use super::super::reader::{Object, Path, Report, items, text};
use super::super::values;
use crate::node::Node;
use crate::rules::{HostPattern, MatchEntry, PathPattern};

const LIST: &str = "a list of objects with hosts or path";

/// The entries that could be read: of a broken rollout, what they cover goes to stable.
pub(super) fn read(rollout: &Object<'_>, report: &mut Report<'_>) -> Vec<MatchEntry> {
    let Some(node) = rollout.get("match") else {
        return vec![MatchEntry { hosts: Vec::new(), path: PathPattern::Any }];
    };
    let path = rollout.field("match");
    let entries = items(node, &path, LIST, report);
    if matches!(node, Node::List(entries) if entries.is_empty()) {
        report.conflict(
            &path,
            "found an empty list, which matches nothing; expected an entry, or no match for every request",
        );
    }
    let read = entries.iter().enumerate().filter_map(|(index, entry)| read_entry(entry, path.item(index), report));
    read.collect()
}

fn read_entry(node: &Node, path: Path<'_>, report: &mut Report<'_>) -> Option<MatchEntry> {
    let before = report.count;
    let object = Object::read(node, path, &["hosts", "path"], report)?;
    let hosts = object.with("hosts", |node, path| Some(read_hosts(node, path, report))).unwrap_or_default();
    let path = object.with("path", |node, path| read_path(node, *path, report)).unwrap_or(PathPattern::Any);
    (report.count == before).then_some(MatchEntry { hosts, path })
}

fn read_hosts(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Vec<HostPattern> {
    let hosts = items(node, path, "a list of hosts", report);
    if matches!(node, Node::List(hosts) if hosts.is_empty()) {
        report.conflict(path, "found an empty list, which matches nothing; expected a host, or no hosts for every one");
    }
    let read = hosts.iter().enumerate();
    read.filter_map(|(index, host)| text(host, &path.item(index), values::HOST, values::host, report)).collect()
}

fn read_path(node: &Node, path: Path<'_>, report: &mut Report<'_>) -> Option<PathPattern> {
    let object = Object::read(node, path, &["exact", "prefix"], report)?;
    let exact = object.text("exact", values::PATH, values::exact_path, report);
    let prefix = object.text("prefix", values::PATH, values::prefix_path, report);
    if object.get("exact").is_some() == object.get("prefix").is_some() {
        report.conflict(&object.path, "expected one of exact and prefix");
    }
    exact.or(prefix)
}
