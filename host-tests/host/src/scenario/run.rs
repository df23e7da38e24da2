//! A scenario in this host.

mod exchange;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};

use super::expected::Expected;
use super::step::{Expectation, Level, LogExpectation, Step};
use super::{Configuration, Direction, Facts, Form, Http, Jar, Outcome, Scenario, structs};
use crate::{Delivery, Lapse, LogLevel, MetricKind, Module, Profile, Proxy, ProxyBuilder, Rejected, Stat};

/// How long a look at metrics waits for what it expects, and at least where it expects nothing.
pub const PATIENCE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(2)];

/// The Envoy that this host is to be like while a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// What the client speaks.
    pub http: Http,
    /// How many workers there are.
    pub workers: usize,
    /// Which Envoy it is.
    pub profile: Profile,
    /// How configurations come.
    pub delivery: Delivery,
}

impl Scenario {
    /// Runs it in this host.
    ///
    /// # Errors
    /// If a VM dies, or if the filter has a lapse: an error in the log while it serves a request is one, unless the scenario
    /// looks for errors in the log.
    pub fn run(&self, module: &Module, setting: Setting) -> Result<Outcome> {
        let proxy = match self.proxy(module, setting).start(self.configuration.bytes(self.form)) {
            Ok(proxy) => proxy,
            Err(Rejected::Refused) => return Ok(Outcome { start: Facts::of_push(false, []), ..Outcome::default() }),
            Err(rejected) => return Err(rejected.into()),
        };
        let mut run =
            Run { scenario: self, proxy, http: setting.http, jars: BTreeMap::new(), lines: 0, lines_of_step: 0 };
        let start = Facts::of_push(true, run.errors());
        let steps = self.steps.iter().map(|step| run.step(step)).collect::<Result<_>>();
        // Looked at first, for they would end the program when the proxy does.
        let findings = run.proxy.take_findings();
        let steps = steps?;
        if let Some(finding) = findings.first() {
            bail!("the filter has a lapse: {finding}");
        }
        let metrics = run.proxy.stats().into_keys().map(|(_, name)| name).collect();
        Ok(Outcome { start, steps, metrics })
    }

    fn proxy(&self, module: &Module, setting: Setting) -> ProxyBuilder {
        let mut builder = ProxyBuilder::new(module)
            .profile(setting.profile)
            .delivery(setting.delivery)
            .workers(setting.workers)
            .plugin_name(&self.plugin.name)
            .root_id(&self.plugin.root_id)
            .vm_id(self.plugin.vm_id.as_deref().unwrap_or_default())
            .now(self.now)
            .routes(self.routes.clone())
            .allow(Lapse::ErrorLog);
        if self.plugin.disabled {
            builder = builder.disabled();
        }
        for (name, value) in &self.plugin.environment {
            builder = builder.environment(name, value);
        }
        if let Some(direction) = self.direction {
            builder = builder.direction(direction.into());
        }
        builder
    }
}

/// A scenario under way.
struct Run<'a> {
    scenario: &'a Scenario,
    proxy: Proxy,
    http: Http,
    jars: BTreeMap<String, Jar>,
    /// How many lines of the log were looked at for errors.
    lines: usize,
    /// How many there were when the step before began.
    lines_of_step: usize,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<Vec<Facts>> {
        let before = self.proxy.log().len();
        let facts = match step {
            Step::Request(step) => {
                self.lines = before;
                let facts = (0..step.repeat).map(|_| self.request(step)).collect::<Result<_>>()?;
                self.refuse_errors()?;
                facts
            }
            Step::Push(push) => vec![self.push(&push.configuration, self.scenario.form_of(push.as_text))?],
            Step::Wait(time) => {
                self.proxy.advance(*time)?;
                Vec::new()
            }
            Step::Metrics(metrics) => vec![self.metrics(metrics)?],
            Step::Log(lines) => vec![self.log(lines)?],
        };
        self.lines_of_step = before;
        Ok(facts)
    }

    /// A sound filter logs no errors while it serves.
    fn refuse_errors(&mut self) -> Result<()> {
        let is_error = |line: &LogExpectation| line.level >= Level::Error;
        let looks = |step: &Step| matches!(step, Step::Log(lines) if lines.iter().any(is_error));
        match self.errors().first() {
            Some(line) if !self.scenario.steps.iter().any(looks) => bail!("the filter logs an error: {line}"),
            _ => Ok(()),
        }
    }

    fn push(&mut self, configuration: &Configuration, form: Form) -> Result<Facts> {
        self.lines = self.proxy.log().len();
        let accepted = match self.proxy.push(configuration.bytes(form)) {
            Ok(()) => true,
            Err(Rejected::Refused) => false,
            Err(rejected) => return Err(rejected.into()),
        };
        Ok(Facts::of_push(accepted, self.errors()))
    }

    /// The lines at error level and above since the last look.
    fn errors(&mut self) -> Vec<String> {
        let log = self.proxy.log();
        let new = log.get(self.lines..).unwrap_or_default();
        let errors = new.iter().filter(|line| line.level >= LogLevel::Error).map(|line| line.text.clone()).collect();
        self.lines = log.len();
        errors
    }

    fn log(&mut self, expected: &[LogExpectation]) -> Result<Facts> {
        let expectation = Expectation::of_log(expected);
        let mut waited = Duration::ZERO;
        loop {
            let mut facts = Facts::default();
            for line in self.proxy.log().get(self.lines_of_step..).unwrap_or_default() {
                let fact = format!("log.{}", Level::from(line.level).name());
                if expectation.0.contains_key(&fact) {
                    facts.add(fact, &line.text);
                }
            }
            if expectation.holds(&facts) || waited >= PATIENCE[0] {
                return Ok(facts);
            }
            waited += self.let_a_second_pass()?;
        }
    }

    fn metrics(&mut self, expected: &BTreeMap<String, Expected>) -> Result<Facts> {
        let [longest, least] = PATIENCE;
        let nothing = expected.values().any(|expected| *expected == Expected::Absent || *expected == Expected::is(0));
        let mut waited = if nothing { least } else { Duration::ZERO };
        self.proxy.advance(waited)?;
        loop {
            let facts = self.look(expected.keys());
            if Expectation(expected.clone()).holds(&facts) || waited >= longest {
                return Ok(facts);
            }
            waited += self.let_a_second_pass()?;
        }
    }

    fn let_a_second_pass(&mut self) -> Result<Duration> {
        let second = Duration::from_secs(1);
        self.proxy.advance(second)?;
        Ok(second)
    }

    fn look<'n>(&self, names: impl Iterator<Item = &'n String>) -> Facts {
        let stats = self.proxy.stats();
        let mut facts = Facts::default();
        for name in names {
            let of = |kind| stats.get(&(kind, name.clone()));
            if let Some(Stat::Counter(value) | Stat::Gauge(value)) = of(MetricKind::Counter).or(of(MetricKind::Gauge)) {
                facts.add(name, value.to_string());
            }
        }
        facts
    }
}

impl From<Direction> for crate::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Inbound,
            Direction::Outbound => Self::Outbound,
        }
    }
}

impl Configuration {
    /// What the plugin gets.
    fn bytes(&self, form: Form) -> Vec<u8> {
        match (self, form) {
            (Self::None, _) => Vec::new(),
            (Self::Text(text), _) => text.clone().into_bytes(),
            (Self::Bytes(bytes), _) => bytes.0.clone(),
            (Self::Mapping(mapping), Form::Text) => mapping.to_string().into_bytes(),
            (Self::Mapping(mapping), Form::Struct) => structs::encode(mapping),
        }
    }
}
