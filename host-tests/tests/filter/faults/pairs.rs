//! Two calls refused at once.

use std::collections::BTreeSet;

use serin_host::Fault;

use super::running::Running;
use super::{Phase, READ_DOCUMENT, READ_HEADER, REMOVE_HEADER, REPLACE_HEADER, callbacks, made_in, sites};

/// The status of a capability that Envoy denies.
const DENIED: Fault = Fault::Number(10);
const READ_HEADERS: &str = "proxy_get_header_map_pairs";

/// Whether a client's headers can be kept out: where they cannot be removed they are emptied, if it is seen that they are there.
fn keeps_out(pair: [&str; 2]) -> bool {
    let can = |call: &str| !pair.contains(&call);
    can(REMOVE_HEADER) || (can(REPLACE_HEADER) && can(READ_HEADER) && can(READ_HEADERS))
}

#[test]
fn traffic_passes_with_any_two_calls_refused() {
    let mut checked = 0;
    for site in sites::all() {
        let made = made_in(&site);
        let calls = callbacks(Phase::Request).iter().filter_map(|callback| made.get(callback)).flatten().copied();
        let calls: Vec<_> = calls.collect::<BTreeSet<_>>().into_iter().collect();
        let mut running = Running::start(&site, None);
        if site.trips {
            running.trip();
        }
        for (at, first) in calls.iter().enumerate() {
            for second in &calls[at + 1..] {
                let pair = [*first, *second];
                running.place = format!("{}, without {pair:?}", site.name);
                pair.iter().for_each(|call| running.inject(call, Some(DENIED)));
                running.check_pair(keeps_out(pair), pair.contains(&REPLACE_HEADER));
                pair.iter().for_each(|call| running.inject(call, None));
                running.check_sound("once it is over");
                checked += 1;
            }
        }
        assert!(!calls.contains(&READ_DOCUMENT));
    }
    assert!(checked > 100, "{checked}");
}
