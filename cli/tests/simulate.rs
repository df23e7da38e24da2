//! `serin simulate`, run: measured shares beside expected ones.

mod support;

use serde_json::{Value, json};

use support::{Folder, SOUND};

/// Simulates a document, and checks for each rollout and version that what was measured is what is expected, give or take what
/// chance makes of it, and what is expected, in parts of a million.
#[track_caller]
fn check(document: &str, words: &[&str], expected: &[(&str, &str, Option<u32>)]) -> Value {
    let folder = Folder::with(&[("rules.yaml", document)]);
    let words = [&["simulate", "rules.yaml", "--at", "2026-11-26T09:00:00Z", "--output", "json"], words].concat();
    let json = folder.serin(&words).ends_with(0).json();
    let mut found = Vec::new();
    for rollout in json["rollouts"].as_array().unwrap() {
        for version in rollout["versions"].as_array().unwrap() {
            let number = |field: &str| version[field].as_f64();
            let name = |of: &Value, field: &str| of[field].as_str().unwrap().to_owned();
            if let Some(expected) = number("expected") {
                let apart = (number("visitors").unwrap() - expected).abs();
                assert!(apart <= 2.0 * number("margin").unwrap(), "{version}");
            }
            let parts = number("expected").map(|share| (share * 1e6).round() as u32);
            found.push((name(rollout, "rollout"), name(version, "version"), parts));
        }
    }
    let expected: Vec<_> = expected.iter().map(|(r, v, parts)| ((*r).to_owned(), (*v).to_owned(), *parts)).collect();
    assert_eq!(found, expected, "{json:#}");
    json
}

#[test]
fn visitors_by_cookie() {
    let json = check(SOUND, &[], &[("shop", "v1", Some(900_000)), ("shop", "v2", Some(100_000))]);
    assert_eq!((&json["visitors"], &json["requests"], &json["seed"]), (&json!(10_000), &json!(3), &json!(1)));
    assert_eq!(json["rollouts"][0]["unit"], "the cookie canary");
    // Who has come keeps the version, so that requests are shared as visitors are.
    let share = |field: &str| json["rollouts"][0]["versions"][1][field].clone();
    assert_eq!(share("visitors"), share("requests"));
}

#[test]
fn visitors_by_their_ids() {
    for unit in ["{header: x-user-id}", "{cookie: sid}", "{query: uid}", "{source: address}"] {
        let document = SOUND.replace("    override", &format!("    sticky: {{unit: [{unit}]}}\n    override"));
        let json = check(
            &format!("{document}cookie: false\n"),
            &["--visitors", "3000"],
            &[("shop", "v1", Some(900_000)), ("shop", "v2", Some(100_000))],
        );
        assert_ne!(json["rollouts"][0]["unit"], "the cookie canary", "{unit}");
    }
}

/// What is asked of every visitor comes on top of a request that a rollout covers, and an id is then that of everybody.
#[test]
fn visitors_who_are_alike() {
    check(SOUND, &["-H", "x-team: qa", "--visitors", "100"], &[("shop", "v2", Some(1_000_000))]);
    let same = ["-b", "canary=nEjRWeJq83v.d20778", "--visitors", "100"];
    let json = check(SOUND, &same, &[("shop", "v1", Some(1_000_000))]);
    assert_eq!(json["rollouts"][0]["unit"], "the same cookie canary");
    let ids = SOUND.replace("    override", "    sticky: {unit: [{header: x-user}]}\n    override");
    let json = check(&ids, &["-H", "x-user: ann", "--visitors", "100"], &[("shop", "v1", Some(1_000_000))]);
    assert_eq!(json["rollouts"][0]["unit"], "the same id in header x-user");
    let present =
        ids.replace("hosts: [shop.example.com]", "hosts: [shop.example.com], headers: [{name: x-user, present: true}]");
    check(&present, &["-X", "POST"], &[("shop", "v1", Some(900_000)), ("shop", "v2", Some(100_000))]);
}

