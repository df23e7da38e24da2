//! Scenarios and their steps as files write them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::expected::Expected;
use super::step::{Expectation, LogExpectation, PushStep, Request, RequestStep, Step, Upstream};
use super::text::{Bytes, seconds};
use super::{Configuration, Defaults, Direction, Form, Host, Http, Plugin, Scenario, Workers};
use crate::routes::{Cluster, Route};

mod expect;

use expect::ExpectFile;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioFile {
    about: String,
    /// Seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(default)]
    plugin: PluginFile,
    #[serde(default, skip_serializing_if = "Configuration::is_none")]
    configuration: Configuration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration_bytes: Option<Bytes>,
    #[serde(default)]
    form: Form,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(default)]
    workers: WorkersFile,
    #[serde(default = "both_versions")]
    http: Vec<u8>,
    #[serde(default = "both_hosts")]
    hosts: Vec<Host>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    strip: Vec<String>,
    #[serde(default)]
    clusters: Option<BTreeMap<String, Cluster>>,
    #[serde(default)]
    routes: Option<Vec<Route>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    cookies: BTreeMap<String, Expected>,
    #[serde(default)]
    expect: Option<ExpectFile>,
    steps: Vec<Step>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct PluginFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vm_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a number of workers, or `exactly` with one")]
enum WorkersFile {
    AtLeast(usize),
    Exactly { exactly: usize },
}

impl Default for WorkersFile {
    fn default() -> Self {
        Self::AtLeast(1)
    }
}

fn both_versions() -> Vec<u8> {
    vec![1, 2]
}

fn both_hosts() -> Vec<Host> {
    vec![Host::Wasmtime, Host::Envoy]
}

impl ScenarioFile {
    pub(super) fn into_scenario(self, name: &str, now: Duration, defaults: &Defaults) -> Result<Scenario> {
        let PluginFile { name: plugin, root_id, vm_id, environment, disabled } = self.plugin;
        let name = plugin.unwrap_or_else(|| name.to_owned());
        let root_id = root_id.unwrap_or_else(|| name.clone());
        let plugin = Plugin { name, root_id, vm_id, environment, disabled };
        let http = self.http.iter().map(|version| version_of(*version)).collect::<Result<Vec<_>>>()?;
        ensure!(!http.is_empty() && !self.hosts.is_empty(), "`http` and `hosts` must not be empty");
        let workers = match self.workers {
            WorkersFile::AtLeast(number) => Workers::AtLeast(number),
            WorkersFile::Exactly { exactly } => Workers::Exactly(exactly),
        };
        ensure!(workers.fewest() > 0, "`workers` must be at least 1");
        let expect = match self.expect {
            Some(expect) => expect.of_push().map_err(anyhow::Error::msg)?,
            None => Expectation::taken(),
        };
        let configuration = match (self.configuration, self.configuration_bytes) {
            (configuration, None) => configuration,
            (Configuration::None, Some(bytes)) => Configuration::Bytes(bytes),
            _ => anyhow::bail!("there are `configuration` and `configuration_bytes`, and one of them is wanted"),
        };
        Ok(Scenario {
            file: PathBuf::new(),
            now: self.now.map_or(now, Duration::from_secs),
            is_dated: self.now.is_some(),
            about: self.about,
            module: self.module,
            plugin,
            configuration,
            form: self.form,
            direction: self.direction,
            workers,
            http,
            hosts: self.hosts,
            strip: self.strip.iter().map(|name| name.to_ascii_lowercase()).collect(),
            routes: defaults.table(self.clusters, self.routes),
            cookies: self.cookies,
            expect,
            steps: self.steps,
        })
    }

    pub(super) fn of(scenario: &Scenario) -> Self {
        let Plugin { name, root_id, vm_id, environment, disabled } = scenario.plugin.clone();
        Self {
            about: scenario.about.clone(),
            now: scenario.is_dated.then_some(scenario.now.as_secs()),
            module: scenario.module.clone(),
            plugin: PluginFile { name: Some(name), root_id: Some(root_id), vm_id, environment, disabled },
            configuration: match &scenario.configuration {
                Configuration::Bytes(_) => Configuration::None,
                other => other.clone(),
            },
            configuration_bytes: match &scenario.configuration {
                Configuration::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            },
            form: scenario.form,
            direction: scenario.direction,
            workers: match scenario.workers {
                Workers::AtLeast(number) => WorkersFile::AtLeast(number),
                Workers::Exactly(exactly) => WorkersFile::Exactly { exactly },
            },
            http: scenario.http.iter().map(|version| if *version == Http::One { 1 } else { 2 }).collect(),
            hosts: scenario.hosts.clone(),
            strip: scenario.strip.clone(),
            clusters: Some(scenario.routes.clusters.clone()),
            routes: Some(scenario.routes.routes.clone()),
            cookies: scenario.cookies.clone(),
            expect: Some(ExpectFile::from(scenario.expect.clone())),
            steps: scenario.steps.clone(),
        }
    }
}

