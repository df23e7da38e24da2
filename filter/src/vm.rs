//! What a VM keeps while configurations come and go: the last good rules by plugin name, versions that are
//! missing, random bits, metric ids.
//!
//! One VM may serve several plugins (Istio gives all of them the same `vm_id`), hence the names.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serin_core::{Identity, Rollout, Rules, Time, list};
use siphasher::sip::SipHasher13;

use crate::host::{self, Metric, MetricKind};

/// So many series at most; what comes later is counted as `other`.
const MOST_SERIES: usize = 5_000;

/// So many versions that are missing are remembered for the next configuration, the latest.
const MOST_MISSING: usize = 64;

thread_local! {
    static PLUGINS: RefCell<Vec<Plugin>> = RefCell::default();
    static MISSING: RefCell<Vec<(Identity, Time)>> = RefCell::default();
    static RANDOM: RefCell<fastrand::Rng> = RefCell::new(seeded());
    static TOLD_OF_REFUSAL: Cell<bool> = const { Cell::new(false) };
    /// Sorted by name.
    static METRICS: RefCell<Vec<(String, Metric)>> = RefCell::default();
}

/// Rules, and a number that tells them apart from others, the same in every VM.
#[derive(Clone)]
pub(crate) struct InForce {
    pub(crate) rules: Rc<Rules>,
    pub(crate) fingerprint: u64,
}

/// So many plugin names are remembered while no root of theirs is live.
const MOST_ENDED: usize = 16;

/// A plugin by its name. A VM has few of them, and a plugin has few live roots.
struct Plugin {
    name: String,
    last_good: InForce,
    /// The live roots with rules.
    live: Vec<Live>,
}

/// A live root: the fingerprint of the document that it was given, and what it works by.
struct Live {
    root: u32,
    document: u64,
    in_force: InForce,
}

/// What another live root of this plugin works by that was given the very same document, by its fingerprint.
pub(crate) fn same_document(plugin: &str, root: u32, document: u64) -> Option<InForce> {
    PLUGINS.with_borrow(|plugins| {
        let plugin = plugins.iter().find(|known| known.name == plugin)?;
        let same = plugin.live.iter().find(|live| live.root != root && live.document == document);
        same.map(|live| live.in_force.clone())
    })
}

/// Whether no newer live root of this plugin has a rollout of this name that has something: an older one drains.
pub(crate) fn is_newest_with(plugin: &str, root: u32, rollout: &str, has: &dyn Fn(&Rollout) -> bool) -> bool {
    !is_known(plugin, Some(root), &|live| live.in_force.rules.rollout_named(rollout).is_some_and(has))
}

/// Whether this is the newest live root of its plugin.
pub(crate) fn is_newest(plugin: &str, root: u32) -> bool {
    !is_known(plugin, Some(root), &|_| true)
}

/// Whether no other live root of this plugin has a rollout of this name that has something.
pub(crate) fn is_last_with(plugin: &str, root: u32, rollout: &str, has: &dyn Fn(&Rollout) -> bool) -> bool {
    let has = |rules: &Rules| rules.rollout_named(rollout).is_some_and(has);
    !is_known(plugin, None, &|live| live.root != root && has(&live.in_force.rules))
}

/// Whether such a live root of a plugin is known, of all or of those that were configured after this one. The host's ids are
/// no help: they begin anew after four thousand million streams.
#[inline(never)]
fn is_known(plugin: &str, after: Option<u32>, wanted: &dyn Fn(&Live) -> bool) -> bool {
    PLUGINS.with_borrow(|plugins| {
        let live = plugins.iter().find(|known| known.name == plugin).map_or(&[][..], |plugin| &plugin.live);
        // In the order in which they were configured.
        live.iter().rev().take_while(|live| Some(live.root) != after).any(wanted)
    })
}

/// Notes that a version is missing since a moment, or not any more, so that the next configuration knows.
pub(crate) fn note_missing(identity: Identity, since: Option<Time>) {
    MISSING.with_borrow_mut(|missing| {
        let known = missing.iter().position(|(known, _)| *known == identity);
        let oldest = (since.is_some() && missing.len() == MOST_MISSING).then_some(0);
        if let Some(at) = known.or(oldest) {
            missing.remove(at);
        }
        missing.extend(since.map(|since| (identity, since)));
    });
}

/// The versions that are known to be missing, and since when.
pub(crate) fn missing() -> Vec<(Identity, Time)> {
    MISSING.with_borrow(Clone::clone)
}

