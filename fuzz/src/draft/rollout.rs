//! One rollout of a draft.

use serde_json::{Map, Value, json};

use super::{COOKIES, PARAMETERS, VERSIONS, entry};
use crate::dice::Dice;

/// A rollout; one of several has something to match.
pub(super) fn draft(dice: &mut Dice<'_>, name: &str, is_one_of_several: bool) -> Value {
    let split = dice.pick(&["filter", "filter", "filter", "filter", "filter", "route", "native"]);
    let total = dice.pick(&[100_u64, 1, 7, 1_000, 1_000_000]);
    let count = 2 + dice.below(VERSIONS.len() - 1);
    let mut rollout = json!({"stable": "v1", "total": total});
    rollout["versions"] = versions(dice, name, count, split, total);
    if is_one_of_several || dice.once_in(3) {
        rollout["match"] = (0..1 + dice.below(2)).map(|_| entry(dice)).collect();
    }
    if split != "filter" {
        rollout["split"] = split.into();
    }
    if dice.once_in(2) {
        rollout["override"] = overrides(dice);
    }
    if dice.once_in(3) {
        rollout["rules"] = (0..1 + dice.below(3)).map(|_| rule(dice, count, split, total)).collect();
    }
    if split == "route" || dice.once_in(2) {
        rollout["sticky"] = sticky(dice, split);
    }
    if split == "filter" && dice.once_in(4) {
        rollout["schedule"] = schedule(dice, total);
    }
    if dice.once_in(4) {
        rollout["guard"] =
            json!({"window": "60s", "failures": {"status": ["5xx", 429], "slower_than": "800ms"}, "max_percent": 5});
        if dice.once_in(2) {
            rollout["guard"]["share"] = "cookie".into();
        }
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

fn versions(dice: &mut Dice<'_>, rollout: &str, count: usize, split: &str, total: u64) -> Value {
    let mut left = total;
    let places = [json!("low"), json!("high"), json!(3)];
    let mut versions = Map::new();
    for (at, name) in VERSIONS[..count].iter().enumerate() {
        let mut version = json!({});
        if split == "route" || !dice.once_in(6) {
            version["cluster"] = format!("{rollout}-{name}").into();
        }
        if at > 0 && split == "filter" {
            let weight = dice.up_to(left);
            left -= weight;
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
    versions.into()
}

fn overrides(dice: &mut Dice<'_>) -> Value {
    let mut overrides =
        json!({"header": "x-canary", "query": "canary", "cookie": dice.pick(&["lane", "canary", "vid"])});
    if dice.once_in(2) {
        overrides["aliases"] = json!({"always": "v2", "never": "v1"});
    }
    match dice.below(4) {
        0 => overrides["trust"] = json!("signed"),
        1 => overrides["trust"] = json!({"header": "x-secret", "env": dice.pick(&["SERIN_SECRET", "SERIN_NONE"])}),
        _ => {}
    }
    if dice.once_in(3) {
        overrides["remember"] = dice.pick(&["1s", "5m", "10d"]).into();
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

fn sticky(dice: &mut Dice<'_>, split: &str) -> Value {
    let hold = match split {
        "route" => "version",
        "native" => dice.pick(&["slot", "none"]),
        _ => dice.pick(&["slot", "version", "page", "none"]),
    };
    let mut sticky = json!({
        "hold": hold,
        "prefer": dice.pick(&["visitor", "unit"]),
        "at_zero": dice.pick(&["evict", "drain"]),
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

fn schedule(dice: &mut Dice<'_>, total: u64) -> Value {
    let mut steps = Vec::new();
    for _ in 0..1 + dice.below(3) {
        let mut step = json!({"weight": dice.up_to(total), "for": dice.pick(&["10m", "1h", "3d"])});
        if dice.once_in(2) {
            step["to"] = dice.up_to(total).into();
        }
        steps.push(step);
    }
    let mut schedule = json!({"version": "v2", "start": dice.pick(&["2026-11-21T09:00:00Z", "2026-11-22T00:00:00+01:00"]), "steps": steps});
    if dice.once_in(3) {
        schedule["pauses"] = json!([{"from": "2026-11-21T10:00:00Z", "to": dice.pick(&["2026-11-21T11:00:00Z", "2026-11-24T00:00:00Z"])}]);
    }
    schedule
}
