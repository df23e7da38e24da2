//! The moment at which most units move, where schedules change weights.

use fastrand::Rng;
use serde_json::{Value, json};
use serin_core::{Compared, Rules, Secrets, Time, When, compare};

use crate::common::rules;
use crate::compare::NOW;

fn row(old: &Rules, new: &Rules, when: When) -> f64 {
    first(old, new, when).share().unwrap()
}

fn first<'r>(old: &'r Rules, new: &'r Rules, when: When) -> Compared<'r> {
    compare(old, new, when, &Secrets::Known).remove(0)
}

fn after(seconds: u64) -> Time {
    Time::from_unix_seconds(NOW + seconds)
}

/// Some minutes with steps, ramps and pauses.
fn any_schedule(rng: &mut Rng) -> Value {
    let moment = |seconds: u64| format!("2026-11-21T12:{:02}:{:02}Z", seconds / 60, seconds % 60);
    let mut step = || json!({"weight": rng.u32(..=60), "to": rng.u32(..=60), "for": format!("{}s", rng.u32(1..120))});
    let steps = [step(), step(), step()];
    let from = rng.u64(..200);
    let pauses = json!([{"from": moment(from), "to": moment(from + rng.u64(1..100))}]);
    json!({"version": "v2", "start": moment(rng.u64(..100)), "steps": steps, "pauses": pauses})
}

/// A document whose schedule meets edges of other versions, and other places.
fn any_document(rng: &mut Rng) -> Rules {
    let (low, high) = (rng.i8(-3..3), rng.i8(3..6));
    let (place, other) = if rng.bool() { (low, high) } else { (high, low) };
    let versions = json!({
        "v1": {}, "v2": {"weight": rng.u32(1..50), "place": place}, "v3": {"weight": rng.u32(1..40), "place": other},
    });
    let release = if rng.u8(..4) == 0 { "b" } else { "a" };
    let rollout = json!({"stable": "v1", "versions": versions, "release": release, "schedule": any_schedule(rng)});
    rules(&json!({"rollouts": {"r": rollout}}).to_string())
}

/// No moment of the next ten minutes has more units move than the one that is told.
#[test]
fn the_moment_at_which_most_units_move() {
    // A weight is told in thousandths, each of them ten slots, of which an edge may be two apart from its line.
    const ROUNDED: f64 = 4e-5;
    let mut rng = Rng::with_seed(8);
    let (mut later, mut redrawn, mut between) = (0, 0, 0);
    for _ in 0..60 {
        let (old, new) = (any_document(&mut rng), any_document(&mut rng));
        let most = first(&old, &new, When::From(after(0)));
        let told = most.share().unwrap();
        assert_eq!(told, row(&old, &new, When::At(most.at)));
        let shares: Vec<f64> = (0..600).map(|seconds| row(&old, &new, When::At(after(seconds)))).collect();
        let (second, highest) = shares.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1)).unwrap();
        assert!(*highest <= told + ROUNDED, "{highest} after {second} s\n{old:?}\n{new:?}\n{most:?}");
        later += usize::from(most.at > after(0));
        redrawn += usize::from(!most.redrawn.is_empty());
        // At a turn the one or the other neighbour is as high, or there is a jump.
        let at = usize::try_from(most.at.unix_seconds() - NOW).unwrap();
        between += usize::from(at > 0 && told > shares[at - 1] + 1e-3 && told > shares[at + 1] + 1e-3);
    }
    assert!(later > 40 && redrawn > 10 && between > 5, "{later} later, {redrawn} redrawn, {between} between turns");
}

/// A ramp from nothing to all, of which both ends look alike.
#[test]
fn between_the_ends_of_a_ramp() {
    let ramp = |fields: &str, place: &str| {
        rules(&format!(
            r#"{{"rollouts": {{"r": {{"stable": "v1", {fields} "versions": {{"v1": {{}}, "v2": {{"place": "{place}"}}}},
                "schedule": {{"version": "v2", "start": "2026-11-21T12:00:00Z", "steps": [{{"weight": 0, "to": 100, "for": "10h"}}]}}}}}}}}"#
        ))
    };
    let most = |new: Rules| {
        let old = ramp("", "low");
        let row = first(&old, &new, When::From(after(0)));
        (row.share(), row.at.unix_seconds() - NOW)
    };
    assert_eq!(most(ramp("", "low")), (Some(0.0), 0));
    assert_eq!(most(ramp("", "high")), (Some(1.0), 5 * 3_600));
    assert_eq!(most(ramp(r#""release": "b","#, "low")), (Some(0.5), 5 * 3_600));
}
