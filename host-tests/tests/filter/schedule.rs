//! Schedules in the module: weights on the tick, what is shown, and clocks that jump.

use std::time::Duration;

use serde_json::{Value, json};
use serin_host::Proxy;

use crate::site::{builder, shop_with, version_for};

/// 2026-11-21T09:00:00Z.
const START: Duration = Duration::from_secs(1_795_251_600);
const SECOND: Duration = Duration::from_secs(1);

fn scheduled(steps: &Value, pauses: &Value) -> String {
    let schedule = json!({"version": "v2", "start": "2026-11-21T09:00:00Z", "steps": steps, "pauses": pauses});
    let mut document = shop_with(0, &json!({"schedule": schedule, "sticky": {"unit": [{"header": "x-user-id"}]}}));
    document["rollouts"]["shop"]["versions"]["v2"] = json!({"cluster": "shop-v2"});
    document.to_string()
}

fn started(document: &str, now: Duration) -> Proxy {
    builder().now(now).start(document).expect("it starts")
}

/// How many of a thousand users get v2, from both workers.
fn share(proxy: &Proxy) -> usize {
    let asked = (0..1_000).map(|user: usize| proxy.worker(user % 2).get("/").header("x-user-id", user.to_string()));
    asked.filter(|request| version_for(request.clone()) == "v2").count()
}

fn gauges(proxy: &Proxy) -> [Option<u64>; 4] {
    ["step", "paused", "slots", "seconds_left"].map(|what| proxy.gauge(&format!("serin_schedule_{what}.rollout.shop")))
}

#[test]
fn steps_take_effect_on_the_tick_and_are_shown() {
    let steps = json!([{"weight": 30, "for": "30s"}, {"weight": 60, "for": "30s"}, {"weight": 100}]);
    let mut proxy = started(&scheduled(&steps, &json!([])), START - 5 * SECOND);
    assert_eq!(0, share(&proxy));
    proxy.advance(SECOND).unwrap();
    assert_eq!([0, 0, 0, 4].map(Some), gauges(&proxy));
    let mut seconds = 0;
    for (second, share_of_v2, shown) in
        [(1, 300, [1, 0, 300_000, 29]), (31, 600, [2, 0, 600_000, 29]), (61, 1_000, [3, 0, 1_000_000, 0])]
    {
        proxy.advance((second + 4 - seconds) * SECOND).unwrap();
        seconds = second + 4;
        let found = share(&proxy);
        assert!(found.abs_diff(share_of_v2) <= 50, "{found} of 1000 at {second} s");
        assert_eq!(shown.map(Some), gauges(&proxy), "at {second} s");
    }
    let said: Vec<_> =
        proxy.log().into_iter().filter(|line| line.text.contains("schedule")).map(|line| line.text).collect();
    let expected = [
        "before step 1 of 3, for 4 s; v2 has 0.0000 %",
        "in step 1 of 3, for 30 s; v2 has 30.0000 %",
        "in step 2 of 3, for 30 s; v2 has 60.0000 %",
        "in step 3 of 3, until the document changes; v2 has 100.0000 %",
    ];
    assert_eq!(expected.map(|what| format!("serin: rollouts.shop.schedule: {what}")), *said, "once an Envoy");
}

#[test]
fn a_proxy_that_starts_later_is_where_the_others_are() {
    let steps = json!([{"weight": 0, "to": 100, "for": "1000s"}]);
    let document = scheduled(&steps, &json!([{"from": "2026-11-21T09:05:00Z", "to": "2026-11-21T09:06:40Z"}]));
    let mut early = started(&document, START);
    early.advance(600 * SECOND).unwrap();
    let late = started(&document, START + 600 * SECOND);
    assert_eq!(share(&early), share(&late));
    assert!(share(&late).abs_diff(500) <= 50);
}

#[test]
fn pushes_pause_resume_and_abort() {
    let steps = json!([{"weight": 30, "for": "60s"}, {"weight": 100}]);
    let mut proxy = started(&scheduled(&steps, &json!([])), START);
    proxy.advance(30 * SECOND).unwrap();
    proxy.push(scheduled(&steps, &json!([{"from": "2026-11-21T09:00:30Z"}]))).unwrap();
    proxy.advance(600 * SECOND).unwrap();
    assert_eq!([1, 1, 300_000, 0].map(Some), gauges(&proxy));
    proxy.push(scheduled(&steps, &json!([{"from": "2026-11-21T09:00:30Z", "to": "2026-11-21T09:10:40Z"}]))).unwrap();
    proxy.advance(30 * SECOND).unwrap();
    assert_eq!([1, 0, 300_000, 10].map(Some), gauges(&proxy));
    proxy.advance(10 * SECOND).unwrap();
    assert_eq!(1_000, share(&proxy));
    // An explicit 0 ends it all, and the gauges say so.
    let mut aborted: Value = serde_json::from_str(&scheduled(&steps, &json!([]))).unwrap();
    aborted["rollouts"]["shop"]["versions"]["v2"]["weight"] = json!(0);
    proxy.push(aborted.to_string()).unwrap();
    assert_eq!(0, share(&proxy));
    proxy.advance(SECOND).unwrap();
    assert_eq!([Some(0); 4], gauges(&proxy));
    // What was said of a schedule that has gone is said again when it is back.
    let lines = |proxy: &Proxy| proxy.log().iter().filter(|line| line.text.contains("in step 2 of 2")).count();
    assert_eq!(1, lines(&proxy));
    proxy.push(scheduled(&steps, &json!([]))).unwrap();
    proxy.advance(2 * SECOND).unwrap();
    assert_eq!(2, lines(&proxy));
}

#[test]
fn requests_pay_nothing_for_it() {
    let plain = shop_with(30, &json!({"sticky": {"unit": [{"header": "x-user-id"}]}}));
    let plain = started(&plain.to_string(), START);
    let mut scheduled = started(&scheduled(&json!([{"weight": 30, "to": 31, "for": "1h"}]), &json!([])), START);
    scheduled.advance(10 * SECOND).unwrap();
    let calls =
        |proxy: &Proxy| proxy.worker(0).get("/").header("x-user-id", "1").send().unwrap().usage.total_host_calls();
    assert_eq!(calls(&plain), calls(&scheduled));
}
