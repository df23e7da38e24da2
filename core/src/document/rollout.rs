//! One rollout: its match, versions, rules, override, stickiness and split.

mod guard;
mod matching;
mod overriding;
mod rules;
mod schedule;
mod sticky;
mod versions;

use std::sync::Arc;

use super::Surroundings;
use super::entry::MOST_REGEXES;
use super::reader::{Object, Path, Report};
use super::values;
use crate::condition::MatchEntry;
use crate::error::Kind;
use crate::header::HeaderName;
use crate::node::Node;
use crate::rules::{
    Broken, Hold, OutputHeaders, OutputKind, Overrides, Plan, Rollout, Rule, Shared, Split, Sticky, Trust, UnitSource,
    Version, Ways,
};
use crate::slot::SlotKey;
use versions::Listed;

/// What a rollout's reading depends on beside its own text.
pub(super) struct Context<'a> {
    pub(super) outputs: OutputHeaders,
    /// The name of the visitor cookie, if there is one.
    pub(super) cookie: Option<String>,
    pub(super) has_keys: bool,
    pub(super) surroundings: &'a Surroundings<'a>,
    /// Those that share their traffic, sorted by name.
    last_good: Vec<&'a Arc<Rollout>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        outputs: OutputHeaders,
        cookie: Option<String>,
        has_keys: bool,
        surroundings: &'a Surroundings<'a>,
    ) -> Self {
        let rollouts = surroundings.last_good.map_or(&[][..], |rules| &rules.rollouts);
        let good = rollouts.iter().filter(|rollout| matches!(rollout.plan, Plan::Share(_)));
        Self { outputs, cookie, has_keys, surroundings, last_good: good.collect() }
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
        let set = rollout.stripped().map(HeaderName::as_str);
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
            || (shared.ways.inherit && lacks_header(OutputKind::Version))
            || (shared.ways.split == Split::Native && lacks_header(OutputKind::Slot))
            || (shared.keeps_cookie() && self.cookie.is_none())
            || (matches!(shared.overrides.trust, Trust::Signed) && !self.has_keys)
    }
}

const FIELDS: [&str; 16] = [
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
    "schedule",
    "guard",
    "missing_cluster",
];

const MOST_HEADERS: usize = 64;

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
    report.regexes_of_rollout = 0;
    let draft = Object::read(node, path, &FIELDS, report).map(|object| Draft::read(&object, name, context, report));
    let Draft { matches, broken, shared } = draft.unwrap_or_default();
    report.limit(&path, report.regexes_of_rollout, MOST_REGEXES, "regexes");
    let rules = shared.iter().flat_map(|shared| &shared.rules).filter_map(|rule| rule.when.as_ref());
    let headers = MatchEntry::different_headers(matches.iter().chain(rules), MOST_HEADERS);
    report.limit(&path, headers, MOST_HEADERS, "different headers in match and rules");
    let last_good = context.last_good(name);
    if let (Some(shared), true) = (shared, report.count == before) {
        let read = Rollout { name: name.to_owned(), matches, plan: Plan::Share(Box::new(shared)) };
        // What has not changed is kept as it is, or each push would take as much memory again until all streams have ended.
        return last_good.filter(|rollout| **rollout == read).unwrap_or_else(|| Arc::new(read));
    }
    last_good.unwrap_or_else(|| {
        // The name is shown in headers and metrics, so one that does not fit is not used.
        let name = values::rollout_name(name).unwrap_or_else(|| "invalid".into());
        Arc::new(Rollout { name, matches, plan: Plan::Broken(Box::new(broken)) })
    })
}

