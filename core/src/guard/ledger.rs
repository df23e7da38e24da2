//! The ledger: what all workers of an Envoy have counted, and what guards made of it. It is kept as bytes that workers share.

use super::{Guard, Identity, Standing, Watchlist};
use crate::list;
use crate::rules::{Rollout, Rules, VersionId};
use crate::time::Time;

/// A window is looked at in so many slices.
const SLICES: usize = 10;
/// The words of a record: see [`Record::words`].
const WORDS: usize = 6 + 2 * SLICES;
/// How a ledger of this form begins.
const MAGIC: [u8; 4] = *b"srn1";
/// So many records are kept of versions that the document at hand does not list: it may be pushed back.
const MOST_UNLISTED: usize = 64;

/// What was counted of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that it answered, or failed to.
    pub requests: u32,
    /// Those of them that were failures.
    pub failures: u32,
}

impl Tally {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
    }
}

/// What a worker has counted of a version.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// What it is counted for.
    pub identity: Identity,
    /// The index of the rollout.
    pub rollout: usize,
    /// The version.
    pub version: VersionId,
    /// What was counted.
    pub tally: Tally,
}

/// A version that has another standing now.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// The index of the rollout.
    pub rollout: usize,
    /// The version.
    pub version: VersionId,
    /// Its standing from now on.
    pub standing: Standing,
    /// What was counted in the window before.
    pub tally: Tally,
}

impl Change {
    /// The change as a line of a log tells it.
    #[inline(never)]
    pub fn in_words(&self, rules: &Rules) -> String {
        let rollout = rules.rollout(self.rollout);
        let version = rollout.and_then(|rollout| rollout.version(self.version)).map_or("", |version| &version.name);
        let Tally { requests, failures } = self.tally;
        let what = match self.standing {
            Standing::Out { .. } => "taken out: stable serves in its place",
            Standing::Trial { .. } => "a tenth of its slots is let in again",
            Standing::Serving => "serves again",
        };
        let name = rollout.map_or("", Rollout::name);
        format!("serin: rollouts.{name}.versions.{version}: {what}; {failures} of the last {requests} requests failed")
    }
}

/// What all workers have counted, and what guards made of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Sorted by identity.
    records: Vec<Record>,
}

/// One version's line.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    identity: Identity,
    /// Seconds of a slice.
    slice: u32,
    /// The number of the newest slice, since 1970.
    newest: u32,
    state: State,
    /// Since when it is out or, if it is not, is let in again, in seconds since 1970; 0 if it never was out.
    since: u32,
    /// A ring: the slice with number n is at n modulo 10.
    slices: [Tally; SLICES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving = 0,
    Out = 1,
    Trial = 2,
}

