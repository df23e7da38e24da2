//! Versions whose cluster is not there, as the module hears of it from Envoy's flags.

use std::time::Duration;

use serde_json::{Value, json};
use serin_host::{HeaderMap, Proxy, Stream, Worker};

use crate::site::{proxy, shop_with, version_for};

const SECOND: Duration = Duration::from_secs(1);

/// Bits of `StreamInfo::CoreResponseFlag`.
const REFUSED: u64 = 0x20;
const TIMEOUT: u64 = 0x4;
const RETRIES_EXHAUSTED: u64 = 0x8000;
const NO_CLUSTER: u64 = 0x100_0000;

/// A site whose visitors are all on v2, after its first tick.
fn site(fields: &Value) -> Proxy {
    let mut proxy = proxy(&shop_with(100, fields));
    proxy.advance(SECOND).unwrap();
    proxy
}

/// A request that is on its way, and will be answered with these flags.
fn start(worker: &Worker, flags: u64) -> Stream {
    worker.get("/").property("response.flags", flags.to_le_bytes()).start().unwrap()
}

fn answer(stream: &mut Stream, status: u16) {
    drop(stream.respond(HeaderMap::response().with(":status", status.to_string())).unwrap());
}

fn fail(worker: &Worker, status: u16, flags: u64) {
    answer(&mut start(worker, flags), status);
}

/// What the next visitor gets, whose answer says nothing of the cluster.
fn next(worker: &Worker) -> String {
    version_for(worker.get("/").property("response.flags", TIMEOUT.to_le_bytes()).answered_with(504))
}

fn losses(proxy: &Proxy) -> u64 {
    proxy.counter("serin_missing.rollout.shop.version.v2")
}

#[test]
fn what_tells_that_a_cluster_is_missing() {
    const UNSURE: (u16, u64) = (503, 0x80);
    for (answers, expected) in [
        (vec![(503, NO_CLUSTER)], "v1"),
        (vec![(503, 0x2)], "v1"),
        (vec![(503, 0)], "v2"),
        (vec![(200, NO_CLUSTER)], "v2"),
        // Refused three times in a row, retries or not.
        (vec![(503, REFUSED), (503, REFUSED)], "v2"),
        (vec![(503, REFUSED), (503, REFUSED | RETRIES_EXHAUSTED), (503, REFUSED)], "v1"),
        // Answers between, the application's own 503 for one, say that it is there.
        (vec![(503, REFUSED), (503, REFUSED), (200, 0), (503, REFUSED)], "v2"),
        (vec![(503, REFUSED), (503, REFUSED), (503, 0), (503, REFUSED)], "v2"),
        (vec![(503, REFUSED), (503, REFUSED), (504, 0), (503, REFUSED)], "v2"),
        (vec![(503, REFUSED), (503, REFUSED), (503, RETRIES_EXHAUSTED), (503, REFUSED)], "v2"),
        // Overload and timeouts say nothing: there may have been no connection.
        (vec![(503, REFUSED), UNSURE, (503, REFUSED), UNSURE, (503, REFUSED)], "v1"),
        (vec![(503, REFUSED), (504, TIMEOUT), (503, REFUSED), (504, TIMEOUT), (503, REFUSED)], "v1"),
    ] {
        let proxy = site(&json!({}));
        answers.iter().for_each(|(status, flags)| fail(&proxy.worker(0), *status, *flags));
        assert_eq!(expected, next(&proxy.worker(0)), "{answers:x?}");
        assert_eq!("v2", next(&proxy.worker(1)), "each VM finds out by itself");
    }
    let fails = site(&json!({"missing_cluster": "fail"}));
    fail(&fails.worker(0), 503, NO_CLUSTER);
    assert_eq!("v2", next(&fails.worker(0)), "left to Envoy");
}

#[test]
fn one_request_tries_after_ten_seconds() {
    for (ended, expected) in [
        // What the next one gets once the try has its answer, or none.
        (Some((200, 0)), "v2"),
        (Some((503, 0)), "v2"),
        (Some((503, NO_CLUSTER)), "v1"),
        (Some((504, TIMEOUT)), "v1"),
        (None, "v1"),
    ] {
        let mut proxy = site(&json!({}));
        let worker = proxy.worker(0);
        fail(&worker, 503, NO_CLUSTER);
        proxy.advance(8 * SECOND).unwrap();
        assert_eq!("v1", next(&worker), "{ended:?}");
        proxy.advance(3 * SECOND).unwrap();
        let mut tried = start(&worker, ended.map_or(0, |(_, flags)| flags));
        assert_eq!("v1", next(&worker), "{ended:?}: another one tries as well");
        match ended {
            Some((status, _)) => answer(&mut tried, status),
            None => drop(tried),
        }
        assert_eq!(expected, next(&worker), "{ended:?}");
        // At the latest after ten more seconds the next one tries.
        proxy.advance(12 * SECOND).unwrap();
        assert_eq!("v2", next(&worker), "{ended:?}");
        assert_eq!(1, losses(&proxy), "{ended:?}: it has been missing all the time");
    }
}

#[test]
fn pushes_know_what_is_missing() {
    let document = |fields: Value| shop_with(100, &fields).to_string();
    let mut proxy = site(&json!({}));
    let worker = proxy.worker(0);
    fail(&worker, 503, NO_CLUSTER);
    proxy.push(document(json!({"dry_run": false}))).unwrap();
    assert_eq!("v1", next(&worker));
    // Another cluster is another version.
    proxy.push(document(json!({})).replace("shop-v2", "another")).unwrap();
    assert_eq!("v2", next(&worker));
    proxy.push(document(json!({}))).unwrap();
    assert_eq!("v1", next(&worker));
    // While one tries, and with the try still due.
    proxy.advance(12 * SECOND).unwrap();
    let tried = start(&worker, 0);
    proxy.push(document(json!({"dry_run": false}))).unwrap();
    assert_eq!("v1", next(&worker));
    drop(tried);
    proxy.advance(30 * SECOND).unwrap();
    proxy.push(document(json!({}))).unwrap();
    let mut tried = start(&worker, 0);
    assert_eq!("v1", next(&worker));
    answer(&mut tried, 200);
    assert_eq!("v2", next(&worker));
    // What is back is not forgotten either.
    proxy.push(document(json!({"dry_run": false}))).unwrap();
    let _asked = start(&worker, 0);
    assert_eq!("v2", next(&worker));
}

#[test]
fn an_answer_that_comes_late_tells_all_the_same() {
    let guard = json!({"guard": {"max_percent": 50, "failures": {"slower_than": "800ms"}, "window": "10s"}});
    let mut proxy = site(&guard);
    let worker = proxy.worker(0);
    let mut refused: Vec<Stream> = (0..3).map(|_| start(&worker, REFUSED)).collect();
    // Not enough for the guard to act, and no longer awaited by it.
    (0..30).for_each(|_| drop(worker.get("/").send().unwrap()));
    proxy.advance(3 * SECOND).unwrap();
    assert_eq!("v2", next(&worker));
    refused.iter_mut().for_each(|stream| answer(stream, 503));
    assert_eq!("v1", next(&worker));
    proxy.advance(SECOND).unwrap();
    assert_eq!(1, losses(&proxy));
    proxy.advance(11 * SECOND).unwrap();
    let mut slow = start(&worker, 0);
    proxy.advance(3 * SECOND).unwrap();
    answer(&mut slow, 200);
    assert_eq!("v2", next(&worker));
}
