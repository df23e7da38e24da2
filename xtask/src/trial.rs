//! `cargo xtask trial`: what `docker compose up` starts in `manifests/docker-compose`, without Docker and without Grafana.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use serin_envoy::Process;
use serin_trial::{KEY, Prometheus, Trial};
use tokio::runtime::Runtime;
use tokio::time::timeout;

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
    let started = tokio::select! {
        started = start(args, programs, prometheus) => started?,
        _ = signals.next() => return Ok(()),
    };
    println!("{}", how_to_try(&started));
    tokio::select! {
        error = started.ended() => Err(error),
        _ = signals.next() => Ok(()),
    }
}

/// All that runs.
struct Started {
    prometheus: Option<Prometheus>,
    visitors: Process,
    trial: Trial,
}

async fn start(args: &Args, programs: &serin_trial::Programs, prometheus: Option<&Path>) -> Result<Started> {
    let trial = Trial::start(programs).await?;
    let visitors = trial.visitors(args.visitors, PAUSE)?;
    let prometheus = match prometheus {
        Some(binary) => Some(Prometheus::start(binary, &trial).await?),
        None => None,
    };
    Ok(Started { prometheus, visitors, trial })
}

impl Started {
    /// Waits until something ends without which there is nothing to see, and gives back what tells so. That a version's server
    /// ends is only said: somebody may want to see what comes of it.
    async fn ended(&self) -> Error {
        let mut running = self.trial.servers();
        loop {
            if let Ok(error) = timeout(POLL, self.trial.envoy().ended()).await {
                return error;
            }
            if let Some(status) = self.visitors.ended() {
                return anyhow!("the visitors have ended ({status})");
            }
            if let Some(status) = self.prometheus.as_ref().and_then(Prometheus::ended) {
                return anyhow!("Prometheus has ended ({status})");
            }
            let still = self.trial.servers();
            for (version, _) in running.iter().filter(|(version, _)| !still.contains_key(*version)) {
                println!("the server of {version} has ended");
            }
            running = still;
        }
    }
}

fn how_to_try(Started { trial, prometheus, .. }: &Started) -> String {
    let prometheus = prometheus.as_ref().map(|one| format!("\n\x20 Prometheus  http://{}/", one.address()));
    let stop = trial
        .servers()
        .get("v2")
        .map(|id| format!("\x20 # v2 is not there, and stable serves in its place\n\x20 kill {id}\n"));
    format!(
        "The trial goes on until Ctrl-C.\n\
         \x20 shop        http://{site}/\n\
         \x20 Envoy       http://{admin}/{prometheus}\n\
         Try, beside manifests/docker-compose/README.md, which says what to look for:\n\
         \x20 cd {folder} && cp serin.yaml first\n\
         \x20 edit() {{ sed \"$1\" first > new && mv new serin.yaml; }}\n\
         \x20 # half of the visitors, a ramp, and back to the beginning\n\
         \x20 edit 's/weight: 10}}$/weight: 50}}/'\n\
         \x20 edit \"s/start: .*/start: \\\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\\\"/\"\n\
         \x20 edit ''\n\
         \x20 # v2 fails, and its guard takes it out, until the file is removed\n\
         \x20 touch {broken}\n\
         {stop}\
         And in the repository:\n\
         \x20 cargo run -q -p serin -- check {rules}\n\
         \x20 {variable}={secret} cargo run -q -p serin -- token {rules} --version v2 --ttl 8h --url http://{site}/\n\
         \x20 grep 'serin: ' {log}\n\
         \x20 curl 'http://{admin}/stats/prometheus?filter=wasmcustom'",
        site = trial.address(),
        admin = trial.envoy().admin_address(),
        prometheus = prometheus.unwrap_or_default(),
        stop = stop.unwrap_or_default(),
        folder = quoted(&trial.envoy().folder()),
        rules = quoted(&trial.envoy().folder().join("serin.yaml")),
        log = quoted(&trial.envoy().log_file()),
        broken = quoted(&trial.folder().join("v2/broken")),
        variable = KEY.0,
        secret = KEY.1,
    )
}

const POLL: Duration = Duration::from_secs(1);
/// Between two visits.
const PAUSE: Duration = Duration::from_millis(100);
