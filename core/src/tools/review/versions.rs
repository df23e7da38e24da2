//! Weights, overrides and stickiness that do not do what they seem to.

use super::Found;
use crate::rules::{Hold, Rule, Rules, Shared, Split, Then, Trust, VersionId, Weights};

pub(super) fn review(rules: &Rules, shared: &Shared, found: &mut Found) {
    whole_weight(shared, found);
    open_query(shared, found);
    if shared.ways.split == Split::Filter {
        not_sticky(rules, shared, found);
    }
    no_effect(shared, found);
}

/// One version has everything, so that stable gets nobody and yet is the one that everything falls back to.
fn whole_weight(shared: &Shared, found: &mut Found) {
    if shared.schedule.is_some() || shared.ways.split != Split::Filter || gives_stable_something(shared) {
        return;
    }
    let stable = shared.name_of(shared.stable);
    let ids = || (0..shared.versions.len()).filter_map(|index| u8::try_from(index).ok()).map(VersionId);
    let weighted: Vec<VersionId> =
        ids().filter(|id| *id != shared.stable && shared.weights.shares.has_weight(*id)).collect();
    match weighted.as_slice() {
        [only] => {
            let name = shared.name_of(*only);
            let text = format!(
                "{name} has the whole total of {}, so that nobody gets stable, which is {stable}. Whoever cannot get {name} still \
                 does; expected stable: {name} once it is to stay",
                shared.total
            );
            found.warn("whole-weight", &format!(".versions.{name}.weight"), text);
        }
        _ => {
            let text = format!(
                "the others have the whole total of {}, so that nobody gets stable, which is {stable}; expected lower weights, or \
                 another stable",
                shared.total
            );
            found.warn("whole-weight", ".stable", text);
        }
    }
}

/// Whether some request leads to stable: by the weights, of which those of a version that is off are stable's, or by a rule.
fn gives_stable_something(shared: &Shared) -> bool {
    let is_stable =
        |id: VersionId| id == shared.stable || shared.versions.get(id.index()).is_none_or(|version| version.off);
    let of_weights = |weights: &Weights| {
        let mut start = 0;
        weights
            .shares
            .intervals
            .parts()
            .any(|(end, version)| std::mem::replace(&mut start, end) < end && is_stable(version))
    };
    let of_rule = |rule: &Rule| matches!(rule.then, Then::Use(version) if version == shared.stable);
    std::iter::once(&shared.weights).chain(&shared.rule_weights).any(of_weights) || shared.rules.iter().any(of_rule)
}

/// A link is all that it takes to put others on a version.
fn open_query(shared: &Shared, found: &mut Found) {
    let Some(query) = &shared.overrides.query else { return };
    if !matches!(shared.overrides.trust, Trust::Open) {
        return;
    }
    let lasting = if shared.overrides.remember.is_some() { ", and keeps them there" } else { "" };
    let text = format!(
        "with trust: open a link with ?{query}=… puts whoever follows it on a version{lasting}; expected trust: signed, or \
         no query"
    );
    found.warn("open-query", ".override.query", text);
}

/// Without a cookie and without an id everybody is drawn anew, or, with `first: stable`, nobody at all.
fn not_sticky(rules: &Rules, shared: &Shared, found: &mut Found) {
    let draws = shared.schedule.is_some()
        || std::iter::once(&shared.weights)
            .chain(&shared.rule_weights)
            .any(|weights| weights.shares.intervals.width(shared.stable) < crate::slot::SLOTS);
    let has_unit = rules.cookie.is_some() || !shared.sticky.units.is_empty();
    if !draws || has_unit || shared.sticky.hold == Hold::None {
        return;
    }
    if shared.sticky.first == crate::rules::First::Stable {
        let text = "with cookie: false and no unit every request is somebody's first one, so that everybody gets stable; expected \
                    a unit, or a cookie";
        return found.warn("not-sticky", ".sticky.first", text);
    }
    let text = "with cookie: false and no sticky.unit every request is drawn anew, whoever sends it; expected a unit, a cookie, or \
                sticky: {hold: none} if that is meant";
    found.warn("not-sticky", "", text);
}

fn no_effect(shared: &Shared, found: &mut Found) {
    if shared.sticky.hold == Hold::None && !shared.sticky.units.is_empty() {
        let text = "with hold: none every request is drawn, and no unit is asked; expected another hold, or no unit";
        found.warn("no-effect", ".sticky.unit", text);
    }
    if shared.ways.dry_run && shared.guard.is_some() {
        found.warn("no-effect", ".guard", "nothing is counted in a dry run; expected no guard, or no dry_run");
    }
}
