//! `schedule`: a weight that follows the clock.

use super::super::reader::{Object, Path, Report, items};
use super::super::values;
use super::versions::Listed;
use crate::error::Kind;
use crate::node::Node;
use crate::rules::Split;
use crate::schedule::{Pause, Schedule, Step};
use crate::time::Time;

const FIELDS: [&str; 4] = ["version", "start", "steps", "pauses"];
const MOST_STEPS: usize = 100;
const MOST_PAUSES: usize = 100;
const MOMENT: &str = "a moment such as \"2026-11-21T09:00:00Z\" or \"2026-11-21T10:00:00+01:00\"";
const LENGTH: &str = "a duration of whole seconds from 1s to 400d";
const STEPS: &str = "a list such as [{weight: 5, for: 10m}, {weight: 50}]";

/// The schedule of a rollout, if there is a sound one.
pub(super) fn read(
    rollout: &Object<'_>,
    listed: &Listed,
    split: Split,
    total: u32,
    report: &mut Report<'_>,
) -> Option<Schedule> {
    let object = Object::read(rollout.get("schedule")?, rollout.field("schedule"), &FIELDS, report)?;
    if split != Split::Filter {
        report.conflict(&object.path, "the split leaves the weights to the route; expected no schedule");
    }
    for (field, expected) in
        [("version", "the name of the version whose weight it is"), ("start", MOMENT), ("steps", STEPS)]
    {
        object.require(report, field, expected);
    }
    let version = object.with("version", |node, path| {
        let version = listed.read_name(node, path, report)?;
        if Some(version) == listed.stable {
            report.conflict(path, "stable takes what the others leave; expected another version");
        }
        Some(version)
    });
    let start = object.text("start", MOMENT, Time::from_rfc3339, report);
    let steps = object.with("steps", |node, path| Some(read_steps(node, path, total, report))).unwrap_or_default();
    let pauses = object.with("pauses", |node, path| Some(read_pauses(node, path, report))).unwrap_or_default();
    let schedule = Schedule { version: version?, start: start?, steps, pauses };
    let path = object.field("steps");
    for index in schedule.steps_that_never_run() {
        report.warn(&path.item(index), "it never runs, since a step before it has no time; expected `for` in that one");
    }
    Some(schedule)
}

fn read_steps(node: &Node<'_>, path: &Path<'_>, total: u32, report: &mut Report<'_>) -> Vec<Step> {
    let items = items(node, path, STEPS, report);
    if matches!(node, Node::List(items) if items.is_empty()) {
        report.conflict(path, "found an empty list; expected a step, or no schedule");
    }
    if report.limit(path, items.len(), MOST_STEPS, "steps") {
        return Vec::new();
    }
    let items = items.iter().enumerate();
    items.filter_map(|(index, node)| read_step(node, path.item(index), total, report)).collect()
}

fn read_step(node: &Node<'_>, path: Path<'_>, total: u32, report: &mut Report<'_>) -> Option<Step> {
    let object = Object::read(node, path, &["weight", "to", "for"], report)?;
    object.require(report, "weight", "the weight at the step's beginning");
    let weight = object.whole("weight", 0..=total, report);
    let to = object.whole("to", 0..=total, report);
    let seconds = object.text("for", LENGTH, |text| values::whole_seconds(text, 1), report);
    if object.get("to").is_some() && object.get("for").is_none() {
        report.add(&object.field("for"), Kind::Missing { expected: "the time that the ramp takes".into() });
    }
    let weight = weight?;
    Some(Step { weight, to: to.unwrap_or(weight), seconds })
}

/// By their beginnings; those that meet or overlap become one.
fn read_pauses(node: &Node<'_>, path: &Path<'_>, report: &mut Report<'_>) -> Vec<Pause> {
    let items = items(node, path, "a list such as [{from: \"2026-11-21T09:00:00Z\"}]", report);
    if report.limit(path, items.len(), MOST_PAUSES, "pauses") {
        return Vec::new();
    }
    let mut pauses: Vec<Pause> = Vec::new();
    for (index, node) in items.iter().enumerate() {
        if let Some(pause) = read_pause(node, path.item(index), report) {
            let at = pauses.partition_point(|earlier| earlier.from <= pause.from);
            pauses.insert(at, pause);
        }
    }
    let mut apart: Vec<Pause> = Vec::with_capacity(pauses.len());
    for pause in pauses {
        match apart.last_mut() {
            Some(last) if last.to.is_none_or(|to| pause.from <= to) => {
                last.to = last.to.zip(pause.to).map(|(one, other)| one.max(other));
            }
            _ => apart.push(pause),
        }
    }
    apart
}

fn read_pause(node: &Node<'_>, path: Path<'_>, report: &mut Report<'_>) -> Option<Pause> {
    let object = Object::read(node, path, &["from", "to"], report)?;
    object.require(report, "from", MOMENT);
    let from = object.text("from", MOMENT, Time::from_rfc3339, report)?;
    let to = object.text("to", MOMENT, Time::from_rfc3339, report);
    if to.is_some_and(|to| to <= from) {
        object.conflict(report, "to", "it is not after from; expected a later moment, or none while paused");
    }
    Some(Pause { from, to })
}
