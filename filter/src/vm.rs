//! What a VM keeps while configurations come and go: the last good rules by plugin name, random bits, metric ids.
//!
//! One VM may serve several plugins (Istio gives all of them the same `vm_id`), hence the names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use serin_core::Rules;

use crate::host::{self, Metric, MetricKind};

/// So many series at most; what comes later is counted as `other`.
const MOST_SERIES: usize = 5_000;

thread_local! {
    static PLUGINS: RefCell<HashMap<String, Plugin>> = RefCell::default();
    static RANDOM: RefCell<fastrand::Rng> = RefCell::new(seeded());
    static METRICS: RefCell<HashMap<String, Metric>> = RefCell::default();
}

/// A plugin by its name.
struct Plugin {
    last_good: (Rc<Rules>, u64),
    /// The live roots with rules, and the fingerprint of what each has in force.
    live: HashMap<u32, u64>,
}

/// The rules that a broken document of this plugin leaves in force, and their fingerprint.
///
/// None where other live roots of the name have different rules: it cannot be known then which of them the new root
/// is to follow, and in doubt stable serves.
pub(crate) fn last_good(plugin: &str, root: u32) -> Option<(Rc<Rules>, u64)> {
    PLUGINS.with_borrow(|plugins| {
        let plugin = plugins.get(plugin)?;
        let mut others = plugin.live.iter().filter(|(id, _)| **id != root).map(|(_, fingerprint)| fingerprint);
        let first = others.next();
        others.all(|other| Some(other) == first).then(|| plugin.last_good.clone())
    })
}

/// Notes that a root now works by these rules.
pub(crate) fn put_in_force(plugin: &str, root: u32, rules: Rc<Rules>, fingerprint: u64) {
    PLUGINS.with_borrow_mut(|plugins| {
        let last_good = (rules, fingerprint);
        let plugin = plugins
            .entry(plugin.to_owned())
            .and_modify(|plugin| plugin.last_good = last_good.clone())
            .or_insert_with(|| Plugin { last_good, live: HashMap::new() });
        plugin.live.insert(root, fingerprint);
    });
}

/// Notes that a root has ended. The last good rules stay.
pub(crate) fn forget(plugin: &str, root: u32) {
    PLUGINS.with_borrow_mut(|plugins| plugins.get_mut(plugin).map(|plugin| plugin.live.remove(&root)));
}

/// A number that tells documents apart, the same in every VM.
pub(crate) fn fingerprint(document: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    hasher.finish()
}

/// 64 random bits.
pub(crate) fn draw() -> u64 {
    RANDOM.with_borrow_mut(|random| random.u64(..))
}

/// Seeded from the host's entropy, since a generator's own seed would be the same on every worker and after every start.
fn seeded() -> fastrand::Rng {
    fastrand::Rng::with_seed(host::entropy().unwrap_or_else(host::now_nanoseconds))
}

/// The metric of this name; `None` for a new one past the limit on series.
pub(crate) fn metric(kind: MetricKind, name: &str) -> Option<Metric> {
    METRICS.with_borrow_mut(|metrics| metric_within(metrics, MOST_SERIES, kind, name))
}

/// The counter that takes what is past the limit on series. There are only a few of these names.
pub(crate) fn metric_past_limit(name: &str) -> Option<Metric> {
    METRICS.with_borrow_mut(|metrics| metric_within(metrics, usize::MAX, MetricKind::Counter, name))
}

/// Defined once a VM: the host makes a new id at every definition and forgets none.
fn metric_within(metrics: &mut HashMap<String, Metric>, most: usize, kind: MetricKind, name: &str) -> Option<Metric> {
    if let Some(metric) = metrics.get(name) {
        return Some(*metric);
    }
    let metric = if metrics.len() < most { Metric::define(kind, name)? } else { return None };
    metrics.insert(name.to_owned(), metric);
    Some(metric)
}
