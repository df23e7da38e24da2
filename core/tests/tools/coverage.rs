//! What only one of two documents has a rollout cover: told in rows of its own, and held against decisions.

use fastrand::Rng;
use serde_json::{Value, json};
use serin_core::{Compared, Coverage, Current, Facts, Rollout, Rules, Time, decide};

use crate::common::{Request, rules};
use crate::compare::{NOW, compare_now};

/// Checks the rows of two documents, each a list of rollouts by name with the entries of their `match`; of every rollout a tenth
/// is on v2. A row is its rollout, the documents that have it cover its requests, and who moves.
#[track_caller]
fn check_coverage(old: &[(&str, &str)], new: &[(&str, &str)], expected: &[(&str, Coverage, &str)]) {
    let document = |rollouts: &[(&str, &str)]| {
        let rollout = |(name, entries): &(&str, &str)| {
            format!(
                r#""{name}": {{"match": [{entries}], "stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 10}}}}}}"#
            )
        };
        let all: Vec<String> = rollouts.iter().map(rollout).collect();
        rules(&format!(r#"{{"rollouts": {{{}}}}}"#, all.join(", ")))
    };
    let (before, after) = (document(old), document(new));
    let rows = compare_now(&before, &after);
    let told = |row: &Compared<'_>| match &row.moves {
        Ok(moves) => {
            moves.iter().map(|of| format!("{} {} {}", of.from, of.to, of.share())).collect::<Vec<_>>().join(", ")
        }
        Err(why) => why.clone(),
    };
    let found: Vec<_> = rows.iter().map(|row| (row.rollout, row.coverage, told(row))).collect();
    let expected: Vec<_> = expected.iter().map(|(name, of, told)| (*name, *of, (*told).to_owned())).collect();
    assert_eq!(found, expected, "{old:?}\n{new:?}");
}

const JOIN: &str = "v1 v2 0.1";
const LEAVE: &str = "v2 v1 0.1";

#[test]
fn rollouts_that_come_and_go() {
    let (a, b) = (("a", r#"{"hosts": ["a"]}"#), ("b", r#"{"hosts": ["b"]}"#));
    check_coverage(&[b], &[a, b], &[("a", Coverage::New, JOIN), ("b", Coverage::Both, "")]);
    check_coverage(&[a, b], &[b], &[("a", Coverage::Old, LEAVE), ("b", Coverage::Both, "")]);
    // One for everything takes nothing from a more specific one, and gives nothing up to it.
    let all = ("all", "{}");
    check_coverage(&[b], &[all, b], &[("all", Coverage::New, JOIN), ("b", Coverage::Both, "")]);
    check_coverage(
        &[all],
        &[all, b],
        &[("all", Coverage::Both, ""), ("b", Coverage::New, "some requests may come from rollouts.all")],
    );
    check_coverage(
        &[all, b],
        &[all],
        &[("all", Coverage::Both, ""), ("b", Coverage::Old, "some requests may go to rollouts.all")],
    );
    // Under another name it takes what the old one had.
    let c = ("c", a.1);
    check_coverage(
        &[a],
        &[c],
        &[
            ("a", Coverage::Old, "some requests may go to rollouts.c"),
            ("c", Coverage::New, "some requests may come from rollouts.a"),
        ],
    );
    // By name the first one of two that are as specific.
    let come = "some requests may come from rollouts.all";
    check_coverage(&[all], &[all, ("aa", "{}")], &[("aa", Coverage::New, come), ("all", Coverage::Both, "")]);
    check_coverage(&[all], &[all, ("z", "{}")], &[("all", Coverage::Both, ""), ("z", Coverage::New, JOIN)]);
}

#[test]
fn a_match_that_changes() {
    let check = |old: &str, new: &str, expected: &[(Coverage, &str)]| {
        let expected: Vec<_> = expected.iter().map(|(of, told)| ("r", *of, *told)).collect();
        check_coverage(&[("r", old)], &[("r", new)], &expected);
    };
    let (a, b, below) = (r#"{"hosts": ["a"]}"#, r#"{"hosts": ["b"]}"#, r#"{"hosts": ["a"], "path": {"prefix": "/x"}}"#);
    check(a, a, &[(Coverage::Both, "")]);
    check(a, b, &[(Coverage::New, JOIN), (Coverage::Old, LEAVE)]);
    check(a, &format!("{a}, {b}"), &[(Coverage::Both, ""), (Coverage::New, JOIN)]);
    check(below, a, &[(Coverage::Both, ""), (Coverage::New, JOIN)]);
    check(a, below, &[(Coverage::Both, ""), (Coverage::Old, LEAVE)]);
    // What another entry covers all the same does not come anew.
    check(a, &format!("{a}, {below}"), &[(Coverage::Both, "")]);
    // Nor does what is only written in another way.
    let both = r#"{"hosts": ["a", "b"], "methods": ["GET", "PUT"], "source": ["10.0.0.0/8", "192.168.0.0/16"]}"#;
    let each = |host: &str, method: &str, source: &str| {
        format!(r#"{{"hosts": ["{host}"], "methods": ["{method}"], "source": ["{source}/8", "192.168.0.0/16"]}}"#)
    };
    let four = ["a GET", "a PUT", "b GET", "b PUT"].map(|of| {
        let (host, method) = of.split_once(' ').unwrap();
        each(host, method, "10.0.0.0")
    });
    check(both, &four.join(", "), &[(Coverage::Both, "")]);
    check(&four.join(", "), both, &[(Coverage::Both, "")]);
    check(both, &four[1..].join(", "), &[(Coverage::Both, ""), (Coverage::Old, LEAVE)]);
    // But it may come before one of another rollout now.
    let other = ("s", r#"{"hosts": ["a"], "path": {"prefix": "/x"}, "methods": ["GET"]}"#);
    let precise = r#"{"hosts": ["a"], "path": {"prefix": "/x/y"}}"#;
    let why = "some requests may come from rollouts.s";
    let expected = [("r", Coverage::Both, ""), ("r", Coverage::New, why), ("s", Coverage::Both, "")];
    check_coverage(&[("r", a), other], &[("r", &format!("{a}, {precise}")), other], &expected);
    let expected = [("r", Coverage::Both, ""), ("s", Coverage::Both, "")];
    check_coverage(&[("r", a), other], &[("r", &format!("{a}, {below}")), other], &expected);
}

/// Entries that meet each other in many ways.
const ENTRIES: [&str; 11] = [
    "{}",
    r#"{"hosts": ["a"]}"#,
    r#"{"hosts": ["b.a", "c"]}"#,
    r#"{"hosts": ["*.a"]}"#,
    r#"{"path": {"prefix": "/x"}}"#,
    r#"{"path": {"exact": "/x/y"}}"#,
    r#"{"hosts": ["a", "*.a"], "path": {"regex": "/x/.*"}}"#,
    r#"{"hosts": ["a"], "path": {"prefix": "/x"}, "headers": [{"name": "x-a", "exact": "1"}]}"#,
    r#"{"hosts": ["*.a"], "headers": [{"name": "x-a", "present": true}]}"#,
    r#"{"headers": [{"name": "x-a", "exact": "2"}]}"#,
    r#"{"hosts": ["b.a"], "path": {"prefix": "/x/y"}, "methods": ["POST"]}"#,
];

/// What another rollout covers, or none, or none before, is in a row of its own; and where two rollouts are in it, nothing is said
/// of how many move.
#[test]
fn whatever_changes_hands_is_in_a_row() {
    let mut rng = Rng::with_seed(7);
    let mut document = || {
        let mut rollouts = json!({});
        for name in ["p", "q", "r"] {
            if rng.u8(..5) == 0 {
                continue;
            }
            let mut entries = ENTRIES.to_vec();
            rng.shuffle(&mut entries);
            let entries: Vec<Value> =
                entries.iter().take(rng.usize(1..=2)).map(|entry| serde_json::from_str(entry).unwrap()).collect();
            rollouts[name] = json!({"match": entries, "stable": "v1", "versions": {"v1": {}}});
        }
        rules(&json!({"rollouts": rollouts}).to_string())
    };
    let documents: Vec<Rules> = (0..40).map(|_| document()).collect();
    let mut changed = 0;
    for (old, new) in documents.iter().flat_map(|old| documents.iter().map(move |new| (old, new))) {
        let rows = compare_now(old, new);
        let row = |name: Option<&str>, coverage| {
            let name = name?;
            rows.iter().find(|row| row.rollout == name && row.coverage == coverage && row.segment.is_none())
        };
        for request in requests() {
            let (before, after) = (covering(old, &request), covering(new, &request));
            if before == after {
                continue;
            }
            changed += 1;
            let (leaves, joins) = (row(before, Coverage::Old), row(after, Coverage::New));
            let is_told = match (before, after) {
                (Some(_), Some(_)) => [leaves, joins].iter().flatten().any(|row| row.moves.is_err()),
                _ => leaves.or(joins).is_some(),
            };
            assert!(is_told, "{before:?} {after:?} {request:?}\n{old:?}\n{new:?}\n{rows:#?}");
        }
    }
    assert!(changed > 10_000, "{changed}");
}

fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    for host in ["a", "b.a", "c", "d"] {
        for path in ["/", "/x", "/x/y", "/x/y/z"] {
            for (method, header) in [("GET", None), ("POST", None), ("GET", Some("1")), ("POST", Some("2"))] {
                let request = Request::new().with(":authority", host).with(":path", path).with(":method", method);
                all.push(match header {
                    Some(value) => request.with("x-a", value),
                    None => request,
                });
            }
        }
    }
    all
}

fn covering<'r>(rules: &'r Rules, request: &Request) -> Option<&'r str> {
    let facts = Facts::new(request);
    let now = Time::from_unix_seconds(NOW);
    let index = decide(rules, &Current::new(rules, now), &facts, now, || 0)?.index;
    rules.rollout(index).map(Rollout::name)
}
