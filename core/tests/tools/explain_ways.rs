//! Explanations of schedules, of routes that choose, and of what an earlier hop has chosen.

use serde_json::{Value, json};
use serin_core::{Current, Effects, Facts, Rules, Time, decide};

use crate::common::{Request, TODAY, rules};
use crate::explain::{check, explained, shop};

/// The moment of the explanations is 2026-11-21T00:00:00Z.
#[test]
fn schedules() {
    #[track_caller]
    fn check(start: &str, rest: Value, expected: &str) {
        let mut schedule = json!({"version": "v2", "start": start});
        schedule.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let versions = json!({"v1": {}, "v2": {"place": "low"}});
        let told = explained(&shop(json!({"versions": versions, "schedule": schedule})), &Request::new(), 0).schedule;
        assert_eq!(told.as_deref(), Some(expected));
    }
    let steps = json!({"steps": [{"weight": 5, "for": "1h"}, {"weight": 5, "to": 25, "for": "2h"}, {"weight": 50}]});
    let later = "step 1 of 3 has not begun; it begins in 1 h; the last weight comes in 4 h";
    check("2026-11-21T01:00:00Z", steps.clone(), later);
    let first = "in step 1 of 3; v2 has 5 of 100; the next one begins in 30 min; the last weight comes in 2 h 30 min";
    check("2026-11-20T23:30:00Z", steps.clone(), first);
    let ramp = "in step 2 of 3; v2 has 15 of 100; the next one begins in 1 h; the last weight comes in 1 h";
    check("2026-11-20T22:00:00Z", steps.clone(), ramp);
    check("2026-11-20T12:00:00Z", steps.clone(), "in step 3 of 3; v2 has 50 of 100");
    let mut paused = steps;
    paused["pauses"] = json!([{"from": "2026-11-20T23:45:00Z"}]);
    check("2026-11-20T23:30:00Z", paused.clone(), "paused in step 1 of 3; v2 has 5 of 100");
    // It never begins, so that no last weight comes.
    check("2026-11-22T00:00:00Z", paused, "step 1 of 3 has not begun");
}

#[test]
fn routes_that_choose() {
    let versions = json!({"v1": {"cluster": "c1"}, "v2": {"cluster": "c2"}, "v3": {"cluster": "c3", "off": true}});
    let rollout = json!({"stable": "v1", "versions": versions, "split": "route", "sticky": {"hold": "version"}});
    let document = json!({"rollouts": {"shop": rollout}, "headers": {"cluster": "x-cluster"}}).to_string();
    let rules = rules(&document);
    let says =
        |cluster: &str, note: &str| check(&rules, &Request::new().with("cluster name", cluster), "slot answered", note);
    says("c2", "the route's weights have chosen v2");
    says("c3", "the route's weights have chosen v3");
    says("c3", "v3 is off: stable serves in its place");
    says("other", "the route's weights choose, and it is not known here what");
}

/// A trip that another proxy has told of in the cookie does not count for what an earlier hop has chosen.
#[test]
fn what_an_earlier_hop_has_chosen() {
    let guard = json!({"max_percent": 5, "share": "cookie"});
    let rules = shop(json!({"inherit": true, "guard": guard, "sticky": {"hold": "version"}}));
    let request = Request::new().with("x-canary-version", "v2").with("cookie", out_of(&rules));
    check(&rules, &request, "inherit answered", "header x-canary-version is \"v2\", which an earlier hop has chosen");
}

/// The cookies of a visitor of v2 while that is out.
fn out_of(rules: &Rules) -> String {
    let now = Time::from_unix_seconds(TODAY);
    let mut current = Current::new(rules, now);
    let version = rules.rollout_named("shop").unwrap().version_named(b"v2").unwrap();
    current.take_out(0, version);
    let request = Request::new();
    let cookies = |bits: u64| {
        let facts = Facts::new(&request);
        let decision = decide(rules, &current, &facts, now, || bits);
        let effects = Effects::of(rules, decision.as_ref(), &facts, now);
        let cookies = effects.response.unwrap().set_cookies.into_iter().flatten();
        let pairs: Vec<String> = cookies.map(|cookie| cookie.split(';').next().unwrap().to_owned()).collect();
        pairs.join("; ")
    };
    // One in ten is a visitor of v2.
    (0..1_000).map(|number| cookies(number << 32)).find(|line| line.contains("canary-shop=x")).unwrap()
}
