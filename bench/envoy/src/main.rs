//! Measures the filter in a real Envoy beside its rivals, and writes what was measured as JSON for the report.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serin_bench::results::Measured;
use serin_bench_envoy::{Plan, Tools, chains, forwarding, growth, machine, memory};

/// Measures the filter in a real Envoy beside its rivals.
#[derive(Parser)]
#[command(name = "serin-bench-envoy")]
struct Cli {
    /// The filter.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// A module on the SDK that does nothing.
    #[arg(long, value_name = "FILE")]
    empty: PathBuf,
    /// The executable of Envoy.
    #[arg(long, value_name = "FILE")]
    envoy: PathBuf,
    /// Where to write what was measured.
    #[arg(long, value_name = "FILE", default_value = "target/bench/measured.json")]
    out: PathBuf,
    /// Measure a little of everything; the numbers are for trying only.
    #[arg(long)]
    quick: bool,
    /// Measure these parts alone; the others are empty in the result.
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Chains,
    Forwarding,
    Growth,
    Memory,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let plan = if cli.quick { Plan::quick() } else { Plan::full() };
    // Envoy's workers should have processors of their own.
    let threads = std::thread::available_parallelism()?.get().div_ceil(2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let measured = runtime.block_on(measure(cli, &plan))?;
    write(&cli.out, &measured)
}

async fn measure(cli: &Cli, plan: &Plan) -> Result<Measured> {
    let tools = Tools { envoy: absolute(&cli.envoy)?, module: absolute(&cli.module)?, empty: absolute(&cli.empty)? };
    let wanted = |part| cli.only.is_empty() || cli.only.contains(&part);
    let mut measured = Measured {
        machine: machine(&tools.envoy)?,
        quick: plan.quick,
        copies: plan.copies,
        chains: Default::default(),
        forwarding: Default::default(),
        growth: Default::default(),
        memory: Default::default(),
    };
    if wanted(Part::Chains) {
        measured.chains = chains(&tools, plan).await?;
    }
    if wanted(Part::Forwarding) {
        measured.forwarding = forwarding(&tools, plan).await?;
    }
    if wanted(Part::Growth) {
        measured.growth = growth(&tools, plan).await?;
    }
    if wanted(Part::Memory) {
        measured.memory = memory(&tools, plan).await?;
    }
    Ok(measured)
}

/// Envoy runs in a folder of its own.
fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("there is no {}", path.display()))
}

fn write(path: &Path, measured: &Measured) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(measured)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}
