//! The core, run natively, as the oracle for the module.

use std::borrow::Cow;

use fastrand::Rng;
use serin_core::{
    Current, Effects, Facts, Inbound, OutputHeaders, Rules, Source, Surroundings, Time, decide, private_cache_control,
};
use serin_host::{HeaderMap, Worker};

use crate::counters::saw;
use crate::env;

/// A request as it goes into the filter.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) headers: HeaderMap,
    pub(super) source: Option<String>,
    pub(super) cluster: Option<String>,
}

impl Source for Sent {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers.get(name).map(Cow::from)
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.headers.all(name).into_iter().map(<[u8]>::to_vec).collect()
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        self.source.clone().map(String::into_bytes)
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        self.cluster.clone().map(String::into_bytes)
    }
}

/// What becomes of a request, and of its answer.
pub(super) struct Outcome {
    pub(super) request: HeaderMap,
    pub(super) response: HeaderMap,
}

/// The core with what the adapter adds: the rules in force, and a sequence of random bits for each worker.
pub(super) struct Oracle {
    document: Vec<u8>,
    rules: Option<Rules>,
    outputs: OutputHeaders,
    inbound: Inbound,
    random: Vec<Option<Rng>>,
}

impl Oracle {
    pub(super) fn new(document: &[u8], workers: usize) -> Self {
        let mut oracle = Self {
            document: Vec::new(),
            rules: None,
            outputs: OutputHeaders::default(),
            inbound: Inbound::Skip,
            random: vec![None; workers],
        };
        oracle.read(document);
        oracle
    }

    /// The bytes that a root was configured with use that root again.
    pub(super) fn push(&mut self, document: &[u8]) {
        if self.document != document {
            self.read(document);
        }
    }

    fn read(&mut self, document: &[u8]) {
        let parsed = Rules::parse(document, &Surroundings { last_good: self.rules.as_ref(), env: &env });
        (self.outputs, self.inbound, self.document) = (parsed.outputs, parsed.inbound, document.to_vec());
        self.rules = parsed.rules.or(self.rules.take());
    }

    /// The headers that are in force as ours.
    pub(super) fn outputs(&self) -> &OutputHeaders {
        self.rules.as_ref().map_or(&self.outputs, Rules::outputs)
    }

    /// Whether the headers of a request are read at once.
    pub(super) fn reads_at_once(&self) -> bool {
        self.rules.as_ref().is_some_and(Rules::reads_many_headers)
    }

    /// The module seeds its generator with eight bytes of entropy at the first draw, which has happened if it is to draw what
    /// the module drew.
    pub(super) fn outcome(
        &mut self,
        sent: &Sent,
        answer: &HeaderMap,
        now: u64,
        number: usize,
        worker: &Worker,
        is_inbound: bool,
    ) -> Outcome {
        let inbound = self.rules.as_ref().map_or(self.inbound, Rules::inbound);
        let (mut request, mut response) = (sent.headers.clone(), answer.clone());
        if is_inbound && inbound == Inbound::Skip {
            return Outcome { request, response };
        }
        let random = &mut self.random[number];
        let seeded = || {
            let eight = worker.entropy().into_iter().find_map(|bytes| bytes.try_into().ok());
            Rng::with_seed(u64::from_le_bytes(eight.expect("eight bytes of entropy")))
        };
        let facts = Facts::new(sent);
        let Some(rules) = &self.rules else {
            carry_out(&Effects::inert(&self.outputs, &facts), None, &mut request, &mut response);
            return Outcome { request, response };
        };
        let now = Time::from_unix_seconds(now);
        let draw = || random.get_or_insert_with(seeded).u64(..);
        let decision = decide(rules, &Current::new(rules, now), &facts, now, draw);
        saw(decision.as_ref().map(|decision| (decision.reason, decision.is_stable())));
        let effects = Effects::of(rules, decision.as_ref(), &facts, now);
        carry_out(&effects, Some(rules), &mut request, &mut response);
        Outcome { request, response }
    }
}

/// The effects on both messages; the answer of a server that has failed gets no cookies.
fn carry_out(effects: &Effects<'_>, rules: Option<&Rules>, request: &mut HeaderMap, response: &mut HeaderMap) {
    effects.remove.iter().for_each(|name| request.remove(name));
    effects.set().for_each(|(name, value)| request.replace(name, value.as_bytes()));
    let wanted = effects.response.as_deref().cloned().unwrap_or_default();
    let application = response.get("cache-control").map(<[u8]>::to_vec);
    if let (Some(value), Some(name)) = (&wanted.answer, rules.and_then(|rules| rules.outputs().answer())) {
        response.replace(name.as_str(), value);
    }
    let fails = response.get(":status").is_some_and(|status| status.starts_with(b"5"));
    let cookies: Vec<String> = wanted.set_cookies.into_iter().flatten().filter(|_| !fails).collect();
    cookies.iter().for_each(|line| response.add("set-cookie", line));
    if (wanted.private || !cookies.is_empty())
        && let Some(value) = private_cache_control(application.as_deref())
    {
        response.replace("cache-control", value);
    }
}
