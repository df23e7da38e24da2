//! A compiler for `wasm32-wasip1`: the installed one, one that rustup installs, or one from Debian's packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::debian::DebianRust;
use crate::debian;
use crate::progress::Progress;
use crate::workspace;

/// The target that Envoy's hosts run.
pub(crate) const TARGET: &str = "wasm32-wasip1";

/// How long `rustup target add` may take: it fetches about 20 MB, but a network that swallows packets must not stop us.
const RUSTUP_LIMIT: Duration = Duration::from_secs(300);

/// Where the compiler for [`TARGET`] comes from.
pub(crate) enum Toolchain {
    /// The rustc in use has the target.
    Installed,
    /// Debian's rustc, unpacked into the target folder, which builds the standard library along with the crate.
    Debian(DebianRust),
}

impl Toolchain {
    /// Finds a toolchain, or gets one and keeps it below `target`, the workspace's target folder.
    ///
    /// # Errors
    /// If no way works; the message says what was tried and what to install.
    pub(crate) fn find(target: &Path, progress: &Progress) -> Result<Self> {
        if is_installed() {
            return Ok(Self::Installed);
        }
        let _lock = workspace::lock(debian::LOCK, progress)?;
        if let Some(rust) = DebianRust::unpacked(target) {
            return Ok(Self::Debian(rust));
        }
        let step = progress.step(format!("getting a compiler for {TARGET}"));
        let mut rustup = Command::new("rustup");
        let by_rustup =
            step.run_within(rustup.current_dir(workspace::root()).args(["target", "add", TARGET]), RUSTUP_LIMIT);
        let why_not_rustup = match by_rustup {
            Ok(_) if is_installed() => {
                step.done("rustup has installed the target");
                return Ok(Self::Installed);
            }
            Ok(_) => "rustup added the target to another toolchain than the one in use".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        match DebianRust::unpack(target, &step) {
            Ok(rust) => {
                step.done("from Debian's packages, unpacked into the target folder");
                Ok(Self::Debian(rust))
            }
            Err(error) => bail!(none_works(&why_not_rustup, &format!("{error:#}"))),
        }
    }

    /// `cargo build` for [`TARGET`] with these arguments, with the compiler's and the linker's options added.
    ///
    /// # Errors
    /// If cargo cannot say where the sources of libraries are, or if there is no linker.
    pub(crate) fn build(&self, args: &[&str]) -> Result<Command> {
        let mut cargo = cargo("build", args);
        let mut flags = Vec::new();
        for sources in workspace::library_sources()? {
            flags.push(remap(&sources, ""));
        }
        if let Self::Debian(rust) = self {
            rust.compile_with(&mut cargo);
            flags.extend(rust.flags());
            cargo.args(["--config", &format!("target.{TARGET}.linker={:?}", linker()?.display().to_string())]);
        } else {
            cargo.arg("--locked");
        }
        // Adds to the flags in .cargo/config.toml; flags in the environment would replace them.
        cargo.args(["--config", &format!("target.{TARGET}.rustflags={flags:?}")]);
        Ok(cargo)
    }

    /// The compiler's name and version, such as `rustc 1.95.0`, and who built it if that is not the Rust project, since others link
    /// another LLVM and inline otherwise; so does one that builds the standard library along.
    pub(crate) fn version(&self) -> Option<String> {
        match self {
            Self::Installed => rustc_prints(&["--version"]).map(|text| named(&text)),
            Self::Debian(rust) => rust.version().map(|text| format!("{}, library as well", named(&text))),
        }
    }

    /// `cargo clippy` for [`TARGET`] with these arguments; every warning is an error.
    pub(crate) fn clippy(&self, args: &[&str]) -> Command {
        match self {
            Self::Installed => {
                let mut cargo = cargo("clippy", args);
                cargo.args(["--locked", "--", "-D", "warnings"]);
                cargo
            }
            Self::Debian(rust) => {
                let mut cargo = cargo("check", args);
                rust.compile_with(&mut cargo);
                rust.lint_with(&mut cargo);
                cargo
            }
        }
    }
}

/// What `rustc --version` prints, without the commit. Distributions say in further parentheses that it is they; the Rust project
/// has none.
fn named(text: &str) -> String {
    let mut parts = text.trim().split(" (");
    let version = parts.next().unwrap_or_default();
    let builders = parts.filter(|part| !is_commit(part));
    builders.fold(version.to_owned(), |name, builder| format!("{name} ({builder}"))
}

/// Whether it is a hash and a day, as in `59807616e 2026-04-14)`.
fn is_commit(part: &str) -> bool {
    part.split_once(' ').is_some_and(|(hash, day)| {
        hash.chars().all(|digit| digit.is_ascii_hexdigit()) && day.starts_with(|digit: char| digit.is_ascii_digit())
    })
}

/// A compiler option that writes `to` for the path `from`, so that no path of this machine gets into the module.
pub(super) fn remap(from: &Path, to: &str) -> String {
    let separator = if to.is_empty() { "/" } else { "" };
    format!("--remap-path-prefix={}{separator}={to}", from.display())
}

/// Cargo for [`TARGET`], free of flags from the environment: they would replace those in .cargo/config.toml.
fn cargo(subcommand: &str, args: &[&str]) -> Command {
    let mut cargo = workspace::cargo();
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args([subcommand, "--target", TARGET]).args(args);
    cargo
}

/// What rustc prints about itself, or nothing where it cannot be run or does not know the answer.
fn rustc_prints(args: &[&str]) -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).current_dir(workspace::root()).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether the rustc in use has a standard library for [`TARGET`].
fn is_installed() -> bool {
    let folder = rustc_prints(&["--print", "target-libdir", "--target", TARGET]);
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    entries.is_some_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

/// The linker for WebAssembly that comes with the rustc in use.
fn linker() -> Result<PathBuf> {
    let sysroot = rustc_prints(&["--print", "sysroot"]).context("cannot run rustc")?;
    let host = rustc_prints(&["--print", "host-tuple"]).context("cannot ask rustc for its host")?;
    let path = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    if !path.is_file() {
        bail!("there is no linker for WebAssembly: {} is missing; install Rust with rustup", path.display());
    }
    Ok(path)
}

fn none_works(rustup: &str, debian: &str) -> String {
    format!(
        "there is no compiler for {TARGET}. Tried:\n\
         - the rustc in use: it has no standard library for that target\n\
         - rustup target add {TARGET}: {}\n\
         - Debian's packages, unpacked without root: {}\n\
         Install the target (`rustup target add {TARGET}`, or your distribution's package of Rust's standard library \
         for WASI), and run again.",
        indented(rustup),
        indented(debian)
    )
}

fn indented(text: &str) -> String {
    text.trim().replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_of_a_version_are_told_apart_by_who_built_them() {
        for (printed, expected) in [
            ("rustc 1.95.0 (59807616e 2026-04-14)\n", "rustc 1.95.0"),
            ("rustc 1.97.0-nightly (59807616e 2026-05-14)", "rustc 1.97.0-nightly"),
            (
                "rustc 1.95.0 (59807616e 2026-04-14) (built from a source tarball)",
                "rustc 1.95.0 (built from a source tarball)",
            ),
            ("rustc 1.95.0 (59807616e 2026-04-14) (Fedora 1.95.0-1.fc44)", "rustc 1.95.0 (Fedora 1.95.0-1.fc44)"),
            ("rustc 1.95.0 (Debian 1.95.0-1)", "rustc 1.95.0 (Debian 1.95.0-1)"),
        ] {
            assert_eq!(named(printed), expected);
        }
    }
}
