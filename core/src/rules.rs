//! Rules: a document after reading. Valid by construction, so that nothing downstream can fail.
//!
//! The only way to a [`Rules`] is [`Rules::parse`](crate::Rules::parse), in `document`.

mod outputs;
mod overrides;
mod sticky;
mod weights;

use std::sync::Arc;

use crate::condition::{MatchEntry, PathPattern};
use crate::cookie::CookieSettings;
use crate::cover::Cover;
use crate::guard::{Guard, Identity};
use crate::header::HeaderName;
use crate::keys::Keys;
use crate::schedule::Schedule;
use crate::slot::{Intervals, SlotKey};
use crate::time::Time;
pub use outputs::{Output, OutputHeaders, OutputKind};
pub(crate) use overrides::{Overrides, Trust};
pub(crate) use sticky::{AtZero, Cache, First, Hold, Prefer, Sticky, UnitSource};
pub(crate) use weights::{Shares, Weights};

/// So many headers that rules ask for, most of which a request does not have, are no reason to read all headers.
const FEW_HEADERS: usize = 2;

/// Everything that a document says, ready to decide with.
#[derive(Clone, Debug)]
pub struct Rules {
    /// In the order of their names in the document. Shared, since a rollout may outlive the document that it came in (see [`Rules::parse`]).
    pub(crate) rollouts: Vec<Arc<Rollout>>,
    /// Which rollout covers a request.
    pub(crate) cover: Cover,
    /// How cookies are written; `None` where the document says `cookie: false`.
    pub(crate) cookie: Option<CookieSettings>,
    /// What signs and checks cookies and tokens, if the document has keys.
    pub(crate) keys: Option<Arc<Keys>>,
    /// The headers that carry a decision.
    pub(crate) outputs: OutputHeaders,
    /// The names of all `set_headers`, none of which may come in from a client, and of the headers that hold a secret, none
    /// of which may go on; each once.
    pub(crate) stripped: Vec<HeaderName>,
    /// Whether a request is mostly asked for several headers that it has.
    pub(crate) reads_many: bool,
    /// Whether the decision goes into the access log.
    pub(crate) access_log: bool,
    /// What to do on a sidecar's inbound listener.
    pub(crate) inbound: Inbound,
}

impl Rules {
    /// The rollouts, in the order of their names in the document.
    pub fn rollouts(&self) -> impl ExactSizeIterator<Item = &Rollout> {
        self.rollouts.iter().map(|rollout| &**rollout)
    }

    /// The rollout at this place of [`Rules::rollouts`].
    #[inline]
    pub fn rollout(&self, index: usize) -> Option<&Rollout> {
        self.rollouts.get(index).map(|rollout| &**rollout)
    }

    /// The rollout of this name.
    pub fn rollout_named(&self, name: &str) -> Option<&Rollout> {
        let at = self.rollouts.binary_search_by(|rollout| rollout.name.as_str().cmp(name)).ok()?;
        self.rollout(at)
    }

    /// The headers that carry a decision.
    #[inline]
    pub fn outputs(&self) -> &OutputHeaders {
        &self.outputs
    }

    /// What to do on a sidecar's inbound listener.
    #[inline]
    pub fn inbound(&self) -> Inbound {
        self.inbound
    }

    /// Whether a request is mostly asked for several headers that it has: its host or path beside its cookies, or many that
    /// conditions are about. A [`Source`](crate::Source) may then be quicker that reads all headers at once.
    #[inline]
    pub fn reads_many_headers(&self) -> bool {
        self.reads_many
    }

    /// Whether the decision goes into the access log.
    #[inline]
    pub fn access_log(&self) -> bool {
        self.access_log
    }

    /// What signs and checks cookies and tokens, if the document has keys.
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.as_deref()
    }
}

/// One named experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    pub(crate) name: String,
    /// An OR; empty means that nothing matches, which only a broken rollout can have.
    pub(crate) matches: Vec<MatchEntry>,
    pub(crate) plan: Plan,
}

/// What a rollout does with the requests that it covers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// Its document was wrong and there is no earlier form of it: everybody gets stable.
    Broken(Box<Broken>),
    /// It shares its traffic among its versions.
    Share(Box<Shared>),
}