#[test]
fn rules_overrides_and_kill_switches() {
    let qa = ["--host", "shop.example.com", "-H", "x-team: qa", "--visitors", "100"];
    check(SOUND, &qa, &[("shop", "v2", Some(1_000_000))]);
    let named = ["--host", "shop.example.com", "-H", "x-canary: v2", "--visitors", "100"];
    check(SOUND, &named, &[("shop", "v2", Some(1_000_000))]);
    let off = SOUND.replace("weight: 10", "weight: 10, off: true");
    check(&off, &["--visitors", "100"], &[("shop", "v1", Some(1_000_000))]);
    let weights = SOUND.replace("use: v2", "weights: {v2: 50}");
    check(&weights, &qa[..4], &[("shop", "v1", Some(500_000)), ("shop", "v2", Some(500_000))]);
}

#[test]
fn holds_and_first_requests() {
    let sticky = |fields: &str| SOUND.replace("    override", &format!("    sticky: {{{fields}}}\n    override"));
    let shares = [("shop", "v1", Some(900_000)), ("shop", "v2", Some(100_000))];
    check(&sticky("hold: version"), &[], &shares);
    check(&sticky("hold: none"), &[], &shares);
    let first = check(&sticky("first: stable"), &[], &shares);
    let requests = first["rollouts"][0]["versions"][1]["requests"].as_f64().unwrap();
    assert!((0.055..0.08).contains(&requests), "two of three requests are decided by the slot: {requests}");
    check(&sticky("first: stable"), &["--requests", "1"], &[("shop", "v1", Some(1_000_000))]);
}

#[test]
fn every_rollout_by_a_request_that_it_covers() {
    let rollout = |entry: &str| format!("{{match: [{entry}], stable: v1, versions: {{v1: {{}}, v2: {{weight: 50}}}}}}");
    let document = format!(
        "rollouts:\n  a: {}\n  b: {}\n  c: {}\n  d: {}\n",
        rollout("{hosts: [\"*.example.com\"], path: {regex: \"/[a-z]{3}/x?\"}}"),
        rollout(
            "{headers: [{name: x-a, prefix: q}], cookies: [{name: c, in: [x]}], query: [{name: q, present: true}]}"
        ),
        rollout("{source: [10.0.0.0/8], methods: [PUT]}"),
        rollout("{source: [10.0.0.0/8], methods: [PUT], headers: [{name: x-b, exact: a}, {name: x-b, exact: b}]}"),
    );
    let half = Some(500_000);
    let shares = [
        ("a", "v1", half),
        ("a", "v2", half),
        ("b", "v1", half),
        ("b", "v2", half),
        ("c", "v1", half),
        ("c", "v2", half),
    ];
    let json = check(&document, &["--visitors", "2000"], &shares);
    assert_eq!(json["unreached"], json!(["d"]));
    check(&document, &["--visitors", "2000", "--rollout", "b"], &shares[2..4]);
    let folder = Folder::with(&[("rules.yaml", &document)]);
    folder
        .serin(&["simulate", "rules.yaml", "--rollout", "d"])
        .ends_with(1)
        .says("d: no request was found that it covers");
    folder.serin(&["simulate", "rules.yaml", "--rollout", "x"]).ends_with(2).says("no rollout \"x\"");
    folder
        .serin(&["simulate", "rules.yaml", "--visitors", "10"])
        .ends_with(0)
        .says("d: no request was found that it covers");
    folder.serin(&["simulate", "rules.yaml", "--visitors", "0"]).ends_with(2).says("from 1 to 10000000");
    let lost = ["simulate", "rules.yaml", "--visitors", "10", "--host", "www.example.org"];
    folder.serin(&lost).ends_with(1).says("GET www.example.org/: no rollout covers it; serin explain tells why not");
}

/// What is asked for by its name is reached, or it is said why not.
#[test]
fn a_rollout_and_a_request() {
    #[track_caller]
    fn check(words: &[&str], code: i32, expected: &str, unreached: &[&str]) {
        let other = "  other: {stable: a, versions: {a: {}}, match: [{hosts: [a.b]}]}\n";
        let folder = Folder::with(&[("rules.yaml", &SOUND.replace("rollouts:\n", &format!("rollouts:\n{other}")))]);
        let words = [&["simulate", "rules.yaml", "--visitors", "10"], words].concat();
        folder.serin(&words).ends_with(code).says(expected);
        if code < 2 {
            let json = folder.serin(&[&words[..], &["--output", "json"]].concat()).ends_with(code).json();
            assert_eq!(json["unreached"], json!(unreached));
        }
    }
    check(&["--rollout", "nosuch", "--host", "a.b"], 2, "no rollout \"nosuch\"; expected one of other, shop", &[]);
    check(&["--rollout", "shop", "--host", "shop.example.com"], 0, "rollouts.shop, GET shop.example.com/", &[]);
    check(&["--rollout", "shop", "--host", "a.b"], 1, "shop: GET a.b/ is covered by rollouts.other", &["shop"]);
    check(&["--rollout", "shop", "--host", "a.c"], 1, "shop: GET a.c/: no rollout covers it", &["shop"]);
    check(&["--host", "a.c"], 1, "GET a.c/: no rollout covers it; serin explain tells why not", &["GET a.c/"]);
    check(&["--rollout", "other", "-X", "POST"], 0, "rollouts.other, POST a.b/", &[]);
}

