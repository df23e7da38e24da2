//! Configuration pushes: what takes effect, what keeps its last good form, and when roots end.

use std::time::Duration;

use serde_json::{Value, json};
use serin_host::{Direction, HeaderMap, Proxy};

use crate::site::{PLUGIN, proxy, proxy_with_mistakes, shop, version_for, with_mistakes};

/// Two rollouts, by host, with these weights; a weight that is no number breaks its rollout.
fn two(a: &Value, b: &Value) -> String {
    let rollout = |host: &str, weight: &Value| json!({"match": [{"hosts": [host]}], "stable": "v1", "versions": {"v1": {}, "v2": {"weight": weight}}});
    json!({"rollouts": {"a": rollout("a.example.com", a), "b": rollout("b.example.com", b)}}).to_string()
}

#[track_caller]
fn check(proxy: &Proxy, a: &str, b: &str) {
    for worker in proxy.workers() {
        assert_eq!(version_for(worker.get("/").host("a.example.com")), a, "a on {}", worker.name());
        assert_eq!(version_for(worker.get("/").host("b.example.com")), b, "b on {}", worker.name());
    }
}

fn config_ok(proxy: &Proxy) -> Option<u64> {
    proxy.gauge(&format!("serin_config_ok.plugin.{PLUGIN}"))
}

fn started(a: u32, b: u32) -> Proxy {
    proxy_with_mistakes(&serde_json::from_str(&two(&json!(a), &json!(b))).unwrap())
}

#[test]
fn a_good_push_takes_effect() {
    let mut proxy = started(0, 100);
    check(&proxy, "v1", "v2");
    proxy.push(two(&json!(100), &json!(0))).unwrap();
    check(&proxy, "v2", "v1");
}

#[test]
fn a_bad_push_keeps_everything_as_it_was() {
    for bad in ["", "{", r#"{"rollouts": {}, "cokie": false}"#, r#"{"cookie": {"name": ""}}"#] {
        let mut proxy = started(0, 100);
        proxy.push(bad).expect("it is taken over, and the last good rules stay in force");
        check(&proxy, "v1", "v2");
        assert_eq!(config_ok(&proxy), Some(0), "{bad}");
        assert_eq!(proxy.counter(&format!("serin_config_rejected.plugin.{PLUGIN}")), 4, "{bad}");
        proxy.push(two(&json!(100), &json!(0))).unwrap();
        check(&proxy, "v2", "v1");
        assert_eq!(config_ok(&proxy), Some(1), "{bad}");
    }
}

#[test]
fn a_broken_rollout_keeps_its_last_good_form_while_the_other_changes() {
    let mut proxy = started(100, 100);
    proxy.push(two(&json!("many"), &json!(0))).unwrap();
    check(&proxy, "v2", "v1");
    assert!(proxy.log().iter().any(|line| line.text.contains("rollouts.a.versions.v2.weight")), "{:?}", proxy.log());
    assert_eq!(config_ok(&proxy), Some(0));
    proxy.push(two(&json!("more"), &json!(100))).unwrap();
    check(&proxy, "v2", "v2");
    proxy.push(two(&json!(0), &json!(100))).unwrap();
    check(&proxy, "v1", "v2");
}

#[test]
fn a_bad_push_after_a_broken_rollout_keeps_what_is_in_force() {
    let mut proxy = started(100, 100);
    proxy.push(two(&json!("many"), &json!(0))).unwrap();
    proxy.push("nonsense").unwrap();
    check(&proxy, "v2", "v1");
}

