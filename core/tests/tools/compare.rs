//! Who moves from one document to the next, held against a decision for every slot.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};
use serin_core::{Compared, Current, Facts, Rules, SLOTS, Secrets, Segment, Surroundings, Time, When, compare, decide};

use crate::common::{Request, TODAY, rules};

const HOUR: u64 = 3_600;
/// A day on which schedules of the documents are on their way.
pub(crate) const NOW: u64 = TODAY + 12 * HOUR;
const PAIRS: usize = 12;

type Moves = BTreeMap<(String, String), u64>;

/// Compares documents at that moment alone.
pub(crate) fn compare_now<'r>(old: &'r Rules, new: &'r Rules) -> Vec<Compared<'r>> {
    compare(old, new, When::At(Time::from_unix_seconds(NOW)), &Secrets::Known)
}

/// A document whose decision can be asked for every slot: nothing sticks, so that the slot is what is drawn.
fn any_document(rng: &mut Rng) -> Value {
    loop {
        let document = any_candidate(rng);
        let parsed = Rules::parse(document.to_string().as_bytes(), &Surroundings::default());
        if parsed.errors.is_empty() {
            return document;
        }
    }
}

fn any_candidate(rng: &mut Rng) -> Value {
    let total = *rng.choice([100, 100, 7, 1_000, 999_983].iter()).unwrap();
    let names = ["v1", "v2", "v3", "v4"];
    let mut versions = json!({});
    for (index, name) in names.iter().enumerate().take(rng.usize(1..=4)) {
        versions[name] = json!({"place": index as i64 - 2});
        if rng.u8(..4) > 0 {
            versions[name]["weight"] = json!(rng.u32(..=total / 2));
        }
        if rng.u8(..6) == 0 {
            versions[name]["off"] = json!(true);
        }
    }
    let known = versions.as_object().unwrap().len();
    let stable = names[rng.usize(..known)];
    versions[stable] = json!({});
    let mut rollout = json!({"stable": stable, "versions": versions, "total": total, "sticky": {"hold": "none"}});
    let rules: Vec<Value> = (0..rng.usize(..4)).map(|_| any_rule(rng, &names[..known], total)).collect();
    if !rules.is_empty() {
        rollout["rules"] = json!(rules);
    }
    if rng.u8(..3) == 0 {
        let start = "2026-11-21T06:00:00Z";
        let steps = json!([{"weight": rng.u32(..=total / 3), "to": rng.u32(..=total / 3), "for": "1d"}]);
        rollout["schedule"] = json!({"version": names[rng.usize(..known)], "start": start, "steps": steps});
    }
    json!({"rollouts": {"r": rollout}})
}

fn any_rule(rng: &mut Rng, names: &[&str], total: u32) -> Value {
    let mut rule = json!({});
    if rng.u8(..5) > 0 {
        let header = *rng.choice(["x-a", "x-b"].iter()).unwrap();
        rule["when"] = json!({"headers": [{"name": header, "exact": "1"}]});
    }
    let version = names[rng.usize(..names.len())];
    if rng.bool() {
        rule["use"] = json!(version);
    } else {
        rule["weights"] = json!({version: rng.u32(..=total / 2)});
    }
    rule
}

/// The version for every slot of a request.
fn owners(rules: &Rules, request: &Request) -> Vec<String> {
    let now = Time::from_unix_seconds(NOW);
    let current = Current::new(rules, now);
    let facts = Facts::new(request);
    let owner = |slot: u64| {
        // The least upper half that is scaled to this slot.
        let bits = (slot << 32).div_ceil(u64::from(SLOTS)) << 32;
        let decision = decide(rules, &current, &facts, now, || bits).unwrap();
        assert!(decision.slot.is_none_or(|found| u64::from(found.number()) == slot));
        decision.version().unwrap().name().to_owned()
    };
    (0..u64::from(SLOTS)).map(owner).collect()
}

