//! Held versions: what a rollout's own cookie keeps, and when it no longer counts.

mod common;

use common::{Outcome, Request, TODAY, outcome, outcome_at, rollout, rules};
use proptest::prelude::*;
use serin_core::Rules;

const DAY: u64 = 86_400;

/// A rollout with v2 at a weight, which holds versions; and further fields.
fn holding(weight: u32, hold: &str, fields: &str) -> Rules {
    rules(&rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {weight}}}, "v3": {{}}}},
           "sticky": {{"hold": "{hold}"{}}}{}"#,
        fields.split_once('|').map_or("", |(sticky, _)| sticky),
        fields.split_once('|').map_or(fields, |(_, rest)| rest),
    )))
}

/// The next request of a browser that got these cookies.
fn back(before: &Outcome) -> Request {
    Request::new().with("cookie", before.cookies())
}

/// A visitor whose slot is 0, or nearly so: the first whom a canary gets.
fn early(rules: &Rules) -> u64 {
    (0..100_000).find(|bits| outcome(rules, &Request::new(), *bits).slot.is_some_and(|slot| slot < 10_000)).unwrap()
}

/// A visitor with one of the last slots, but not behind 99 percent.
fn late(rules: &Rules) -> u64 {
    (0..100_000)
        .find(|bits| outcome(rules, &Request::new(), *bits).slot.is_some_and(|slot| (980_000..990_000).contains(&slot)))
        .unwrap()
}

#[test]
fn a_version_stays_with_its_unit_whatever_the_weights_do() {
    let ten = holding(10, "version", "");
    let (canary, stable) = (outcome(&ten, &Request::new(), early(&ten)), outcome(&ten, &Request::new(), late(&ten)));
    assert_eq!((canary.answer.as_str(), stable.answer.as_str()), ("r/v2/slot", "r/v1/slot"));
    for weight in [1, 50, 99] {
        let rules = holding(weight, "version", "");
        assert_eq!(outcome(&rules, &back(&canary), 0).answer, "r/v2/held", "at {weight}");
        assert_eq!(outcome(&rules, &back(&stable), 0).answer, "r/v1/held", "at {weight}");
    }
}

