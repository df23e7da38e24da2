use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::plan::{Kind as Pushed, Plan, Push};
use crate::timeline::Timeline;

/// What happens to one visitor after the other, as it should and otherwise.
struct Court {
    timeline: Timeline,
    plan: Plan,
    clock: Instant,
}

impl Court {
    fn new() -> Self {
        let plan = Plan::new(7);
        let timeline = Timeline::new(Document::new(&plan.first(), None).unwrap());
        let mut court = Self { timeline, plan, clock: Instant::now() };
        court.push(|push| push.scene.shop.low > 0 && push.scene.shop.high > 0 && !push.scene.shop.off);
        court
    }

    /// Pushes other weights until they are such.
    fn push(&mut self, wanted: impl Fn(&Push) -> bool) {
        let push = std::iter::repeat_with(|| self.plan.next(Some(Pushed::Weights))).find(wanted).unwrap();
        self.timeline.announce(Arc::new(Document::new(&push, None).unwrap()));
        self.clock += Duration::from_secs(1);
        self.timeline.confirm(self.clock);
        self.clock += Duration::from_secs(1);
    }

    fn window(&self) -> Window {
        self.timeline.window(self.clock, self.clock)
    }

    /// What the newest document says.
    fn due(&self, visitor: &Visitor, bits: u64) -> Answer {
        let outcome = outcome(&visitor.sent(), &self.timeline.newest().unwrap(), 0, now(), bits);
        let Outcome { upstream, decision, lane, cookies } = outcome;
        Answer { status: 200, upstream, decision, lane, cookies }
    }

    #[track_caller]
    fn check(&self, visitor: &Visitor, answer: &Result<Answer, String>, expected: &str) {
        let found = match judge(&visitor.sent(), answer, &self.window()) {
            Verdict::Right => "right",
            Verdict::Dead(..) => "dead",
            Verdict::Failed(_) => "failed",
            Verdict::Wrong(_) => "wrong",
        };
        assert_eq!(expected, found, "{visitor:?}: {answer:?}");
    }
}

/// A visitor with a cookie, in the place of v2.
fn in_v2(court: &Court) -> Visitor {
    let draws = (1..1_000_u64).map(|draw| draw.wrapping_mul(SPREAD));
    let mut found = draws.map(|bits| {
        let mut visitor = Visitor::new(Kind::Cookie, 0);
        let answer = court.due(&visitor, bits);
        visitor.keep(&answer.cookies);
        (visitor, answer)
    });
    found.find(|(_, answer)| answer.upstream == "v2").unwrap().0
}

/// The answer of an Envoy that has found no connection for what was decided so.
fn failure(decision: &str) -> Result<Answer, String> {
    let decision = Some(decision.to_owned());
    Ok(Answer { status: 503, upstream: "no connection".into(), decision, lane: None, cookies: Vec::new() })
}

fn broken_off() -> Result<Answer, String> {
    Err("the connection broke".to_owned())
}

#[test]
fn what_the_rules_say_is_right_for_every_kind_of_visitor() {
    let court = Court::new();
    for mut visitor in crate::visitor::crowd() {
        for bits in [5, SPREAD] {
            let answer = court.due(&visitor, bits);
            court.check(&visitor, &Ok(answer.clone()), "right");
            assert!(!visitor.keep(&answer.cookies));
        }
    }
}

#[test]
fn every_part_of_an_answer_that_is_not_so_is_found() {
    let court = Court::new();
    let visitor = in_v2(&court);
    let due = court.due(&visitor, 0);
    let plants: [fn(&mut Answer); 6] = [
        |answer| answer.upstream = "v1".into(),
        |answer| answer.decision = Some("shop/v2/random".into()),
        |answer| answer.decision = None,
        |answer| answer.lane = Some("spoofed".into()),
        |answer| answer.lane = None,
        |answer| answer.cookies.push("canary=nAAAAAAAAAA.d20000".into()),
    ];
    court.check(&visitor, &Ok(due.clone()), "right");
    for plant in plants {
        let mut answer = due.clone();
        plant(&mut answer);
        court.check(&visitor, &Ok(answer), "wrong");
    }
}

#[test]
fn the_first_answer_is_the_stored_answer() {
    let court = Court::new();
    let visitor = Visitor::new(Kind::Cookie, 0);
    let answers = (0..1_000_u64).map(|draw| court.due(&visitor, draw.wrapping_mul(SPREAD)));
    let (v2, others): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.upstream == "v2");
    let mixed = Answer { cookies: others[0].cookies.clone(), ..v2[0].clone() };
    court.check(&visitor, &Ok(v2[0].clone()), "right");
    court.check(&visitor, &Ok(mixed), "wrong");
}

