//! What the tests of the decision share: requests as tables of headers, documents as JSON.

#![allow(dead_code)] // Each test file uses its part.

pub(crate) mod guarded;

use std::borrow::Cow;

use serin_core::{Current, Decision, Effects, Facts, Rules, Source, Surroundings, Time, decide};

/// A day in November 2026.
pub(crate) const TODAY: u64 = 20_778 * 86_400;

/// A request as its headers, and the address that it comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    headers: Vec<(String, Vec<u8>)>,
    source: Option<String>,
}

impl Request {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A request to a host and path.
    pub(crate) fn to(host: &str, path: &str) -> Self {
        Self::new().with(":authority", host).with(":path", path)
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Comes from this address, which has a port.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.source = Some(address.to_owned());
        self
    }
}

impl Source for Request {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.into())
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
    }

    /// Stands in the table as if it were a header.
    fn cluster_name(&self) -> Option<Vec<u8>> {
        self.header("cluster name").map(Cow::into_owned)
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        self.source.clone().map(String::into_bytes)
    }
}

/// The rules of a sound document, in an environment that has a `SERIN_KEY`.
#[track_caller]
pub(crate) fn rules(document: &str) -> Rules {
    let env = |name: &str| (name == "SERIN_KEY").then(|| "a key of sixteen bytes or more".to_owned());
    let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &env });
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors.iter().map(ToString::to_string).collect::<Vec<_>>());
    parsed.rules.expect("a document without errors has rules")
}

/// A document whose only rollout is `r` with these fields.
pub(crate) fn rollout(fields: &str) -> String {
    format!(r#"{{"rollouts": {{"r": {{{fields}}}}}}}"#)
}

/// What came of one request, in words.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// `rollout/version/reason`, or nothing if no rollout covers the request.
    pub(crate) answer: String,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) removed: Vec<String>,
    /// The visitor cookie.
    pub(crate) set_cookie: Option<String>,
    /// The rollout's own cookie.
    pub(crate) kept_cookie: Option<String>,
    pub(crate) private: bool,
    /// What the response, or the access log, says of the decision.
    pub(crate) told: Option<String>,
    pub(crate) slot: Option<u32>,
    pub(crate) override_ignored: bool,
}

impl Outcome {
    /// The value of the cookie that is to be written.
    pub(crate) fn cookie_value(&self) -> Option<&str> {
        self.set_cookie.as_deref()?.split(['=', ';']).nth(1)
    }

    /// The rollout's own cookie as a browser sends it back.
    pub(crate) fn kept_pair(&self) -> Option<&str> {
        self.kept_cookie.as_deref()?.split(';').next()
    }

    /// All that a browser sends back.
    pub(crate) fn cookies(&self) -> String {
        let lines = self.set_cookie.iter().chain(&self.kept_cookie);
        lines.filter_map(|line| line.split(';').next()).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn version(&self) -> &str {
        self.answer.split('/').nth(1).unwrap_or_default()
    }
}

/// Decides at the beginning of day [`TODAY`], with the given random bits.
pub(crate) fn outcome(rules: &Rules, request: &Request, bits: u64) -> Outcome {
    outcome_at(rules, request, bits, TODAY)
}

/// Decides at so many seconds since 1970.
pub(crate) fn outcome_at(rules: &Rules, request: &Request, bits: u64, seconds: u64) -> Outcome {
    outcome_with(rules, &Current::new(rules, Time::from_unix_seconds(seconds)), request, bits, seconds)
}

/// Decides with what the clock and the traffic make of the rules.
pub(crate) fn outcome_with<S: Source>(
    rules: &Rules,
    current: &Current,
    request: &S,
    bits: u64,
    seconds: u64,
) -> Outcome {
    let now = Time::from_unix_seconds(seconds);
    let asked = || {
        let facts = Facts::new(request);
        let decision = decide(rules, current, &facts, now, || bits);
        let _ = Effects::of(rules, decision.as_ref(), &facts, now);
        request.in_doubt().then(|| decision.as_ref().map(|decision| decision.index))
    };
    let in_doubt = asked();
    let facts = Facts::new(request);
    let decision = match in_doubt {
        Some(index) => index.and_then(|index| Decision::in_doubt(rules, index)),
        None => decide(rules, current, &facts, now, || bits),
    };
    let effects = Effects::of(rules, decision.as_ref(), &facts, now);
    let answer = decision.as_ref().map_or_else(String::new, |decision| {
        let version = decision.version().map_or("-", |version| version.name());
        format!("{}/{version}/{}", decision.rollout.name(), decision.reason.as_str())
    });
    let response = effects.response.as_deref().cloned().unwrap_or_default();
    let [set_cookie, kept_cookie] = response.set_cookies;
    Outcome {
        answer,
        set: effects.set().map(|(name, value)| (name.to_owned(), value.into_owned())).collect(),
        removed: effects.remove.iter().map(|name| (*name).to_owned()).collect(),
        set_cookie,
        kept_cookie,
        private: response.private,
        told: response.answer,
        override_ignored: decision.as_ref().is_some_and(|decision| decision.override_ignored),
        slot: decision.as_ref().and_then(|decision| decision.slot).map(serin_core::Slot::number),
    }
}
