//! How often a guard is wrong, and how soon it is right: whole months of traffic, second by second.

#![allow(clippy::print_stdout, reason = "what was found is worth reading")]

mod common;

use common::{TODAY, rollout, rules};
use fastrand::Rng;
use serin_core::{Ledger, Rules, Tally, Time, Watchlist};

fn guarded() -> Rules {
    rules(&rollout(
        r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 100}}, "guard": {"max_percent": 5, "for": "1s"}"#,
    ))
}

/// Traffic to v2 with this many requests a minute by chance, each of which fails with this chance.
struct Traffic {
    rng: Rng,
    per_minute: f64,
    failing: f64,
    /// When the next request comes, in seconds.
    next: f64,
}

impl Traffic {
    fn new(seed: u64, per_minute: f64, failing: f64) -> Self {
        Self { rng: Rng::with_seed(seed), per_minute, failing, next: 0.0 }
    }

    /// What comes before this second.
    fn until(&mut self, second: f64) -> Tally {
        let mut tally = Tally::default();
        while self.next < second {
            // The times between requests that come by chance are distributed exponentially.
            self.next += -(1.0 - self.rng.f64()).ln() * 60.0 / self.per_minute;
            let failures = u32::from(self.rng.f64() < self.failing);
            tally.add(Tally { requests: 1, failures });
        }
        tally
    }
}

/// The trips in so many seconds; counting ends at `most`. For each the requests since the beginning.
fn trips(rules: &Rules, traffic: &mut Traffic, seconds: u32, most: usize) -> Vec<u64> {
    let list = Watchlist::new(rules);
    let rollout = rules.rollout(0).unwrap();
    let v2 = rollout.version_named(b"v2").unwrap();
    let identity = list.iter().find(|watched| watched.version == v2).unwrap().identity;
    let (mut ledger, mut trips, mut requests) = (Ledger::default(), Vec::new(), 0);
    for second in 1..=seconds {
        let now = Time::from_unix_seconds(TODAY + u64::from(second));
        let tally = traffic.until(second.into());
        requests += u64::from(tally.requests);
        if tally.requests > 0 {
            ledger.add(identity, rollout.guard().unwrap(), tally, now);
        }
        let changes = ledger.judge(rules, &list, now, &|_, _| true);
        trips.extend(
            changes
                .iter()
                .filter(|change| matches!(change.standing, serin_core::Standing::Out { .. }))
                .map(|_| requests),
        );
        if trips.len() >= most {
            break;
        }
    }
    trips
}

#[test]
fn a_version_within_its_bounds_is_left_alone_for_months() {
    const MONTH: u32 = 30 * 86_400;
    let rules = guarded();
    let mut all = 0;
    for seed in 0..10 {
        let by_rate = [1.0, 3.0, 10.0, 60.0, 600.0].map(|per_minute| {
            let mut traffic = Traffic::new(seed, per_minute, 0.01);
            (per_minute, trips(&rules, &mut traffic, MONTH, usize::MAX).len())
        });
        let sum: usize = by_rate.iter().map(|(_, trips)| trips).sum();
        assert!(sum <= 1, "seed {seed}: trips by requests a minute: {by_rate:?}");
        all += sum;
    }
    println!("1 % at five rates: {all} trips in ten months of each");
}

#[test]
fn a_version_that_fails_every_fifth_time_is_out_after_forty_requests() {
    let rules = guarded();
    for per_minute in [60_u32, 120, 600] {
        let of = |seed| trips(&rules, &mut Traffic::new(seed, per_minute.into(), 0.2), 3_600, 1)[0];
        let mut after: Vec<u64> = (0..401).map(of).collect();
        after.sort_unstable();
        println!(
            "20 % at {per_minute} a minute: out after a median of {} requests, at most {}",
            after[200], after[400]
        );
        // What comes between two ticks is only seen at the second.
        let of_a_tick = u64::from(per_minute / 60) - 1;
        assert!(after[200] <= 40 + of_a_tick, "{per_minute} a minute: a median of {} requests", after[200]);
    }
}
