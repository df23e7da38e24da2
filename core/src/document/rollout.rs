//! One rollout: its match, versions, rules, override, stickiness and split.

mod matching;
mod overriding;
mod rules;
mod sticky;
mod versions;

use std::sync::Arc;

use super::Surroundings;
use super::reader::{Object, Path, Report};
use super::values;
use crate::condition::MatchEntry;
use crate::error::Kind;
use crate::header::HeaderName;
use crate::node::Node;
use crate::rules::{
    Hold, OutputHeaders, OutputKind, Overrides, Plan, Rollout, Rule, Shared, Split, Sticky, Trust, UnitSource, Version,
};
use crate::slot::SlotKey;
use versions::Listed;

/// What a rollout's reading depends on beside its own text.
pub(super) struct Context<'a> {
    pub(super) outputs: OutputHeaders,
    /// Whether the document has cookies and keys.
    pub(super) has_cookie: bool,
    pub(super) has_keys: bool,
    pub(super) surroundings: &'a Surroundings<'a>,
    /// Those that share their traffic, sorted by name.
    last_good: Vec<&'a Arc<Rollout>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        outputs: OutputHeaders,
        has_cookie: bool,
        has_keys: bool,
        surroundings: &'a Surroundings<'a>,
    ) -> Self {
        let rollouts = surroundings.last_good.map_or(&[][..], |rules| &rules.rollouts);
        let good = rollouts.iter().filter(|rollout| matches!(rollout.plan, Plan::Share(_)));
        Self { outputs, has_cookie, has_keys, surroundings, last_good: good.collect() }
    }

    /// The last good form of a rollout, unless it contradicts the document around it.
    fn last_good(&self, name: &str) -> Option<Arc<Rollout>> {
        let found = self.last_good.binary_search_by(|rollout| rollout.name.as_str().cmp(name)).ok()?;
        let rollout = *self.last_good.get(found)?;
        let Plan::Share(shared) = &rollout.plan else { return None };
        (!self.contradicts(rollout, shared)).then(|| Arc::clone(rollout))
    }

    fn contradicts(&self, rollout: &Rollout, shared: &Shared) -> bool {
        let units = shared.sticky.units.iter().filter_map(|unit| match unit {
            UnitSource::Header(name) => Some(name.as_str()),
            UnitSource::Cookie(_) | UnitSource::Query(_) | UnitSource::Address => None,
        });
        let set = shared.versions.iter().flat_map(|version| &version.set_headers).map(|(name, _)| name.as_str());
        let read = rollout.entries().flat_map(MatchEntry::header_names);
        let is_output = units
            .chain(shared.overrides.header.as_ref().map(HeaderName::as_str))
            .chain(set)
            .chain(read)
            .any(|name| self.outputs.has(name));
        let canaries = shared.versions.iter().enumerate().filter(|(index, _)| *index != shared.stable.index());
        let lacks_cluster = self.outputs.carrying(OutputKind::Cluster).is_some()
            && canaries.into_iter().any(|(_, version)| version.cluster.is_none());
        let lacks_header = |kind| self.outputs.carrying(kind).is_none();
        is_output
            || lacks_cluster
            || (shared.inherit && lacks_header(OutputKind::Version))
            || (shared.split == Split::Native && lacks_header(OutputKind::Slot))
            || (shared.keeps_cookie() && !self.has_cookie)
            || (matches!(shared.overrides.trust, Trust::Signed) && !self.has_keys)
    }
}

const FIELDS: [&str; 13] = [
    "match",
    "stable",
    "versions",
    "total",
    "release",
    "cohort",
    "override",
    "rules",
    "inherit",
    "sticky",
    "split",
    "mark_stable",
    "dry_run",
];

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
        return Arc::new(Rollout { name: name.to_owned(), matches, plan: Plan::Share(Box::new(shared)) });
    }
    context.last_good(name).unwrap_or_else(|| {
        let stable = Version { name: stable.unwrap_or_else(|| "stable".into()), ..Version::default() };
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
        let mut listed = versions::read(object, stable.as_deref(), total, &context.outputs, report);
        let overrides = overriding::read(object, listed.as_ref(), context, report);
        let rules = rules::read(object, listed.as_mut(), context, report);
        if let Some(listed) = listed.as_ref().filter(|listed| listed.stable.is_some()) {
            listed.check_places(&object.field("versions"), report);
        }
        let ways = Ways::read(object, context, report);
        let sticky = sticky::read(object, context, report);
        if let Some(listed) = &listed {
            ways.check(object, listed, &sticky, context, report);
        }
        let key = SlotKey::new(&cohort, &release);
        let shared = listed.and_then(|listed| ways.into_shared(listed, total, key, release, overrides, rules, sticky));
        Self { matches, stable, shared }
    }
}

