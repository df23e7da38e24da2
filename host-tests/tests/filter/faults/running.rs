//! A site that runs, with faults put into its host, and what its visitors get.

use std::collections::BTreeMap;
use std::time::Duration;

use serin_host::{Exchange, Fault, HeaderMap, Lapse, Proxy, ProxyBuilder, Request, Stream, Worker};

use super::sites::{self, SPOOFED, Site, Visitor};
use super::{Phase, READ_DOCUMENT, READ_SHARED, REMOVE_HEADER, REPLACE_HEADER, is_lie};
use crate::site::{PLUGIN, module};

pub(super) const KEY: &str = "a key of sixteen bytes or more";

/// A site that runs, and its visitors with the cookies that they have by now.
pub(super) struct Running<'a> {
    pub(super) site: &'a Site,
    pub(super) proxy: Proxy,
    pub(super) visitors: Vec<(&'a Visitor, BTreeMap<String, String>)>,
    /// Whether the other form of the document is in force, which means the same.
    is_other: bool,
    /// What is tried, for who reads of a failure.
    pub(super) place: String,
}

impl<'a> Running<'a> {
    #[track_caller]
    pub(super) fn start(site: &'a Site, fault: Option<(&str, Fault)>) -> Self {
        let place = format!("{}, {fault:?} at the start", site.name);
        let builder = builder(site);
        let builder = fault.into_iter().fold(builder, |builder, (call, fault)| builder.inject(call, fault));
        let proxy = builder.start(site.document.to_string()).unwrap_or_else(|error| panic!("{place}: {error}"));
        let visitors = site.visitors.iter().map(|visitor| (visitor, cookies_of(visitor))).collect();
        Self { site, proxy, visitors, is_other: false, place }
    }

    pub(super) fn worker(&self) -> Worker {
        self.proxy.worker(0)
    }

    pub(super) fn inject(&self, call: &str, fault: Option<Fault>) {
        self.worker().inject(call, fault);
        self.proxy.main_thread().inject(call, fault);
    }

    #[track_caller]
    pub(super) fn tick(&mut self) {
        let place = &self.place;
        self.proxy.advance(Duration::from_secs(1)).unwrap_or_else(|death| panic!("{place}: {death}"));
    }

    /// Pushes the document as it is not written now.
    #[track_caller]
    pub(super) fn push(&mut self) {
        self.is_other = !self.is_other;
        let space = if self.is_other { " " } else { "" };
        let document = self.site.document.to_string() + space;
        self.proxy.push(document).unwrap_or_else(|error| panic!("{}: {error}", self.place));
        assert_eq!(self.worker().death(), None, "{}", self.place);
    }

    /// Has v2 fail until its guard takes it out.
    pub(super) fn trip(&mut self) {
        self.tick();
        for _ in 0..20 {
            self.worker().get("/cart").answered_with(500).send().unwrap();
        }
        self.tick();
        self.tick();
    }

    /// Sends a request; from the response on with a fault, if there is one.
    #[track_caller]
    pub(super) fn send(&self, request: Request, late: Option<(&str, Fault)>) -> Exchange {
        let sent = request.start();
        late.iter().for_each(|(call, fault)| self.inject(call, Some(*fault)));
        let exchange = sent.and_then(Stream::complete).unwrap_or_else(|death| panic!("{}: {death}", self.place));
        late.iter().for_each(|(call, _)| self.inject(call, None));
        exchange
    }

    /// Has all visitors ask, and gives what they get; from the response on with a fault, if there is one.
    #[track_caller]
    pub(super) fn ask(&mut self, late: Option<(&str, Fault)>) -> Vec<Exchange> {
        let worker = self.worker();
        let mut exchanges = Vec::new();
        for at in 0..self.visitors.len() {
            let (visitor, cookies) = &self.visitors[at];
            let line = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let exchange = self.send(visitor.request(&worker, &line), late);
            self.visitors[at].1.extend(pairs_of(&exchange));
            assert!(exchange.upstream.is_some(), "{}: {exchange:?} does not get to the upstream", self.place);
            assert_eq!(exchange.status, 200, "{}", self.place);
            exchanges.push(exchange);
        }
        exchanges
    }

    /// Streams that end with a fault, one with an answer and one without.
    #[track_caller]
    pub(super) fn end(&self, call: &str, fault: Fault) {
        let worker = self.worker();
        let mut streams = [worker.get("/cart").start().unwrap(), worker.get("/cart").start().unwrap()];
        drop(streams[0].respond(HeaderMap::response().with(":status", "200")).unwrap());
        self.inject(call, Some(fault));
        for stream in streams {
            drop(stream.finish().unwrap_or_else(|death| panic!("{}: {death}", self.place)));
        }
    }

    /// What every visitor gets from a sound host.
    #[track_caller]
    pub(super) fn check_sound(&mut self, when: &str) {
        let place = self.place.clone();
        for ((visitor, _), exchange) in self.visitors.clone().iter().zip(self.ask(None)) {
            let shown = format!("{place}, {when}: {:?} {:?}", visitor.headers, exchange.request);
            assert_eq!(served(&exchange), visitor.version, "{shown}");
            self.check_stripped(visitor, &exchange, &shown);
        }
    }