/// Who moves, slot by slot, in parts of 10^12.
fn by_force(old: &[String], new: &[String]) -> Moves {
    let mut moves = Moves::new();
    for (from, to) in old.iter().zip(new).filter(|(from, to)| from != to) {
        *moves.entry((from.clone(), to.clone())).or_default() += u64::from(SLOTS);
    }
    moves
}

fn moves(compared: &Compared<'_>) -> Moves {
    let moves = compared.moves.as_ref().unwrap().iter();
    moves.map(|of| ((of.from.to_owned(), of.to.to_owned()), of.parts)).collect()
}

/// A request of a row's segments alone: with the headers of their rules.
fn request_of(row: &Compared<'_>, old: &Value, new: &Value) -> Request {
    let segments = row.segment.into_iter().chain(row.also);
    segments.fold(Request::new(), |request, segment| {
        let (document, index) = match segment {
            Segment::New(index) => (new, index),
            Segment::Old(index) => (old, index),
        };
        let header = &document["rollouts"]["r"]["rules"][index]["when"]["headers"][0]["name"];
        request.with(header.as_str().unwrap(), "1")
    })
}

#[test]
fn equals_brute_force_over_all_slots() {
    let mut rng = Rng::with_seed(6);
    let (mut rows, mut moved, mut segments) = (0, 0, 0);
    for _ in 0..PAIRS {
        let (old, new) = (any_document(&mut rng), any_document(&mut rng));
        let (before, after) = (rules(&old.to_string()), rules(&new.to_string()));
        let compared = compare_now(&before, &after);
        for row in &compared {
            let request = request_of(row, &old, &new);
            let expected = by_force(&owners(&before, &request), &owners(&after, &request));
            assert_eq!(moves(row), expected, "{row:?}\n{old}\n{new}");
            let share: u64 = expected.values().sum();
            assert_eq!(row.share(), Some(share as f64 / 1e12));
            rows += 1;
            moved += usize::from(share > 0);
            segments += usize::from(row.segment.is_some());
        }
        // Of requests that two rules hold for one of the rows tells the truth as well.
        let both = Request::new().with("x-a", "1").with("x-b", "1");
        let expected = by_force(&owners(&before, &both), &owners(&after, &both));
        assert!(compared.iter().any(|row| moves(row) == expected), "{expected:?}\n{old}\n{new}\n{compared:#?}");
    }
    assert!(moved > PAIRS && segments > PAIRS / 2, "{moved} of {rows} rows moved, {segments} were segments");
}

/// Where slots are drawn anew a unit's old slot says nothing of its new one, so every old one meets every new one.
#[test]
fn what_is_drawn_anew_is_every_slot_with_every_other() {
    let document = |release: &str, weight: u32| {
        let versions =
            json!({"v1": {}, "v2": {"weight": weight, "place": "low"}, "v3": {"weight": 7, "place": "high"}});
        let rollout = json!({"stable": "v1", "versions": versions, "release": release});
        rules(&json!({"rollouts": {"r": rollout}}).to_string())
    };
    let (old, new) = (document("a", 10), document("b", 25));
    let rows = compare_now(&old, &new);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.redrawn, ["release"]);
    let expected: Moves = [
        ("v1", 83, "v2", 25),
        ("v1", 83, "v3", 7),
        ("v2", 10, "v1", 68),
        ("v2", 10, "v3", 7),
        ("v3", 7, "v1", 68),
        ("v3", 7, "v2", 25),
    ]
    .map(|(from, before, to, after)| ((from.to_owned(), to.to_owned()), before * after * 100_000_000))
    .into();
    assert_eq!(moves(row), expected);
}

/// Checks why units of two rollouts get other slots.
#[track_caller]
fn check_redrawn(old: &str, new: &str, expected: &[&str]) {
    let document = |fields: &str| {
        let (top, fields) = fields.split_once('|').unwrap_or(("", fields));
        rules(&format!(
            r#"{{{top} "rollouts": {{"r": {{{fields} "stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 10}}}}}}}}}}"#
        ))
    };
    let (old, new) = (document(old), document(new));
    assert_eq!(compare_now(&old, &new)[0].redrawn, expected);
}

