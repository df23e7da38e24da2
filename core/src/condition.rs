//! Conditions: which requests an entry of `match`, or a rule's `when`, is about.

use std::net::IpAddr;
use std::sync::Arc;

use crate::cover::normal_host;
use crate::facts::{Facts, Source};
use crate::matcher::{Matcher, Pattern};

/// An AND of hosts, path and conditions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MatchEntry {
    /// An OR; empty means every host.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) path: PathPattern,
    /// `None` if there are no others. Shared with the index of rollouts.
    pub(crate) conditions: Option<Arc<Conditions>>,
}

/// A host to match, in lower case and without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostPattern {
    Exact(String),
    /// The rest behind `*`, with its leading dot: `.example.com` stands for one or more labels before it.
    Suffix(String),
}

/// A path to match; the query string is never part of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PathPattern {
    Any,
    Exact(Arc<[u8]>),
    /// Whole segments, without a trailing slash.
    Prefix(Arc<[u8]>),
    Regex(Arc<Pattern>),
}

/// What a request has to be beside its host and path. Each list that is not empty has to hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conditions {
    /// An OR.
    pub(crate) methods: Vec<String>,
    /// An AND, as are cookies and query.
    pub(crate) headers: Vec<Condition>,
    pub(crate) cookies: Vec<Condition>,
    pub(crate) query: Vec<Condition>,
    /// An OR.
    pub(crate) source: Vec<Network>,
}

/// What the header, cookie or query parameter of a name has to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    /// A header's is in lower case.
    pub(crate) name: String,
    pub(crate) matcher: Matcher,
}

impl MatchEntry {
    /// The entry that every request fits.
    pub(crate) const ALL: Self = Self { hosts: Vec::new(), path: PathPattern::Any, conditions: None };

    /// Whether a request fits the entry.
    pub(crate) fn holds<'r, S: Source>(&'r self, facts: &Facts<'r, S>) -> bool {
        let host = || facts.header(":authority").map(normal_host).unwrap_or_default();
        let path = || facts.path().unwrap_or_default();
        (self.hosts.is_empty() || matches_any(&self.hosts, &host()))
            && (matches!(self.path, PathPattern::Any) || self.path.matches(path()))
            && self.conditions.as_ref().is_none_or(|conditions| conditions.hold(facts))
    }

    /// How many regexes it holds.
    pub(crate) fn regexes(&self) -> usize {
        let in_path = usize::from(matches!(self.path, PathPattern::Regex(_)));
        in_path + self.conditions.as_ref().map_or(0, |conditions| conditions.regexes())
    }

    /// How many different headers the conditions of these entries read, up to one more than `most`.
    // A table would be some kilobytes of the module, and `most` is small.
    pub(crate) fn different_headers<'a>(entries: impl Iterator<Item = &'a Self>, most: usize) -> usize {
        let mut names: Vec<&str> = Vec::new();
        for name in entries.flat_map(Self::header_names) {
            if names.len() <= most && !names.contains(&name) {
                names.push(name);
            }
        }
        names.len()
    }

    /// The headers that its conditions read.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().flat_map(|conditions| &conditions.headers).map(|condition| &*condition.name)
    }
}

pub(crate) fn matches_any(hosts: &[HostPattern], host: &[u8]) -> bool {
    hosts.iter().any(|pattern| match pattern {
        HostPattern::Exact(name) => host == name.as_bytes(),
        HostPattern::Suffix(rest) => host.len() > rest.len() && host.ends_with(rest.as_bytes()),
    })
}

impl PathPattern {
    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => *path == **exact,
            Self::Prefix(prefix) => path.strip_prefix(&**prefix).is_some_and(|rest| matches!(rest, [] | [b'/', ..])),
            Self::Regex(pattern) => pattern.is_match(path),
        }
    }
}

