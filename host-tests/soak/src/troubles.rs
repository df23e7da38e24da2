//! Upstreams that die and come back: canaries again and again, stable seldom and for a moment.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use serin_envoy::{Behaviour, Upstreams};
use tokio::time::sleep;

use crate::load::locked;
use crate::timeline::{Failure, Timeline};

/// How often upstreams failed, by what it was and how.
pub(crate) type Troubles = BTreeMap<String, u64>;

/// In this order, with the shortest and the longest time in seconds. The first round has the shortest.
const TURNS: [(&str, Failure, [u64; 2]); 5] = [
    ("v2", Failure::Stops, [4, 25]),
    ("v3", Failure::Resets, [3, 10]),
    ("v3", Failure::Stops, [4, 25]),
    ("v2", Failure::Resets, [3, 10]),
    ("v1", Failure::Stops, [1, 2]),
];
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(6);

/// What each of them is called in a report.
pub(crate) fn kinds() -> impl Iterator<Item = String> {
    TURNS.into_iter().map(|(name, failure, _)| format!("{name} {failure}"))
}

/// Has upstreams fail until `end`, with all of them back by then, and counts how often each failed, by what it was and how.
///
/// # Errors
/// If an upstream cannot be started again.
pub(crate) async fn play(
    upstreams: &mut Upstreams,
    timeline: &Mutex<Timeline>,
    end: Instant,
    seed: u64,
    troubles: &mut Troubles,
) -> Result<()> {
    let mut random = Rng::with_seed(seed);
    loop {
        for (name, failure, [shortest, longest]) in TURNS {
            sleep(PAUSE.min(end.saturating_duration_since(Instant::now()))).await;
            let seconds = if troubles.len() < TURNS.len() { shortest } else { random.u64(shortest..=longest) };
            let lasts = Duration::from_secs(seconds);
            if Instant::now() + lasts >= end {
                return Ok(());
            }
            *troubles.entry(format!("{name} {failure}")).or_default() += 1;
            locked(timeline).fail(name, failure, Instant::now());
            match failure {
                Failure::Stops => upstreams.stop(name)?,
                Failure::Resets => upstreams.set(name, Behaviour::Resets)?,
            }
            sleep(lasts).await;
            match failure {
                Failure::Stops => upstreams.start_again(name).await?,
                Failure::Resets => upstreams.set(name, Behaviour::Answers)?,
            }
            locked(timeline).recover(name, Instant::now());
        }
    }
}