/// The rules that a broken document of this plugin leaves in force: those of the live roots, or the last ones there were.
///
/// None where live roots of the name have different rules: it cannot be known then which of them the new root is to
/// follow, and in doubt stable serves.
pub(crate) fn last_good(plugin: &str, root: u32) -> Option<InForce> {
    PLUGINS.with_borrow(|plugins| {
        let plugin = plugins.iter().find(|known| known.name == plugin)?;
        let mut others = plugin.live.iter().filter(|live| live.root != root).map(|live| &live.in_force);
        let Some(first) = others.next() else { return Some(plugin.last_good.clone()) };
        others.all(|other| other.fingerprint == first.fingerprint).then(|| first.clone())
    })
}

/// Notes that a root was given this document and now works by these rules.
pub(crate) fn put_in_force(plugin: &str, root: u32, document: u64, in_force: InForce) {
    let last_good = in_force.clone();
    let live = Live { root, document, in_force };
    PLUGINS.with_borrow_mut(|plugins| {
        let Some(plugin) = plugins.iter_mut().find(|known| known.name == plugin) else {
            return plugins.push(Plugin { name: plugin.to_owned(), last_good, live: vec![live] });
        };
        plugin.last_good = last_good;
        plugin.live.retain(|live| live.root != root);
        plugin.live.push(live);
    });
}

/// Notes that a root has ended. The last good rules of its plugin stay, but not those of ever more plugins.
pub(crate) fn forget(plugin: &str, root: u32) {
    PLUGINS.with_borrow_mut(|plugins| {
        let at = plugins.iter().position(|known| known.name == plugin);
        // The one that ended last stands last.
        let Some(mut plugin) = at.and_then(|at| list::remove(plugins, at)) else { return };
        plugin.live.retain(|live| live.root != root);
        plugins.push(plugin);
        let ended = plugins.iter().filter(|plugin| plugin.live.is_empty()).count();
        if let (true, Some(first)) = (ended > MOST_ENDED, plugins.iter().position(|plugin| plugin.live.is_empty())) {
            list::remove(plugins, first);
        }
    });
}

/// The key of what workers share. The shared data of plugins that say nothing else is common to all of them, so the name of the
/// product comes first.
pub(crate) fn key(what: &str, plugin: &str) -> String {
    ["serin.", what, ".", plugin].concat()
}

/// Tells, once a VM, that the host refuses what requests need.
#[cold]
pub(crate) fn tell_of_refusal() {
    if !TOLD_OF_REFUSAL.replace(true) {
        host::log_warning(
            "the host refuses a call that requests need, about headers, properties, the time, ticks or shared data: stable serves",
        );
    }
}

/// A number that tells documents apart, the same in every VM.
pub(crate) fn fingerprint(document: &[u8]) -> u64 {
    SipHasher13::new().hash(document)
}

/// A number that tells apart what documents made of the rules before them, the same in every VM.
pub(crate) fn chained(document: u64, before: &InForce) -> u64 {
    SipHasher13::new_with_keys(0, before.fingerprint).hash(&document.to_le_bytes())
}

/// 64 random bits.
pub(crate) fn draw() -> u64 {
    RANDOM.with_borrow_mut(|random| random.u64(..))
}

/// Seeded from the host's entropy, since a generator's own seed would be the same on every worker and after every start.
fn seeded() -> fastrand::Rng {
    fastrand::Rng::with_seed(host::entropy())
}

/// The metric of this name; `None` for a new one past the limit on series.
pub(crate) fn metric(kind: MetricKind, name: &str) -> Option<Metric> {
    METRICS.with_borrow_mut(|metrics| metric_within(metrics, MOST_SERIES, kind, name))
}

/// The metric of this name, if it is defined.
pub(crate) fn known_metric(name: &str) -> Option<Metric> {
    METRICS.with_borrow(|metrics| {
        let at = metrics.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        metrics.get(at).map(|(_, metric)| *metric)
    })
}

/// The counter that takes what is past the limit on series. There are only a few of these names.
pub(crate) fn metric_past_limit(name: &str) -> Option<Metric> {
    METRICS.with_borrow_mut(|metrics| metric_within(metrics, usize::MAX, MetricKind::Counter, name))
}

/// Defined once a VM: the host makes a new id at every definition and forgets none.
fn metric_within(metrics: &mut Vec<(String, Metric)>, most: usize, kind: MetricKind, name: &str) -> Option<Metric> {
    match metrics.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
        Ok(at) => metrics.get(at).map(|(_, metric)| *metric),
        Err(_) if metrics.len() >= most => None,
        Err(at) => {
            let metric = Metric::define(kind, name)?;
            metrics.insert(at, (name.to_owned(), metric));
            Some(metric)
        }
    }
}
