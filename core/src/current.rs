//! What the clock and the traffic make of rules: weights by schedule, and versions that get no traffic right now. Worked out
//! at configuration, on a tick and when something happens, so that requests pay next to nothing.

use crate::decide::Reason;
use crate::guard::{Identity, Ledger, Standing, Watchlist};
use crate::rules::{Rollout, Rules, Shared, Shares, VersionId};
use crate::slot::Slot;
use crate::time::Time;

/// So long a version without a cluster gets no traffic.
const MISSING_SECONDS: u64 = 10;
/// So long another configuration knows of it: one that does not may have seen the version alive in the meantime.
const KNOWN_SECONDS: u64 = 60;
/// So many refused connections in a row, without an answer between, are taken for an upstream that is not there: one host of
/// several may refuse while it restarts.
const REFUSALS: u8 = 3;

/// What the clock and the traffic make of rules. Without anything said, weights are the document's and every version serves.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// By rollout; shorter than their list where the last ones have nothing.
    rollouts: Vec<Option<Box<OfRollout>>>,
}

/// What the clock and the traffic make of one rollout.
#[derive(Clone, Debug, Default)]
pub(crate) struct OfRollout {
    /// The scheduled weight that the shares were worked out for.
    thousandths: Option<u32>,
    shares: Option<Shares>,
    rule_shares: Vec<Option<Shares>>,
    /// Sets of versions, a bit for each.
    out: u64,
    trial: u64,
    missing: u64,
    /// Of those that are missing the ones that the next request tries.
    trying: u64,
    /// Since when versions that were out and serve now are let in again: what was asked before does not count.
    returned: Vec<(VersionId, Time)>,
    /// Of the versions that are out or on trial.
    standings: Vec<(VersionId, Standing)>,
    /// The same before guards were heard last.
    before: Vec<(VersionId, Standing)>,
    losses: Vec<Loss>,
}

/// A version whose upstream failed to be there.
#[derive(Clone, Copy, Debug)]
struct Loss {
    version: VersionId,
    /// Refused connections in a row.
    refusals: u8,
    /// Since when it is missing.
    since: Option<Time>,
}

/// What Envoy says of a version's cluster in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// It answered.
    Answered,
    /// The connection failed.
    Refused,
    /// There is no such cluster, or it has no healthy host.
    Missing,
}

impl Current {
    /// What these rules come to at a moment.
    pub fn new(rules: &Rules, now: Time) -> Self {
        let mut current = Self::default();
        current.follow_clock(rules, now);
        current
    }

    /// Works out the weights of this moment, and has versions back whose cluster was missing for long enough.
    #[inline(never)]
    pub fn follow_clock(&mut self, rules: &Rules, now: Time) {
        for index in 0..rules.rollouts().len() {
            let Some(shared) = rules.rollout(index).and_then(Rollout::shared) else { continue };
            if shared.schedule.is_some() {
                self.change(index, |of| of.follow(shared, now));
            }
            if let Some(Some(of)) = self.rollouts.get_mut(index) {
                of.expire(now);
            }
        }
    }

    /// Takes over what guards have made of the versions; whether that is something new.
    #[inline(never)]
    pub fn follow_guards(&mut self, rules: &Rules, list: &Watchlist, ledger: &Ledger) -> bool {
        for of in self.rollouts.iter_mut().flatten() {
            (of.out, of.trial) = (0, 0);
            of.before = std::mem::take(&mut of.standings);
            of.returned.clear();
        }
        for watched in list.iter() {
            let Some(shared) = rules.rollout(watched.rollout).and_then(Rollout::shared) else { continue };
            let Some(guard) = shared.guard.as_deref().filter(|_| watched.version != shared.stable) else { continue };
            let standing = ledger.standing(watched.identity, guard);
            if standing != Standing::Serving {
                self.change(watched.rollout, |of| of.stand(watched.version, standing));
            } else if let Some(since) = ledger.returned(watched.identity) {
                self.change(watched.rollout, |of| of.returned.push((watched.version, since)));
            }
        }
        self.rollouts.iter().flatten().any(|of| of.before != of.standings)
    }