/// The parts of a rollout, some of which may be missing because of a mistake.
#[derive(Default)]
struct Draft {
    matches: Vec<MatchEntry>,
    broken: Broken,
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
        object.require(report, "stable", "the name of the stable version");
        let ways = Ways::read(object, context, report);
        let mut listed = versions::read(object, stable.as_deref(), total, &context.outputs, report);
        let schedule = listed.as_mut().and_then(|listed| {
            let schedule = schedule::read(object, listed, ways.split, total, report)?;
            listed.follow(&schedule, object, report).then(|| Box::new(schedule))
        });
        let overrides = overriding::read(object, listed.as_ref(), context, report);
        let rules = rules::read(object, listed.as_mut(), context, report);
        if let Some(listed) = listed.as_ref().filter(|listed| listed.stable.is_some()) {
            listed.check_places(&object.field("versions"), report);
        }
        let sticky = sticky::read(object, context, report);
        let guard =
            listed.as_ref().and_then(|listed| guard::read(object, name, &release, (listed, ways), context, report));
        let missing = [("stable", true), ("fail", false)];
        let covers_missing = object.choice("missing_cluster", &missing, report).unwrap_or(true);
        if let Some(listed) = &listed {
            ways.check(object, listed, &sticky, context, report);
            check_inputs(object, name, listed, (&overrides, &sticky), context, report);
            check_conditions(object, listed, &matches, &rules, report);
        }
        let key = SlotKey::new(&cohort, &release);
        let broken = Broken {
            native_total: (ways.split == Split::Native).then_some(total),
            marks_stable: ways.marks_stable() && !ways.dry_run,
            ..Broken::with_stable(Version {
                cluster: listed.as_ref().and_then(Listed::stable_cluster),
                name: stable.unwrap_or_else(|| "stable".into()),
                ..Version::default()
            })
        };
        let shared = listed.and_then(|listed| {
            let (stable, weights) = (listed.stable?, listed.weights());
            let Listed { versions, rule_weights, .. } = listed;
            Some(Shared {
                stable,
                versions,
                total,
                weights,
                rule_weights,
                schedule,
                key,
                release,
                overrides,
                rules,
                sticky,
                ways,
                guard,
                covers_missing,
            })
        });
        Self { matches, broken, shared }
    }
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
            object.conflict(report, "inherit", "the version is inherited by headers.version; expected its name");
        }
        ways
    }

    /// What a split needs, and who may set headers for stable.
    fn check(
        self,
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
        match self.split {
            Split::Filter => {}
            Split::Route => check_clusters(&path, &versions, listed, context, report),
            Split::Native => {
                for (name, field) in listed.left_to_the_route() {
                    let text = format!("split: native leaves the choice to the route's weights; expected no {field}");
                    report.conflict(&versions.field(name).field(field), text);
                }
            }
        }
        let stable = listed.stable.and_then(|stable| listed.versions.get(stable.index()));
        if let Some(stable) = stable.filter(|stable| !self.marks_stable() && !stable.set_headers.is_empty()) {
            let text = "a request for stable is left as it is; expected mark_stable: true, or no set_headers";
            report.conflict(&versions.field(&stable.name).field("set_headers"), text);
        }
    }
}

/// Ids and overrides do not stand in what the filter writes itself.
fn check_inputs(
    object: &Object<'_>,
    name: &str,
    listed: &Listed,
    (overrides, sticky): (&Overrides, &Sticky),
    context: &Context<'_>,
    report: &mut Report<'_>,
) {
    let visitor = context.cookie.as_deref();
    let own = visitor.map(|visitor| format!("{visitor}-{name}"));
    let is_own = |cookie: &str| own.as_deref() == Some(cookie);
    let is_set = |header: &HeaderName| listed.sets(header.as_str());
    for unit in &sticky.units {
        let wrong = match unit {
            UnitSource::Cookie(cookie) => visitor == Some(cookie) || is_own(cookie),
            UnitSource::Header(header) => is_set(header),
            UnitSource::Query(_) | UnitSource::Address => false,
        };
        if wrong {
            let text =
                "one of them is a cookie or header that the filter writes itself; expected an id of the application";
            report.conflict(&object.field("sticky").field("unit"), text);
        }
    }
    let in_cookie = overrides.cookie.as_deref().is_some_and(is_own);
    if in_cookie || overrides.header.as_ref().is_some_and(is_set) {
        let text = "its cookie or header is one that the filter writes itself; expected another";
        object.conflict(report, "override", text);
    }
}

/// No condition reads what its own rollout's `set_headers` writes: a client would choose by what is removed all the same.
fn check_conditions(
    object: &Object<'_>,
    listed: &Listed,
    matches: &[MatchEntry],
    rules: &[Rule],
    report: &mut Report<'_>,
) {
    let reads_one = |entry: &MatchEntry| entry.header_names().any(|name| listed.sets(name));
    let in_match = matches.iter().any(reads_one);
    let in_rules = rules.iter().filter_map(|rule| rule.when.as_ref()).any(reads_one);
    for (field, found) in [("match", in_match), ("rules", in_rules)] {
        if found {
            let text = "a condition here reads a header that set_headers writes; expected another header";
            report.conflict(&object.field(field), text);
        }
    }
}

/// By a version's cluster `split: route` knows who serves, and by a header it keeps a unit there.
fn check_clusters(
    path: &Path<'_>,
    versions: &Path<'_>,
    listed: &Listed,
    context: &Context<'_>,
    report: &mut Report<'_>,
) {
    let has = |kind| context.outputs.carrying(kind).is_some();
    if !has(OutputKind::Version) && !has(OutputKind::Cluster) {
        report.conflict(
            path,
            "route needs a header by which the route finds a held version, headers.version or headers.cluster",
        );
    }
    for (index, version) in listed.versions.iter().enumerate() {
        let path = versions.field(&version.name);
        let path = path.field("cluster");
        let Some(cluster) = &version.cluster else {
            let expected = "the name of its Envoy cluster, by which split: route knows who serves".into();
            report.add(&path, Kind::Missing { expected });
            continue;
        };
        let mut earlier = listed.versions.iter().take(index);
        if let Some(same) = earlier.find(|earlier| earlier.cluster.as_ref() == Some(cluster)) {
            let text = format!("the same cluster as that of \"{}\", which split: route cannot tell apart", same.name);
            report.conflict(&path, text + "; expected another");
        }
    }
}
