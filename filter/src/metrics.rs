//! Counting decisions in the VM, and handing the sums to Envoy on the tick.
//!
//! The names are those that `manifests/envoy/envoy.yaml` cuts into Prometheus labels.

use serin_core::{Current, Decision, Reason, Rollout, Rules, Standing, Tally, Version, VersionId, Watchlist, series};

use crate::host::MetricKind;
use crate::vm;

/// Counts since the last flush.
#[derive(Default)]
pub(crate) struct Counts {
    rollouts: Vec<RolloutCounts>,
    /// The rollouts that have counted something, so that a flush need not look at all of them.
    touched: Vec<usize>,
    /// The versions whose cluster was found to be missing, by rollout.
    missing: Vec<(usize, VersionId)>,
}

/// What is counted of a decision.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    rollout: usize,
    version: Option<VersionId>,
    reason: Reason,
    override_ignored: bool,
}

impl Counted {
    pub(crate) fn of(decision: &Decision<'_>) -> Self {
        let &Decision { index, version, reason, override_ignored, .. } = decision;
        Self { rollout: index, version, reason, override_ignored }
    }

    /// The index of the rollout.
    pub(crate) fn rollout(self) -> usize {
        self.rollout
    }
}

#[derive(Clone, Default)]
struct RolloutCounts {
    /// By version, with one more for those that are not known, and reason; empty until the first decision.
    decisions: Vec<u32>,
    overrides_ignored: u32,
}

const REASONS: usize = Reason::ALL.len();
/// Stands for a version that the route chooses.
const UNKNOWN: &str = "-";

impl Counts {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            rollouts: vec![RolloutCounts::default(); rules.rollouts().len()],
            touched: Vec::new(),
            missing: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, decided: Counted, rules: &Rules) {
        let Some((counts, rollout)) = self.rollouts.get_mut(decided.rollout).zip(rules.rollout(decided.rollout)) else {
            return;
        };
        let versions = rollout.versions().len();
        if counts.decisions.is_empty() {
            counts.decisions = vec![0; (versions + 1) * REASONS];
            self.touched.push(decided.rollout);
        }
        let index = decided.version.map_or(versions, VersionId::index) * REASONS + decided.reason.index();
        if let Some(count) = counts.decisions.get_mut(index) {
            *count = count.saturating_add(1);
        }
        counts.overrides_ignored = counts.overrides_ignored.saturating_add(u32::from(decided.override_ignored));
    }

    /// Counts that a version's cluster was found to be missing.
    pub(crate) fn miss(&mut self, rollout: usize, version: VersionId) {
        self.missing.push((rollout, version));
    }

    /// Hands everything counted so far to Envoy's counters.
    pub(crate) fn flush(&mut self, rules: &Rules) {
        for (rollout, version) in self.missing.drain(..) {
            if let Some((rollout, version)) = named(rules, rollout, version) {
                add_for("missing", rollout, version, 1);
            }
        }
        for index in self.touched.drain(..) {
            let (Some(counts), Some(rollout)) = (self.rollouts.get_mut(index), rules.rollout(index)) else {
                continue;
            };
            std::mem::take(counts).flush(rollout);
        }
    }
}

impl RolloutCounts {
    fn flush(self, rollout: &Rollout) {
        let name = rollout.name();
        let versions = rollout.versions().iter().map(Version::name).chain([UNKNOWN]);
        for (version, counts) in versions.zip(self.decisions.chunks(REASONS)) {
            for (reason, count) in Reason::ALL.iter().zip(counts) {
                let labels =
                    |rollout, version| [("rollout", rollout), ("version", version), ("reason", reason.as_str())];
                add(*count, "decisions", &labels(name, version), &labels("other", "other"));
            }
        }
        add(self.overrides_ignored, "overrides_ignored", &[("rollout", name)], &[("rollout", "other")]);
    }
}

fn add_for(what: &str, rollout: &Rollout, version: &str, count: u32) {
    let labels = |rollout, version| [("rollout", rollout), ("version", version)];
    add(count, what, &labels(rollout.name(), version), &labels("other", "other"));
}

/// Counts answers that a guard has looked at.
pub(crate) fn count_answers(rules: &Rules, rollout: usize, version: VersionId, tally: Tally) {
    if let Some((rollout, version)) = named(rules, rollout, version) {
        add_for("guard_requests", rollout, version, tally.requests);
        add_for("guard_failures", rollout, version, tally.failures);
    }
}

/// Counts that a guard has taken a version out.
pub(crate) fn count_trip(rules: &Rules, rollout: usize, version: VersionId) {
    if let Some((rollout, version)) = named(rules, rollout, version) {
        add_for("guard_trips", rollout, version, 1);
    }
}

/// Shows what guards have made of versions: 0 serves, 1 a tenth, 2 out. A version that was never out has no gauge. Those that
/// serve are only shown with `all`, and those that another configuration shows are left to that.
pub(crate) fn show_standings(
    rules: &Rules,
    list: &Watchlist,
    current: &Current,
    all: bool,
    shows: &dyn Fn(&Rollout, &str) -> bool,
) {
    for watched in list.iter() {
        let value = match current.standing(watched.rollout, watched.version) {
            Standing::Serving => 0,
            Standing::Trial { .. } => 1,
            Standing::Out { .. } => 2,
        };
        let Some((rollout, version)) = named(rules, watched.rollout, watched.version) else { continue };
        if !all && value == 0 || !shows(rollout, version) {
            continue;
        }
        let name = series("guard_state", &[("rollout", rollout.name()), ("version", version)]);
        if let Some(gauge) = if value > 0 { vm::metric(MetricKind::Gauge, &name) } else { vm::known_metric(&name) } {
            gauge.set(value);
        }
    }
}

fn named(rules: &Rules, rollout: usize, version: VersionId) -> Option<(&Rollout, &str)> {
    let rollout = rules.rollout(rollout)?;
    Some((rollout, rollout.versions().get(version.index())?.name()))
}

/// Counts a document that had an error, and shows whether the one in hand is sound.
pub(crate) fn report_configuration(plugin: &str, sound: bool) {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { char::from(byte) } else { '_' };
    let plugin: String = plugin.bytes().map(plain).collect();
    let labels = [("plugin", &*plugin)];
    if let Some(gauge) = vm::metric(MetricKind::Gauge, &series("config_ok", &labels)) {
        gauge.set(u32::from(sound));
    }
    add(u32::from(!sound), "config_rejected", &labels, &[("plugin", "other")]);
}

/// Adds to a counter, or to the one for what is past the limit on series.
fn add(count: u32, name: &str, labels: &[(&str, &str)], other: &[(&str, &str)]) {
    if count == 0 {
        return;
    }
    let counter = vm::metric(MetricKind::Counter, &series(name, labels));
    if let Some(counter) = counter.or_else(|| vm::metric_past_limit(&series(name, other))) {
        counter.add(count);
    }
}
