//! Slots, places and edges: which version owns which part of the units.
//!
//! Everything here is settled for ever: a change of a key, a hash or a rounding rule would move visitors. The formats are
//! spelled out byte for byte in `docs/formats.md`, with vectors that `core/tests/vectors.rs` checks.

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher13x128};
use std::hash::Hasher;

use crate::rules::VersionId;

/// The number of slots; one slot is 0.0001 % of the units.
pub const SLOTS: u32 = 1_000_000;

/// A unit's place in `0..SLOTS` for one rollout and release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    /// The slot with this number; `None` from [`SLOTS`] on.
    pub fn new(number: u32) -> Option<Self> {
        (number < SLOTS).then_some(Self(number))
    }

    /// The slot of 64 hashed or random bits: their upper half, multiplied and shifted down, so without a modulo's bias.
    #[inline]
    pub fn from_bits(bits: u64) -> Self {
        let scaled = ((bits >> 32) * u64::from(SLOTS)) >> 32;
        Self(u32::try_from(scaled).unwrap_or_default())
    }

    /// The slot's number, `0..SLOTS`.
    #[inline]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The hash key of one cohort and release: units fall into the same slots wherever both are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotKey([u8; 16]);

impl SlotKey {
    /// SipHash-1-3 with 128 bits of output and a zero key over `"serin1 slot\0" cohort "\0" release`.
    pub fn new(cohort: &str, release: &str) -> Self {
        let mut hasher = SipHasher13x128::new_with_keys(0, 0);
        hasher.write(b"serin1 slot\0");
        hasher.write(cohort.as_bytes());
        hasher.write(b"\0");
        hasher.write(release.as_bytes());
        Self(hasher.finish128().as_bytes())
    }

    /// The 16 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// SipHash-1-3 over a unit's bytes: its upper half makes the slot, its lowest 24 bits the mark.
    #[inline]
    pub fn hash(&self, unit: &[u8]) -> u64 {
        SipHasher13::new_with_key(&self.0).hash(unit)
    }

    /// The slot of a unit.
    #[inline]
    pub fn slot(&self, unit: &[u8]) -> Slot {
        Slot::from_bits(self.hash(unit))
    }
}

/// Where a version's interval lies: numbers from 0 are stacked up from slot 0 in their order, negative numbers down from
/// the top (−1 at the very top). `low` is 0 and `high` is −1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub(crate) i8);

impl Place {
    /// Grows up from slot 0.
    pub const LOW: Self = Self(0);
    /// Grows down from the top.
    pub const HIGH: Self = Self(-1);
}

/// One version's claim on the slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The version.
    pub version: VersionId,
    /// Its weight, out of the rollout's total.
    pub weight: u32,
    /// Its place; different from every other share's.
    pub place: Place,
}

/// The slots of a rollout, cut into one interval a version. Covers every slot exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// Ascending by end. The last end is [`SLOTS`].
    parts: Vec<Interval>,
    /// Owns the middle, and anything that `parts` should fail to cover.
    stable: VersionId,
}

/// A version and the first slot behind its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    end: u32,
    version: VersionId,
}

impl Intervals {
    /// Lays out the shares. Shares without weight have no interval.
    ///
    /// `total` is at least 1 and the weights add up to at most `total`; the document's reader has checked both.
    pub fn new(total: u32, stable: VersionId, shares: &[Share]) -> Self {
        // Inserted one by one: there are few, and a sort or a map would be some kilobytes of the module.
        let mut by_place: Vec<&Share> = Vec::with_capacity(shares.len());
        for share in shares.iter().filter(|share| share.weight > 0) {
            by_place.insert(by_place.partition_point(|earlier| earlier.place < share.place), share);
        }
        let (high, low) = by_place.split_at(by_place.partition_point(|share| share.place < Place::LOW));
        let mut parts = Vec::with_capacity(by_place.len() + 1);
        let mut below = 0;
        for share in low {
            below += u64::from(share.weight);
            parts.push(Interval { end: edge(below, total), version: share.version });
        }
        let mut above: u64 = high.iter().map(|share| u64::from(share.weight)).sum();
        parts.push(Interval { end: edge(u64::from(total).saturating_sub(above), total), version: stable });
        for share in high {
            above -= u64::from(share.weight);
            parts.push(Interval { end: edge(u64::from(total).saturating_sub(above), total), version: share.version });
        }
        Self { parts, stable }
    }

    /// The version that owns a slot.
    #[inline]
    pub fn at(&self, slot: Slot) -> VersionId {
        self.parts.iter().find(|part| slot.number() < part.end).map_or(self.stable, |part| part.version)
    }

    /// The parts in their order: the slot behind each, and the version that owns it.
    #[cfg(feature = "tools")]
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u32, VersionId)> {
        self.parts.iter().map(|part| (part.end, part.version))
    }

    /// The first slot of the interval that a slot lies in, and the one behind its last.
    #[cfg(feature = "tools")]
    pub(crate) fn around(&self, slot: Slot) -> (u32, u32) {
        let mut start = 0;
        for part in &self.parts {
            if slot.number() < part.end {
                return (start, part.end);
            }
            start = part.end;
        }
        (start, SLOTS)
    }

    /// How many slots a version owns.
    pub fn width(&self, version: VersionId) -> u32 {
        let starts = std::iter::once(0).chain(self.parts.iter().map(|part| part.end));
        self.parts
            .iter()
            .zip(starts)
            .filter(|(part, _)| part.version == version)
            .map(|(part, start)| part.end - start)
            .sum()
    }
}

/// `round(weight · SLOTS / total)`, halves up: a cumulative weight as an edge between slots, rounded once.
fn edge(weight: u64, total: u32) -> u32 {
    let total = u64::from(total.max(1));
    let rounded = (2 * weight * u64::from(SLOTS) + total) / (2 * total);
    u32::try_from(rounded).unwrap_or(SLOTS).min(SLOTS)
}
