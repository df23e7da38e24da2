//! `cargo xtask trial`: what `docker compose up` starts in `manifests/docker-compose`, without Docker and without Grafana.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serin_trial::{Prometheus, Trial};
use tokio::runtime::Runtime;

use crate::envoy_binary;
use crate::programs::{self, Programs};
use crate::progress::Progress;
use crate::shell::quoted;
use crate::signals::Signals;
use crate::wasm;

/// Options of `cargo xtask trial`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Visitors, who keep their cookies and come again and again.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    visitors: u32,
}

/// Runs the trial until Ctrl-C. All that it has started is gone when this returns.
///
/// # Errors
/// If something cannot be built or started, or if Envoy ends by itself.
pub(crate) fn run(args: &Args) -> Result<()> {
    let progress = Progress::new();
    let module = wasm::build(&progress)?;
    let envoy = envoy_binary::locate(None, &progress)?;
    let found = Programs::find(&[programs::NGINX, programs::PROMETHEUS], &progress)?;
    let nginx = found.path("NGINX").context("the shop is served by nginx, and there is none")?.to_owned();
    let trial = serin_trial::Programs { envoy: envoy.path, module, nginx };
    Runtime::new()?.block_on(play(args, &trial, found.path("PROMETHEUS")))
}

async fn play(args: &Args, programs: &serin_trial::Programs, prometheus: Option<&Path>) -> Result<()> {
    let mut signals = Signals::listen()?;
    let trial = Trial::start(programs).await?;
    let _visitors = trial.visitors(args.visitors, PAUSE)?;
    let prometheus = match prometheus {
        Some(binary) => Some(Prometheus::start(binary, &trial).await?),
        None => None,
    };
    println!("{}", how_to_try(&trial, prometheus.as_ref()));
    tokio::select! {
        error = trial.envoy().ended() => Err(error),
        _ = signals.next() => Ok(()),
    }
}

fn how_to_try(trial: &Trial, prometheus: Option<&Prometheus>) -> String {
    let rules = trial.envoy().folder();
    let prometheus = prometheus.map(|prometheus| format!("\n\x20 Prometheus  http://{}/", prometheus.address()));
    format!(
        "The trial goes on until Ctrl-C.\n\
         \x20 shop        http://{site}/\n\
         \x20 Envoy       http://{admin}/{prometheus}\n\
         Try, in {folder}:\n\
         \x20 sed 's/weight: 10}}$/weight: 50}}/' serin.yaml > new && mv new serin.yaml   # half of the visitors\n\
         \x20 sed \"s/start: .*/start: \\\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\\\"/\" serin.yaml > new && mv new serin.yaml   # a ramp\n\
         \x20 touch {broken}   # v2 fails, and its guard takes it out\n\
         \x20 curl 'http://{admin}/stats/prometheus?filter=wasmcustom'\n\
         manifests/docker-compose/README.md says what to look for.",
        site = trial.address(),
        admin = trial.envoy().admin_address(),
        prometheus = prometheus.unwrap_or_default(),
        folder = quoted(&rules),
        broken = quoted(&trial.folder().join("v2/broken")),
    )
}

/// Between two visits.
const PAUSE: Duration = Duration::from_millis(100);
