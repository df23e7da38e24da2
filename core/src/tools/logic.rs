//! What can be said of conditions without a request: whether one holds wherever another does, and whether two can hold together.
//! In doubt the answer is no.

use std::sync::Arc;

use regex_syntax::hir::literal::{Extractor, Literal};

use crate::condition::{Condition, Conditions, HostPattern, MatchEntry, Network, PathPattern};
use crate::matcher::{Matcher, Pattern, Test};

impl MatchEntry {
    /// Whether every request that fits this entry fits the other one.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        let hosts = |host: &HostPattern| other.hosts.iter().any(|wider| host.is_within(wider));
        (other.hosts.is_empty() || (!self.hosts.is_empty() && self.hosts.iter().all(hosts)))
            && self.path.is_within(&other.path)
            && self.conditions_imply(other)
    }

    /// Whether every request that fits this entry's conditions, whatever its host and path, fits those of the other one.
    pub(crate) fn conditions_imply(&self, other: &Self) -> bool {
        match (self.conditions.as_deref(), other.conditions.as_deref()) {
            (_, None) => true,
            (None, Some(theirs)) => Conditions::default().imply(theirs),
            (Some(ours), Some(theirs)) => ours.imply(theirs),
        }
    }

    /// What every request fits that fits both entries. It may fit others as well: of two lists of hosts, methods or addresses, and of
    /// two paths, one is taken.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let narrower = |one: &Self, other: &Self| one.path.is_within(&other.path);
        let path = if narrower(other, self) { &other.path } else { &self.path };
        let hosts = if self.hosts.is_empty() { &other.hosts } else { &self.hosts };
        let conditions = [self, other].into_iter().filter_map(|entry| entry.conditions.as_deref());
        let conditions = conditions.cloned().reduce(Conditions::and).map(Arc::new);
        Self { hosts: hosts.clone(), path: path.clone(), conditions }
    }

    /// Entries of one host, one method and one network each, that together fit what this one does.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Self> {
        let conditions = self.conditions.as_deref().cloned().unwrap_or_default();
        let of_each = move |part: Self| {
            let conditions = conditions.clone();
            let (methods, networks) = (each(&conditions.methods), each(&conditions.source));
            methods.into_iter().flat_map(move |methods| {
                let of_network = |source: &Vec<Network>| {
                    let conditions =
                        Conditions { methods: methods.clone(), source: source.clone(), ..conditions.clone() };
                    Self { conditions: Some(Arc::new(conditions)), ..part.clone() }
                };
                networks.iter().map(of_network).collect::<Vec<_>>()
            })
        };
        let of_host = |hosts| Self { hosts, ..self.clone() };
        each(&self.hosts).into_iter().map(of_host).collect::<Vec<_>>().into_iter().flat_map(of_each)
    }

    /// Whether no request fits both.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let apart = |host: &HostPattern| other.hosts.iter().all(|there| !host.meets(there));
        let both = || Some((self.conditions.as_deref()?, other.conditions.as_deref()?));
        (!self.hosts.is_empty() && !other.hosts.is_empty() && self.hosts.iter().all(apart))
            || self.path.excludes(&other.path)
            || both().is_some_and(|(one, other)| one.exclude(other))
    }

    /// The headers whose values it asks for, letter by letter.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let conditions = self.conditions.as_deref().into_iter().flat_map(|of| &of.headers);
        conditions.filter_map(|Condition { name, matcher }| Some((name.as_str(), matcher.only_value()?)))
    }

    /// Whether no request fits it at all.
    pub(crate) fn is_contradictory(&self) -> bool {
        self.excludes(self)
    }
}

/// Each of a list for itself; an empty one stands for all that there are.
fn each<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    if list.is_empty() { vec![Vec::new()] } else { list.iter().map(|one| vec![one.clone()]).collect() }
}

impl HostPattern {
    fn is_within(&self, wider: &Self) -> bool {
        match (self, wider) {
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Exact(one), Self::Suffix(rest)) => one.len() > rest.len() && one.ends_with(rest),
            (Self::Suffix(one), Self::Suffix(rest)) => one.ends_with(rest),
            (Self::Suffix(_), Self::Exact(_)) => false,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.is_within(other) || other.is_within(self)
    }
}

