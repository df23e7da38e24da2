//! Which rollout covers a request: an index by host and path, so that no list of rollouts is walked.
//!
//! The most specific entry whose conditions hold wins, as Gateway API orders the rules of an `HTTPRoute`: an exact host,
//! the longest wildcard host, any host; then an exact path, the longest prefix, a regex, any path; then the conditions
//! (see [`Conditions::rank`]); last the rollout's name and, within a rollout, the earlier entry.
//!
//! Entries that share host and path stand in a list, which is walked.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use memchr::memrchr;
use siphasher::sip::SipHasher13;

use crate::condition::{Conditions, HostPattern, MatchEntry, PathPattern};
use crate::facts::{Facts, Source};
use crate::matcher::Pattern;
use crate::rules::Rollout;

type HashMap<K, V> = hashbrown::HashMap<K, V, OnceOver>;

/// Hashes with what the module has already for the slots. Any hash is good enough: what a client sends is only looked up and
/// never put into a table.
#[derive(Clone, Copy, Debug, Default)]
struct OnceOver;

impl BuildHasher for OnceOver {
    type Hasher = Bytes;

    fn build_hasher(&self) -> Bytes {
        Bytes(0)
    }
}

struct Bytes(u64);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = SipHasher13::new().hash(bytes);
    }

    /// The length comes before the bytes, and says nothing more than they do.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cover {
    exact: HashMap<Box<[u8]>, Paths>,
    /// By the rest behind `*`, leading dot included.
    suffix: HashMap<Box<[u8]>, Paths>,
    suffix_lengths: Lengths,
    any: Paths,
    candidates: Candidates,
}

/// The entries of one host, by path.
#[derive(Clone, Debug, Default)]
struct Paths {
    exact: HashMap<Arc<[u8]>, Chain>,
    /// Without a trailing slash.
    prefix: HashMap<Arc<[u8]>, Chain>,
    prefix_lengths: Lengths,
    /// Each entry for itself, the most specific first.
    regex: Vec<(Arc<Pattern>, Chain)>,
    any: Chain,
}

/// The entries of all chains.
#[derive(Clone, Debug, Default)]
struct Candidates(Vec<Candidate>);

/// An entry under one of its hosts.
#[derive(Clone, Debug)]
struct Candidate {
    /// The index in the list of rollouts that the cover was built from.
    rollout: usize,
    conditions: Option<Arc<Conditions>>,
    /// The next less specific one of the same host and path; [`NONE`] behind the last.
    next: usize,
}

const NONE: usize = usize::MAX;

/// The entries that share host and path, the most specific first, as indices of candidates; [`NONE`] if there are none.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: usize,
    last: usize,
}

/// The lengths that keys of a table have, so that few others are looked up: a bit for each, by its remainder.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    bits: u64,
    longest: usize,
}

impl Cover {
    /// The index of rollouts that are sorted by name.
    pub(crate) fn new(rollouts: &[Arc<Rollout>]) -> Self {
        let mut cover = Self::default();
        // In the order of precedence, so that a chain only grows at its end: the few entries with conditions are put in
        // order, and all others come behind them.
        let mut conditional = BinaryHeap::new();
        for (index, rollout) in rollouts.iter().enumerate() {
            for (at, entry) in rollout.matches.iter().enumerate() {
                if let Some(conditions) = &entry.conditions {
                    conditional.push((conditions.rank(), Reverse(index), Reverse(at)));
                }
            }
        }
        while let Some((_, Reverse(index), Reverse(at))) = conditional.pop() {
            if let Some(entry) = rollouts.get(index).and_then(|rollout| rollout.matches.get(at)) {
                cover.insert(entry, index);
            }
        }
        for (index, rollout) in rollouts.iter().enumerate() {
            for entry in rollout.matches.iter().filter(|entry| entry.conditions.is_none()) {
                cover.insert(entry, index);
            }
        }
        cover
    }

    fn insert(&mut self, entry: &MatchEntry, rollout: usize) {
        let mut insert = |paths: &mut Paths| {
            let candidate = Candidate { rollout, conditions: entry.conditions.clone(), next: NONE };
            paths.insert(&entry.path, candidate, &mut self.candidates);
        };
        if entry.hosts.is_empty() {
            insert(&mut self.any);
        }
        for host in &entry.hosts {
            let (table, key) = match host {
                HostPattern::Exact(name) => (&mut self.exact, name),
                HostPattern::Suffix(rest) => {
                    self.suffix_lengths.insert(rest.len());
                    (&mut self.suffix, rest)
                }
            };
            insert(table.entry_ref(key.as_bytes()).or_default());
        }
    }

