//! Which entries fit a request, and why others do not.

use std::cmp::Reverse;

use crate::condition::{HostPattern, MatchEntry};
use crate::cover::normal_host;
use crate::facts::{Facts, Source};
use crate::rules::Rules;

/// An entry of a rollout's `match` that fits a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The rollout's name.
    pub rollout: String,
    /// The entry's index; `None` for a rollout without `match`.
    pub entry: Option<usize>,
    /// What it asks for.
    pub what: String,
    /// Why it comes after the one that covers; `None` for that one.
    pub after: Option<&'static str>,
}

/// An entry of a rollout's `match` that does not fit a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncovered {
    /// The rollout's name.
    pub rollout: String,
    /// The entry's index.
    pub entry: usize,
    /// The first thing that does not fit.
    pub why: String,
}

/// The entries that fit, the most specific first, and those that do not.
pub(super) fn of<'r, S: Source>(rules: &'r Rules, facts: &Facts<'r, S>) -> (Vec<Covered>, Vec<Uncovered>) {
    let host = facts.header(":authority").map(normal_host).unwrap_or_default().into_owned();
    let (mut fitting, mut others) = (Vec::new(), Vec::new());
    for (index, rollout) in rules.rollouts().enumerate() {
        for (at, entry) in rollout.matches.iter().enumerate() {
            match entry.why_not(facts) {
                None => fitting.push((specificity(entry, &host), Reverse((index, at)), entry)),
                Some(why) => others.push(Uncovered { rollout: rollout.name().to_owned(), entry: at, why }),
            }
        }
    }
    fitting.sort_by(|one, other| (&other.0, &other.1).cmp(&(&one.0, &one.1)));
    let first = fitting.first().map(|(specificity, ..)| *specificity);
    let covered = fitting.into_iter().enumerate().filter_map(|(place, (specificity, Reverse((index, at)), entry))| {
        let rollout = rules.rollout(index)?;
        let entry_at = (*entry != MatchEntry::ALL || rollout.matches.len() > 1).then_some(at);
        let after = first.filter(|_| place > 0).map(|first| why_after(first, specificity));
        Some(Covered { rollout: rollout.name().to_owned(), entry: entry_at, what: entry.in_words(), after })
    });
    (covered.collect(), others)
}

fn why_after(first: Specificity, other: Specificity) -> &'static str {
    match () {
        () if first.0 != other.0 => "its host is less specific",
        () if first.1 != other.1 => "its path is less specific",
        () if first.2 != other.2 => "its conditions are less specific",
        () => "it is as specific, and stands behind by its name or in the list",
    }
}

/// Host, path, conditions.
type Specificity = ((u8, usize), (u8, usize), u32);

/// How specific an entry is for a request, in the order of Gateway API's `HTTPRoute`: host, path, conditions.
fn specificity(entry: &MatchEntry, host: &[u8]) -> Specificity {
    let fits = |pattern: &&HostPattern| match pattern {
        HostPattern::Exact(name) => name.as_bytes() == host,
        HostPattern::Suffix(rest) => host.len() > rest.len() && host.ends_with(rest.as_bytes()),
    };
    let of_host = entry.hosts.iter().filter(fits).map(HostPattern::specificity).max();
    (of_host.unwrap_or_default(), entry.path.specificity(), entry.rank())
}
