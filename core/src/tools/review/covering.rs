//! Rollouts, and entries of their `match`, that no request gets to.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::Found;
use crate::condition::{HostPattern, MatchEntry, PathPattern};
use crate::rules::{Rollout, Rules};

/// An entry of a rollout's `match`: the index of the rollout, and its own.
type At = (usize, usize);

/// The entries of all rollouts by host and path, so that not each of them is held against every other one.
pub(super) struct Entries<'r> {
    rules: &'r Rules,
    /// Each with a header whose one value it asks for, if it does: what it hides asks for that as well.
    by_place: HashMap<(String, String), ByHeader<'r>>,
    /// By host and prefix; a prefix is asked before every regex.
    prefixes: HashMap<(String, Vec<u8>), Vec<At>>,
}

/// Entries by the name of a header and the value that it has to have; those that ask for none have none.
type ByHeader<'r> = HashMap<Option<(&'r str, &'r [u8])>, Vec<At>>;

impl<'r> Entries<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        let mut entries = Self { rules, by_place: HashMap::new(), prefixes: HashMap::new() };
        for (index, rollout) in rules.rollouts().enumerate() {
            for (at, entry) in rollout.matches.iter().enumerate() {
                for host in hosts(entry) {
                    if let PathPattern::Prefix(prefix) = &entry.path {
                        entries.prefixes.entry((host.clone(), prefix.to_vec())).or_default().push((index, at));
                    }
                    let by_header = entries.by_place.entry((host, entry.path.in_words())).or_default();
                    by_header.entry(entry.headers().next()).or_default().push((index, at));
                }
            }
        }
        entries
    }

    fn get(&self, (index, at): At) -> Option<(&'r Rollout, &'r MatchEntry)> {
        let rollout = self.rules.rollout(index)?;
        Some((rollout, rollout.matches.get(at)?))
    }

    /// Why no request is covered by an entry.
    fn why_hidden(&self, this: At) -> Option<String> {
        let (_, entry) = self.get(this)?;
        if entry.is_contradictory() {
            return Some("its conditions contradict each other; expected ones that do not".to_owned());
        }
        let hiding: Option<Vec<At>> = hosts(entry).map(|host| self.hiding(&host, this, entry)).collect();
        let by = hiding?.into_iter().next()?;
        let (rollout, hides) = self.get(by)?;
        let is_all = rollout.matches.as_slice() == [MatchEntry::ALL];
        let entry_of = if is_all { String::new() } else { format!(".match[{}]", by.1) };
        let place = format!("rollouts.{}{entry_of}", rollout.name());
        Some(if hides.path == entry.path {
            format!("{place} covers all of it first; expected a narrower match there, or more conditions here")
        } else {
            format!("{place} covers all of it first, for a prefix goes before every regex; expected a prefix here, too")
        })
    }

    /// The entry that covers whatever this one would of one host.
    fn hiding(&self, host: &str, this: At, entry: &MatchEntry) -> Option<At> {
        let hides = |at: &At| {
            let Some((rollout, other)) = self.get(*at) else { return false };
            // Of a rollout with mistakes it is not known what was meant.
            if rollout.shared().is_none() {
                return false;
            }
            let comes_first = other.path != entry.path || (other.rank(), Reverse(*at)) > (entry.rank(), Reverse(this));
            *at != this && comes_first && other.path.precedes_all_of(&entry.path) && entry.conditions_imply(other)
        };
        let before = entry.path.prefixes_of_all().into_iter();
        let before = before.filter_map(|prefix| self.prefixes.get(&(host.to_owned(), prefix)));
        let beside = self.by_place.get(&(host.to_owned(), entry.path.in_words()));
        let asked = std::iter::once(None).chain(entry.headers().map(Some));
        let beside = asked.filter_map(|header| beside?.get(&header));
        before.chain(beside).flatten().find(|at| hides(at)).copied()
    }
}

/// The hosts of an entry in words; an empty one for any.
fn hosts(entry: &MatchEntry) -> impl Iterator<Item = String> {
    let any = entry.hosts.is_empty().then(String::new);
    any.into_iter().chain(entry.hosts.iter().map(HostPattern::in_words))
}

pub(super) fn review(entries: &Entries<'_>, index: usize, rollout: &Rollout, found: &mut Found) {
    let why = (0..rollout.matches.len()).filter_map(|at| Some((at, entries.why_hidden((index, at))?)));
    let hidden: Vec<(usize, String)> = why.collect();
    // A rollout without a match has one entry, which does not stand in the document.
    let is_implied = rollout.matches.as_slice() == [MatchEntry::ALL];
    match hidden.as_slice() {
        [(_, why)] if rollout.matches.len() == 1 => {
            let path = if is_implied { "" } else { ".match" };
            found.warn("unreachable-rollout", path, format!("no request gets to this rollout: {why}"));
        }
        several => {
            for (at, why) in several {
                found.warn("unreachable-rollout", &format!(".match[{at}]"), format!("no request gets here: {why}"));
            }
        }
    }
}
