//! Which requests a rollout covers in both documents, and which in one alone.

use std::cmp::Reverse;

use super::Coverage;
use super::entries::{At, Entries};
use crate::condition::{HostPattern, MatchEntry, PathPattern};

/// The parts of a rollout's requests that there may be: those that it covers in both documents, in the new one alone and in the
/// old one alone. Beside each why it cannot be known who of them moves, if it cannot.
pub(super) fn of(name: &str, old: &Entries<'_>, new: &Entries<'_>) -> Vec<(Coverage, Option<String>)> {
    let (before, after) = (old.of(name), new.of(name));
    let mut parts = Vec::new();
    if before.iter().any(|one| after.iter().any(|other| !one.entry.excludes(other.entry))) {
        parts.push((Coverage::Both, None));
    }
    parts.extend(alone((&after, new), (&before, old), "come from").map(|why| (Coverage::New, why)));
    parts.extend(alone((&before, old), (&after, new), "go to").map(|why| (Coverage::Old, why)));
    parts
}

/// A rollout's entries in a document, and those of all.
type Side<'a, 'r> = (&'a [At<'r>], &'a Entries<'r>);

/// Whether there may be requests that a rollout covers in one document alone, and not in the other; and why it cannot be known who of
/// them moves: some may belong to another rollout in the other document, and how many do depends on the traffic.
fn alone((ours, here): Side<'_, '_>, (theirs, elsewhere): Side<'_, '_>, verb: &str) -> Option<Option<String>> {
    let changed: Vec<&At<'_>> = ours.iter().filter(|of| !theirs.iter().any(|at| at.entry == of.entry)).collect();
    // One that comes first here as well takes nothing that would be ours.
    let is_here = |other: At<'_>| here.of(other.name).iter().any(|at| at.entry == other.entry);
    let takes = |of: &At<'_>, other: At<'_>| {
        let is_apart = other.entry.excludes(of.entry);
        other.name != of.name && !is_apart && !(other.always_precedes(*of) && is_here(other))
    };
    let other = changed.iter().find_map(|of| elsewhere.near(of.entry).find(|other| takes(of, *other)));
    // What an entry covers may have been covered all along by others of the rollout, each a part of it.
    let is_covered = |part: &MatchEntry| theirs.iter().any(|at| part.implies(at.entry));
    let is_more = changed.iter().any(|of| !is_covered(of.entry) && !of.entry.parts().all(|part| is_covered(&part)));
    let why = other.map(|other| format!("some requests may {verb} rollouts.{}", other.name));
    (why.is_some() || is_more).then_some(why)
}

impl At<'_> {
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
