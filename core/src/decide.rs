//! The decision for one request: which rollout covers it, which version it gets, and why.

use std::cell::Cell;

use crate::cookie::{Visitor, VisitorNumber, is_clean, trim};
use crate::facts::{Day, Facts, Source};
use crate::rules::{First, Hold, Plan, Prefer, Rollout, Rules, Shared, UnitSource, Version, VersionId};
use crate::slot::Slot;

/// The outcome for one request.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'r> {
    /// The rollout that covers the request.
    pub rollout: &'r Rollout,
    /// Its index in [`Rules::rollouts`].
    pub index: usize,
    /// The version that serves the request.
    pub version: VersionId,
    /// Which layer decided.
    pub reason: Reason,
    /// The slot, where one was worked out.
    pub slot: Option<Slot>,
    /// The visitor cookie to write, if it is new or due.
    pub write: Option<Visitor>,
    /// Whether the request named a version that does not exist or is off.
    pub override_ignored: bool,
}

impl<'r> Decision<'r> {
    /// The version that serves the request.
    pub fn version(&self) -> Option<&'r Version> {
        self.rollout.version(self.version)
    }

    /// Whether stable serves the request.
    #[inline]
    pub fn is_stable(&self) -> bool {
        match &self.rollout.plan {
            Plan::Broken(_) => true,
            Plan::Share(shared) => self.version == shared.stable,
        }
    }
}

/// Which layer decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request named its version.
    Override,
    /// The slot of its unit.
    Slot,
    /// A draw for this request alone.
    Random,
    /// `first: stable`, for a unit that carries nothing yet.
    First,
    /// The rollout's document is wrong and there is no earlier form of it.
    Broken,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Override, Self::Slot, Self::Random, Self::First, Self::Broken];

    /// The name, as headers and metrics show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Slot => "slot",
            Self::Random => "random",
            Self::First => "first",
            Self::Broken => "broken",
        }
    }

    /// Its index in [`Reason::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Decides for one request; `None` if no rollout covers it.
///
/// `today` is used to judge and write cookies. `draw` gives 64 random bits and is called at most once.
///
/// Total: whatever the request holds, there is an answer, and where in doubt it is stable.
pub fn decide<'r, S: Source>(
    rules: &'r Rules,
    facts: &Facts<'r, S>,
    today: Day,
    draw: impl FnOnce() -> u64,
) -> Option<Decision<'r>> {
    let index = rules.cover.find(facts)?;
    let rollout = rules.rollouts.get(index)?;
    let ignored = Cell::new(false);
    let answer = match &rollout.plan {
        Plan::Broken(_) => Answer::new(VersionId(0), Reason::Broken),
        Plan::Share(shared) => {
            let request = Request { rules, rollout, shared, facts, today };
            match request.override_version(&ignored) {
                Some(version) => Answer::new(version, Reason::Override),
                None => request.by_unit(draw),
            }
        }
    };
    let Answer { version, reason, slot, write } = answer;
    Some(Decision { rollout, index, version, reason, slot, write, override_ignored: ignored.get() })
}

/// What a layer answers.
struct Answer {
    version: VersionId,
    reason: Reason,
    slot: Option<Slot>,
    write: Option<Visitor>,
}

impl Answer {
    fn new(version: VersionId, reason: Reason) -> Self {
        Self { version, reason, slot: None, write: None }
    }
}

/// One request and the rollout that covers it.
struct Request<'a, 'r, S> {
    rules: &'r Rules,
    rollout: &'r Rollout,
    shared: &'r Shared,
    facts: &'a Facts<'r, S>,
    today: Day,
}

/// What keeps a request on its version.
enum Unit<'a> {
    Visitor(Visitor),
    Id(&'a [u8]),
}

impl<'a, 'r, S: Source> Request<'a, 'r, S> {
    /// Header, query, cookie: the first value that names a version which is not off.
    fn override_version(&self, ignored: &Cell<bool>) -> Option<VersionId> {
        let overrides = &self.shared.overrides;
        let named = |value: &[u8]| {
            let version = self.version_or_alias(value);
            ignored.set(ignored.get() || (version.is_none() && !value.is_empty()));
            version
        };
        let header = || named(trim(self.facts.header(overrides.header.as_ref()?.as_str())?));
        let query = || self.facts.query(overrides.query.as_ref()?).find_map(named);
        // The visitor cookie may have the name of the override cookie.
        let override_cookie = |value| if Visitor::from_value(value).is_some() { None } else { named(value) };
        header().or_else(query).or_else(|| self.cookie(overrides.cookie.as_ref()?, override_cookie))
    }

