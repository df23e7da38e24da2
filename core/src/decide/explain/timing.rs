//! The schedule in words: the step, the weight, and what comes next.

use super::super::Request;
use super::short;
use crate::facts::Source;
use crate::schedule::{Phase, THOUSANDTHS};
use crate::tools::span_in_words;

impl<S: Source> Request<'_, '_, S> {
    /// What the schedule is doing, and how long it goes on.
    pub(super) fn explain_schedule(&self) -> Option<String> {
        let schedule = self.shared.schedule.as_ref()?;
        let (at, steps) = (schedule.at(self.now), schedule.steps());
        let name = self.shared.name_of(schedule.version());
        let doing = match at.phase {
            Phase::Waiting => format!("step 1 of {steps} has not begun"),
            Phase::Step(index) => format!("in step {} of {steps}", index + 1),
            Phase::Paused(index) => format!("paused in step {} of {steps}", index + 1),
            Phase::Done => "all steps are over".to_owned(),
        };
        let weight = at
            .thousandths
            .map_or_else(String::new, |weight| format!("; {name} has {} of {}", decimal(weight), self.shared.total));
        let is_last = match at.phase {
            Phase::Waiting => false,
            Phase::Step(index) | Phase::Paused(index) => index + 1 == steps,
            Phase::Done => true,
        };
        let next = match at.phase {
            Phase::Waiting => "it begins",
            _ if is_last => "it ends",
            _ => "the next one begins",
        };
        let left = at.left.map_or_else(String::new, |left| format!("; {next} in {}", span_in_words(left)));
        let end = schedule.end().filter(|end| *end > self.now && !is_last);
        let end = end.map_or_else(String::new, |end| {
            format!("; the last weight comes in {}", span_in_words(end.seconds_since(self.now)))
        });
        Some(format!("{doing}{weight}{left}{end}"))
    }
}

/// A weight in thousandths, exactly.
fn decimal(thousandths: u32) -> String {
    short(&format!("{}.{:03}", thousandths / THOUSANDTHS, thousandths % THOUSANDTHS)).to_owned()
}
