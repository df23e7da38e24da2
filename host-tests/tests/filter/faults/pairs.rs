//! Two calls refused at once.

use std::collections::{BTreeMap, BTreeSet};

use serin_host::Fault;

use super::running::Running;
use super::{Phase, READ_HEADER, REMOVE_HEADER, REPLACE_HEADER, callbacks, made_in, sites};

/// The status of a capability that Envoy denies.
pub(super) const DENIED: Fault = Fault::Number(10);

/// Whether a client's headers can be kept out: where they cannot be removed they are emptied, if it is seen that they are there.
fn keeps_out(pair: [&str; 2]) -> bool {
    let can = |call: &str| !pair.contains(&call);
    can(REMOVE_HEADER) || (can(REPLACE_HEADER) && can(READ_HEADER))
}

/// The calls that a site makes in a phase.
fn calls_in(phase: Phase, made: &BTreeMap<&'static str, BTreeSet<&'static str>>) -> BTreeSet<&'static str> {
    callbacks(phase).iter().filter_map(|callback| made.get(callback)).flatten().copied().collect()
}

#[test]
fn traffic_passes_with_any_two_calls_refused() {
    let mut checked = 0;
    for site in sites::all() {
        let made = made_in(&site);
        let asked = calls_in(Phase::Request, &made);
        let calls: Vec<_> = asked.union(&calls_in(Phase::Response, &made)).copied().collect();
        let mut running = Running::start(&site, None);
        if site.trips {
            running.trip();
        }
        for (at, first) in calls.iter().enumerate() {
            for second in &calls[at + 1..] {
                let pair = [*first, *second];
                running.place = format!("{}, without {pair:?}", site.name);
                pair.iter().for_each(|call| running.inject(call, Some(DENIED)));
                let refused: Vec<_> = pair.into_iter().filter(|call| asked.contains(call)).collect();
                running.check_pair(&refused, keeps_out(pair));
                pair.iter().for_each(|call| running.inject(call, None));
                running.tick();
                running.check_sound("once it is over");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked}");
}
