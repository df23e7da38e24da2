//! Where things are: the root of the repository, the target folder, cargo itself.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::progress::Progress;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// `cargo`, in the root of the repository. The cargo that runs this program, so that a toolchain chosen by hand stays.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The folder for everything that is built or downloaded, as cargo understands its environment and configuration.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let folder = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// Keeps other runs from doing the same set-up at the same time, until the file is dropped or this process ends.
///
/// # Errors
/// If the file for the lock, `name` below the folder `tools` in the target folder, cannot be made or locked.
pub(crate) fn lock(name: &str, progress: &Progress) -> Result<File> {
    let tools = target()?.join("tools");
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    let path = tools.join(name);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let step = progress.step("waiting for another run, which does the same");
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
            step.done("");
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(file)
}

/// The packages, as `name@version`, that a build of this one for `target` needs, itself included.
pub(crate) fn dependencies(package: &str, target: &str) -> Result<BTreeSet<String>> {
    let options = ["--locked", "--edges", "normal,build", "--prefix", "none", "--no-dedupe", "--format", "{p}"];
    let output = cargo().args(["tree", "--package", package, "--target", target]).args(options).output()?;
    if !output.status.success() {
        bail!("`cargo tree` does not list what {package} needs: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let name_and_version = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some(format!("{name}@{}", rest.split(' ').next()?))
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(name_and_version).collect())
}

/// The folders in which cargo keeps the sources of libraries.
pub(crate) fn library_sources() -> Result<BTreeSet<PathBuf>> {
    let metadata = metadata(&[])?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
    let libraries = packages.iter().filter(|package| !package["source"].is_null());
    let manifests = libraries.filter_map(|package| package["manifest_path"].as_str());
    Ok(manifests.filter_map(|manifest| Path::new(manifest).parent()?.parent().map(Path::to_path_buf)).collect())
}

fn metadata(options: &[&str]) -> Result<Value> {
    let output = cargo()
        .args(["metadata", "--locked", "--format-version=1"])
        .args(options)
        .output()
        .context("cannot run cargo")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!("`cargo metadata` did not describe the workspace: {}", String::from_utf8_lossy(&output.stderr))
    })
}
