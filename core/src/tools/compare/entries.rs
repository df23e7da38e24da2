//! The entries of a document by host and path, so that not each of them is held against every other one.

use std::collections::BTreeMap;

use crate::condition::{HostPattern, MatchEntry, PathPattern};
use crate::rules::{Rollout, Rules};

/// The entries of a document, and those that a request may fit which fits another one.
pub(super) struct Entries<'r> {
    rules: &'r Rules,
    /// By the letters of a host, or of the rest of a wildcard, from the end on.
    by_host: BTreeMap<Vec<u8>, ByHeader<'r>>,
    /// Those of every host.
    of_any_host: ByPath<'r>,
    all: ByPath<'r>,
}

/// Entries by the first segment of their paths.
#[derive(Default)]
struct ByPath<'r> {
    by_segment: BTreeMap<&'r [u8], ByHeader<'r>>,
    /// Those of more paths than one segment has.
    wide: ByHeader<'r>,
}

/// Entries by the name of the first header whose value they ask for, and by that value.
#[derive(Default)]
struct ByHeader<'r> {
    by_name: BTreeMap<&'r str, BTreeMap<&'r [u8], Vec<At<'r>>>>,
    /// Those that ask for none.
    others: Vec<At<'r>>,
}

/// An entry, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct At<'r> {
    pub(super) name: &'r str,
    pub(super) index: usize,
    pub(super) entry: &'r MatchEntry,
}

impl<'r> Entries<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        let mut entries =
            Self { rules, by_host: BTreeMap::new(), of_any_host: ByPath::default(), all: ByPath::default() };
        for at in rules.rollouts().flat_map(Self::of_rollout) {
            entries.all.push(at);
            if at.entry.hosts.is_empty() {
                entries.of_any_host.push(at);
            }
            for host in &at.entry.hosts {
                entries.by_host.entry(reversed(host.text())).or_default().push(at);
            }
        }
        entries
    }

    fn of_rollout(rollout: &'r Rollout) -> impl Iterator<Item = At<'r>> {
        rollout.matches.iter().enumerate().map(|(index, entry)| At { name: rollout.name(), index, entry })
    }

    pub(super) fn of(&self, name: &str) -> Vec<At<'r>> {
        self.rules.rollout_named(name).into_iter().flat_map(Self::of_rollout).collect()
    }

    /// The entries that some request may fit which fits this one; others among them.
    pub(super) fn near<'s>(&'s self, entry: &'s MatchEntry) -> Box<dyn Iterator<Item = At<'r>> + 's> {
        if entry.hosts.is_empty() {
            return Box::new(self.all.near(entry));
        }
        let of_hosts = entry.hosts.iter().flat_map(|host| self.of_host(host)).flat_map(|all| all.near(entry));
        Box::new(of_hosts.chain(self.of_any_host.near(entry)))
    }

    fn of_host<'s>(&'s self, host: &'s HostPattern) -> impl Iterator<Item = &'s ByHeader<'r>> + 's {
        let name = host.text();
        // A wildcard that holds this one has the rest of it from some dot on.
        let dots = name.bytes().enumerate().skip(1).filter(|(_, byte)| *byte == b'.').map(|(at, _)| at);
        let wider = dots.filter_map(|at| self.by_host.get(&reversed(name.get(at..)?)));
        let below = reversed(name);
        let is_wide = matches!(host, HostPattern::Suffix(_));
        let itself = self.by_host.range(below.clone()..);
        let itself = itself.take_while(move |(key, _)| if is_wide { key.starts_with(&below) } else { **key == below });
        itself.map(|(_, all)| all).chain(wider)
    }
}

impl HostPattern {
    /// The host, or the rest behind the star.
    fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Suffix(text) => text,
        }
    }
}

fn reversed(name: &str) -> Vec<u8> {
    name.bytes().rev().collect()
}

impl<'r> ByPath<'r> {
    fn push(&mut self, at: At<'r>) {
        match segment(&at.entry.path) {
            Some(segment) => self.by_segment.entry(segment).or_default().push(at),
            None => self.wide.push(at),
        }
    }

    fn near<'s>(&'s self, entry: &'s MatchEntry) -> impl Iterator<Item = At<'r>> + 's {
        let wanted = segment(&entry.path);
        let listed = self.by_segment.iter().filter(move |_| wanted.is_none()).map(|(_, all)| all);
        let same = wanted.and_then(|segment| self.by_segment.get(segment));
        listed.chain(same).chain([&self.wide]).flat_map(|all| all.near(entry))
    }
}

impl<'r> ByHeader<'r> {
    fn push(&mut self, at: At<'r>) {
        match at.entry.headers().next() {
            Some((name, value)) => self.by_name.entry(name).or_default().entry(value).or_default().push(at),
            None => self.others.push(at),
        }
    }

    /// Those that do not ask for another value of a header than an entry does.
    fn near<'s>(&'s self, entry: &'s MatchEntry) -> impl Iterator<Item = At<'r>> + 's {
        let listed = self.by_name.iter().flat_map(|(name, by_value)| {
            let wanted = entry.headers().find(|(asked, _)| asked == name).map(|(_, value)| value);
            let all = by_value.iter().filter(move |_| wanted.is_none()).map(|(_, all)| all);
            all.chain(wanted.and_then(|value| by_value.get(value))).flatten()
        });
        listed.chain(&self.others).copied()
    }
}

/// The first segment that all paths of a pattern have; `None` if there are more, or none.
fn segment(path: &PathPattern) -> Option<&[u8]> {
    let (PathPattern::Exact(path) | PathPattern::Prefix(path)) = path else { return None };
    let first = path.strip_prefix(b"/")?.split(|byte| *byte == b'/').next()?;
    (!first.is_empty()).then_some(first)
}