impl PathPattern {
    fn is_within(&self, wider: &Self) -> bool {
        match (self, wider) {
            (_, Self::Any) => true,
            (Self::Exact(path), _) => wider.matches(path),
            (Self::Prefix(one), Self::Prefix(other)) => is_below(one, other),
            (Self::Regex(one), Self::Regex(other)) => one == other,
            (Self::Regex(pattern), Self::Prefix(prefix)) => pattern.beginnings().is_some_and(|all| {
                let within =
                    |one: &Literal| is_below(one.as_bytes(), prefix) && (one.is_exact() || one.len() > prefix.len());
                all.iter().all(within)
            }),
            (Self::Any | Self::Prefix(_) | Self::Regex(_), _) => false,
        }
    }

    pub(crate) fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) | (Self::Regex(_), Self::Regex(_)) => false,
            (Self::Exact(path), pattern) | (pattern, Self::Exact(path)) => !pattern.matches(path),
            (Self::Prefix(one), Self::Prefix(other)) => !is_below(one, other) && !is_below(other, one),
            (Self::Regex(pattern), Self::Prefix(prefix)) | (Self::Prefix(prefix), Self::Regex(pattern)) => {
                let apart = |one: &Literal| {
                    let one = one.as_bytes();
                    !is_below(one, prefix) && !prefix.starts_with(one)
                };
                pattern.beginnings().is_some_and(|all| all.iter().all(apart))
            }
        }
    }

    /// The prefixes that paths of a regex may all lie below, by what the first of them begins with; none of another pattern.
    pub(crate) fn prefixes_of_all(&self) -> Vec<Vec<u8>> {
        let Self::Regex(pattern) = self else { return Vec::new() };
        let first = pattern.beginnings().and_then(|all| Some(all.first()?.as_bytes().to_vec())).unwrap_or_default();
        let slashes = first.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        slashes.chain([first.len()]).filter_map(|end| Some(first.get(..end)?.to_vec())).collect()
    }

    /// Whether this pattern, of the same hosts, is asked before the other one, for whatever fits the other one.
    pub(crate) fn precedes_all_of(&self, other: &Self) -> bool {
        self == other || (matches!((self, other), (Self::Prefix(_), Self::Regex(_))) && other.is_within(self))
    }
}

/// Whether a path is a prefix itself, or lies below it.
fn is_below(path: &[u8], prefix: &[u8]) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

impl Pattern {
    /// What every value that matches begins with one of; `None` if there is nothing to be said.
    fn beginnings(&self) -> Option<Vec<Literal>> {
        let hir = regex_syntax::parse(self.as_str()).ok()?;
        let found = Extractor::new().extract(&hir);
        let literals = found.literals()?;
        (!literals.is_empty() && literals.iter().all(|one| !one.is_empty())).then(|| literals.to_vec())
    }
}

impl Conditions {
    fn and(self, other: Self) -> Self {
        let or = |ours: Vec<String>, theirs: Vec<String>| if ours.is_empty() { theirs } else { ours };
        Self {
            methods: or(self.methods, other.methods),
            headers: [self.headers, other.headers].concat(),
            cookies: [self.cookies, other.cookies].concat(),
            query: [self.query, other.query].concat(),
            source: if self.source.is_empty() { other.source } else { self.source },
        }
    }

    fn imply(&self, other: &Self) -> bool {
        let methods = |method: &String| other.methods.contains(method);
        let sources = |network| other.source.iter().any(|wider| wider.holds_all_of(network));
        (other.methods.is_empty() || (!self.methods.is_empty() && self.methods.iter().all(methods)))
            && (other.source.is_empty() || (!self.source.is_empty() && self.source.iter().all(sources)))
            && self.pairs(other).into_iter().all(|(ours, theirs)| all_implied(ours, theirs))
    }

    fn exclude(&self, other: &Self) -> bool {
        let methods = |method: &String| !other.methods.contains(method);
        let sources = |network| other.source.iter().all(|one| !one.holds_all_of(network) && !network.holds_all_of(one));
        (!self.methods.is_empty() && !other.methods.is_empty() && self.methods.iter().all(methods))
            || (!self.source.is_empty() && !other.source.is_empty() && self.source.iter().all(sources))
            || self.pairs(other).into_iter().any(|(ours, theirs)| any_excluded(ours, theirs))
    }