    /// How many slots a version owns now, by the document's weights and the schedule.
    pub fn slots(&self, rules: &Rules, rollout: usize, version: VersionId) -> u32 {
        let scheduled = self.of(rollout).and_then(OfRollout::shares).map(|shares| &shares.intervals);
        let intervals = scheduled.or_else(|| rules.rollout(rollout)?.intervals());
        intervals.map_or(0, |intervals| intervals.width(version))
    }

    /// Notes what a response says of a version's cluster; whether the version is missing from now on and was not before. `tries`
    /// is what [`Current::tries`] said of the request.
    #[inline(never)]
    pub fn note(&mut self, rollout: usize, version: VersionId, upstream: Upstream, tries: bool, now: Time) -> bool {
        if upstream == Upstream::Answered {
            // Nearly always there is nothing to forget. What was asked before a version was missing says nothing of now.
            if let Some(Some(of)) = self.rollouts.get_mut(rollout)
                && (tries || of.missing & version.bit() == 0)
            {
                of.losses.retain(|loss| loss.version != version);
                of.missing &= !version.bit();
                of.trying &= !version.bit();
            }
            return false;
        }
        self.change(rollout, |of| of.lose(version, upstream, now)).unwrap_or(false)
    }

    /// Whether a request that this version was decided for is the one that tries whether its cluster is back. If so no other
    /// one does until that is known, for ten seconds at most.
    #[inline]
    pub fn tries(&mut self, rollout: usize, version: VersionId, now: Time) -> bool {
        let Some(Some(of)) = self.rollouts.get_mut(rollout) else { return false };
        let tries = of.trying & version.bit() != 0;
        if tries {
            of.try_again(version, now);
        }
        tries
    }

    /// Whether the cluster of a version is taken to be missing.
    pub fn is_lost(&self, rollout: usize, version: VersionId) -> bool {
        self.of(rollout).is_some_and(|of| of.missing & version.bit() != 0)
    }

    /// Whether what is missing since a moment is not to be tried yet.
    fn is_missing(since: Time, now: Time) -> bool {
        since <= now && now.seconds_since(since) < MISSING_SECONDS
    }

    /// Has versions missing since a moment, as another configuration knew them. Where that is past one request tries.
    #[inline(never)]
    pub fn miss(&mut self, rules: &Rules, known: &[(Identity, Time)], now: Time) {
        if known.is_empty() {
            return;
        }
        let known = |identity: Identity| known.iter().find(|(known, _)| *known == identity).map(|(_, since)| *since);
        for (index, rollout) in rules.rollouts().enumerate() {
            if rollout.shared().is_none_or(|shared| !shared.covers_missing) {
                continue;
            }
            let versions =
                (0..rollout.versions().len()).filter_map(|version| u8::try_from(version).ok()).map(VersionId);
            for version in versions {
                let since = rollout.identity(version).and_then(known);
                if let Some(since) = since.filter(|since| now.seconds_since(*since) < KNOWN_SECONDS) {
                    self.change(index, |of| {
                        of.miss(version, since);
                        of.expire(now);
                    });
                }
            }
        }
    }

    /// Has a version out, as if a guard had taken it out.
    #[cfg(feature = "tools")]
    pub fn take_out(&mut self, rollout: usize, version: VersionId) {
        self.change(rollout, |of| of.stand(version, Standing::Out { until: None }));
    }

    /// Since when what is asked of a version counts; `None` while nothing does.
    pub fn counts_since(&self, rollout: usize, version: VersionId) -> Option<Time> {
        match self.standing(rollout, version) {
            Standing::Out { .. } => None,
            Standing::Trial { since } => Some(since),
            Standing::Serving => {
                let returned = self.of(rollout).map_or(&[][..], |of| &of.returned);
                Some(returned.iter().find(|(known, _)| *known == version).map_or(Time::default(), |(_, since)| *since))
            }
        }
    }

    /// What a guard says of a version.
    pub fn standing(&self, rollout: usize, version: VersionId) -> Standing {
        let standings = self.of(rollout).map_or(&[][..], |of| &of.standings);
        standings.iter().find(|(known, _)| *known == version).map_or(Standing::Serving, |(_, standing)| *standing)
    }

