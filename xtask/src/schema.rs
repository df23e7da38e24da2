//! `cargo xtask schema`: the JSON Schema of the rules document, from the code into `manifests/`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Where it is, seen from the root of the repository.
const FILE: &str = "manifests/rules.schema.json";

/// Options of `cargo xtask schema`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if the file is not what the code says.
    #[arg(long)]
    check: bool,
}

/// Runs `cargo xtask schema`.
///
/// # Errors
/// If the file cannot be read or written, or, with `--check`, is not current.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check {
        return check();
    }
    fs::write(path(), text()?).with_context(|| format!("cannot write {FILE}"))?;
    println!("{FILE}");
    Ok(())
}

/// Fails if the file is not what the code says.
fn check() -> Result<()> {
    let written = fs::read_to_string(path()).with_context(|| format!("cannot read {FILE}"))?;
    if written != text()? {
        bail!("{FILE} is not current; `cargo xtask schema` writes it anew");
    }
    Ok(())
}

fn path() -> PathBuf {
    workspace::root().join(FILE)
}

fn text() -> Result<String> {
    Ok(serde_json::to_string_pretty(&serin_core::schema())? + "\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_is_current() {
        super::check().unwrap();
    }
}
