//! `rules`: segments of the requests that get a version, or other weights.

use super::super::entry;
use super::super::reader::{Object, Path, Report, entries, items};
use super::Context;
use super::versions::Listed;
use crate::node::Node;
use crate::rules::{Rule, Then, VersionId};

const MOST_RULES: usize = 1_000;

/// The rules of a rollout. What they say about versions is checked against those that are listed.
pub(super) fn read(
    rollout: &Object<'_>,
    listed: Option<&mut Listed>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Vec<Rule> {
    let (Some(node), Some(listed)) = (rollout.get("rules"), listed) else { return Vec::new() };
    let path = rollout.field("rules");
    let items = items(node, &path, "a list of objects with when, and use or weights", report);
    if matches!(node, Node::List(items) if items.is_empty()) {
        report.conflict(&path, "found an empty list; expected a rule, or no rules");
    }
    if report.limit(&path, items.len(), MOST_RULES, "rules") {
        return Vec::new();
    }
    let items = items.iter().enumerate();
    items.filter_map(|(index, node)| read_rule(node, path.item(index), listed, context, report)).collect()
}

fn read_rule(
    node: &Node<'_>,
    path: Path<'_>,
    listed: &mut Listed,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let object = Object::read(node, path, &["when", "use", "weights"], report)?;
    let when = object.with("when", |node, path| Some(entry::read_entry(node, *path, &context.outputs, report)));
    let named = object.with("use", |node, path| listed.read_name(node, path, report));
    let weights = object.with("weights", |node, path| read_weights(node, path, listed, report));
    if object.get("use").is_some() == object.get("weights").is_some() {
        report.conflict(&object.path, "expected one of use and weights");
    }
    let then = match (named, weights) {
        (Some(version), _) => Then::Use(version),
        (None, Some(weights)) => Then::Weights(listed.add_weights(&weights, &object.field("weights"), report)),
        (None, None) => return None,
    };
    match when {
        None => Some(Rule { when: None, then }),
        Some(when) => Some(Rule { when: Some(when?), then }),
    }
}

fn read_weights(
    node: &Node<'_>,
    path: &Path<'_>,
    listed: &Listed,
    report: &mut Report<'_>,
) -> Option<Vec<(VersionId, u32)>> {
    let entries = entries(node, path, "an object of weights by version", report)?;
    let mut weights: Vec<(VersionId, u32)> = Vec::new();
    for (name, weight) in entries.iter().filter(|(_, weight)| *weight != Node::Null) {
        let path = path.field(name);
        let version = listed.read_name(&Node::String(name.clone()), &path, report);
        let weight = super::super::reader::whole_within(weight, &path, 0..=1_000_000, report);
        let (Some(version), Some(weight)) = (version, weight) else { continue };
        if weights.iter().any(|(earlier, _)| *earlier == version) {
            report.add(&path, crate::error::Kind::DuplicateField);
        }
        weights.push((version, weight));
    }
    if entries.iter().all(|(_, weight)| *weight == Node::Null) {
        report.conflict(path, "found no weights; expected at least one");
    }
    Some(weights)
}
