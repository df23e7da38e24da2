//! Weights that follow the clock.

mod common;

use common::{Request, outcome_at, rollout, rules};
use proptest::prelude::*;
use serin_core::{Current, Phase, Rollout, Rules, Slot, Surroundings, Time};

/// 2026-11-21T09:00:00Z.
const START: u64 = 1_795_251_600;

fn only(rules: &Rules) -> &Rollout {
    rules.rollout(0).expect("the document has a rollout")
}

/// Random bits of the n-th new visitor.
fn bits(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A rollout with these fields beside a schedule for v2.
fn scheduled(fields: &str, steps: &str, pauses: &str) -> String {
    rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{{fields}}}}},
        "schedule": {{"version": "v2", "start": "2026-11-21T09:00:00Z", "steps": {steps}, "pauses": {pauses}}}"#
    ))
}

/// Checks the slots of v2, the phase and the seconds left at so many seconds after the start.
#[track_caller]
fn check(document: &str, table: &[(i64, u32, Phase, Option<u64>)]) {
    let rules = rules(document);
    let rollout = only(&rules);
    let v2 = rollout.version_named(b"v2").unwrap();
    for &(second, slots, phase, left) in table {
        let now = Time::from_unix_seconds(START.checked_add_signed(second).unwrap());
        let moment = rollout.schedule().unwrap().at(now);
        let width = rollout.intervals_at(now).unwrap().width(v2);
        assert_eq!(
            (width, moment.phase, moment.left),
            (slots, phase, left),
            "{second} s after the start of {document}"
        );
        assert_eq!(Current::new(&rules, now).slots(&rules, 0, v2), slots, "{second} s after the start of {document}");
    }
}