    /// The version that a value names, unless that version is off.
    fn version_or_alias(&self, value: &[u8]) -> Option<VersionId> {
        let aliases = &self.shared.overrides.aliases;
        let alias = aliases.binary_search_by(|(name, _)| name.as_bytes().cmp(value)).ok();
        let alias = alias.and_then(|at| aliases.get(at)).map(|(_, version)| *version);
        let version = alias.or_else(|| self.rollout.version_named(value))?;
        (!self.shared.versions.get(version.index())?.off).then_some(version)
    }

    /// The last layer: the slot of the request's unit, or of a new visitor, or a draw.
    fn by_unit(&self, draw: impl FnOnce() -> u64) -> Answer {
        if self.shared.sticky.hold == Hold::None {
            return self.in_slot(Slot::from_bits(draw()), Reason::Random);
        }
        match self.unit() {
            Some(Unit::Id(id)) => self.in_slot(self.shared.key.slot(id), Reason::Slot),
            Some(Unit::Visitor(visitor)) => {
                let due = self.rules.cookie.as_ref().is_some_and(|cookie| cookie.is_due(visitor, self.today));
                let write = due.then_some(Visitor { issued: self.today, ..visitor });
                Answer { write, ..self.in_slot(self.shared.key.slot(visitor.number.as_bytes()), Reason::Slot) }
            }
            None => self.for_new_visitor(draw),
        }
    }

    /// The first answer is the stored answer: the new number decides, and exactly it goes into the cookie.
    fn for_new_visitor(&self, draw: impl FnOnce() -> u64) -> Answer {
        let stable_first = self.shared.sticky.first == First::Stable;
        let keeps_number = self.rules.cookie.is_some();
        if !keeps_number && !stable_first {
            return self.in_slot(Slot::from_bits(draw()), Reason::Random);
        }
        let number = VisitorNumber::from_bits(draw());
        let write = keeps_number.then_some(Visitor { number, issued: self.today });
        let answer = if stable_first {
            Answer::new(self.shared.stable, Reason::First)
        } else {
            self.in_slot(self.shared.key.slot(number.as_bytes()), Reason::Slot)
        };
        Answer { write, ..answer }
    }

    /// The version that owns the slot; stable where that version is off.
    fn in_slot(&self, slot: Slot, reason: Reason) -> Answer {
        let owner = self.shared.intervals.at(slot);
        let is_off = self.shared.versions.get(owner.index()).is_none_or(|version| version.off);
        let version = if is_off { self.shared.stable } else { owner };
        Answer { slot: Some(slot), ..Answer::new(version, reason) }
    }

    fn unit(&self) -> Option<Unit<'a>> {
        match self.shared.sticky.prefer {
            Prefer::Visitor => self.visitor().map(Unit::Visitor).or_else(|| self.id().map(Unit::Id)),
            Prefer::Unit => self.id().map(Unit::Id).or_else(|| self.visitor().map(Unit::Visitor)),
        }
    }

    fn visitor(&self) -> Option<Visitor> {
        let cookie = self.rules.cookie.as_ref()?;
        self.facts.in_cookies(|line| cookie.read(line, self.today), |name| self.is_ours(name))
    }

    /// The first id that is present and not empty.
    fn id(&self) -> Option<&'a [u8]> {
        self.shared.sticky.units.iter().find_map(|source| match source {
            UnitSource::Header(name) => self.facts.header(name.as_str()).map(trim).filter(|id| !id.is_empty()),
            UnitSource::Cookie(name) => self.cookie(name, |id| (!id.is_empty()).then_some(id)),
        })
    }

    /// What the first cookie of this name that `wanted` takes comes to.
    fn cookie<T>(&self, name: &str, wanted: impl Fn(&'a [u8]) -> Option<T>) -> Option<T> {
        let find = |line| crate::cookie::values(line, name).filter(|value| is_clean(value)).find_map(&wanted);
        self.facts.in_cookies(find, |name| self.is_ours(name))
    }

    /// Whether a cookie means anything to this rollout.
    fn is_ours(&self, name: &[u8]) -> bool {
        let is = |ours: &str| ours.as_bytes() == name;
        let is_unit = |unit: &UnitSource| matches!(unit, UnitSource::Cookie(ours) if is(ours));
        self.shared.overrides.cookie.as_deref().is_some_and(is)
            || self.rules.cookie.as_ref().is_some_and(|cookie| is(&cookie.name))
            || self.shared.sticky.units.iter().any(is_unit)
    }
}
