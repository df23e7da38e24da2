//! Scenarios: a configuration, requests and pushes, and what has to come of them, in a file that runs in this host and in
//! a real Envoy alike.
//!
//! A [`Scenario`] is read from YAML. A host that runs it gives an [`Outcome`]: a list of facts for each step, such as
//! `status`, `cluster` or `response.cache-control`. [`Scenario::difference`] holds an outcome against what the file expects,
//! and [`Scenario::compare`] the outcomes of two hosts against each other.

mod check;
mod compare;
mod defaults;
mod expected;
mod file;
mod jar;
mod moment;
mod outcome;
mod replay;
mod run;
mod step;
mod structs;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::routes::RouteTable;
use defaults::Defaults;

pub use compare::Difference;
pub use expected::{Expected, Pattern};
pub use jar::Jar;
pub use outcome::{Answer, Exchanged, Facts, Outcome, Sighting};
pub(crate) use replay::{Past, REMEMBERED};
pub use run::{PATIENCE, Setting};
pub use step::{Client, Expectation, Level, LogExpectation, PushStep, Request, RequestStep, Step, Upstream};
pub use text::{Body, Bytes, Headers};

/// A scenario as its file has it, with what the file leaves out filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file it came from; empty if it came from none.
    pub file: PathBuf,
    /// The clock when it was read, or the one that it asks for, since the Unix epoch.
    pub now: Duration,
    /// Whether it asks for that clock. A host that cannot set its clock runs it with its own.
    pub is_dated: bool,
    /// What it shows, in a sentence.
    pub about: String,
    /// The name of the module that it is for; `None` is the runner's own.
    pub module: Option<String>,
    /// The plugin.
    pub plugin: Plugin,
    /// What the plugin is configured with.
    pub configuration: Configuration,
    /// How a configuration that is a mapping travels.
    pub form: Form,
    /// The direction of the listener.
    pub direction: Option<Direction>,
    /// How many workers it needs.
    pub workers: Workers,
    /// The versions of HTTP that its client speaks, one after the other.
    pub http: Vec<Http>,
    /// The hosts that it is for.
    pub hosts: Vec<Host>,
    /// Request headers that the connection manager removes before any route is chosen and any filter runs.
    pub strip: Vec<String>,
    /// Clusters and routes.
    pub routes: RouteTable,
    /// Cookies that are random: what each must look like wherever it is set. The hosts are not held against each other there.
    pub cookies: BTreeMap<String, Expected>,
    /// What has to come of the first configuration.
    pub expect: Expectation,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A plugin, as Envoy's configuration names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    /// Its name; by default that of the file.
    pub name: String,
    /// Its root id; by default its name, which tells its lines in Envoy's log from those of others.
    pub root_id: String,
    /// The id of its VM; `None` leaves it to the runner.
    pub vm_id: Option<String>,
    /// The environment of its VM.
    pub environment: BTreeMap<String, String>,
    /// Whether requests pass by it, but for those of a route that switches it on.
    pub disabled: bool,
}

/// What a plugin is configured with.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Configuration {
    /// Nothing at all.
    #[default]
    None,
    /// A mapping.
    Mapping(Value),
    /// A text, JSON or not.
    Text(String),
    /// Bytes that need not be a text; only of the first configuration.
    Bytes(Bytes),
}

/// How a mapping travels to the plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As a `google.protobuf.Struct`, which the plugin gets in a form that Envoy chooses.
    #[default]
    Struct,
    /// As JSON in a `google.protobuf.StringValue`, as Istio sends it.
    Text,
}

/// The direction of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the workload beside the proxy.
    Inbound,
    /// From it.
    Outbound,
}

/// How many workers a scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// So many or more.
    AtLeast(usize),
    /// Just so many.
    Exactly(usize),
}

impl Workers {
    /// The number to run with where a host would have `wanted` of them; `None` if that is not the scenario.
    pub fn within(self, wanted: usize) -> Option<usize> {
        match self {
            Self::AtLeast(number) => Some(wanted).filter(|wanted| *wanted >= number),
            Self::Exactly(number) => Some(wanted).filter(|wanted| *wanted == number),
        }
    }

    /// The smallest number.
    pub fn fewest(self) -> usize {
        match self {
            Self::AtLeast(number) | Self::Exactly(number) => number,
        }
    }
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

/// A host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// This one.
    Wasmtime,
    /// A real Envoy.
    Envoy,
}

impl Scenario {
    /// Reads a file. `{now}`, `{unix}` and `{day}`, each with a distance such as `{now-10m}`, stand for the time of day in
    /// RFC 3339, in seconds and in days since 1970. Clusters and routes of a file that names none are those of
    /// `defaults.yaml` in its folder or in the one above; without such a file, one cluster that gets all requests.
    ///
    /// # Errors
    /// If it cannot be read or is no scenario; the message names file, line, and what was expected.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_with(path, &Defaults::of(path)?)
    }

    fn load_with(path: &Path, defaults: &Defaults) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
        let scenario = Self::parse_with(&text, &name, now, defaults).with_context(|| format!("{}", path.display()))?;
        Ok(Self { file: path.to_path_buf(), ..scenario })
    }

    /// Reads the text of a file of this name at this time, since the Unix epoch. Where it names no clusters and routes, one
    /// cluster gets all requests.
    ///
    /// # Errors
    /// If it is no scenario.
    pub fn parse(text: &str, name: &str, now: Duration) -> Result<Self> {
        Self::parse_with(text, name, now, &Defaults::default())
    }

    fn parse_with(text: &str, name: &str, now: Duration, defaults: &Defaults) -> Result<Self> {
        let text = moment::fill_in(text, now)?;
        let file: file::ScenarioFile = serde_saphyr::from_str(&text).map_err(|error| anyhow!("{error}"))?;
        let scenario = file.into_scenario(name, now, defaults)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// All files below a folder, by path. `defaults.yaml` in it has the clusters and routes of those that name none.
    ///
    /// # Errors
    /// If one of them is no scenario, or if two have the same plugin name.
    pub fn load_all(folder: &Path) -> Result<Vec<Self>> {
        let mut scenarios: Vec<Self> = Vec::new();
        let defaults = Defaults::in_folder(folder)?;
        for path in files(folder)? {
            let scenario = match &defaults {
                Some(defaults) => Self::load_with(&path, defaults)?,
                None => Self::load(&path)?,
            };
            let twin = scenarios.iter().find(|known| known.plugin.name == scenario.plugin.name);
            if let Some(twin) = twin {
                let (one, other) = (twin.file.display(), path.display());
                anyhow::bail!("{one} and {other} have the same plugin name, {}", twin.plugin.name);
            }
            scenarios.push(scenario);
        }
        Ok(scenarios)
    }

    /// The same scenario as the text of a file.
    ///
    /// # Errors
    /// Never in practice: all that a scenario holds has a form in YAML.
    pub fn to_yaml(&self) -> Result<String> {
        Ok(serde_saphyr::to_string(&file::ScenarioFile::of(self))?)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.as_os_str().is_empty() { f.write_str(&self.plugin.name) } else { self.file.display().fmt(f) }
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if !Defaults::is_file(&path) && path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