#[test]
fn steps_ramps_and_holds() {
    use Phase::{Done, Step, Waiting};
    let argo = r#"[{"weight": 30, "for": "30s"}, {"weight": 60, "for": "30s"}, {"weight": 100}]"#;
    check(
        &scheduled("", argo, "[]"),
        &[
            (-3_600, 0, Waiting, Some(3_600)),
            (-1, 0, Waiting, Some(1)),
            (0, 300_000, Step(0), Some(30)),
            (29, 300_000, Step(0), Some(1)),
            (30, 600_000, Step(1), Some(30)),
            (60, 1_000_000, Step(2), None),
            (1_000_000_000, 1_000_000, Step(2), None),
        ],
    );
    // The document's weight counts until the start.
    check(&scheduled(r#""weight": 5"#, argo, "[]"), &[(-1, 50_000, Waiting, Some(1)), (0, 300_000, Step(0), Some(30))]);
    let ramp = r#"[{"weight": 5, "for": "10m"}, {"weight": 5, "to": 50, "for": "1h"}, {"weight": 50, "to": 10, "for": "100s"}]"#;
    check(
        &scheduled("", ramp, "[]"),
        &[
            (599, 50_000, Step(0), Some(1)),
            (600, 50_000, Step(1), Some(3_600)),
            (601, 50_120, Step(1), Some(3_599)),
            (600 + 1_800, 275_000, Step(1), Some(1_800)),
            (600 + 3_599, 499_870, Step(1), Some(1)),
            (4_200, 500_000, Step(2), Some(100)),
            (4_250, 300_000, Step(2), Some(50)),
            (4_299, 104_000, Step(2), Some(1)),
            (4_300, 100_000, Done, None),
        ],
    );
}

#[test]
fn pauses_stop_the_clock() {
    use Phase::{Paused, Step, Waiting};
    let steps = r#"[{"weight": 10, "for": "60s"}, {"weight": 20, "to": 40, "for": "20s"}, {"weight": 40}]"#;
    let pause = |from: &str, to: &str| format!(r#"[{{"from": "2026-11-21T{from}Z", "to": "2026-11-21T{to}Z"}}]"#);
    check(
        &scheduled("", steps, &pause("09:00:30", "09:10:30")),
        &[
            (0, 100_000, Step(0), Some(660)),
            (29, 100_000, Step(0), Some(631)),
            (30, 100_000, Paused(0), Some(630)),
            (629, 100_000, Paused(0), Some(31)),
            (630, 100_000, Step(0), Some(30)),
            (660, 200_000, Step(1), Some(20)),
            (670, 300_000, Step(1), Some(10)),
        ],
    );
    // Paused now, in the middle of a ramp.
    check(
        &scheduled("", steps, r#"[{"from": "2026-11-21T09:01:10Z"}]"#),
        &[(60, 200_000, Step(1), None), (70, 300_000, Paused(1), None), (1_000_000, 300_000, Paused(1), None)],
    );
    // A pause that covers the start moves it.
    check(
        &scheduled("", steps, &pause("08:00:00", "09:05:00")),
        &[
            (0, 0, Waiting, Some(300)),
            (299, 0, Waiting, Some(1)),
            (300, 100_000, Step(0), Some(60)),
            (360, 200_000, Step(1), Some(20)),
        ],
    );
    check(&scheduled("", steps, r#"[{"from": "2026-11-21T08:00:00Z"}]"#), &[(1_000_000, 0, Waiting, None)]);
    // Pauses that overlap, in no order, and one that is over before the start.
    let several = r#"[{"from": "2026-11-21T09:00:20Z", "to": "2026-11-21T09:00:40Z"},
        {"from": "2026-11-21T07:00:00Z", "to": "2026-11-21T08:00:00Z"},
        {"from": "2026-11-21T09:00:10Z", "to": "2026-11-21T09:00:30Z"}]"#;
    check(
        &scheduled("", steps, several),
        &[(9, 100_000, Step(0), Some(81)), (10, 100_000, Paused(0), Some(80)), (40, 100_000, Step(0), Some(50))],
    );
}

#[test]
fn an_explicit_zero_and_the_kill_switch_win() {
    let steps = r#"[{"weight": 50}]"#;
    let at = |fields: &str| {
        let document = scheduled(fields, steps, "[]");
        let rules = Rules::parse(document.as_bytes(), &Surroundings::default()).rules.unwrap();
        let on_v2 = (0..1_000_u64).filter(|n| outcome_at(&rules, &Request::new(), bits(*n), START).version() == "v2");
        on_v2.count()
    };
    assert!((400..600).contains(&at("")), "{}", at(""));
    assert_eq!((0, 0), (at(r#""weight": 0"#), at(r#""off": true"#)));
}

#[test]
fn what_is_surely_not_meant_is_said() {
    let warned = |document: &str| {
        let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        parsed.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let zero = warned(&scheduled(r#""weight": 0"#, r#"[{"weight": 50}]"#, "[]"));
    assert_eq!(
        zero,
        [
            "rollouts.r.schedule: it does nothing while its version has a weight of 0, which wins; expected no weight there"
        ]
    );
    let never = warned(&scheduled("", r#"[{"weight": 5}, {"weight": 50, "for": "1h"}, {"weight": 100}]"#, "[]"));
    let path = "it never runs, since a step before it has no time; expected `for` in that one";
    assert_eq!(never, [1, 2].map(|index| format!("rollouts.r.schedule.steps[{index}]: {path}")));
}

#[test]
fn a_rule_has_weights_of_its_own_or_follows_the_clock() {
    let document = rollout(
        r#""stable": "v1", "versions": {"v1": {}, "v2": {"place": "low"}, "v3": {"place": "high", "weight": 10}},
        "rules": [{"when": {"headers": [{"name": "x-eu", "present": true}]}, "weights": {"v3": 40}},
                  {"when": {"headers": [{"name": "x-us", "present": true}]}, "weights": {"v2": 0, "v3": 100}}],
        "schedule": {"version": "v2", "start": "2026-11-21T09:00:00Z", "steps": [{"weight": 60}]}"#,
    );
    let rules = rules(&document);
    let share = |header: Option<&str>, version: &str, second: u64| {
        let request = header.map_or_else(Request::new, |name| Request::new().with(name, "1"));
        (0..1_000_u64).filter(|n| outcome_at(&rules, &request, bits(*n), second).version() == version).count() / 10
    };
    let table = [
        (None, START - 1, [90, 0, 10]),
        (None, START, [30, 60, 10]),
        (Some("x-eu"), START - 1, [60, 0, 40]),
        (Some("x-eu"), START, [0, 60, 40]),
        (Some("x-us"), START, [0, 0, 100]),
    ];
    for (header, second, expected) in table {
        let shares = ["v1", "v2", "v3"].map(|version| share(header, version, second));
        let near = shares.iter().zip(expected).all(|(share, expected)| share.abs_diff(expected) <= 4);
        assert!(near, "{header:?} at {second}: {shares:?}, not {expected:?}");
    }
}

#[test]
fn weights_that_did_not_change_are_those_of_the_document() {
    let document = |weight: u32| {
        rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {weight}}}}}, "total": 997"#))
    };
    let by_clock = |weight: u32| {
        rollout(&format!(
            r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{}}}}, "total": 997,
            "schedule": {{"version": "v2", "start": "2026-11-21T09:00:00Z", "steps": [{{"weight": {weight}}}]}}"#
        ))
    };
    for weight in [0, 1, 331, 996, 997] {
        let (of_document, of_clock) = (rules(&document(weight)), rules(&by_clock(weight)));
        let now = Time::from_unix_seconds(START);
        assert_eq!(only(&of_document).intervals_at(now), only(&of_clock).intervals_at(now), "{weight}");
    }
}

#[test]
fn moments_are_those_of_rfc_3339() {
    use time::format_description::well_known::Rfc3339;
    let ours = |text: &str| Time::from_rfc3339(text).map(Time::unix_seconds);
    let theirs =
        |text: &str| time::OffsetDateTime::parse(text, &Rfc3339).ok().map(time::OffsetDateTime::unix_timestamp);
    let same = [
        "2026-11-21T09:00:00Z",
        "1970-01-01T00:00:00Z",
        "2000-02-29T23:59:59Z",
        "2100-02-28T23:59:59+23:59",
        "2026-11-21T09:00:00.123456789Z",
        "2026-11-21t09:00:00z",
        "2026-11-21T09:00:00+05:30",
        "2026-03-01T00:00:00-00:01",
        "9999-12-31T23:59:59Z",
        "2024-12-31T24:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-13-10T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-21T09:60:00Z",
        "2026-11-21T09:00:00",
        "2026-11-21T09:00Z",
        "2026-11-21T09:00:00.Z",
        "2026-11-21T09:00:00+24:00",
        "2026-11-21T09:00:00+0100",
        "2026-11-21T09:00:00Z ",
        "",
        "now",
        "2026-1-21T09:00:00Z",
        "+026-11-21T09:00:00Z",
        "2026-11-21T09:00:00é",
        "٢٠٢٦-11-21T09:00:00Z",
    ];
    for text in same {
        assert_eq!(ours(text).map(|seconds| i64::try_from(seconds).unwrap()), theirs(text), "{text:?}");
    }
    for text in ["1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "2016-12-31T23:59:60Z", "2026-11-21 09:00:00Z"] {
        assert_eq!(None, ours(text), "{text:?}");
    }
    let every_day = (0..47_482).map(|day| day * 86_400 + 3_661);
    for seconds in every_day {
        let text = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().format(&Rfc3339).unwrap();
        assert_eq!(ours(&text), u64::try_from(seconds).ok(), "{text}");
    }
}

/// Steps as `(weight, to, seconds)`, and pauses as `(from, length)` after the start.
fn any_schedule() -> impl Strategy<Value = String> {
    let step = (0..=100_u32, proptest::option::of(0..=100_u32), proptest::option::weighted(0.9, 1..400_u32));
    let step = step.prop_map(|(weight, to, seconds)| match (to, seconds) {
        (Some(to), Some(seconds)) => format!(r#"{{"weight": {weight}, "to": {to}, "for": "{seconds}s"}}"#),
        (_, Some(seconds)) => format!(r#"{{"weight": {weight}, "for": "{seconds}s"}}"#),
        _ => format!(r#"{{"weight": {weight}}}"#),
    });
    let moment = |second: u32| format!("2026-11-21T09:{:02}:{:02}Z", second / 60, second % 60);
    let pause = (0..1_200_u32, proptest::option::weighted(0.9, 1..600_u32)).prop_map(move |(from, length)| {
        let to = length.map_or_else(String::new, |length| format!(r#", "to": "{}""#, moment(from + length)));
        format!(r#"{{"from": "{}"{to}}}"#, moment(from))
    });
    let lists = (proptest::collection::vec(step, 1..5), proptest::collection::vec(pause, 0..4));
    lists.prop_map(|(steps, pauses)| {
        scheduled("", &format!("[{}]", steps.join(",")), &format!("[{}]", pauses.join(",")))
    })
}

proptest! {
    /// Second by second: while it stands still nothing moves, and what is left counts down to the next change.
    #[test]
    fn the_clock_stands_still_in_pauses_and_only_there(document in any_schedule()) {
        let rules = Rules::parse(document.as_bytes(), &Surroundings::default()).rules.unwrap();
        let rollout = only(&rules);
        let schedule = rollout.schedule().unwrap();
        let mut before = schedule.at(Time::from_unix_seconds(START - 1));
        for second in START..START + 1_800 {
            let now = schedule.at(Time::from_unix_seconds(second));
            let stands = matches!(now.phase, Phase::Paused(_) | Phase::Waiting | Phase::Done);
            if matches!(before.phase, Phase::Paused(_) | Phase::Waiting) && stands && before.phase == now.phase {
                prop_assert_eq!(before.thousandths, now.thousandths);
            }
            // What is left counts down, paused or not, until the next step is there.
            if let (Some(left), Some(after)) = (before.left, now.left) {
                prop_assert!(after == left - 1 || left == 1, "{:?} then {:?}", before, now);
            }
            prop_assert!(before.left != Some(1) || before.phase != now.phase, "{:?} then {:?}", before, now);
            before = now;
        }
    }

    /// While a schedule only rises, nobody leaves the version, whenever they come.
    #[test]
    fn a_ramp_moves_units_one_way(low in 0..50_u32, high in 50..=100_u32, seconds in 1..4_000_u32, slot in 0..1_000_000_u32) {
        let steps = format!(r#"[{{"weight": {low}, "to": {high}, "for": "{seconds}s"}}]"#);
        let rules = rules(&scheduled("", &steps, "[]"));
        let rollout = only(&rules);
        let v2 = rollout.version_named(b"v2").unwrap();
        let moments = [0, seconds / 3, seconds / 2, seconds - 1, seconds, seconds + 1];
        let on_v2 = moments.map(|second| {
            let intervals = rollout.intervals_at(Time::from_unix_seconds(START + u64::from(second))).unwrap();
            intervals.at(Slot::new(slot).unwrap()) == v2
        });
        prop_assert!(on_v2.is_sorted(), "{:?}", on_v2);
    }

    /// A clock may jump: what is worked out afterwards is what a proxy works out that was started then.
    #[test]
    fn jumps_of_the_clock_leave_nothing_behind(document in any_schedule(), jumps in proptest::collection::vec(0..2_000_u64, 1..8)) {
        let rules = Rules::parse(document.as_bytes(), &Surroundings::default()).rules.unwrap();
        let mut current = Current::new(&rules, Time::from_unix_seconds(START));
        for second in jumps {
            let now = Time::from_unix_seconds(START + second);
            current.follow_clock(&rules, now);
            for bits in [0, 1 << 62, 1 << 63, 3 << 62, u64::MAX] {
                let jumped = common::outcome_with(&rules, &current, &Request::new(), bits, START + second);
                prop_assert_eq!(jumped, outcome_at(&rules, &Request::new(), bits, START + second));
            }
        }
    }
}
