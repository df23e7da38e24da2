//! What the guards of a root count, and what they make of it together with the other workers.
//!
//! All workers of an Envoy keep one ledger a plugin in shared data. On the tick each adds what it has counted and, where no
//! newer configuration does, has the guards look at the sum; whoever has written the ledger tells what has changed.

use serin_core::{
    Change, Counted, Current, Identity, Ledger, Rollout, Rules, Standing, Tally, Time, VersionId, Watchlist,
};

use crate::host;
use crate::metrics;
use crate::vm;

/// So often a ledger is read anew that another worker has written in between. What is not written by then waits for the next
/// tick.
const TRIES: usize = 8;

/// What the guards of a root have counted since the last tick.
#[derive(Default)]
pub(crate) struct Counter {
    list: Watchlist,
    tallies: Vec<Counted>,
    /// Whether the host has told what guards have made of the versions, or that they have not begun.
    known: bool,
}

impl Counter {
    pub(crate) fn new(rules: &Rules) -> Self {
        let list = Watchlist::new(rules);
        Self { known: list.is_empty(), list, tallies: Vec::new() }
    }

    /// Whether it is known what guards have made of the versions.
    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    /// Counts an answer, or that none came in time.
    pub(crate) fn add(&mut self, identity: Identity, (rollout, version): (usize, VersionId), failed: bool) {
        let tally = Tally { requests: 1, failures: failed.into() };
        match self.tallies.binary_search_by_key(&identity, |counted| counted.identity) {
            Ok(at) => {
                if let Some(counted) = self.tallies.get_mut(at) {
                    counted.tally.add(tally);
                }
            }
            Err(at) => self.tallies.insert(at, Counted { identity, rollout, version, tally }),
        }
    }

    /// Takes over what guards have made of the versions before.
    pub(crate) fn read(&mut self, plugin: &str, rules: &Rules, current: &mut Current) {
        if self.list.is_empty() {
            return;
        }
        match host::shared_data(&vm::key("guard", plugin)) {
            Ok((bytes, _)) if !bytes.is_empty() => {
                current.follow_guards(rules, &self.list, &Ledger::from_bytes(&bytes));
                self.known = true;
            }
            answer => self.known = answer.is_err_and(|status| status == host::NOT_FOUND),
        }
        metrics::show_standings(rules, &self.list, current, true, &|_, _| true);
    }

    /// Adds to the ledger, has the guards look at it, and takes over what they make of the versions.
    pub(crate) fn sync(&mut self, root: (&str, u32), rules: &Rules, current: &mut Current, now: Time) {
        if self.list.is_empty() {
            return;
        }
        let (plugin, id) = root;
        let key = vm::key("guard", plugin);
        let judges = |rollout: &Rollout, identity: Identity| {
            let watches = |newer: &Rollout| newer.guard().is_some_and(|guard| guard.watches(identity));
            vm::is_newest_with(plugin, id, rollout.name(), &watches)
        };
        let mut seen = None;
        for _ in 0..TRIES {
            let (bytes, version) = match host::shared_data(&key) {
                Ok((bytes, version)) if !bytes.is_empty() => (bytes, version),
                // A value that two workers write at once is lost for one of them, so the first one is worth nothing: what was
                // counted waits for the next tick.
                Err(host::NOT_FOUND) => {
                    self.known = true;
                    host::set_shared_data(&key, &Ledger::default().to_bytes(), 0);
                    return;
                }
                // One that the host has, and does not give, is not to be written over.
                _ => return,
            };
            let before = Ledger::from_bytes(&bytes);
            let mut ledger = before.clone();
            let changes = ledger.update(&self.tallies, rules, &self.list, now, &judges, vm::is_newest(plugin, id));
            if ledger == before || host::set_shared_data(&key, &ledger.to_bytes(), version) {
                self.told(&changes, rules);
                seen = Some(ledger);
                break;
            }
            seen = Some(before);
        }
        self.known |= seen.is_some();
        let changed = seen.is_some_and(|ledger| current.follow_guards(rules, &self.list, &ledger));
        // What is not serving is shown at every tick: a root of another VM may have ended, and shown that nothing is out.
        let shows = |rollout: &Rollout, version: &str| {
            vm::is_newest_with(plugin, id, rollout.name(), &|newer| guards(newer, version))
        };
        metrics::show_standings(rules, &self.list, current, changed, &shows);
    }

    /// Has nothing shown any more of versions that no other configuration guards.
    pub(crate) fn end(&self, (plugin, root): (&str, u32), rules: &Rules) {
        let last = |rollout: &Rollout, version: &str| {
            vm::is_last_with(plugin, root, rollout.name(), &|other| guards(other, version))
        };
        metrics::show_standings(rules, &self.list, &Current::default(), true, &last);
    }

    /// What was counted here is in the ledger now, and what changed with it is told by nobody else.
    fn told(&mut self, changes: &[Change], rules: &Rules) {
        for Counted { rollout, version, tally, .. } in self.tallies.drain(..) {
            metrics::count_answers(rules, rollout, version, tally);
        }
        for change in changes {
            report(change, rules);
        }
    }
}

/// Whether a rollout has a guard, and a version of this name.
fn guards(rollout: &Rollout, version: &str) -> bool {
    rollout.guard().is_some() && rollout.version_named(version.as_bytes()).is_some()
}

/// One line in the log, and a count of trips.
fn report(change: &Change, rules: &Rules) {
    if let Standing::Out { .. } = change.standing {
        metrics::count_trip(rules, change.rollout, change.version);
    }
    host::log_warning(&change.in_words(rules));
}
