//! Repository automation, run as `cargo xtask <command>`.
//!
//! Each command is a module of its own; this file only reads the command line and turns an error into an exit code.

mod demo;
mod envoy_binary;
mod test;
mod wasm;

use anyhow::Result;
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
    /// Send real canary traffic through a real Envoy and show what happened.
    Demo(demo::Args),
    /// Run every check: format, lints, unit, property, harness and real-Envoy tests, docs.
    Test(test::Args),
    /// Build `target/serin.wasm`, and print its size, imports and exports.
    Wasm(wasm::Args),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Wasm(args) => wasm::run(&args),
    }
}
