//! `cargo xtask scenarios`: scenarios in the wasmtime host and in real Envoys, and where these are not alike.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::envoy_binary::{self, Envoy, NEWEST, OLDEST};
use crate::progress::{Progress, Step};
use crate::test::NATIVE;
use crate::{wasm, workspace};

/// Options of `cargo xtask scenarios`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to run them; with both, the hosts are held against each other as well.
    #[arg(long, value_enum, default_value_t = Hosts::Both)]
    host: Hosts,
    /// The Envoys to run them in; without this, the one that `cargo xtask test` takes.
    #[arg(long, value_parser = ["1.36", "1.40", "both"])]
    envoy: Option<String>,
    /// The version of HTTP that clients speak.
    #[arg(long, default_value = "both", value_parser = ["1", "2", "both"])]
    http: String,
    /// How configurations get to the filter in Envoy.
    #[arg(long, default_value = "both", value_parser = ["lds", "ecds", "both"])]
    discovery: String,
    /// How many workers there are.
    #[arg(long, default_value = "both", value_parser = ["1", "4", "both"])]
    workers: String,
    /// Another module, by the name that scenarios give it.
    #[arg(long = "module", value_name = "NAME=PATH")]
    modules: Vec<String>,
    /// The folder of scenarios.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Only scenarios whose path has one of these in it.
    names: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Hosts {
    Wasmtime,
    Envoy,
    Both,
}

/// The package and its program.
const PROGRAM: &str = "serin-scenarios";
/// The name that scenarios have for the module of this repository.
const MODULE: &str = "serin";

/// Runs `cargo xtask scenarios`.
///
/// # Errors
/// If something cannot be built, had or started, or if a scenario differs.
pub(crate) fn run(args: &Args) -> Result<()> {
    let progress = Progress::new();
    let module = wasm::build(&progress)?;
    let envoys = if args.host == Hosts::Wasmtime { Vec::new() } else { envoys(args.envoy.as_deref(), &progress)? };
    let step = progress.step("building the runner");
    let mut command = program(&module, &envoys.iter().collect::<Vec<_>>(), &step)?;
    step.done("");
    command.args(args.modules.iter().flat_map(|module| ["--module", module]));
    if let Some(folder) = &args.folder {
        command.arg("--folder").arg(std::path::absolute(folder)?);
    } else {
        command.arg("--folder").arg(folder());
    }
    if args.host != Hosts::Envoy {
        command.arg("--wasmtime");
    }
    for (option, value, both) in [
        ("--http", &args.http, "1,2"),
        ("--discovery", &args.discovery, "lds,ecds"),
        ("--workers", &args.workers, "1,4"),
    ] {
        command.args([option, if value == "both" { both } else { value }]);
    }
    let step = progress.step("scenarios");
    step.run_aloud(command.args(&args.names))?;
    step.done("");
    Ok(())
}

/// All scenarios in all combinations on these Envoys, as a command.
///
/// # Errors
/// If the runner cannot be built.
pub(crate) fn all(module: &Path, envoys: &[&Envoy], step: &Step) -> Result<Command> {
    let mut command = program(module, envoys, step)?;
    command.arg("--folder").arg(folder()).arg("--wasmtime");
    Ok(command)
}

fn folder() -> PathBuf {
    workspace::root().join("host-tests/scenarios")
}

/// The runner, built with all other crates: by itself its libraries would be built again with fewer features.
fn program(module: &Path, envoys: &[&Envoy], step: &Step) -> Result<Command> {
    step.run(workspace::cargo().args(["build", "--locked"]).args(NATIVE).args(["--bin", PROGRAM]))?;
    let mut command = Command::new(workspace::target()?.join("debug").join(PROGRAM));
    command.current_dir(workspace::root()).arg("--module").arg(named(MODULE, module));
    for envoy in envoys {
        command.arg("--envoy").arg(named(&format!("Envoy {}", envoy.version), &envoy.path));
    }
    Ok(command)
}

fn named(name: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(format!("{name}="));
    argument.push(path);
    argument
}

fn envoys(wanted: Option<&str>, progress: &Progress) -> Result<Vec<Envoy>> {
    let versions: &[Option<&str>] = match wanted {
        None => &[None],
        Some("1.36") => &[Some(OLDEST)],
        Some("1.40") => &[Some(NEWEST)],
        Some(_) => &[Some(OLDEST), Some(NEWEST)],
    };
    let locate = |version: &Option<&str>| envoy_binary::locate(*version, progress).context("no Envoy to run in");
    versions.iter().map(locate).collect()
}
