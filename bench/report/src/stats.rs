//! Medians and quartiles, and ratios round by round.

/// The middle of some numbers, and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The first quartile: a quarter of the numbers is lower.
    pub(crate) low: f64,
    pub(crate) median: f64,
    /// The third quartile.
    pub(crate) high: f64,
}

impl Spread {
    /// Of these numbers, quartiles interpolated between neighbours; `None` if there are none. What is not finite is left out.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Some(Self { low: at(0.25), median: at(0.5), high: at(0.75) })
    }

    /// The distance of the quartiles.
    pub(crate) fn width(&self) -> f64 {
        self.high - self.low
    }

    /// The same in another unit.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { low: self.low * factor, median: self.median * factor, high: self.high * factor }
    }
}

/// One number minus another in each round that both have.
pub(crate) fn differences(these: &[f64], those: &[f64]) -> Vec<f64> {
    these.iter().zip(those).map(|(this, that)| this - that).collect()
}

/// One cost over another in each round that both have. A round in which the other is not above nothing says nothing of it,
/// and is left out.
pub(crate) fn ratios(these: &[f64], those: &[f64]) -> Vec<f64> {
    these.iter().zip(those).filter(|(_, that)| **that > 0.0).map(|(this, that)| this / that).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_spread(values: &[f64], expected: Option<[f64; 3]>) {
        assert_eq!(Spread::of(values).map(|spread| [spread.low, spread.median, spread.high]), expected);
    }

    #[test]
    fn medians_and_quartiles() {
        check_spread(&[], None);
        check_spread(&[f64::NAN, f64::INFINITY], None);
        check_spread(&[3.0], Some([3.0, 3.0, 3.0]));
        check_spread(&[2.0, 1.0], Some([1.25, 1.5, 1.75]));
        check_spread(&[5.0, 1.0, 4.0, 2.0, 3.0], Some([2.0, 3.0, 4.0]));
        check_spread(&[4.0, f64::NAN, 1.0, 3.0, 2.0], Some([1.75, 2.5, 3.25]));
    }

    #[test]
    fn ratios_go_round_by_round() {
        assert_eq!(ratios(&[2.0, 9.0], &[1.0, 3.0]), [2.0, 3.0]);
        assert_eq!(ratios(&[2.0, 9.0, 1.0], &[1.0]), [2.0]);
        assert_eq!(ratios(&[2.0, 9.0, 1.0], &[0.0, 3.0, -1.0]), [3.0]);
        assert_eq!(differences(&[2.0, 9.0], &[1.0, 3.0]), [1.0, 6.0]);
    }
}
