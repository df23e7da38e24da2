//! `cargo xtask bench`: everything that is measured, and a report of it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::envoy_binary;
use crate::progress::Progress;
use crate::test::NATIVE;
use crate::{wasm, workspace};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure a little of everything; the numbers are for trying only.
    #[arg(long)]
    quick: bool,
}

/// The programs that measure in a real Envoy and that write the report.
const PROGRAMS: [&str; 2] = ["serin-bench-envoy", "serin-bench-report"];

/// Tells criterion where to keep its results.
const CRITERION: &str = "CRITERION_HOME";

/// Runs `cargo xtask bench`.
///
/// # Errors
/// If something cannot be built or had, if a contestant does not do its job, or if the report cannot be written.
pub(crate) fn run(args: &Args) -> Result<()> {
    let progress = Progress::new();
    let module = wasm::build(&progress)?;
    let empty = wasm::build_empty(&progress)?;
    let envoy = envoy_binary::locate(None, &progress)?;
    build(&progress)?;

    let folder = emptied_folder()?;
    let criterion = folder.join("criterion");

    let quick = args.quick.then_some("--quick");
    let aloud = |text: &str, command: &mut Command| {
        let step = progress.step(text);
        step.run_aloud(command)?;
        step.done("");
        anyhow::Ok(())
    };
    // One after the other, so that nothing runs beside what is measured.
    aloud("the core", core().env(CRITERION, &criterion).arg("--").args(quick))?;
    aloud(
        "the module in wasmtime",
        module_bench().envs([("SERIN_WASM", &module), (CRITERION, &criterion)]).arg("--").args(quick),
    )?;
    let mut in_envoy = program(PROGRAMS[0]);
    in_envoy.arg("--module").arg(&module).arg("--empty").arg(&empty).arg("--envoy").arg(&envoy.path).args(quick);
    in_envoy.arg("--out").arg(folder.join("measured.json"));
    aloud(&format!("the filter and its rivals in Envoy {}", envoy.version), &mut in_envoy)?;
    aloud("the report", program(PROGRAMS[1]).args(quick))
}

/// Where the parts of the run leave what they measure, without anything of an earlier run: the report shows whatever lies
/// there, and would mix the two.
fn emptied_folder() -> Result<PathBuf> {
    let folder = workspace::target()?.join("bench");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(folder)
}

/// Builds all that measures, so that no compiler runs between measurements.
fn build(progress: &Progress) -> Result<()> {
    let step = progress.step("building the benches");
    step.run(core().arg("--no-run"))?;
    step.run(module_bench().arg("--no-run"))?;
    // Each by itself, as it is run: together they would be built with the features of both, and built again when run.
    for name in PROGRAMS {
        step.run(workspace::cargo().args(["build", "--locked", "--release", "--package", name]))?;
    }
    step.done("");
    Ok(())
}

fn core() -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--locked", "--package", "serin-bench"]);
    cargo
}

/// Built as the tests are, which have wasmtime compiled already: what it compiles is the same however it was compiled itself.
fn module_bench() -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--locked", "--profile", "dev"]).args(NATIVE).args(["--bench", "module"]);
    cargo
}

fn program(package: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--locked", "--quiet", "--release", "--package", package, "--"]);
    cargo
}
