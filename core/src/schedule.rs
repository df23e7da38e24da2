//! A weight that follows the clock: steps, straight ramps and pauses.
//!
//! A function of the moment alone, so every proxy comes to the same weight at the same time, whenever it was started and
//! however its clock has jumped.

mod said;

use crate::rules::{Rollout, VersionId};
use crate::time::Time;
pub use said::{News, Said};

/// Weights inside a schedule are in thousandths of the document's, so that a ramp is straight and not a stair.
pub(crate) const THOUSANDTHS: u32 = 1_000;

/// The weight of one version over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub(crate) version: VersionId,
    pub(crate) start: Time,
    /// At least one.
    pub(crate) steps: Vec<Step>,
    /// By their beginnings, and apart from each other.
    pub(crate) pauses: Vec<Pause>,
}

/// A part of a schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The weight at its beginning.
    pub(crate) weight: u32,
    /// The weight at its end.
    pub(crate) to: u32,
    /// Its length in seconds; `None` for one that holds until the document changes.
    pub(crate) seconds: Option<u32>,
}

/// A time in which the clock stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pause {
    pub(crate) from: Time,
    /// `None` while nobody has said when it goes on.
    pub(crate) to: Option<Time>,
}

/// Where a schedule is at one moment. One that is paused at its start begins when the pause ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What it is doing.
    pub phase: Phase,
    /// The scheduled version's weight, in thousandths of the document's; `None` before the start, when the weight is the
    /// document's.
    pub thousandths: Option<u32>,
    /// Seconds until the next step begins, pauses that are known included; `None` if none will.
    pub left: Option<u64>,
}

/// What a schedule is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not started.
    Waiting,
    /// The step with this index runs, or holds without end.
    Step(usize),
    /// The step with this index stands still.
    Paused(usize),
    /// All steps are over; the weight stays.
    Done,
}

impl Schedule {
    /// The version whose weight it is.
    pub fn version(&self) -> VersionId {
        self.version
    }

    /// The number of steps.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// The indices of steps that never run, since one before them holds without end.
    pub fn steps_that_never_run(&self) -> std::ops::Range<usize> {
        let holds = self.steps.iter().position(|step| step.seconds.is_none());
        holds.map_or(0..0, |holds| holds + 1..self.steps.len())
    }

    /// The highest weight that it comes to.
    pub(crate) fn peak(&self) -> u32 {
        self.steps.iter().flat_map(|step| [step.weight, step.to]).max().unwrap_or_default()
    }

    /// Where it is at this moment.
    #[inline(never)]
    pub fn at(&self, now: Time) -> Moment {
        let begin = self.begin();
        if begin.is_none_or(|begin| now < begin) {
            let left = begin.map(|begin| begin.seconds_since(now));
            return Moment { phase: Phase::Waiting, thousandths: None, left };
        }
        let mut passed = self.running_seconds(now);
        for (index, step) in self.steps.iter().enumerate() {
            let within = step.seconds.is_none_or(|seconds| passed < seconds.into());
            if within {
                let phase = if self.is_paused(now) { Phase::Paused(index) } else { Phase::Step(index) };
                let left = step.seconds.and_then(|seconds| self.wait(now, u64::from(seconds) - passed));
                return Moment { phase, thousandths: Some(step.thousandths(passed)), left };
            }
            passed -= u64::from(step.seconds.unwrap_or_default());
        }
        let last = self.steps.last().map(|step| step.to * THOUSANDTHS);
        Moment { phase: Phase::Done, thousandths: last, left: None }
    }

    /// The moment as a line of a log tells it, with the slots that the version has.
    #[inline(never)]
    pub fn in_words(&self, rollout: &Rollout, moment: &Moment, slots: u32) -> String {
        let version = rollout.version(self.version).map_or("", |version| &version.name);
        let what = self.phase_in_words(moment);
        let (percent, rest) = (slots / 10_000, slots % 10_000);
        format!("serin: rollouts.{}.schedule: {what}; {version} has {percent}.{rest:04} %", rollout.name())
    }

    fn phase_in_words(&self, moment: &Moment) -> String {
        let (what, step) = match moment.phase {
            Phase::Waiting => ("before", 1),
            Phase::Step(index) => ("in", index + 1),
            Phase::Paused(index) => ("paused in", index + 1),
            Phase::Done => ("after", self.steps.len()),
        };
        let left =
            moment.left.map_or_else(|| "until the document changes".into(), |seconds| format!("for {seconds} s"));
        format!("{what} step {step} of {}, {left}", self.steps.len())
    }

    /// The start, or the end of the pause that it falls into; `None` if that has none.
    pub(crate) fn begin(&self) -> Option<Time> {
        match self.pauses.iter().find(|pause| pause.covers(self.start)) {
            None => Some(self.start),
            Some(pause) => pause.to,
        }
    }

    /// Seconds since the start, pauses left out.
    pub(crate) fn running_seconds(&self, now: Time) -> u64 {
        let within = |pause: &Pause| {
            let (from, to) = (pause.from.max(self.start), pause.to.unwrap_or(now).min(now));
            to.seconds_since(from)
        };
        now.seconds_since(self.start) - self.pauses.iter().map(within).sum::<u64>()
    }

    fn is_paused(&self, now: Time) -> bool {
        self.pauses.iter().any(|pause| pause.covers(now))
    }

    /// Seconds until so many have run from now on; `None` if a pause without end comes before.
    fn wait(&self, now: Time, running: u64) -> Option<u64> {
        let mut wait = running;
        for pause in self.pauses.iter().filter(|pause| pause.to.is_none_or(|to| now < to)) {
            if pause.from.seconds_since(now) >= wait {
                break;
            }
            wait += pause.to?.seconds_since(pause.from.max(now));
        }
        Some(wait)
    }
}

impl Pause {
    fn covers(&self, moment: Time) -> bool {
        self.from <= moment && self.to.is_none_or(|to| moment < to)
    }
}

impl Step {
    /// The weight after so many seconds of the step.
    fn thousandths(&self, passed: u64) -> u32 {
        let at = |weight: u32| u64::from(weight) * u64::from(THOUSANDTHS);
        let Some(seconds) = self.seconds.map(u64::from).filter(|seconds| passed < *seconds) else {
            return self.weight * THOUSANDTHS;
        };
        let sum = at(self.weight) * (seconds - passed) + at(self.to) * passed;
        u32::try_from(sum / seconds).unwrap_or_default()
    }
}
