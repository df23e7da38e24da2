//! `cargo xtask soak`: a real Envoy under load while documents are pushed and upstreams die, and a judge of every answer.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::envoy_binary::{self, Envoy};
use crate::progress::{Progress, Step};
use crate::test::NATIVE;
use crate::{wasm, workspace};

/// Options of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// For how long.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What pushes and deaths of upstreams are drawn by.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the report as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The package and its program.
const PROGRAM: &str = "serin-soak";
/// For how long `cargo xtask test --full` runs it.
const SHORT: f64 = 1.0;

/// Runs `cargo xtask soak`.
///
/// # Errors
/// If something cannot be built, had or started, or if anything is found that must not be.
pub(crate) fn run(args: &Args) -> Result<()> {
    let progress = Progress::new();
    let module = wasm::build(&progress)?;
    let envoy = envoy_binary::locate(None, &progress)?;
    let step = progress.step("building the soak");
    let mut command = program(&module, &envoy, args.minutes, args.seed, &step)?;
    step.done("");
    if let Some(path) = &args.json {
        command.arg("--json").arg(std::path::absolute(path)?);
    }
    let step = progress.step(format!("soak, {} minutes", args.minutes));
    step.run_aloud(&mut command)?;
    step.done("");
    Ok(())
}

/// The short form, as a command.
///
/// # Errors
/// If the program cannot be built.
pub(crate) fn short(module: &Path, envoy: &Envoy, step: &Step) -> Result<Command> {
    program(module, envoy, SHORT, 1, step)
}

/// The program, built with all other crates: by itself its libraries would be built again with fewer features.
fn program(module: &Path, envoy: &Envoy, minutes: f64, seed: u64, step: &Step) -> Result<Command> {
    step.run(workspace::cargo().args(["build", "--locked"]).args(NATIVE).args(["--bin", PROGRAM]))?;
    let mut command = Command::new(workspace::target()?.join("debug").join(PROGRAM));
    command.current_dir(workspace::root()).arg("--module").arg(module).arg("--envoy").arg(&envoy.path);
    command.args(["--minutes", &minutes.to_string(), "--seed", &seed.to_string()]);
    Ok(command)
}
