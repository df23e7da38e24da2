//! `versions`: the variants of a rollout, their weights and places.

use super::super::reader::{Object, Path, Report, entries, whole};
use super::super::values;
use crate::error::{Kind, nearest};
use crate::node::Node;
use crate::rules::{OutputHeaders, OutputKind, Version, VersionId};
use crate::slot::{Place, Share};

const MOST_VERSIONS: usize = 64;
const PLACE: &str = "low, high or a whole number from -64 to 63";

/// A rollout's versions and how they share its traffic.
pub(super) struct Listed {
    /// Sorted by name.
    pub(super) versions: Vec<Version>,
    /// `None` if it is not among the versions.
    pub(super) stable: Option<VersionId>,
    /// Of every version but stable.
    pub(super) shares: Vec<Share>,
}

impl Listed {
    pub(super) fn find(&self, name: &str) -> Option<VersionId> {
        find(&self.versions, name)
    }
}

/// The versions, checked against `stable` and `total`; `None` if there is no list of them.
pub(super) fn read(
    rollout: &Object<'_>,
    stable: Option<&str>,
    total: u32,
    outputs: &OutputHeaders,
    report: &mut Report<'_>,
) -> Option<Listed> {
    let path = rollout.field("versions");
    let Some(node) = rollout.get("versions") else {
        report.add(&path, Kind::Missing { expected: "an object of versions by name".into() });
        return None;
    };
    let entries = entries(node, &path, "an object of versions by name", report)?;
    if report.limit(&path, entries.len(), MOST_VERSIONS, "versions") {
        return None;
    }
    let mut drafts: Vec<Draft> = Vec::with_capacity(entries.len());
    for (name, node) in entries.iter().filter(|(_, node)| *node != Node::Null) {
        let path = path.field(name);
        // Sorted as they come: there are few, and a sort would be some kilobytes of the module.
        let at = drafts.partition_point(|draft| *draft.version.name < **name);
        if drafts.get(at).is_some_and(|draft| draft.version.name == *name) {
            report.add(&path, Kind::DuplicateField);
        }
        drafts.insert(at, Draft::read(name, node, path, report));
    }
    let stable = find_stable(rollout, stable, &drafts, report);
    if let Some(stable) = stable {
        check_weights(&path, &drafts, stable, total, report);
        check_places(&path, &drafts, stable, report);
        check_stable_and_clusters(&path, &drafts, stable, outputs, report);
    }
    let shares = others(&drafts, stable).map(|(version, draft)| Share {
        version,
        weight: draft.weight.unwrap_or_default(),
        place: draft.place.unwrap_or(Place::LOW),
    });
    Some(Listed { shares: shares.collect(), stable, versions: drafts.into_iter().map(|draft| draft.version).collect() })
}

struct Draft {
    version: Version,
    weight: Option<u32>,
    place: Option<Place>,
}

impl Draft {
    /// A version that is no object is listed all the same, so that no other mistake seems to follow from it.
    fn read(name: &str, node: &Node<'_>, path: Path<'_>, report: &mut Report<'_>) -> Self {
        if values::version_name(name).is_none() {
            report.conflict(&path, format!("the name does not fit; expected {}", values::VERSION_NAME));
        }
        let mut version = Version { name: name.to_owned(), cluster: None, off: false };
        let Some(object) = Object::read(node, path, &["cluster", "weight", "place", "off"], report) else {
            return Self { version, weight: None, place: None };
        };
        version.cluster = object.text("cluster", values::CLUSTER, values::cluster, report);
        let weight = object.whole("weight", 0..=1_000_000, report);
        let place = object.with("place", |node, path| read_place(node, path, report));
        version.off = object.bool("off", report).unwrap_or(false);
        Self { version, weight, place }
    }
}

/// `low` and `high` are the numbers 0 and −1.
fn read_place(node: &Node<'_>, path: &Path<'_>, report: &mut Report<'_>) -> Option<Place> {
    let place = match node {
        Node::String(word) if word == "low" => Some(Place::LOW),
        Node::String(word) if word == "high" => Some(Place::HIGH),
        _ => whole(node).and_then(|number| i8::try_from(number).ok()).filter(|n| (-64..=63).contains(n)).map(Place),
    };
    if place.is_none() {
        report.wrong(path, node, PLACE);
    }
    place
}

