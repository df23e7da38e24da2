//! Requests that several rules hold for, where the rules have changed places.

use fastrand::Rng;
use serde_json::{Value, json};
use serin_core::{Compared, Current, Facts, Rules, Time, decide};

use crate::common::{Request, rules};
use crate::compare::{NOW, compare_now};

const HEADERS: [&str; 4] = ["x-a", "x-b", "x-c", "x-d"];

/// Some rules in any order, each for a header, and some for two.
fn any_document(rng: &mut Rng) -> Rules {
    let mut headers = HEADERS;
    rng.shuffle(&mut headers);
    let conditions = |names: &[&str]| names.iter().map(|name| json!({"name": name, "exact": "1"})).collect::<Vec<_>>();
    let rule = |rng: &mut Rng, names: &[&str]| json!({"when": {"headers": conditions(names)}, "use": format!("v{}", rng.u8(1..=3))});
    let mut all: Vec<Value> = headers.iter().map(|name| rule(rng, &[name])).collect();
    all.truncate(rng.usize(1..=4));
    if rng.bool() {
        let at = rng.usize(..all.len());
        all.insert(at, rule(rng, &headers[..2]));
    }
    let versions = json!({"v1": {}, "v2": {}, "v3": {}});
    rules(&json!({"rollouts": {"r": {"stable": "v1", "versions": versions, "rules": all}}}).to_string())
}

fn version(rules: &Rules, request: &Request) -> String {
    let now = Time::from_unix_seconds(NOW);
    let (current, facts) = (Current::new(rules, now), Facts::new(request));
    decide(rules, &current, &facts, now, || 0).unwrap().version().unwrap().name().to_owned()
}

/// Every request that gets another version is in a row that says so, and no row says so of requests that there are not.
#[test]
fn whatever_moves_is_in_a_row() {
    let mut rng = Rng::with_seed(9);
    let mut overlaps = 0;
    for _ in 0..400 {
        let (old, new) = (any_document(&mut rng), any_document(&mut rng));
        let rows = compare_now(&old, &new);
        let mut changes = Vec::new();
        for bits in 0..1 << HEADERS.len() {
            let sent = HEADERS.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
            let request = sent.fold(Request::new(), |request, (_, name)| request.with(name, "1"));
            let (before, after) = (version(&old, &request), version(&new, &request));
            if before != after {
                changes.push((before, after));
            }
        }
        let told = |row: &Compared<'_>| {
            let moves = row.moves.as_ref().unwrap().first()?;
            Some((moves.from.to_owned(), moves.to.to_owned()))
        };
        let rows_told: Vec<_> = rows.iter().filter_map(told).collect();
        for change in &changes {
            assert!(rows_told.contains(change), "{change:?} is in no row: {rows:#?}");
        }
        for row in &rows_told {
            assert!(changes.contains(row), "{row:?} is nobody's: {rows:#?}");
        }
        overlaps += rows.iter().filter(|row| row.also.is_some()).count();
    }
    assert!(overlaps > 100, "{overlaps}");
}

/// Checks how many rows there are whose requests two rules hold for.
#[track_caller]
fn check(old: &str, new: &str, expected: usize) {
    let document = |rules_of: &str| {
        let versions = r#""stable": "v1", "versions": {"v1": {}, "v2": {}}"#;
        rules(&format!(r#"{{"rollouts": {{"r": {{{versions}, "rules": [{rules_of}]}}}}}}"#))
    };
    let (old, new) = (document(old), document(new));
    let rows = compare_now(&old, &new);
    assert_eq!(rows.iter().filter(|row| row.also.is_some()).count(), expected, "{rows:#?}");
}

#[test]
fn rules_that_change_places() {
    const EU: &str = r#"{"when": {"headers": [{"name": "x-region", "exact": "eu"}]}, "use": "v1"}"#;
    const US: &str = r#"{"when": {"headers": [{"name": "x-region", "exact": "us"}]}, "use": "v1"}"#;
    const BETA: &str = r#"{"when": {"headers": [{"name": "x-beta", "exact": "yes"}]}, "use": "v2"}"#;
    let both = |one: &str, other: &str| format!("{one}, {other}");
    check(BETA, &both(EU, BETA), 1);
    check(&both(BETA, EU), &both(EU, BETA), 1);
    check(&both(EU, BETA), &both(EU, BETA), 0);
    check(&both(EU, BETA), BETA, 1);
    // Nobody is in both regions.
    check(&both(EU, &US.replace("v1", "v2")), &both(&US.replace("v1", "v2"), EU), 0);
}

/// What no request can be in is no segment.
#[test]
fn segments_that_there_are_not() {
    let segments = |when: &str| {
        let document = |rules_of: &str| {
            let rollout =
                r#""match": [{"hosts": ["a.example.com"]}], "stable": "v1", "versions": {"v1": {}, "v2": {}}"#;
            rules(&format!(r#"{{"rollouts": {{"r": {{{rollout}{rules_of}}}}}}}"#))
        };
        let (old, new) = (document(""), document(&format!(r#", "rules": [{{"when": {when}, "use": "v2"}}]"#)));
        compare_now(&old, &new).iter().filter(|row| row.segment.is_some()).count()
    };
    assert_eq!(segments(r#"{"headers": [{"name": "x", "exact": "1"}]}"#), 1);
    assert_eq!(segments(r#"{"headers": [{"name": "x", "exact": "1"}, {"name": "x", "exact": "2"}]}"#), 0);
    assert_eq!(segments(r#"{"hosts": ["b.example.com"]}"#), 0);
}

/// Where a thousand rules have changed places it is soon said that this cannot be looked at.
#[test]
fn more_than_can_be_looked_at() {
    let document = |of: &mut dyn Iterator<Item = u32>| {
        let rule = |n: u32| json!({"when": {"headers": [{"name": format!("x-{}", n % 50), "contains": format!("-{n}-")}]}, "weights": {"v2": n % 97}});
        let all: Vec<Value> = of.map(rule).collect();
        rules(&json!({"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}, "v2": {}}, "rules": all}}}).to_string())
    };
    let (old, new) = (document(&mut (0..1_000)), document(&mut (0..1_000).rev()));
    let rows = compare_now(&old, &new);
    // It is about rules, as who leaves those out does not ask for it.
    assert!(rows.last().is_some_and(|row| row.moves.is_err() && row.also.is_some()), "{:?}", rows.last());
    let few = compare_now(&document(&mut (0..40)), &document(&mut (0..40).rev())).len();
    assert!((700..=821).contains(&few), "{few} rows");
}
