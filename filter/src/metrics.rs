//! Counting decisions in the VM, and handing the sums to Envoy on the tick.
//!
//! The names are those that `manifests/envoy/envoy.yaml` cuts into Prometheus labels.

use serin_core::{Decision, Reason, Rollout, Rules, Version, VersionId};

use crate::host::MetricKind;
use crate::vm;

/// Counts since the last flush.
#[derive(Default)]
pub(crate) struct Counts {
    rollouts: Vec<RolloutCounts>,
    /// The rollouts that have counted something, so that a flush need not look at all of them.
    touched: Vec<usize>,
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
        Self { rollouts: vec![RolloutCounts::default(); rules.rollouts().len()], touched: Vec::new() }
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

    /// Hands everything counted so far to Envoy's counters.
    pub(crate) fn flush(&mut self, rules: &Rules) {
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
                let series = |rollout, version| {
                    format!("serin_decisions.rollout.{rollout}.version.{version}.reason.{}", reason.as_str())
                };
                add(*count, &series(name, version), || series("other", "other"));
            }
        }
        let series = |rollout| format!("serin_overrides_ignored.rollout.{rollout}");
        add(self.overrides_ignored, &series(name), || series("other"));
    }
}

/// Counts a document that had an error, and shows whether the one in hand is sound.
pub(crate) fn report_configuration(plugin: &str, sound: bool) {
    let plugin: String =
        plugin.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    if let Some(gauge) = vm::metric(MetricKind::Gauge, &format!("serin_config_ok.plugin.{plugin}")) {
        gauge.set(u32::from(sound));
    }
    add(u32::from(!sound), &format!("serin_config_rejected.plugin.{plugin}"), || {
        "serin_config_rejected.plugin.other".into()
    });
}

/// Adds to a counter, or to the one for what is past the limit on series.
fn add(count: u32, name: &str, other: impl FnOnce() -> String) {
    if count == 0 {
        return;
    }
    if let Some(counter) = vm::metric(MetricKind::Counter, name).or_else(|| vm::metric_past_limit(&other())) {
        counter.add(count);
    }
}
