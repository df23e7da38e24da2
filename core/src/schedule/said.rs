//! What was said last of schedules, as workers share it, so that each change is told once an Envoy.

use std::collections::BinaryHeap;

use siphasher::sip::SipHasher13;

use super::Phase;
use crate::rules::{Rollout, Rules};

/// A name's hash, the step and whether it is paused.
const BYTES: usize = 8 + 4 + 1;
/// So much is kept of schedules that the document at hand does not have: another one of the same plugin may.
const MOST_OTHERS: usize = 64;

/// What there is to say of a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// What stands for the rollout's name: see [`Said::names`].
    pub name: u64,
    /// What it has come to, if that is new to this worker.
    pub phase: Option<Phase>,
}

impl Said {
    /// What stands for the names of rollouts with a schedule, sorted, and the indices of the rollouts.
    #[inline(never)]
    pub fn names(rules: &Rules) -> Vec<(u64, usize)> {
        let name = |rollout: &Rollout| SipHasher13::new().hash(rollout.name().as_bytes());
        let scheduled = rules.rollouts().enumerate().filter(|(_, rollout)| rollout.schedule().is_some());
        scheduled.map(|(at, rollout)| (name(rollout), at)).collect::<BinaryHeap<_>>().into_sorted_vec()
    }

    /// What workers share with all of these in it, and the indices of those that were not said before. Both are sorted by name.
    #[inline(never)]
    pub fn added_to(shared: &[u8], these: &[Self]) -> (Vec<u8>, Vec<usize>) {
        let (mut all, mut new) = (Vec::with_capacity(shared.len()), Vec::new());
        let mut before = shared.as_chunks::<BYTES>().0.iter().peekable();
        let mut others = 0;
        for (index, one) in these.iter().enumerate() {
            while let Some(other) = before.next_if(|before| name(before) < one.name) {
                others += 1;
                keep(other, others, &mut all);
            }
            let said = before.next_if(|before| name(before) == one.name);
            let says = one.phase.map(|phase| one.to_bytes(phase));
            if let Some(says) = says
                && said != Some(&says)
            {
                new.push(index);
                all.extend_from_slice(&says);
            } else if let Some(said) = said {
                all.extend_from_slice(said);
            }
        }
        for other in before {
            others += 1;
            keep(other, others, &mut all);
        }
        (all, new)
    }

    /// Steps count from 1; 0 is before the start, and the highest number after the end, wherever that is.
    fn to_bytes(self, phase: Phase) -> [u8; BYTES] {
        let (step, paused) = match phase {
            Phase::Waiting => (0, 0),
            Phase::Step(index) => (index + 1, 0),
            Phase::Paused(index) => (index + 1, 1),
            Phase::Done => (usize::MAX, 0),
        };
        let mut bytes = [paused; BYTES];
        let parts = self.name.to_le_bytes().into_iter().chain(u32::try_from(step).unwrap_or(u32::MAX).to_le_bytes());
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        bytes
    }
}

fn name(bytes: &[u8; BYTES]) -> u64 {
    bytes.first_chunk().map_or(0, |name| u64::from_le_bytes(*name))
}

fn keep(other: &[u8; BYTES], others: usize, all: &mut Vec<u8>) {
    if others <= MOST_OTHERS {
        all.extend_from_slice(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: u64, phase: Phase) -> Said {
        Said { name, phase: Some(phase) }
    }

    #[test]
    fn each_change_is_said_once() {
        let one = |name, phase| vec![said(name, phase)];
        let silent = |name| vec![Said { name, phase: None }];
        let steps: [(Vec<Said>, &[usize]); 12] = [
            (one(5, Phase::Waiting), &[0]),
            (one(5, Phase::Waiting), &[]),
            (one(5, Phase::Step(0)), &[0]),
            (one(5, Phase::Paused(0)), &[0]),
            (silent(5), &[]),
            (one(5, Phase::Paused(0)), &[]),
            (one(5, Phase::Step(0)), &[0]),
            // Another document of the same plugin, whose schedules stand on either side.
            (vec![said(2, Phase::Step(0)), said(9, Phase::Done)], &[0, 1]),
            (one(5, Phase::Step(0)), &[]),
            (vec![said(2, Phase::Step(1)), said(5, Phase::Step(0)), said(9, Phase::Done)], &[0]),
            // A third step where two were all there was.
            (one(9, Phase::Step(2)), &[0]),
            (one(9, Phase::Done), &[0]),
        ];
        let mut shared = Vec::new();
        for (at, (these, expected)) in steps.into_iter().enumerate() {
            let (all, new) = Said::added_to(&shared, &these);
            assert_eq!(expected, new, "step {at}");
            shared = all;
        }
    }

    #[test]
    fn what_is_shared_does_not_grow_with_names_that_come_and_go() {
        let mut shared = Vec::new();
        for name in 0..1_000 {
            shared = Said::added_to(&shared, &[said(name * 7 % 1_000, Phase::Done)]).0;
        }
        assert_eq!((MOST_OTHERS + 1) * BYTES, shared.len());
        let mut names: Vec<u64> = shared.as_chunks().0.iter().map(name).collect();
        names.dedup();
        assert!(names.is_sorted() && names.len() == MOST_OTHERS + 1, "{names:?}");
    }

    #[test]
    fn what_nobody_of_ours_wrote_harms_nothing() {
        let (all, new) = Said::added_to(&[0xff; 3 * BYTES + 1], &[said(7, Phase::Done)]);
        assert_eq!((4 * BYTES, vec![0]), (all.len(), new));
    }
}
