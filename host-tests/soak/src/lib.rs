//! A real Envoy under load for as long as one likes, while documents are pushed every second and upstreams die and come back;
//! and a judge of every answer.
//!
//! ```text
//! plan ──push→ Envoy ←──requests── load ──answers→ judge → tally ┐
//!   └──────────documents in force──→ timeline ──────↑            ├→ report
//! troubles ────upstreams that are down──↑      readings ─────────┘
//! ```
//!
//! `cargo xtask soak` runs it. What the plan pushes, what was in force when, and what an answer had to be then is pure, and has
//! its own tests, in which the judge is shown mistakes.

#![forbid(unsafe_code)]

mod client;
mod judge;
mod load;
mod plan;
mod pushes;
mod readings;
mod report;
mod scene;
mod timeline;
mod troubles;
mod visitor;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Setup, Upstreams};
use tokio::time::sleep;

use load::Load;
use plan::{Kind, Plan};
use pushes::Pusher;
use readings::Reading;
use timeline::{Document, Timeline};

pub use report::Report;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The executable of Envoy.
    pub envoy: PathBuf,
    /// The filter.
    pub module: PathBuf,
    /// For how long.
    pub time: Duration,
    /// What pushes and troubles are drawn by.
    pub seed: u64,
}

/// Envoy's workers.
const WORKERS: u32 = 2;
/// From one push to the next.
const PERIOD: Duration = Duration::from_secs(1);
/// The upstreams. The last one shows which document is in force, and never fails.
const UPSTREAMS: [&str; 4] = ["v1", "v2", "v3", "beacon"];
/// What every worker has done once before memory is looked at: the longest document, twice.
const WARM_UP: [Kind; 4] = [Kind::Huge, Kind::TooLong, Kind::BadRollout, Kind::Huge];
/// Visitors that are under way may see what comes last.
const LAST: Duration = Duration::from_secs(1);

/// Runs it, and tells what was found.
///
/// # Errors
/// If Envoy cannot be started, ends by itself, or takes up a push not at all.
pub async fn run(options: &Options) -> Result<Report> {
    let upstreams = Upstreams::start(&UPSTREAMS).await?;
    let mut plan = Plan::new(options.seed);
    let first = plan.first();
    let setup = Setup::new(&options.envoy, &options.module).workers(WORKERS).manager(access_log());
    let timeline = Arc::new(Mutex::new(Timeline::new(Document::new(&first, None)?)));
    let envoy = setup.start(&upstreams, first.configuration).await?;
    let mut pusher = Pusher::new(envoy, &timeline, WORKERS).await?;
    let load = Load::start(pusher.envoy().address(), &timeline, options.seed);
    for kind in WARM_UP {
        pusher.push(plan.next(Some(kind))).await?;
    }
    let started = Instant::now();
    let end = started + options.time;
    let troubles = tokio::spawn(troubles::play(upstreams, Arc::clone(&timeline), end, options.seed));
    let mut readings = vec![Reading::take(pusher.envoy(), &load, started).await?];
    let mut next = Instant::now();
    while next < end {
        sleep(next.saturating_duration_since(Instant::now())).await;
        pusher.push(plan.next(None)).await?;
        readings.push(Reading::take(pusher.envoy(), &load, started).await?);
        next = (next + PERIOD).max(Instant::now());
    }
    // They serve until the last visitor is answered.
    let (_upstreams, troubles) = troubles.await.context("the task of the upstreams broke down")??;
    sleep(LAST).await;
    readings.push(Reading::take(pusher.envoy(), &load, started).await?);
    let took = started.elapsed();
    let tally = load.stop().await?;
    let log = pusher.envoy().log()?;
    Ok(Report::new(options, took, tally, troubles, &pusher, readings, &log))
}

/// All that failed, and a part of everything else: what a machine writes of millions of requests fills its disk.
fn access_log() -> Value {
    let failed = json!({"comparison": {"op": "GE", "value": {"default_value": 400, "runtime_key": "soak.failed"}}});
    let sampled = json!({"runtime_key": "soak.sampled", "percent_sampled": {"numerator": 1, "denominator": "HUNDRED"}});
    let filter = json!({"or_filter": {"filters": [{"status_code_filter": failed}, {"runtime_filter": sampled}]}});
    let line = "[%START_TIME%] %REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_FLAGS% cluster=%UPSTREAM_CLUSTER% \
                decision=%FILTER_STATE(wasm.serin:PLAIN)%\n";
    let typed_config = json!({"log_format": {"text_format_source": {"inline_string": line}}});
    json!({"access_log": [{"name": "envoy.access_loggers.file", "filter": filter, "typed_config": typed_config}]})
}