/// What is known of a rollout that cannot share its traffic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Broken {
    pub(crate) stable: Version,
    /// Whether routes need the headers to find stable.
    pub(crate) marks_stable: bool,
    /// The total of the route's weights, where those are to choose by the slot.
    pub(crate) native_total: Option<u32>,
}

impl Broken {
    /// With this stable version, and nothing else known.
    pub(crate) fn with_stable(stable: Version) -> Self {
        Self { stable, marks_stable: false, native_total: None }
    }
}

impl Default for Broken {
    /// Nothing is known.
    fn default() -> Self {
        Self::with_stable(Version { name: "stable".into(), ..Version::default() })
    }
}

/// A rollout that shares its traffic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shared {
    pub(crate) stable: VersionId,
    /// Sorted by name.
    pub(crate) versions: Vec<Version>,
    pub(crate) total: u32,
    /// Those of the versions.
    pub(crate) weights: Weights,
    /// Those of the rules that have weights, in their order.
    pub(crate) rule_weights: Vec<Weights>,
    /// What changes one of the weights as time goes by.
    pub(crate) schedule: Option<Box<Schedule>>,
    pub(crate) key: SlotKey,
    pub(crate) release: String,
    pub(crate) overrides: Overrides,
    /// In the order of the document.
    pub(crate) rules: Vec<Rule>,
    pub(crate) sticky: Sticky,
    pub(crate) ways: Ways,
    /// What takes a version out that fails.
    pub(crate) guard: Option<Box<Guard>>,
    /// Whether stable serves in the place of a version that has no cluster right now.
    pub(crate) covers_missing: bool,
}

impl Shared {
    /// Whether the visitor's cookie tells other proxies which version is out.
    #[inline]
    pub(crate) fn tells_in_cookie(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.in_cookie)
    }

    /// The scheduled version's weight at a moment, in thousandths; `None` where the document's counts.
    pub(crate) fn thousandths_at(&self, now: Time) -> Option<u32> {
        self.schedule.as_ref()?.at(now).thousandths
    }

    /// What weights come to with so many thousandths for the scheduled version.
    pub(crate) fn scheduled(&self, weights: &Weights, thousandths: u32) -> Option<Shares> {
        weights.with(self.total, self.stable, self.schedule.as_ref()?.version, thousandths)
    }
}

/// How a rollout's decision reaches the routes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ways {
    /// Whether the version that an earlier hop chose is followed.
    pub(crate) inherit: bool,
    pub(crate) split: Split,
    pub(crate) mark_stable: bool,
    pub(crate) dry_run: bool,
}

impl Ways {
    /// Whether the headers are written for stable too: where routes need them to tell a version that was named from one
    /// that they are to choose themselves.
    #[inline]
    pub(crate) fn marks_stable(self) -> bool {
        self.mark_stable || self.split != Split::Filter
    }
}

/// A segment of the requests, and what it gets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// `None` for every request.
    pub(crate) when: Option<MatchEntry>,
    pub(crate) then: Then,
}

/// What a rule's segment gets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Then {
    /// This version.
    Use(VersionId),
    /// Other weights: the index among those of the rules.
    Weights(usize),
}

/// Who steers a request to its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// The filter names the version, and routes read the header.
    Filter,
    /// The route's own weights choose for a unit that holds nothing; the filter holds what they chose.
    Route,
    /// The filter writes the slot, and the route's own weights choose by it.
    Native,
}

impl Rollout {
    /// The name, `[a-z0-9-]{1,63}`; `invalid` for a broken rollout whose name does not fit.
    #[inline]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The versions, sorted by name; of a broken rollout only stable.
    #[inline]
    pub fn versions(&self) -> &[Version] {
        match &self.plan {
            Plan::Broken(broken) => std::slice::from_ref(&broken.stable),
            Plan::Share(shared) => &shared.versions,
        }
    }

    /// The share of the slots that each version owns by the document's weights; `None` for a broken rollout, whose traffic
    /// all goes to stable.
    pub fn intervals(&self) -> Option<&Intervals> {
        self.shared().map(|shared| &shared.weights.shares.intervals)
    }

