//! `cargo xtask bench`: everything that is measured, and a report of it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::envoy_binary;
use crate::progress::Progress;
use crate::{wasm, workspace};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure a little of everything; the numbers are for trying only.
    #[arg(long)]
    quick: bool,
}

/// The packages of the criterion benches, and how they are built. What wasmtime compiles is the same whichever way wasmtime
/// itself was compiled, and with the tests' profile that is done already.
const CORE: (&str, &str) = ("serin-bench", "bench");
const MODULE: (&str, &str) = ("serin-bench-module", "dev");

/// The programs that measure in a real Envoy and that write the report.
const PROGRAMS: [&str; 2] = ["serin-bench-envoy", "serin-bench-report"];

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

    forget_earlier_runs()?;

    let quick = args.quick.then_some("--quick");
    let aloud = |text: &str, command: &mut Command| {
        let step = progress.step(text);
        step.run_aloud(command)?;
        step.done("");
        anyhow::Ok(())
    };
    // One after the other, so that nothing runs beside what is measured.
    aloud("the core", bench(CORE).arg("--").args(quick))?;
    aloud("the module in wasmtime", bench(MODULE).env("SERIN_WASM", &module).arg("--").args(quick))?;
    let mut in_envoy = program(PROGRAMS[0]);
    in_envoy.arg("--module").arg(&module).arg("--empty").arg(&empty).arg("--envoy").arg(&envoy.path).args(quick);
    in_envoy.arg("--out").arg(workspace::target()?.join("bench/measured.json"));
    aloud(&format!("the filter and its rivals in Envoy {}", envoy.version), &mut in_envoy)?;
    aloud("the report", program(PROGRAMS[1]).args(quick))
}

/// The report shows whatever lies there, and benches of other names may.
fn forget_earlier_runs() -> Result<()> {
    for name in ["criterion", "bench"] {
        let folder = workspace::target()?.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
    }
    Ok(())
}

/// Builds all that measures, so that no compiler runs between measurements.
fn build(progress: &Progress) -> Result<()> {
    let step = progress.step("building the benches");
    step.run(bench(CORE).arg("--no-run"))?;
    step.run(bench(MODULE).arg("--no-run"))?;
    let mut programs = workspace::cargo();
    programs.args(["build", "--locked", "--release"]);
    for name in PROGRAMS {
        programs.args(["--package", name]);
    }
    step.run(&mut programs)?;
    step.done("");
    Ok(())
}

fn bench((package, profile): (&str, &str)) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--locked", "--profile", profile, "--package", package]);
    cargo
}

fn program(package: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--locked", "--quiet", "--release", "--package", package, "--"]);
    cargo
}