impl Ledger {
    /// Reads what [`Ledger::to_bytes`] wrote. Anything else is an empty ledger: another version of the filter may have left it.
    #[inline(never)]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (records, rest) = bytes.strip_prefix(&MAGIC).unwrap_or_default().as_chunks::<{ 4 * WORDS }>();
        if !rest.is_empty() {
            return Self::default();
        }
        Self { records: records.iter().map(Record::from_bytes).collect() }
    }

    /// The ledger as bytes.
    #[inline(never)]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.reserve_exact(self.records.len() * 4 * WORDS);
        for record in &self.records {
            record.words(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        }
        bytes
    }

    /// Adds what a worker has counted of a version.
    pub fn add(&mut self, identity: Identity, guard: &Guard, tally: Tally, now: Time) {
        let at = match self.place(identity) {
            Ok(at) => at,
            Err(at) => {
                list::insert(&mut self.records, at, Record::new(identity, guard.slice(), now));
                at
            }
        };
        if let Some(record) = self.records.get_mut(at) {
            record.add(tally, now);
        }
    }

    /// Since when a version is let in again that was out.
    pub(crate) fn returned(&self, identity: Identity) -> Option<Time> {
        let record = self.records.get(self.place(identity).ok()?)?;
        (record.since > 0).then(|| Time::from_unix_seconds(record.since.into()))
    }

    /// Adds what a worker has counted, has guards look at the sum, and gives what they changed. `judges` says which of them a guard
    /// looks at, and `prunes` whether no newer configuration counts as well.
    #[inline(never)]
    pub fn update(
        &mut self,
        counted: &[Counted],
        rules: &Rules,
        list: &Watchlist,
        now: Time,
        judges: &dyn Fn(&Rollout, Identity) -> bool,
        prunes: bool,
    ) -> Vec<Change> {
        for &Counted { identity, rollout, tally, .. } in counted {
            if let Some(guard) = rules.rollout(rollout).and_then(Rollout::guard) {
                self.add(identity, guard, tally, now);
            }
        }
        let changes = self.judge(rules, list, now, judges);
        if prunes {
            self.prune(list);
        }
        changes
    }

    /// Has guards look at what was counted, and gives what they changed. `judges` says which of them a guard looks at.
    pub fn judge(
        &mut self,
        rules: &Rules,
        list: &Watchlist,
        now: Time,
        judges: &dyn Fn(&Rollout, Identity) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for watched in list.iter() {
            let Ok(at) = self.place(watched.identity) else { continue };
            let Some(rollout) = rules.rollout(watched.rollout) else { continue };
            let (Some(shared), Some(guard)) = (rollout.shared(), rollout.guard()) else { continue };
            if watched.version == shared.stable || !judges(rollout, watched.identity) {
                continue;
            }
            let stable = guard.worse_than_stable.and_then(|_| {
                let identity = guard.identity(shared.stable)?;
                self.tally(identity, judges(rollout, identity).then_some(guard), now)
            });
            let Some(record) = self.records.get_mut(at) else { continue };
            if let Some(tally) = record.judge(guard, stable, now) {
                let standing = record.standing(guard);
                changes.push(Change { rollout: watched.rollout, version: watched.version, standing, tally });
            }
        }
        changes
    }

    /// What became of a version.
    pub fn standing(&self, identity: Identity, guard: &Guard) -> Standing {
        let record = self.place(identity).ok().and_then(|at| self.records.get(at));
        record.map_or(Standing::Serving, |record| record.standing(guard))
    }

    /// Forgets versions that the list does not have, but for some: those that are out, and then those that were touched last.
    pub fn prune(&mut self, list: &Watchlist) {
        if self.records.len() <= MOST_UNLISTED {
            return;
        }
        let mut stays = vec![false; self.records.len()];
        let listed = list.iter().filter_map(|watched| self.place(watched.identity).ok());
        listed.for_each(|at| stays.get_mut(at).into_iter().for_each(|stays| *stays = true));
        // The best of the others, the least of them first.
        let mut kept: Vec<((bool, u32), usize)> = Vec::new();
        for (at, record) in self.records.iter().enumerate().filter(|(at, _)| stays.get(*at) == Some(&false)) {
            let worth = ((record.state != State::Serving, record.touched()), at);
            let at = kept.partition_point(|other| *other < worth);
            list::insert(&mut kept, at, worth);
            if kept.len() > MOST_UNLISTED {
                list::remove(&mut kept, 0);
            }
        }
        kept.iter().for_each(|(_, at)| stays.get_mut(*at).into_iter().for_each(|stays| *stays = true));
        let mut stays = stays.into_iter();
        self.records.retain(|_| stays.next().unwrap_or(true));
    }

    /// What was counted of a version in the window of its guard, or of another one that judges it.
    fn tally(&mut self, identity: Identity, guard: Option<&Guard>, now: Time) -> Option<Tally> {
        let at = self.place(identity).ok()?;
        let record = self.records.get_mut(at)?;
        record.advance(guard.map_or(record.slice, Guard::slice), now);
        Some(record.sum())
    }

    fn place(&self, identity: Identity) -> Result<usize, usize> {
        self.records.binary_search_by_key(&identity, |record| record.identity)
    }
}

/// Seconds since 1970 in 32 bits, which last until 2106.
fn seconds(now: Time) -> u32 {
    u32::try_from(now.unix_seconds()).unwrap_or(u32::MAX)
}

