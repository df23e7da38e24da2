//! The decision for one request: which rollout covers it, which version it gets, and why.
//!
//! The layers, in their order: `inherit`, override (`overriding`), rules, then the unit with what it holds and its slot
//! (`unit`). The first that answers wins, and its name is the reason.

#[cfg(feature = "tools")]
mod explain;
mod overriding;
mod unit;

use std::cell::Cell;

use crate::cookie::{Kept, MOST_OF_ONE_NAME, Mark, Visitor};
use crate::current::{Current, OfRollout};
use crate::facts::{Facts, Source};
use crate::guard::Identity;
use crate::rules::{Hold, OutputKind, Plan, Rollout, Rules, Shared, Shares, Then, UnitSource, Version, VersionId};
use crate::slot::Slot;
use crate::time::Time;
#[cfg(feature = "tools")]
pub use explain::{Covered, Explanation, Layer, Outcome, Uncovered, explain, explain_layers};
use overriding::Wish;

/// The outcome for one request.
#[derive(Clone, Debug)]
pub struct Decision<'r> {
    /// The rollout that covers the request.
    pub rollout: &'r Rollout,
    /// Its index in [`Rules::rollouts`].
    pub index: usize,
    /// The version that serves the request; `None` where the route's own weights choose it and it is not known here.
    pub version: Option<VersionId>,
    /// Which layer decided.
    pub reason: Reason,
    /// The slot, where one was worked out.
    pub slot: Option<Slot>,
    /// The visitor cookie to write, if it is new or due.
    pub visitor: Option<Visitor>,
    /// The rollout's own cookie to write, if it is new, due or changed.
    pub kept: Option<Box<Kept>>,
    /// Whether the request named a version that does not exist, is off, or may not be named by it.
    pub override_ignored: bool,
}

impl<'r> Decision<'r> {
    /// The version that serves the request, where it is known.
    #[inline]
    pub fn version(&self) -> Option<&'r Version> {
        self.rollout.version(self.version?)
    }

    /// Whether stable serves the request.
    #[inline]
    pub fn is_stable(&self) -> bool {
        match &self.rollout.plan {
            Plan::Broken(_) => true,
            Plan::Share(shared) => self.version == Some(shared.stable),
        }
    }

    /// The decision of the rollout with this index where something is in doubt: stable, of which nothing is kept.
    #[cold]
    #[inline(never)]
    pub fn in_doubt(rules: &'r Rules, index: usize) -> Option<Self> {
        let rollout = rules.rollout(index)?;
        let version = Some(rollout.shared().map_or(VersionId(0), |shared| shared.stable));
        let (reason, slot, visitor, kept, override_ignored) = (Reason::Broken, None, None, None, false);
        Some(Self { rollout, index, version, reason, slot, visitor, kept, override_ignored })
    }

    /// Whether a visitor cookie is written, and is that of a newcomer: no cookie of the request holds its number.
    #[cold]
    pub fn is_drawn<S: Source>(&self, facts: &Facts<'_, S>) -> bool {
        if self.rollout.shared().is_none_or(|shared| shared.ways.dry_run) {
            return false;
        }
        let brings = |number: &[u8]| facts.all_cookies().windows(number.len().max(1)).any(|part| part == number);
        self.visitor.is_some_and(|visitor| !brings(visitor.number.as_bytes()))
    }

    /// What is to be learned from the answer; `None` if nothing. From the answer to a request that named its version itself,
    /// or for which nothing is changed, nothing is learned.
    #[inline]
    pub fn lessons(&self) -> Option<Lessons> {
        if self.reason == Reason::Override {
            return None;
        }
        let (version, shared) = (self.version?, self.rollout.shared()?);
        let is_canary = version != shared.stable;
        if shared.ways.dry_run || (!is_canary && shared.guard.is_none()) {
            return None;
        }
        let guard = shared.guard.as_deref().filter(|guard| is_canary || guard.worse_than_stable.is_some());
        let missing = is_canary && shared.covers_missing;
        let counted_for = guard.and_then(|guard| guard.identity(version));
        (missing || counted_for.is_some()).then_some(Lessons { version, counted_for, missing })
    }
}

/// What is to be learned from the answer to a request.
#[derive(Clone, Copy, Debug)]
pub struct Lessons {
    /// Whose answer it is.
    pub version: VersionId,
    /// What a guard counts it for.
    pub counted_for: Option<Identity>,
    /// Whether it matters that the version's cluster is missing.
    pub missing: bool,
}

