//! Schedules made visible: gauges, and one line an Envoy in the log at every change.

use serin_core::{Phase, Rollout, Rules, Schedule, Time};

use crate::host::{self, Metric, MetricKind};
use crate::vm;

/// The schedules of a root.
#[derive(Default)]
pub(crate) struct Shown(Vec<One>);

/// One rollout's schedule, as it was last shown.
struct One {
    rollout: usize,
    phase: Option<Phase>,
    gauges: Option<[Option<Metric>; 4]>,
}

impl Shown {
    pub(crate) fn new(rules: &Rules) -> Self {
        let scheduled = rules.rollouts().enumerate().filter(|(_, rollout)| rollout.schedule().is_some());
        Self(scheduled.map(|(rollout, _)| One { rollout, phase: None, gauges: None }).collect())
    }

    /// Shows what schedules have come to, but those that a newer configuration shows.
    pub(crate) fn show(&mut self, (plugin, root): (&str, u32), rules: &Rules, now: Time) {
        for one in &mut self.0 {
            let Some(rollout) = rules.rollout(one.rollout) else { continue };
            let Some(schedule) = rollout.schedule() else { continue };
            if vm::is_newest_with(plugin, root, rollout.name()) {
                one.show(plugin, rollout, schedule, now);
            }
        }
    }

    /// Has nothing shown any more of schedules that no other configuration has.
    pub(crate) fn end(&mut self, (plugin, root): (&str, u32), rules: &Rules) {
        for one in &mut self.0 {
            let last = |rollout: &Rollout| vm::is_last_to_schedule(plugin, root, rollout.name());
            if rules.rollout(one.rollout).is_some_and(last) {
                one.gauges.iter().flatten().flatten().for_each(|gauge| gauge.set(0));
            }
        }
    }
}

impl One {
    fn show(&mut self, plugin: &str, rollout: &Rollout, schedule: &Schedule, now: Time) {
        let moment = schedule.at(now);
        let steps = schedule.steps();
        let (step, paused) = match moment.phase {
            Phase::Waiting => (0, false),
            Phase::Step(index) => (index + 1, false),
            Phase::Paused(index) => (index + 1, true),
            Phase::Done => (steps + 1, false),
        };
        let slots = rollout.intervals_at(now).map_or(0, |intervals| intervals.width(schedule.version()));
        let left = moment.left.unwrap_or_default();
        let values = [number(step), paused.into(), slots, number(left)];
        for (gauge, value) in self.gauges.get_or_insert_with(|| define(rollout)).iter().zip(values) {
            if let Some(gauge) = gauge {
                gauge.set(value);
            }
        }
        if self.phase.replace(moment.phase) != Some(moment.phase) && is_first_to_say(plugin, rollout, step, paused) {
            let version = rollout.versions().get(schedule.version().index()).map_or("", |version| version.name());
            let what = schedule.in_words(&moment);
            let percent = format!("{}.{:04}", slots / 10_000, slots % 10_000);
            host::log_info(&format!("serin: rollouts.{}.schedule: {what}; {version} has {percent} %", rollout.name()));
        }
    }
}

fn number(value: impl TryInto<u32>) -> u32 {
    value.try_into().unwrap_or(u32::MAX)
}

fn define(rollout: &Rollout) -> [Option<Metric>; 4] {
    ["step", "paused", "slots", "seconds_left"]
        .map(|what| vm::metric(MetricKind::Gauge, &format!("serin_schedule_{what}.rollout.{}", rollout.name())))
}

/// Whether no other worker has said so: what was said last stands in shared data.
fn is_first_to_say(plugin: &str, rollout: &Rollout, step: usize, paused: bool) -> bool {
    let key = format!("serin.schedule.{plugin}.{}", rollout.name());
    let said = [step.to_le_bytes()[0], paused.into()];
    match host::shared_data(&key) {
        None => host::set_shared_data(&key, &said, 0),
        Some((last, version)) => last != said && host::set_shared_data(&key, &said, version),
    }
}
