//! The decision for one request: which rollout covers it, which version it gets, and why.

use crate::cookie::{Visitor, VisitorNumber, trim};
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

impl Decision<'_> {
    /// The version that serves the request.
    pub fn version(&self) -> Option<&Version> {
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
    let answer = |version, reason| Decision {
        rollout,
        index,
        version,
        reason,
        slot: None,
        write: None,
        override_ignored: false,
    };
    let shared = match &rollout.plan {
        Plan::Broken(_) => return Some(answer(VersionId(0), Reason::Broken)),
        Plan::Share(shared) => shared,
    };
    let request = Request { rules, rollout, shared, facts, today };
    Some(match request.override_version() {
        Override::Version(version) => answer(version, Reason::Override),
        Override::None => request.by_unit(answer(shared.stable, Reason::Slot), draw),
        Override::Ignored => {
            let open = Decision { override_ignored: true, ..answer(shared.stable, Reason::Slot) };
            request.by_unit(open, draw)
        }
    })
}

/// One request and the rollout that covers it.
struct Request<'a, 'r, S> {
    rules: &'r Rules,
    rollout: &'r Rollout,
    shared: &'r Shared,
    facts: &'a Facts<'r, S>,
    today: Day,
}

/// What a request says of its version itself.
enum Override {
    None,
    Version(VersionId),
    Ignored,
}

/// What keeps a request on its version.
enum Unit<'a> {
    Visitor(Visitor),
    Id(&'a [u8]),
}

impl<'a, 'r, S: Source> Request<'a, 'r, S> {
    /// Header, query, cookie: the first that names a version which is not off.
    fn override_version(&self) -> Override {
        let overrides = &self.shared.overrides;
        let mut outcome = Override::None;
        let header = || self.facts.header(overrides.header.as_ref()?.as_str()).map(trim);
        let query = || self.facts.query(overrides.query.as_ref()?);
        let cookie = || self.cookie(overrides.cookie.as_ref()?).find(|value| self.is_override(value));
        let sources: [&dyn Fn() -> Option<&'a [u8]>; 3] = [&header, &query, &cookie];
        for value in sources.iter().filter_map(|source| source()).filter(|value| !value.is_empty()) {
            match self.version_or_alias(value) {
                Some(version) => return Override::Version(version),
                None => outcome = Override::Ignored,
            }
        }
        outcome
    }

    /// The version that a value names, unless that version is off.
    fn version_or_alias(&self, value: &[u8]) -> Option<VersionId> {
        let alias = self.shared.overrides.aliases.iter().find(|(name, _)| name.as_bytes() == value);
        let version = alias.map(|(_, version)| *version).or_else(|| self.rollout.version_named(value))?;
        (!self.shared.versions.get(version.index())?.off).then_some(version)
    }

    /// Whether a cookie's value is meant as an override: the visitor cookie may have the same name.
    fn is_override(&self, value: &[u8]) -> bool {
        Visitor::from_value(value).is_none()
    }

    /// The last layer: the slot of the request's unit, or of a new visitor, or a draw.
    fn by_unit(&self, open: Decision<'r>, draw: impl FnOnce() -> u64) -> Decision<'r> {
        let sticky = &self.shared.sticky;
        if sticky.hold == Hold::None {
            return self.in_slot(open, Slot::from_bits(draw()), Reason::Random);
        }
        match self.unit() {
            Some(Unit::Id(id)) => self.in_slot(open, self.shared.key.slot(id), Reason::Slot),
            Some(Unit::Visitor(visitor)) => {
                let due = self.rules.cookie.as_ref().is_some_and(|cookie| cookie.is_due(visitor, self.today));
                let write = due.then_some(Visitor { issued: self.today, ..visitor });
                let slot = self.shared.key.slot(visitor.number.as_bytes());
                self.in_slot(Decision { write, ..open }, slot, Reason::Slot)
            }
            None => self.for_new_visitor(open, draw),
        }
    }

    /// The first answer is the stored answer: the new number decides, and exactly it goes into the cookie.
    fn for_new_visitor(&self, open: Decision<'r>, draw: impl FnOnce() -> u64) -> Decision<'r> {
        let stable_first = self.shared.sticky.first == First::Stable;
        if self.rules.cookie.is_none() {
            return if stable_first {
                Decision { reason: Reason::First, ..open }
            } else {
                self.in_slot(open, Slot::from_bits(draw()), Reason::Random)
            };
        }
        let number = VisitorNumber::from_bits(draw());
        let open = Decision { write: Some(Visitor { number, issued: self.today }), ..open };
        if stable_first {
            return Decision { reason: Reason::First, ..open };
        }
        self.in_slot(open, self.shared.key.slot(number.as_bytes()), Reason::Slot)
    }

    /// The version that owns the slot; stable where that version is off.
    fn in_slot(&self, open: Decision<'r>, slot: Slot, reason: Reason) -> Decision<'r> {
        let owner = self.shared.intervals.at(slot);
        let is_off = self.shared.versions.get(owner.index()).is_none_or(|version| version.off);
        let version = if is_off { self.shared.stable } else { owner };
        Decision { version, reason, slot: Some(slot), ..open }
    }

    fn unit(&self) -> Option<Unit<'a>> {
        match self.shared.sticky.prefer {
            Prefer::Visitor => self.visitor().map(Unit::Visitor).or_else(|| self.id().map(Unit::Id)),
            Prefer::Unit => self.id().map(Unit::Id).or_else(|| self.visitor().map(Unit::Visitor)),
        }
    }

    fn visitor(&self) -> Option<Visitor> {
        let cookie = self.rules.cookie.as_ref()?;
        cookie.read(self.cookies(), self.today)
    }

    /// The first id that is present and not empty.
    fn id(&self) -> Option<&'a [u8]> {
        self.shared.sticky.units.iter().find_map(|source| match source {
            UnitSource::Header(name) => self.facts.header(name.as_str()).map(trim).filter(|id| !id.is_empty()),
            UnitSource::Cookie(name) => self.cookie(name).find(|id| !id.is_empty()),
        })
    }

    fn cookie(&self, name: &'r str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'r, S> {
        crate::cookie::values(self.cookies(), name)
    }

    fn cookies(&self) -> &'a [u8] {
        let overrides = self.shared.overrides.cookie.as_deref();
        let visitor = self.rules.cookie.as_ref().map(|cookie| cookie.name.as_str());
        self.facts.cookies(|name| {
            let is = |ours: &str| ours.as_bytes() == name;
            let is_unit = |unit: &UnitSource| matches!(unit, UnitSource::Cookie(ours) if is(ours));
            overrides.is_some_and(is) || visitor.is_some_and(is) || self.shared.sticky.units.iter().any(is_unit)
        })
    }
}