#[test]
fn no_rollouts() {
    let folder = Folder::with(&[("rules.yaml", "rollouts: {}\n")]);
    folder.serin(&["simulate", "rules.yaml"]).ends_with(0).says("no rollouts");
    folder.serin(&["simulate", "rules.yaml", "--host", "a"]).ends_with(1).says("GET a/: no rollout covers it");
    folder.serin(&["simulate", "rules.yaml", "--rollout", "a"]).ends_with(2).says("no rollout \"a\"; there is none");
}

/// Everybody on stable is what the filter does then, and not what the document says.
#[test]
fn a_rollout_with_a_mistake() {
    let document = SOUND.replace("weight: 10", "weight: x");
    let folder = Folder::with(&[("rules.yaml", &document)]);
    let ask = |words: &[&str]| folder.serin(&[&["simulate", "rules.yaml", "--visitors", "10"], words].concat());
    ask(&[])
        .ends_with(1)
        .says("10 visitors with nothing that counts, 3 requests each\n  broken: the rollout has a mistake")
        .says("stable serves");
    assert_eq!(ask(&["--output", "json"]).ends_with(1).json()["rollouts"][0]["broken"], json!(true));
    folder.write("rules.yaml", document.replace("hosts: [shop.example.com]", "hosts: 1"));
    ask(&[]).ends_with(1).says("mistake");
    folder.write(
        "rules.yaml",
        format!("{document}  sound: {{stable: a, versions: {{a: {{}}}}}}\n")
            .replace("headers: {cluster: x-canary-cluster}\n", ""),
    );
    ask(&["--rollout", "sound"]).ends_with(0);
}

#[test]
fn routes_that_choose() {
    let native = "rollouts: {shop: {stable: v1, versions: {v1: {}, v2: {}}, split: native}}\nheaders: {slot: x-slot}\n";
    check(native, &["--visitors", "10"], &[("shop", "-", None)]);
}

/// Only where many rollouts are visited there are fewer visitors to each.
#[test]
fn many_rollouts() {
    #[track_caller]
    fn check(count: usize, words: &[&str], visitors: u32) {
        let rollout =
            |at| format!("  r{at}: {{match: [{{path: {{prefix: /{at}}}}}], stable: a, versions: {{a: {{}}}}}}\n");
        let document = format!("rollouts:\n{}cookie: false\n", (0..count).map(rollout).collect::<String>());
        let folder = Folder::with(&[("rules.yaml", &document)]);
        let words = [&["simulate", "rules.yaml", "--requests", "1", "--output", "json"], words].concat();
        let json = folder.serin(&words).ends_with(0).json();
        assert_eq!(json["visitors"], json!(visitors), "{count}");
        assert_eq!(json["unreached"], json!([]));
    }
    check(2, &[], 10_000);
    check(1100, &["--host", "a.b", "--path", "/7"], 10_000);
    check(1100, &["--rollout", "r7"], 10_000);
    check(1100, &["--visitors", "3"], 3);
}

#[test]
fn for_people() {
    let folder = Folder::with(&[("rules.yaml", SOUND)]);
    let run = folder.serin(&["simulate", "rules.yaml", "--visitors", "1000"]).ends_with(0);
    run.says("rollouts.shop, GET shop.example.com/: 1000 visitors with the cookie canary, 3 requests each")
        .says("90.00 % ± 1.86 %")
        .says("███████");
    folder.serin_with(&["simulate", "-", "--visitors", "10"], SOUND.as_bytes(), &[]).ends_with(0);
    folder.serin(&["simulate", "none.yaml"]).ends_with(2);
}
