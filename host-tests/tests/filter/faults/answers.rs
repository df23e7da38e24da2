//! What is done with answers, and learned of them, where the host fails from the response on.

use std::collections::BTreeMap;

use serin_host::{Exchange, Fault, HeaderMap, MetricKind, Stat};

use super::running::{Running, served};
use super::{READ_HEADER, READ_PROPERTY, is_lie, sites};

/// The flag of `StreamInfo::CoreResponseFlag` that says that there is no such cluster.
const NO_CLUSTER: u64 = 0x100_0000;
/// What is counted of answers.
const LEARNED: [&str; 3] = ["serin_guard_requests", "serin_guard_failures", "serin_missing"];

impl Running<'_> {
    /// What somebody new gets whom the upstream answers with `no-store`; or Envoy does, for want of a cluster, with 503 and a
    /// fault that keeps this from being known.
    #[track_caller]
    pub(super) fn answer(&self, status: u16, has_body: bool, late: Option<(&str, Fault)>) -> Exchange {
        let is_unknown = |(call, fault): &(&str, Fault)| [READ_HEADER, READ_PROPERTY].contains(call) && !is_lie(*fault);
        let flags = if status == 503 && late.as_ref().is_some_and(is_unknown) { NO_CLUSTER } else { 0 };
        self.answer_with(status, has_body, flags, late)
    }

    #[track_caller]
    fn answer_with(&self, status: u16, has_body: bool, flags: u64, late: Option<(&str, Fault)>) -> Exchange {
        let answer =
            HeaderMap::response().with(":status", status.to_string()).with("cache-control", "max-age=9, no-store");
        let request = self.worker().get("/cart").property("response.flags", flags.to_le_bytes()).answered(answer);
        let request = if has_body { request } else { request.answer_body([""; 0]) };
        self.send(request, late)
    }

    /// What visitors get whose request found a sound host, and what is learned of the answers.
    #[track_caller]
    pub(super) fn check_answers(&mut self, call: &str, fault: Fault) {
        let late = Some((call, fault));
        // The status is not known then, unless the answer ends with its headers: those are read in another way.
        let is_unread = call == READ_HEADER && !is_lie(fault);
        self.tick();
        let before = self.learned();
        let with_body = [self.answer(200, true, late), self.answer(503, true, late)];
        self.tick();
        if is_unread {
            assert_eq!(self.learned(), before, "{}", self.place);
        }
        let asked = self.ask(late);
        for ((visitor, _), exchange) in self.visitors.iter().zip(&asked) {
            assert_eq!(served(exchange), visitor.version, "{}: {:?}", self.place, visitor.headers);
        }
        for exchange in with_body.iter().chain(&asked) {
            assert!(!is_unread || !exchange.response.has("set-cookie"), "{}: {exchange:?}", self.place);
        }
        let without = self.answer(200, false, late);
        for (exchange, status) in with_body.iter().chain([&without]).zip([200, 503, 200]) {
            assert_eq!(exchange.status, status, "{}", self.place);
            assert!(is_lie(fault) || stores_nothing(exchange), "{}: {exchange:?}", self.place);
        }
    }

    /// What was counted of answers until the last tick.
    fn learned(&self) -> BTreeMap<(MetricKind, String), Stat> {
        let mut stats = self.proxy.stats();
        stats.retain(|(_, name), _| LEARNED.iter().any(|learned| name.starts_with(learned)));
        stats
    }
}

/// Whether the application's `no-store` is still there.
fn stores_nothing(exchange: &Exchange) -> bool {
    let values = exchange.response.all("cache-control").join(&b","[..]);
    values.split(|byte| *byte == b',').any(|directive| directive.trim_ascii() == b"no-store")
}

/// What may not be there with a fault is there without one.
#[test]
fn the_answers_of_a_sound_host_are_learned_of() {
    let sites = sites::all();
    let site = sites.iter().find(|site| site.name == "guard that has nothing to do").expect("such a site");
    let mut running = Running::start(site, None);
    running.tick();
    for has_body in [true, false] {
        let exchange = running.answer(200, has_body, None);
        assert!(exchange.response.has("set-cookie") && stores_nothing(&exchange), "{exchange:?}");
    }
    running.answer_with(503, true, NO_CLUSTER, None);
    running.tick();
    let learned = running.learned();
    for name in LEARNED {
        let counted =
            |((_, found), stat): (&(MetricKind, String), &Stat)| found.starts_with(name) && *stat != Stat::Counter(0);
        assert!(learned.iter().any(counted), "{name}: {learned:?}");
    }
}
