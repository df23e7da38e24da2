//! Which rollout covers a request: an index by host and path, so that no list is walked.
//!
//! The most specific match wins, as Gateway API orders the rules of an `HTTPRoute`: an exact host, the longest wildcard
//! host, any host; then an exact path, the longest prefix, any path; last the rollout's name.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;
use memchr::memrchr;

use crate::facts::{Facts, Source};
use crate::rules::{HostPattern, PathPattern, Rollout};

/// The index. A fast hash is enough: what a client sends is only looked up and never put into a table. Values are indices into the list of rollouts that it was built from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cover {
    exact: HashMap<Box<[u8]>, Paths>,
    /// By the rest behind `*`, leading dot included.
    suffix: HashMap<Box<[u8]>, Paths>,
    longest_suffix: usize,
    any: Paths,
}

/// The rollouts of one host, by path.
#[derive(Clone, Debug, Default)]
struct Paths {
    exact: HashMap<Arc<[u8]>, usize>,
    /// Without a trailing slash.
    prefix: HashMap<Arc<[u8]>, usize>,
    longest_prefix: usize,
    any: Option<usize>,
}

impl Cover {
    /// The index of rollouts that are sorted by name.
    pub(crate) fn new(rollouts: &[Arc<Rollout>]) -> Self {
        let mut cover = Self::default();
        for (index, rollout) in rollouts.iter().enumerate() {
            for entry in &rollout.matches {
                if entry.hosts.is_empty() {
                    cover.any.insert(&entry.path, index);
                }
                for host in &entry.hosts {
                    if let HostPattern::Suffix(rest) = host {
                        cover.longest_suffix = cover.longest_suffix.max(rest.len());
                    }
                    let (table, key) = match host {
                        HostPattern::Exact(name) => (&mut cover.exact, name),
                        HostPattern::Suffix(rest) => (&mut cover.suffix, rest),
                    };
                    table.entry(key.as_bytes().into()).or_default().insert(&entry.path, index);
                }
            }
        }
        cover
    }

    /// The rollout that covers a request. Reads host and path only where a rollout asks for them.
    pub(crate) fn find<S: Source>(&self, facts: &Facts<'_, S>) -> Option<usize> {
        if !self.exact.is_empty() || !self.suffix.is_empty() {
            let host = facts.header(":authority").map(normal_host).unwrap_or_default();
            if let Some(found) = self.exact.get(&*host).and_then(|paths| paths.find(facts)) {
                return Some(found);
            }
            if let Some(found) = self.find_wildcard(&host, facts) {
                return Some(found);
            }
        }
        self.any.find(facts)
    }

    /// Tries the rest of the host from each dot on, so the longest wildcard first.
    fn find_wildcard<S: Source>(&self, host: &[u8], facts: &Facts<'_, S>) -> Option<usize> {
        if self.suffix.is_empty() {
            return None;
        }
        // A wildcard stands for at least one byte, so a leading dot does not count. Longer rests than the longest wildcard
        // are not tried: a hostile host may be thousands of dots.
        let first = host.len().saturating_sub(self.longest_suffix).max(1);
        let dots = host.iter().enumerate().skip(first).filter(|(_, byte)| **byte == b'.');
        dots.filter_map(|(at, _)| self.suffix.get(host.get(at..)?)).find_map(|paths| paths.find(facts))
    }
}

impl Paths {
    /// Of equal matches the first one inserted, by name, stays.
    fn insert(&mut self, path: &PathPattern, rollout: usize) {
        match path {
            PathPattern::Any => {
                self.any.get_or_insert(rollout);
            }
            PathPattern::Exact(path) => {
                self.exact.entry(Arc::clone(path)).or_insert(rollout);
            }
            PathPattern::Prefix(prefix) => {
                self.longest_prefix = self.longest_prefix.max(prefix.len());
                self.prefix.entry(Arc::clone(prefix)).or_insert(rollout);
            }
        }
    }

    fn find<S: Source>(&self, facts: &Facts<'_, S>) -> Option<usize> {
        if self.exact.is_empty() && self.prefix.is_empty() {
            return self.any;
        }
        let path = facts.path().unwrap_or_default();
        self.exact.get(path).copied().or_else(|| self.find_prefix(path)).or(self.any)
    }

    /// Tries the path and, from the back, everything before one of its slashes.
    #[inline]
    fn find_prefix(&self, path: &[u8]) -> Option<usize> {
        let longest = path.get(..=self.longest_prefix).unwrap_or(path);
        let slashes = longest.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let ends = (path.len() <= self.longest_prefix).then_some(path.len()).into_iter().chain(slashes);
        ends.filter_map(|end| self.prefix.get(path.get(..end)?)).copied().next()
    }
}

/// A host in lower case and without its port.
#[inline]
pub(crate) fn normal_host(host: &[u8]) -> Cow<'_, [u8]> {
    let port = memrchr(b':', host).filter(|_| host.last() != Some(&b']'));
    let name = port.and_then(|colon| host.get(..colon)).unwrap_or(host);
    if name.iter().any(u8::is_ascii_uppercase) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
}
