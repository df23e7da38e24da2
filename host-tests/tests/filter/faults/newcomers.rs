//! Visitors at weights between nothing and everything, where a draw for each request would go unseen elsewhere.

use std::collections::BTreeSet;
use std::time::Duration;

use serin_host::{Exchange, Fault, LogLevel, Proxy, Worker};

use super::{READ_HEADER, faults, is_lie};
use crate::site::{proxy, shop, version};

const ADD_HEADER: &str = "proxy_add_header_map_value";
const READ_HEADERS: &str = "proxy_get_header_map_pairs";

fn refusals(call: &str) -> impl Iterator<Item = Fault> {
    faults(call).into_iter().filter(|fault| !is_lie(*fault))
}

#[track_caller]
fn ask(worker: &Worker, lines: &[&str]) -> Exchange {
    lines.iter().fold(worker.get("/"), |request, line| request.header("cookie", line)).send().expect("the VM lives")
}

/// The versions that so many newcomers get.
fn versions(worker: &Worker) -> BTreeSet<String> {
    (0..32).map(|_| version(&ask(worker, &[]))).collect()
}

#[track_caller]
fn tick(proxy: &mut Proxy) {
    proxy.advance(Duration::from_secs(1)).expect("the VM lives");
}

/// Drawn anew, they would go to and fro between the versions. It is tried again once a second.
#[test]
fn who_cannot_be_given_a_cookie_is_served_by_stable() {
    let both = BTreeSet::from(["v1".to_owned(), "v2".to_owned()]);
    for fault in refusals(ADD_HEADER) {
        let mut proxy = proxy(&shop(50));
        let worker = proxy.worker(0);
        assert_eq!(versions(&worker), both, "{fault:?}");
        worker.inject(ADD_HEADER, Some(fault));
        for _ in 0..2 {
            ask(&worker, &[]);
            assert_eq!(versions(&worker), ["v1".to_owned()].into(), "{fault:?}");
            tick(&mut proxy);
        }
        worker.inject(ADD_HEADER, None);
        assert_eq!(versions(&worker), both, "{fault:?}");
    }
}

/// Clients of HTTP/1 may send several lines, and where they cannot be had at once only the first is seen.
#[test]
fn a_cookie_in_a_line_that_cannot_be_seen_is_not_taken_for_none() {
    let proxy = proxy(&shop(50));
    let worker = proxy.worker(0);
    let newcomers = std::iter::repeat_with(|| ask(&worker, &[])).take(100);
    let exchange = newcomers.into_iter().find(|exchange| version(exchange) == "v2").expect("half of them get v2");
    let cookie = exchange.response.text("set-cookie").expect("a cookie");
    let lines = ["theme=dark", cookie.split(';').next().unwrap_or_default()];
    assert_eq!(version(&ask(&worker, &lines)), "v2");
    for fault in refusals(READ_HEADERS) {
        worker.inject(READ_HEADERS, Some(fault));
        let found = ask(&worker, &lines);
        assert_eq!((version(&found).as_str(), found.response.has("set-cookie")), ("v1", false), "{fault:?}");
        // The usual single line of a browser is read by itself.
        assert_eq!(version(&ask(&worker, &lines[1..])), "v2", "{fault:?}");
    }
}

#[test]
fn a_refusal_is_told_of_once() {
    for call in [READ_HEADER, ADD_HEADER] {
        let proxy = proxy(&shop(50));
        let warnings = || proxy.log().iter().filter(|line| line.level == LogLevel::Warn).count();
        let before = warnings();
        proxy.worker(0).inject(call, Some(Fault::Number(10)));
        (0..3).for_each(|_| _ = ask(&proxy.worker(0), &[]));
        assert_eq!(warnings() - before, 1, "{call}: {:?}", proxy.log());
    }
}
