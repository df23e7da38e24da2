//! The moments at which a schedule turns: between them a weight runs straight.

use crate::schedule::Schedule;
use crate::time::Time;

impl Schedule {
    /// The moments after `now` at which the weight begins to run in another way, or jumps, and the last ones before those.
    pub(crate) fn turns(&self, now: Time) -> Vec<Time> {
        let pauses = self.pauses.iter().flat_map(|pause| [Some(pause.from), pause.to]).flatten();
        let mut turns: Vec<Time> = self.boundaries(now).into_iter().chain(pauses).filter(|turn| *turn > now).collect();
        let before: Vec<Time> =
            turns.iter().filter_map(|turn| turn.unix_seconds().checked_sub(1)).map(Time::from_unix_seconds).collect();
        turns.extend(before.into_iter().filter(|turn| *turn > now));
        turns.sort_unstable();
        turns.dedup();
        turns
    }

    /// When the last step begins that holds, or ends that does not; `None` if a pause without end comes before.
    pub(crate) fn end(&self) -> Option<Time> {
        let begin = self.begin()?;
        let whole: u64 = self.steps.iter().map_while(|step| step.seconds).map(u64::from).sum();
        let last = self.boundaries(Time::default()).last().copied().unwrap_or(begin);
        (self.running_seconds(last) >= whole).then_some(last)
    }

    /// The moments after `now` at which steps begin, and at which the last one ends.
    fn boundaries(&self, now: Time) -> Vec<Time> {
        let mut moments = Vec::new();
        let mut at = now;
        // Each step begins once.
        for _ in 0..=self.steps() {
            let Some(left) = self.at(at).left else { break };
            at = Time::from_unix_seconds(at.unix_seconds().saturating_add(left));
            moments.push(at);
        }
        moments
    }
}