#[test]
fn the_cookie_of_a_rollout() {
    let rules = holding(10, "version", r#"|, "release": "2026-11""#);
    let first = outcome(&rules, &Request::new(), early(&rules));
    let line = first.kept_cookie.clone().unwrap();
    let (pair, attributes) = line.split_once("; ").unwrap();
    assert_eq!(attributes, "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax");
    let fields: Vec<&str> = pair.strip_prefix("canary-r=").unwrap().split('.').collect();
    assert_eq!((fields[0], fields[2], fields[3]), ("r2026-11", "vv2", "d20778"));
    assert_eq!((fields[1].len(), fields[1].starts_with('u')), (5, true));
    let again = outcome(&rules, &back(&first), 0);
    assert_eq!((again.answer.as_str(), again.kept_cookie, again.set_cookie), ("r/v2/held", None, None));
    assert!(again.slot.is_some() && again.slot == first.slot, "{:?}", again.slot);
}

#[test]
fn what_no_longer_counts() {
    let ten = holding(10, "version", "");
    let canary = outcome(&ten, &Request::new(), early(&ten));
    #[track_caller]
    fn check(rules: &Rules, request: &Request, expected: &str, rewritten: bool) {
        let found = outcome(rules, request, 0);
        assert_eq!((found.answer.as_str(), found.kept_cookie.is_some()), (expected, rewritten));
    }
    check(&holding(0, "version", ""), &back(&canary), "r/v1/slot", true);
    check(&holding(0, "version", r#", "at_zero": "evict"|"#), &back(&canary), "r/v1/slot", true);
    check(&holding(0, "version", r#", "at_zero": "drain"|"#), &back(&canary), "r/v2/held", false);
    check(&holding(10, "version", r#"|, "release": "2""#), &back(&canary), "r/v1/slot", true);
    let off = rules(&rollout(
        r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 10, "off": true}}, "sticky": {"hold": "version", "at_zero": "drain"}"#,
    ));
    check(&off, &back(&canary), "r/v1/slot", true);
    let gone = rules(&rollout(r#""stable": "v1", "versions": {"v1": {}}, "sticky": {"hold": "version"}"#));
    check(&gone, &back(&canary), "r/v1/slot", true);
    let stable = outcome(&ten, &Request::new(), late(&ten));
    check(&holding(100, "version", ""), &back(&stable), "r/v2/slot", true);
    check(&holding(100, "version", r#", "at_zero": "drain"|"#), &back(&stable), "r/v1/held", false);
}

#[test]
fn another_unit_holds_nothing() {
    let rules = holding(10, "version", r#", "unit": [{"header": "x-id"}], "prefer": "unit"|"#);
    let visitor = outcome(&rules, &Request::new(), early(&rules));
    let logged_in = back(&visitor).with("x-id", "somebody");
    let alone = outcome(&rules, &Request::new().with("x-id", "somebody"), 0);
    let found = outcome(&rules, &logged_in, 0);
    assert_eq!((found.answer, found.slot), (alone.answer.clone(), alone.slot), "the id decides, and by its own slot");
    assert_eq!(found.kept_cookie, alone.kept_cookie, "and holds what it got");
}

#[test]
fn ages_of_a_held_version() {
    let rules = holding(10, "version", "");
    let canary = outcome(&rules, &Request::new(), early(&rules));
    let kept = canary.kept_pair().unwrap().to_owned();
    let visitor = |day: u64| canary.cookies().split("; ").next().unwrap().replace("d20778", &format!("d{day}"));
    // A visitor cookie is kept fresh, so that the rollout's alone ages.
    let at = |days: u64| {
        let request = Request::new().with("cookie", format!("{}; {kept}", visitor(20_778 + days)));
        let found = outcome_at(&holding(1, "version", ""), &request, 0, TODAY + days * DAY);
        (found.answer, found.kept_cookie.is_some())
    };
    assert_eq!(at(0), ("r/v2/held".into(), false));
    assert_eq!(at(7), ("r/v2/held".into(), false));
    assert_eq!(at(8), ("r/v2/held".into(), true), "past a quarter of its age: written again");
    assert_eq!(at(30), ("r/v2/held".into(), true));
    assert_eq!(at(31), ("r/v2/slot".into(), true), "past its age: its slot decides anew");
}

#[test]
fn a_page_decides_and_its_parts_follow() {
    let ten = holding(10, "page", "");
    let stable = outcome(&ten, &Request::new(), late(&ten));
    let full = holding(99, "page", "");
    let found = |headers: &[(&str, &str)]| {
        let request = headers.iter().fold(back(&stable), |request, (name, value)| request.with(name, value));
        outcome(&full, &request, 0).answer
    };
    for page in [
        &[("sec-fetch-dest", "document")][..],
        &[("sec-fetch-dest", "document"), ("accept", "*/*")],
        &[("accept", "text/html,application/xhtml+xml")],
    ] {
        assert_eq!(found(page), "r/v2/slot", "{page:?}");
    }
    for part in [
        &[][..],
        &[("sec-fetch-dest", "script")],
        &[("sec-fetch-dest", "script"), ("accept", "text/html")],
        &[("sec-fetch-dest", "iframe"), ("accept", "text/html")],
        &[("sec-fetch-dest", "empty")],
        &[("accept", "*/*")],
        &[("sec-fetch-dest", "document"), ("sec-purpose", "prefetch;prerender")],
        &[("sec-fetch-dest", "document"), ("purpose", "prefetch")],
        &[("accept", "text/html"), ("sec-purpose", "prefetch")],
    ] {
        assert_eq!(found(part), "r/v1/held", "{part:?}");
    }
}

#[test]
fn parts_of_an_open_page_outlive_a_weight_of_zero_if_they_drain() {
    let ten = holding(10, "page", "");
    let (canary, stable) = (outcome(&ten, &Request::new(), early(&ten)), outcome(&ten, &Request::new(), late(&ten)));
    for (at_zero, weight, before, part, page) in [
        ("drain", 0, &canary, "r/v2/held", "r/v1/slot"),
        ("evict", 0, &canary, "r/v1/slot", "r/v1/slot"),
        ("drain", 100, &stable, "r/v1/held", "r/v2/slot"),
        ("evict", 100, &stable, "r/v2/slot", "r/v2/slot"),
    ] {
        let rules = holding(weight, "page", &format!(r#", "at_zero": "{at_zero}"|"#));
        let found = |destination| outcome(&rules, &back(before).with("sec-fetch-dest", destination), 0).answer;
        assert_eq!((found("script").as_str(), found("document").as_str()), (part, page), "{at_zero} at {weight}");
    }
}

#[test]
fn first_stable_holds_nothing_yet() {
    let rules = holding(10, "version", r#", "first": "stable"|"#);
    let drawn = holding(10, "version", "");
    let first = outcome(&rules, &Request::new(), early(&drawn));
    assert_eq!((first.answer.as_str(), first.kept_cookie.clone()), ("r/v1/first", None));
    let second = outcome(&rules, &back(&first), 0);
    assert_eq!((second.answer.as_str(), second.kept_cookie.is_some()), ("r/v2/slot", true));
}

#[test]
fn overrides_and_rules_leave_what_is_held() {
    let rules = holding(
        10,
        "version",
        r#"|, "override": {"header": "x-canary"}, "rules": [{"when": {"headers": [{"name": "x-qa", "present": true}]}, "use": "v3"}]"#,
    );
    let canary = outcome(&rules, &Request::new(), early(&rules));
    for (header, expected) in [("x-canary", "r/v1/override"), ("x-qa", "r/v3/rule")] {
        let found = outcome(&rules, &back(&canary).with(header, "v1"), 0);
        assert_eq!((found.answer.as_str(), found.kept_cookie), (expected, None));
    }
    assert_eq!(outcome(&rules, &back(&canary), 0).answer, "r/v2/held");
}

#[test]
fn values_that_are_no_cookie_of_ours() {
    let rules = holding(10, "version", "");
    let canary = outcome(&rules, &Request::new(), early(&rules));
    let visitor = canary.cookies().split("; ").next().unwrap().to_owned();
    let mark = canary.kept_pair().unwrap().split('.').next().unwrap().strip_prefix("canary-r=").unwrap().to_owned();
    let found = |value: String| {
        let request = Request::new().with("cookie", format!("{visitor}; canary-r={value}"));
        outcome(&holding(1, "version", ""), &request, 0).answer
    };
    // The visitor's slot is v2's at ten percent, and may be v1's at one.
    let slot = found(String::new());
    for bad in [
        format!("{mark}.vv2"),
        "uAAAA.vv2.d20778".into(),
        "vv2.d20778".into(),
        format!("{mark}.vv9.d20778"),
        format!("{mark}.vv2.vv2.d20778"),
        format!("{mark}.vv2.d20778\u{7f}"),
        format!("rother.{mark}.vv2.d20778"),
        format!("{mark}.v.d20778"),
        "....".into(),
    ] {
        assert_eq!(found(bad.clone()), slot, "{bad:?}");
    }
    let drains = holding(1, "version", r#", "at_zero": "drain"|"#);
    for good in ["{u}.vv3.d20778", "d20778.vv3.{u}", "{u}.xfuture.vv3.d20778", "r.{u}.vv3.d20778", ".{u}..vv3.d20778."]
    {
        let value = good.replace("{u}", &mark);
        let request = Request::new().with("cookie", format!("{visitor}; canary-r={value}"));
        assert_eq!(outcome(&drains, &request, 0).answer, "r/v3/held", "{value}");
    }
}

/// Two of one name stand beside each other where a browser got them for two paths or domains.
#[test]
fn the_first_cookie_that_keeps_something_counts() {
    let rules = holding(10, "version", "");
    let first = outcome(&rules, &Request::new(), early(&rules));
    let (visitor, kept) = (first.cookie_value().unwrap(), first.kept_pair().unwrap());
    let stable = kept.replace(".vv2", ".vv1");
    for (others, expected) in [
        ("canary-r=d20778; ", "r/v2/held"),
        ("canary-r=junk; canary-r=d20777; ", "r/v2/held"),
        (&format!("{stable}; canary-r=d20778; "), "r/v1/held"),
    ] {
        let request = Request::new().with("cookie", format!("canary={visitor}; {others}{kept}"));
        let found = outcome(&holding(1, "version", r#", "at_zero": "drain"|"#), &request, 0);
        assert_eq!((found.answer.as_str(), found.kept_cookie), (expected, None), "{others}");
    }
}

proptest! {
    #[test]
    fn what_was_held_is_held(bits: u64, weight in 1_u32..=99, later in 1_u32..=99, days in 0_u64..30) {
        let first = outcome(&holding(weight, "version", ""), &Request::new(), bits);
        let again = outcome_at(&holding(later, "version", ""), &back(&first), !bits, TODAY + days * DAY);
        prop_assert_eq!(first.version(), again.version());
        prop_assert_eq!(again.answer, format!("r/{}/held", first.version()));
    }

    #[test]
    fn a_cookie_of_any_bytes_has_a_sound_answer(value in proptest::collection::vec(any::<u8>(), 0..80)) {
        let rules = holding(10, "version", "");
        let canary = outcome(&rules, &Request::new(), 7);
        let mut line = format!("{}; canary-r=", canary.cookies().split("; ").next().unwrap()).into_bytes();
        line.extend(value);
        let answer = outcome(&rules, &Request::new().with("cookie", line), 0).answer;
        prop_assert!(["r/v1/slot", "r/v2/slot", "r/v1/held", "r/v2/held"].contains(&answer.as_str()), "{}", answer);
    }
}
