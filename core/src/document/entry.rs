//! An entry of `match`, or a rule's `when`: hosts, path and conditions.

mod matcher;

use std::sync::Arc;

use super::headers::read_input;
use super::reader::{Object, Path, Report, items, text};
use super::values;
use crate::condition::{Condition, Conditions, MatchEntry, Network, PathPattern};
use crate::header::HeaderName;
use crate::node::Node;
use crate::rules::OutputHeaders;

const FIELDS: [&str; 7] = ["hosts", "path", "methods", "headers", "cookies", "query", "source"];

/// How many items a list may have, and what they are.
type Most = (usize, &'static str);

/// Hosts are limited for all rollouts together.
const MOST_HOSTS: Most = (usize::MAX, "hosts");
/// Of one rollout.
pub(super) const MOST_REGEXES: usize = 32;
const MOST_METHODS: Most = (64, "methods");
const MOST_CONDITIONS: Most = (16, "conditions");
const MOST_NETWORKS: Most = (1_000, "networks");

/// The entry, if there is no mistake in it.
pub(super) fn read_entry(
    node: &Node<'_>,
    path: Path<'_>,
    outputs: &OutputHeaders,
    report: &mut Report<'_>,
) -> Option<MatchEntry> {
    let before = report.count;
    let object = Object::read(node, path, &FIELDS, report)?;
    let hosts = read_list(&object, "hosts", MOST_HOSTS, report, |node, path, report| {
        text(node, path, values::HOST, values::host, report)
    });
    let path = object.with("path", |node, path| read_path(node, *path, report)).unwrap_or(PathPattern::Any);
    let conditions = read_conditions(&object, outputs, report);
    (report.count == before).then_some(MatchEntry { hosts, path, conditions })
}

/// `None` if there are none.
fn read_conditions(object: &Object<'_>, outputs: &OutputHeaders, report: &mut Report<'_>) -> Option<Arc<Conditions>> {
    let conditions = Conditions {
        methods: read_list(object, "methods", MOST_METHODS, report, |node, path, report| {
            text(node, path, values::METHOD, values::method, report)
        }),
        headers: read_named(object, "headers", report, &|node, path, report| {
            read_input(node, path, outputs, report).map(HeaderName::into_string)
        }),
        cookies: read_named(object, "cookies", report, &|node, path, report| {
            text(node, path, values::COOKIE_NAME, values::cookie_name, report)
        }),
        query: read_named(object, "query", report, &|node, path, report| {
            text(node, path, values::QUERY_NAME, values::query_name, report)
        }),
        source: read_list(object, "source", MOST_NETWORKS, report, read_network),
    };
    (conditions.rank() > 0).then(|| Arc::new(conditions))
}

/// Conditions on what has a name; `read_name` knows which names there are. Behind a reference, so that there is only one
/// of this function in the module.
fn read_named(
    object: &Object<'_>,
    field: &str,
    report: &mut Report<'_>,
    read_name: &dyn Fn(&Node<'_>, &Path<'_>, &mut Report<'_>) -> Option<String>,
) -> Vec<Condition> {
    read_list(object, field, MOST_CONDITIONS, report, |node, path, report| {
        let object = Object::read(node, *path, &matcher::FIELDS, report)?;
        let name = object.with("name", |node, path| read_name(node, path, report));
        object.require(report, "name", "the name of what is to match");
        let matcher = matcher::read(&object, report);
        Some(Condition { name: name?, matcher: matcher? })
    })
}

/// What can be read of a list's items, in a list that takes no more room than they need: rollouts are many, and collecting
/// would take room for four.
pub(super) fn exactly<T>(nodes: &[Node<'_>], mut read: impl FnMut(usize, &Node<'_>) -> Option<T>) -> Vec<T> {
    let mut items = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        items.extend(read(index, node));
    }
    items
}

/// The items of a list that must not be empty; a field that is not there is no list.
fn read_list<T>(
    object: &Object<'_>,
    name: &str,
    (most, what): Most,
    report: &mut Report<'_>,
    read: impl Fn(&Node<'_>, &Path<'_>, &mut Report<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(node) = object.get(name) else { return Vec::new() };
    let path = object.field(name);
    let nodes = items(node, &path, "a list", report);
    if matches!(node, Node::List(nodes) if nodes.is_empty()) {
        report.conflict(
            &path,
            format!("found an empty list, which matches nothing; expected at least one, or no {name}"),
        );
    }
    if report.limit(&path, nodes.len(), most, what) {
        return Vec::new();
    }
    exactly(nodes, |index, node| read(node, &path.item(index), report))
}

fn read_path(node: &Node<'_>, path: Path<'_>, report: &mut Report<'_>) -> Option<PathPattern> {
    let object = Object::read(node, path, &["exact", "prefix", "regex"], report)?;
    let exact = object.text("exact", values::PATH, values::exact_path, report);
    let prefix = object.text("prefix", values::PATH, values::prefix_path, report);
    let regex = object.with("regex", |node, path| matcher::read_pattern(node, path, false, report));
    if ["exact", "prefix", "regex"].iter().filter(|name| object.get(name).is_some()).count() != 1 {
        report.conflict(&object.path, "expected one of exact, prefix and regex");
    }
    exact.or(prefix).or(regex.map(|pattern| PathPattern::Regex(Arc::new(pattern))))
}

fn read_network(node: &Node<'_>, path: &Path<'_>, report: &mut Report<'_>) -> Option<Network> {
    let (network, is_first) = text(node, path, values::NETWORK, values::network, report)?;
    if let (false, Node::String(written)) = (is_first, node) {
        let bits = written.split_once('/').map_or("", |(_, bits)| bits);
        let text = format!("the address has bits behind the network's; did you mean \"{}/{bits}\"?", network.first());
        report.conflict(path, text);
    }
    is_first.then_some(network)
}