#[test]
fn the_outcome_before_counts_only_until_all_workers_follow() {
    let mut court = Court::new();
    let visitor = in_v2(&court);
    let before = Ok(court.due(&visitor, 0));
    let push = std::iter::repeat_with(|| court.plan.next(Some(Pushed::Weights)));
    let push = push.take(100).find(|push| push.scene.shop.low == 0).unwrap();
    court.timeline.announce(Arc::new(Document::new(&push, None).unwrap()));
    court.check(&visitor, &before, "right");
    court.check(&visitor, &Ok(court.due(&visitor, 0)), "right");
    court.timeline.confirm(court.clock);
    court.clock += Duration::from_secs(1);
    court.check(&visitor, &before, "wrong");
    court.check(&visitor, &Ok(court.due(&visitor, 0)), "right");
}

#[test]
fn a_failure_counts_unless_its_upstream_was_down() {
    let mut court = Court::new();
    let visitor = in_v2(&court);
    for failure in [failure("shop/v2/slot"), broken_off()] {
        court.check(&visitor, &failure, "failed");
        for (upstream, expected) in [("v1", "failed"), ("v3", "failed"), ("v2", "dead")] {
            court.timeline.fail(upstream, Failure::Resets, court.clock);
            court.check(&visitor, &failure, expected);
            court.timeline.recover(upstream, court.clock);
            court.clock += Duration::from_secs(1);
        }
        court.check(&visitor, &failure, "failed");
    }
}

#[test]
fn a_newcomer_may_have_drawn_whatever_is_down() {
    let mut court = Court::new();
    let visitor = Visitor::new(Kind::Newcomer, 0);
    for failure in [failure("shop/v3/slot"), broken_off()] {
        court.check(&visitor, &failure, "failed");
    }
    court.timeline.fail("v3", Failure::Stops, court.clock);
    for (failure, expected) in [
        (failure("shop/v3/slot"), "dead"),
        (broken_off(), "dead"),
        (failure("shop/v2/slot"), "failed"),
        (failure("shop/v1/slot"), "failed"),
        (failure("shop/v3/random"), "failed"),
    ] {
        court.check(&visitor, &failure, expected);
    }
}

#[test]
fn stable_stands_in_only_for_a_canary_that_may_be_missing() {
    let mut court = Court::new();
    let visitor = in_v2(&court);
    let stable = Answer {
        upstream: "v1".into(),
        decision: Some("shop/v1/missing".into()),
        lane: None,
        ..court.due(&visitor, 0)
    };
    let stable = Ok(stable);
    court.check(&visitor, &stable, "wrong");
    court.timeline.fail("v3", Failure::Stops, court.clock);
    court.check(&visitor, &stable, "wrong");
    court.timeline.fail("v2", Failure::Stops, court.clock);
    court.check(&visitor, &stable, "right");
    court.timeline.recover("v2", court.clock);
    court.clock += Duration::from_secs(17);
    court.check(&visitor, &stable, "right");
    court.clock += Duration::from_secs(2);
    court.check(&visitor, &stable, "wrong");
}

#[test]
fn a_visitor_moves_only_with_the_owner_of_the_slot() {
    let mut court = Court::new();
    let visitor = in_v2(&court);
    let see = |court: &Court, version: &str| seen(&visitor, None, version, &court.window()).unwrap();
    let before = see(&court, "v2");
    assert!(!has_moved(&before, &see(&court, "v2")));
    assert!(has_moved(&before, &see(&court, "v1")), "the weights are the same");
    court.push(|push| push.scene.shop.low == 0);
    assert!(!has_moved(&before, &see(&court, "v1")), "a roll-back moves out");
    assert!(has_moved(&before, &see(&court, "v3")), "but to stable");
    let out = see(&court, "v1");
    assert!(has_moved(&out, &see(&court, "v2")), "and nobody in");
    court.push(|push| push.scene.shop.low == 50 && push.scene.shop.off);
    let inside = see(&court, "v2");
    assert!(!has_moved(&out, &inside), "a ramp moves in");
    court.timeline.fail("v2", Failure::Stops, court.clock);
    assert!(!has_moved(&inside, &see(&court, "v1")), "stable stands in");
    assert!(has_moved(&inside, &see(&court, "v3")), "and nobody else");
}

#[test]
fn who_holds_a_version_stays_while_it_has_a_weight() {
    for (held, weight, slot, expected) in [
        (None, 10, 99_999, "v2"),
        (None, 10, 100_000, "v1"),
        (Some("v2"), 10, 999_999, "v2"),
        (Some("v2"), 0, 0, "v1"),
        (Some("v1"), 99, 0, "v1"),
        (Some("v1"), 100, 999_999, "v2"),
    ] {
        assert_eq!(expected, holder(held, weight, slot), "{held:?}, {weight}, {slot}");
    }
}

#[test]
fn another_number_is_noticed() {
    let mut visitor = Visitor::new(Kind::Cookie, 0);
    let given = |number: &str| [format!("canary=n{number}.d20000; Path=/")];
    for (number, expected) in
        [("AAAAAAAAAA", false), ("AAAAAAAAAA", false), ("BAAAAAAAAA", true), ("BAAAAAAAAA", false)]
    {
        assert_eq!(expected, visitor.keep(&given(number)), "{number}");
    }
}
