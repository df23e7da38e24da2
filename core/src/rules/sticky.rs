//! What keeps a unit on its version.

use crate::header::HeaderName;

/// What keeps a unit on its version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sticky {
    /// Ids that requests carry; the first that is present and not empty counts.
    pub(crate) units: Vec<UnitSource>,
    pub(crate) prefer: Prefer,
    pub(crate) hold: Hold,
    pub(crate) at_zero: AtZero,
    pub(crate) first: First,
    pub(crate) cache: Cache,
}

impl Default for Sticky {
    fn default() -> Self {
        Self {
            units: Vec::new(),
            prefer: Prefer::Visitor,
            hold: Hold::Slot,
            at_zero: AtZero::Evict,
            first: First::Draw,
            cache: Cache::Cookie,
        }
    }
}

/// Where an id stands in a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UnitSource {
    Header(HeaderName),
    Cookie(String),
    Query(String),
    /// The downstream address.
    Address,
}

/// Which of visitor number and id wins where a request has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefer {
    Visitor,
    Unit,
}

/// What is kept of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// The visitor number alone, so that the version follows the weights.
    Slot,
    /// The version too.
    Version,
    /// The version, up to the next page.
    Page,
    /// Nothing: every request draws anew.
    None,
}

impl Hold {
    /// Whether a version is held.
    #[inline]
    pub(crate) fn keeps_version(self) -> bool {
        matches!(self, Self::Version | Self::Page)
    }
}

/// What becomes of the units that hold a version whose weight is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtZero {
    /// Their slot decides again.
    Evict,
    /// They keep it.
    Drain,
}

/// Who serves a unit that carries nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Whoever its new visitor number draws.
    Draw,
    /// Stable.
    Stable,
}

/// Which responses shared caches must not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Those that set a cookie of ours.
    Cookie,
    /// Those, and every one of a version other than stable.
    All,
}