fn version_of(number: u8) -> Result<Http> {
    match number {
        1 => Ok(Http::One),
        2 => Ok(Http::Two),
        other => anyhow::bail!("`http` is a list of 1 and 2, not of {other}"),
    }
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StepFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visitor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<Upstream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<usize>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    push: Option<Configuration>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    push_text: Option<Configuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<Pause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<BTreeMap<String, Expected>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Vec<LogExpectation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<ExpectFile>,
}

#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Pause(#[serde(with = "seconds")] Duration);

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Configuration>, D::Error> {
    Configuration::deserialize(deserializer).map(Some)
}

impl TryFrom<StepFile> for Step {
    type Error = String;

    fn try_from(file: StepFile) -> Result<Self, String> {
        let given = [
            file.request.is_some(),
            file.push.is_some(),
            file.push_text.is_some(),
            file.wait.is_some(),
            file.metrics.is_some(),
            file.log.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err("a step is `request`, `push`, `push_text`, `wait`, `metrics` or `log`, one of them".to_owned());
        }
        let extras = [file.visitor.is_some(), file.worker.is_some(), file.upstream.is_some(), file.repeat.is_some()];
        if file.request.is_none() && extras.contains(&true) {
            return Err("`visitor`, `worker`, `upstream` and `repeat` belong to a request".to_owned());
        }
        file.into_step()
    }
}

impl StepFile {
    fn into_step(self) -> Result<Step, String> {
        let push = self.push.map(|push| (push, false)).or(self.push_text.map(|push| (push, true)));
        match (self.request, push, self.wait, self.metrics, self.log) {
            (Some(request), ..) => Ok(Step::Request(Box::new(RequestStep {
                request,
                visitor: self.visitor,
                worker: self.worker.unwrap_or(0),
                upstream: self.upstream.unwrap_or_default(),
                repeat: self.repeat.unwrap_or(1),
                expect: self.expect.unwrap_or_default().of_request()?,
            }))),
            (_, Some((configuration, as_text)), ..) => {
                let expect = self.expect.map_or_else(|| Ok(Expectation::taken()), ExpectFile::of_push)?;
                Ok(Step::Push(PushStep { configuration, as_text, expect }))
            }
            _ if self.expect.is_some() => Err("`expect` belongs to a request or a push".to_owned()),
            (_, _, Some(Pause(time)), ..) => Ok(Step::Wait(time)),
            (.., Some(metrics), _) => Ok(Step::Metrics(metrics)),
            (.., log) => Ok(Step::Log(log.unwrap_or_default())),
        }
    }
}

impl From<Step> for StepFile {
    fn from(step: Step) -> Self {
        match step {
            Step::Request(step) => {
                let RequestStep { request, visitor, worker, upstream, repeat, expect } = *step;
                Self {
                    request: Some(request),
                    visitor,
                    worker: Some(worker).filter(|worker| *worker > 0),
                    upstream: Some(upstream).filter(|upstream| *upstream != Upstream::default()),
                    repeat: Some(repeat).filter(|repeat| *repeat != 1),
                    expect: Some(expect.into()),
                    ..Self::default()
                }
            }
            Step::Push(PushStep { configuration, as_text, expect }) => {
                let (push, push_text) = if as_text { (None, Some(configuration)) } else { (Some(configuration), None) };
                Self { push, push_text, expect: Some(expect.into()), ..Self::default() }
            }
            Step::Wait(time) => Self { wait: Some(Pause(time)), ..Self::default() },
            Step::Metrics(metrics) => Self { metrics: Some(metrics), ..Self::default() },
            Step::Log(lines) => Self { log: Some(lines), ..Self::default() },
        }
    }
}

impl Configuration {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl<'de> Deserialize<'de> for Configuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::None),
            Value::String(text) => Ok(Self::Text(text)),
            mapping @ Value::Object(_) => Ok(Self::Mapping(mapping)),
            other => Err(serde::de::Error::custom(format!("a configuration is a mapping or a text, not {other}"))),
        }
    }
}

impl Serialize for Configuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_unit(),
            Self::Mapping(value) => value.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(_) => Err(serde::ser::Error::custom("only the first configuration can be bytes")),
        }
    }
}
