//! What the tests of the decision share: requests as tables of headers, documents as JSON.

#![allow(dead_code)] // Each test file uses its part.

use serin_core::{Day, Effects, Facts, Rules, Source, decide};

/// A day in November 2026.
pub(crate) const TODAY: u64 = 20_778 * 86_400;

/// A request as its headers, and the address that it comes from.
#[derive(Clone, Default)]
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

impl Source for &Request {
    fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        self.source.clone().map(String::into_bytes)
    }
}

/// The rules of a sound document.
#[track_caller]
pub(crate) fn rules(document: &str) -> Rules {
    let parsed = Rules::parse(document.as_bytes(), None);
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
    pub(crate) set_cookie: Option<String>,
    pub(crate) slot: Option<u32>,
    pub(crate) override_ignored: bool,
}

impl Outcome {
    /// The value of the cookie that is to be written.
    pub(crate) fn cookie_value(&self) -> Option<&str> {
        self.set_cookie.as_deref()?.split(['=', ';']).nth(1)
    }

    pub(crate) fn version(&self) -> &str {
        self.answer.split('/').nth(1).unwrap_or_default()
    }
}

/// Decides on day [`TODAY`], with the given random bits.
pub(crate) fn outcome(rules: &Rules, request: &Request, bits: u64) -> Outcome {
    let facts = Facts::new(request);
    let decision = decide(rules, &facts, Day::from_unix_seconds(TODAY), || bits);
    let effects = Effects::of(rules, decision.as_ref(), &facts);
    let answer = decision.as_ref().map_or_else(String::new, |decision| {
        let version = decision.version().expect("every decision has a version");
        format!("{}/{}/{}", decision.rollout.name(), version.name(), decision.reason.as_str())
    });
    Outcome {
        answer,
        set: effects.set().map(|(name, value)| (name.to_owned(), value.into_owned())).collect(),
        removed: effects.remove.into_iter().map(str::to_owned).collect(),
        set_cookie: effects.set_cookie,
        override_ignored: decision.as_ref().is_some_and(|decision| decision.override_ignored),
        slot: decision.and_then(|decision| decision.slot).map(serin_core::Slot::number),
    }
}