/// How a rollout's decision reaches the routes.
struct Ways {
    inherit: bool,
    split: Split,
    mark_stable: bool,
    dry_run: bool,
}

impl Ways {
    fn read(object: &Object<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Self {
        let split = [("filter", Split::Filter), ("route", Split::Route), ("native", Split::Native)];
        let ways = Self {
            inherit: object.bool("inherit", report).unwrap_or(false),
            split: object.choice("split", &split, report).unwrap_or(Split::Filter),
            mark_stable: object.bool("mark_stable", report).unwrap_or(false),
            dry_run: object.bool("dry_run", report).unwrap_or(false),
        };
        if ways.inherit && context.outputs.carrying(OutputKind::Version).is_none() {
            report.conflict(&object.field("inherit"), "the version is inherited by headers.version; expected its name");
        }
        ways
    }

    /// What a split needs, and who may set headers for stable.
    fn check(
        &self,
        object: &Object<'_>,
        listed: &Listed,
        sticky: &Sticky,
        context: &Context<'_>,
        report: &mut Report<'_>,
    ) {
        let path = object.field("split");
        let versions = object.field("versions");
        let (word, holds) = match self.split {
            Split::Filter => ("filter", None),
            Split::Route => ("route", (sticky.hold != Hold::Version).then_some("version")),
            Split::Native => ("native", sticky.hold.keeps_version().then_some("slot or none")),
        };
        if let Some(holds) = holds {
            report.conflict(&path, format!("{word} needs sticky.hold: {holds}"));
        }
        if self.split == Split::Native && context.outputs.carrying(OutputKind::Slot).is_none() {
            report.conflict(&path, "native needs the name of a header that carries the slot, headers.slot");
        }
        for version in listed.weighted().filter(|_| self.split != Split::Filter) {
            let text = format!("split: {word} leaves the weights to the route; expected no weight, here and in rules");
            report.conflict(&versions.field(&version.name).field("weight"), text);
        }
        for version in listed.versions.iter().filter(|version| self.split == Split::Route && version.cluster.is_none())
        {
            let expected = "the name of its Envoy cluster, by which split: route knows who serves".into();
            report.add(&versions.field(&version.name).field("cluster"), Kind::Missing { expected });
        }
        let stable = listed.stable.and_then(|stable| listed.versions.get(stable.index()));
        let marked = self.mark_stable || self.split != Split::Filter;
        if let Some(stable) = stable.filter(|stable| !marked && !stable.set_headers.is_empty()) {
            let text = "a request for stable is left as it is; expected mark_stable: true, or no set_headers";
            report.conflict(&versions.field(&stable.name).field("set_headers"), text);
        }
    }

    #[allow(clippy::too_many_arguments)] // The parts of a rollout, each read by its own.
    fn into_shared(
        self,
        listed: Listed,
        total: u32,
        key: SlotKey,
        release: String,
        overrides: Overrides,
        rules: Vec<Rule>,
        sticky: Sticky,
    ) -> Option<Shared> {
        let Self { inherit, split, mark_stable, dry_run } = self;
        let (stable, shares) = (listed.stable?, listed.shares());
        let versions = listed.versions;
        Some(Shared {
            stable,
            versions,
            total,
            shares,
            key,
            release,
            overrides,
            rules,
            inherit,
            sticky,
            split,
            mark_stable,
            dry_run,
        })
    }
}

/// A form of a rollout that has lost the key it needs to sign its cookies: stable for everybody.
pub(super) fn without_key(rollout: &Rollout) -> Option<Rollout> {
    let Plan::Share(shared) = &rollout.plan else { return None };
    let signs = shared.sticky.hold != Hold::None || shared.overrides.remember.is_some();
    let stable = shared.versions.get(shared.stable.index()).filter(|_| signs)?;
    let plan = Plan::Broken(stable.clone());
    Some(Rollout { name: rollout.name.clone(), matches: rollout.matches.clone(), plan })
}
