//! Rules that no request gets to, and expressions that are none.

use super::Found;
use crate::condition::{Condition, MatchEntry, PathPattern};
use crate::matcher::Test;
use crate::rules::{Rollout, Rule, Shared, Then};

pub(super) fn review(rollout: &Rollout, shared: &Shared, found: &mut Found) {
    for (index, rule) in shared.rules.iter().enumerate() {
        if let Some(text) = why_unreachable(rollout, shared, index, rule) {
            found.warn("unreachable-rule", &format!(".rules[{index}]"), text);
        }
        if let Some(when) = &rule.when {
            let path = format!(".rules[{index}].when");
            odd_paths(when, &path, found);
            literal_regexes(when, &path, found);
        }
    }
    for (index, entry) in rollout.matches.iter().enumerate() {
        let path = format!(".match[{index}]");
        odd_paths(entry, &path, found);
        literal_regexes(entry, &path, found);
    }
}

/// Why no request gets to a rule.
fn why_unreachable(rollout: &Rollout, shared: &Shared, index: usize, rule: &Rule) -> Option<String> {
    let every = MatchEntry::ALL;
    let when = rule.when.as_ref().unwrap_or(&every);
    if when.is_contradictory() {
        return Some(
            "its conditions contradict each other, so that no request fits; expected ones that do not".to_owned(),
        );
    }
    if rollout.matches.iter().all(|entry| entry.excludes(when)) {
        return Some(
            "the match of the rollout covers no request that fits its when; expected one that it covers".to_owned(),
        );
    }
    let mut before = shared.rules.iter().enumerate().take(index);
    let (earlier, first) = before.find(|(_, earlier)| hides(shared, earlier, when))?;
    let all = if first.when.is_none() { "holds for every request" } else { "holds for whatever this one holds for" };
    let unless = match first.then {
        Then::Use(version) if version != shared.stable && may_be_out(shared) => {
            format!("; only while {} is out or missing it is asked", shared.name_of(version))
        }
        _ => String::new(),
    };
    Some(format!("rules[{earlier}] comes first and {all}{unless}; expected the narrower rule first"))
}

/// Whether a rule answers whatever fits `when`.
fn hides(shared: &Shared, earlier: &Rule, when: &MatchEntry) -> bool {
    let passed_over = matches!(earlier.then, Then::Use(version)
        if shared.versions.get(version.index()).is_none_or(|version| version.off));
    !passed_over && earlier.when.as_ref().is_none_or(|earlier| when.implies(earlier))
}

fn may_be_out(shared: &Shared) -> bool {
    shared.guard.is_some() || shared.covers_missing
}

/// Paths that are not read as they were meant: a regex that is none, or a star.
fn odd_paths(entry: &MatchEntry, path: &str, found: &mut Found) {
    let of_glob = |path: &[u8]| path.contains(&b'*');
    match &entry.path {
        PathPattern::Regex(pattern) if pattern.is_literal() => found.warn(
            "literal-regex",
            &format!("{path}.path.regex"),
            "a regular expression has to match the whole path, and this one has nothing regular in it; expected prefix for \
             what lies below it, or exact",
        ),
        PathPattern::Prefix(prefix) if of_glob(prefix) => found.warn(
            "literal-star",
            &format!("{path}.path.prefix"),
            "a star stands for itself here; expected a prefix without it, which covers all that lies below, or a regex",
        ),
        PathPattern::Exact(exact) if of_glob(exact) => found.warn(
            "literal-star",
            &format!("{path}.path.exact"),
            "a star stands for itself here; expected prefix for what lies below, or a regex",
        ),
        _ => {}
    }
}

/// Headers whose values are long, so that no list of a few words is all of one.
const LONG_VALUES: [&str; 4] = ["user-agent", "referer", "accept-language", "accept-encoding"];

/// Who writes `regex: Firefox` nearly always means a part of the value, and the whole value has to match.
fn literal_regexes(entry: &MatchEntry, path: &str, found: &mut Found) {
    let Some(conditions) = &entry.conditions else { return };
    for (field, list) in
        [("headers", &conditions.headers), ("cookies", &conditions.cookies), ("query", &conditions.query)]
    {
        for (index, Condition { name, matcher }) in list.iter().enumerate() {
            let Test::Regex(pattern) = &matcher.test else { continue };
            let is_long = field == "headers" && LONG_VALUES.contains(&name.as_str());
            if pattern.is_literal() || (is_long && pattern.is_choice()) {
                let text = "a regular expression has to match the whole value, and this one has nothing regular in it; expected \
                            contains for a part of the value, exact, or .* around it";
                found.warn("literal-regex", &format!("{path}.{field}[{index}].regex"), text);
            }
        }
    }
}
