//! A rollout with a guard, and the proxy that follows it: what the tests of the guard and of missing clusters share.

use serin_core::{Current, Identity, Ledger, Rules, Standing, Tally, Time, VersionId, Watchlist};

use super::{Outcome, Request, outcome_with, rollout, rules};

/// A rollout whose slots are all v2's, with this guard.
pub(crate) fn guarded(guard: &str, fields: &str) -> String {
    rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{"cluster": "one"}}, "v2": {{"cluster": "two", "weight": 100}}}},
        "guard": {guard} {fields}"#
    ))
}

/// Rules, and a ledger that one worker keeps.
pub(crate) struct Proxy {
    pub(crate) rules: Rules,
    pub(crate) list: Watchlist,
    pub(crate) ledger: Ledger,
    pub(crate) current: Current,
}

impl Proxy {
    pub(crate) fn new(document: &str) -> Self {
        Self::with(document, Ledger::default())
    }

    pub(crate) fn with(document: &str, ledger: Ledger) -> Self {
        let rules = rules(document);
        let list = Watchlist::new(&rules);
        let mut proxy = Self { current: Current::new(&rules, Time::default()), rules, list, ledger };
        proxy.current.follow_guards(&proxy.rules, &proxy.list, &proxy.ledger);
        proxy
    }

    pub(crate) fn version(&self, name: &str) -> VersionId {
        self.rules.rollout(0).unwrap().version_named(name.as_bytes()).unwrap()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        let version = self.version(name);
        self.list.iter().find(|watched| watched.version == version).unwrap().identity
    }

    pub(crate) fn count(&mut self, name: &str, requests: u32, failures: u32, second: u64) {
        let identity = self.identity(name);
        let guard = self.rules.rollout(0).unwrap().guard().unwrap();
        self.ledger.add(identity, guard, Tally { requests, failures }, Time::from_unix_seconds(second));
    }

    /// A tick; the standings that changed.
    pub(crate) fn tick(&mut self, second: u64) -> Vec<Standing> {
        let now = Time::from_unix_seconds(second);
        let changes = self.ledger.judge(&self.rules, &self.list, now, &|_, _| true);
        // What workers share is bytes.
        self.ledger = Ledger::from_bytes(&self.ledger.to_bytes());
        self.current.follow_clock(&self.rules, now);
        self.current.follow_guards(&self.rules, &self.list, &self.ledger);
        changes.iter().map(|change| change.standing).collect()
    }

    pub(crate) fn ask(&self, request: &Request, second: u64) -> Outcome {
        outcome_with(&self.rules, &self.current, request, 0, second)
    }
}
