//! The guard: what is enough evidence, what becomes of a version, and what visitors get meanwhile.

mod common;

use common::guarded::{Proxy, guarded};
use common::{Request, TODAY, outcome_with, rollout, rules};
use proptest::prelude::*;
use serin_core::{Current, Facts, Identity, Ledger, Reason, Standing, Tally, Time, decide};
use serin_core::{lower_bound, tail};

/// Tables that every textbook and statistics program has: `pbinom`, `binom.test` of R, in exact rationals here.
#[test]
fn the_tail_is_exact() {
    for (failures, requests, share, expected) in [
        (0, 0, 0.05, 1.0),
        (0, 10, 0.05, 1.0),
        (1, 1, 0.05, 0.05),
        (1, 2, 0.5, 0.75),
        (2, 2, 0.05, 0.0025),
        (3, 3, 0.05, 0.000_125),
        (3, 4, 0.05, 4.0 * 0.000_125 * 0.95 + 0.000_006_25),
        (5, 10, 0.5, 638.0 / 1024.0),
        (10, 10, 0.5, 1.0 / 1024.0),
        (1, 10, 1.0, 1.0),
        (10, 10, 1.0, 1.0),
        (1, 10, 0.0, 0.0),
        (0, 10, 0.0, 1.0),
        (11, 10, 0.5, 0.0),
    ] {
        let found = tail(failures, requests, share);
        assert!(
            (found - expected).abs() <= 1e-15 + expected * 1e-12,
            "P(X ≥ {failures} of {requests} at {share}) = {found}, not {expected}"
        );
    }
    // Far out on either side, and large.
    assert_eq!(0.0, tail(1_000_000, 1_000_000, 0.05));
    assert!((tail(1, 1_000_000, 0.5) - 1.0).abs() < 1e-12);
    let middle = tail(50_000, 1_000_000, 0.05);
    assert!((0.5..0.502).contains(&middle), "{middle}");
}

/// The bound of 3 of 10 at 95 %, for one, is 0.0873 in the tables of Clopper and Pearson (one-sided).
#[test]
fn the_bound_is_that_of_clopper_and_pearson() {
    for (failures, requests, chance, expected) in [
        (0, 10, 0.05, 0.0),
        (1, 10, 0.05, 0.005_116),
        (3, 10, 0.05, 0.087_264),
        (5, 10, 0.025, 0.187_086),
        (10, 10, 0.05, 0.741_134),
        (1, 1, 0.05, 0.05),
        (5, 100, 0.025, 0.016_432),
        (50, 1_000, 0.025, 0.037_335),
        (10_000_000, 20_000_000, 0.05, 0.499_816),
        (11, 10, 0.05, 0.0),
    ] {
        let found = lower_bound(failures, requests, chance);
        assert!((found - expected).abs() < 1e-6, "{failures} of {requests} at {chance}: {found}, not {expected}");
    }
}

