//! Debian's Rust compiler with its sources and a C library for WASI, unpacked into the target folder without root.
//!
//! The packages of the compiler that Debian keeps current for its browsers (`rustc-web`) come without a standard library
//! for WASI, so cargo builds that from the sources of the very same version. apt checks what it downloads against its
//! signed index.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt::{self, Apt};
use super::toolchain::remap;
use crate::progress::Step;

/// Flags of clippy in the form that its driver reads from the environment.
const DENY_WARNINGS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// Folder for what is downloaded and not yet unpacked.
const DOWNLOADS: &str = "debs";

/// The unpacked packages.
pub(crate) struct DebianRust {
    /// Holds `bin/` with the wrappers, and `usr/` from the packages.
    folder: PathBuf,
}

impl DebianRust {
    /// What an earlier run has unpacked below `target`, if it can build this workspace.
    pub(super) fn unpacked(target: &Path) -> Option<Self> {
        let rust = Self { folder: tools(target).join("rust") };
        let text = rust.version()?;
        apt::new_enough(text.strip_prefix("rustc ")?).then_some(rust)
    }

    /// Downloads and unpacks the packages below `target`. What a run has downloaded that was stopped is kept for the next.
    ///
    /// # Errors
    /// If this is no Debian, or if its packages are too old or not to be had.
    pub(super) fn unpack(target: &Path, step: &Step) -> Result<Self> {
        for program in ["apt-get", "apt-cache", "dpkg"] {
            if Command::new(program).arg("--version").output().is_err() {
                bail!("there is no {program}: this machine is not a Debian");
            }
        }
        let tools = tools(target);
        let packages = download(&tools, step)?;
        let partial = tools.join("rust.partial");
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir_all(partial.join("bin"))?;
        for package in &packages {
            step.run(Command::new("dpkg").arg("-x").arg(package).arg(&partial))?;
        }
        drop_unused_sources(&partial)?;
        for program in ["rustc", "clippy-driver"] {
            write_wrapper(&partial, program)?;
        }
        let folder = tools.join("rust");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::rename(&partial, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
        fs::remove_dir_all(tools.join(DOWNLOADS))?;
        Ok(Self { folder })
    }

    /// What its compiler says of itself.
    pub(super) fn version(&self) -> Option<String> {
        let output = Command::new(self.folder.join("bin/rustc")).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Makes cargo use this compiler, and build the standard library with it.
    pub(super) fn compile_with(&self, cargo: &mut Command) {
        // The option of cargo and the sources of the standard library are for nightly compilers; this lifts the gate.
        cargo.env("RUSTC", self.folder.join("bin/rustc")).env("RUSTC_BOOTSTRAP", "1");
        cargo.arg("-Zbuild-std=std,panic_abort");
        // What a request runs of the standard library is generic and so built with the filter; the rest need not be fast.
        for part in ["core", "alloc", "std"] {
            cargo.args(["--config", &format!("profile.guest.package.{part}.opt-level=\"s\"")]);
        }
    }

    /// Makes `cargo check` lint as `cargo clippy` does, with a driver that belongs to this compiler.
    pub(super) fn lint_with(&self, cargo: &mut Command) {
        cargo.env("RUSTC_WORKSPACE_WRAPPER", self.folder.join("bin/clippy-driver")).env("CLIPPY_ARGS", DENY_WARNINGS);
    }

    /// Compiler options: the C library from the packages instead of rustc's own, and no paths of this machine.
    pub(super) fn flags(&self) -> Vec<String> {
        vec![
            "-Clink-self-contained=no".to_owned(),
            format!("-Lnative={}", self.folder.join("usr/lib/wasm32-wasi").display()),
            remap(&self.folder.join("usr/lib/rustlib/src/rust"), "rust"),
        ]
    }
}

fn tools(target: &Path) -> PathBuf {
    target.join("tools/debian")
}

/// Downloads with the machine's package index, or, where that is missing or out of date, with a fresh one of our own.
fn download(tools: &Path, step: &Step) -> Result<Vec<PathBuf>> {
    let debs = tools.join(DOWNLOADS);
    fs::create_dir_all(&debs).with_context(|| format!("cannot create {}", debs.display()))?;
    Apt::of_the_machine().download(&debs, step).or_else(|first| {
        let again = || -> Result<Vec<PathBuf>> { Apt::with_own_index(tools, step)?.download(&debs, step) };
        again().with_context(|| format!("with the machine's package index: {first:#}; with a fresh one"))
    })
}

/// Of the compiler's sources only the standard library is needed; the rest is several hundred megabytes.
fn drop_unused_sources(folder: &Path) -> Result<()> {
    let sources = folder.join("usr/lib/rustlib/src/rust");
    for part in ["compiler", "src"] {
        let part = sources.join(part);
        if part.is_dir() {
            fs::remove_dir_all(&part).with_context(|| format!("cannot remove {}", part.display()))?;
        }
    }
    if !sources.join("library/std").is_dir() {
        bail!("the packages hold no source of the standard library at {}", sources.display());
    }
    Ok(())
}

/// A program of the packages needs their libraries. It finds its own place, since the folder is renamed at the end.
fn write_wrapper(folder: &Path, program: &str) -> Result<()> {
    let script = format!(
        "#!/bin/sh\n\
         root=$(dirname \"$0\")/..\n\
         for libraries in \"$root\"/usr/lib/*-linux-gnu \"$root\"/lib/*-linux-gnu; do\n\
         \x20 LD_LIBRARY_PATH=$libraries${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n\
         done\n\
         export LD_LIBRARY_PATH\n\
         exec \"$root/usr/bin/{program}\" \"$@\"\n"
    );
    let path = folder.join("bin").join(program);
    fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::set_permissions(&path, Permissions::from_mode(0o755))?)
}