impl Conditions {
    /// Whether a request fits all of them. What costs least is asked first: the path is nearly always read by then, and a
    /// header that is not there costs a fraction of one that is.
    pub(crate) fn hold<'r, S: Source>(&'r self, facts: &Facts<'r, S>) -> bool {
        self.query.iter().all(|condition| condition.matcher.holds(facts.query(&condition.name).next()))
            && self.allow_method(facts)
            && self.headers.iter().all(|condition| condition.matcher.holds(facts.header(&condition.name)))
            && self.cookies.iter().all(|condition| condition.matcher.holds(facts.cookie(&condition.name)))
            && self.allow_source(facts)
    }

    /// How specific they are, after Gateway API's precedence: methods, then the number of header, query and cookie
    /// conditions, then source. More is more specific; 0 means that there are none.
    pub(crate) fn rank(&self) -> u32 {
        let count = |conditions: usize| u32::try_from(conditions).unwrap_or(u32::MAX).min(0x3f);
        let listed = |list: bool| u32::from(list);
        listed(!self.methods.is_empty()) << 19
            | count(self.headers.len()) << 13
            | count(self.query.len()) << 7
            | count(self.cookies.len()) << 1
            | listed(!self.source.is_empty())
    }

    fn allow_method<'r, S: Source>(&self, facts: &Facts<'r, S>) -> bool {
        self.methods.is_empty()
            || facts.header(":method").is_some_and(|method| self.methods.iter().any(|one| one.as_bytes() == method))
    }

    fn allow_source<S: Source>(&self, facts: &Facts<'_, S>) -> bool {
        self.source.is_empty()
            || facts.source_address().is_some_and(|address| self.source.iter().any(|network| network.has(address)))
    }

    fn regexes(&self) -> usize {
        let named = self.headers.iter().chain(&self.cookies).chain(&self.query);
        named.map(|condition| condition.matcher.regexes()).sum()
    }
}

/// A network of addresses. IPv4 is kept, and compared, as the IPv6 that it is mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    first: u128,
    /// How many bits are the same in all of its addresses: 0 to 128.
    bits: u32,
}

impl Network {
    /// The network of all addresses that share so many leading bits with this one, and whether the address is its first.
    pub(crate) fn around(address: IpAddr, bits: u32) -> (Self, bool) {
        let bits = if address.is_ipv4() { bits + MAPPED_BITS } else { bits };
        let number = mapped(address);
        // A shift by the whole width is none.
        let first = u128::MAX.checked_shl(128 - bits).unwrap_or(0) & number;
        (Self { first, bits }, first == number)
    }

    /// Its first address, with every group of an IPv6 one.
    // The shortest form, which the standard library writes, is two kilobytes of the module.
    pub(crate) fn first(&self) -> String {
        match IpAddr::from(self.first.to_be_bytes()).to_canonical() {
            IpAddr::V4(address) => address.octets().map(|octet| octet.to_string()).join("."),
            IpAddr::V6(address) => address.segments().map(|group| format!("{group:x}")).join(":"),
        }
    }

    /// Whether the address lies in it. An IPv6 network that is wide enough to hold mapped IPv4 does not hold IPv4.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let different = mapped(address) ^ self.first;
        different.leading_zeros() >= self.bits && (self.bits >= MAPPED_BITS || address.is_ipv6())
    }
}

#[cfg(feature = "tools")]
impl Network {
    /// Whether every address of another network lies in it.
    pub(crate) fn holds_all_of(&self, other: &Self) -> bool {
        let of_v4 = |network: &Self| network.bits >= MAPPED_BITS && network.is_mapped();
        let same = (self.first ^ other.first).leading_zeros() >= self.bits && self.bits <= other.bits;
        same && (of_v4(self) || !of_v4(other))
    }

    /// The network as the document has it.
    pub(crate) fn in_words(&self) -> String {
        let bits = if self.is_mapped() && self.bits >= MAPPED_BITS { self.bits - MAPPED_BITS } else { self.bits };
        format!("{}/{bits}", IpAddr::from(self.first.to_be_bytes()).to_canonical())
    }

    fn is_mapped(&self) -> bool {
        IpAddr::from(self.first.to_be_bytes()).to_canonical().is_ipv4()
    }
}

/// The bits before the IPv4 address in an IPv6 address that it is mapped to.
const MAPPED_BITS: u32 = 96;

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