    /// What visitors get from a host with a fault that began in this phase.
    #[track_caller]
    pub(super) fn check_faulty(&mut self, phase: Phase, call: &'static str, fault: Fault) {
        // Routes that draw do so without a document, and where no header can be set.
        let is_drawn = self.site.is_drawn() && [READ_DOCUMENT, REPLACE_HEADER].contains(&call);
        // It hides a client's copy of our headers, or keeps what it has said to be gone.
        let lies = is_lie(fault) && (call.starts_with("proxy_get") || [REMOVE_HEADER, REPLACE_HEADER].contains(&call));
        // Without memory the host still tells what is not there.
        let is_refused = !is_lie(fault) && fault != Fault::NoMemory;
        for ((visitor, _), exchange) in self.visitors.clone().iter().zip(self.ask(None)) {
            let found = served(&exchange);
            let shown = format!("{}: {:?} {:?}", self.place, visitor.headers, exchange.request);
            if is_refused && visitor.needs.contains(&(phase, call)) {
                assert_eq!((found, exchange.response.has("set-cookie")), ("v1", false), "{shown}");
            } else if is_refused && call == READ_SHARED {
                assert_eq!(found, visitor.version, "no guard is theirs: {shown}");
            } else if !lies && !is_drawn {
                assert!(found == "v1" || found == visitor.version, "{found} serves: {shown}");
                // Nothing is kept of a version that could not be named to the routes.
                let is_unnamed = is_refused && call == REPLACE_HEADER && found != visitor.version;
                assert!(!is_unnamed || !exchange.response.has("set-cookie"), "{shown}");
            }
            // It is the document that names them.
            if !lies && call != READ_DOCUMENT {
                self.check_stripped(visitor, &exchange, &shown);
            }
        }
    }

    /// What visitors get while calls about their requests are refused: stable alone, where one of them is needed. `stripped` says
    /// whether their own copies of our headers cannot come through.
    #[track_caller]
    pub(super) fn check_pair(&mut self, refused: &[&str], stripped: bool) {
        let before = self.visitors.clone();
        for ((visitor, _), exchange) in before.iter().zip(self.ask(None)) {
            let found = served(&exchange);
            let shown = format!("{}: {:?} {:?}", self.place, visitor.headers, exchange.request);
            let is_needed = refused.iter().any(|call| visitor.needs.contains(&(Phase::Request, call)));
            if stripped {
                let is_drawn = self.site.is_drawn() && refused.contains(&REPLACE_HEADER);
                let is_theirs = found == visitor.version && !is_needed;
                assert!(is_drawn || found == "v1" || is_theirs, "{found} serves: {shown}");
                self.check_stripped(visitor, &exchange, &shown);
            }
            let may_be_kept = found == visitor.version && !is_needed;
            assert!(may_be_kept || !exchange.response.has("set-cookie"), "kept in doubt: {shown}");
        }
        self.visitors = before;
    }

    /// Fails if a client's copy of one of our headers gets to the upstream, where it is not what the filter writes itself.
    #[track_caller]
    fn check_stripped(&self, visitor: &Visitor, exchange: &Exchange, place: &str) {
        let upstream = exchange.upstream.as_ref().expect("it got there");
        let is_written = |name: &str| name == "x-canary-version" && served(exchange) == SPOOFED;
        for name in self.site.ours().filter(|name| visitor.knows(name) && !is_written(name)) {
            let passes = upstream.all(name).iter().any(|value| *value == SPOOFED.as_bytes());
            assert!(!passes, "{name} passes: {place}: {upstream:?}");
        }
    }
}

fn builder(site: &Site) -> ProxyBuilder {
    let builder =
        ProxyBuilder::new(module()).plugin_name(PLUGIN).environment("KEY", KEY).routes(sites::routes(&site.document));
    let builder = builder.allow(Lapse::ErrorLog).allow(Lapse::MemoryGrowth);
    if site.is_inbound { builder.direction(serin_host::Direction::Inbound) } else { builder }
}

/// The cookies that a visitor comes with.
fn cookies_of(visitor: &Visitor) -> BTreeMap<String, String> {
    let Some(document) = &visitor.under else { return BTreeMap::new() };
    let proxy = ProxyBuilder::new(module()).plugin_name(PLUGIN).environment("KEY", KEY).start(document.to_string());
    let exchange = proxy.expect("it starts").worker(0).get("/cart").send().expect("the VM lives");
    let pairs: BTreeMap<_, _> = pairs_of(&exchange).collect();
    assert_eq!(pairs.len(), 2, "a visitor cookie and the rollout's own");
    pairs
}

/// The cookies that a response sets, by name.
fn pairs_of(exchange: &Exchange) -> impl Iterator<Item = (String, String)> {
    exchange.response.all("set-cookie").into_iter().map(|line| {
        let line = std::str::from_utf8(line).expect("a cookie in text");
        let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
        (name.to_owned(), value.to_owned())
    })
}

/// The version whose cluster a request goes to.
pub(super) fn served(exchange: &Exchange) -> &str {
    exchange.cluster.as_deref().and_then(|cluster| cluster.strip_prefix("shop-")).unwrap_or_default()
}
