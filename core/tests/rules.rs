//! Rules: segments of the requests that get a version, or other weights.

mod common;

use common::{Request, outcome, rollout, rules};

/// Visitor numbers whose slots lie in stable's and in v2's interval of a rollout `r` with v2 at ten percent.
const ON_STABLE: &str = "canary=nAAAAAAAAAA.d20778";
const ON_V2: &str = "canary=nAAAAAAAAAB.d20778";

/// A rollout with v2 at ten percent, v3 listed, v4 off, and these rules.
fn shop(listed: &str) -> String {
    rollout(&format!(
        r#""stable": "v1", "override": {{"header": "x-canary"}}, "rules": [{listed}],
           "versions": {{"v1": {{}}, "v2": {{"weight": 10, "place": "low"}}, "v3": {{"place": "high"}}, "v4": {{"off": true}}}}"#
    ))
}

#[track_caller]
fn check(listed: &str, request: Request, expected: &str) {
    assert_eq!(outcome(&rules(&shop(listed)), &request, 0).answer, expected, "{listed}");
}

const QA: &str = r#"{"when": {"headers": [{"name": "x-team", "in": ["qa", "dev"]}]}, "use": "v3"}"#;
const EU: &str = r#"{"when": {"headers": [{"name": "x-region", "exact": "eu"}]}, "weights": {"v2": 100}}"#;

#[test]
fn the_first_rule_that_holds_decides() {
    let rules = format!("{QA}, {EU}");
    check(&rules, Request::new().with("cookie", ON_STABLE), "r/v1/slot");
    check(&rules, Request::new().with("cookie", ON_STABLE).with("x-team", "dev"), "r/v3/rule");
    check(&rules, Request::new().with("cookie", ON_STABLE).with("x-region", "eu"), "r/v2/slot");
    check(&rules, Request::new().with("x-region", "eu").with("x-team", "qa"), "r/v3/rule");
    let turned = format!("{EU}, {QA}");
    check(&turned, Request::new().with("cookie", ON_STABLE).with("x-region", "eu").with("x-team", "qa"), "r/v2/slot");
}

#[test]
fn an_override_comes_first_and_a_rule_before_the_slot() {
    check(QA, Request::new().with("x-team", "qa").with("x-canary", "v2"), "r/v2/override");
    check(QA, Request::new().with("x-team", "qa").with("cookie", ON_V2), "r/v3/rule");
}

#[test]
fn a_rule_sets_no_cookie() {
    let outcome = outcome(&rules(&shop(QA)), &Request::new().with("x-team", "qa"), 0);
    assert_eq!((outcome.set_cookie, outcome.slot), (None, None));
}

#[test]
fn a_rule_for_a_version_that_is_off_is_passed_over() {
    let off = r#"{"use": "v4"}"#;
    check(off, Request::new().with("cookie", ON_V2), "r/v2/slot");
    check(&format!("{off}, {QA}"), Request::new().with("x-team", "qa"), "r/v3/rule");
}

#[test]
fn when_takes_what_match_takes() {
    let when = |fields: &str| format!(r#"{{"when": {{{fields}}}, "use": "v3"}}"#);
    let request =
        || Request::to("shop.example.com", "/cart/pay?beta=1").with(":method", "POST").with("cookie", ON_STABLE);
    for (fields, holds) in [
        (r#""hosts": ["*.example.com"]"#, true),
        (r#""hosts": ["example.com"]"#, false),
        (r#""path": {"prefix": "/cart"}"#, true),
        (r#""path": {"exact": "/cart"}"#, false),
        (r#""path": {"regex": "/cart/.*"}"#, true),
        (r#""methods": ["POST"]"#, true),
        (r#""methods": ["GET"]"#, false),
        (r#""query": [{"name": "beta", "exact": "1"}]"#, true),
        (r#""cookies": [{"name": "canary", "prefix": "n"}]"#, true),
        (r#""hosts": ["shop.example.com"], "methods": ["GET"]"#, false),
        ("", true),
    ] {
        check(&when(fields), request(), if holds { "r/v3/rule" } else { "r/v1/slot" });
    }
    check(r#"{"use": "v3"}"#, request(), "r/v3/rule");
}

#[test]
fn weights_of_a_rule_leave_those_it_does_not_name() {
    let both = r#"{"when": {"headers": [{"name": "x-r", "present": true}]}, "weights": {"v3": 90}}"#;
    for (cookie, expected) in [(ON_STABLE, "r/v3/slot"), (ON_V2, "r/v2/slot")] {
        check(both, Request::new().with("x-r", "").with("cookie", cookie), expected);
    }
    let zero = r#"{"weights": {"v2": 0}}"#;
    check(zero, Request::new().with("cookie", ON_V2), "r/v1/slot");
    let stable = r#"{"weights": {"v1": 0, "v2": 100}}"#;
    check(stable, Request::new().with("cookie", ON_STABLE), "r/v2/slot");
}

#[test]
fn the_last_of_a_thousand_rules_counts() {
    let many: Vec<String> = (0..999)
        .map(|n| format!(r#"{{"when": {{"query": [{{"name": "n", "exact": "{n}"}}]}}, "use": "v2"}}"#))
        .chain([QA.to_owned()])
        .collect();
    check(&many.join(","), Request::to("h", "/?n=998"), "r/v2/rule");
    check(&many.join(","), Request::to("h", "/?n=999").with("x-team", "qa"), "r/v3/rule");
}
