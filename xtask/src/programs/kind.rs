//! One kind of program: how it is named, found and told from others.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A kind of program that tests start.
#[derive(Debug)]
pub(super) struct Kind {
    /// What people call it.
    pub(super) title: &'static str,
    /// The environment variable that holds its path.
    pub(super) variable: &'static str,
    /// The names of its executables on the path; the first one is also that of the script in the unpacked folder.
    pub(super) names: &'static [&'static str],
    /// The option that makes it tell its version.
    pub(super) ask: &'static str,
    /// What stands before the version in its answer; one of these.
    pub(super) says: &'static [&'static str],
    /// The executable in its Debian package.
    pub(super) packed: &'static str,
}

/// A program that can be started.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The kind.
    pub(super) kind: &'static Kind,
    /// The executable.
    pub(super) path: PathBuf,
    /// Its version as it reports it itself, such as `1.22.1`.
    pub(super) version: String,
}

impl Program {
    /// The first number of the version.
    pub(super) fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or_default()
    }

    /// Name and version.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.kind.title, self.version)
    }
}

impl Kind {
    /// The program at `value`, which is that of the variable.
    ///
    /// # Errors
    /// If there is another program, or none.
    pub(super) fn named(&'static self, value: Option<&OsStr>) -> Result<Option<Program>> {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
        let path = std::path::absolute(value)?;
        let program = self.identify(&path);
        program.map(Some).with_context(|| format!("{} must name an executable {}", self.variable, self.title))
    }

    /// The programs of this kind in those folders, by the order of its names. What has the name but is another program, or
    /// does not run, is passed over.
    pub(super) fn within(&'static self, folders: &[PathBuf]) -> Vec<Program> {
        let mut seen = Vec::new();
        let paths = self.names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        let new = paths.filter(|path| match path.canonicalize() {
            Ok(file) if file.is_file() && !seen.contains(&file) => {
                seen.push(file);
                true
            }
            _ => false,
        });
        new.filter_map(|path| self.identify(&std::path::absolute(path).ok()?).ok()).collect()
    }

    /// Asks a program which one it is.
    pub(super) fn identify(&'static self, path: &Path) -> Result<Program> {
        let shown = path.display();
        let output = Command::new(path).arg(self.ask).output().with_context(|| format!("cannot run {shown}"))?;
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        match self.version_in(&text) {
            Some(version) => Ok(Program { kind: self, path: path.to_path_buf(), version: version.to_owned() }),
            None => bail!("`{shown} {}` says: {}", self.ask, text.trim().lines().next().unwrap_or_default()),
        }
    }

    /// The version in what the program says of itself.
    fn version_in<'a>(&self, text: &'a str) -> Option<&'a str> {
        let answer = self.says.iter().find_map(|words| text.split_once(words))?.1;
        let version = answer.split_whitespace().next()?;
        version.starts_with(|digit: char| digit.is_ascii_digit()).then_some(version)
    }
}
