//! The guard: when a version is taken out of traffic because it fails, and how it comes back.
//!
//! Counting is the adapter's; what counts as a failure, how much evidence is enough (`bound`) and what becomes of a version
//! (`ledger`) is here.

mod bound;
mod ledger;

use std::ops::RangeInclusive;

use siphasher::sip::SipHasher13;

use crate::cookie::Mark;
use crate::rules::{Rollout, Rules, Version, VersionId};
use crate::time::Time;
pub use bound::{lower_bound, tail};
pub use ledger::{Change, Counted, Ledger, Tally};

/// What a rollout's guard looks at, and when it acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Seconds of traffic that are looked at.
    pub(crate) window: u32,
    /// The statuses that are failures.
    pub(crate) statuses: Vec<RangeInclusive<u16>>,
    /// In milliseconds, from the request's headers to the response's.
    pub(crate) slower_than: Option<u32>,
    /// The share of the requests that may fail, 0 to 1.
    pub(crate) most: f64,
    /// The chance that is taken of tripping at exactly that share, 0 to 1.
    pub(crate) chance: f64,
    /// The multiple of stable's failures that it has to exceed as well.
    pub(crate) worse_than_stable: Option<f64>,
    /// Seconds that a version stays out; `None` until it is another one.
    pub(crate) out_for: Option<u32>,
    /// Whether the visitor's cookie tells other proxies.
    pub(crate) in_cookie: bool,
    /// What is counted apart, by version.
    pub(crate) identities: Vec<Identity>,
}

/// One version of one rollout, of one cluster and release: what failed under it is not held against another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(u64);

impl Identity {
    /// SipHash-1-3 with a zero key over the four names, each with a NUL behind it, which none of them holds.
    pub(crate) fn new(rollout: &str, version: &Version, release: &str) -> Self {
        let cluster = version.cluster.as_deref().unwrap_or_default();
        let names = [rollout, "\0", &version.name, "\0", cluster, "\0", release, "\0"].concat();
        Self(SipHasher13::new().hash(names.as_bytes()))
    }

    /// What stands for it in a visitor's cookie.
    pub(crate) fn mark(self) -> Mark {
        Mark::from_hash(self.0)
    }
}

/// What a guard says of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It serves.
    Serving,
    /// It is out: its units get stable.
    Out {
        /// When it comes back; `None` if it does not.
        until: Option<Time>,
    },
    /// A tenth of its slots is let in again.
    Trial {
        /// From this moment on.
        since: Time,
    },
}

impl Guard {
    /// Whether a response of this status is a failure; `grpc` is the status that gRPC sends in its headers, if it does.
    #[inline]
    pub fn is_failure(&self, status: u16, grpc: Option<u16>) -> bool {
        let status = grpc.map_or(status, http_status);
        self.statuses.iter().any(|range| range.contains(&status))
    }

    /// Milliseconds after which a response, or none, is a failure.
    pub fn slower_than(&self) -> Option<u32> {
        self.slower_than
    }

    /// Whether it looks at this version of this rollout, cluster and release.
    pub fn watches(&self, identity: Identity) -> bool {
        self.identities.contains(&identity)
    }

    /// What is counted apart for a version.
    #[inline]
    pub(crate) fn identity(&self, version: VersionId) -> Option<Identity> {
        self.identities.get(version.index()).copied()
    }

    /// Seconds of a tenth of the window, rounded up.
    fn slice(&self) -> u32 {
        self.window.div_ceil(10)
    }

    /// Whether a tally is enough evidence against a version: the Clopper-Pearson lower bound of its failures exceeds what is
    /// allowed, and the multiple of stable's bound.
    fn trips(&self, tally: Tally, stable: Option<Tally>) -> bool {
        let exceeds = |most: f64| {
            let Tally { requests, failures } = tally;
            f64::from(failures) > most * f64::from(requests) && tail(failures, requests, most) < self.chance
        };
        let of_stable = || {
            let Tally { requests, failures } = stable.unwrap_or_default();
            self.worse_than_stable.map(|times| times * lower_bound(failures, requests, self.chance))
        };
        exceeds(self.most) && of_stable().is_none_or(exceeds)
    }
}

/// The HTTP status of the same meaning as one of gRPC, as Envoy has it (`Grpc::Utility::grpcToHttpStatus`).
fn http_status(grpc: u16) -> u16 {
    match grpc {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

/// The versions that guards watch, of all rollouts of a document.
#[derive(Clone, Debug, Default)]
pub struct Watchlist(Vec<Watched>);

/// A version that a guard watches.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// What is counted apart for it.
    pub identity: Identity,
    /// The index of its rollout in [`Rules::rollouts`].
    pub rollout: usize,
    /// The version.
    pub version: VersionId,
}

impl Watchlist {
    /// Of these rules.
    #[inline(never)]
    pub fn new(rules: &Rules) -> Self {
        let mut list = Vec::new();
        for (rollout, of) in rules.rollouts().enumerate() {
            let identities = of.guard().into_iter().flat_map(|guard| &guard.identities);
            list.extend(identities.zip(0..).map(|(identity, version)| Watched {
                identity: *identity,
                rollout,
                version: VersionId(version),
            }));
        }
        Self(list)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of the rollouts.
    pub fn iter(&self) -> impl Iterator<Item = &Watched> {
        self.0.iter()
    }
}

impl Rollout {
    /// The guard, if the document gives one.
    #[inline]
    pub fn guard(&self) -> Option<&Guard> {
        self.shared()?.guard.as_deref()
    }
}