    /// The lists of conditions that are about the same things.
    fn pairs<'a>(&'a self, other: &'a Self) -> [(&'a [Condition], &'a [Condition]); 3] {
        [(&self.headers, &other.headers), (&self.cookies, &other.cookies), (&self.query, &other.query)]
    }
}

fn all_implied(ours: &[Condition], theirs: &[Condition]) -> bool {
    let implied =
        |theirs: &Condition| ours.iter().any(|ours| ours.name == theirs.name && ours.matcher.implies(&theirs.matcher));
    theirs.iter().all(implied)
}

fn any_excluded(ours: &[Condition], theirs: &[Condition]) -> bool {
    let excluded = |ours: &Condition| {
        theirs.iter().any(|theirs| ours.name == theirs.name && ours.matcher.excludes(&theirs.matcher))
    };
    ours.iter().any(excluded)
}

impl Matcher {
    /// Whether the other matcher holds for every value, or its absence, that this one holds for.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        if self.wants_absence() {
            return other.holds(None);
        }
        if other.wants_presence() {
            return !self.holds(None);
        }
        if self.invert && other.invert {
            return other.turned().implies(&self.turned());
        }
        if let Some(values) = self.values().filter(|_| self.is_compared_by(other)) {
            return values.iter().all(|value| other.holds(Some(value)));
        }
        !self.invert
            && !other.invert
            && self.is_compared_by(other)
            && self.test.is_narrower(&other.test, other.ignore_case)
    }

    /// Whether there is no value, nor its absence, that both hold for.
    fn excludes(&self, other: &Self) -> bool {
        let by_values = |one: &Self, other: &Self| {
            let values = one.values().filter(|_| one.is_compared_by(other));
            values.is_some_and(|values| values.iter().all(|value| !other.holds(Some(value))))
        };
        let by_absence = |one: &Self, other: &Self| one.wants_absence() && !other.holds(None);
        by_absence(self, other) || by_absence(other, self) || by_values(self, other) || by_values(other, self)
    }

    /// The value that it holds for alone.
    fn only_value(&self) -> Option<&[u8]> {
        match self.values()? {
            [value] if !self.ignore_case => Some(value),
            _ => None,
        }
    }

    /// Whether it holds for nothing but absence.
    pub(crate) fn wants_absence(&self) -> bool {
        matches!(self.test, Test::Present(wanted) if wanted == self.invert)
    }

    /// Whether it holds for whatever is there.
    fn wants_presence(&self) -> bool {
        matches!(self.test, Test::Present(wanted) if wanted != self.invert)
    }

    /// All values that it holds for, in lower case where case does not count.
    fn values(&self) -> Option<&[Box<[u8]>]> {
        match &self.test {
            Test::Exact(value) if !self.invert => Some(std::slice::from_ref(value)),
            Test::In(values) if !self.invert => Some(values),
            _ => None,
        }
    }

    /// Whether what this one takes for the same the other one takes for the same, too.
    fn is_compared_by(&self, other: &Self) -> bool {
        !self.ignore_case || other.ignore_case || matches!(other.test, Test::Present(_))
    }

    fn turned(&self) -> Self {
        Self { invert: !self.invert, ..self.clone() }
    }
}

impl Test {
    /// Whether every value that has this part has the other one; in lower case if case does not count for the other one.
    fn is_narrower(&self, other: &Self, lower: bool) -> bool {
        let ours = |text: &[u8]| if lower { text.to_ascii_lowercase() } else { text.to_vec() };
        let contains = |text: &[u8], part: &[u8]| text.windows(part.len().max(1)).any(|window| window == part);
        match (self, other) {
            (Self::Prefix(text), Self::Prefix(part)) => ours(text).starts_with(part),
            (Self::Suffix(text), Self::Suffix(part)) => ours(text).ends_with(part),
            (Self::Prefix(text) | Self::Suffix(text) | Self::Contains(text), Self::Contains(part)) => {
                contains(&ours(text), part)
            }
            _ => false,
        }
    }
}