#[test]
fn a_rollout_that_is_gone_is_forgotten() {
    let mut proxy = started(100, 100);
    proxy.push(r#"{"rollouts": {}}"#).unwrap();
    check(&proxy, "v1", "v1");
    proxy.push(two(&json!("many"), &json!(100))).unwrap();
    check(&proxy, "v1", "v2");
}

#[test]
fn a_stream_in_flight_is_answered_by_the_document_that_it_began_with() {
    let mut proxy = proxy(&shop(100));
    let mut stream = proxy.worker(0).get("/").start().unwrap();
    let mut other = shop(0);
    other["cookie"] = json!({"name": "other"});
    proxy.push(other.to_string()).unwrap();
    let response = stream.respond(HeaderMap::response().with(":status", "200")).unwrap();
    assert!(response.text("set-cookie").unwrap().starts_with("canary="));
    assert_eq!(stream.finish().unwrap().request.get("x-canary-version"), Some(&b"v2"[..]));
    assert_eq!(version_for(proxy.worker(0).get("/")), "v1");
}

#[test]
fn a_root_ends_with_its_last_stream_and_its_timer_with_it() {
    let mut proxy = proxy(&shop(100));
    let worker = proxy.worker(0);
    let mut stream = worker.get("/").start().unwrap();
    proxy.push(shop(0).to_string()).unwrap();
    stream.respond(HeaderMap::response().with(":status", "200")).unwrap();
    assert_eq!(worker.roots().len(), 2);
    assert_eq!(worker.timers().len(), 2);
    stream.finish().unwrap();
    for thread in [proxy.main_thread(), worker, proxy.worker(1)] {
        assert_eq!(thread.roots().len(), 1);
        assert!(thread.timers().keys().eq(thread.roots().iter()), "{}", thread.name());
    }
    proxy.advance(Duration::from_secs(3)).unwrap();
    assert_eq!(proxy.counter("serin_decisions.rollout.shop.version.v2.reason.slot"), 1);
}

#[test]
fn two_listeners_with_different_documents_leave_no_last_good_form() {
    let mut proxy = proxy_with_mistakes(&shop(100));
    proxy.push_to("internal", shop(0).to_string()).unwrap();
    let of = |proxy: &Proxy, listener: &str| version_for(proxy.worker(0).get("/").on(listener));
    assert_eq!((of(&proxy, ""), of(&proxy, "internal")), ("v2".to_owned(), "v1".to_owned()));
    proxy.push_to("third", "nonsense").unwrap();
    assert_eq!(of(&proxy, "third"), "v1", "which of the two it would follow cannot be known");
    assert_eq!((of(&proxy, ""), of(&proxy, "internal")), ("v2".to_owned(), "v1".to_owned()));
}

/// A sidecar: the inbound and the outbound listener have a root each, with one name and one document.
#[test]
fn two_directions_with_the_same_document_follow_the_same_rules() {
    let document = |a: Value| {
        let rollout = |path: &str, weight: &Value| json!({"match": [{"path": {"prefix": path}}], "stable": "v1", "versions": {"v1": {}, "v2": {"weight": weight}}});
        json!({"rollouts": {"a": rollout("/a", &a), "b": rollout("/b", &json!(100))}, "inbound": "decide"}).to_string()
    };
    let mut proxy = with_mistakes().start(document(json!(100))).unwrap();
    let push = |proxy: &mut Proxy, document: &str| {
        proxy.push(document).unwrap();
        proxy.push_directed("inbound", Direction::Inbound, document).unwrap();
    };
    let check = |proxy: &Proxy, when: &str| {
        for (listener, path) in [("", "/a"), ("", "/b"), ("inbound", "/a"), ("inbound", "/b")] {
            assert_eq!(version_for(proxy.worker(0).get(path).on(listener)), "v2", "{path} on {listener:?} {when}");
        }
    };
    push(&mut proxy, &document(json!(100)));
    assert_eq!(proxy.worker(0).roots().len(), 2);
    check(&proxy, "with a sound document");
    push(&mut proxy, &document(json!("x")));
    check(&proxy, "with one broken rollout");
    push(&mut proxy, "nonsense");
    check(&proxy, "with no document at all");
}

#[test]
fn two_listeners_with_the_same_document_share_its_root_and_its_last_good_form() {
    let mut proxy = proxy_with_mistakes(&shop(100));
    proxy.push_to("internal", shop(100).to_string()).unwrap();
    assert_eq!(proxy.worker(0).roots().len(), 1);
    proxy.push_to("internal", "nonsense").unwrap();
    assert_eq!(version_for(proxy.worker(0).get("/").on("internal")), "v2");
}
