//! `serin-budgets`: what requests cost, by case and callback; `cargo xtask budgets` calls it with all that it needs.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what is measured is printed")]

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Parser;
use serin_host::Module;
use serin_scenarios::budgets::Figures;

/// Measure what requests cost, and hold it against the file.
#[derive(Parser)]
struct Args {
    /// The module.
    #[arg(long)]
    module: PathBuf,
    /// The compiler that built it.
    #[arg(long)]
    compiler: String,
    /// Write the file anew.
    #[arg(long)]
    bless: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let measured = Figures::measure(&Module::open(&args.module)?, &args.compiler)?;
    print(&measured);
    if args.bless {
        measured.bless()?;
        println!("written to {}", Figures::file().display());
        return Ok(());
    }
    let differences = measured.differences(&Figures::read()?);
    if differences.is_empty() {
        println!("all as in {}", Figures::file().display());
        return Ok(());
    }
    differences.iter().for_each(|difference| println!("{difference}"));
    bail!("{} figures have changed; if that is meant: cargo xtask budgets --bless", differences.len())
}

fn print(figures: &Figures) {
    println!("{:>6} {:>6} {:>6} {:>6} {:>6}  callback and case", "calls", "in", "out", "alloc", "fuel");
    for (title, callback, row) in figures.rows() {
        let calls: u64 = row.host_calls.values().sum();
        let fuel: u64 = row.fuel.values().copied().max().unwrap_or(0);
        let callback = callback.trim_start_matches("proxy_on_");
        println!(
            "{calls:>6} {:>6} {:>6} {:>6} {fuel:>6}  {callback}: {title}",
            row.bytes_in, row.bytes_out, row.allocations
        );
    }
}
