//! The steps of a scenario: requests, pushes, waits, and looks at metrics and the log.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Configuration;
use super::expected::Expected;
use super::file::StepFile;
use super::jar::Jar;
use super::outcome::Facts;
use super::text::{Body, Bytes, Headers, seconds};
use crate::log::LogLevel;

/// One step.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "StepFile", into = "StepFile")]
pub enum Step {
    /// A request, once or several times.
    Request(Box<RequestStep>),
    /// A new configuration.
    Push(PushStep),
    /// Time passes.
    Wait(Duration),
    /// Counters and gauges, as they are. A host looks until all are as they must be, for five seconds at most; after two
    /// seconds where one of them must not be there or be 0.
    Metrics(BTreeMap<String, Expected>),
    /// Lines of the log since the step before this one began. A host looks until all are there, for five seconds at most.
    Log(Vec<LogExpectation>),
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestStep {
    /// What is sent.
    pub request: Request,
    /// Whose cookies go with it and are kept; `None` is somebody who keeps none.
    pub visitor: Option<String>,
    /// Which worker serves it, where the host can choose.
    pub worker: usize,
    /// What the upstream answers.
    pub upstream: Upstream,
    /// How often it is sent, each time with the same expectation.
    pub repeat: usize,
    /// What has to come of it.
    pub expect: Expectation,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: Bytes,
    /// The host.
    pub host: Bytes,
    /// `http` or `https`, as a trusted hop before the proxy says.
    pub scheme: String,
    /// Further headers.
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// The body in chunks.
    #[serde(skip_serializing_if = "Body::is_empty")]
    pub body: Body,
    /// Trailers.
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub trailers: Headers,
    /// The client's address, as a trusted hop before the proxy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What the client does before the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
}

/// What a client does before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// It goes away once the upstream has the request.
    Leaves,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            path: "/".into(),
            host: "example.com".into(),
            scheme: "http".to_owned(),
            headers: Headers::default(),
            body: Body::default(),
            trailers: Headers::default(),
            source: None,
            client: None,
        }
    }
}

/// What the upstream answers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// The status.
    pub status: u16,
    /// Headers.
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// The body in chunks.
    pub body: Body,
    /// Trailers.
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub trailers: Headers,
    /// How long it takes.
    #[serde(with = "seconds", skip_serializing_if = "Duration::is_zero")]
    pub after: Duration,
    /// Whether it resets the stream instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resets: bool,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Headers::default(),
            body: Body(vec!["ok".into()]),
            trailers: Headers::default(),
            after: Duration::ZERO,
            resets: false,
        }
    }
}

/// A new configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct PushStep {
    /// The configuration.
    pub configuration: Configuration,
    /// Whether a mapping goes as JSON in a text, whatever the scenario's form.
    pub as_text: bool,
    /// What has to come of it.
    pub expect: Expectation,
}

/// What has to come of a step, by the names of facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation(pub BTreeMap<String, Expected>);

/// A line that the log must have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogExpectation {
    /// The line's level.
    pub level: Level,
    /// A part of the line.
    pub contains: String,
}

/// A level of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Trace.
    Trace,
    /// Debug.
    Debug,
    /// Info.
    Info,
    /// Warn.
    Warn,
    /// Error.
    Error,
    /// Critical.
    Critical,
}

impl Level {
    /// As files and Envoy's log write it: `warn` for both of Envoy's words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace => Self::Trace,
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warn => Self::Warn,
            LogLevel::Error => Self::Error,
            LogLevel::Critical => Self::Critical,
        }
    }
}

impl RequestStep {
    /// The headers that are sent: the visitor's cookies, then those of the file; names in lower case.
    pub fn headers(&self, jar: Option<&Jar>) -> Vec<(String, Vec<u8>)> {
        let cookies = jar.and_then(|jar| jar.line(&self.request.path.0)).map(|line| ("cookie".to_owned(), line));
        let own = self.request.headers.0.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.0.clone()));
        cookies.into_iter().chain(own).collect()
    }
}

impl Step {
    /// How often something comes of it.
    pub(super) fn times(&self) -> usize {
        match self {
            Self::Request(step) => step.repeat,
            Self::Wait(_) => 0,
            Self::Push(_) | Self::Metrics(_) | Self::Log(_) => 1,
        }
    }

    /// What has to come of it.
    pub fn expectation(&self) -> Expectation {
        match self {
            Self::Request(step) => step.expect.clone(),
            Self::Push(step) => step.expect.clone(),
            Self::Wait(_) => Expectation::default(),
            Self::Metrics(metrics) => Expectation(metrics.clone()),
            Self::Log(lines) => Expectation::of_log(lines),
        }
    }
}

impl Expectation {
    /// That a configuration is taken, without a line at error level.
    pub fn taken() -> Self {
        let facts = [("accepted", Expected::is(true)), ("errors", Expected::Contains(Vec::new()))];
        Self(facts.map(|(name, expected)| (name.to_owned(), expected)).into())
    }

    /// Whether all facts are as they must be.
    pub fn holds(&self, facts: &Facts) -> bool {
        self.0.iter().all(|(name, expected)| expected.holds(facts.values(name)))
    }

    /// What a look at the log must find.
    pub(super) fn of_log(lines: &[LogExpectation]) -> Self {
        let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines {
            facts.entry(format!("log.{}", line.level.name())).or_default().push(line.contains.clone());
        }
        Self(facts.into_iter().map(|(name, texts)| (name, Expected::Contains(texts))).collect())
    }
}
