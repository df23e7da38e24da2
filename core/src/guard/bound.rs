//! How sure failures make: the exact binomial tail and the bound of Clopper and Pearson (Biometrika 26, 1934).

/// The chance of so many failures or more among so many requests that fail with chance `share` each: P(X ≥ failures) for
/// X ~ B(requests, share).
///
/// Terms are summed relative to that of exactly `failures`, so nothing but products and quotients is needed, and no term is
/// subtracted: the relative error stays below 1e-12 for a million requests.
pub fn tail(failures: u32, requests: u32, share: f64) -> f64 {
    if failures == 0 || share >= 1.0 {
        return 1.0;
    }
    if failures > requests || share <= 0.0 {
        return 0.0;
    }
    let odds = share / (1.0 - share);
    let (k, n) = (f64::from(failures), f64::from(requests));
    let at_least = 1.0 + sum(|step| odds * (n - k - step + 1.0) / (k + step));
    let fewer = sum(|step| (k - step + 1.0) / (odds * (n - k + step)));
    // Only one of them can be infinite: from the likeliest number on both ways terms fall.
    if at_least.is_infinite() { 1.0 } else { at_least / (at_least + fewer) }
}

/// The share of failures that is surpassed but for this chance: the one-sided Clopper-Pearson lower bound at confidence
/// 1 − `chance`. 0 without failures.
pub fn lower_bound(failures: u32, requests: u32, chance: f64) -> f64 {
    if failures == 0 || failures > requests {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, f64::from(failures) / f64::from(requests));
    // Each step halves what is in doubt, down to the last bits of a number.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if tail(failures, requests, middle) < chance {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The products of the first ratios, the first two, the first three and so on, added up until they no longer matter.
fn sum(ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut term, mut step) = (0.0, 1.0, 0.0);
    loop {
        step += 1.0;
        let ratio = ratio(step);
        term *= ratio;
        sum += term;
        // Ratios fall from step to step, and the last one is 0.
        if ratio < 1.0 && term <= sum * f64::EPSILON / 16.0 || sum.is_infinite() {
            return sum;
        }
    }
}
