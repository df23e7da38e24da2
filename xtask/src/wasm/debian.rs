//! Debian's Rust compiler with its sources and a C library for WASI, unpacked into the target folder without root.
//!
//! The packages of the compiler that Debian keeps current for its browsers (`rustc-web`) come without a standard library
//! for WASI, so cargo builds that from the sources of the very same version. apt checks what it downloads against its
//! signed index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::toolchain::remap;
use crate::debian::{self, Apt, Debian, Packages};
use crate::progress::Step;

/// The name of the set of packages.
const SET: &str = "rust";
/// Packages that have the version of the compiler.
const OF_THE_COMPILER: [&str; 4] = ["rustc-web", "libstd-rust-web-dev", "rust-web-src", "rust-web-clippy"];
/// The C library for WASI, which has a version of its own.
const WASI_LIBC: &str = "wasi-libc";
/// The oldest compiler that this workspace builds with.
const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");

/// Flags of clippy in the form that its driver reads from the environment.
const DENY_WARNINGS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// The unpacked packages.
pub(crate) struct DebianRust {
    /// Holds `bin/` with the wrappers, and `usr/` from the packages.
    folder: PathBuf,
}

impl DebianRust {
    /// What an earlier run has unpacked below `target`, if it can build this workspace.
    pub(super) fn unpacked(target: &Path) -> Option<Self> {
        let rust = Self { folder: debian::tools(target).join(SET) };
        let text = rust.version()?;
        new_enough(text.strip_prefix("rustc ")?).then_some(rust)
    }

    /// Downloads and unpacks the packages below `target`.
    ///
    /// # Errors
    /// If this is no Debian, or if its packages are too old or not to be had.
    pub(super) fn unpack(target: &Path, step: &Step) -> Result<Self> {
        let complete = |folder: &Path| {
            drop_unused_sources(folder)?;
            ["rustc", "clippy-driver"]
                .into_iter()
                .try_for_each(|program| debian::write_wrapper(folder, program, &format!("usr/bin/{program}"), ""))
        };
        Ok(Self { folder: Debian::of_the_machine(target)?.unpack(SET, step, packages, complete)? })
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

/// Names and versions of everything that has to be unpacked.
fn packages(apt: &Apt, step: &Step) -> Result<Packages> {
    let version = apt.field(OF_THE_COMPILER[0], "Version", step)?;
    if !new_enough(&version) {
        bail!("the package index knows rustc-web {version}; {RUST_VERSION} or newer is needed");
    }
    let mut packages = Packages::new();
    for name in OF_THE_COMPILER {
        packages.insert(name.to_owned(), version.clone());
    }
    packages.insert(WASI_LIBC.to_owned(), apt.field(WASI_LIBC, "Version", step)?);
    let library = compiler_library(apt, &version, step)?;
    packages.extend(apt.with_missing(&[&format!("{library}={version}")], step)?);
    Ok(packages)
}

/// The package that holds the compiler itself, as a library that is named after its version.
fn compiler_library(apt: &Apt, version: &str, step: &Step) -> Result<String> {
    let depends = apt.field(&format!("libstd-rust-web-dev={version}"), "Depends", step)?;
    let mut names = depends.split([',', '|']).filter_map(|dependency| dependency.split_whitespace().next());
    let library = names.find(|name| name.starts_with("libstd-rust-web-"));
    library.map(str::to_owned).with_context(|| format!("libstd-rust-web-dev depends on no compiler: {depends}"))
}

/// Whether rustc of that version, as Debian or rustc itself writes it, can build this workspace.
fn new_enough(version: &str) -> bool {
    let minor = |version: &str| {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    minor(version) >= minor(RUST_VERSION)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_compiler_is_not_taken() {
        assert!(new_enough(RUST_VERSION));
        assert!(new_enough("99.0.0+dfsg1-1~deb12u2"));
        assert!(new_enough("99.0.0 (0123456789 2099-01-01) (built from a source tarball)\n"));
        assert!(!new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!new_enough("unknown"));
    }
}
