//! The few questions to apt that need no root: which versions there are, what they depend on, and downloads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Error, Result};

use crate::progress::Step;

/// How long apt may take for an index of about 10 MB: a network that swallows packets must not stop us.
const UPDATE_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take for a set of packages, of which the largest has some 200 MB.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(900);

/// Names of packages with their versions.
pub(crate) type Packages = BTreeMap<String, String>;

/// apt with one of two indexes.
pub(crate) struct Apt {
    options: Vec<String>,
    /// Why the index of our own is not complete, if it is not. It may do nonetheless.
    incomplete: Option<String>,
}

impl Apt {
    /// apt as this machine has it set up.
    pub(super) fn of_the_machine() -> Self {
        Self { options: Vec::new(), incomplete: None }
    }

    /// apt with the machine's sources, and an index of its own below `tools` that is brought up to date now.
    pub(super) fn with_own_index(tools: &Path, step: &Step) -> Result<Self> {
        let mut options = vec!["-o".to_owned(), "Acquire::Languages=none".to_owned()];
        for (option, folder) in [("Dir::State::Lists", "index/lists"), ("Dir::Cache", "index/cache")] {
            let folder = tools.join(folder);
            fs::create_dir_all(folder.join("partial"))?;
            fs::create_dir_all(folder.join("archives/partial"))?;
            options.extend(["-o".to_owned(), format!("{option}={}", folder.display())]);
        }
        let mut apt = Self { options, incomplete: None };
        let mut update = apt.command("apt-get", &["-qq", "-o", "APT::Update::Error-Mode=any", "update"]);
        let update = step.run_within(&mut update, UPDATE_LIMIT);
        apt.incomplete = update.err().map(|error| format!("{error:#}"));
        Ok(apt)
    }

    /// The error with what may be behind it.
    pub(super) fn explain(&self, error: Error) -> Error {
        match &self.incomplete {
            Some(why) => error.context(format!("the index is not complete: {why}\nthen")),
            None => error,
        }
    }

    /// Downloads packages into `folder`, and returns the files.
    pub(super) fn download(&self, packages: &Packages, folder: &Path, step: &Step) -> Result<Vec<PathBuf>> {
        let wanted: Vec<String> = packages.iter().map(|(name, version)| format!("{name}={version}")).collect();
        step.run_within(self.command("apt-get", &["download"]).args(&wanted).current_dir(folder), DOWNLOAD_LIMIT)?;
        packages.iter().map(|(name, version)| file_of(folder, name, version)).collect()
    }

    /// Those packages, whether this machine has them or not, and what they need that it lacks.
    pub(crate) fn with_missing(&self, packages: &[&str], step: &Step) -> Result<Packages> {
        let mut simulate = self.command("apt-get", &["-qq", "-o", "APT::Get::Show-User-Simulation-Note=no"]);
        simulate.args(["--simulate", "--reinstall", "--no-install-recommends", "install"]).args(packages);
        Ok(planned(&step.run(&mut simulate)?))
    }

    /// The value of a field of the package's newest version, or of the one in `name=version`.
    pub(crate) fn field(&self, package: &str, name: &str, step: &Step) -> Result<String> {
        field(&step.run(&mut self.command("apt-cache", &["show", "--no-all-versions", package]))?, name)
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").args(["-o", "Acquire::Retries=1"]).args(&self.options).args(args);
        command
    }
}

/// The value of a field in what apt-cache shows of a package.
fn field(shown: &str, name: &str) -> Result<String> {
    let value = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned()).with_context(|| format!("apt-cache shows no {name} in:\n{shown}"))
}

/// Names and versions in the plan of a simulated installation: `Inst name [old version] (version suite [arch])`.
fn planned(plan: &str) -> Packages {
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
        assert_eq!(planned(plan), expected.map(|(name, version)| (name.to_owned(), version.to_owned())).into());
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let shown = "Package: rustc-web\nVersion: 1.96.0+dfsg1-1\nDepends: libc6 (>= 2.34), gcc\n";
        assert_eq!(field(shown, "Version").unwrap(), "1.96.0+dfsg1-1");
        assert!(field(shown, "Vers").is_err());
    }
}
