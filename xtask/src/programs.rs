//! Finds the programs that tests run beside Envoy, or gets them: nginx, Prometheus, and Chromium with its driver.
//!
//! Each is the one that its variable names, or one on the path, or comes from Debian's packages, unpacked into the target
//! folder without root. Where there is none, the tests that need it are skipped, and everybody is told.

mod group;
mod kind;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use self::group::{Chosen, Extra, Group};
use self::kind::{Kind, Program};
use crate::debian::{self, Debian};
use crate::progress::{Progress, Step};
use crate::workspace;

/// The titles of all programs.
pub(crate) const ALL: [&str; 3] = [NGINX, PROMETHEUS, CHROMIUM];
/// What serves the shop.
pub(crate) const NGINX: &str = "nginx";
/// What scrapes Envoy.
pub(crate) const PROMETHEUS: &str = "Prometheus";
const CHROMIUM: &str = "Chromium with ChromeDriver";

/// What tests start.
static GROUPS: [Group; 3] = [
    Group {
        title: NGINX,
        kinds: &[Kind {
            title: "nginx",
            variable: "NGINX",
            names: &["nginx"],
            ask: "-v",
            says: &["nginx version: nginx/"],
            packed: "usr/sbin/nginx",
        }],
        packages: &["nginx"],
        set: "nginx",
        extra: None,
        install: "set NGINX to its path, or install it (Debian, Ubuntu: the package nginx)",
        needed_for: "the shop of manifests/docker-compose, and the tests of the trial",
    },
    Group {
        title: PROMETHEUS,
        kinds: &[
            Kind {
                title: "Prometheus",
                variable: "PROMETHEUS",
                names: &["prometheus"],
                ask: "--version",
                says: &["prometheus, version "],
                packed: "usr/bin/prometheus",
            },
            Kind {
                title: "promtool",
                variable: "PROMTOOL",
                names: &["promtool"],
                ask: "--version",
                says: &["promtool, version "],
                packed: "usr/bin/promtool",
            },
        ],
        packages: &["prometheus"],
        set: "prometheus",
        extra: None,
        install: "set PROMETHEUS and PROMTOOL to the paths of both, or install them (Debian, Ubuntu: the package prometheus)",
        needed_for: "the trial's Prometheus, and the tests of its dashboard and its alerts",
    },
    Group {
        title: CHROMIUM,
        kinds: &[
            Kind {
                title: "Chromium",
                variable: "CHROMIUM",
                names: &["chromium", "google-chrome", "chromium-browser"],
                ask: "--version",
                says: &["Chromium ", "Google Chrome "],
                packed: "usr/lib/chromium/chromium",
            },
            Kind {
                title: "ChromeDriver",
                variable: "CHROMEDRIVER",
                names: &["chromedriver"],
                ask: "--version",
                says: &["ChromeDriver "],
                packed: "usr/bin/chromedriver",
            },
        ],
        packages: &["chromium", "chromium-common", "chromium-driver", "fonts-liberation"],
        set: "chromium",
        extra: Some(Extra {
            file: "fonts.conf",
            text: include_str!("programs/fonts.conf"),
            setup: include_str!("programs/chromium.sh"),
        }),
        install: "set CHROMIUM and CHROMEDRIVER to the paths of both, in versions that begin with the same number, or install \
                  them (Debian: the packages chromium and chromium-driver; Ubuntu: Google's Chrome with its chromedriver)",
        needed_for: "the tests in a browser",
    },
];

/// What was found, and what was not.
#[derive(Default)]
pub(crate) struct Programs {
    found: Vec<Program>,
    missing: Vec<&'static Group>,
}

impl Programs {
    /// Finds the programs of these titles, or gets them. One that is not to be had is reported at once, and is no error.
    ///
    /// # Errors
    /// If a variable names something else than it must, or if the target folder cannot be used.
    pub(crate) fn find(titles: &[&str], progress: &Progress) -> Result<Self> {
        let target = workspace::target()?;
        let mut programs = Self::default();
        let mut absent = Vec::new();
        let step = progress.step(titles.join(", "));
        for group in GROUPS.iter().filter(|group| titles.contains(&group.title)) {
            let named = group.named(|variable| std::env::var_os(variable))?;
            match group.within(&folders(), &named).or_else(|| group.unpacked(&target, &named)) {
                Some(found) => programs.found.extend(found),
                None => absent.push((group, named)),
            }
        }
        step.done(programs.shown(absent.iter().map(|(group, _)| *group)));
        if !absent.is_empty() {
            programs.get(absent, &target, progress)?;
        }
        Ok(programs)
    }

    /// Gets the programs that are absent from Debian.
    fn get(&mut self, absent: Vec<(&'static Group, Chosen)>, target: &Path, progress: &Progress) -> Result<()> {
        let _lock = workspace::lock(debian::LOCK, progress)?;
        let mut debian = Debian::of_the_machine(target);
        for (group, named) in absent {
            let step = progress.step(format!("getting {}", group.title));
            let found = match &mut debian {
                Ok(debian) => group.unpack(debian, target, &named, &step).map_err(|error| format!("{error:#}")),
                Err(error) => Err(format!("{error:#}")),
            };
            match found {
                Ok(found) => {
                    step.done(format!("{}, unpacked into the target folder", list(&found)));
                    self.found.extend(found);
                }
                Err(why) => {
                    missed(step, group, &why);
                    self.missing.push(group);
                }
            }
        }
        Ok(())
    }

    /// Tells a command where the programs are.
    pub(crate) fn tell(&self, command: &mut Command) {
        for kind in GROUPS.iter().flat_map(|group| group.kinds) {
            command.env_remove(kind.variable);
        }
        for program in &self.found {
            command.env(program.kind.variable, &program.path);
        }
    }

    /// The program that this variable would name.
    pub(crate) fn path(&self, variable: &str) -> Option<&Path> {
        self.found.iter().find(|program| program.kind.variable == variable).map(|program| &*program.path)
    }

    /// What is skipped, a line for each program that is missing.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = String> {
        self.missing.iter().map(|group| format!("{}, since {} is missing", group.needed_for, group.title))
    }

    fn shown(&self, absent: impl Iterator<Item = &'static Group>) -> String {
        let absent = absent.map(|group| format!("no {}", group.title));
        self.found.iter().map(Program::shown).chain(absent).collect::<Vec<_>>().join(", ")
    }
}

fn list(programs: &[Program]) -> String {
    programs.iter().map(Program::shown).collect::<Vec<_>>().join(", ")
}

/// Ends a step whose program is not to be had.
fn missed(step: Step, group: &Group, why: &str) {
    let Group { title, install, needed_for, .. } = group;
    step.missed(format!(
        "{title} is not on the path, and not to be had from Debian's packages: {}\n\
         To have it, {install}.\n\
         Left out without it: {needed_for}.",
        why.trim()
    ));
}

/// Where programs are looked for: the path, and what people's paths often lack.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect()
}

#[cfg(test)]
mod tests;