#[test]
fn why_slots_are_drawn_anew() {
    check_redrawn("", "", &[]);
    check_redrawn("", r#""total": 1000,"#, &[]);
    check_redrawn("", r#""release": "b","#, &["release"]);
    check_redrawn("", r#""cohort": "b","#, &["cohort"]);
    check_redrawn("", r#""cohort": "r","#, &[]);
    check_redrawn("", r#""sticky": {"unit": [{"header": "x-user-id"}]},"#, &["the units of sticky"]);
    check_redrawn("", r#""sticky": {"hold": "none"},"#, &["hold: none"]);
    check_redrawn("", r#""sticky": {"hold": "version"},"#, &[]);
    check_redrawn("", r#""cookie": {"name": "vid"},|"#, &["the visitor cookie"]);
    // Every request is free before, and after.
    let free = r#""sticky": {"hold": "none"},"#;
    check_redrawn(free, &format!(r#"{free} "release": "b","#), &[]);
    // Every request has an address, which comes before the cookie.
    let addressed = r#""sticky": {"unit": [{"header": "x-user"}, {"source": "address"}], "prefer": "unit"},"#;
    // What keys sign are not cookies then.
    let ids = r#""sticky": {"unit": [{"header": "x-user"}]},"#;
    let of_key =
        |id: &str| format!(r#""cookie": false, "keys": [{{"id": "{id}", "secret": "sixteen characters"}}],|{ids}"#);
    check_redrawn(&of_key("k1"), &of_key("k2"), &[]);
    check_redrawn(addressed, &format!(r#""cookie": {{"name": "vid"}},|{addressed}"#), &[]);
    check_redrawn("", r#""cookie": {"max_age": "2d"},|"#, &[]);
    let keys = |ids: &[&str]| {
        let keys: Vec<Value> = ids.iter().map(|id| json!({"id": id, "secret": "sixteen characters"})).collect();
        format!(r#""keys": {},|"#, json!(keys))
    };
    check_redrawn("", &keys(&["k1"]), &["the key that signed cookies"]);
    check_redrawn(&keys(&["k1"]), "", &[]);
    check_redrawn(&keys(&["k1"]), &keys(&["k2", "k1"]), &[]);
    check_redrawn(&keys(&["k1"]), &keys(&["k2"]), &["the key that signed cookies"]);
}

/// A key of the same id may have another secret, and what it signed is then worth nothing.
#[test]
fn secrets_that_change() {
    let document = |secret: &str| {
        let rollout = r#"{"stable": "v1", "versions": {"v1": {}, "v2": {"weight": 10}}}"#;
        rules(&format!(r#"{{"keys": [{{"id": "k1", "secret": "{secret}"}}], "rollouts": {{"r": {rollout}}}}}"#))
    };
    let (old, new) = (document("the first of sixteen"), document("the second of sixteen"));
    let redrawn = |new: &Rules, secrets: &Secrets| {
        let row = compare(&old, new, When::At(Time::from_unix_seconds(NOW)), secrets).remove(0);
        (row.redrawn, row.moves.err())
    };
    let key = || vec!["the key that signed cookies"];
    assert_eq!(redrawn(&new, &Secrets::Known), (key(), None));
    assert_eq!(redrawn(&old, &Secrets::Known), (vec![], None));
    assert_eq!(redrawn(&new, &Secrets::Same), (vec![], None));
    assert_eq!(redrawn(&new, &Secrets::Unknown("it is not here".into())), (vec![], Some("it is not here".into())));
}

/// Where requests are sent to a cluster by its name, the same version in another one is another place.
#[test]
fn clusters_that_change() {
    let document = |headers: &str, cluster: &str| {
        let rollout = format!(r#"{{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 10{cluster}}}}}}}"#);
        rules(&format!(r#"{{{headers} "rollouts": {{"r": {rollout}}}}}"#))
    };
    let named = r#""headers": {"cluster": "x-cluster"},"#;
    let (one, other) = (r#", "cluster": "one""#, r#", "cluster": "other""#);
    let share = |old: &Rules, new: &Rules| compare_now(old, new)[0].share();
    let check = |old: (&str, &str), new: (&str, &str), expected: f64| {
        let (old, new) = (document(old.0, old.1), document(new.0, new.1));
        assert_eq!(share(&old, &new), Some(expected), "{old:?}\n{new:?}");
    };
    check((named, one), (named, one), 0.0);
    check((named, one), (named, other), 0.1);
    // Here they only tell what is missing.
    check(("", one), ("", other), 0.0);
    check(("", one), (named, other), 0.0);
    check(("", ""), (named, one), 0.0);
    let stable = |marked: &str, cluster: &str| {
        let versions = format!(r#"{{"v1": {{"cluster": "{cluster}"}}, "v2": {{"cluster": "b", "weight": 10}}}}"#);
        let rollout = format!(r#"{{"stable": "v1", {marked} "versions": {versions}}}"#);
        rules(&format!(r#"{{{named} "rollouts": {{"r": {rollout}}}}}"#))
    };
    let marked = r#""mark_stable": true,"#;
    assert_eq!(share(&stable("", "one"), &stable("", "other")), Some(0.0));
    assert_eq!(share(&stable(marked, "one"), &stable(marked, "other")), Some(0.9));
}

/// Nobody is moved by a dry run.
#[test]
fn a_dry_run_has_everybody_on_stable() {
    let document = |dry_run: bool, weight: u32| {
        let rollout = json!({"stable": "v1", "versions": {"v1": {}, "v2": {"weight": weight}}, "dry_run": dry_run});
        rules(&json!({"rollouts": {"r": rollout}}).to_string())
    };
    let share = |old: (bool, u32), new: (bool, u32)| {
        let (old, new) = (document(old.0, old.1), document(new.0, new.1));
        compare_now(&old, &new)[0].share()
    };
    assert_eq!(share((true, 10), (true, 90)), Some(0.0));
    assert_eq!(share((true, 10), (false, 10)), Some(0.1));
    assert_eq!(share((false, 10), (true, 10)), Some(0.1));
}

#[test]
fn what_cannot_be_known() {
    let filter = rules(r#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}, "v2": {"weight": 10}}}}}"#);
    let native = rules(
        r#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}, "v2": {}}, "split": "native"}}, "headers": {"slot": "x-slot"}}"#,
    );
    for (old, new) in [(&filter, &native), (&native, &filter)] {
        let rows = compare_now(old, new);
        assert_eq!((rows[0].share(), rows[0].moves.is_err()), (None, true));
    }
    // Nobody moves by a document that leaves the weights to the route as the other one does.
    assert_eq!(compare_now(&native, &native)[0].share(), Some(0.0));
    // What becomes of the route's choice is for the document to say.
    let route = |v1: &str, v2: &str| {
        let versions = format!(r#"{{"v1": {{"cluster": "{v1}"}}, "v2": {{{v2}}}}}"#);
        let rollout =
            format!(r#"{{"stable": "v1", "versions": {versions}, "split": "route", "sticky": {{"hold": "version"}}}}"#);
        rules(&format!(r#"{{"rollouts": {{"r": {rollout}}}}}"#))
    };
    let plain = route("a", r#""cluster": "b""#);
    let share = |new: &Rules| compare_now(&plain, new)[0].share();
    assert_eq!(share(&plain), Some(0.0));
    assert_eq!(share(&route("a", r#""cluster": "b", "off": true"#)), None);
    assert_eq!(share(&route("b", r#""cluster": "a""#)), None);
}
