//! One rollout: its match, versions, override and stickiness.

mod matching;
mod versions;

use std::sync::Arc;

use super::headers::read_input;
use super::reader::{Object, Path, Report, entries, items, text};
use super::values;
use crate::condition::MatchEntry;
use crate::error::{Kind, nearest};
use crate::header::HeaderName;
use crate::node::Node;
use crate::rules::{
    First, Hold, OutputHeaders, OutputKind, Overrides, Plan, Prefer, Rollout, Rules, Shared, Sticky, UnitSource,
    Version, VersionId,
};
use crate::slot::{Intervals, SlotKey};
use versions::Listed;

/// What a rollout's reading depends on beside its own text.
pub(super) struct Context<'a> {
    pub(super) outputs: OutputHeaders,
    /// Those that share their traffic, sorted by name.
    last_good: Vec<&'a Arc<Rollout>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(outputs: OutputHeaders, last_good: Option<&'a Rules>) -> Self {
        let rollouts = last_good.map_or(&[][..], |rules| &rules.rollouts);
        let good = rollouts.iter().filter(|rollout| matches!(rollout.plan, Plan::Share(_)));
        Self { outputs, last_good: good.collect() }
    }

    /// The last good form of a rollout, unless it contradicts the output headers of today.
    fn last_good(&self, name: &str) -> Option<Arc<Rollout>> {
        let found = self.last_good.binary_search_by(|rollout| rollout.name.as_str().cmp(name)).ok()?;
        let rollout = *self.last_good.get(found)?;
        let Plan::Share(shared) = &rollout.plan else { return None };
        let units = shared.sticky.units.iter().filter_map(|unit| match unit {
            UnitSource::Header(name) => Some(name.as_str()),
            UnitSource::Cookie(_) => None,
        });
        let conditions = rollout.matches.iter().flat_map(MatchEntry::header_names);
        let reads_output = units
            .chain(shared.overrides.header.as_ref().map(HeaderName::as_str))
            .chain(conditions)
            .any(|name| self.outputs.has(name));
        let canaries = shared.versions.iter().enumerate().filter(|(index, _)| *index != shared.stable.index());
        let lacks_cluster = self.outputs.carrying(OutputKind::Cluster).is_some()
            && canaries.into_iter().any(|(_, version)| version.cluster.is_none());
        (!reads_output && !lacks_cluster).then(|| Arc::clone(rollout))
    }
}

const FIELDS: [&str; 9] =
    ["match", "stable", "versions", "total", "release", "cohort", "override", "sticky", "mark_stable"];

const MOST_ALIASES: usize = 256;
const MOST_UNITS: usize = 16;