fn find(versions: &[Version], name: &str) -> Option<VersionId> {
    let index = versions.binary_search_by(|version| version.name.as_str().cmp(name)).ok()?;
    u8::try_from(index).ok().map(VersionId)
}

fn find_stable(
    rollout: &Object<'_>,
    stable: Option<&str>,
    drafts: &[Draft],
    report: &mut Report<'_>,
) -> Option<VersionId> {
    let name = stable?;
    let found = drafts.iter().position(|draft| draft.version.name == name);
    if found.is_none() {
        let near = nearest(name, drafts.iter().map(|draft| draft.version.name.as_str()));
        let node = Node::String(name.into());
        report.wrong_name(&rollout.field("stable"), &node, "the name of a listed version", near);
    }
    found.and_then(|index| u8::try_from(index).ok()).map(VersionId)
}

/// Every version but stable.
fn others(drafts: &[Draft], stable: impl Into<Option<VersionId>>) -> impl Iterator<Item = (VersionId, &Draft)> {
    let stable = stable.into();
    let ids = (0..).map(VersionId).zip(drafts);
    ids.filter(move |(id, _)| Some(*id) != stable)
}

/// The weights fit into the total; with a weight on stable they add up to it.
fn check_weights(path: &Path<'_>, drafts: &[Draft], stable: VersionId, total: u32, report: &mut Report<'_>) {
    let canaries: u64 = others(drafts, stable).filter_map(|(_, draft)| draft.weight).map(u64::from).sum();
    let of_stable = drafts.get(stable.index()).and_then(|draft| draft.weight).map(u64::from);
    if canaries > u64::from(total) {
        report.conflict(path, format!("the weights add up to {canaries}; expected at most the total, {total}"));
    } else if let Some(weight) = of_stable.filter(|weight| weight + canaries != u64::from(total)) {
        let sum = weight + canaries;
        report
            .conflict(path, format!("with stable's the weights add up to {sum}; expected exactly the total, {total}"));
    }
}

/// With two or more weighted versions each needs a place of its own, or a change of one would move the others' units.
fn check_places(path: &Path<'_>, drafts: &[Draft], stable: VersionId, report: &mut Report<'_>) {
    let weighted = others(drafts, stable).filter(|(_, draft)| draft.weight.is_some()).count();
    for (_, draft) in others(drafts, stable).filter(|(_, draft)| draft.weight.is_some() && draft.place.is_none()) {
        if weighted > 1 {
            let kind = Kind::Missing { expected: format!("{PLACE}, since {weighted} versions here have a weight") };
            report.add(&path.field(&draft.version.name).field("place"), kind);
        }
    }
    for (index, draft) in drafts.iter().enumerate() {
        let same = |earlier: &&Draft| draft.place.is_some() && earlier.place == draft.place;
        if let Some(earlier) = drafts.iter().take(index).find(same) {
            let text = format!("the same place as that of \"{}\"; expected a place of its own", earlier.version.name);
            report.conflict(&path.field(&draft.version.name).field("place"), text);
        }
    }
}

fn check_stable_and_clusters(
    path: &Path<'_>,
    drafts: &[Draft],
    stable: VersionId,
    outputs: &OutputHeaders,
    report: &mut Report<'_>,
) {
    if let Some(draft) = drafts.get(stable.index()) {
        let path = path.field(&draft.version.name);
        if draft.version.off {
            report.conflict(&path.field("off"), "stable cannot be off; expected another stable, or off on the others");
        }
        if draft.place.is_some() {
            report.conflict(&path.field("place"), "stable has no place: it takes what the others leave");
        }
    }
    for (_, draft) in others(drafts, stable) {
        if let (Some(header), None) = (outputs.carrying(OutputKind::Cluster), &draft.version.cluster) {
            let expected = format!("the name of an Envoy cluster, which headers.cluster ({}) carries", header.as_str());
            report.add(&path.field(&draft.version.name).field("cluster"), Kind::Missing { expected });
        }
    }
}