proptest! {
    #[test]
    fn tail_and_bound_belong_together(requests in 1..20_000_u32, part in 0.0..=1.0_f64, share in 0.0001..0.9999_f64, chance in 1e-6..0.4_f64) {
        let failures = (f64::from(requests) * part) as u32;
        let found = tail(failures, requests, share);
        prop_assert!((0.0..=1.0).contains(&found));
        prop_assert!(found * (1.0 + 1e-9) >= tail(failures + 1, requests, share));
        prop_assert!(found <= tail(failures, requests + 1, share) * (1.0 + 1e-9));
        let bound = lower_bound(failures, requests, chance);
        prop_assert!(bound <= f64::from(failures) / f64::from(requests));
        if failures > 0 {
            prop_assert!((tail(failures, requests, bound) - chance).abs() < 1e-6 * chance.max(1e-3), "{}", bound);
        }
    }

    /// What was counted is added up whichever worker counted it and in whatever order, and nothing of it outlives the window.
    #[test]
    fn workers_add_up_within_the_window(adds in proptest::collection::vec((0..90_u64, 0..50_u32), 1..60)) {
        let mut proxy = Proxy::new(&guarded(r#"{"window": "60s", "max_percent": 5}"#, ""));
        let mut adds = adds;
        adds.sort_unstable();
        for (second, requests) in &adds {
            proxy.count("v2", *requests, 0, TODAY + second);
        }
        let end = adds.last().unwrap().0;
        // At least 54 seconds, at most 60 count.
        let within = |seconds: u64| adds.iter().filter(|(second, _)| end - second < seconds).map(|(_, requests)| requests).sum::<u32>();
        let slice_start = TODAY + end / 6 * 6;
        proxy.count("v2", 0, 10_000_000, slice_start);
        let mut ledger = proxy.ledger.clone();
        let changes = ledger.judge(&proxy.rules, &proxy.list, Time::from_unix_seconds(TODAY + end), &|_, _| true);
        let counted = changes.first().expect("so many failures trip").tally.requests;
        prop_assert!((within(54)..=within(60)).contains(&counted), "{} of {}..={}", counted, within(54), within(60));
    }
}

#[test]
fn enough_evidence_trips_for_good() {
    // 3 of 3 are enough at 99.9 %, 2 of 2 and 4 of 10 are not.
    for (requests, failures, trips) in [
        (3, 3, true),
        (2, 2, false),
        (10, 4, false),
        (9, 4, true),
        (1_000, 50, false),
        (1_000, 80, true),
        (0, 0, false),
    ] {
        let mut proxy = Proxy::new(&guarded(r#"{"max_percent": 5}"#, ""));
        proxy.count("v2", requests, failures, TODAY);
        let expected = if trips { vec![Standing::Out { until: None }] } else { vec![] };
        assert_eq!(expected, proxy.tick(TODAY + 1), "{failures} of {requests}");
        // It is told once, and stays so.
        for second in [2, 60, 86_400, 400 * 86_400] {
            assert_eq!(0, proxy.tick(TODAY + second).len());
            let answer = proxy.ask(&Request::new(), TODAY + second).answer;
            assert_eq!(
                if trips { "r/v1/guard" } else { "r/v2/slot" },
                answer,
                "{failures} of {requests} after {second} s"
            );
        }
    }
}

#[test]
fn what_the_document_says_is_what_it_takes() {
    for (guard, requests, failures, trips) in [
        (r#"{"max_percent": 0}"#, 1, 1, true),
        (r#"{"max_percent": 40}"#, 100, 50, false),
        (r#"{"max_percent": 40, "confidence": 90}"#, 100, 50, true),
        (r#"{"max_percent": 0.5, "confidence": 99.99}"#, 10, 2, false),
        (r#"{"max_percent": 0.5, "confidence": 99.9}"#, 10, 3, true),
        // The chance of 1 of 1 at a half is the half that is allowed, and has to be less.
        (r#"{"max_percent": 50, "confidence": 50}"#, 1, 1, false),
        (r#"{"max_percent": 49, "confidence": 50}"#, 1, 1, true),
    ] {
        let mut proxy = Proxy::new(&guarded(guard, ""));
        proxy.count("v2", requests, failures, TODAY);
        assert_eq!(trips, !proxy.tick(TODAY).is_empty(), "{guard}: {failures} of {requests}");
    }
}

#[test]
fn a_version_that_is_no_worse_than_stable_stays() {
    let guard = r#"{"max_percent": 5, "worse_than_stable": 2}"#;
    for (stable, canary, trips) in [
        ((0, 0), (100, 40), true),
        ((1_000, 0), (100, 40), true),
        ((1_000, 400), (100, 40), false),
        ((1_000, 100), (100, 40), true),
        ((1_000, 400), (100, 99), true),
    ] {
        let mut proxy = Proxy::new(&guarded(guard, ""));
        proxy.count("v1", stable.0, stable.1, TODAY);
        proxy.count("v2", canary.0, canary.1, TODAY);
        assert_eq!(trips, !proxy.tick(TODAY).is_empty(), "stable {stable:?}, canary {canary:?}");
    }
}

/// An older configuration judges what only it has, and looks at the stable version that both have as the newer one counts it.
#[test]
fn an_older_configuration_leaves_the_counts_of_stable_alone() {
    let guard = |window: &str| format!(r#"{{"max_percent": 5, "worse_than_stable": 2, "window": "{window}"}}"#);
    let older = Proxy::new(&guarded(&guard("60s"), "").replace("two", "three"));
    let mut newer = Proxy::new(&guarded(&guard("300s"), ""));
    let is_newers = |identity: Identity| newer.list.iter().any(|watched| watched.identity == identity);
    assert!(is_newers(older.identity("v1")) && !is_newers(older.identity("v2")));
    let mut ledger = Ledger::default();
    let guard = newer.rules.rollout(0).unwrap().guard().unwrap();
    for second in TODAY..TODAY + 120 {
        let now = Time::from_unix_seconds(second);
        for (identity, guard) in [
            (older.identity("v2"), older.rules.rollout(0).unwrap().guard().unwrap()),
            (newer.identity("v1"), guard),
            (newer.identity("v2"), guard),
        ] {
            ledger.add(identity, guard, Tally { requests: 10, failures: 4 }, now);
        }
        let judged = ledger.judge(&older.rules, &older.list, now, &|_, identity| !is_newers(identity));
        assert!(judged.is_empty() && ledger.judge(&newer.rules, &newer.list, now, &|_, _| true).is_empty());
    }
    newer.ledger = ledger;
    newer.count("v2", 100_000, 99_999, TODAY + 120);
    assert_eq!([Standing::Out { until: None }], *newer.tick(TODAY + 120), "it is worse than stable now");
}

#[test]
fn a_tenth_comes_back_first_and_then_the_rest() {
    let guard = r#"{"max_percent": 5, "window": "10s", "for": "30s"}"#;
    let mut proxy = Proxy::new(&guarded(guard, ""));
    let share = |proxy: &Proxy, second: u64| {
        let on_v2 = (0..2_000_u64).filter(|n| {
            outcome_with(&proxy.rules, &proxy.current, &Request::new(), n.wrapping_mul(0x9e37_79b9_7f4a_7c15), second)
                .version()
                == "v2"
        });
        on_v2.count()
    };
    let whole = share(&proxy, TODAY);
    proxy.count("v2", 10, 10, TODAY);
    let back = Time::from_unix_seconds(TODAY + 30);
    assert_eq!([Standing::Out { until: Some(back) }], *proxy.tick(TODAY));
    // Answers that come late do not count against it again.
    proxy.count("v2", 10, 10, TODAY + 29);
    assert_eq!((0, 0), (proxy.tick(TODAY + 29).len(), share(&proxy, TODAY + 29)));
    assert_eq!([Standing::Trial { since: back }], *proxy.tick(TODAY + 30));
    let tenth = share(&proxy, TODAY + 30);
    assert!(whole == 2_000 && tenth.abs_diff(whole / 10) < 60, "{tenth} of {whole}");
    // It fails again: out again, for as long.
    proxy.count("v2", 5, 5, TODAY + 35);
    assert_eq!([Standing::Out { until: Some(Time::from_unix_seconds(TODAY + 65)) }], *proxy.tick(TODAY + 35));
    proxy.tick(TODAY + 65);
    proxy.count("v2", 50, 0, TODAY + 70);
    assert_eq!((0, tenth), (proxy.tick(TODAY + 74).len(), share(&proxy, TODAY + 74)));
    assert_eq!([Standing::Serving], *proxy.tick(TODAY + 75));
    assert_eq!(whole, share(&proxy, TODAY + 75));
    // What was asked in the trial counts, however late it is answered: it may be all that is wrong.
    let counts_since = proxy.current.counts_since(0, proxy.version("v2"));
    assert_eq!(Some(Time::from_unix_seconds(TODAY + 65)), counts_since);
}

#[test]
fn a_clock_that_jumps_neither_frees_nor_condemns() {
    let guard = r#"{"max_percent": 5, "window": "60s", "for": "30s"}"#;
    let mut proxy = Proxy::new(&guarded(guard, ""));
    proxy.count("v2", 10, 3, TODAY);
    // An hour back, a day on: the window begins anew, and little is known.
    for second in [TODAY - 3_600, TODAY + 86_400] {
        assert_eq!(0, proxy.tick(second).len());
        proxy.count("v2", 2, 2, second);
        assert_eq!(0, proxy.tick(second).len(), "2 of 2");
    }
    proxy.count("v2", 8, 8, TODAY + 86_400);
    assert_eq!(1, proxy.tick(TODAY + 86_400).len());
    // Out since the future: the time begins anew instead of lasting for a day.
    assert_eq!(0, proxy.tick(TODAY).len());
    assert_eq!(0, proxy.tick(TODAY + 29).len());
    assert_eq!([Standing::Trial { since: Time::from_unix_seconds(TODAY + 30) }], *proxy.tick(TODAY + 30));
}

#[test]
fn another_version_begins_anew_and_the_same_one_does_not() {
    let document = |guard: &str, cluster: &str, release: &str| {
        rollout(&format!(
            r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"cluster": "{cluster}", "weight": 100}}}},
            "release": "{release}", "guard": {guard}"#
        ))
    };
    let never = r#"{"max_percent": 5}"#;
    let mut first = Proxy::new(&document(never, "two", "a"));
    first.count("v2", 10, 10, TODAY);
    first.tick(TODAY);
    let out =
        |document: &str| Proxy::with(document, first.ledger.clone()).ask(&Request::new(), TODAY).answer == "r/v1/guard";
    assert!(out(&document(never, "two", "a")));
    assert!(out(&document(r#"{"max_percent": 50, "window": "30s"}"#, "two", "a")));
    assert!(!out(&document(never, "other", "a")));
    assert!(!out(&document(never, "two", "b")));
}

#[test]
fn a_ledger_does_not_grow_with_releases() {
    let mut ledger = Ledger::default();
    for release in 0..1_000 {
        let document = guarded(r#"{"max_percent": 5}"#, &format!(r#", "release": "{release}""#));
        let mut proxy = Proxy::with(&document, ledger);
        proxy.count("v2", 10, 10, TODAY + release);
        proxy.tick(TODAY + release);
        proxy.ledger.prune(&proxy.list);
        assert_eq!("r/v1/guard", proxy.ask(&Request::new(), TODAY + release).answer);
        ledger = proxy.ledger;
    }
    assert!(ledger.to_bytes().len() < 8_000, "{} bytes", ledger.to_bytes().len());
    for noise in [&b""[..], b"srn1", b"srn1 and more", b"srn2", &[0xff; 500]] {
        assert_eq!(Ledger::default(), Ledger::from_bytes(noise));
    }
}

#[test]
fn visitors_of_a_version_that_is_out_keep_what_they_hold() {
    let fields = r#", "sticky": {"hold": "version"}, "override": {"header": "x-canary"},
        "rules": [{"when": {"headers": [{"name": "x-team", "exact": "qa"}]}, "use": "v2"}]"#;
    let mut proxy = Proxy::new(&guarded(r#"{"max_percent": 5, "for": "30s"}"#, fields));
    let first = proxy.ask(&Request::new(), TODAY);
    assert_eq!("r/v2/slot", first.answer);
    let holder = Request::new().with("cookie", first.cookies());
    proxy.count("v2", 10, 10, TODAY);
    proxy.tick(TODAY);
    let during = proxy.ask(&holder, TODAY + 1);
    assert_eq!(("r/v1/guard", None), (during.answer.as_str(), during.kept_cookie.as_deref()));
    assert!(during.slot.is_some() && during.slot == first.slot, "{:?}", during.slot);
    // Nobody new is held on stable for it.
    assert_eq!(None, proxy.ask(&Request::new(), TODAY + 1).kept_cookie);
    assert_eq!(
        "r/v1/guard",
        proxy.ask(&holder.clone().with("x-team", "qa"), TODAY + 1).answer,
        "a rule passes it over"
    );
    assert_eq!("r/v2/override", proxy.ask(&holder.clone().with("x-canary", "v2"), TODAY + 1).answer);
    proxy.tick(TODAY + 30);
    proxy.tick(TODAY + 90);
    assert_eq!("r/v2/held", proxy.ask(&holder, TODAY + 90).answer);
}

#[test]
fn a_cookie_tells_other_proxies() {
    let document =
        |duration: &str| guarded(&format!(r#"{{"max_percent": 5, "for": "{duration}", "share": "cookie"}}"#), "");
    for (duration, cookie, age) in
        [("30s", format!(".f{}.d20778", TODAY + 30), 29), ("never", ".d20778".to_owned(), 30 * 86_400)]
    {
        let (mut here, elsewhere) = (Proxy::new(&document(duration)), Proxy::new(&document(duration)));
        let visitor = here.ask(&Request::new(), TODAY);
        assert_eq!(("r/v2/slot", None), (visitor.answer.as_str(), visitor.kept_cookie.as_deref()));
        here.count("v2", 10, 10, TODAY);
        here.tick(TODAY);
        let told = here.ask(&Request::new().with("cookie", visitor.cookies()), TODAY + 1);
        assert!(told.slot.is_some() && told.slot == visitor.slot, "{:?}", told.slot);
        let line = told.kept_cookie.clone().unwrap();
        assert!(
            line.starts_with("canary-r=x") && line.contains(&cookie) && line.contains(&format!("Max-Age={age};")),
            "{line}"
        );
        let cookies = format!("{}; {}", visitor.cookies(), told.kept_pair().unwrap());
        let knows = Request::new().with("cookie", &cookies);
        // Told once, and again when it is due.
        assert_eq!(None, here.ask(&knows, TODAY + 2).kept_cookie);
        let renewed = here.ask(&knows, TODAY + 10 * 86_400).kept_cookie;
        assert_eq!(duration == "never", renewed.is_some_and(|line| line.contains(".d20788")), "{duration}");
        assert_eq!("r/v1/guard", elsewhere.ask(&knows, TODAY + 2).answer);
        for (second, over) in [(29, false), (30, true), (31, true)] {
            let after = elsewhere.ask(&knows, TODAY + second).answer;
            let expected = if over && duration != "never" { "r/v2/slot" } else { "r/v1/guard" };
            assert_eq!(expected, after, "{duration} after {second} s");
        }
        let past = elsewhere.ask(&knows, TODAY + 31 * 86_400).answer;
        assert_eq!("r/v2/slot", past, "a cookie past its age says nothing");
        // It is about that very version.
        let other = Proxy::new(&document(duration).replace("two", "three"));
        assert_eq!("r/v2/slot", other.ask(&knows, TODAY + 2).answer);
        let promoted = Proxy::new(&document(duration).replace(r#""stable": "v1""#, r#""stable": "v2""#));
        assert_eq!("r/v2/slot", promoted.ask(&knows, TODAY + 2).answer, "nothing stands in for stable");
        let silent = Proxy::new(&guarded(r#"{"max_percent": 5}"#, ""));
        assert_eq!("r/v2/slot", silent.ask(&knows, TODAY + 2).answer);
    }
}

#[test]
fn what_is_counted_for_a_version() {
    let fields = r#", "override": {"header": "x-canary"}"#;
    let counted = |guard: &str, fields: &str, weight: u32, request: &Request| {
        let rules = rules(&guarded(guard, fields).replace("100", &weight.to_string()));
        let facts = Facts::new(request);
        let decision = decide(&rules, &Current::default(), &facts, Time::from_unix_seconds(TODAY), || 0).unwrap();
        decision.lessons().is_some_and(|lessons| lessons.counted_for.is_some())
    };
    let (plain, compares) = (r#"{"max_percent": 5}"#, r#"{"max_percent": 5, "worse_than_stable": 2}"#);
    let overriding = Request::new().with("x-canary", "v2");
    assert!(counted(plain, fields, 100, &Request::new()));
    assert!(!counted(plain, fields, 0, &Request::new()), "stable, where nothing is compared with it");
    assert!(counted(compares, fields, 0, &Request::new()));
    assert!(!counted(plain, fields, 100, &overriding));
    assert!(!counted(plain, r#", "dry_run": true"#, 100, &Request::new()));
}

#[test]
fn reasons_have_names() {
    let names = Reason::ALL.map(Reason::as_str);
    assert!(names.contains(&"guard") && names.contains(&"missing"));
    assert!(Reason::ALL.iter().enumerate().all(|(at, reason)| reason.index() == at));
}
