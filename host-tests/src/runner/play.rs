//! One scenario in a running Envoy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serin_envoy::{Answer as Script, Message, Received, Seen, send};
use serin_host::scenario::{
    Answer, Bytes, Client, Exchanged, Expectation, Expected, Facts, Headers, Http, Jar, Level, LogExpectation, Outcome,
    PATIENCE, RequestStep, Scenario, Sighting, Step,
};
use tokio::time::{Instant, sleep};

use super::config;
use super::site::Site;

/// A scenario under way.
pub(super) struct Play<'a> {
    site: &'a Site,
    scenario: &'a Scenario,
    module: &'a Path,
    http: Http,
    jars: BTreeMap<String, Jar>,
    /// The names of filter state that the upstreams are told, in order.
    states: Vec<String>,
    /// The size of the log when the step before began.
    log_before: usize,
}

impl<'a> Play<'a> {
    pub(super) fn new(site: &'a Site, scenario: &'a Scenario, module: &'a Path, http: Http) -> Self {
        let states = config::filter_states(scenario);
        Self { site, scenario, module, http, jars: BTreeMap::new(), states, log_before: 0 }
    }

    pub(super) async fn run(mut self) -> Result<Outcome> {
        let accepted = self.site.has_taken(self.scenario).await?;
        let start = Facts::of_push(accepted, self.errors(0)?);
        let Some(address) = self.site.address(self.scenario).filter(|_| accepted) else {
            return Ok(Outcome { start, ..Outcome::default() });
        };
        let mut steps = Vec::new();
        for step in &self.scenario.steps {
            let before = self.site.log_size()?;
            steps.push(self.step(step, address).await?);
            self.log_before = before;
        }
        Ok(Outcome { start, steps, ..Outcome::default() })
    }

    async fn step(&mut self, step: &Step, address: SocketAddr) -> Result<Vec<Facts>> {
        match step {
            Step::Request(step) => {
                let mut all = Vec::new();
                for _ in 0..step.repeat {
                    all.push(self.request(step, address).await?);
                }
                Ok(all)
            }
            Step::Push(push) => {
                let before = self.site.log_size()?;
                let form = self.scenario.form_of(push.as_text);
                let accepted = self.site.push(self.scenario, self.module, &push.configuration, form).await?;
                Ok(vec![Facts::of_push(accepted, self.errors(before)?)])
            }
            Step::Wait(time) => {
                sleep(*time).await;
                Ok(Vec::new())
            }
            Step::Metrics(metrics) => Ok(vec![self.metrics(metrics).await?]),
            Step::Log(lines) => Ok(vec![self.log(lines).await?]),
        }
    }

    /// The lines at error level and above from this size of the log on.
    fn errors(&self, from: usize) -> Result<Vec<String>> {
        let lines = self.site.log_lines(self.scenario, from)?;
        Ok(lines.into_iter().filter(|(level, _)| *level >= Level::Error).map(|(_, text)| text).collect())
    }

    async fn metrics(&self, expected: &BTreeMap<String, Expected>) -> Result<Facts> {
        let nothing = expected.values().any(|expected| *expected == Expected::Absent || *expected == Expected::is(0));
        let [longest, least] = PATIENCE;
        sleep(if nothing { least } else { Duration::ZERO }).await;
        let end = Instant::now() + longest;
        loop {
            let mut facts = Facts::default();
            for name in expected.keys() {
                if let Some(value) = self.site.metric(name).await? {
                    facts.add(name, value.to_string());
                }
            }
            if Expectation(expected.clone()).holds(&facts) || Instant::now() > end {
                return Ok(facts);
            }
            sleep(POLL).await;
        }
    }

    async fn log(&self, expected: &[LogExpectation]) -> Result<Facts> {
        let expectation = Step::Log(expected.to_vec()).expectation();
        let end = Instant::now() + PATIENCE[0];
        loop {
            let mut facts = Facts::default();
            for (level, text) in self.site.log_lines(self.scenario, self.log_before)? {
                let fact = format!("log.{}", level.name());
                if expectation.0.contains_key(&fact) {
                    facts.add(fact, text);
                }
            }
            if expectation.holds(&facts) || Instant::now() > end {
                return Ok(facts);
            }
            sleep(POLL).await;
        }
    }

    async fn request(&mut self, step: &RequestStep, address: SocketAddr) -> Result<Facts> {
        let script = &self.scenario.plugin.name;
        self.site.upstreams.tell(script, script_of(step));
        let message = self.message(step);
        let http = if self.http == Http::One { serin_envoy::Http::One } else { serin_envoy::Http::Two };
        let answer = send(address, http, &message);
        let answer = if step.request.client == Some(Client::Leaves) {
            tokio::select! {
                answer = answer => answer?,
                () = self.site.upstreams.until_seen(script) => None,
            }
        } else {
            answer.await?
        };
        let answer = answer.map(arrived);
        if let (Some(visitor), Some(answer)) = (&step.visitor, &answer) {
            self.jars.entry(visitor.clone()).or_default().keep(&answer.set_cookies());
        }
        let upstream = self.site.upstreams.seen(script).pop().map(|seen| self.sighting(seen)).transpose()?;
        Ok(Exchanged { upstream, answer }.facts())
    }

    /// The request as a trusted hop hands it on.
    fn message(&self, step: &RequestStep) -> Message {
        let request = &step.request;
        let jar = step.visitor.as_ref().and_then(|visitor| self.jars.get(visitor));
        let mut headers = step.headers(jar);
        headers.push(("x-forwarded-proto".to_owned(), request.scheme.clone().into_bytes()));
        headers.extend(request.source.iter().map(|source| ("x-forwarded-for".to_owned(), source.clone().into_bytes())));
        Message {
            method: request.method.clone(),
            scheme: request.scheme.clone(),
            host: request.host.0.clone(),
            path: request.path.0.clone(),
            headers,
            chunks: request.body.0.iter().map(|chunk| chunk.0.clone()).collect(),
            trailers: pairs(&request.trailers),
        }
    }

    /// Takes out what the router added for us.
    fn sighting(&self, seen: Seen) -> Result<Sighting> {
        let mut filter_state = BTreeMap::new();
        let mut headers = Vec::new();
        for (name, value) in seen.headers {
            let Some(number) = name.strip_prefix(config::STATE_HEADER) else {
                headers.push((name, value));
                continue;
            };
            let state =
                self.states.get(number.parse::<usize>()?).context("Envoy shows filter state that has no name")?;
            if !(value.is_empty() || value == b"-") {
                filter_state.insert(state.clone(), value);
            }
        }
        Ok(Sighting { cluster: seen.upstream, headers, body: seen.body, trailers: seen.trailers, filter_state })
    }
}

const POLL: Duration = Duration::from_millis(50);

fn script_of(step: &RequestStep) -> Script {
    let upstream = &step.upstream;
    Script {
        status: upstream.status,
        headers: pairs(&upstream.headers),
        chunks: upstream.body.0.iter().map(|Bytes(chunk)| chunk.clone()).collect(),
        trailers: pairs(&upstream.trailers),
        after: upstream.after,
        resets: upstream.resets,
    }
}

fn pairs(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers.0.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect()
}

fn arrived(received: Received) -> Answer {
    let Received { status, headers, body, trailers } = received;
    Answer { status, headers, body, trailers }
}
