//! `serin-scenarios`: runs the scenarios of a folder; `cargo xtask scenarios` calls it with all that it needs.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what is found is printed")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serin_host::scenario::{Http, Scenario};
use serin_scenarios::runner::{Discovery, Envoy, Options, run};

/// Run scenarios in the wasmtime host and in real Envoys.
#[derive(Parser)]
struct Args {
    /// The folder of scenarios.
    #[arg(long)]
    folder: PathBuf,
    /// A module by the name that scenarios give it; the first one is that of scenarios that name none.
    #[arg(long = "module", value_name = "NAME=PATH", required = true, value_parser = named)]
    modules: Vec<(String, PathBuf)>,
    /// Run in the wasmtime host.
    #[arg(long)]
    wasmtime: bool,
    /// Run in this Envoy.
    #[arg(long = "envoy", value_name = "NAME=PATH", value_parser = named)]
    envoys: Vec<(String, PathBuf)>,
    /// The versions of HTTP that clients speak.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2], value_parser = clap::value_parser!(u8).range(1..=2))]
    http: Vec<u8>,
    /// How configurations get to the filter in Envoy.
    #[arg(long, value_delimiter = ',', default_values = ["lds", "ecds"], value_parser = ["lds", "ecds"])]
    discovery: Vec<String>,
    /// The numbers of workers.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4])]
    workers: Vec<usize>,
    /// Only scenarios whose path has one of these in it.
    names: Vec<String>,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=PATH")?;
    Ok((name.to_owned(), PathBuf::from(path)))
}

#[tokio::main]
async fn main() -> ExitCode {
    match find(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as expected and alike.
async fn find(args: Args) -> Result<bool> {
    let mut scenarios = Scenario::load_all(&args.folder)?;
    let wanted = |scenario: &Scenario| {
        let path = scenario.file.to_string_lossy();
        args.names.is_empty() || args.names.iter().any(|name| path.contains(name.as_str()))
    };
    scenarios.retain(wanted);
    ensure!(!scenarios.is_empty(), "no scenario in {} has such a name", args.folder.display());
    let (module, _) = args.modules.first().context("a module is needed")?;
    let options = Options {
        module: module.clone(),
        modules: args.modules.iter().cloned().collect(),
        wasmtime: args.wasmtime,
        envoys: args.envoys.into_iter().map(|(name, binary)| Envoy { name, binary }).collect(),
        http: args.http.iter().map(|version| if *version == 1 { Http::One } else { Http::Two }).collect(),
        discovery: args
            .discovery
            .iter()
            .map(|way| if way == "lds" { Discovery::Lds } else { Discovery::Ecds })
            .collect(),
        workers: args.workers,
    };
    let report = run(&scenarios, &options).await?;
    println!("{report}");
    ensure!(report.ran() > 0, "nothing ran");
    Ok(report.differing() == 0)
}
