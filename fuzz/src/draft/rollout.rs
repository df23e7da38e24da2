//! One rollout of a draft.

use serde_json::{Map, Value, json};

use super::{COOKIES, Frame, PARAMETERS, VERSIONS, entry};
use crate::dice::Dice;

/// A rollout; one of several has something to match.
pub(super) fn draft(dice: &mut Dice<'_>, frame: &Frame, name: &str, is_one_of_several: bool) -> Value {
    let split = match dice.below(7) {
        5 if frame.allows(frame.has_cookie) => "route",
        6 if frame.allows(frame.carries_slot) => "native",
        _ => "filter",
    };
    let total = dice.pick(&[100_u64, 1, 7, 1_000, 1_000_000]);
    let count = 2 + dice.below(VERSIONS.len() - 1);
    let mut rollout = json!({"stable": "v1", "total": total});
    let (versions, left) = versions(dice, frame, name, count, split, total);
    rollout["versions"] = versions;
    if is_one_of_several || dice.once_in(3) {
        rollout["match"] = (0..1 + dice.below(2)).map(|_| entry(dice)).collect();
    }
    if split != "filter" {
        rollout["split"] = split.into();
    }
    if dice.once_in(2) {
        rollout["override"] = overrides(dice, frame);
    }
    if dice.once_in(3) {
        rollout["rules"] = (0..1 + dice.below(3)).map(|_| rule(dice, count, split, total)).collect();
    }
    if split == "route" || dice.once_in(2) {
        rollout["sticky"] = sticky(dice, frame, split);
    }
    if split == "filter" && dice.once_in(4) {
        rollout["schedule"] = schedule(dice, if frame.is_careless { total } else { left });
    }
    if frame.allows(split != "native") && dice.once_in(4) {
        rollout["guard"] = guard(dice, frame);
    }
    for flag in ["mark_stable", "dry_run", "inherit"] {
        if dice.once_in(5) {
            rollout[flag] = true.into();
        }
    }
    for (field, texts) in
        [("release", ["2026-11", "b"]), ("cohort", ["all", "shop"]), ("missing_cluster", ["fail", "stable"])]
    {
        if dice.once_in(4) {
            rollout[field] = dice.pick(&texts).into();
        }
    }
    rollout
}

fn guard(dice: &mut Dice<'_>, frame: &Frame) -> Value {
    let failures = json!({"status": ["5xx", 429], "slower_than": "800ms"});
    let mut guard = json!({"window": "60s", "failures": failures, "max_percent": 5});
    if frame.allows(frame.has_cookie) && dice.once_in(2) {
        guard["share"] = "cookie".into();
    }
    guard
}

/// The versions, and the most that `v2` may have beside the others.
fn versions(dice: &mut Dice<'_>, frame: &Frame, rollout: &str, count: usize, split: &str, total: u64) -> (Value, u64) {
    let mut left = total;
    let mut of_first = 0;
    let places = [json!("low"), json!("high"), json!(3)];
    let mut versions = Map::new();
    for (at, name) in VERSIONS[..count].iter().enumerate() {
        let mut version = json!({});
        let needs_cluster = split == "route" || (frame.carries_cluster && !frame.is_careless);
        if needs_cluster || !dice.once_in(6) {
            version["cluster"] = format!("{rollout}-{name}").into();
        }
        if at > 0 && split == "filter" {
            let weight = dice.up_to(left);
            left -= weight;
            of_first = if at == 1 { weight } else { of_first };
            version["weight"] = weight.into();
            version["place"] = places[at - 1].clone();
        }
        if at > 0 && split != "native" && dice.once_in(5) {
            version["off"] = true.into();
        }
        if at > 0 && split != "native" && dice.once_in(4) {
            version["set_headers"] = json!({"x-set": name, "x-empty": ""});
        }
        versions.insert((*name).to_owned(), version);
    }
    (versions.into(), left + of_first)
}

fn overrides(dice: &mut Dice<'_>, frame: &Frame) -> Value {
    let mut overrides =
        json!({"header": "x-canary", "query": "canary", "cookie": dice.pick(&["lane", "canary", "vid"])});
    if dice.once_in(2) {
        overrides["aliases"] = json!({"always": "v2", "never": "v1"});
    }
    match dice.below(4) {
        0 if frame.allows(frame.has_keys) => overrides["trust"] = json!("signed"),
        1 => overrides["trust"] = json!({"header": "x-secret", "env": frame.secret(dice, "SERIN_SECRET")}),
        _ => {}
    }
    let can_remember = frame.has_cookie && (frame.has_keys || !overrides["trust"].is_object());
    if frame.allows(can_remember) && dice.once_in(3) {
        overrides["remember"] = dice.pick(&["1m", "5m", "10d"]).into();
    }
    overrides
}

fn rule(dice: &mut Dice<'_>, count: usize, split: &str, total: u64) -> Value {
    let mut rule = json!({});
    if !dice.once_in(4) {
        rule["when"] = entry(dice);
    }
    if split != "filter" || dice.once_in(2) {
        rule["use"] = VERSIONS[dice.below(count)].into();
    } else {
        // Those that it does not name keep theirs, so it names all.
        let mut left = total;
        let mut weights = Map::new();
        for name in &VERSIONS[1..count] {
            let weight = dice.up_to(left);
            left -= weight;
            weights.insert((*name).to_owned(), weight.into());
        }
        rule["weights"] = weights.into();
    }
    rule
}

fn sticky(dice: &mut Dice<'_>, frame: &Frame, split: &str) -> Value {
    let hold = match split {
        "route" => "version",
        "filter" if frame.allows(frame.has_cookie) => dice.pick(&["slot", "version", "page", "none"]),
        _ => dice.pick(&["slot", "none"]),
    };
    let can_drain = frame.allows(matches!(hold, "version" | "page"));
    let mut sticky = json!({
        "hold": hold,
        "prefer": dice.pick(&["visitor", "unit"]),
        "at_zero": if can_drain && dice.once_in(2) { "drain" } else { "evict" },
        "cache": dice.pick(&["cookie", "all"]),
        "first": if dice.once_in(4) { "stable" } else { "draw" },
    });
    let units = [
        json!({"header": "x-user-id"}),
        json!({"cookie": COOKIES[0]}),
        json!({"query": PARAMETERS[0]}),
        json!({"source": "address"}),
    ];
    if dice.once_in(2) {
        sticky["unit"] = units[dice.below(units.len())..].into();
    }
    sticky
}

fn schedule(dice: &mut Dice<'_>, most: u64) -> Value {
    let mut steps = Vec::new();
    for _ in 0..1 + dice.below(3) {
        let mut step = json!({"weight": dice.up_to(most), "for": dice.pick(&["10m", "1h", "3d"])});
        if dice.once_in(2) {
            step["to"] = dice.up_to(most).into();
        }
        steps.push(step);
    }
    let mut schedule = json!({"version": "v2", "start": dice.pick(&["2026-11-21T09:00:00Z", "2026-11-22T00:00:00+01:00"]), "steps": steps});
    if dice.once_in(3) {
        schedule["pauses"] = json!([{"from": "2026-11-21T10:00:00Z", "to": dice.pick(&["2026-11-21T11:00:00Z", "2026-11-24T00:00:00Z"])}]);
    }
    schedule
}
