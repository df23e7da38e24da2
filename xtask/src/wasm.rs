//! `cargo xtask wasm`: builds the filter crate, cuts it down after linking, and writes `serin.wasm` to the target folder.

mod debian;
mod host_calls;
pub(crate) mod module;
pub(crate) mod postlink;
pub(crate) mod toolchain;
pub(crate) mod traps;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use self::module::Summary;
use self::toolchain::{TARGET, Toolchain};
use self::traps::Site;
use crate::progress::{Progress, Step};
use crate::workspace;

/// The crate that becomes the module.
const PACKAGE: &str = "serin-filter";
/// The crate of the filter that does nothing.
const EMPTY: &str = "serin-bench-empty";

/// Options of `cargo xtask wasm`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs `cargo xtask wasm`.
pub(crate) fn run(_args: &Args) -> Result<()> {
    let path = build(&Progress::new())?;
    let summary = summary(&path)?;
    println!("{}", path.display());
    println!("size     {} bytes ({})", summary.bytes, summary.kib());
    println!("memory   {} pages of 64 KiB at start", summary.pages_at_start);
    for (title, names) in [("imports", &summary.imports), ("exports", &summary.exports)] {
        println!("{title}  {}", names.len());
        names.iter().for_each(|name| println!("  {name}"));
    }
    Ok(())
}

/// Builds the module and returns its path. Quick when nothing has changed, and then the file is left as it is.
///
/// # Errors
/// If there is no compiler for the target, if the filter does not compile, or if the post-link step finds the module
/// to be other than it must be.
pub(crate) fn build(progress: &Progress) -> Result<PathBuf> {
    let target = workspace::target()?;
    let toolchain = Toolchain::find(&target, progress)?;
    let _lock = workspace::lock("module.lock", progress)?;
    let step = progress.step("building the module");
    let path = target.join("serin.wasm");
    let size = link(&toolchain, &target, &path, &step)?;
    step.done(format!("{} ({size})", path.display()));
    Ok(path)
}

/// Builds the filter of the benches that does nothing and returns its path. It stays as cargo gives it, for that is what a
/// filter on the SDK costs.
///
/// # Errors
/// If there is no compiler for the target, or if it does not compile.
pub(crate) fn build_empty(progress: &Progress) -> Result<PathBuf> {
    let target = workspace::target()?;
    let toolchain = Toolchain::find(&target, progress)?;
    let _lock = workspace::lock("module.lock", progress)?;
    let step = progress.step("building a filter that does nothing");
    compile(&toolchain, EMPTY, &step)?;
    let path = target.join(TARGET).join("guest/serin_bench_empty.wasm");
    step.done(format!("{} ({})", path.display(), summary(&path)?.kib()));
    Ok(path)
}

/// The compiler that modules are built with, as it names itself.
///
/// # Errors
/// If there is none, or if it does not say.
pub(crate) fn compiler(progress: &Progress) -> Result<String> {
    Toolchain::find(&workspace::target()?, progress)?.version().context("the compiler does not say its version")
}

/// Reads what a built module is made of.
pub(crate) fn summary(path: &Path) -> Result<Summary> {
    Summary::of(&read(path)?)
}

/// The host calls that the filter declares, by name.
pub(crate) fn declared_host_calls() -> Result<BTreeSet<String>> {
    host_calls::declared(&workspace::root().join("filter/src/host.rs"))
}

/// What can still trap in the module, which is built.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn traps() -> Result<Vec<Site>> {
    let linked = read(&linked(&workspace::target()?))?;
    Ok(traps::find(&postlink::cut(&linked, &declared_host_calls()?)?))
}

/// The module as the linker gives it, with names.
fn linked(target: &Path) -> PathBuf {
    target.join(TARGET).join("guest/serin.wasm")
}

fn link(toolchain: &Toolchain, target: &Path, path: &Path, step: &Step) -> Result<String> {
    compile(toolchain, PACKAGE, step)?;
    let linked = read(&linked(target))?;
    let wasm = postlink::run(&linked, &declared_host_calls()?)?;
    if fs::read(path).ok().as_ref() != Some(&wasm) {
        let partial = path.with_extension("wasm.partial");
        fs::write(&partial, &wasm).with_context(|| format!("cannot write {}", partial.display()))?;
        fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Summary::of(&wasm)?.kib())
}

/// Runs cargo; the bar counts the packages that are ready, whether compiled now or before.
fn compile(toolchain: &Toolchain, package: &str, step: &Step) -> Result<()> {
    let mut waited_for = workspace::dependencies(package, TARGET)?;
    step.bar(waited_for.len() as u64);
    let json = "--message-format=json-render-diagnostics";
    let mut cargo = toolchain.build(&["--package", package, "--profile", "guest", json])?;
    let count = |line: &str| {
        if built_package(line).is_some_and(|package| waited_for.remove(&package)) {
            step.inc(1);
        }
    };
    step.run_watched(&mut cargo, count, || ())
}

/// The package, as `name@version`, whose library cargo says is ready.
fn built_package(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact" || message["target"]["kind"] == serde_json::json!(["custom-build"]) {
        return None;
    }
    let (place, package) = message["package_id"].as_str()?.split_once('#')?;
    if package.contains('@') {
        return Some(package.to_owned());
    }
    // Cargo leaves the name out where the folder has the same.
    Some(format!("{}@{package}", place.rsplit('/').next()?))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_counted_when_its_library_is_ready() {
        let message = |id: &str, kind: &str| {
            format!(r#"{{"reason":"compiler-artifact","package_id":"{id}","target":{{"kind":["{kind}"]}}}}"#)
        };
        let built = |id, kind| built_package(&message(id, kind));
        assert_eq!(built("registry+index#memchr@2.8.3", "lib").as_deref(), Some("memchr@2.8.3"));
        assert_eq!(built("path+file:///src/core#serin-core@0.1.0", "lib").as_deref(), Some("serin-core@0.1.0"));
        assert_eq!(built("path+file:///src/extra#0.1.0", "lib").as_deref(), Some("extra@0.1.0"));
        assert_eq!(built("registry+index#serde@1.0.0", "custom-build"), None);
        assert_eq!(built_package(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
