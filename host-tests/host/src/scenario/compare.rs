//! Outcomes held against what a scenario expects, and against each other; differences for people.

use std::collections::BTreeSet;
use std::fmt;

use super::expected::Expected;
use super::outcome::{Facts, Outcome};
use super::step::{Expectation, Step};
use super::{Form, Scenario};
use crate::routes::LocalReply;

/// One fact that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The scenario's file.
    pub scenario: String,
    /// The step in words.
    pub step: String,
    /// The fact.
    pub fact: String,
    /// What it has to be, if the file says so.
    pub expected: Option<String>,
    /// What it is, by host.
    pub found: Vec<(String, String)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}: {}", self.scenario, self.step, self.fact)?;
        let expected = self.expected.iter().map(|expected| ("expected".to_owned(), expected.clone()));
        let lines: Vec<(String, String)> = expected.chain(self.found.iter().cloned()).collect();
        let width = lines.iter().map(|(host, _)| host.chars().count()).max().unwrap_or(0);
        lines.iter().try_for_each(|(host, value)| writeln!(f, "  {host:width$}  {value}"))
    }
}

impl std::error::Error for Difference {}

/// What one host, by its name, made of a scenario.
type Found<'a> = (&'a str, &'a Outcome);

impl Scenario {
    /// The first fact of an outcome that is not what the file expects.
    pub fn difference(&self, host: &str, outcome: &Outcome) -> Option<Difference> {
        self.moments(&[(host, outcome)]).find_map(|moment| {
            if moment.is_missing() {
                return Some(self.tell_missing(&moment, &[host]));
            }
            let facts = moment.facts.first()?.as_ref()?;
            let (name, expected) =
                moment.expectation.0.iter().find(|(name, expected)| !expected.holds(facts.values(name)))?;
            Some(self.tell(&moment, name, Some(expected), &[host]))
        })
    }

    /// The first fact in which two hosts are not alike. Left out is what `cookies` or an expectation leaves open, what comes
    /// from the connection manager and the codecs, and what only one host can see.
    pub fn compare(&self, one: Found<'_>, other: Found<'_>) -> Option<Difference> {
        self.moments(&[one, other]).find_map(|moment| {
            if moment.is_missing() {
                return Some(self.tell_missing(&moment, &[one.0, other.0]));
            }
            let [Some(first), Some(second)] = moment.facts.as_slice() else { return None };
            let names: BTreeSet<&String> = first.0.keys().chain(second.0.keys()).collect();
            let differs = |name: &&&String| {
                self.is_compared(name, &moment.expectation)
                    && self.comparable(name, first) != self.comparable(name, second)
            };
            let name = names.iter().find(differs)?;
            Some(self.tell(&moment, name, moment.expectation.0.get(*name), &[one.0, other.0]))
        })
    }

    fn is_compared(&self, name: &str, expectation: &Expectation) -> bool {
        if name.starts_with("log.") || self.is_random_cookie(name) {
            return false;
        }
        match expectation.0.get(name) {
            Some(expected) => !expected.is_open(),
            None => !is_left_out(name),
        }
    }

    fn is_random_cookie(&self, fact: &str) -> bool {
        fact.strip_prefix("cookies.").is_some_and(|cookie| self.cookies.contains_key(cookie))
    }

    /// The values with what is random or depends on Envoy's version taken out.
    fn comparable(&self, name: &str, facts: &Facts) -> Vec<Vec<u8>> {
        let values = facts.values(name).iter();
        match name {
            "request.cookie" => values.map(|line| self.masked(line)).collect(),
            "body" if facts.values("status") == [b"503"] => values.map(|body| without_reason(body).to_vec()).collect(),
            _ => values.cloned().collect(),
        }
    }

    fn masked(&self, line: &[u8]) -> Vec<u8> {
        let mask = |pair: &[u8]| match pair.iter().position(|byte| *byte == b'=') {
            Some(equals) if self.cookies.keys().any(|name| name.as_bytes() == pair[..equals].trim_ascii()) => {
                [&pair[..=equals], b"*"].concat()
            }
            _ => pair.to_vec(),
        };
        line.split(|byte| *byte == b';').map(mask).collect::<Vec<_>>().join(&b';')
    }

