//! Builds the targets: with cargo-fuzz, which has the compiler put in what libFuzzer sees coverage by. But for the one that
//! runs the module: it counts by itself what the module does, and what wasmtime does is of no interest.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Target;
use crate::progress::{Progress, Step};
use crate::{wasm, workspace};

/// The version of cargo-fuzz that is fetched, and its beginning that is taken from the machine.
const CARGO_FUZZ: &str = "0.13.2";
const CARGO_FUZZ_SERIES: &str = "cargo-fuzz 0.13.";

/// What was built.
pub(super) struct Built {
    /// The folder of everything here.
    folder: PathBuf,
    /// The compiler's name of this machine.
    host: String,
    /// The module, for the target that runs it.
    pub(super) module: Option<PathBuf>,
}

impl Built {
    /// Builds what these targets need.
    ///
    /// # Errors
    /// If there is no C++ compiler, or if something cannot be built or fetched.
    pub(super) fn new(targets: &[Target], progress: &Progress) -> Result<Self> {
        check_cpp()?;
        let step = progress.step("libraries of the fuzz targets");
        // cargo-fuzz has no `--locked`.
        let mut locked = workspace::cargo();
        locked.args(["metadata", "--locked", "--quiet", "--format-version", "1", "--manifest-path", "fuzz/Cargo.toml"]);
        step.run(&mut locked)?;
        step.done("");
        let runs_module = targets.iter().any(|target| target.runs_module());
        let module = if runs_module { Some(wasm::build(progress)?) } else { None };
        let built = Self { folder: super::folder(&[])?, host: host()?, module };
        if targets.iter().any(|target| !target.runs_module()) {
            let cargo_fuzz = cargo_fuzz(progress)?;
            let step = progress.step("building the fuzz targets");
            // Stable compilers only lack the name of what cargo-fuzz asks for.
            let options = ["build", "--sanitizer", "none", "--release", "--target-dir"];
            let mut build = Command::new(cargo_fuzz);
            build.args(options).arg(&built.folder).current_dir(workspace::root()).env("RUSTC_BOOTSTRAP", "1");
            step.run(&mut build)?;
            step.done("");
        }
        if runs_module {
            built.build_with_wasmtime(&progress.step("building the fuzz target that runs the module"))?;
        }
        Ok(built)
    }

    fn build_with_wasmtime(&self, step: &Step) -> Result<()> {
        let mut build = workspace::cargo();
        build.args(["build", "--locked", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]);
        build.arg(&self.folder).args(["--features", "module", "--bin", Target::Request.name()]);
        step.run(&mut build)?;
        Ok(())
    }

    /// The binary of a target.
    pub(super) fn binary(&self, target: Target) -> PathBuf {
        let profile = if target.runs_module() { self.folder.clone() } else { self.folder.join(&self.host) };
        profile.join("release").join(target.name())
    }
}

/// Whether this machine can build the targets; what can be fetched is.
///
/// # Errors
/// If there is no C++ compiler, or cargo-fuzz is not to be had.
pub(super) fn check(progress: &Progress) -> Result<()> {
    check_cpp()?;
    cargo_fuzz(progress).map(|_| ())
}

/// cargo-fuzz of this machine, or the one that is fetched once.
fn cargo_fuzz(progress: &Progress) -> Result<PathBuf> {
    let of_machine = PathBuf::from("cargo-fuzz");
    if version(&of_machine).is_some_and(|version| version.starts_with(CARGO_FUZZ_SERIES)) {
        return Ok(of_machine);
    }
    let root = workspace::target()?.join("tools").join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let fetched = root.join("bin/cargo-fuzz");
    let _lock = workspace::lock("cargo-fuzz.lock", progress)?;
    if version(&fetched).is_none() {
        let step = progress.step(format!("fetching cargo-fuzz {CARGO_FUZZ}"));
        let mut install = workspace::cargo();
        install.args([
            "install",
            "--locked",
            "--quiet",
            "cargo-fuzz",
            "--version",
            &format!("={CARGO_FUZZ}"),
            "--root",
        ]);
        step.run(install.arg(&root)).context("cargo-fuzz is needed; `cargo install cargo-fuzz` gets it, too")?;
        step.done("");
    }
    Ok(fetched)
}

fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// libFuzzer is built of its sources, which are C++.
fn check_cpp() -> Result<()> {
    let compiler = std::env::var("CXX").ok().filter(|compiler| !compiler.trim().is_empty());
    let compiler = compiler.unwrap_or_else(|| "c++".to_owned());
    // As its build takes it: a path, which may have spaces, or words, as in `ccache g++`.
    let words = if Path::new(&compiler).exists() { vec![&*compiler] } else { compiler.split_whitespace().collect() };
    let mut asked = Command::new(words[0]);
    if asked.args(&words[1..]).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    bail!(
        "there is no C++ compiler, which libFuzzer is built with: `{compiler} --version` does not run. Install g++ or clang \
         (Debian and Ubuntu: `apt-get install g++`), or set CXX to one"
    )
}

/// The target that the compiler builds for where none is named, as cargo-fuzz asks for it by name.
fn host() -> Result<String> {
    let output =
        Command::new("rustc").arg("-vV").current_dir(workspace::root()).output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}
