//! Debian's packages, unpacked into the target folder without root: each set into a folder of its own, whose programs run
//! through small scripts.
//!
//! apt checks what it downloads against its signed index.

mod apt;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use self::apt::{Apt, Packages};
use crate::progress::Step;

/// Where sets are unpacked, each into the folder below that has its name.
pub(crate) fn tools(target: &Path) -> PathBuf {
    target.join("tools/debian")
}

/// What gets packages on this machine.
pub(crate) struct Debian {
    tools: PathBuf,
    apt: Apt,
    /// Whether an index of our own was asked for already.
    tried_own_index: bool,
}

impl Debian {
    /// Gets packages and keeps them below `target`, the workspace's target folder. Hold the lock [`LOCK`] meanwhile.
    ///
    /// # Errors
    /// If this is no Debian.
    pub(crate) fn of_the_machine(target: &Path) -> Result<Self> {
        for program in ["apt-get", "apt-cache", "dpkg"] {
            if Command::new(program).arg("--version").output().is_err() {
                bail!("there is no {program}: this machine is not a Debian");
            }
        }
        Ok(Self { tools: tools(target), apt: Apt::of_the_machine(), tried_own_index: false })
    }

    /// Downloads the packages that `choose` names, unpacks them into the folder of the set, which is made anew, and returns
    /// that. The folder has its final name as soon as `complete` is through with it. What a run has downloaded that was
    /// stopped is kept for the next.
    ///
    /// # Errors
    /// If `choose` or `complete` fails, or if the packages are not to be had.
    pub(crate) fn unpack(
        &mut self,
        set: &str,
        step: &Step,
        choose: impl Fn(&Apt, &Step) -> Result<Packages>,
        complete: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let downloads = self.tools.join(format!("{set}.debs"));
        let packages = self.download(&downloads, step, choose)?;
        let partial = self.tools.join(format!("{set}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir_all(partial.join("bin"))?;
        for package in &packages {
            step.run(Command::new("dpkg").arg("-x").arg(package).arg(&partial))?;
        }
        complete(&partial)?;
        let folder = self.tools.join(set);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::rename(&partial, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
        fs::remove_dir_all(downloads)?;
        Ok(folder)
    }

    /// Downloads with the machine's package index, or, where that is missing or out of date, with a fresh one of our own,
    /// which later sets use, too.
    fn download(
        &mut self,
        folder: &Path,
        step: &Step,
        choose: impl Fn(&Apt, &Step) -> Result<Packages>,
    ) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let with = |apt: &Apt| {
            let chosen = choose(apt, step);
            chosen.and_then(|packages| apt.download(&packages, folder, step)).map_err(|error| apt.explain(error))
        };
        match with(&self.apt) {
            Err(first) if !self.tried_own_index => {
                self.tried_own_index = true;
                let again = Apt::with_own_index(&self.tools, step).and_then(|apt| {
                    self.apt = apt;
                    with(&self.apt)
                });
                again.with_context(|| format!("with the machine's package index: {first:#}; with a fresh one"))
            }
            result => result,
        }
    }
}

/// The name of the lock: one run at a time gets packages.
pub(crate) const LOCK: &str = "debian.lock";

/// Writes a script `bin/<name>` into the folder of a set, which runs its `program` with the libraries of the packages, after
/// the lines of shell in `setup`. It finds its own place, since the folder is renamed at the end; `$root` is the folder.
pub(crate) fn write_wrapper(folder: &Path, name: &str, program: &str, setup: &str) -> Result<()> {
    let script = format!(
        "#!/bin/sh\n\
         root=$(cd \"$(dirname \"$0\")/..\" && pwd)\n\
         for libraries in \"$root\"/usr/lib/*-linux-gnu \"$root\"/lib/*-linux-gnu; do\n\
         \x20 LD_LIBRARY_PATH=$libraries${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n\
         done\n\
         export LD_LIBRARY_PATH\n\
         {setup}exec \"$root/{program}\" \"$@\"\n"
    );
    let path = folder.join("bin").join(name);
    fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::set_permissions(&path, Permissions::from_mode(0o755))?)
}