/// The rollout, or, if there is a mistake in it, its last good form, or a form that covers its match with stable.
pub(super) fn read(
    name: &str,
    node: &Node<'_>,
    repeated: bool,
    rollouts: &Path<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Arc<Rollout> {
    let before = report.count;
    let path = rollouts.field(name);
    if repeated {
        report.add(&path, Kind::DuplicateField);
    }
    if values::rollout_name(name).is_none() {
        report.conflict(&path, format!("the name does not fit; expected {}", values::ROLLOUT_NAME));
    }
    let draft = Object::read(node, path, &FIELDS, report).map(|object| Draft::read(&object, name, context, report));
    let (matches, stable, shared) =
        draft.map_or_else(Default::default, |draft| (draft.matches, draft.stable, draft.shared));
    if let (Some(shared), true) = (shared, report.count == before) {
        return Arc::new(Rollout { name: name.to_owned(), matches, plan: Plan::Share(shared) });
    }
    context.last_good(name).unwrap_or_else(|| {
        let stable = Version { name: stable.unwrap_or_else(|| "stable".into()), cluster: None, off: false };
        // The name is shown in headers and metrics, so one that does not fit is not used.
        let name = values::rollout_name(name).unwrap_or_else(|| "invalid".into());
        Arc::new(Rollout { name, matches, plan: Plan::Broken(stable) })
    })
}

/// The parts of a rollout, some of which may be missing because of a mistake.
#[derive(Default)]
struct Draft {
    matches: Vec<MatchEntry>,
    stable: Option<String>,
    shared: Option<Shared>,
}

impl Draft {
    fn read(object: &Object<'_>, name: &str, context: &Context<'_>, report: &mut Report<'_>) -> Self {
        let matches = matching::read(object, &context.outputs, report);
        let total = object.whole("total", 1..=1_000_000, report).unwrap_or(100);
        let label =
            |field, report: &mut Report<'_>| object.text(field, values::VERSION_NAME, values::version_name, report);
        let release = label("release", report).unwrap_or_default();
        let cohort = label("cohort", report).unwrap_or_else(|| name.to_owned());
        let stable = label("stable", report);
        if object.get("stable").is_none() {
            report.add(&object.field("stable"), Kind::Missing { expected: "the name of the stable version".into() });
        }
        let mark_stable = object.bool("mark_stable", report).unwrap_or(false);
        let listed = versions::read(object, stable.as_deref(), total, &context.outputs, report);
        let overrides = read_overrides(object, listed.as_ref(), context, report);
        let sticky = read_sticky(object, context, report);
        let shared = listed.and_then(|listed| {
            let stable = listed.stable?;
            let intervals = Intervals::new(total, stable, &listed.shares);
            let key = SlotKey::new(&cohort, &release);
            Some(Shared { stable, intervals, versions: listed.versions, key, overrides, sticky, mark_stable })
        });
        Self { matches, stable, shared }
    }
}

fn read_overrides(
    rollout: &Object<'_>,
    listed: Option<&Listed>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Overrides {
    let Some(node) = rollout.get("override") else { return Overrides::default() };
    let path = rollout.field("override");
    let known = ["header", "query", "cookie", "aliases", "trust"];
    let Some(object) = Object::read(node, path, &known, report) else { return Overrides::default() };
    object.choice("trust", &[("open", ())], report);
    Overrides {
        header: object.with("header", |node, path| read_input(node, path, &context.outputs, report)),
        query: object.text("query", values::QUERY_NAME, values::query_name, report),
        cookie: object.text("cookie", values::COOKIE_NAME, values::cookie_name, report),
        aliases: object
            .with("aliases", |node, path| Some(read_aliases(node, path, listed, report)))
            .unwrap_or_default(),
    }
}

/// Other names for versions, such as `{always: v2, never: v1}`.
fn read_aliases(
    node: &Node<'_>,
    path: &Path<'_>,
    listed: Option<&Listed>,
    report: &mut Report<'_>,
) -> Vec<(String, VersionId)> {
    let mut aliases: Vec<(String, VersionId)> = Vec::new();
    let entries = entries(node, path, "an object of version names by alias", report).unwrap_or_default();
    if report.limit(path, entries.len(), MOST_ALIASES, "aliases") {
        return aliases;
    }
    for (name, target) in entries.iter().filter(|(_, target)| *target != Node::Null) {
        let path = path.field(name);
        if values::version_name(name).is_none() {
            report.conflict(&path, format!("the alias does not fit; expected {}", values::VERSION_NAME));
        }
        if aliases.iter().any(|(earlier, _)| earlier == name) {
            report.add(&path, Kind::DuplicateField);
        }
        let Some(listed) = listed else { continue };
        if listed.find(name).is_some() {
            report.conflict(&path, "the alias is also the name of a version; expected another name");
        }
        if let Some(version) = read_version(target, &path, listed, report) {
            let at = aliases.partition_point(|(earlier, _)| **earlier < **name);
            aliases.insert(at, (name.to_string(), version));
        }
    }
    aliases
}

/// The name of a listed version.
fn read_version(node: &Node<'_>, path: &Path<'_>, listed: &Listed, report: &mut Report<'_>) -> Option<VersionId> {
    let found = match node {
        Node::String(name) => listed.find(name),
        _ => None,
    };
    if found.is_none() {
        let names = listed.versions.iter().map(|version| version.name.as_str());
        let near = match node {
            Node::String(name) => nearest(name, names),
            _ => None,
        };
        report.wrong_name(path, node, "the name of a listed version", near);
    }
    found
}

fn read_sticky(rollout: &Object<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Sticky {
    let default = Sticky::default();
    let Some(node) = rollout.get("sticky") else { return default };
    let path = rollout.field("sticky");
    let Some(object) = Object::read(node, path, &["unit", "prefer", "hold", "first"], report) else { return default };
    let prefer = [("visitor", Prefer::Visitor), ("unit", Prefer::Unit)];
    let hold = [("slot", Hold::Slot), ("none", Hold::None)];
    let first = [("draw", First::Draw), ("stable", First::Stable)];
    Sticky {
        units: object.with("unit", |node, path| Some(read_units(node, path, context, report))).unwrap_or_default(),
        prefer: object.choice("prefer", &prefer, report).unwrap_or(default.prefer),
        hold: object.choice("hold", &hold, report).unwrap_or(default.hold),
        first: object.choice("first", &first, report).unwrap_or(default.first),
    }
}

fn read_units(node: &Node<'_>, path: &Path<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Vec<UnitSource> {
    const UNITS: &str = "a list such as [{header: x-user-id}, {cookie: sid}]";
    let items = items(node, path, UNITS, report);
    if report.limit(path, items.len(), MOST_UNITS, "units") {
        return Vec::new();
    }
    let items = items.iter().enumerate();
    items.filter_map(|(index, node)| read_unit(node, path.item(index), context, report)).collect()
}

fn read_unit(node: &Node<'_>, path: Path<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Option<UnitSource> {
    let object = Object::read(node, path, &["header", "cookie"], report)?;
    let header: Option<HeaderName> =
        object.with("header", |node, path| read_input(node, path, &context.outputs, report));
    let cookie = object.with("cookie", |node, path| text(node, path, values::COOKIE_NAME, values::cookie_name, report));
    match (object.get("header"), object.get("cookie")) {
        (Some(_), None) => header.map(UnitSource::Header),
        (None, Some(_)) => cookie.map(UnitSource::Cookie),
        _ => {
            report.conflict(&object.path, "expected one of header and cookie");
            None
        }
    }
}
