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
mod faults;
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

use anyhow::Result;
use serde_json::{Value, json};
use serin_envoy::{Setup, Upstreams};
use tokio::time::{sleep, timeout};

use load::{Finds, Load};
use plan::{Kind, Plan};
use pushes::Pusher;
use readings::Reading;
use report::Found;
use timeline::{Document, Timeline};
use troubles::Troubles;

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
/// What every worker has done once before memory is looked at.
const WARM_UP: [Kind; 3] = [Kind::Huge, Kind::TooLong, Kind::BadRollout];
/// What memory is looked at after, at the start and at the end: the most that it takes, and what is left of that. Both long
/// ones, since what is left depends on the one before, too.
const LOOK: [Kind; 3] = [Kind::TooLong, Kind::Huge, Kind::Weights];

/// An Envoy that breaks a connection may be about to end.
const LAST: Duration = Duration::from_secs(1);

/// Runs it, and tells what was found; also if Envoy ends by itself or takes up a push not at all, which ends the run.
///
/// # Errors
/// If Envoy cannot be started.
pub async fn run(options: &Options) -> Result<Report> {
    let mut upstreams = Upstreams::start(&UPSTREAMS).await?;
    let plan = Plan::new(options.seed);
    let first = plan.first();
    let setup = Setup::new(&options.envoy, &options.module).workers(WORKERS).manager(access_log());
    let timeline = Arc::new(Mutex::new(Timeline::new(Document::new(&first, None)?)));
    let envoy = setup.start(&upstreams, first.configuration).await?;
    let pusher = Pusher::new(envoy, &timeline, WORKERS).await?;
    let load = Load::start(pusher.envoy().address(), &timeline, options.seed);
    let mut broken = Finds::default();
    let (readings, troubles) = Default::default();
    let mut soak = Soak { plan, pusher, load, timeline, started: Instant::now(), readings, troubles };
    if let Err(error) = soak.play(&mut upstreams, options).await {
        let ended = timeout(LAST, soak.pusher.envoy().ended()).await;
        broken.add(|| ended.map_or_else(|_| format!("{error:#}"), |ended| format!("{error}: {ended:#}")));
    }
    let took = soak.started.elapsed();
    let tally = soak.load.stop(&mut broken).await;
    let log = soak.pusher.envoy().log().unwrap_or_else(|error| {
        broken.add(|| format!("{error:#}"));
        String::new()
    });
    let found = Found { took, tally, troubles: soak.troubles, readings: soak.readings, broken };
    Ok(Report::new(options, found, &soak.pusher, &log))
}

/// A run.
struct Soak {
    plan: Plan,
    pusher: Pusher,
    load: Load,
    timeline: Arc<Mutex<Timeline>>,
    started: Instant,
    readings: Vec<Reading>,
    troubles: Troubles,
}

impl Soak {
    async fn play(&mut self, upstreams: &mut Upstreams, options: &Options) -> Result<()> {
        for kind in WARM_UP {
            self.pusher.push(self.plan.next(Some(kind))).await?;
        }
        self.started = Instant::now();
        self.look().await?;
        let end = Instant::now() + options.time;
        let (timeline, mut died) = (Arc::clone(&self.timeline), Troubles::new());
        let dying = troubles::play(upstreams, &timeline, end, options.seed, &mut died);
        let played = tokio::try_join!(self.push_until(end), dying);
        self.troubles = died;
        played?;
        self.look().await
    }

    async fn push_until(&mut self, end: Instant) -> Result<()> {
        let mut next = Instant::now();
        while next < end {
            sleep(next.saturating_duration_since(Instant::now())).await;
            self.push(None).await?;
            next = (next + PERIOD).max(Instant::now());
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<()> {
        for kind in LOOK {
            self.push(Some(kind)).await?;
        }
        Ok(())
    }

    /// The next push, of this kind or of whichever comes next, and a reading after it.
    async fn push(&mut self, kind: Option<Kind>) -> Result<()> {
        let push = self.plan.next(kind);
        let kind = push.kind;
        self.pusher.push(push).await?;
        let reading = Reading::take(self.pusher.envoy(), &self.load, self.started, kind);
        self.readings.push(reading.await?);
        Ok(())
    }
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
