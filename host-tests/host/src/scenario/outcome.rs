//! What came of a scenario in one host: facts by name, for each step.

use std::collections::{BTreeMap, BTreeSet};

/// Facts of one exchange, push or look: a name such as `status` or `response.cache-control`, and its values in order. What is
/// not there has no values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(pub BTreeMap<String, Vec<Vec<u8>>>);

impl Facts {
    /// The values of a fact.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Adds a value.
    pub fn add(&mut self, name: impl Into<String>, value: impl AsRef<[u8]>) {
        self.0.entry(name.into()).or_default().push(value.as_ref().to_vec());
    }

    /// What became of a configuration. Every VM logs an error of its own, so equal ones are one.
    pub fn of_push(accepted: bool, errors: impl IntoIterator<Item = String>) -> Self {
        let mut facts = Self::default();
        facts.add("accepted", accepted.to_string());
        errors.into_iter().collect::<BTreeSet<_>>().iter().for_each(|error| facts.add("errors", error));
        facts
    }
}

/// What came of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Of the first configuration.
    pub start: Facts,
    /// Of each step, as often as it was done.
    pub steps: Vec<Vec<Facts>>,
    /// The names of all metrics that the plugin has defined, where the host can tell whose they are.
    pub metrics: BTreeSet<String>,
}

/// A request as an upstream saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// The upstream's cluster.
    pub cluster: String,
    /// Headers, with `:method`, `:path` and `:authority`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// What the filter had left as filter state, by name.
    pub filter_state: BTreeMap<String, Vec<u8>>,
}

/// An answer as the client got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Answer {
    /// The lines that set cookies.
    pub fn set_cookies(&self) -> Vec<Vec<u8>> {
        self.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.clone()).collect()
    }
}

/// A request and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// As the upstream saw it, if one was reached.
    pub upstream: Option<Sighting>,
    /// The answer, if one came.
    pub answer: Option<Answer>,
}

impl Exchanged {
    /// The facts of it.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        if let Some(seen) = &self.upstream {
            facts.add("cluster", &seen.cluster);
            facts.add_all("request", &joined_cookies(&seen.headers));
            facts.add_all("request_trailers", &seen.trailers);
            seen.filter_state.iter().for_each(|(name, value)| facts.add(format!("filter_state.{name}"), value));
            facts.add_body("request_body", &seen.body);
        }
        if let Some(answer) = &self.answer {
            facts.add("status", answer.status.to_string());
            let plain: Vec<_> = answer.headers.iter().filter(|(name, _)| name != "set-cookie").cloned().collect();
            facts.add_all("response", &plain);
            facts.add_all("trailers", &answer.trailers);
            facts.add_body("body", &answer.body);
            answer
                .set_cookies()
                .iter()
                .filter_map(|line| SetCookie::parse(line))
                .for_each(|cookie| facts.add_cookie(&cookie));
        }
        facts
    }
}

impl Facts {
    fn add_all(&mut self, group: &str, headers: &[(String, Vec<u8>)]) {
        for (name, value) in headers {
            self.add(format!("{group}.{name}"), value);
        }
    }

    fn add_body(&mut self, name: &str, body: &[u8]) {
        if !body.is_empty() {
            self.add(name, body);
        }
    }

    fn add_cookie(&mut self, cookie: &SetCookie) {
        self.add(format!("cookies.{}", cookie.name), &cookie.value);
        for (key, value) in &cookie.attributes {
            self.add(format!("cookies.{};{key}", cookie.name), value);
        }
    }
}

/// HTTP/2 may carry cookies in several fields: they are one.
fn joined_cookies(headers: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let (cookies, mut others): (Vec<_>, Vec<_>) = headers.iter().cloned().partition(|(name, _)| name == "cookie");
    if !cookies.is_empty() {
        let values: Vec<Vec<u8>> = cookies.into_iter().map(|(_, value)| value).collect();
        others.push(("cookie".to_owned(), values.join(&b"; "[..])));
    }
    others
}

/// One `set-cookie` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SetCookie {
    pub(super) name: String,
    pub(super) value: Vec<u8>,
    /// By names in lower case; empty where there is no value.
    attributes: Vec<(String, String)>,
}

impl SetCookie {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut parts = line.split(|byte| *byte == b';');
        let pair = parts.next()?;
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(equals);
        let attributes = parts.map(|part| {
            let text = String::from_utf8_lossy(part);
            let (key, value) = text.split_once('=').unwrap_or((&text, ""));
            (key.trim().to_ascii_lowercase(), value.trim().to_owned())
        });
        Some(Self {
            name: String::from_utf8_lossy(name).trim().to_owned(),
            value: value.get(1..)?.trim_ascii().to_vec(),
            attributes: attributes.collect(),
        })
    }

    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}
