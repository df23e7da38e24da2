//! `versions`: the variants of a rollout, their weights and places.

use super::super::reader::{Object, Path, Report, entries, text, whole};
use super::super::values;
use crate::error::{Kind, nearest};
use crate::header::HeaderName;
use crate::list;
use crate::node::Node;
use crate::rules::{OutputHeaders, OutputKind, Shares, Version, VersionId, Weights};
use crate::schedule::Schedule;
use crate::slot::{Place, Share};

const MOST_VERSIONS: usize = 64;
const MOST_SET_HEADERS: usize = 16;
const PLACE: &str = "low, high or a whole number from -64 to 63";

/// A rollout's versions and their claims on its traffic.
pub(super) struct Listed {
    /// Sorted by name.
    pub(super) versions: Vec<Version>,
    /// `None` if it is not among the versions.
    pub(super) stable: Option<VersionId>,
    total: u32,
    /// In the order of the versions.
    claims: Vec<Claim>,
    /// The version whose weight follows the clock, and the highest that it comes to.
    scheduled: Option<(VersionId, u32)>,
    /// The weights of the rules that have some.
    pub(super) rule_weights: Vec<Weights>,
}

/// What one version claims.
#[derive(Default)]
struct Claim {
    weight: Option<u32>,
    place: Option<Place>,
    /// Whether a rule gives it a weight.
    in_rule: bool,
}