/// Which layer decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An earlier hop wrote the version into our version header.
    Inherit,
    /// The request named its version, now or earlier.
    Override,
    /// A rule of the document.
    Rule,
    /// The version that its unit holds.
    Held,
    /// The slot of its unit.
    Slot,
    /// A draw for this request alone.
    Random,
    /// `first: stable`, for a unit that carries nothing yet.
    First,
    /// The route's own weights (`split: route`).
    Route,
    /// Stable serves, since a guard has taken the version out that it would have been.
    Guard,
    /// Stable serves, since the version that it would have been has no cluster right now.
    Missing,
    /// The rollout's document is wrong and there is no earlier form of it, the key that it needs is missing, or the host does not
    /// tell or do what the decision rests on.
    Broken,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Inherit,
        Self::Override,
        Self::Rule,
        Self::Held,
        Self::Slot,
        Self::Random,
        Self::First,
        Self::Route,
        Self::Guard,
        Self::Missing,
        Self::Broken,
    ];

    /// The name, as headers and metrics show it.
    #[inline]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inherit => "inherit",
            Self::Override => "override",
            Self::Rule => "rule",
            Self::Held => "held",
            Self::Slot => "slot",
            Self::Random => "random",
            Self::First => "first",
            Self::Route => "route",
            Self::Guard => "guard",
            Self::Missing => "missing",
            Self::Broken => "broken",
        }
    }

    /// Its index in [`Reason::ALL`].
    #[inline]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Decides for one request; `None` if no rollout covers it.
///
/// Nor if it is in doubt which one does, since the source could not tell something of the request. Whoever finds it in doubt
/// behind that does not carry the decision out, but [`Decision::in_doubt`].
///
/// `current` is what the clock and the traffic make of these rules; [`Current::default`] for the document's own weights.
/// `now` is used to judge and write cookies and tokens; a second or two of error do no harm. `draw` gives 64 random bits and
/// is called at most once.
///
/// Total: whatever the request holds, there is an answer, and where in doubt it is stable.
pub fn decide<'r, S: Source>(
    rules: &'r Rules,
    current: &Current,
    facts: &Facts<'r, S>,
    now: Time,
    draw: impl FnOnce() -> u64,
) -> Option<Decision<'r>> {
    facts.expect_cookies(rules.cookie.as_ref().map(|cookie| cookie.name.as_str()));
    let index = rules.cover.find(facts)?;
    if facts.in_doubt() {
        return None;
    }
    let rollout = rules.rollouts.get(index)?;
    let ignored = Cell::new(false);
    let (answer, kept) = match &rollout.plan {
        Plan::Broken(_) => (Answer::new(VersionId(0), Reason::Broken), None),
        Plan::Share(shared) if rules.lacks_key_for(shared) => (Answer::new(shared.stable, Reason::Broken), None),
        Plan::Share(shared) => {
            let current = current.of(index);
            Request { rules, rollout, shared, current, facts, now, ignored: &ignored }.answer(draw)
        }
    };
    let Answer { version, reason, slot, visitor, .. } = answer;
    let override_ignored = ignored.get();
    Some(Decision { rollout, index, version, reason, slot, visitor, kept, override_ignored })
}

/// What a layer answers.
struct Answer {
    version: Option<VersionId>,
    reason: Reason,
    slot: Option<Slot>,
    visitor: Option<Visitor>,
    /// What the unit holds from now on.
    hold: Option<(Mark, VersionId)>,
    /// The version that gets no traffic, where stable serves in its place.
    instead_of: Option<VersionId>,
}

impl Answer {
    #[inline]
    fn new(version: VersionId, reason: Reason) -> Self {
        Self { version: Some(version), reason, slot: None, visitor: None, hold: None, instead_of: None }
    }
}

/// One request and the rollout that covers it.
struct Request<'a, 'r, S> {
    rules: &'r Rules,
    rollout: &'r Rollout,
    shared: &'r Shared,
    /// What is different from the document right now.
    current: Option<&'a OfRollout>,
    facts: &'a Facts<'r, S>,
    now: Time,
    /// Whether an override did not count.
    ignored: &'a Cell<bool>,
}

