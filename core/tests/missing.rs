//! A version whose cluster is missing: how long it is passed over, who tries it again, and who is told.

mod common;

use common::guarded::{Proxy, guarded};
use common::{Request, TODAY, rules};
use serin_core::{Current, Facts, Time, Upstream, decide};

#[test]
fn a_version_without_a_cluster_is_absent_for_ten_seconds() {
    let mut proxy = Proxy::new(&guarded(r#"{"max_percent": 5}"#, r#", "override": {"header": "x-canary"}"#));
    let v2 = proxy.version("v2");
    let at = |second: u64| Time::from_unix_seconds(TODAY + second);
    let answer = |proxy: &Proxy| proxy.ask(&Request::new(), TODAY).answer;
    let note = |proxy: &mut Proxy, upstream, tries, second| proxy.current.note(0, v2, upstream, tries, at(second));
    assert!(note(&mut proxy, Upstream::Missing, false, 0));
    assert!(!note(&mut proxy, Upstream::Missing, false, 0), "it is told once");
    let is_lost = |rollout, name| proxy.current.is_lost(rollout, proxy.version(name));
    assert_eq!([true, false, false], [is_lost(0, "v2"), is_lost(0, "v1"), is_lost(1, "v2")]);
    assert_eq!("r/v1/missing", answer(&proxy));
    // Answers to what was asked before say nothing of now.
    note(&mut proxy, Upstream::Answered, false, 1);
    assert_eq!("r/v1/missing", answer(&proxy));
    assert_eq!("r/v2/override", proxy.ask(&Request::new().with("x-canary", "v2"), TODAY).answer);
    for (second, expected) in [(9, "r/v1/missing"), (10, "r/v2/slot")] {
        proxy.tick(TODAY + second);
        assert_eq!(expected, answer(&proxy), "after {second} s");
    }
    // One request tries, and no other one until that has an answer, or for ten seconds.
    assert!(proxy.current.tries(0, v2, at(10)));
    assert!(!proxy.current.tries(0, v2, at(10)));
    assert_eq!("r/v1/missing", answer(&proxy));
    note(&mut proxy, Upstream::Missing, true, 11);
    for (second, expected) in [(20, "r/v1/missing"), (21, "r/v2/slot")] {
        proxy.tick(TODAY + second);
        assert_eq!(expected, answer(&proxy), "after {second} s");
    }
    assert!(proxy.current.tries(0, v2, at(21)));
    note(&mut proxy, Upstream::Answered, true, 21);
    assert_eq!("r/v2/slot", answer(&proxy));
    // Refused connections: three in a row.
    for (upstream, expected) in [
        (Upstream::Refused, false),
        (Upstream::Refused, false),
        (Upstream::Answered, false),
        (Upstream::Refused, false),
        (Upstream::Refused, false),
        (Upstream::Refused, true),
    ] {
        assert_eq!(expected, note(&mut proxy, upstream, false, 22), "{upstream:?}");
    }
    // A clock that has jumped back does not keep it out.
    proxy.tick(TODAY);
    assert_eq!("r/v2/slot", answer(&proxy));
}

#[test]
fn an_answer_that_comes_late_puts_off_the_try() {
    let mut proxy = Proxy::new(&guarded(r#"{"max_percent": 5}"#, ""));
    let v2 = proxy.version("v2");
    let at = |second: u64| Time::from_unix_seconds(TODAY + second);
    proxy.current.note(0, v2, Upstream::Missing, false, at(0));
    proxy.tick(TODAY + 10);
    assert_eq!("r/v2/slot", proxy.ask(&Request::new(), TODAY + 10).answer);
    proxy.current.note(0, v2, Upstream::Missing, false, at(11));
    assert_eq!("r/v1/missing", proxy.ask(&Request::new(), TODAY + 11).answer);
    assert!(!proxy.current.tries(0, v2, at(11)));
}

#[test]
fn a_try_without_an_answer_is_over_after_ten_seconds() {
    let mut proxy = Proxy::new(&guarded(r#"{"max_percent": 5}"#, ""));
    let v2 = proxy.version("v2");
    let at = |second: u64| Time::from_unix_seconds(TODAY + second);
    assert!(proxy.current.note(0, v2, Upstream::Missing, false, at(0)));
    for round in [10, 20, 30] {
        proxy.tick(TODAY + round);
        assert!(proxy.current.tries(0, v2, at(round)));
        for (second, expected) in [(round + 9, "r/v1/missing"), (round + 10, "r/v2/slot")] {
            proxy.tick(TODAY + second);
            assert_eq!(expected, proxy.ask(&Request::new(), TODAY + second).answer, "after {second} s");
        }
    }
}

#[test]
fn a_try_that_takes_longer_than_ten_seconds_is_the_last_one() {
    let mut proxy = Proxy::new(&guarded(r#"{"max_percent": 5}"#, ""));
    let v2 = proxy.version("v2");
    let at = |second: u64| Time::from_unix_seconds(TODAY + second);
    assert!(proxy.current.note(0, v2, Upstream::Missing, false, at(0)));
    proxy.tick(TODAY + 10);
    assert!(proxy.current.tries(0, v2, at(10)));
    proxy.tick(TODAY + 20);
    proxy.current.note(0, v2, Upstream::Answered, true, at(22));
    assert!(!proxy.current.tries(0, v2, at(22)), "there is nothing to try");
    assert_eq!("r/v2/slot", proxy.ask(&Request::new(), TODAY + 22).answer);
}

#[test]
fn another_configuration_knows_what_is_missing() {
    let document = guarded(r#"{"max_percent": 5}"#, "");
    let proxy = Proxy::new(&document);
    let now = Time::from_unix_seconds(TODAY);
    let known = proxy.rules.rollout(0).unwrap().identity(proxy.version("v2")).unwrap();
    let other = document.replace("two", "three");
    let fails = guarded(r#"{"max_percent": 5}"#, r#", "missing_cluster": "fail""#);
    for (document, since, expected) in [
        (&document, now, ["r/v1/missing"; 2]),
        // Nobody has tried yet: one request does.
        (&document, Time::from_unix_seconds(TODAY - 59), ["r/v2/slot", "r/v1/missing"]),
        // Whether it is there again others may have seen since.
        (&document, Time::from_unix_seconds(TODAY - 60), ["r/v2/slot"; 2]),
        (&fails, now, ["r/v2/slot"; 2]),
        (&other, now, ["r/v2/slot"; 2]),
    ] {
        let mut next = Proxy::new(document);
        next.current.miss(&next.rules, &[(known, since)], now);
        for expected in expected {
            assert_eq!(expected, next.ask(&Request::new(), TODAY).answer);
            let v2 = next.version("v2");
            next.current.tries(0, v2, now);
        }
    }
}

#[test]
fn missing_clusters_can_be_left_to_envoy() {
    let minds = |fields: &str| {
        [100, 0].map(|weight| {
            let guarded = guarded(r#"{"max_percent": 5}"#, fields).replace("100", &weight.to_string());
            let unguarded = guarded.replace(r#""guard": {"max_percent": 5}"#, r#""release": "1""#);
            [guarded, unguarded].map(|document| {
                let (rules, request) = (rules(&document), Request::new());
                decide(&rules, &Current::default(), &Facts::new(&request), Time::default(), || 0)
                    .unwrap()
                    .lessons()
                    .is_some_and(|lessons| lessons.missing)
            })
        })
    };
    assert_eq!([[true; 2], [false; 2]], minds(""), "of v2, and of stable; with a guard, and without one");
    assert_eq!([[true; 2], [false; 2]], minds(r#", "missing_cluster": "stable""#));
    assert_eq!([[false; 2]; 2], minds(r#", "missing_cluster": "fail""#));
    assert_eq!([[false; 2]; 2], minds(r#", "dry_run": true"#));
}
