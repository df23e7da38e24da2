//! The arithmetic of slots, exhaustively: shares, coverage, and that a change of weights moves only whom it must.

mod common;

use common::{rollout, rules};
use serin_core::{Intervals, SLOTS, Slot, VersionId};

/// The intervals of `stable` and the other versions, given as `(name, weight, place)`.
fn intervals(total: u32, versions: &[(&str, u32, i8)]) -> (Intervals, Vec<VersionId>, VersionId) {
    let listed: Vec<String> = versions
        .iter()
        .map(|(name, weight, place)| format!(r#""{name}": {{"weight": {weight}, "place": {place}}}"#))
        .collect();
    let fields = format!(r#""stable": "v0", "total": {total}, "versions": {{"v0": {{}}, {}}}"#, listed.join(", "));
    let rules = rules(&rollout(&fields));
    let rollout = rules.rollouts().next().unwrap();
    let id = |name: &str| rollout.version_named(name.as_bytes()).unwrap();
    let ids = versions.iter().map(|(name, ..)| id(name)).collect();
    (rollout.intervals().unwrap().clone(), ids, id("v0"))
}

/// Who owns every thousandth slot, by version index.
fn every_tenth_of_a_percent(intervals: &Intervals) -> Vec<usize> {
    (0..SLOTS).step_by(1000).map(|number| intervals.at(Slot::new(number).unwrap()).index()).collect()
}

/// `round(weight · SLOTS / total)`, halves up, worked out in another way than the code does.
fn rounded(weight: u32, total: u32) -> u32 {
    let (exact, total) = (u128::from(weight) * u128::from(SLOTS), u128::from(total));
    u32::try_from(exact / total + u128::from(exact % total * 2 >= total)).unwrap()
}

#[test]
fn nobody_leaves_a_canary_whose_weight_rises() {
    let owners: Vec<Vec<usize>> =
        (0..=100).map(|weight| every_tenth_of_a_percent(&intervals(100, &[("v2", weight, 0)]).0)).collect();
    for low in 0..=100 {
        for high in low..=100 {
            let leavers = owners[low].iter().zip(&owners[high]).filter(|(before, after)| **before == 1 && **after != 1);
            assert_eq!(leavers.count(), 0, "{low} → {high}");
        }
    }
}

#[test]
fn two_canaries_do_not_move_each_other() {
    // By the weight of v2 (low) and of v3 (high).
    let mut owners = std::collections::HashMap::new();
    for low in 0..=100 {
        for high in 0..=100 - low {
            let (intervals, ..) = intervals(100, &[("v2", low, 0), ("v3", high, -1)]);
            owners.insert((low, high), every_tenth_of_a_percent(&intervals));
        }
    }
    for (&(low, high), before) in &owners {
        for raised in low..=100 - high {
            let after = &owners[&(raised, high)];
            let wrong = before.iter().zip(after).filter(|(b, a)| b != a && !(**b == 0 && **a == 1));
            assert_eq!(wrong.count(), 0, "v2 {low} → {raised} beside v3 {high}: only stable's units move, and to v2");
        }
        for raised in high..=100 - low {
            let after = &owners[&(low, raised)];
            let wrong = before.iter().zip(after).filter(|(b, a)| b != a && !(**b == 0 && **a == 2));
            assert_eq!(wrong.count(), 0, "v3 {high} → {raised} beside v2 {low}: only stable's units move, and to v3");
        }
    }
}

#[test]
fn shares_are_the_rounded_edges_for_every_total_and_weight() {
    for total in 1..=400 {
        for weight in 0..=total {
            let (intervals, ids, stable) = intervals_of_one(total, weight);
            let edge = rounded(weight, total);
            assert_eq!(intervals.width(ids), edge, "{weight}/{total}");
            assert_eq!(intervals.width(stable), SLOTS - edge, "{weight}/{total}");
            if edge > 0 {
                assert_eq!(intervals.at(Slot::new(edge - 1).unwrap()), ids, "{weight}/{total}");
            }
            if edge < SLOTS {
                assert_eq!(intervals.at(Slot::new(edge).unwrap()), stable, "{weight}/{total}");
            }
        }
    }
}

fn intervals_of_one(total: u32, weight: u32) -> (Intervals, VersionId, VersionId) {
    let (intervals, ids, stable) = intervals(total, &[("v2", weight, 0)]);
    (intervals, ids[0], stable)
}

#[test]
fn every_slot_is_owned_once_for_every_total() {
    for total in 1..=400 {
        // Thirds that do not divide evenly, so that every edge is a rounded one.
        let (a, b, c) = (total / 7, total / 3, total / 5);
        let (intervals, ids, stable) = intervals(total, &[("v1", a, 0), ("v2", b, 1), ("v3", c, -1)]);
        let mut owned = [0_u32; 4];
        for number in 0..SLOTS {
            owned[intervals.at(Slot::new(number).unwrap()).index()] += 1;
        }
        let low = rounded(a, total);
        let middle = rounded(a + b, total) - low;
        let high = SLOTS - rounded(total - c, total);
        let of = |id: VersionId| owned[id.index()];
        assert_eq!([of(ids[0]), of(ids[1]), of(ids[2])], [low, middle, high], "total {total}");
        assert_eq!(of(stable), SLOTS - low - middle - high, "total {total}");
        for id in ids.into_iter().chain([stable]) {
            assert_eq!(intervals.width(id), of(id), "total {total}");
        }
    }
}

#[test]
fn another_total_at_the_same_shares_moves_nobody() {
    for total in 1..=400 {
        for times in [2, 3, 7, 10, 1000, 2500] {
            let shares = |times: u32| [("v2", total / 3 * times, 0), ("v3", total / 4 * times, -1)];
            assert_eq!(intervals(total, &shares(1)).0, intervals(total * times, &shares(times)).0, "{total} × {times}");
        }
    }
}

#[test]
fn low_and_high_are_the_places_at_the_ends() {
    let laid_out = |low: &str, high: &str| {
        let versions =
            format!(r#""v0": {{}}, "v2": {{"weight": 10, "place": {low}}}, "v3": {{"weight": 20, "place": {high}}}"#);
        let rules = rules(&rollout(&format!(r#""stable": "v0", "versions": {{{versions}}}"#)));
        rules.rollouts().next().unwrap().intervals().unwrap().clone()
    };
    assert_eq!(laid_out(r#""low""#, r#""high""#), laid_out("0", "-1"));
}

#[test]
fn slots_end_at_a_million() {
    assert_eq!(Slot::new(SLOTS - 1).map(Slot::number), Some(999_999));
    assert_eq!(Slot::new(SLOTS), None);
    assert_eq!(Slot::from_bits(0).number(), 0);
    assert_eq!(Slot::from_bits(u64::MAX).number(), 999_999);
}

#[test]
fn weights_at_both_ends() {
    let (all, ids, _) = intervals(1_000_000, &[("v2", 999_999, 0), ("v3", 1, -1)]);
    assert_eq!([all.width(ids[0]), all.width(ids[1])], [999_999, 1]);
    let (none, ids, stable) = intervals(1_000_000, &[("v2", 0, 0), ("v3", 0, -1)]);
    assert_eq!([none.width(ids[0]), none.width(ids[1]), none.width(stable)], [0, 0, SLOTS]);
}
