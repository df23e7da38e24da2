//! `cargo xtask demo`: real canary traffic through a real Envoy, and a table of what was measured beside what had to be.
//!
//! This file sets the stage and clears it away; the acts are in `scenes`.

mod report;
mod scenes;
mod site;

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Error, Result, bail};
use serin_envoy::Setup;
use tokio::runtime::Runtime;

use crate::demo::report::Report;
use crate::demo::site::Site;
use crate::envoy_binary::{self, Envoy};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::wasm;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Visitors; each comes five times before anything changes, and then again and again.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(2_000..=100_000))]
    visitors: u32,
    /// Write the same facts to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Go on with Envoy and the upstreams until Ctrl-C, for own tries.
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. Envoy and the upstreams are gone when this returns, however it ends.
///
/// # Errors
/// If something cannot be built, started or written, or if a line of the table does not hold.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(file) = &args.json {
        // Better now than after all the work; an empty file is not taken for a result.
        File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let mut report = Report::default();
    if let Err(error) = prepare_and_show(args, &mut report) {
        if let Some(file) = &args.json {
            report.write(file, Some(&error)).with_context(|| format!("{error:#}"))?;
        }
        return Err(error);
    }
    match report.failed() {
        0 => Ok(()),
        failed => bail!("{failed} of {} lines do not hold", report.lines()),
    }
}

fn prepare_and_show(args: &Args, report: &mut Report) -> Result<()> {
    let progress = Progress::new();
    let module = wasm::build(&progress)?;
    let envoy = envoy_binary::locate(None, &progress)?;
    report.envoy(&envoy.version);
    let setup = Setup::new(&envoy.path, module);
    Runtime::new()?.block_on(show(args, &setup, &envoy, &progress, report))
}

async fn show(args: &Args, setup: &Setup, envoy: &Envoy, progress: &Progress, report: &mut Report) -> Result<()> {
    let mut signals = Signals::listen()?;
    let site = tokio::select! {
        played = play(args, setup, envoy, progress, report) => played?,
        name = signals.next() => bail!("ended by {name}"),
    };
    println!("{report}");
    if let Some(file) = &args.json {
        report.write(file, None)?;
    }
    if !args.keep {
        return Ok(());
    }
    tokio::select! {
        error = keep(site) => Err(error),
        _ = signals.next() => Ok(()),
    }
}

async fn play(args: &Args, setup: &Setup, envoy: &Envoy, progress: &Progress, report: &mut Report) -> Result<Site> {
    let step = progress.step(format!("starting two upstreams and Envoy {}", envoy.version));
    let mut site = Site::open(setup, usize::try_from(args.visitors)?).await?;
    step.done(format!("http://{}/", site.envoy.address()));

    scenes::play(&mut site, progress, report).await?;
    Ok(site)
}

/// Goes on with the shipped document until something fails; without that, forever.
async fn keep(mut site: Site) -> Error {
    if let Err(error) = site.reset().await {
        return error;
    }
    println!("{}", site.how_to_try());
    site.envoy.ended().await
}