    /// The steps of one or several outcomes, side by side.
    fn moments<'a>(&'a self, outcomes: &'a [Found<'a>]) -> impl Iterator<Item = Moment> + 'a {
        let start = Moment {
            step: "the first configuration".to_owned(),
            expectation: self.expect.clone(),
            facts: outcomes.iter().map(|(_, outcome)| Some(outcome.start.clone())).collect(),
        };
        let steps = self.steps.iter().enumerate().flat_map(move |(index, step)| {
            let times = step.times();
            (0..times).map(move |time| {
                let of = |outcome: &Outcome| outcome.steps.get(index)?.get(time).cloned();
                let facts: Vec<Option<Facts>> = outcomes.iter().map(|(_, outcome)| of(outcome)).collect();
                let expectation = self.expectation_of(step, &facts);
                Moment { step: title(index, step, time, times), expectation, facts }
            })
        });
        std::iter::once(start).chain(steps)
    }

    /// What the step expects, and what `cookies` asks of those that are set.
    fn expectation_of(&self, step: &Step, facts: &[Option<Facts>]) -> Expectation {
        let mut expectation = step.expectation();
        if matches!(step, Step::Request(_)) {
            for (name, shape) in &self.cookies {
                let fact = format!("cookies.{name}");
                if facts.iter().flatten().any(|facts| !facts.values(&fact).is_empty()) {
                    expectation.0.entry(fact).or_insert_with(|| shape.clone());
                }
            }
        }
        expectation
    }

    fn tell(&self, moment: &Moment, fact: &str, expected: Option<&Expected>, hosts: &[&str]) -> Difference {
        let values = |facts: &Option<Facts>| shown(facts.as_ref().map_or(&[], |facts| facts.values(fact)));
        let found = hosts.iter().zip(&moment.facts).map(|(host, facts)| ((*host).to_owned(), values(facts)));
        Difference {
            scenario: self.to_string(),
            step: moment.step.clone(),
            fact: fact.to_owned(),
            expected: expected.map(ToString::to_string),
            found: found.collect(),
        }
    }

    fn tell_missing(&self, moment: &Moment, hosts: &[&str]) -> Difference {
        let came = |facts: &Option<Facts>| if facts.is_some() { "it did" } else { "it did not" }.to_owned();
        let found = hosts.iter().zip(&moment.facts).map(|(host, facts)| ((*host).to_owned(), came(facts)));
        Difference {
            scenario: self.to_string(),
            step: moment.step.clone(),
            fact: "whether the step took place".to_owned(),
            expected: Some("it did".to_owned()),
            found: found.collect(),
        }
    }

    /// How a configuration of the scenario travels.
    pub fn form_of(&self, as_text: bool) -> Form {
        if as_text { Form::Text } else { self.form }
    }
}

/// One step as often as it was done, in one or several hosts.
struct Moment {
    step: String,
    expectation: Expectation,
    /// Of each host; `None` of one that did not come to it.
    facts: Vec<Option<Facts>>,
}

impl Moment {
    fn is_missing(&self) -> bool {
        self.facts.contains(&None)
    }
}

fn title(index: usize, step: &Step, time: usize, times: usize) -> String {
    let what = match step {
        Step::Request(step) => format!("{} {}", step.request.method, String::from_utf8_lossy(&step.request.path.0)),
        Step::Push(_) => "push".to_owned(),
        Step::Wait(_) => "wait".to_owned(),
        Step::Metrics(_) => "metrics".to_owned(),
        Step::Log(_) => "log".to_owned(),
    };
    let which = if times > 1 { format!(", time {} of {times}", time + 1) } else { String::new() };
    format!("step {} ({what}{which})", index + 1)
}

fn shown(values: &[Vec<u8>]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>().join(" | ")
}

/// How Envoy's own answer for an upstream that was not reached begins, before words that depend on its version.
const CONNECT_ERROR: &[u8] = LocalReply::REFUSED.body.as_bytes();

/// A body without the reason that Envoy gives in an answer of its own.
fn without_reason(body: &[u8]) -> &[u8] {
    if body.starts_with(CONNECT_ERROR) { CONNECT_ERROR } else { body }
}

/// Headers of the connection manager, the router and the codecs.
const LEFT_OUT: [&str; 23] = [
    // Envoy is asked for what is expected alone.
    "filter_state.*",
    "request.:scheme",
    "request.x-request-id",
    "request.x-forwarded-*",
    "request.x-envoy-*",
    "request.content-length",
    "request.transfer-encoding",
    "request.connection",
    "request.te",
    "request.via",
    "request.user-agent",
    "request.accept*",
    "request.trailer",
    "response.server",
    "response.date",
    "response.x-envoy-*",
    "response.content-length",
    "response.transfer-encoding",
    "response.connection",
    "response.via",
    "response.trailer",
    "response.alt-svc",
    "response.keep-alive",
];

fn is_left_out(name: &str) -> bool {
    LEFT_OUT.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => *known == name,
    })
}