    /// The rollout that covers a request. Reads of it only what a rollout asks for.
    pub(crate) fn find<'r, S: Source>(&'r self, facts: &Facts<'r, S>) -> Option<usize> {
        if !self.exact.is_empty() || !self.suffix.is_empty() {
            let host = facts.header(":authority").map(normal_host).unwrap_or_default();
            let exact = self.exact.get(&*host).and_then(|paths| paths.find(&self.candidates, facts));
            if let Some(found) = exact.or_else(|| self.find_wildcard(&host, facts)) {
                return Some(found);
            }
        }
        self.any.find(&self.candidates, facts)
    }

    /// Tries the rest of the host from each dot on, so the longest wildcard first.
    fn find_wildcard<'r, S: Source>(&'r self, host: &[u8], facts: &Facts<'r, S>) -> Option<usize> {
        if self.suffix.is_empty() {
            return None;
        }
        // A wildcard stands for at least one byte, so a leading dot does not count. Longer rests than the longest wildcard
        // are not tried: a hostile host may be thousands of dots.
        let first = host.len().saturating_sub(self.suffix_lengths.longest).max(1);
        let dots = host.iter().enumerate().skip(first).filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
        let rests = dots.filter(|at| self.suffix_lengths.may_have(host.len() - at));
        let paths = rests.filter_map(|at| self.suffix.get(host.get(at..)?));
        paths.filter_map(|paths| paths.find(&self.candidates, facts)).next()
    }
}

impl Paths {
    /// Inserts an entry that is not more specific than any before it with the same path.
    fn insert(&mut self, path: &PathPattern, candidate: Candidate, candidates: &mut Candidates) {
        let chain = match path {
            PathPattern::Any => &mut self.any,
            PathPattern::Exact(path) => self.exact.entry(Arc::clone(path)).or_default(),
            PathPattern::Prefix(prefix) => {
                self.prefix_lengths.insert(prefix.len());
                self.prefix.entry(Arc::clone(prefix)).or_default()
            }
            PathPattern::Regex(pattern) => &mut self.regex.push_mut((Arc::clone(pattern), Chain::default())).1,
        };
        candidates.append(chain, candidate);
    }

    fn find<'r, S: Source>(&'r self, candidates: &'r Candidates, facts: &Facts<'r, S>) -> Option<usize> {
        if self.exact.is_empty() && self.prefix.is_empty() && self.regex.is_empty() {
            return candidates.find(self.any, facts);
        }
        let path = facts.path().unwrap_or_default();
        let exact = self.exact.get(path).and_then(|chain| candidates.find(*chain, facts));
        exact
            .or_else(|| self.find_prefix(path, candidates, facts))
            .or_else(|| self.find_regex(path, candidates, facts))
            .or_else(|| candidates.find(self.any, facts))
    }

    /// Tries the path and, from the back, everything before one of its slashes.
    #[inline]
    fn find_prefix<'r, S: Source>(
        &'r self,
        path: &[u8],
        candidates: &'r Candidates,
        facts: &Facts<'r, S>,
    ) -> Option<usize> {
        let most = self.prefix_lengths.longest;
        let longest = path.get(..=most).unwrap_or(path);
        let slashes = longest.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let ends = (path.len() <= most).then_some(path.len()).into_iter().chain(slashes);
        let known = ends.filter(|end| self.prefix_lengths.may_have(*end));
        let chains = known.filter_map(|end| self.prefix.get(path.get(..end)?));
        chains.filter_map(|chain| candidates.find(*chain, facts)).next()
    }

    fn find_regex<'r, S: Source>(
        &'r self,
        path: &[u8],
        candidates: &'r Candidates,
        facts: &Facts<'r, S>,
    ) -> Option<usize> {
        // The conditions first, as far as they can rule the entry out: most cost less than a regex.
        let holds = |(pattern, chain): &'r (Arc<Pattern>, Chain)| {
            candidates.find(*chain, facts).filter(|_| pattern.is_match(path))
        };
        self.regex.iter().find_map(holds)
    }
}

impl Candidates {
    /// Puts an entry at the end of a chain, unless the one before it takes every request.
    fn append(&mut self, chain: &mut Chain, candidate: Candidate) {
        let at = self.0.len();
        match self.0.get_mut(chain.last) {
            Some(last) if last.conditions.is_none() => return,
            Some(last) => last.next = at,
            None => chain.first = at,
        }
        chain.last = at;
        self.0.push(candidate);
    }

    /// The rollout of the first entry whose conditions hold.
    #[inline]
    fn find<'r, S: Source>(&'r self, chain: Chain, facts: &Facts<'r, S>) -> Option<usize> {
        let mut candidate = self.0.get(chain.first)?;
        while let Some(conditions) = &candidate.conditions {
            if conditions.hold(facts) {
                break;
            }
            candidate = self.0.get(candidate.next)?;
        }
        Some(candidate.rollout)
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

impl Lengths {
    fn insert(&mut self, length: usize) {
        self.bits |= 1 << (length % 64);
        self.longest = self.longest.max(length);
    }

    #[inline]
    fn may_have(self, length: usize) -> bool {
        self.bits >> (length % 64) & 1 == 1
    }
}

/// The longest host there is, with a port.
const LONGEST_HOST: usize = 253 + ":65535".len();

/// A host in lower case and without its port; nothing if it is too long to be one.
#[inline]
pub(crate) fn normal_host(host: &[u8]) -> Cow<'_, [u8]> {
    if host.len() > LONGEST_HOST {
        return Cow::Borrowed(&[]);
    }
    let is_port = |colon: &usize| host.get(colon + 1..).is_some_and(|port| port.iter().all(u8::is_ascii_digit));
    let port = memrchr(b':', host).filter(is_port);
    let name = port.and_then(|colon| host.get(..colon)).unwrap_or(host);
    if name.iter().any(u8::is_ascii_uppercase) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
}
