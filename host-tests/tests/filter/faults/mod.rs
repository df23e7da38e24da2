//! A host that fails: every call that the module makes, with every status, beginning in every phase. Traffic passes, stable or
//! who is right serves, and nothing of it is left once the host is sound again.
//!
//! A *refusal* is any status but `Ok` and `NotFound`; the other two are answers. A host that gives them wrongly lies: a header
//! that it does not tell of cannot be missed, and so only the rest is asked of the filter then. A host that lies about the size
//! of what it gives is taken at its word as long as that is not too much; with too much the guest reads beyond what it has
//! allocated, within its own memory or into a trap, and nothing that it could do itself would prevent that.

mod sites;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serin_host::{Exchange, Fault, HeaderMap, Proxy, ProxyBuilder, Worker};

use crate::site::{PLUGIN, module};
use sites::{SPOOFED, Site, Visitor};

const KEY: &str = "a key of sixteen bytes or more";

/// When the fault begins. It ends before the recovery is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    Request,
    Response,
    End,
    Tick,
    Push,
}

const PHASES: [Phase; 6] = [Phase::Start, Phase::Request, Phase::Response, Phase::End, Phase::Tick, Phase::Push];

/// Every status, some numbers that are none, and what else can go wrong with a value.
fn faults(call: &str) -> Vec<Fault> {
    let numbers = (0..=16).chain([76, 255, u32::MAX]).map(Fault::Number);
    let values = [Fault::Null, Fault::NoMemory, Fault::Size(0), Fault::Size(1)];
    numbers.chain(values.into_iter().filter(|fault| fault.can_happen_to(call))).collect()
}

/// Whether it is an answer of a kind, and not a refusal.
fn is_lie(fault: Fault) -> bool {
    matches!(fault, Fault::Number(0 | 1) | Fault::Null | Fault::Size(_))
}

fn builder(site: &Site) -> ProxyBuilder {
    let builder =
        ProxyBuilder::new(module()).plugin_name(PLUGIN).environment("KEY", KEY).routes(sites::routes(&site.document));
    let builder = builder.allow(serin_host::Lapse::ErrorLog).allow(serin_host::Lapse::MemoryGrowth);
    if site.is_inbound { builder.direction(serin_host::Direction::Inbound) } else { builder }
}

/// A site that runs, and its visitors with the cookies that they have by now.
struct Running<'a> {
    site: &'a Site,
    proxy: Proxy,
    visitors: Vec<(&'a Visitor, BTreeMap<String, String>)>,
    /// Whether the other form of the document is in force, which means the same.
    is_other: bool,
    place: String,
}

impl<'a> Running<'a> {
    #[track_caller]
    fn start(site: &'a Site, fault: Option<(&str, Fault)>) -> Self {
        let place = format!("{}, {fault:?} at the start", site.name);
        let builder = builder(site);
        let builder = fault.into_iter().fold(builder, |builder, (call, fault)| builder.inject(call, fault));
        let proxy = builder.start(site.document.to_string()).unwrap_or_else(|error| panic!("{place}: {error}"));
        let visitors = site.visitors.iter().map(|visitor| (visitor, cookies_of(visitor))).collect();
        Self { site, proxy, visitors, is_other: false, place }
    }

    fn worker(&self) -> Worker {
        self.proxy.worker(0)
    }

    fn inject(&self, call: &str, fault: Option<Fault>) {
        self.worker().inject(call, fault);
        self.proxy.main_thread().inject(call, fault);
    }

    #[track_caller]
    fn tick(&mut self) {
        let place = &self.place;
        self.proxy.advance(Duration::from_secs(1)).unwrap_or_else(|death| panic!("{place}: {death}"));
    }

    /// Pushes the document as it is not written now.
    #[track_caller]
    fn push(&mut self) {
        self.is_other = !self.is_other;
        let space = if self.is_other { " " } else { "" };
        let document = self.site.document.to_string() + space;
        self.proxy.push(document).unwrap_or_else(|error| panic!("{}: {error}", self.place));
        assert_eq!(self.worker().death(), None, "{}", self.place);
    }

    /// Has v2 fail until its guard takes it out.
    fn trip(&mut self) {
        self.tick();
        for _ in 0..20 {
            self.worker().get("/cart").answered_with(500).send().unwrap();
        }
        self.tick();
        self.tick();
    }

