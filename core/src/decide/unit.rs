//! The last layers: what the request's unit holds, and its slot; or a draw.

use std::net::IpAddr;

use super::{Answer, Reason, Request};
use crate::cookie::{Kept, Mark, Visitor, VisitorNumber, trim};
use crate::facts::Source;
use crate::rules::{AtZero, First, Hold, Prefer, Shares, Split, UnitSource, VersionId};
use crate::slot::Slot;

/// What keeps a request on its version.
pub(super) enum Unit<'a> {
    Visitor(Visitor),
    Id(&'a [u8]),
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Unit<'_> {
    /// What is hashed of it.
    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Visitor(visitor) => visitor.number.as_bytes(),
            Self::Id(id) => id,
            Self::V4(octets) => octets,
            Self::V6(octets) => octets,
        }
    }
}

impl<'r, S: Source> Request<'_, 'r, S> {
    /// By the version that the unit holds, or its slot; for a new visitor by the slot it gets; or by a draw.
    #[inline]
    pub(super) fn by_unit(&self, shares: &Shares, kept: Option<&Kept>, draw: impl FnOnce() -> u64) -> Answer {
        if self.shared.sticky.hold == Hold::None {
            return self.in_slot(shares, kept, Slot::from_bits(draw()), Reason::Random);
        }
        let today = self.now.day();
        let cookie = self.rules.cookie.as_ref();
        let known = self.unit();
        let (unit, write) = match known {
            Some(Unit::Visitor(visitor)) => {
                let due = cookie.is_some_and(|cookie| cookie.is_due(visitor.issued, today));
                (Unit::Visitor(visitor), due.then_some(Visitor { issued: today, ..visitor }))
            }
            Some(unit) => (unit, None),
            // The first answer is the stored answer: the new number decides, and exactly it goes into the cookie.
            None if cookie.is_some() => {
                let visitor = Visitor { number: VisitorNumber::from_bits(draw()), issued: today };
                if self.shared.sticky.first == First::Stable {
                    return Answer { visitor: Some(visitor), ..Answer::new(self.shared.stable, Reason::First) };
                }
                (Unit::Visitor(visitor), Some(visitor))
            }
            None if self.shared.sticky.first == First::Stable => {
                return Answer::new(self.shared.stable, Reason::First);
            }
            None => return self.in_slot(shares, kept, Slot::from_bits(draw()), Reason::Random),
        };
        let hash = self.shared.key.hash(unit.as_bytes());
        let slot = Slot::from_bits(hash);
        let answer = if self.shared.sticky.hold.keeps_version() {
            self.holding(Mark::from_hash(hash), slot, shares, kept)
        } else {
            self.in_slot(shares, kept, slot, Reason::Slot)
        };
        Answer { visitor: write, ..answer }
    }

    /// By the version that the unit holds, or by its slot, which it then holds.
    fn holding(&self, mark: Mark, slot: Slot, shares: &Shares, kept: Option<&Kept>) -> Answer {
        let held = kept.and_then(|kept| kept.held).filter(|(of, _)| *of == mark).map(|(_, version)| version);
        let counts = |version: &VersionId| self.is_open(*version) && self.keeps_its_units(*version, shares);
        let follows = || self.shared.sticky.hold == Hold::Version || !self.is_navigation();
        if let Some(version) = held.filter(counts).filter(|_| follows()) {
            if let Some(reason) = self.barred(version, kept, Some(slot)) {
                return Answer { slot: Some(slot), ..self.in_its_place(version, reason) };
            }
            return Answer { slot: Some(slot), hold: Some((mark, version)), ..Answer::new(version, Reason::Held) };
        }
        let answer = match self.shared.ways.split {
            Split::Route => Answer { slot: Some(slot), ..self.by_route(kept, slot) },
            Split::Filter | Split::Native => self.in_slot(shares, kept, slot, Reason::Slot),
        };
        // Who gets stable in place of another version does not hold it.
        let keeps = !matches!(answer.reason, Reason::Guard | Reason::Missing);
        Answer { hold: answer.version.filter(|_| keeps).map(|version| (mark, version)), ..answer }
    }

    pub(super) fn keeps_its_units(&self, version: VersionId, shares: &Shares) -> bool {
        let drains = self.shared.sticky.at_zero == AtZero::Drain;
        drains || self.shared.ways.split == Split::Route || shares.has_weight(version)
    }

    /// The version whose cluster the route's own weights have chosen.
    ///
    /// With a client's copy of one of our headers that choice may not have been made by weights, so nothing is learned from
    /// it; nor from a cluster that belongs to no version.
    fn by_route(&self, kept: Option<&Kept>, slot: Slot) -> Answer {
        match self.chosen_by_route() {
            None => Answer { version: None, ..Answer::new(self.shared.stable, Reason::Route) },
            Some(version) if self.is_open(version) => match self.barred(version, kept, Some(slot)) {
                None => Answer::new(version, Reason::Route),
                Some(reason) => self.in_its_place(version, reason),
            },
            Some(_) => Answer::new(self.shared.stable, Reason::Route),
        }
    }

    /// The version whose cluster the route has chosen, if that is known and its weights have.
    pub(super) fn chosen_by_route(&self) -> Option<VersionId> {
        let outputs = self.rules.outputs.on_request.iter().map(|output| &output.name);
        if outputs.chain(&self.rules.stripped).any(|name| self.facts.header(name.as_str()).is_some()) {
            return None;
        }
        let cluster = self.facts.cluster_name()?;
        let is_it =
            |version: &crate::rules::Version| version.cluster.as_deref().is_some_and(|c| c.as_bytes() == cluster);
        let at = self.shared.versions.iter().position(is_it)?;
        u8::try_from(at).ok().map(VersionId)
    }

    /// Stable, in the place of a version that gets no traffic.
    #[cold]
    fn in_its_place(&self, version: VersionId, reason: Reason) -> Answer {
        Answer { instead_of: Some(version), ..Answer::new(self.shared.stable, reason) }
    }

    /// The version that owns the slot; stable where that version is off or gets no traffic; unknown where the route owns the
    /// slots.
    #[inline(always)]
    fn in_slot(&self, shares: &Shares, kept: Option<&Kept>, slot: Slot, reason: Reason) -> Answer {
        let owner = shares.intervals.at(slot);
        let version = if self.is_open(owner) { owner } else { self.shared.stable };
        if let Some(reason) = self.barred(version, kept, Some(slot)) {
            return Answer { slot: Some(slot), ..self.in_its_place(version, reason) };
        }
        let known = self.shared.ways.split != Split::Native;
        Answer { slot: Some(slot), version: known.then_some(version), ..Answer::new(version, reason) }
    }

    #[inline]
    pub(super) fn unit(&self) -> Option<Unit<'_>> {
        match self.shared.sticky.prefer {
            Prefer::Visitor => self.visitor().map(Unit::Visitor).or_else(|| self.id()),
            Prefer::Unit => self.id().or_else(|| self.visitor().map(Unit::Visitor)),
        }
    }

    #[inline]
    pub(super) fn visitor(&self) -> Option<Visitor> {
        let cookie = self.rules.cookie.as_ref()?;
        let today = self.now.day();
        self.facts.in_cookies(|line| cookie.read(line, today), |name| self.is_ours(name))
    }

    /// The first id that is present and not empty.
    fn id(&self) -> Option<Unit<'_>> {
        self.shared.sticky.units.iter().find_map(|source| self.id_of(source))
    }

    #[inline(always)]
    pub(super) fn id_of(&self, source: &'r UnitSource) -> Option<Unit<'_>> {
        let present = |id: &&[u8]| !id.is_empty();
        match source {
            UnitSource::Header(name) => self.facts.header(name.as_str()).map(trim).filter(present).map(Unit::Id),
            UnitSource::Cookie(name) => self.cookie(name, |id| Some(id).filter(present)).map(Unit::Id),
            UnitSource::Query(name) => self.facts.query(name).find(present).map(Unit::Id),
            UnitSource::Address => self.facts.source_address().map(|address| match address {
                IpAddr::V4(address) => Unit::V4(address.octets()),
                IpAddr::V6(address) => Unit::V6(address.octets()),
            }),
        }
    }

    /// Whether the request is for a page and not for a part of one.
    ///
    /// Fetch Metadata (`sec-fetch-dest`, W3C) says so; without it a client that accepts HTML counts as one that shows
    /// pages. What is fetched in advance (`sec-purpose`, `purpose`) may never be shown.
    pub(super) fn is_navigation(&self) -> bool {
        let contains = |name: &'static str, text: &[u8]| {
            self.facts.header(name).is_some_and(|value| value.windows(text.len()).any(|part| part == text))
        };
        let page = match self.facts.header("sec-fetch-dest") {
            Some(destination) => destination == b"document",
            None => contains("accept", b"text/html"),
        };
        page && !contains("sec-purpose", b"prefetch") && !contains("purpose", b"prefetch")
    }
}