impl<'r, S: Source> Request<'_, 'r, S> {
    /// The first layer that answers, and the rollout's cookie to write.
    #[inline]
    fn answer(&self, draw: impl FnOnce() -> u64) -> (Answer, Option<Box<Kept>>) {
        if self.shared.ways.inherit
            && let Some(version) = self.inherited()
        {
            return (Answer::new(version, Reason::Inherit), None);
        }
        let wish = self.wish();
        // An override that is not remembered leaves the rollout's cookie as it is, so that need not be read.
        let passes = matches!(wish, Some(Wish::Version(_))) && self.shared.overrides.remember.is_none();
        let keeps = !passes && self.shared.keeps_cookie();
        let kept = if keeps { self.kept() } else { None };
        let answer = self.decided(wish, kept.as_deref(), draw);
        let write = if keeps { self.to_keep(kept.as_deref(), wish, &answer) } else { None };
        (answer, write)
    }

    /// The layers behind `inherit`.
    #[inline]
    fn decided(&self, wish: Option<Wish>, kept: Option<&Kept>, draw: impl FnOnce() -> u64) -> Answer {
        let remembered = || self.remembered(kept?).map(Wish::Version);
        if let Some(Wish::Version(version)) = wish.or_else(remembered) {
            return Answer::new(version, Reason::Override);
        }
        let shares = match self.rule(kept) {
            Some(Then::Use(version)) => return Answer::new(*version, Reason::Rule),
            Some(Then::Weights(index)) => self.rule_shares(*index),
            None => self.current.and_then(OfRollout::shares),
        };
        let shares = shares.unwrap_or(&self.shared.weights.shares);
        self.by_unit(shares, kept, draw)
    }

    /// The listed version in the header that an earlier hop wrote.
    fn inherited(&self) -> Option<VersionId> {
        let name = self.rules.outputs.carrying(OutputKind::Version)?;
        let version = self.rollout.version_named(self.facts.header(name.as_str())?)?;
        self.serves(version, None).then_some(version)
    }

    /// What the first rule says whose segment holds the request; one whose version does not serve is passed over.
    #[inline]
    fn rule(&self, kept: Option<&Kept>) -> Option<&'r Then> {
        let passed = |then: &Then| matches!(then, Then::Use(version) if !self.serves(*version, kept));
        let mut rules = self.shared.rules.iter().filter(|rule| !passed(&rule.then));
        rules.find_map(|rule| {
            let holds = rule.when.as_ref().is_none_or(|when| when.holds(self.facts));
            holds.then_some(&rule.then)
        })
    }

    /// What the weights of a rule come to now.
    fn rule_shares(&self, index: usize) -> Option<&Shares> {
        let now = self.current.and_then(|current| current.rule_shares(index));
        now.or_else(|| self.shared.rule_weights.get(index).map(|weights| &weights.shares))
    }

    /// Whether a version is open and gets traffic of this unit.
    #[inline]
    fn serves(&self, version: VersionId, kept: Option<&Kept>) -> bool {
        self.is_open(version) && self.barred(version, kept, None).is_none()
    }

    /// Why a version gets no traffic of a unit with this slot, if it gets none. What has no slot is not let in with a tenth of
    /// the slots.
    #[inline(always)]
    fn barred(&self, version: VersionId, kept: Option<&Kept>, slot: Option<Slot>) -> Option<Reason> {
        let nothing_is_known = self.current.is_none() && kept.is_none();
        if version == self.shared.stable || nothing_is_known { None } else { self.barred_now(version, kept, slot) }
    }

    #[cold]
    fn barred_now(&self, version: VersionId, kept: Option<&Kept>, slot: Option<Slot>) -> Option<Reason> {
        let here = self.current.and_then(|current| current.barred(version, slot));
        here.or_else(|| self.is_out_elsewhere(version, kept?).then_some(Reason::Guard))
    }

    /// Whether a version is listed and not off.
    #[inline]
    fn is_open(&self, version: VersionId) -> bool {
        self.shared.versions.get(version.index()).is_some_and(|version| !version.off)
    }

    /// What the first cookie of this name that `wanted` takes comes to.
    fn cookie<'b, T>(&'b self, name: &str, wanted: impl Fn(&'b [u8]) -> Option<T>) -> Option<T> {
        let find = |line| {
            let clean = crate::cookie::values(line, name).filter(|value| crate::cookie::is_clean(value));
            clean.take(MOST_OF_ONE_NAME).find_map(&wanted)
        };
        self.facts.in_cookies(find, |name| self.is_ours(name))
    }

    /// Whether a cookie means anything to this rollout.
    fn is_ours(&self, name: &[u8]) -> bool {
        let is = |ours: &str| ours.as_bytes() == name;
        let is_unit = |unit: &UnitSource| matches!(unit, UnitSource::Cookie(ours) if is(ours));
        self.shared.overrides.cookie.as_deref().is_some_and(is) || self.shared.sticky.units.iter().any(is_unit)
    }
}

impl Rules {
    /// Whether a rollout would write cookies that nobody can sign.
    #[inline]
    fn lacks_key_for(&self, shared: &Shared) -> bool {
        let unsigned = || self.cookie.is_some() && self.keys.as_ref().is_some_and(|keys| !keys.can_sign());
        (shared.sticky.hold != Hold::None || shared.overrides.remember.is_some() || shared.tells_in_cookie())
            && unsigned()
    }
}

impl Shared {
    /// Whether the rollout may have a cookie of its own.
    #[inline]
    pub(crate) fn keeps_cookie(&self) -> bool {
        self.sticky.hold.keeps_version() || self.overrides.remember.is_some() || self.tells_in_cookie()
    }
}
