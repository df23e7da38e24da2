//! A proxy that runs the module, and beside it the core.

use std::collections::BTreeMap;
use std::time::Duration;

use serin_cli::Request;
use serin_host::{Direction, Fault, HeaderMap, Lapse, Module, Proxy, ProxyBuilder, Stream, Worker};

use super::expected::{Oracle, Outcome, Sent};
use super::refusals::{Refusals, SPOOFED, assert_stripped, ours};
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
    /// Whether one has had a version header followed.
    inherits: bool,
    refusals: Refusals,
    /// Changes what is expected, for the tests of the comparison.
    plant: fn(&mut Outcome),
    pub(super) looked: Looked,
}

/// How often something was looked at.
#[derive(Clone, Copy, Default)]
pub(super) struct Looked {
    /// Requests and responses that had to be those of the core.
    pub(super) compared: [usize; 2],
    /// Requests of which a client's copies of our headers had to be gone though the host refused a call.
    pub(super) stripped: usize,
    /// Responses that had to have no cookie of ours since no header of the request could be read.
    pub(super) blind: usize,
}

/// What is known of the response to a request.
pub(super) enum Due {
    /// These headers.
    Headers(HeaderMap),
    /// The upstream's cookies and no others.
    NoCookie,
    /// Nothing.
    Unknown,
}

impl Site {
    pub(super) fn start(
        module: &Module,
        document: &[u8],
        fault: Option<(&'static str, Fault)>,
        dice: &mut Dice<'_>,
        plant: fn(&mut Outcome),
    ) -> Self {
        let is_inbound = dice.once_in(8);
        let start = if dice.once_in(8) { 1 + dice.up_to(1 << 34) } else { START + dice.up_to(40 * 86_400) };
        let mut builder = ProxyBuilder::new(module).plugin_name(PLUGIN).workers(WORKERS).fuel(MOST_FUEL);
        builder = builder.now(Duration::from_secs(start)).seed(dice.bits()).allow(Lapse::ErrorLog);
        builder = ENVIRONMENT.iter().fold(builder, |builder, (name, value)| builder.environment(name, value));
        let mut refusals = Refusals::default();
        if let Some((call, fault)) = fault {
            builder = builder.inject(call, fault);
            (0..WORKERS).for_each(|worker| refusals.note(worker, call, Some(fault)));
        }
        builder = builder.direction(if is_inbound { Direction::Inbound } else { Direction::Outbound });
        let proxy = builder.start(document).unwrap_or_else(|rejected| panic!("{rejected}"));
        let (oracle, said) = (Oracle::new(document, WORKERS), said(document));
        let (learns, inherits) = (asks_to_learn(&said), said.has("inherit"));
        let (is_compared, looked) = (fault.is_none(), Looked::default());
        Self { proxy, oracle, is_inbound, is_compared, learns, inherits, refusals, plant, looked }
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

    /// A document that comes while streams are in flight leaves two roots, and which rules outlive a mistake then is the tests'.
    pub(super) fn push(&mut self, document: &[u8], has_streams: bool) {
        self.is_compared &= !has_streams;
        self.refusals.pushed(has_streams);
        let said = said(document);
        self.learns |= asks_to_learn(&said);
        self.inherits |= said.has("inherit");
        self.proxy.push(document).unwrap_or_else(|rejected| panic!("{rejected}"));
        self.oracle.push(document);
    }

    /// A stream that is in flight meanwhile may be too late for a guard.
    pub(super) fn advance(&mut self, seconds: u64, has_streams: bool) {
        self.is_compared &= !has_streams;
        self.proxy.advance(Duration::from_secs(seconds)).unwrap_or_else(|death| panic!("{death}"));
    }

    pub(super) fn inject(&mut self, worker: usize, call: &'static str, fault: Option<Fault>) {
        self.is_compared &= fault.is_none();
        self.refusals.note(worker, call, fault);
        self.proxy.worker(worker).inject(call, fault);
    }

    /// Sends a request, and gives what is known of its response.
    pub(super) fn open(&mut self, request: &Request, answer: &HeaderMap, dice: &mut Dice<'_>) -> (Stream, Due) {
        let number = dice.below(WORKERS);
        let worker = self.proxy.worker(number);
        let strips = !self.is_compared && !self.is_inbound && self.refusals.strips(number);
        let mut built = built(&worker, request, answer);
        let ours = if strips { ours(self.oracle.outputs(), self.inherits) } else { Vec::new() };
        built = ours.iter().fold(built, |built, name| built.header(name, SPOOFED));
        let built = if dice.once_in(3) { built.http2() } else { built };
        // A listener without a filter passes the headers on as they were sent.
        let bare = built.clone().on(UNFILTERED).send().unwrap_or_else(|death| panic!("{death}"));
        let stream = built.start().unwrap_or_else(|death| panic!("{death}"));
        if strips {
            assert_stripped(&ours, &stream.request());
            self.looked.stripped += usize::from(self.refusals.has_one(number) && !ours.is_empty());
        }
        if !self.is_compared {
            let is_blind = self.refusals.is_blind(number, self.oracle.reads_at_once());
            return (stream, if is_blind { Due::NoCookie } else { Due::Unknown });
        }
        let sent = Sent { headers: bare.request, source: request.source.clone(), cluster: request.cluster.clone() };
        let now = self.proxy.now().as_secs();
        let mut expected = self.oracle.outcome(&sent, answer, now, number, &worker, self.is_inbound);
        (self.plant)(&mut expected);
        assert_eq!(stream.request(), expected.request, "{sent:?}");
        self.looked.compared[0] += 1;
        // What guards and missing clusters teach is the tests'.
        let teaches = self.learns
            && (answer.get(":status").is_some_and(|status| status.starts_with(b"5")) || answer.has("grpc-status"));
        self.is_compared &= !teaches;
        (stream, if teaches { Due::Unknown } else { Due::Headers(expected.response) })
    }

    /// The response is the one that is due.
    #[track_caller]
    pub(super) fn check_response(&mut self, due: Due, answer: &HeaderMap, response: &HeaderMap) {
        match due {
            Due::Headers(headers) if self.is_compared => {
                assert_eq!(*response, headers);
                self.looked.compared[1] += 1;
            }
            Due::NoCookie => {
                assert_eq!(response.all("set-cookie"), answer.all("set-cookie"), "a cookie in doubt");
                self.looked.blind += 1;
            }
            Due::Headers(_) | Due::Unknown => {}
        }
    }
}

/// What a document says.
fn said(document: &[u8]) -> Given {
    let mut given = Given::default();
    given.add(document);
    given
}

/// Whether it asks for a guard, or for what happens where a cluster is missing.
fn asks_to_learn(said: &Given) -> bool {
    said.has("guard") || said.has("missing_cluster")
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
