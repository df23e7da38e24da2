//! The few questions to apt that need no root: which versions there are, what they depend on, and downloads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::Step;

/// Packages that have the version of the compiler.
const OF_THE_COMPILER: [&str; 4] = ["rustc-web", "libstd-rust-web-dev", "rust-web-src", "rust-web-clippy"];
/// The C library for WASI, which has a version of its own.
const WASI_LIBC: &str = "wasi-libc";
/// The oldest compiler that this workspace builds with.
const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");

/// apt with one of two indexes.
pub(super) struct Apt {
    options: Vec<String>,
}

impl Apt {
    /// apt as this machine has it set up.
    pub(super) fn of_the_machine() -> Self {
        Self { options: Vec::new() }
    }

    /// apt with the machine's sources, and an index of its own below `tools` that is brought up to date now.
    pub(super) fn with_own_index(tools: &Path, step: &Step) -> Result<Self> {
        let mut options = Vec::new();
        for (option, folder) in [("Dir::State::Lists", "index/lists"), ("Dir::Cache", "index/cache")] {
            let folder = tools.join(folder);
            fs::create_dir_all(folder.join("partial"))?;
            fs::create_dir_all(folder.join("archives/partial"))?;
            options.extend(["-o".to_owned(), format!("{option}={}", folder.display())]);
        }
        let apt = Self { options };
        step.run(&mut apt.command("apt-get", &["update"]))?;
        Ok(apt)
    }

    /// Downloads the compiler, its sources and its libraries into `folder`, and returns the files.
    pub(super) fn download(&self, folder: &Path, step: &Step) -> Result<Vec<PathBuf>> {
        let packages = self.packages(step)?;
        let wanted: Vec<String> = packages.iter().map(|(name, version)| format!("{name}={version}")).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        step.run(self.command("apt-get", &["download"]).args(&wanted).current_dir(folder))?;
        packages.iter().map(|(name, version)| file_of(folder, name, version)).collect()
    }

    /// Names and versions of everything that has to be unpacked.
    fn packages(&self, step: &Step) -> Result<BTreeMap<String, String>> {
        let version = field(&self.show(OF_THE_COMPILER[0], step)?, "Version")?;
        if !new_enough(&version) {
            bail!("the package index knows rustc-web {version}; {RUST_VERSION} or newer is needed");
        }
        let mut packages = BTreeMap::new();
        for name in OF_THE_COMPILER {
            packages.insert(name.to_owned(), version.clone());
        }
        packages.insert(WASI_LIBC.to_owned(), field(&self.show(WASI_LIBC, step)?, "Version")?);
        let library = self.compiler_library(&version, step)?;
        packages.extend(self.missing_for(&format!("{library}={version}"), step)?);
        packages.insert(library, version);
        Ok(packages)
    }

    /// The package that holds the compiler itself, as a library that is named after its version.
    fn compiler_library(&self, version: &str, step: &Step) -> Result<String> {
        let depends = field(&self.show(&format!("libstd-rust-web-dev={version}"), step)?, "Depends")?;
        let mut names = depends.split([',', '|']).filter_map(|dependency| dependency.split_whitespace().next());
        let library = names.find(|name| name.starts_with("libstd-rust-web-"));
        library.map(str::to_owned).with_context(|| format!("libstd-rust-web-dev depends on no compiler: {depends}"))
    }

    /// What apt would install beside that package: libraries that this machine lacks.
    fn missing_for(&self, package: &str, step: &Step) -> Result<Vec<(String, String)>> {
        let mut simulate = self.command("apt-get", &["--simulate", "--no-install-recommends", "install", package]);
        Ok(planned(&step.run(&mut simulate)?))
    }

    fn show(&self, package: &str, step: &Step) -> Result<String> {
        step.run(&mut self.command("apt-cache", &["show", "--no-all-versions", package]))
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").args(&self.options).args(args);
        command
    }
}

/// Whether rustc of that version, as Debian or rustc itself writes it, can build this workspace.
pub(super) fn new_enough(version: &str) -> bool {
    let minor = |version: &str| {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    minor(version) >= minor(RUST_VERSION)
}

/// The value of a field in what apt-cache shows of a package.
fn field(shown: &str, name: &str) -> Result<String> {
    let value = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned()).with_context(|| format!("apt-cache shows no {name} in:\n{shown}"))
}

/// Names and versions in the plan of a simulated installation: `Inst name [old version] (version suite [arch])`.
fn planned(plan: &str) -> Vec<(String, String)> {
    let package = |line: &str| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
        let version = rest.split_once('(')?.1.split_whitespace().next()?;
        Some((name.to_owned(), version.to_owned()))
    };
    plan.lines().filter_map(package).collect()
}

/// The file that `apt-get download` has written for a package: `name_version_arch.deb`.
fn file_of(folder: &Path, name: &str, version: &str) -> Result<PathBuf> {
    let start = format!("{name}_{}_", version.replace(':', "%3a"));
    let mut entries = fs::read_dir(folder)?.flatten();
    let file = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(&start));
    file.map(|entry| entry.path()).with_context(|| format!("apt-get left no {start}*.deb in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_packages_and_versions() {
        let plan = "Reading package lists...\n\
                    Inst libllvm22 (1:22.1.8-1~deb12u1 Debian-Security:12/oldstable-security [amd64])\n\
                    Inst zlib1g [1:1.2.11] (1:1.2.13 Debian:12/stable [amd64])\n\
                    Conf libllvm22 (1:22.1.8-1~deb12u1 Debian-Security:12/oldstable-security [amd64])\n";
        let expected = [("libllvm22", "1:22.1.8-1~deb12u1"), ("zlib1g", "1:1.2.13")];
        assert_eq!(planned(plan), expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let shown = "Package: rustc-web\nVersion: 1.96.0+dfsg1-1\nDepends: libc6 (>= 2.34), gcc\n";
        assert_eq!(field(shown, "Version").unwrap(), "1.96.0+dfsg1-1");
        assert!(field(shown, "Vers").is_err());
    }

    #[test]
    fn an_old_compiler_is_not_taken() {
        assert!(new_enough(RUST_VERSION));
        assert!(new_enough("99.0.0+dfsg1-1~deb12u2"));
        assert!(new_enough("99.0.0 (0123456789 2099-01-01) (built from a source tarball)\n"));
        assert!(!new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!new_enough("unknown"));
    }
}