    /// Has all visitors ask, and gives what they get; from the response on with a fault, if there is one.
    #[track_caller]
    fn ask(&mut self, late: Option<(&str, Fault)>) -> Vec<Exchange> {
        let worker = self.worker();
        let mut exchanges = Vec::new();
        for (visitor, cookies) in &mut self.visitors {
            let line = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let sent = visitor.request(&worker, &line).start();
            late.iter().for_each(|(call, fault)| worker.inject(call, Some(*fault)));
            let exchange =
                sent.and_then(serin_host::Stream::complete).unwrap_or_else(|death| panic!("{}: {death}", self.place));
            late.iter().for_each(|(call, _)| worker.inject(call, None));
            for set in exchange.response.all("set-cookie") {
                let set = String::from_utf8(set.to_vec()).expect("a cookie in text");
                let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
                cookies.insert(name.to_owned(), value.to_owned());
            }
            assert!(exchange.upstream.is_some(), "{}: {exchange:?} does not get to the upstream", self.place);
            assert_eq!(exchange.status, 200, "{}", self.place);
            exchanges.push(exchange);
        }
        exchanges
    }

    /// An answer of Envoy's own, with a fault.
    #[track_caller]
    fn fail(&self, (call, fault): (&str, Fault)) {
        let worker = self.worker();
        let started = worker.get("/cart").answered_with(503).start();
        worker.inject(call, Some(fault));
        let exchange =
            started.and_then(serin_host::Stream::complete).unwrap_or_else(|death| panic!("{}: {death}", self.place));
        worker.inject(call, None);
        assert_eq!(exchange.status, 503, "{}", self.place);
    }

    /// What every visitor gets from a sound host.
    #[track_caller]
    fn check_sound(&mut self, when: &str) {
        let place = self.place.clone();
        for ((visitor, _), exchange) in self.visitors.clone().iter().zip(self.ask(None)) {
            assert_eq!(
                served(&exchange),
                visitor.version,
                "{place}, {when}: {:?} {:?}",
                visitor.headers,
                exchange.request
            );
            self.check_stripped(visitor, &exchange, &place);
        }
    }

    /// What visitors get from a host with a fault.
    #[track_caller]
    fn check_faulty(&mut self, call: &str, fault: Fault) {
        let place = self.place.clone();
        // Routes that draw do so without a document, and where no header can be set.
        let is_unread = call == "proxy_get_buffer_bytes";
        let is_drawn = self.site.is_drawn() && (is_unread || call == "proxy_replace_header_map_value");
        // Without memory the host still tells what is not there.
        let needs = self.site.needs.contains(&call) && !is_lie(fault) && fault != Fault::NoMemory;
        for ((visitor, _), exchange) in self.visitors.clone().iter().zip(self.ask(None)) {
            let found = served(&exchange);
            let shown = format!("{place}: {:?} {:?}", visitor.headers, exchange.request);
            if needs {
                assert_eq!((found, exchange.response.has("set-cookie")), ("v1", false), "{shown}");
            } else if !(is_lie(fault) && call.starts_with("proxy_get") || is_drawn) {
                assert!(found == "v1" || found == visitor.version, "{found} serves: {shown}");
            }
            let hides = is_lie(fault) && (call.starts_with("proxy_get") || call == "proxy_replace_header_map_value");
            // The one removes them, the other gives the document that names them.
            if call != "proxy_remove_header_map_value" && !is_unread && !hides {
                self.check_stripped(visitor, &exchange, &shown);
            }
        }
    }

    /// Fails if a client's copy of one of our headers gets to the upstream.
    #[track_caller]
    fn check_stripped(&self, visitor: &Visitor, exchange: &Exchange, place: &str) {
        let upstream = exchange.upstream.as_ref().expect("it got there");
        for name in self.site.ours().filter(|name| visitor.knows(name)) {
            let passes = upstream.all(name).iter().any(|value| *value == SPOOFED.as_bytes());
            assert!(!passes, "{name} passes: {place}: {upstream:?}");
        }
    }
}

/// The cookies that a visitor comes with.
fn cookies_of(visitor: &Visitor) -> BTreeMap<String, String> {
    let Some(document) = &visitor.under else { return BTreeMap::new() };
    let proxy = ProxyBuilder::new(module()).plugin_name(PLUGIN).environment("KEY", KEY).start(document.to_string());
    let response = proxy.expect("it starts").worker(0).get("/cart").send().expect("the VM lives").response;
    let lines = response.all("set-cookie").into_iter().map(|line| String::from_utf8_lossy(line).into_owned());
    let pair = |line: String| {
        Some(line.split(';').next()?.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))?)
    };
    let pairs: BTreeMap<_, _> = lines.filter_map(pair).collect();
    assert_eq!(pairs.len(), 2, "a visitor cookie and the rollout's own");
    pairs
}

