//! `cargo xtask traps`: what can still trap in the module, held against the checked list.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::progress::Progress;
use crate::wasm::traps::record::Record;
use crate::{wasm, workspace};

/// Options of `cargo xtask traps`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write what is found into the list, for a change that is meant. Reasons are kept, and those of new groups are up to you.
    #[arg(long)]
    bless: bool,
    /// Show how each site is reached.
    #[arg(long)]
    paths: bool,
}

/// Runs `cargo xtask traps`.
///
/// # Errors
/// If the module cannot be built, or if the list is not right about it and is not to be written.
pub(crate) fn run(args: &Args) -> Result<()> {
    let progress = Progress::new();
    wasm::build(&progress)?;
    let (sites, compiler) = (wasm::traps()?, wasm::compiler(&progress)?);
    let mut found = read()?;
    found.update(&sites, &compiler);
    println!("{}", found.text());
    if args.paths {
        sites.iter().for_each(|site| println!("{} in {}: {}", site.group(), site.line(), site.way()));
    }
    if args.bless {
        fs::write(path(), found.text()).with_context(|| format!("cannot write {}", path().display()))?;
        found.without_reason().iter().for_each(|name| println!("write a reason for {name}"));
        return Ok(());
    }
    println!("{}", read()?.check(&sites, &compiler)?);
    Ok(())
}

/// Holds the module, which is built, against the list, and says in a few words what was found.
///
/// # Errors
/// If the list is not right about it.
pub(crate) fn check(compiler: &str) -> Result<String> {
    read()?.check(&wasm::traps()?, compiler)
}

fn path() -> PathBuf {
    workspace::root().join("filter/traps.txt")
}

fn read() -> Result<Record> {
    let text = fs::read_to_string(path()).with_context(|| format!("cannot read {}", path().display()))?;
    Record::parse(&text).with_context(|| format!("cannot read {}", path().display()))
}
