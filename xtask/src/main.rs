//! Repository automation, run as `cargo xtask <command>`.
//!
//! Each command is a module of its own; this file only reads the command line and turns an error into an exit code.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what these commands find out is printed there")]

mod bench;
mod budgets;
mod debian;
mod demo;
mod envoy_binary;
mod fuzz;
mod package;
mod programs;
mod progress;
mod scenarios;
mod schema;
mod shell;
mod signals;
mod soak;
mod test;
mod traps;
mod trial;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, try and test Serin.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure everything beside its rivals, in about ten minutes, and write `bench/RESULTS.md`.
    Bench(bench::Args),
    /// Measure what requests cost in the wasmtime host, and hold it against `host-tests/budgets.json`.
    Budgets(budgets::Args),
    /// Send real canary traffic through a real Envoy and show what happened.
    Demo(demo::Args),
    /// Try bytes that nobody meant on all that reads what others have written, and on the built module.
    Fuzz(fuzz::Args),
    /// Write the module as an OCI image, with the digests that pin it, and the manifests with these filled in.
    Package(package::Args),
    /// Run scenarios in the wasmtime host and in real Envoys, and show where these differ.
    Scenarios(scenarios::Args),
    /// Write the JSON Schema of the rules document, `manifests/rules.schema.json`.
    Schema(schema::Args),
    /// Have a real Envoy under load while documents are pushed and upstreams die, and judge every answer.
    Soak(soak::Args),
    /// Run every check: format, lints, unit, property, harness and real-Envoy tests, docs.
    Test(test::Args),
    /// List what can still trap in the module, and hold it against `filter/traps.txt`.
    Traps(traps::Args),
    /// Run the trial of `manifests/docker-compose` without Docker, until Ctrl-C.
    Trial(trial::Args),
    /// Build `target/serin.wasm`, and print its size, imports and exports.
    Wasm(wasm::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Budgets(args) => budgets::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Package(args) => package::run(&args),
        Command::Scenarios(args) => scenarios::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Traps(args) => traps::run(&args),
        Command::Trial(args) => trial::run(&args),
        Command::Wasm(args) => wasm::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
