//! Schedules made visible: gauges, and one line an Envoy in the log at every change.

use serin_core::{Current, Phase, Rollout, Rules, Said, Schedule, Time, series};

use crate::host::{self, Metric, MetricKind};
use crate::vm;

/// The schedules of a root.
#[derive(Default)]
pub(crate) struct Shown(Vec<One>);

/// One rollout's schedule, as it was last shown.
struct One {
    rollout: usize,
    /// What stands for its name in shared data.
    name: u64,
    phase: Option<Phase>,
    gauges: Option<[Option<Metric>; 4]>,
}

impl Shown {
    pub(crate) fn new(rules: &Rules) -> Self {
        let scheduled = rules.rollouts().enumerate().filter(|(_, rollout)| is_scheduled(rollout));
        let name = |rollout: &Rollout| vm::fingerprint(rollout.name().as_bytes());
        Self(scheduled.map(|(at, of)| One { rollout: at, name: name(of), phase: None, gauges: None }).collect())
    }

    /// Shows what schedules have come to, but those that a newer configuration shows.
    pub(crate) fn show(&mut self, (plugin, root): (&str, u32), rules: &Rules, current: &Current, now: Time) {
        let names: Vec<u64> = self.0.iter().map(|one| one.name).collect();
        for one in &mut self.0 {
            let Some(rollout) = rules.rollout(one.rollout) else { continue };
            let Some(schedule) = rollout.schedule() else { continue };
            if vm::is_newest_with(plugin, root, rollout.name(), is_scheduled) {
                let slots = current.slots(rules, one.rollout, schedule.version());
                one.show(plugin, (rollout, schedule, slots), now, &names);
            }
        }
    }

    /// Has nothing shown any more of schedules that no other configuration has.
    pub(crate) fn end(&mut self, (plugin, root): (&str, u32), rules: &Rules) {
        for one in &mut self.0 {
            let last = |rollout: &Rollout| vm::is_last_with(plugin, root, rollout.name(), is_scheduled);
            if rules.rollout(one.rollout).is_some_and(last) {
                one.gauges.iter().flatten().flatten().for_each(|gauge| gauge.set(0));
            }
        }
    }
}

impl One {
    fn show(&mut self, plugin: &str, of: (&Rollout, &Schedule, u32), now: Time, names: &[u64]) {
        let (rollout, schedule, slots) = of;
        let moment = schedule.at(now);
        let steps = schedule.steps();
        let (step, paused) = match moment.phase {
            Phase::Waiting => (0, false),
            Phase::Step(index) => (index + 1, false),
            Phase::Paused(index) => (index + 1, true),
            Phase::Done => (steps + 1, false),
        };
        let left = moment.left.unwrap_or_default();
        let values = [number(step), paused.into(), slots, number(left)];
        for (gauge, value) in self.gauges.get_or_insert_with(|| define(rollout)).iter().zip(values) {
            if let Some(gauge) = gauge {
                gauge.set(value);
            }
        }
        if self.phase == Some(moment.phase) {
            return;
        }
        let said = Said { name: self.name, step: number(step), paused };
        let Some(says) = is_first(said, plugin, names) else { return };
        self.phase = Some(moment.phase);
        if says {
            host::log_info(&schedule.in_words(rollout, &moment, slots));
        }
    }
}

fn number(value: impl TryInto<u32>) -> u32 {
    value.try_into().unwrap_or(u32::MAX)
}

fn define(rollout: &Rollout) -> [Option<Metric>; 4] {
    ["schedule_step", "schedule_paused", "schedule_slots", "schedule_seconds_left"]
        .map(|what| vm::metric(MetricKind::Gauge, &series(what, &[("rollout", rollout.name())])))
}

fn is_scheduled(rollout: &Rollout) -> bool {
    rollout.schedule().is_some()
}

/// Whether no other worker has said so: what was said last of each schedule stands in shared data. `None` where that cannot be
/// told yet.
fn is_first(said: Said, plugin: &str, names: &[u64]) -> Option<bool> {
    let key = ["serin.schedule.", plugin].concat();
    let Some((all, version)) = host::shared_data(&key) else {
        // Two workers may begin at once, so what they begin with says nothing.
        host::set_shared_data(&key, &[], 0);
        return None;
    };
    match said.added_to(&all, names) {
        None => Some(false),
        Some(all) => host::set_shared_data(&key, &all, version).then_some(true),
    }
}
