//! A proxy that runs the module, and beside it the core.

use std::collections::BTreeMap;
use std::time::Duration;

use serin_cli::Request;
use serin_host::{Direction, Fault, HeaderMap, Lapse, Module, Proxy, ProxyBuilder, Stream, Worker};

use super::expected::{Oracle, Sent};
use crate::ENVIRONMENT;
use crate::dice::Dice;
use crate::given::Given;

pub(super) const WORKERS: usize = 2;
const PLUGIN: &str = "serin";
/// Behind this no filter is.
const UNFILTERED: &str = "unfiltered";
/// The day of most cookies in the drafts.
const START: u64 = 20_778 * 86_400;
/// The fuel of a callback: some tenths of a second, which no request and no document of this size may take.
const MOST_FUEL: u64 = 500_000_000;

/// A proxy that runs the module, and beside it the core.
pub(super) struct Site {
    proxy: Proxy,
    oracle: Oracle,
    is_inbound: bool,
    /// Whether the core still knows all that the module knows.
    is_compared: bool,
    /// Whether a document has asked for something to be learned from answers.
    learns: bool,
}

impl Site {
    pub(super) fn start(module: &Module, document: &[u8], faults: Vec<(&str, Fault)>, dice: &mut Dice<'_>) -> Self {
        let is_inbound = dice.once_in(8);
        let start = if dice.once_in(8) { dice.up_to(1 << 34) } else { START + dice.up_to(40 * 86_400) };
        let mut builder = ProxyBuilder::new(module).plugin_name(PLUGIN).workers(WORKERS).fuel(MOST_FUEL);
        builder = builder.now(Duration::from_secs(start)).seed(dice.bits()).allow(Lapse::ErrorLog);
        builder = ENVIRONMENT.iter().fold(builder, |builder, (name, value)| builder.environment(name, value));
        let is_compared = faults.is_empty();
        builder = faults.into_iter().fold(builder, |builder, (call, fault)| builder.inject(call, fault));
        builder = builder.direction(if is_inbound { Direction::Inbound } else { Direction::Outbound });
        let proxy = builder.start(document).unwrap_or_else(|rejected| panic!("{rejected}"));
        let (oracle, learns) = (Oracle::new(document, WORKERS), asks_to_learn(document));
        Self { proxy, oracle, is_inbound, is_compared, learns }
    }

    pub(super) fn workers(&self) -> Vec<Worker> {
        self.proxy.workers().into_iter().chain([self.proxy.main_thread()]).collect()
    }

    /// No VM has died.
    #[track_caller]
    pub(super) fn check_alive(&self) {
        for worker in self.workers() {
            if let Some(death) = worker.death() {
                panic!("{death}");
            }
        }
    }

    /// Whether the outcome has to be that of the core.
    pub(super) fn is_compared(&self) -> bool {
        self.is_compared
    }

    /// A document that comes while streams are in flight leaves two roots, and which rules outlive a mistake then is the tests'.
    pub(super) fn push(&mut self, document: &[u8], has_streams: bool) {
        self.is_compared &= !has_streams;
        self.learns |= asks_to_learn(document);
        self.proxy.push(document).unwrap_or_else(|rejected| panic!("{rejected}"));
        self.oracle.push(document);
    }

    /// A stream that is in flight meanwhile may be too late for a guard.
    pub(super) fn advance(&mut self, seconds: u64, has_streams: bool) {
        self.is_compared &= !has_streams;
        self.proxy.advance(Duration::from_secs(seconds)).unwrap_or_else(|death| panic!("{death}"));
    }

    pub(super) fn inject(&mut self, worker: usize, call: &str, fault: Option<Fault>) {
        self.is_compared &= fault.is_none();
        self.proxy.worker(worker).inject(call, fault);
    }

    /// Sends a request, and gives the response's headers that are due, if that is known.
    pub(super) fn open(
        &mut self,
        request: &Request,
        answer: &HeaderMap,
        dice: &mut Dice<'_>,
    ) -> (Stream, Option<HeaderMap>) {
        let number = dice.below(WORKERS);
        let worker = self.proxy.worker(number);
        let built = built(&worker, request, answer);
        let built = if dice.once_in(3) { built.http2() } else { built };
        // A listener without a filter passes the headers on as they were sent.
        let bare = built.clone().on(UNFILTERED).send().unwrap_or_else(|death| panic!("{death}"));
        let stream = built.start().unwrap_or_else(|death| panic!("{death}"));
        // What guards and missing clusters teach is the tests'.
        let teaches = self.learns
            && (answer.get(":status").is_some_and(|status| status.starts_with(b"5")) || answer.has("grpc-status"));
        let sent = Sent { headers: bare.request, source: request.source.clone(), cluster: request.cluster.clone() };
        let expected = self.is_compared.then(|| {
            let now = self.proxy.now().as_secs();
            self.oracle.outcome(&sent, answer, now, number, &worker, self.is_inbound)
        });
        if let Some(expected) = &expected {
            assert_eq!(stream.request(), expected.request, "{sent:?}");
        }
        self.is_compared &= !teaches;
        (stream, expected.filter(|_| !teaches).map(|expected| expected.response))
    }
}

/// Whether a document asks for a guard, or for what happens where a cluster is missing.
fn asks_to_learn(document: &[u8]) -> bool {
    let mut given = Given::default();
    given.add(document);
    given.has("guard") || given.has("missing_cluster")
}

/// The request as the host takes it. What no codec lets through is not in it.
fn built(worker: &Worker, request: &Request, answer: &HeaderMap) -> serin_host::Request {
    let of: BTreeMap<&str, &[u8]> = request.headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
    let text = |name: &str| of.get(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
    let mut built = worker.request(&text(":method"), "/").without(":path").without(":authority").without(":scheme");
    for (name, value) in request.headers.iter().filter(|(name, _)| name != ":method") {
        let clean: Vec<u8> = value.iter().map(|byte| if b"\0\r\n".contains(byte) { b'?' } else { *byte }).collect();
        built = built.header(name, clean);
    }
    if let Some(source) = &request.source {
        built = built.property("source.address", source);
    }
    if let Some(cluster) = &request.cluster {
        built = built.property("xds.cluster_name", cluster);
    }
    built.answered(answer.clone())
}
