//! The core, run natively, as the oracle for the module: the same requests, the same decisions, the same headers, the same
//! counters, and the same told by `serin explain`.

mod documents;
mod explained;
mod requests;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use serin_core::{
    Current, Decision, Effects, Facts, Reason, Rules, Source, Surroundings, Time, decide, private_cache_control,
};
use serin_host::{HeaderMap, Proxy, Stat, Worker};

use crate::site::with_mistakes;
use documents::{ENVIRONMENT, documents};
use requests::{Browser, Sent};

/// As many proxies follow one another with one document, at these days; browsers keep their cookies. The last is past the
/// age of every cookie of the first.
const DAYS: [u64; 3] = [0, 9, 40];
/// Requests to one proxy. There are as many documents and proxies that it is ten thousand in all.
const REQUESTS: usize = 240;
const START: Duration = Duration::from_secs(1_767_225_600 + 86_300);

impl Source for Sent {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers.get(name).map(Cow::from)
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        self.headers.all(name).into_iter().map(<[u8]>::to_vec).collect()
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        self.cluster_name.map(|name| name.as_bytes().to_vec())
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        self.source_address.map(|address| address.as_bytes().to_vec())
    }
}

/// What a request becomes on its way, and what is left of it.
#[derive(Debug, PartialEq)]
struct Outcome {
    request: HeaderMap,
    response: HeaderMap,
    filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The core with what the adapter adds: one sequence of random bits for each worker, and counters.
struct Oracle {
    rules: Rules,
    random: Vec<Option<Rng>>,
    counters: BTreeMap<String, u64>,
}

impl Oracle {
    fn new(document: &Value) -> Self {
        let env =
            |name: &str| ENVIRONMENT.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let parsed = Rules::parse(document.to_string().as_bytes(), &Surroundings { last_good: None, env: &env });
        let mut errors = parsed.errors.iter().map(ToString::to_string);
        assert_eq!(errors.find(|error| !error.contains("the environment has no")), None, "{document}");
        Self { rules: parsed.rules.expect("sound"), random: vec![None, None], counters: BTreeMap::new() }
    }

