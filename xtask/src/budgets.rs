//! `cargo xtask budgets`: what requests cost in host calls, bytes, allocations and fuel, held against the checked-in file.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::progress::{Progress, Step};
use crate::test::NATIVE;
use crate::{wasm, workspace};

/// Options of `cargo xtask budgets`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write what is measured into the file, for a change that is meant.
    #[arg(long)]
    bless: bool,
}

/// The program.
const PROGRAM: &str = "serin-budgets";

/// Runs `cargo xtask budgets`.
///
/// # Errors
/// If something cannot be built, or if a figure is not what the file says and it is not to be written.
pub(crate) fn run(args: &Args) -> Result<()> {
    let progress = Progress::new();
    let module = wasm::build(&progress)?;
    let compiler = wasm::compiler(&progress)?;
    let step = progress.step("building the program that measures");
    let mut command = program(&module, &compiler, &step)?;
    step.done("");
    if args.bless {
        command.arg("--bless");
    }
    let step = progress.step("budgets");
    step.run_aloud(&mut command)?;
    step.done("");
    Ok(())
}

/// Built with all other crates: by itself its libraries would be built again with fewer features.
fn program(module: &Path, compiler: &str, step: &Step) -> Result<Command> {
    step.run(workspace::cargo().args(["build", "--locked"]).args(NATIVE).args(["--bin", PROGRAM]))?;
    let mut command = Command::new(workspace::target()?.join("debug").join(PROGRAM));
    command.current_dir(workspace::root()).arg("--module").arg(module).args(["--compiler", compiler]);
    Ok(command)
}