impl Record {
    fn new(identity: Identity, slice: u32, now: Time) -> Self {
        let newest = seconds(now) / slice.max(1);
        Self { identity, slice, newest, state: State::Serving, since: 0, slices: Default::default() }
    }

    /// Goes on to the slice of this moment. A window of another length begins anew; so does one from which the clock has
    /// jumped back.
    fn advance(&mut self, slice: u32, now: Time) {
        const RING: u32 = SLICES as u32;
        let current = seconds(now) / slice.max(1);
        if self.slice != slice || self.newest.saturating_sub(current) >= RING {
            (self.slice, self.newest, self.slices) = (slice, current, Default::default());
        }
        while self.newest < current {
            // Whatever the ring held is past after a whole round.
            self.newest = (self.newest + 1).max(current.saturating_sub(RING));
            if let Some(slice) = self.at(self.newest) {
                *slice = Tally::default();
            }
        }
    }

    /// In slices as the last judge has cut them: an older configuration may cut them otherwise, and adds all the same.
    fn add(&mut self, tally: Tally, now: Time) {
        self.advance(self.slice, now);
        if let Some(slice) = self.at(seconds(now) / self.slice.max(1)) {
            slice.add(tally);
        }
    }

    fn at(&mut self, number: u32) -> Option<&mut Tally> {
        self.slices.get_mut(number as usize % SLICES)
    }

    fn sum(&self) -> Tally {
        self.slices.iter().fold(Tally::default(), |mut sum, slice| {
            sum.add(*slice);
            sum
        })
    }

    /// Goes on to another state if it is time; gives what was counted before it.
    fn judge(&mut self, guard: &Guard, stable: Option<Tally>, now: Time) -> Option<Tally> {
        self.advance(guard.slice(), now);
        // After a jump of the clock back times begin anew.
        self.since = self.since.min(seconds(now));
        let passed = seconds(now) - self.since;
        let tally = self.sum();
        let next = match self.state {
            State::Serving | State::Trial if guard.trips(tally, stable) => State::Out,
            State::Out if guard.out_for.is_some_and(|seconds| passed >= seconds) => State::Trial,
            State::Trial if passed >= guard.window => State::Serving,
            _ => return None,
        };
        self.state = next;
        if next != State::Serving {
            // What led here does not count again. What was asked in the trial does, whenever it is answered.
            self.since = seconds(now);
            self.slices = Default::default();
        }
        Some(tally)
    }

    fn standing(&self, guard: &Guard) -> Standing {
        let since = Time::from_unix_seconds(self.since.into());
        match self.state {
            State::Serving => Standing::Serving,
            State::Out => Standing::Out { until: guard.out_for.map(|seconds| since.plus(seconds)) },
            State::Trial => Standing::Trial { since },
        }
    }

    /// When something was last counted or changed.
    fn touched(&self) -> u32 {
        self.since.max(self.newest.saturating_mul(self.slice))
    }

    /// The record as words of 32 bits: identity (the lower half first), seconds of a slice, newest slice, state, since, and
    /// the ring's requests and failures.
    fn words(&self, mut put: impl FnMut(u32)) {
        #[allow(clippy::cast_possible_truncation)] // Taken apart into its halves.
        let (low, high) = (self.identity.0 as u32, (self.identity.0 >> 32) as u32);
        [low, high, self.slice, self.newest, self.state as u32, self.since].into_iter().for_each(&mut put);
        self.slices.iter().flat_map(|slice| [slice.requests, slice.failures]).for_each(put);
    }

    fn from_bytes(bytes: &[u8; 4 * WORDS]) -> Self {
        let mut words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        let identity = Identity(u64::from(next()) | u64::from(next()) << 32);
        let (slice, newest) = (next(), next());
        let state = match next() {
            1 => State::Out,
            2 => State::Trial,
            _ => State::Serving,
        };
        let since = next();
        let slices = std::array::from_fn(|_| Tally { requests: next(), failures: next() });
        Self { identity, slice, newest, state, since, slices }
    }
}
