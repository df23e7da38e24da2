//! Schedules made visible: gauges, and one line an Envoy in the log at every change.

use serin_core::{Current, Moment, News, Phase, Rollout, Rules, Said, Schedule, Time, series};

use crate::host::{self, Metric, MetricKind};
use crate::vm;

/// The schedules of a root, in the order of their rollouts, which is that of their names.
#[derive(Default)]
pub(crate) struct Shown(Vec<One>);

/// One rollout's schedule, as it was last shown.
struct One {
    rollout: usize,
    phase: Option<Phase>,
    gauges: Option<[Option<Metric>; 4]>,
}

/// What a schedule has come to that this worker has not said yet: its place in the list, and its slots.
struct Change {
    at: usize,
    moment: Moment,
    slots: u32,
}

impl Shown {
    pub(crate) fn new(rules: &Rules) -> Self {
        let scheduled = rules.rollouts().enumerate().filter(|(_, rollout)| is_scheduled(rollout));
        Self(scheduled.map(|(rollout, _)| One { rollout, phase: None, gauges: None }).collect())
    }

    /// Shows what schedules have come to, but those that a newer configuration shows.
    pub(crate) fn show(&mut self, (plugin, root): (&str, u32), rules: &Rules, current: &Current, now: Time) {
        let mut changes = Vec::new();
        for (at, one) in self.0.iter_mut().enumerate() {
            let Some(rollout) = rules.rollout(one.rollout) else { continue };
            let Some(schedule) = rollout.schedule() else { continue };
            if vm::is_newest_with(plugin, root, rollout.name(), &is_scheduled) {
                let (moment, slots) = (schedule.at(now), current.slots(rules, one.rollout, schedule.version()));
                one.show(rollout, schedule, &moment, slots);
                if one.phase != Some(moment.phase) {
                    changes.push(Change { at, moment, slots });
                }
            }
        }
        if !changes.is_empty() {
            self.say(plugin, rules, &changes);
        }
    }

    /// One line for everything that no other worker has said: what was said last stands in shared data.
    fn say(&mut self, plugin: &str, rules: &Rules, changes: &[Change]) {
        let key = vm::key("schedule", plugin);
        let (shared, version) = match host::shared_data(&key) {
            Ok(found) => found,
            Err(status) => {
                // Two workers may begin at once, so what they begin with says nothing.
                if status == host::NOT_FOUND {
                    host::set_shared_data(&key, &[], 0);
                }
                return;
            }
        };
        let mut these: Vec<_> = self.0.iter().filter_map(|one| one.said(rules, News::None)).collect();
        for Change { at, moment, .. } in changes {
            if let Some(said) = these.get_mut(*at) {
                said.news = News::Phase(moment.phase);
            }
        }
        let (all, new) = Said::added_to(&shared, &these);
        if all != shared && !host::set_shared_data(&key, &all, version) {
            return;
        }
        for Change { at, moment, slots } in changes {
            let Some(one) = self.0.get_mut(*at) else { continue };
            one.phase = Some(moment.phase);
            let Some(rollout) = rules.rollout(one.rollout).filter(|_| new.binary_search(at).is_ok()) else { continue };
            if let Some(schedule) = rollout.schedule() {
                host::log_info(&schedule.in_words(rollout, moment, *slots));
            }
        }
    }

    /// Has nothing shown any more of schedules that no other configuration has.
    pub(crate) fn end(&self, (plugin, root): (&str, u32), rules: &Rules) {
        let last = |rollout: &Rollout| vm::is_last_with(plugin, root, rollout.name(), &is_scheduled);
        let ended = |one: &&One| rules.rollout(one.rollout).is_some_and(last);
        let mut gone = Vec::new();
        for one in self.0.iter().filter(ended) {
            one.gauges.iter().flatten().flatten().for_each(|gauge| gauge.set(0));
            gone.extend(one.said(rules, News::Gone));
        }
        let key = vm::key("schedule", plugin);
        if let (false, Ok((shared, version))) = (gone.is_empty(), host::shared_data(&key)) {
            host::set_shared_data(&key, &Said::added_to(&shared, &gone).0, version);
        }
    }
}

impl One {
    fn said<'r>(&self, rules: &'r Rules, news: News) -> Option<Said<'r>> {
        Some(Said { name: rules.rollout(self.rollout)?.name(), news })
    }

    fn show(&mut self, rollout: &Rollout, schedule: &Schedule, moment: &Moment, slots: u32) {
        let (step, paused) = match moment.phase {
            Phase::Waiting => (0, false),
            Phase::Step(index) => (index + 1, false),
            Phase::Paused(index) => (index + 1, true),
            Phase::Done => (schedule.steps() + 1, false),
        };
        let values = [number(step), paused.into(), slots, number(moment.left.unwrap_or_default())];
        for (gauge, value) in self.gauges.get_or_insert_with(|| define(rollout)).iter().zip(values) {
            if let Some(gauge) = gauge {
                gauge.set(value);
            }
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