    /// The module seeds its generator with eight bytes of entropy at the first draw, which has happened if it is to draw
    /// what the module drew.
    fn outcome(&mut self, sent: &Sent, now: Time, number: usize, worker: &Worker) -> (Outcome, Option<Reason>) {
        let random = &mut self.random[number];
        let seeded = || {
            let eight = worker.entropy().into_iter().find_map(|bytes| bytes.try_into().ok());
            Rng::with_seed(u64::from_le_bytes(eight.expect("eight bytes of entropy")))
        };
        let facts = Facts::new(sent);
        let drawn = Cell::new(0);
        let decision = decide(&self.rules, &Current::new(&self.rules, now), &facts, now, || {
            drawn.set(random.get_or_insert_with(seeded).u64(..));
            drawn.get()
        });
        let effects = Effects::of(&self.rules, decision.as_ref(), &facts, now);
        let outcome = carried_out(&self.rules, &effects, sent);
        if let Some(decision) = &decision {
            count(&mut self.counters, decision);
        }
        let reason = decision.as_ref().map(|decision| decision.reason);
        explained::check(&self.rules, sent, now, drawn.get(), &outcome, reason.map(Reason::as_str));
        (outcome, reason)
    }
}

/// The effects on the messages.
fn carried_out(rules: &Rules, effects: &Effects<'_>, sent: &Sent) -> Outcome {
    let (mut request, mut response) = (sent.headers.clone(), sent.answer.clone());
    for name in &effects.remove {
        request.remove(name);
    }
    for (name, value) in effects.set() {
        request.replace(name, value.as_bytes());
    }
    let wanted = effects.response.as_deref().cloned().unwrap_or_default();
    if let (Some(value), Some(name)) = (&wanted.answer, rules.outputs().answer()) {
        response.replace(name.as_str(), value);
    }
    let cookies: Vec<_> = wanted.set_cookies.into_iter().flatten().filter(|_| !sent.fails()).collect();
    cookies.iter().for_each(|line| response.add("set-cookie", line));
    if (wanted.private || !cookies.is_empty())
        && let Some(value) = private_cache_control(sent.answer.get("cache-control"))
    {
        response.replace("cache-control", value);
    }
    let logged = wanted.answer.filter(|_| rules.access_log());
    let filter_state = logged.map(|answer| (b"serin".to_vec(), answer.into_bytes())).into_iter().collect();
    Outcome { request, response, filter_state }
}

fn count(counters: &mut BTreeMap<String, u64>, decision: &Decision<'_>) {
    let rollout = decision.rollout.name();
    let version = decision.version().map_or("-", |version| version.name());
    let reason = decision.reason.as_str();
    let decided = format!("serin_decisions.rollout.{rollout}.version.{version}.reason.{reason}");
    *counters.entry(decided).or_default() += 1;
    if decision.override_ignored {
        *counters.entry(format!("serin_overrides_ignored.rollout.{rollout}")).or_default() += 1;
    }
}

/// Sends requests of these browsers through a proxy and compares what becomes of each.
fn drive(proxy: &mut Proxy, document: &Value, browsers: &mut [Browser], rng: &mut Rng) -> BTreeSet<&'static str> {
    let mut oracle = Oracle::new(document);
    let mut reasons = BTreeSet::new();
    for _ in 0..REQUESTS {
        if rng.u8(..8) == 0 {
            proxy.advance(Duration::from_secs(rng.u64(1..60))).unwrap();
        }
        let now = Time::from_unix_seconds(proxy.now().as_secs());
        let (number, browser) = (rng.usize(..2), rng.usize(..browsers.len()));
        let worker = proxy.worker(number);
        let (request, sent) = browsers[browser].any_request(&worker, &oracle.rules, now, rng);
        let exchange = request.send().unwrap();
        browsers[browser].keep(&exchange.response);
        let (request, response, filter_state) = (exchange.request, exchange.response, exchange.filter_state);
        let (expected, reason) = oracle.outcome(&sent, now, number, &worker);
        assert_eq!(Outcome { request, response, filter_state }, expected, "{reason:?}\n{sent:?}\n{document}");
        reasons.extend(reason.map(Reason::as_str));
    }
    proxy.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(counters(proxy), oracle.counters, "{document}");
    reasons
}

/// What was decided and what was ignored, by the names of the counters.
fn counters(proxy: &Proxy) -> BTreeMap<String, u64> {
    let counted = proxy.stats().into_iter().filter_map(|((_, name), stat)| match stat {
        Stat::Counter(count) if !name.starts_with("serin_config") => Some((name, count)),
        _ => None,
    });
    counted.collect()
}

#[test]
fn the_module_decides_as_the_core_does() {
    let mut rng = Rng::with_seed(1);
    let mut reasons = BTreeSet::new();
    let documents = documents();
    assert!(documents.len() * DAYS.len() * REQUESTS >= 10_000, "{} documents", documents.len());
    for document in documents {
        let mut browsers = vec![Browser::default(); 10];
        for day in DAYS {
            let start = with_mistakes().now(START + Duration::from_secs(day * 86_400)).seed(rng.u64(..));
            let start = ENVIRONMENT.iter().fold(start, |start, (name, value)| start.environment(name, value));
            let mut proxy = start.start(document.to_string()).unwrap();
            reasons.extend(drive(&mut proxy, &document, &mut browsers, &mut rng));
        }
    }
    // What upstreams bring about has tests of its own.
    let of_requests = Reason::ALL.into_iter().filter(|reason| !matches!(reason, Reason::Guard | Reason::Missing));
    assert_eq!(reasons, of_requests.map(Reason::as_str).collect(), "every layer has decided something");
}
