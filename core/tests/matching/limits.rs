//! How many regexes there may be, and which last good forms are kept.

use serin_core::{Rules, Surroundings};

use crate::common::{Request, outcome, rollout, rules};
use crate::matching;

#[test]
fn regexes_are_limited_for_all_rollouts_together() {
    let one = |name: &str, regexes: std::ops::Range<usize>| {
        let entries: Vec<String> = regexes.map(|n| format!(r#"{{"path": {{"regex": "/{n}"}}}}"#)).collect();
        format!(r#""{name}": {{"match": [{}], "stable": "v1", "versions": {{"v1": {{}}}}}}"#, entries.join(","))
    };
    let document = |regexes: usize| {
        let rollouts: Vec<String> =
            (0..regexes).step_by(32).map(|n| one(&format!("r{n}"), n..regexes.min(n + 32))).collect();
        format!(r#"{{"rollouts": {{{}}}}}"#, rollouts.join(","))
    };
    let largest = rules(&document(512));
    assert_eq!(outcome(&largest, &Request::to("h", "/511"), 0).answer, "r480/v1/slot");
    let errors = |document: &str, last_good: Option<&Rules>| {
        let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good, ..Surroundings::default() });
        assert!(parsed.rules.is_none() || parsed.errors.is_empty());
        parsed.errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(errors(&document(600), None), ["rollouts: found 600 regexes in all; expected at most 512"]);

    // What a last good form keeps counts beside what is new.
    let kept: Vec<String> = (0..512).step_by(32).map(|n| format!(r#""r{n}": {{"stable": 1}}"#)).collect();
    let broken = r#"{"rollouts": {KEPT,
        "s": {"match": [{"headers": [{"name": "x-a", "regex": "a"}]}], "stable": "v1", "versions": {"v1": {}}}}}"#
        .replace("KEPT", &kept.join(","));
    let found = errors(&broken, Some(&largest));
    assert!(found.contains(&"rollouts: found 513 regexes in all; expected at most 512".to_owned()), "{found:?}");
}

#[test]
fn a_last_good_form_whose_condition_reads_an_output_header_is_not_kept() {
    let good = matching(r#"{"headers": [{"name": "x-c", "exact": "1"}]}"#);
    let after = |headers: &str| {
        let document = format!(r#"{{"rollouts": {{"r": {{}}}}, "headers": {headers}}}"#);
        let surroundings = Surroundings { last_good: Some(&good), ..Surroundings::default() };
        let rules = Rules::parse(document.as_bytes(), &surroundings).rules.expect("a mistake in one rollout");
        outcome(&rules, &Request::to("h", "/").with("x-c", "1"), 0).answer
    };
    assert_eq!(after("{}"), "r/v1/slot");
    assert_eq!(after(r#"{"version": "x-c"}"#), "r/stable/broken");
}

#[test]
fn a_header_counts_once_however_often_it_is_asked_for() {
    let document = |names: usize| {
        let when = |n: usize| {
            format!(r#"{{"when": {{"headers": [{{"name": "x-{}", "exact": "{n}"}}]}}, "use": "v2"}}"#, n % names)
        };
        let rules: Vec<String> = (0..200).map(when).collect();
        rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{}}}}, "rules": [{}]"#, rules.join(",")))
    };
    for (names, expected) in [(1, "r/v2/rule"), (64, "r/v2/rule"), (65, "")] {
        let parsed = Rules::parse(document(names).as_bytes(), &Surroundings::default());
        let request = Request::to("h", "/").with("x-0", "0");
        let found = parsed.rules.filter(|_| parsed.errors.is_empty()).map(|rules| outcome(&rules, &request, 0).answer);
        assert_eq!(found.unwrap_or_default(), expected, "{names}");
    }
}
