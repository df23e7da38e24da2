//! Visitors at weights between nothing and everything, where a draw for each request would go unseen elsewhere.

use std::time::Duration;

use serde_json::json;
use serin_host::{Exchange, Fault, LogLevel, Proxy, Worker};

use super::pairs::DENIED;
use super::{ADD_HEADER, READ_HEADER, READ_HEADERS, TICK, faults, is_lie};
use crate::site::{builder, proxy, shop, shop_with, version};

fn refusals(call: &str) -> impl Iterator<Item = Fault> {
    faults(call).into_iter().filter(|fault| !is_lie(*fault))
}

#[track_caller]
fn ask(worker: &Worker, lines: &[&str]) -> Exchange {
    lines.iter().fold(worker.get("/"), |request, line| request.header("cookie", line)).send().expect("the VM lives")
}

#[track_caller]
fn tick(proxy: &mut Proxy) {
    proxy.advance(Duration::from_secs(1)).expect("the VM lives");
}

/// Drawn anew, they would go to and fro between the versions. One of them tries it again each second.
#[test]
fn who_cannot_be_given_a_cookie_is_served_by_stable() {
    for fault in refusals(ADD_HEADER) {
        let mut proxy = proxy(&shop(100));
        let worker = proxy.worker(0);
        worker.inject(ADD_HEADER, Some(fault));
        assert_eq!(version(&ask(&worker, &[])), "v2", "{fault:?}");
        for _ in 0..2 {
            assert_eq!(served_at_once(&worker), ["v1"; 16], "{fault:?}");
            tick(&mut proxy);
            let [first, others @ ..] = served_at_once(&worker);
            assert_eq!((&*first, others), ("v2", ["v1"; 15].map(str::to_owned)), "{fault:?}");
        }
        worker.inject(ADD_HEADER, None);
        assert_eq!(served_at_once(&worker), ["v1"; 16], "{fault:?}");
        tick(&mut proxy);
        assert_eq!(version(&ask(&worker, &[])), "v2", "{fault:?}");
        assert_eq!(served_at_once(&worker), ["v2"; 16], "{fault:?}");
    }
}

/// The versions of newcomers who all ask before any of them is answered.
fn served_at_once(worker: &Worker) -> [String; 16] {
    let streams = std::array::from_fn::<_, 16, _>(|_| worker.get("/").start().expect("the VM lives"));
    streams.map(|stream| version(&stream.complete().expect("the VM lives")))
}

/// It writes no cookies, so none of its are lost, and it tries none.
#[test]
fn a_dry_run_goes_on_where_cookies_are_refused() {
    let mut document = shop(100);
    document["rollouts"]["dry"] = shop_with(100, &json!({"dry_run": true}))["rollouts"]["shop"].clone();
    document["rollouts"]["dry"]["match"] = json!([{"headers": [{"name": "x-dry", "present": true}]}]);
    let mut proxy = proxy(&document);
    let worker = proxy.worker(0);
    worker.inject(ADD_HEADER, Some(DENIED));
    ask(&worker, &[]);
    worker.inject(ADD_HEADER, None);
    assert_eq!(version(&ask(&worker, &[])), "v1");
    let dry = || worker.get("/").header("x-dry", "1").send().expect("the VM lives");
    (0..3).for_each(|_| _ = dry());
    tick(&mut proxy);
    (0..3).for_each(|_| _ = dry());
    assert_eq!(version(&ask(&worker, &[])), "v2", "nobody else has tried");
    tick(&mut proxy);
    assert_eq!(proxy.counter("serin_decisions.rollout.dry.version.v2.reason.slot"), 6, "{:?}", proxy.stats());
}

/// Theirs is not a draw, though they were to get a cookie.
#[test]
fn who_is_not_drawn_keeps_the_version_where_cookies_are_refused() {
    let issued_long_ago = [("cookie", "canary=nEjRWeJq83v.d20390")];
    let held = json!({"sticky": {"unit": [{"header": "x-user-id"}], "prefer": "unit", "hold": "version"}});
    let remembered = json!({"override": {"header": "x-canary", "remember": "8h"}});
    for (weight, fields, headers) in
        [(100, json!({}), issued_long_ago), (100, held, [("x-user-id", "a")]), (0, remembered, [("x-canary", "v2")])]
    {
        let proxy = builder().now(Duration::from_secs(20_400 * 86_400)).start(shop_with(weight, &fields).to_string());
        let proxy = proxy.expect("it starts");
        let worker = proxy.worker(0);
        let ask = || {
            let request = headers.iter().fold(worker.get("/"), |request, (name, value)| request.header(name, value));
            request.send().expect("the VM lives")
        };
        assert!(ask().response.has("set-cookie"), "{fields}");
        worker.inject(ADD_HEADER, Some(DENIED));
        for _ in 0..3 {
            assert_eq!(version(&ask()), "v2", "{fields}");
        }
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
        // So may be a newcomer's with cookies of others alone. The usual single line with ours is read by itself.
        assert_eq!(version(&ask(&worker, &lines[..1])), "v1", "{fault:?}");
        assert_eq!(version(&ask(&worker, &lines[1..])), "v2", "{fault:?}");
    }
}

#[test]
fn a_refusal_is_told_of_once() {
    for call in [READ_HEADER, ADD_HEADER, TICK] {
        let document = shop(50).to_string();
        let mut proxy = builder().start(&document).expect("it starts");
        proxy.worker(0).inject(call, Some(DENIED));
        // The period of the ticks is set with each configuration.
        proxy.push(document + " ").expect("it is read");
        (0..3).for_each(|_| _ = ask(&proxy.worker(0), &[]));
        let warnings = proxy.log().into_iter().filter(|line| line.level == LogLevel::Warn).count();
        assert_eq!(warnings, 1, "{call}: {:?}", proxy.log());
    }
}
