//! What a client sees: how many requests a second there can be, and how long they take at a rate that all can bear.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use hyper::Request;
use serin_bench::results;
use serin_envoy::Connection;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::plan::Load;
use crate::pump::{self, Pump};
use crate::rounds::Contestant;

/// Connections of the client, for each worker of Envoy.
const CONNECTIONS: u32 = 16;
/// The fixed rate, as a part of what the slowest contestant can bear.
const PART: f64 = 0.55;

/// Throughput and latency of all contestants, by name.
///
/// # Errors
/// If a request fails.
pub(crate) async fn measure(
    workers: u32,
    contestants: &[Contestant<'_>],
    plan: &Load,
) -> Result<BTreeMap<String, results::Load>> {
    let mut loads: BTreeMap<String, results::Load> = BTreeMap::new();
    let mut order: Vec<&Contestant<'_>> = contestants.iter().collect();
    let mut random = fastrand::Rng::with_seed(2);
    for round in 1..=plan.rounds {
        eprintln!("load on {workers} workers: saturation, round {round} of {}", plan.rounds);
        random.shuffle(&mut order);
        for one in &order {
            let mut pump = Pump::to(one.envoy.address(), CONNECTIONS * workers);
            pump.send_for(&one.request, plan.saturated / 10).await?;
            let started = Instant::now();
            let answers = pump.send_for(&one.request, plan.saturated).await.with_context(|| one.name.clone())?;
            let rate = answers as f64 / started.elapsed().as_secs_f64();
            loads.entry(one.name.clone()).or_default().saturated.0.push(rate);
        }
    }
    let rate = PART * loads.values().map(|load| median(&load.saturated.0)).fold(f64::INFINITY, f64::min);
    for round in 1..=plan.rounds {
        eprintln!("load on {workers} workers: {rate:.0} requests a second, round {round} of {}", plan.rounds);
        random.shuffle(&mut order);
        for one in &order {
            let times = paced(one, CONNECTIONS * workers, rate, plan.paced).await.with_context(|| one.name.clone())?;
            let load = loads.entry(one.name.clone()).or_default();
            load.rate = rate;
            load.p50.0.push(times.value_at_quantile(0.5) as f64 / 1_000.0);
            load.p99.0.push(times.value_at_quantile(0.99) as f64 / 1_000.0);
        }
    }
    Ok(loads)
}

/// Sends requests at a fixed rate, whether or not earlier ones are answered, and returns how many nanoseconds each took from
/// the moment at which it was due: one that had to wait for a free connection has waited for Envoy.
async fn paced(one: &Contestant<'_>, connections: u32, rate: f64, time: Duration) -> Result<Histogram<u64>> {
    let (due, dues) = mpsc::unbounded_channel();
    let dues = Arc::new(Mutex::new(dues));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::to(one.envoy.address());
        pump::send(&mut connection, &one.request).await?;
        tasks.spawn(answer_dues(connection, one.request.clone(), Arc::clone(&dues)));
    }
    // A timer of the runtime would be up to a millisecond late.
    let pacer = std::thread::spawn(move || pace(rate, time, &due));
    let mut all = Histogram::new(3)?;
    while let Some(times) = tasks.join_next().await {
        all.add(times??)?;
    }
    pacer.join().ok().context("the thread that paces requests ended")?;
    Ok(all)
}

type Dues = Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>;

async fn answer_dues(mut connection: Connection, request: Request<()>, dues: Dues) -> Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    loop {
        let due = dues.lock().await.recv().await;
        let Some(due) = due else { return Ok(times) };
        pump::send(&mut connection, &request).await?;
        times.record(u64::try_from(due.elapsed().as_nanos())?)?;
    }
}

fn pace(rate: f64, time: Duration, due: &mpsc::UnboundedSender<Instant>) {
    // By default the kernel lets a thread sleep some 50 µs too long. Where it does not let itself be told, latencies of all
    // contestants are longer by that.
    #[cfg(target_os = "linux")]
    rustix::thread::set_current_timer_slack(Some(std::num::NonZeroU64::MIN)).ok();
    let start = Instant::now();
    let moments = (0_u32..).map(|n| Duration::from_secs_f64(f64::from(n) / rate)).take_while(|moment| *moment < time);
    for moment in moments {
        std::thread::sleep(moment.saturating_sub(start.elapsed()));
        if due.send(start + moment).is_err() {
            // The requests have failed, and whoever waits for them tells why.
            return;
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
