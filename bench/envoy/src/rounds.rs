//! CPU per request of many contestants, in rounds.
//!
//! A machine is never the same for long: its clock, its neighbours and its caches change. So every contestant is measured
//! in every round, in an order that is drawn anew for each, and contestants are compared within rounds.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use hyper::Request;
use serin_bench::results::Series;
use serin_envoy::Running;

use crate::plan::Effort;
use crate::pump::Pump;
use crate::usage;

/// One contestant: a request to an Envoy.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    pub(crate) envoy: &'a Running,
    pub(crate) request: Request<()>,
}

/// CPU of the whole process per request in microseconds, by contestant, and how many requests each got in all.
///
/// # Errors
/// If a request fails, or the CPU cannot be read.
pub(crate) async fn cpu(
    title: &str,
    contestants: &[Contestant<'_>],
    effort: Effort,
) -> Result<BTreeMap<String, Series>> {
    let mut series: BTreeMap<String, Series> = BTreeMap::new();
    let mut pumps: Vec<Pump> = contestants.iter().map(|one| Pump::to(one.envoy.address(), CONNECTIONS)).collect();
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    let mut random = fastrand::Rng::with_seed(1);
    for round in 1..=effort.rounds {
        eprintln!("{title}: round {round} of {}", effort.rounds);
        random.shuffle(&mut order);
        for &index in &order {
            let (one, pump) = (&contestants[index], &mut pumps[index]);
            let spent = slice(one, pump, effort.requests).await.with_context(|| format!("{title}: {}", one.name))?;
            series.entry(one.name.clone()).or_default().0.push(spent);
        }
    }
    Ok(series)
}

/// How many requests each contestant gets in all.
pub(crate) fn requests(effort: Effort) -> u64 {
    u64::from(effort.rounds) * u64::from(warm_up(effort.requests) + effort.requests)
}

/// Since others ran before, the first requests find cold caches; they are not counted.
fn warm_up(requests: u32) -> u32 {
    requests / 10 + 1
}

async fn slice(one: &Contestant<'_>, pump: &mut Pump, requests: u32) -> Result<f64> {
    pump.send(&one.request, warm_up(requests)).await?;
    usage::settle().await;
    let before = usage::cpu(one.envoy.id())?;
    pump.send(&one.request, requests).await?;
    usage::settle().await;
    let spent = usage::cpu(one.envoy.id())?.checked_sub(before).context("a thread of Envoy has ended meanwhile")?;
    Ok(spent as f64 / f64::from(requests) / 1_000.0)
}

/// More than one, so that Envoy finds the next request waiting and does not go to sleep between any two.
const CONNECTIONS: u32 = 8;
