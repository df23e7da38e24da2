//! Programs that come together, and where they come from.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::kind::{Kind, Program};
use crate::debian::{self, Apt, Debian};
use crate::progress::Step;

/// Kinds of programs that come together, since their versions must fit.
#[derive(Debug)]
pub(super) struct Group {
    /// What people call it.
    pub(super) title: &'static str,
    /// The kinds.
    pub(super) kinds: &'static [Kind],
    /// The packages of Debian that hold the programs, and what they need beyond what packages depend on.
    pub(super) packages: &'static [&'static str],
    /// The folder of the unpacked packages.
    pub(super) set: &'static str,
    /// A file that is written into that folder, by name, and lines of shell that have the programs use it.
    pub(super) extra: Option<Extra>,
    /// How to install it.
    pub(super) install: &'static str,
    /// What is left out without it.
    pub(super) needed_for: &'static str,
}

/// What unpacked programs need beside the packages.
#[derive(Debug)]
pub(super) struct Extra {
    /// The name of the file.
    pub(super) file: &'static str,
    /// What is in it.
    pub(super) text: &'static str,
    /// Shell that comes before the program.
    pub(super) setup: &'static str,
}

/// One program of each kind where it is known which, in the order of the kinds.
pub(super) type Chosen = Vec<Option<Program>>;

impl Group {
    /// The programs that variables name.
    ///
    /// # Errors
    /// If a variable names something else, or if all are named and do not fit.
    pub(super) fn named(&'static self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Chosen> {
        let named = self.kinds.iter().map(|kind| kind.named(variable(kind.variable).as_deref()));
        let named: Chosen = named.collect::<Result<_>>()?;
        let all: Option<Vec<Program>> = named.iter().cloned().collect();
        match all {
            Some(all) if fitting(&one_each(&all)).is_none() => {
                let named: Vec<String> =
                    all.iter().map(|program| format!("{} names {}", program.kind.variable, program.shown())).collect();
                bail!("{}: the first numbers of their versions must be the same", named.join(", "))
            }
            _ => Ok(named),
        }
    }

    /// The programs that are in `folders`, with those that are named in their places.
    pub(super) fn within(&'static self, folders: &[PathBuf], named: &Chosen) -> Option<Vec<Program>> {
        self.complete(named, |kind| kind.within(folders))
    }

    /// The programs that an earlier run has unpacked below `target`, with those that are named in their places.
    pub(super) fn unpacked(&'static self, target: &Path, named: &Chosen) -> Option<Vec<Program>> {
        self.within(&[self.bin(target)], named)
    }

    /// The programs from Debian's packages, with those that are named in their places. The packages are downloaded unless
    /// programs that run were unpacked already: those would come again.
    ///
    /// # Errors
    /// If the packages are not to be had, if the programs do not run, or if they do not fit those that are named.
    pub(super) fn unpack(
        &'static self,
        debian: &mut Debian,
        target: &Path,
        named: &Chosen,
        step: &Step,
    ) -> Result<Vec<Program>> {
        if self.unpacked(target, &vec![None; self.kinds.len()]).is_none() {
            let choose = |apt: &Apt, step: &Step| apt.with_missing(self.packages, step);
            debian.unpack(self.set, step, choose, |folder| self.finish(folder))?;
        }
        self.unpacked(target, named).with_context(|| {
            let bin = self.bin(target);
            let theirs = self.kinds.iter().flat_map(|kind| kind.within(std::slice::from_ref(&bin)));
            let theirs: Vec<String> = theirs.map(|program| program.shown()).collect();
            let named: Vec<String> = named.iter().flatten().map(Program::shown).collect();
            format!("{} in {} does not go with {}", theirs.join(", "), bin.display(), named.join(", "))
        })
    }

    fn bin(&self, target: &Path) -> PathBuf {
        debian::tools(target).join(self.set).join("bin")
    }

    /// Makes unpacked programs fit to run, and sees that they do.
    fn finish(&'static self, folder: &Path) -> Result<()> {
        if let Some(extra) = &self.extra {
            let path = folder.join(extra.file);
            std::fs::write(&path, extra.text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let setup = self.extra.as_ref().map_or("", |extra| extra.setup);
        for kind in self.kinds {
            let name = kind.names.first().context("a kind without a name")?;
            debian::write_wrapper(folder, name, kind.packed, setup)?;
            kind.identify(&folder.join("bin").join(name)).context("the unpacked program does not run")?;
        }
        Ok(())
    }

    /// The first programs on offer that fit each other and those that are named.
    fn complete(&'static self, named: &Chosen, offer: impl Fn(&'static Kind) -> Vec<Program>) -> Option<Vec<Program>> {
        let each = self.kinds.iter().zip(named);
        let each = each.map(|(kind, named)| named.clone().map_or_else(|| offer(kind), |program| vec![program]));
        fitting(&each.collect::<Vec<_>>())
    }
}

/// The first choice of one program of each kind whose versions begin with the same number.
fn fitting(kinds: &[Vec<Program>]) -> Option<Vec<Program>> {
    let (first, others) = kinds.split_first()?;
    first.iter().find_map(|program| {
        let fits = |kind: &Vec<Program>| kind.iter().find(|other| other.major() == program.major()).cloned();
        std::iter::once(Some(program.clone())).chain(others.iter().map(fits)).collect()
    })
}

fn one_each(programs: &[Program]) -> Vec<Vec<Program>> {
    programs.iter().map(|program| vec![program.clone()]).collect()
}
