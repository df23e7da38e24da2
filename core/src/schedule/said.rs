//! What was said last of schedules, as workers share it, so that each change is told once an Envoy: a line of text for each,
//! sorted by the names of the rollouts.

use super::Phase;

/// So much is kept of schedules that the document at hand does not have, as a document may: another one of the same plugin.
const MOST_OTHERS: usize = 10_000;

/// What there is to say of a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The rollout.
    pub name: &'a str,
    /// What there is to say.
    pub news: News,
}

/// What there is to say of a schedule.
#[derive(Clone, Copy, Debug)]
pub enum News {
    /// Nothing.
    None,
    /// What it has come to.
    Phase(Phase),
    /// It is in no document any more.
    Gone,
}

impl Said<'_> {
    /// What workers share with all of these in it, and the indices of those that were not said before. They are sorted by name.
    #[inline(never)]
    pub fn added_to(shared: &[u8], these: &[Self]) -> (Vec<u8>, Vec<usize>) {
        let (mut all, mut new) = (Vec::with_capacity(shared.len()), Vec::new());
        let mut before = shared.split_inclusive(|byte| *byte == b'\n').peekable();
        let mut others = 0;
        for (index, one) in these.iter().enumerate() {
            while let Some(other) = before.next_if(|line| name(line) < one.name.as_bytes()) {
                keep(other, &mut others, &mut all);
            }
            let said = before.next_if(|line| name(line) == one.name.as_bytes()).unwrap_or_default();
            match one.news {
                News::Gone => {}
                News::None => all.extend_from_slice(said),
                News::Phase(phase) => {
                    let says = one.line(phase);
                    if said != says.as_bytes() {
                        new.push(index);
                    }
                    all.extend_from_slice(says.as_bytes());
                }
            }
        }
        before.for_each(|other| keep(other, &mut others, &mut all));
        (all, new)
    }

    /// Steps count from 1; 0 is before the start. The end is the end, whatever number the last step has.
    fn line(&self, phase: Phase) -> String {
        let (what, step) = match phase {
            Phase::Waiting => ("step", 0),
            Phase::Step(index) => ("step", index + 1),
            Phase::Paused(index) => ("paused", index + 1),
            Phase::Done => ("done", 0),
        };
        format!("{} {what} {step}\n", self.name)
    }
}

fn name(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b' ').next().unwrap_or_default()
}

fn keep(other: &[u8], others: &mut usize, all: &mut Vec<u8>) {
    *others += 1;
    if *others <= MOST_OTHERS && other.ends_with(b"\n") {
        all.extend_from_slice(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, phase: Phase) -> Said<'_> {
        Said { name, news: News::Phase(phase) }
    }

    #[test]
    fn each_change_is_said_once() {
        let one = |name, phase| vec![said(name, phase)];
        let silent = |name, news| vec![Said { name, news }];
        let steps: [(Vec<Said<'_>>, &[usize]); 15] = [
            (one("m", Phase::Waiting), &[0]),
            (one("m", Phase::Waiting), &[]),
            (one("m", Phase::Step(0)), &[0]),
            (one("m", Phase::Paused(0)), &[0]),
            (silent("m", News::None), &[]),
            (one("m", Phase::Paused(0)), &[]),
            (one("m", Phase::Step(0)), &[0]),
            // Another document of the same plugin, whose schedules stand on either side.
            (vec![said("a", Phase::Step(0)), said("m-2", Phase::Done)], &[0, 1]),
            (one("m", Phase::Step(0)), &[]),
            (vec![said("a", Phase::Step(1)), said("m", Phase::Step(0)), said("m-2", Phase::Done)], &[0]),
            // A third step where two were all there was.
            (one("m-2", Phase::Step(2)), &[0]),
            (one("m-2", Phase::Done), &[0]),
            // It leaves the document, and is there again.
            (silent("m-2", News::Gone), &[]),
            (silent("m-2", News::None), &[]),
            (one("m-2", Phase::Done), &[0]),
        ];
        let mut shared = Vec::new();
        for (at, (these, expected)) in steps.into_iter().enumerate() {
            let (all, new) = Said::added_to(&shared, &these);
            assert_eq!(expected, new, "step {at}");
            shared = all;
        }
        assert_eq!("a step 2\nm step 1\nm-2 done 0\n", String::from_utf8(shared).unwrap());
    }

    #[test]
    fn what_is_shared_does_not_grow_with_names_that_come_and_go() {
        let names: Vec<String> = (0..12_010).map(|number| format!("r{number:05}")).collect();
        let says: Vec<Said<'_>> = names.iter().map(|name| said(name, Phase::Done)).collect();
        let (many, few) = says.split_at(12_000);
        let (mut shared, new) = Said::added_to(&[], many);
        assert_eq!((12_000 * "r00000 done 0\n".len(), 12_000), (shared.len(), new.len()));
        for one in few {
            shared = Said::added_to(&shared, std::slice::from_ref(one)).0;
            assert_eq!((MOST_OTHERS + 1) * "r00000 done 0\n".len(), shared.len());
        }
    }

    #[test]
    fn what_nobody_of_ours_wrote_harms_nothing() {
        for junk in [&b"\xff\0\xff"[..], b"\n\n", b"z", b" ", b"b step"] {
            let (all, new) = Said::added_to(junk, &[said("m", Phase::Done)]);
            assert_eq!(vec![0], new);
            let (again, new) = Said::added_to(&all, &[said("m", Phase::Done)]);
            assert_eq!((all, vec![]), (again, new), "{junk:?}");
        }
    }
}