    /// The share of the slots that each version owns at a moment, by the document's weights and the schedule; `None` for a
    /// broken rollout.
    #[inline(never)]
    pub fn intervals_at(&self, now: Time) -> Option<Intervals> {
        let shared = self.shared()?;
        let scheduled =
            shared.thousandths_at(now).and_then(|thousandths| shared.scheduled(&shared.weights, thousandths));
        Some(scheduled.unwrap_or_else(|| shared.weights.shares.clone()).intervals)
    }

    /// What changes one of the weights as time goes by, if anything does. None where the document gives that version a weight
    /// of 0, which wins.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.shared()?.schedule.as_deref()
    }

    /// What a rollout that is not broken does.
    #[inline]
    pub(crate) fn shared(&self) -> Option<&Shared> {
        match &self.plan {
            Plan::Broken(_) => None,
            Plan::Share(shared) => Some(shared),
        }
    }

    /// The key that puts units into slots; `None` for a broken rollout.
    pub fn slot_key(&self) -> Option<&SlotKey> {
        self.shared().map(|shared| &shared.key)
    }

    /// The headers that go with its versions or hold its secret.
    pub(crate) fn stripped(&self) -> impl Iterator<Item = &HeaderName> {
        let (versions, secret) =
            self.shared().map_or((&[][..], None), |shared| (&shared.versions[..], shared.overrides.secret_header()));
        versions.iter().flat_map(|version| &version.set_headers).map(|(name, _)| name).chain(secret)
    }

    /// Whether its match or rules ask for a host, a path, or many headers.
    pub(crate) fn reads_many(&self) -> bool {
        let by_place = |entry: &MatchEntry| !entry.hosts.is_empty() || entry.path != PathPattern::Any;
        self.entries().any(by_place) || MatchEntry::different_headers(self.entries(), FEW_HEADERS) > FEW_HEADERS
    }

    /// The entries of its match and those of its rules.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &MatchEntry> {
        let rules = self.shared().map_or(&[][..], |shared| &shared.rules);
        self.matches.iter().chain(rules.iter().filter_map(|rule| rule.when.as_ref()))
    }

    /// What is known of a version is known of this one: of this cluster and release.
    #[inline(never)]
    pub fn identity(&self, version: VersionId) -> Option<Identity> {
        Some(Identity::new(&self.name, self.version(version)?, self.release()))
    }

    /// The name of the current attempt; empty if the document gives none.
    pub fn release(&self) -> &str {
        self.shared().map_or("", |shared| &shared.release)
    }

    /// The id of the version with this name.
    #[inline]
    pub fn version_named(&self, name: &[u8]) -> Option<VersionId> {
        let index = self.versions().binary_search_by(|version| version.name.as_bytes().cmp(name)).ok()?;
        u8::try_from(index).ok().map(VersionId)
    }

    /// A version of this rollout.
    #[inline]
    pub(crate) fn version(&self, id: VersionId) -> Option<&Version> {
        self.versions().get(usize::from(id.0))
    }
}

/// A version's index among its rollout's versions; a rollout has at most 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId(pub(crate) u8);

impl VersionId {
    /// The index into [`Rollout::versions`].
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its bit in a set of versions.
    #[inline]
    pub(crate) fn bit(self) -> u64 {
        1_u64.wrapping_shl(self.0.into())
    }
}

/// One deployable variant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Version {
    pub(crate) name: String,
    /// The Envoy cluster, without which only the version header can steer.
    pub(crate) cluster: Option<String>,
    /// The kill switch: this version is nobody's answer in any layer.
    pub(crate) off: bool,
    /// Request headers that go with this version.
    pub(crate) set_headers: Vec<(HeaderName, String)>,
}

impl Version {
    /// The name, `[A-Za-z0-9_-]{1,63}`.
    #[inline]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Envoy cluster, if the document names one.
    #[inline]
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// Whether the kill switch is set.
    pub fn is_off(&self) -> bool {
        self.off
    }
}

/// What to do on a sidecar's inbound listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Nothing: the client's sidecar or the gateway has decided.
    Skip,
    /// Decide there (waypoints).
    Decide,
}
