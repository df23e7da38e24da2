//! Weights, and what they come to: who owns which slots.

use super::VersionId;
use crate::schedule::THOUSANDTHS;
use crate::slot::{Intervals, Share};

/// What weights come to: who owns which slots, and who has any weight at all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shares {
    pub(crate) intervals: Intervals,
    /// A bit for each version whose weight is not 0; stable's is what the others leave.
    pub(crate) weighted: u64,
}

impl Shares {
    /// What the weights of the versions other than stable come to.
    pub(crate) fn new(total: u32, stable: VersionId, others: &[Share]) -> Self {
        let sum: u64 = others.iter().map(|share| u64::from(share.weight)).sum();
        let of_stable = u64::from(sum < u64::from(total)) << stable.0;
        let of_others = others.iter().filter(|share| share.weight > 0).map(|share| share.version.bit());
        let weighted = of_others.fold(of_stable, |all, one| all | one);
        Self { intervals: Intervals::new(total, stable, others), weighted }
    }

    /// Whether a version has a weight.
    #[inline]
    pub(crate) fn has_weight(&self, version: VersionId) -> bool {
        self.weighted & version.bit() != 0
    }
}

/// The weights of a rollout or of one of its rules.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights {
    /// What they come to as the document has them.
    pub(crate) shares: Shares,
    /// Those of the versions other than stable, where a schedule changes one of them; else empty.
    pub(crate) claims: Vec<Share>,
}

impl Weights {
    /// What they come to with so many thousandths as the weight of `scheduled`; `None` where no schedule changes them.
    pub(crate) fn with(&self, total: u32, stable: VersionId, scheduled: VersionId, thousandths: u32) -> Option<Shares> {
        if self.claims.is_empty() {
            return None;
        }
        let weight = |share: &Share| if share.version == scheduled { thousandths } else { share.weight * THOUSANDTHS };
        let claims: Vec<Share> = self.claims.iter().map(|share| Share { weight: weight(share), ..*share }).collect();
        Some(Shares::new(total * THOUSANDTHS, stable, &claims))
    }
}
