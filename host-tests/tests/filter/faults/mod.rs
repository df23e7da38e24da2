//! A host that fails: every call that the module makes, with every status, beginning in every phase. Traffic passes, stable or
//! who is right serves, and nothing of it is left once the host is sound again.
//!
//! A *refusal* is any status but `Ok` and `NotFound`; the other two are answers. A host that gives them wrongly lies: a header
//! that it does not tell of cannot be missed, and so only the rest is asked of the filter then. A host that lies about the size
//! of what it gives is taken at its word as long as that is not too much; with too much the guest reads beyond what it has
//! allocated, within its own memory or into a trap, and nothing that it could do itself would prevent that.

mod answers;
mod newcomers;
mod pairs;
mod running;
mod sites;

use std::collections::{BTreeMap, BTreeSet};

use serin_host::Fault;

use crate::site::module;
use running::Running;
use sites::Site;

/// Calls that some of what is asked of the filter depends on.
const READ_HEADER: &str = "proxy_get_header_map_value";
const REPLACE_HEADER: &str = "proxy_replace_header_map_value";
const REMOVE_HEADER: &str = "proxy_remove_header_map_value";
const READ_HEADERS: &str = "proxy_get_header_map_pairs";
const ADD_HEADER: &str = "proxy_add_header_map_value";
const READ_PROPERTY: &str = "proxy_get_property";
const READ_DOCUMENT: &str = "proxy_get_buffer_bytes";
const READ_SHARED: &str = "proxy_get_shared_data";
const TELL_TIME: &str = "proxy_get_current_time_nanoseconds";
const TICK: &str = "proxy_set_tick_period_milliseconds";

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

/// The host calls that a sound run makes in each phase.
fn made_in(site: &Site) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut running = Running::start(site, None);
    if site.trips {
        running.trip();
    }
    for _ in 0..2 {
        running.ask(None);
        running.answer(503, true, None);
        running.answer(200, false, None);
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
fn check(running: &mut Running<'_>, phase: Phase, call: &'static str, fault: Fault) {
    running.place = format!("{}, {call} {fault:?} from {phase:?} on", running.site.name);
    let cookies = running.visitors.clone();
    running.inject(call, Some(fault).filter(|_| !matches!(phase, Phase::Response | Phase::End)));
    match phase {
        Phase::Start => {
            running.check_faulty(phase, call, fault);
            running.tick();
            running.check_faulty(phase, call, fault);
        }
        Phase::Request => {
            running.check_faulty(phase, call, fault);
            running.tick();
        }
        Phase::Response => running.check_answers(call, fault),
        Phase::End => running.end(call, fault),
        Phase::Tick => running.tick(),
        Phase::Push => {
            running.push();
            running.check_faulty(phase, call, fault);
            running.tick();
            running.check_faulty(phase, call, fault);
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

/// One site with all faults. Gives the calls that it tries.
fn check_site(site: &Site) -> BTreeSet<&'static str> {
    let made = made_in(site);
    let mut tried = BTreeSet::new();
    let mut running = Running::start(site, None);
    if site.trips {
        running.trip();
    }
    running.check_sound("before anything");
    for phase in PHASES {
        let calls = callbacks(phase).iter().filter_map(|callback| made.get(callback)).flatten().copied();
        for call in calls.collect::<BTreeSet<_>>() {
            tried.insert(call);
            // Of a ledger that is said not to be there the guards begin another.
            // Nor is it found by a plugin whose name the host does not tell when it is configured.
            let is_nameless = phase == Phase::Push && call == READ_PROPERTY;
            let is_lied_about = |fault: &Fault| call == READ_SHARED && is_lie(*fault);
            let forgets = |fault: &Fault| site.trips && (is_nameless || is_lied_about(fault));
            for fault in faults(call).into_iter().filter(|fault| !forgets(fault)) {
                if phase != Phase::Start {
                    check(&mut running, phase, call, fault);
                } else if !site.trips {
                    check(&mut Running::start(site, Some((call, fault))), phase, call, fault);
                }
            }
        }
    }
    tried
}

#[test]
fn whatever_a_host_refuses_traffic_passes_and_stable_serves() {
    let tried: BTreeSet<String> = sites::all().iter().flat_map(check_site).map(str::to_owned).collect();
    let imports: BTreeSet<String> = module().imports().into_iter().collect();
    assert_eq!(tried, imports, "a call that no site makes is not tried");
}
