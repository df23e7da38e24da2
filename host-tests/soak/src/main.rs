//! `serin-soak`: a real Envoy under load, pushes and dying upstreams; `cargo xtask soak` calls it with all that it needs.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what is found is printed")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serin_soak::{Options, run};

/// Have an Envoy under load while documents are pushed and upstreams die, and judge every answer.
#[derive(Parser)]
struct Args {
    /// The executable of Envoy.
    #[arg(long)]
    envoy: PathBuf,
    /// The filter.
    #[arg(long)]
    module: PathBuf,
    /// For how long.
    #[arg(long)]
    minutes: f64,
    /// What pushes and troubles are drawn by.
    #[arg(long)]
    seed: u64,
    /// Write the report as JSON, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match soak(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as it has to be.
fn soak(args: Args) -> Result<bool> {
    let time = Duration::try_from_secs_f64(args.minutes * 60.0).context("so many minutes there are not")?;
    let options = Options { envoy: args.envoy, module: args.module, time, seed: args.seed };
    // One thread: the other processors are for Envoy.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let report = runtime.block_on(run(&options))?;
    println!("{}", report.to_markdown());
    if let Some(path) = args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    report.faults().iter().for_each(|fault| println!("NOT AS IT HAS TO BE: {fault}"));
    Ok(report.faults().is_empty())
}