    #[inline]
    pub(crate) fn of(&self, rollout: usize) -> Option<&OfRollout> {
        self.rollouts.get(rollout)?.as_deref()
    }

    fn change<T>(&mut self, rollout: usize, change: impl FnOnce(&mut OfRollout) -> T) -> Option<T> {
        if self.rollouts.len() <= rollout {
            self.rollouts.resize_with(rollout + 1, || None);
        }
        Some(change(self.rollouts.get_mut(rollout)?.get_or_insert_default()))
    }
}

impl OfRollout {
    /// What the document's weights come to now; `None` where the document knows.
    #[inline]
    pub(crate) fn shares(&self) -> Option<&Shares> {
        self.shares.as_ref()
    }

    /// What the weights of a rule come to now; `None` where the document knows.
    #[inline]
    pub(crate) fn rule_shares(&self, index: usize) -> Option<&Shares> {
        self.rule_shares.get(index)?.as_ref()
    }

    /// Why a version gets no traffic, at a slot or without one.
    #[inline]
    pub(crate) fn barred(&self, version: VersionId, slot: Option<Slot>) -> Option<Reason> {
        let is_in = |set: u64| set & version.bit() != 0;
        let let_in = |slot: Slot| slot.number().is_multiple_of(10);
        if is_in(self.missing & !self.trying) {
            Some(Reason::Missing)
        } else if is_in(self.out) || (is_in(self.trial) && !slot.is_some_and(let_in)) {
            Some(Reason::Guard)
        } else {
            None
        }
    }

    /// The version that is out, with the moment of its return, if it is this one.
    pub(crate) fn out_until(&self, version: VersionId) -> Option<Option<Time>> {
        self.standings.iter().find_map(|(known, standing)| match standing {
            Standing::Out { until } if *known == version => Some(*until),
            _ => None,
        })
    }

    fn follow(&mut self, shared: &Shared, now: Time) {
        let thousandths = shared.thousandths_at(now);
        if thousandths == self.thousandths {
            return;
        }
        self.thousandths = thousandths;
        let weights = std::iter::once(&shared.weights).chain(&shared.rule_weights);
        let mut shares = weights.map(|weights| shared.scheduled(weights, thousandths?));
        self.shares = shares.next().flatten();
        self.rule_shares = shares.collect();
    }

    fn stand(&mut self, version: VersionId, standing: Standing) {
        match standing {
            Standing::Serving => return,
            Standing::Out { .. } => self.out |= version.bit(),
            Standing::Trial { .. } => self.trial |= version.bit(),
        }
        self.standings.push((version, standing));
    }

    fn miss(&mut self, version: VersionId, since: Time) {
        self.losses.push(Loss { version, refusals: REFUSALS, since: Some(since) });
        self.missing |= version.bit();
    }

    fn lose(&mut self, version: VersionId, upstream: Upstream, now: Time) -> bool {
        if !self.losses.iter().any(|loss| loss.version == version) {
            self.losses.push(Loss { version, refusals: 0, since: None });
        }
        let Some(loss) = self.losses.iter_mut().find(|loss| loss.version == version) else { return false };
        loss.refusals = if upstream == Upstream::Missing { REFUSALS } else { loss.refusals.saturating_add(1) };
        if loss.refusals < REFUSALS {
            return false;
        }
        loss.since = Some(now);
        let before = self.missing & version.bit();
        self.missing |= version.bit();
        self.trying &= !version.bit();
        before == 0
    }

    /// Once the time is over the next request tries.
    fn expire(&mut self, now: Time) {
        for loss in &self.losses {
            if loss.since.is_some_and(|since| !Current::is_missing(since, now)) {
                self.trying |= loss.version.bit();
            }
        }
    }

    fn try_again(&mut self, version: VersionId, now: Time) {
        self.trying &= !version.bit();
        for loss in self.losses.iter_mut().filter(|loss| loss.version == version) {
            loss.since = Some(now);
        }
    }
}
