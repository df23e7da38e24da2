//! Conditions in words: what an entry asks for, and why a request does not fit.

use crate::condition::{Condition, Conditions, HostPattern, MatchEntry, Network, PathPattern, matches_any};
use crate::cover::normal_host;
use crate::facts::{Facts, Source};
use crate::matcher::{Matcher, Pattern, Test};
use crate::node::quote;
use crate::rules::{Shared, VersionId};

/// So many of a list are told.
const MOST_TOLD: usize = 4;

impl MatchEntry {
    /// What the entry asks for, such as `host shop.example.com, path below /cart`.
    pub(crate) fn in_words(&self) -> String {
        let mut parts = Vec::new();
        if !self.hosts.is_empty() {
            parts.push(format!("host {}", listed(self.hosts.iter().map(HostPattern::in_words))));
        }
        match &self.path {
            PathPattern::Any => {}
            path => parts.push(format!("path {}", path.in_words())),
        }
        if let Some(conditions) = &self.conditions {
            conditions.push_words(&mut parts);
        }
        if parts.is_empty() { "every request".to_owned() } else { parts.join(", ") }
    }

    /// The first thing that keeps a request from fitting; `None` if it fits.
    pub(crate) fn why_not<'r, S: Source>(&'r self, facts: &Facts<'r, S>) -> Option<String> {
        let host = facts.header(":authority").map(normal_host).unwrap_or_default();
        if !self.hosts.is_empty() && !matches_any(&self.hosts, &host) {
            let wanted = listed(self.hosts.iter().map(HostPattern::in_words));
            return Some(format!("the host is {}, not {wanted}", shown(&host)));
        }
        let path = facts.path().unwrap_or_default();
        if !self.path.matches(path) {
            return Some(format!("the path is {}, not {}", shown(path), self.path.in_words()));
        }
        self.conditions.as_ref()?.why_not(facts)
    }
}

impl HostPattern {
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Exact(name) => name.clone(),
            Self::Suffix(rest) => format!("*{rest}"),
        }
    }
}

impl PathPattern {
    pub(crate) fn in_words(&self) -> String {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        match self {
            Self::Any => "any".to_owned(),
            Self::Exact(path) => text(path),
            Self::Prefix(path) => format!("below {}", text(path)),
            Self::Regex(pattern) => format!("matching {}", pattern.in_words()),
        }
    }
}

impl Pattern {
    fn in_words(&self) -> String {
        format!("{} as a whole", quote(self.as_str()))
    }
}

impl Conditions {
    fn push_words(&self, parts: &mut Vec<String>) {
        if !self.methods.is_empty() {
            parts.push(format!("method {}", listed(self.methods.iter().cloned())));
        }
        for (what, conditions) in self.named() {
            parts.extend(conditions.iter().map(|of| format!("{what} {} {}", of.name, of.matcher.in_words())));
        }
        if !self.source.is_empty() {
            parts.push(format!("address in {}", self.networks()));
        }
    }

    fn why_not<'r, S: Source>(&'r self, facts: &Facts<'r, S>) -> Option<String> {
        let method = facts.header(":method").unwrap_or_default();
        if !self.methods.is_empty() && !self.methods.iter().any(|one| one.as_bytes() == method) {
            return Some(format!("the method is {}, not {}", shown(method), listed(self.methods.iter().cloned())));
        }
        let fails = |what: &str, of: &Condition, value: Option<&[u8]>| {
            let found = value.map_or_else(|| "is absent".to_owned(), |value| format!("is {}", shown(value)));
            (!of.matcher.holds(value))
                .then(|| format!("{what} {} {found}; expected {}", of.name, of.matcher.expected()))
        };
        let headers = self.headers.iter().find_map(|of| fails("header", of, facts.header(&of.name)));
        let cookies = || self.cookies.iter().find_map(|of| fails("cookie", of, facts.cookie(&of.name)));
        let query = || self.query.iter().find_map(|of| fails("query parameter", of, facts.query(&of.name).next()));
        headers.or_else(cookies).or_else(query).or_else(|| self.why_not_from(facts))
    }

    fn why_not_from<S: Source>(&self, facts: &Facts<'_, S>) -> Option<String> {
        let address = facts.source_address();
        if self.source.is_empty() || address.is_some_and(|address| self.source.iter().any(|one| one.has(address))) {
            return None;
        }
        let found = address.map_or_else(|| "is not known".to_owned(), |address| format!("is {address}"));
        Some(format!("the client's address {found}; expected one in {}", self.networks()))
    }

    fn named(&self) -> [(&'static str, &[Condition]); 3] {
        [("header", &self.headers), ("cookie", &self.cookies), ("query parameter", &self.query)]
    }

    fn networks(&self) -> String {
        listed(self.source.iter().map(Network::in_words))
    }
}

impl Matcher {
    /// What a value does that fulfils it, such as `is "qa" or "dev"`.
    fn in_words(&self) -> String {
        let verb = |is: &'static str, is_not: &'static str| if self.invert { is_not } else { is };
        let (verb, what) = match &self.test {
            Test::Present(_) => return if self.wants_absence() { "is absent" } else { "is there" }.to_owned(),
            Test::Exact(value) => (verb("is", "is not"), shown(value)),
            Test::Prefix(part) => (verb("begins with", "does not begin with"), shown(part)),
            Test::Suffix(part) => (verb("ends with", "does not end with"), shown(part)),
            Test::Contains(part) => (verb("contains", "does not contain"), shown(part)),
            Test::In(values) => (verb("is", "is not"), listed(values.iter().map(|value| shown(value)))),
            Test::Regex(pattern) => (verb("matches", "does not match"), pattern.in_words()),
        };
        format!("{verb} {what}{}", if self.ignore_case { " in any case" } else { "" })
    }

    /// What would have fulfilled it.
    fn expected(&self) -> String {
        match self.test {
            Test::Present(_) => if self.wants_absence() { "none" } else { "one" }.to_owned(),
            _ => format!("one that {}{}", self.in_words(), if self.invert { ", or none" } else { "" }),
        }
    }
}

impl Shared {
    /// The name of a version.
    pub(crate) fn name_of(&self, version: VersionId) -> &str {
        self.versions.get(version.index()).map_or("", |version| &version.name)
    }
}

/// Bytes of a request as text in quotes, or what stands in the document in the same way.
pub(crate) fn shown(bytes: &[u8]) -> String {
    quote(&String::from_utf8_lossy(bytes))
}

/// The first few, and how many more there are.
fn listed(all: impl ExactSizeIterator<Item = String>) -> String {
    let count = all.len();
    let mut told: Vec<String> = all.take(MOST_TOLD).collect();
    if count > MOST_TOLD {
        told.push(format!("{} more", count - MOST_TOLD));
    }
    match told.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
