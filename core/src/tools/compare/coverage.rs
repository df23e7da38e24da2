//! Which requests a rollout covers in both documents, and which in one alone.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::Coverage;
use crate::condition::{HostPattern, MatchEntry, PathPattern};
use crate::rules::{Rollout, Rules};

/// The entries of a document, and those that a request for a host may fit.
pub(super) struct Entries<'r> {
    rules: &'r Rules,
    by_host: HashMap<&'r str, Vec<At<'r>>>,
    /// Those of more hosts than can be listed.
    wide: Vec<At<'r>>,
}

/// An entry, and where it stands.
#[derive(Clone, Copy)]
struct At<'r> {
    name: &'r str,
    index: usize,
    entry: &'r MatchEntry,
}

impl<'r> Entries<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        let mut entries = Self { rules, by_host: HashMap::new(), wide: Vec::new() };
        for at in rules.rollouts().flat_map(Self::of_rollout) {
            match listed(at.entry) {
                Some(hosts) => hosts.into_iter().for_each(|host| entries.by_host.entry(host).or_default().push(at)),
                None => entries.wide.push(at),
            }
        }
        entries
    }

    fn of_rollout(rollout: &'r Rollout) -> impl Iterator<Item = At<'r>> {
        rollout.matches.iter().enumerate().map(|(index, entry)| At { name: rollout.name(), index, entry })
    }

    fn of(&self, name: &str) -> Vec<At<'r>> {
        self.rules.rollout_named(name).into_iter().flat_map(Self::of_rollout).collect()
    }

    /// The entries that some request may fit which fits this one; others among them.
    fn near(&self, entry: &MatchEntry) -> Vec<At<'r>> {
        match listed(entry) {
            Some(hosts) => {
                let of_hosts = hosts.into_iter().filter_map(|host| self.by_host.get(host)).flatten();
                of_hosts.chain(&self.wide).copied().collect()
            }
            None => self.rules.rollouts().flat_map(Self::of_rollout).collect(),
        }
    }
}

/// The hosts of an entry, if they can be listed.
fn listed(entry: &MatchEntry) -> Option<Vec<&str>> {
    if entry.hosts.is_empty() { None } else { entry.hosts.iter().map(exact).collect() }
}

fn exact(host: &HostPattern) -> Option<&str> {
    if let HostPattern::Exact(name) = host { Some(name) } else { None }
}

/// The parts of a rollout's requests that there may be: those that it covers in both documents, in the new one alone and in the
/// old one alone. Beside each why it cannot be known who of them moves, if it cannot.
pub(super) fn of(name: &str, old: &Entries<'_>, new: &Entries<'_>) -> Vec<(Coverage, Option<String>)> {
    let (before, after) = (old.of(name), new.of(name));
    let mut parts = Vec::new();
    if before.iter().any(|one| after.iter().any(|other| !one.entry.excludes(other.entry))) {
        parts.push((Coverage::Both, None));
    }
    parts.extend(alone(&after, &before, old, "come from").map(|why| (Coverage::New, why)));
    parts.extend(alone(&before, &after, new, "go to").map(|why| (Coverage::Old, why)));
    parts
}

/// Whether there may be requests that a rollout covers in one document alone, where it has the entries `ours`; and why it cannot be
/// known who of them moves: some may belong to another rollout in the other document, and how many do depends on the traffic.
fn alone(ours: &[At<'_>], theirs: &[At<'_>], elsewhere: &Entries<'_>, verb: &str) -> Option<Option<String>> {
    let changed: Vec<&At<'_>> = ours.iter().filter(|of| !theirs.iter().any(|at| at.entry == of.entry)).collect();
    let other = changed.iter().find_map(|of| {
        let mut near = elsewhere.near(of.entry).into_iter();
        near.find(|other| other.name != of.name && of.takes_from(*other))
    });
    // What an entry covers may have been covered all along by others of the rollout.
    let is_more = changed.iter().any(|of| !theirs.iter().any(|at| of.entry.implies(at.entry)));
    let why = other.map(|other| format!("some requests may {verb} rollouts.{}", other.name));
    (why.is_some() || is_more).then_some(why)
}

impl At<'_> {
    /// Whether a request may fit both, and this one comes first for it.
    fn takes_from(self, other: Self) -> bool {
        !self.entry.excludes(other.entry) && !other.always_precedes(self)
    }

    /// Whether it comes first for every request that fits both.
    fn always_precedes(self, other: Self) -> bool {
        let (host, theirs) = (self.entry.hosts(), other.entry.hosts());
        let (Some(host), Some(theirs)) = (host.iter().min(), theirs.iter().max()) else { return false };
        let behind_host = |of: Self| (of.entry.path.specificity(), of.entry.rank(), Reverse((of.name, of.index)));
        host > theirs || (host == theirs && behind_host(self) > behind_host(other))
    }
}

impl MatchEntry {
    /// How specific its hosts are, each.
    fn hosts(&self) -> Vec<(u8, usize)> {
        if self.hosts.is_empty() { vec![(0, 0)] } else { self.hosts.iter().map(HostPattern::specificity).collect() }
    }

    /// How specific its conditions are.
    pub(crate) fn rank(&self) -> u32 {
        self.conditions.as_ref().map_or(0, |conditions| conditions.rank())
    }
}

impl HostPattern {
    /// How specific it is, in the order of Gateway API's `HTTPRoute`.
    pub(crate) fn specificity(&self) -> (u8, usize) {
        match self {
            Self::Exact(_) => (2, 0),
            Self::Suffix(rest) => (1, rest.len()),
        }
    }
}

impl PathPattern {
    /// How specific it is, in the order of Gateway API's `HTTPRoute`.
    pub(crate) fn specificity(&self) -> (u8, usize) {
        match self {
            Self::Any => (0, 0),
            Self::Regex(_) => (1, 0),
            Self::Prefix(prefix) => (2, prefix.len()),
            Self::Exact(_) => (3, 0),
        }
    }
}