fn served(exchange: &Exchange) -> &str {
    exchange.cluster.as_deref().and_then(|cluster| cluster.strip_prefix("shop-")).unwrap_or_default()
}

/// The host calls that a sound run makes in each phase.
fn made_in(site: &Site) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut running = Running::start(site, None);
    if site.trips {
        running.trip();
    }
    for _ in 0..2 {
        running.ask(None);
        running.worker().get("/cart").answered_with(503).send().unwrap();
        drop(running.worker().get("/cart").start().unwrap());
        running.tick();
        running.push();
    }
    let usage = running.worker().usage();
    usage.by_callback().iter().map(|cost| (cost.callback(), cost.host_calls().into_keys().collect())).collect()
}

fn callbacks(phase: Phase) -> &'static [&'static str] {
    match phase {
        Phase::Start => &["_initialize", "proxy_on_vm_start", "proxy_on_context_create", "proxy_on_configure"],
        Phase::Request => &["proxy_on_context_create", "proxy_on_request_headers"],
        Phase::Response => &["proxy_on_response_headers"],
        Phase::End => &["proxy_on_delete"],
        Phase::Tick => &["proxy_on_tick"],
        Phase::Push => &["proxy_on_context_create", "proxy_on_configure", "proxy_on_delete"],
    }
}

/// One fault in one phase of a site that runs, and what is left of it.
#[track_caller]
fn check(running: &mut Running<'_>, phase: Phase, call: &str, fault: Fault) {
    running.place = format!("{}, {call} {fault:?} from {phase:?} on", running.site.name);
    let cookies = running.visitors.clone();
    running.inject(call, Some(fault).filter(|_| phase != Phase::Response));
    match phase {
        Phase::Start => running.check_faulty(call, fault),
        Phase::Request => {
            running.check_faulty(call, fault);
            running.tick();
        }
        Phase::Response => {
            running.ask(Some((call, fault)));
            running.fail((call, fault));
        }
        Phase::End => {
            let worker = running.worker();
            worker.inject(call, None);
            let mut streams = [worker.get("/cart").start().unwrap(), worker.get("/cart").start().unwrap()];
            drop(streams[0].respond(HeaderMap::response().with(":status", "200")).unwrap());
            worker.inject(call, Some(fault));
            streams
                .into_iter()
                .for_each(|stream| drop(stream.finish().unwrap_or_else(|death| panic!("{}: {death}", running.place))));
        }
        Phase::Tick => running.tick(),
        Phase::Push => {
            running.push();
            running.check_faulty(call, fault);
        }
    }
    running.inject(call, None);
    if is_lie(fault) {
        // Who was said to bring no cookie is somebody else by now, and a wrong time stays until the next tick.
        running.visitors = cookies;
        running.tick();
    }
    if matches!(phase, Phase::Start | Phase::Push) {
        running.push();
        running.tick();
    }
    running.check_sound("once it is over");
}

#[test]
fn whatever_a_host_refuses_traffic_passes_and_stable_serves() {
    let mut tried = BTreeSet::new();
    for site in sites::all() {
        let made = made_in(&site);
        let mut running = Running::start(&site, None);
        if site.trips {
            running.trip();
        }
        running.check_sound("before anything");
        for phase in PHASES {
            let calls = callbacks(phase).iter().filter_map(|callback| made.get(callback)).flatten().copied();
            for call in calls.collect::<BTreeSet<_>>() {
                tried.insert(call.to_owned());
                // Of a ledger that is said not to be there the guards begin another.
                // Nor is it found by a plugin whose name the host does not tell when it is configured.
                let is_nameless = phase == Phase::Push && call == "proxy_get_property";
                let is_lied_about = |fault: &Fault| call == "proxy_get_shared_data" && is_lie(*fault);
                let forgets = |fault: &Fault| site.trips && (is_nameless || is_lied_about(fault));
                for fault in faults(call).into_iter().filter(|fault| !forgets(fault)) {
                    if phase != Phase::Start {
                        check(&mut running, phase, call, fault);
                    } else if !site.trips {
                        check(&mut Running::start(&site, Some((call, fault))), phase, call, fault);
                    }
                }
            }
        }
    }
    let imports: BTreeSet<String> = module().imports().into_iter().collect();
    assert_eq!(tried, imports, "a call that no site makes is not tried");
}