impl Claim {
    fn is_weighted(&self) -> bool {
        self.weight.is_some() || self.in_rule
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
    let mut listed = Listed {
        versions: Vec::with_capacity(entries.len()),
        stable: None,
        total,
        claims: Vec::new(),
        scheduled: None,
        rule_weights: Vec::new(),
    };
    for (name, node) in entries.iter().filter(|(_, node)| *node != Node::Null) {
        let path = path.field(name);
        // Sorted as they come: there are few, and a sort would be some kilobytes of the module.
        let at = listed.versions.partition_point(|version| *version.name < **name);
        let is_listed = listed.versions.get(at).is_some_and(|version| version.name == *name);
        if is_listed {
            report.add(&path, Kind::DuplicateField);
        }
        let (version, claim) = read_version(name, node, path, outputs, report);
        if is_listed {
            continue;
        }
        list::insert(&mut listed.versions, at, version);
        list::insert(&mut listed.claims, at, claim);
    }
    listed.stable = listed.find_stable(rollout, stable, report);
    if let Some(stable) = listed.stable {
        listed.check_sum(&[], &path, report);
        listed.check_stable_and_clusters(&path, stable, outputs, report);
    }
    Some(listed)
}

/// A version that is no object is listed all the same, so that no other mistake seems to follow from it.
fn read_version(
    name: &str,
    node: &Node<'_>,
    path: Path<'_>,
    outputs: &OutputHeaders,
    report: &mut Report<'_>,
) -> (Version, Claim) {
    const FIELDS: [&str; 5] = ["cluster", "weight", "place", "off", "set_headers"];
    if values::version_name(name).is_none() {
        report.conflict(&path, format!("the name does not fit; expected {}", values::VERSION_NAME));
    }
    let mut version = Version { name: name.to_owned(), ..Version::default() };
    let Some(object) = Object::read(node, path, &FIELDS, report) else { return (version, Claim::default()) };
    version.cluster = object.text("cluster", values::CLUSTER, values::cluster, report);
    let weight = object.whole("weight", 0..=1_000_000, report);
    let place = object.with("place", |node, path| read_place(node, path, report));
    version.off = object.bool("off", report).unwrap_or(false);
    let set_headers = object.with("set_headers", |node, path| read_set(node, path, outputs, report));
    version.set_headers = set_headers.unwrap_or_default();
    (version, Claim { weight, place, in_rule: false })
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

impl Listed {
    /// Whether a version comes with this header.
    pub(super) fn sets(&self, header: &str) -> bool {
        self.versions.iter().flat_map(|version| &version.set_headers).any(|(name, _)| name.as_str() == header)
    }

    pub(super) fn find(&self, name: &str) -> Option<VersionId> {
        let index = self.versions.binary_search_by(|version| version.name.as_str().cmp(name)).ok()?;
        u8::try_from(index).ok().map(VersionId)
    }

    /// The version that a value names.
    pub(super) fn read_name(&self, node: &Node<'_>, path: &Path<'_>, report: &mut Report<'_>) -> Option<VersionId> {
        let found = node.text().and_then(|name| self.find(name));
        if found.is_none() {
            let names = || self.versions.iter().map(|version| version.name.as_str());
            let near = node.text().and_then(|name| nearest(name, names()));
            report.wrong_name(path, node, "the name of a listed version", near);
        }
        found
    }

    /// The weights of the versions.
    pub(super) fn weights(&self) -> Weights {
        self.laid_out(&[])
    }

    /// Notes a rule's weights, and gives their index; versions that they do not name keep theirs.
    pub(super) fn add_weights(
        &mut self,
        changed: &[(VersionId, u32)],
        path: &Path<'_>,
        report: &mut Report<'_>,
    ) -> usize {
        for (version, _) in changed {
            if let Some(claim) = self.claims.get_mut(version.index()) {
                claim.in_rule = true;
            }
        }
        self.check_sum(changed, path, report);
        self.rule_weights.push(self.laid_out(changed));
        self.rule_weights.len() - 1
    }

    /// Has the weight of a version follow the clock, and tells whether it does: an explicit weight of 0 wins. To be asked before
    /// rules are read.
    pub(super) fn follow(&mut self, schedule: &Schedule, rollout: &Object<'_>, report: &mut Report<'_>) -> bool {
        let version = schedule.version;
        let object = rollout.field("schedule");
        if self.claims.get(version.index()).is_some_and(|claim| claim.weight == Some(0)) {
            report.warn(
                &object,
                "it does nothing while its version has a weight of 0, which wins; expected no weight there",
            );
            return false;
        }
        self.scheduled = Some((version, schedule.peak()));
        self.check_sum(&[], &object.field("steps"), report);
        true
    }

    /// The highest weight that the clock gives a version.
    fn peak(&self, version: VersionId) -> Option<u32> {
        self.scheduled.filter(|(scheduled, _)| *scheduled == version).map(|(_, peak)| peak)
    }

    /// The versions that have a weight, of their own or by a rule.
    pub(super) fn weighted(&self) -> impl Iterator<Item = &Version> {
        let both = self.versions.iter().zip(&self.claims);
        both.filter(|(_, claim)| claim.is_weighted()).map(|(version, _)| version)
    }

    /// The cluster of stable, if it has one.
    pub(super) fn stable_cluster(&self) -> Option<String> {
        self.versions.get(self.stable?.index())?.cluster.clone()
    }

    /// What means nothing where the route chooses by the slot: versions by name, and the field.
    pub(super) fn left_to_the_route(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.versions.iter().zip(&self.claims).flat_map(|(version, claim)| {
            let fields = [
                ("off", version.off),
                ("place", claim.place.is_some()),
                ("set_headers", !version.set_headers.is_empty()),
            ];
            fields.into_iter().filter(|(_, there)| *there).map(|(field, _)| (version.name.as_str(), field))
        })
    }

    /// With two or more weighted versions each needs a place of its own, or a change of one would move the others' units.
    /// To be asked once all rules are read.
    pub(super) fn check_places(&self, path: &Path<'_>, report: &mut Report<'_>) {
        let others = || self.others().filter(|(id, _, claim)| claim.is_weighted() || self.peak(*id).is_some());
        let weighted = others().count();
        for (_, version, _) in others().filter(|(_, _, claim)| weighted > 1 && claim.place.is_none()) {
            let kind =
                Kind::Missing { expected: format!("{PLACE}, since {weighted} versions here have a weight").into() };
            let path = path.field(&version.name);
            let path = path.field("place");
            if !report.has_error_at(&path) {
                report.add(&path, kind);
            }
        }
        let placed = || self.versions.iter().zip(&self.claims).filter(|(_, claim)| claim.place.is_some());
        for (index, (version, claim)) in placed().enumerate() {
            if let Some((earlier, _)) = placed().take(index).find(|(_, earlier)| earlier.place == claim.place) {
                let text = format!("the same place as that of \"{}\"; expected a place of its own", earlier.name);
                report.conflict(&path.field(&version.name).field("place"), text);
            }
        }
    }

    /// Every version but stable.
    fn others(&self) -> impl Iterator<Item = (VersionId, &Version, &Claim)> {
        let all = (0..).map(VersionId).zip(&self.versions).zip(&self.claims);
        all.map(|((id, version), claim)| (id, version, claim)).filter(|(id, _, _)| Some(*id) != self.stable)
    }

    fn find_stable(&self, rollout: &Object<'_>, stable: Option<&str>, report: &mut Report<'_>) -> Option<VersionId> {
        let node = Node::String(stable?.into());
        self.read_name(&node, &rollout.field("stable"), report)
    }

    /// The weights fit into the total at any time; with a weight on stable they add up to it.
    fn check_sum(&self, changed: &[(VersionId, u32)], path: &Path<'_>, report: &mut Report<'_>) {
        let total = self.total;
        let of_rule = |id| changed.iter().find(|(version, _)| *version == id).map(|(_, weight)| *weight);
        let by_clock = |id| self.peak(id).filter(|_| of_rule(id).is_none());
        let highest = |(id, _, claim)| by_clock(id).unwrap_or_default().max(weight(id, claim, changed));
        let canaries: u64 = self.others().map(|other| u64::from(highest(other))).sum();
        // A rule that says nothing of stable lets it take what the others leave.
        let own = |id: VersionId| self.claims.get(id.index())?.weight.filter(|_| changed.is_empty());
        let of_stable = self.stable.and_then(|id| of_rule(id).or_else(|| own(id)));
        if canaries > u64::from(total) {
            report.conflict(path, format!("the weights add up to {canaries}; expected at most the total, {total}"));
        } else if of_stable.is_some() && self.others().any(|(id, _, _)| by_clock(id).is_some()) {
            report
                .conflict(path, "stable has a weight here, and takes what a schedule leaves; expected none on stable");
        } else if let Some(sum) = of_stable.map(|own| u64::from(own) + canaries).filter(|sum| *sum != u64::from(total))
        {
            report.conflict(
                path,
                format!("with stable's the weights add up to {sum}; expected exactly the total, {total}"),
            );
        }
    }

    fn laid_out(&self, changed: &[(VersionId, u32)]) -> Weights {
        let share = |(version, _, claim): (VersionId, &Version, &Claim)| Share {
            version,
            weight: weight(version, claim, changed),
            place: claim.place.unwrap_or(Place::LOW),
        };
        let claims: Vec<Share> = self.others().map(share).collect();
        let shares = Shares::new(self.total, self.stable.unwrap_or(VersionId(0)), &claims);
        let named = |id| changed.iter().any(|(version, _)| *version == id);
        let follows = self.scheduled.is_some_and(|(id, _)| !named(id));
        Weights { shares, claims: if follows { claims } else { Vec::new() } }
    }

    fn check_stable_and_clusters(
        &self,
        path: &Path<'_>,
        stable: VersionId,
        outputs: &OutputHeaders,
        report: &mut Report<'_>,
    ) {
        if let (Some(version), Some(claim)) = (self.versions.get(stable.index()), self.claims.get(stable.index())) {
            let path = path.field(&version.name);
            if version.off {
                let text = "stable cannot be off; expected another stable, or off on the others";
                report.conflict(&path.field("off"), text);
            }
            if claim.place.is_some() {
                report.conflict(&path.field("place"), "stable has no place: it takes what the others leave");
            }
        }
        let Some(header) = outputs.carrying(OutputKind::Cluster) else { return };
        for (_, version, _) in self.others().filter(|(_, version, _)| version.cluster.is_none()) {
            let expected = format!("the name of an Envoy cluster, which headers.cluster ({}) carries", header.as_str());
            report.add(&path.field(&version.name).field("cluster"), Kind::Missing { expected: expected.into() });
        }
    }
}

/// A version's weight: a rule's, if that gives it one, else its own.
fn weight(version: VersionId, claim: &Claim, changed: &[(VersionId, u32)]) -> u32 {
    let of_rule = changed.iter().find(|(changed, _)| *changed == version).map(|(_, weight)| *weight);
    of_rule.or(claim.weight).unwrap_or_default()
}

/// `set_headers`: what goes with a version beside the output headers.
fn read_set(
    node: &Node<'_>,
    path: &Path<'_>,
    outputs: &OutputHeaders,
    report: &mut Report<'_>,
) -> Option<Vec<(HeaderName, String)>> {
    let entries = entries(node, path, "an object of values by header", report)?;
    if report.limit(path, entries.len(), MOST_SET_HEADERS, "headers") {
        return None;
    }
    let mut headers: Vec<(HeaderName, String)> = Vec::new();
    for (name, value) in entries.iter().filter(|(_, value)| *value != Node::Null) {
        let path = path.field(name);
        let value = text(value, &path, values::HEADER_VALUE, values::header_value, report);
        let Some(header) = HeaderName::new(name).filter(|header| !header.is_reserved()) else {
            report.conflict(&path, "the name does not fit; expected the name of a header that HTTP does not reserve");
            continue;
        };
        if outputs.has(header.as_str()) {
            report
                .conflict(&path, "this is one of the output headers, which the filter writes itself; expected another");
        }
        report.strip(&path, &header);
        if headers.iter().any(|(earlier, _)| *earlier == header) {
            report.add(&path, Kind::DuplicateField);
        }
        headers.extend(value.map(|value| (header, value)));
    }
    Some(headers)
}
