//! Documents, good and bad: every kind of mistake with its message, and what stays in force.

mod common;

use common::{Request, outcome, rollout, rules};
use serde_json::Value;
use serin_core::{Rules, Surroundings};

/// Checks that a document has exactly these mistakes, in this order.
#[track_caller]
fn check(document: &str, expected: &[&str]) {
    let found: Vec<String> =
        Rules::parse(document.as_bytes(), &Surroundings::default()).errors.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "\nin {document}");
}

#[test]
fn every_bad_document_has_its_messages() {
    let table: Vec<Value> = serde_json::from_str(include_str!("bad-documents.json")).unwrap();
    assert!(table.len() > 100, "{} documents", table.len());
    for case in &table {
        let expected: Vec<&str> = case["errors"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(!expected.is_empty(), "{case}");
        check(case["document"].as_str().unwrap(), &expected);
    }
}

#[test]
fn every_good_document_is_taken_without_a_word() {
    let table: Vec<Value> = serde_json::from_str(include_str!("good-documents.json")).unwrap();
    assert!(table.len() > 40, "{} documents", table.len());
    let env = |name: &str| (name == "SERIN_KEY").then(|| "a key of sixteen bytes or more".to_owned());
    for case in &table {
        let document = case["document"].to_string();
        let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &env });
        let said: Vec<String> = parsed.errors.iter().chain(&parsed.warnings).map(ToString::to_string).collect();
        assert!(said.is_empty(), "{}: {said:#?}", case["about"]);
        let broken = parsed.rules.unwrap().rollouts().filter(|rollout| rollout.intervals().is_none()).count();
        assert_eq!(broken, 0, "{}", case["about"]);
    }
}

/// What has not changed is kept as it is, so whatever a document can say must count as a change.
#[test]
fn a_document_means_the_same_whichever_was_there_before() {
    let table: Vec<Value> = serde_json::from_str(include_str!("good-documents.json")).unwrap();
    let env = |name: &str| (name == "SERIN_KEY").then(|| "a key of sixteen bytes or more".to_owned());
    let read = |document: &Value, last_good: Option<&Rules>| {
        let surroundings = Surroundings { last_good, env: &env };
        Rules::parse(document.to_string().as_bytes(), &surroundings).rules.unwrap()
    };
    let documents = || table.iter().map(|case| &case["document"]);
    let alone: Vec<Rules> = documents().map(|document| read(document, None)).collect();
    let shown: Vec<String> = alone.iter().map(|rules| format!("{:?}", rules.rollouts().collect::<Vec<_>>())).collect();
    for (document, shown) in documents().zip(&shown) {
        for before in &alone {
            let after = read(document, Some(before));
            assert_eq!(format!("{:?}", after.rollouts().collect::<Vec<_>>()), *shown, "\n{before:?}\n{document}");
        }
    }
}

/// No error and no `Debug` shows a secret, so it is tried.
#[test]
fn a_secret_that_has_changed_counts_from_the_next_document_on() {
    let document = |secret: &str| {
        let trust = format!(r#"{{"header": "x-secret", {secret}}}"#);
        rollout(&format!(
            r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{}}}}, "override": {{"header": "x-canary", "trust": {trust}}}"#
        ))
    };
    let in_document = |secret: &str| (document(&format!(r#""secret": "{secret}""#)), "");
    let in_environment = |secret: &'static str| (document(r#""env": "SERIN_SECRET""#), secret);
    let (old, new) = ("an old secret of ours", "a new secret of ours");
    for pair in [[in_document(old), in_document(new)], [in_environment(old), in_environment(new)]] {
        let read = |(document, value): &(String, &'static str), last_good: Option<&Rules>| {
            let env = |name: &str| (name == "SERIN_SECRET").then(|| (*value).to_owned());
            Rules::parse(document.as_bytes(), &Surroundings { last_good, env: &env }).rules.unwrap()
        };
        let before = read(&pair[0], None);
        let after = read(&pair[1], Some(&before));
        for (rules, counts, fails) in [(&before, old, new), (&after, new, old)] {
            let request = |secret| Request::new().with("x-canary", "v2").with("x-secret", secret);
            let asked = |secret| outcome(rules, &request(secret), 0).answer;
            assert_eq!(asked(counts), "r/v2/override");
            assert_ne!(asked(fails), "r/v2/override");
        }
    }
}

#[test]
fn a_rollout_that_has_not_changed_is_kept() {
    let versions = |weight: u32| format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {weight}}}}}"#);
    let document =
        |a: u32, b: u32| format!(r#"{{"rollouts": {{"a": {{{}}}, "b": {{{}}}}}}}"#, versions(a), versions(b));
    let read = |document: &str, last_good: Option<&Rules>| {
        let surroundings = Surroundings { last_good, ..Surroundings::default() };
        Rules::parse(document.as_bytes(), &surroundings).rules.unwrap()
    };
    let before = read(&document(10, 20), None);
    let after = read(&document(10, 30), Some(&before));
    let kept: Vec<bool> = before.rollouts().zip(after.rollouts()).map(|(a, b)| std::ptr::eq(a, b)).collect();
    assert_eq!(kept, [true, false]);
}

#[test]
fn what_is_too_large() {
    let bytes = format!("{{\"rollouts\": {{}}, \"x\": \"{}\"}}", "x".repeat(8 << 20));
    check(&bytes, &["document: found more than 8388608 bytes; expected at most 8388608"]);
    let many: Vec<String> = (0..10_001).map(|n| format!(r#""r{n}": {{}}"#)).collect();
    let rollouts = format!(r#"{{"rollouts": {{{}}}}}"#, many.join(","));
    check(&rollouts, &["rollouts: found 10001 rollouts; expected at most 10000"]);
    let many: Vec<String> = (0..257).map(|n| format!(r#""a{n}": "v1""#)).collect();
    let aliases = format!(
        r#""stable": "v1", "versions": {{"v1": {{}}}}, "override": {{"header": "x-canary", "aliases": {{{}}}}}"#,
        many.join(",")
    );
    check(&rollout(&aliases), &["rollouts.r.override.aliases: found 257 aliases; expected at most 256"]);
    let rules = |count: usize| {
        let rules = vec![r#"{"use": "v1"}"#; count].join(",");
        rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}}}, "rules": [{rules}]"#))
    };
    check(&rules(1_000), &[]);
    check(&rules(1_001), &["rollouts.r.rules: found 1001 rules; expected at most 1000"]);
    let texts = |count: usize| {
        let texts = vec![r#""a""#; count].join(",");
        let entry = format!(r#"{{"headers": [{{"name": "x-a", "in": [{texts}]}}]}}"#);
        rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}}}, "match": [{entry}]"#))
    };
    check(&texts(10_000), &[]);
    check(&texts(10_001), &["rollouts.r.match[0].headers[0].in: found 10001 texts; expected at most 10000"]);
    check(&set_names(32), &[]);
    let rule = |n: usize| format!(r#"{{"when": {{"headers": [{{"name": "x-{n}", "present": true}}]}}, "use": "v1"}}"#);
    let rules = |n: usize| {
        let listed: Vec<String> = (0..n).map(rule).collect();
        rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}}}, "rules": [{}]"#, listed.join(",")))
    };
    check(&rules(64), &[]);
    check(&rules(65), &["rollouts.r: found 65 different headers in match and rules; expected at most 64"]);
    check(&match_names(256), &[]);
    let too_many = "rollouts: found 257 different headers in the match of all; expected at most 256";
    check(&match_names(257), &[too_many]);
    check(
        &set_names(33),
        &[
            "rollouts.r9.versions.v2.set_headers.x-9: set_headers and secrets of the document have 32 different headers already; expected one of those",
        ],
    );
}

/// Many rollouts that ask for a header of their own.
fn match_names(count: usize) -> String {
    let rollout = |number: usize| {
        let entry = format!(r#"{{"headers": [{{"name": "x-{number}", "present": true}}]}}"#);
        format!(r#""r{number}": {{"match": [{entry}], "stable": "v1", "versions": {{"v1": {{}}}}}}"#)
    };
    let listed: Vec<String> = (1_000 - count..1_000).map(rollout).collect();
    format!(r#"{{"rollouts": {{{}}}}}"#, listed.join(","))
}

/// Many rollouts, each with a header of its own and one that all of them have.
fn set_names(count: usize) -> String {
    let rollout = |number: usize| {
        let headers = format!(r#"{{"x-all": "", "x-{number}": ""}}"#);
        format!(r#""r{number}": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"set_headers": {headers}}}}}}}"#)
    };
    let rollouts: Vec<String> = (1..count).map(rollout).collect();
    format!(r#"{{"rollouts": {{{}}}}}"#, rollouts.join(","))
}

#[test]
fn a_flood_of_mistakes_is_counted_and_not_kept() {
    let fields: Vec<String> = (0..50_000).map(|n| format!(r#""field{n}": 0"#)).collect();
    let document = rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}}}, {}, "total": 0"#, fields.join(",")));
    let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
    assert_eq!((parsed.errors.len(), parsed.more_errors), (1_000, 49_001));
    assert_eq!(outcome(&parsed.rules.unwrap(), &Request::new(), 0).answer, "r/v1/broken");
}

#[test]
fn null_and_every_form_of_a_number() {
    for ten in ["10", "10.0", "1e1", "1e+01"] {
        let document = rollout(&format!(
            r#""stable": "v1", "match": null, "total": 1E2, "release": null, "override": null,
               "versions": {{"v1": {{"weight": null}}, "v2": {{"weight": {ten}, "cluster": null, "off": null}}, "v3": null}}"#
        ));
        let rules = rules(&document);
        let rollout = rules.rollouts().next().unwrap();
        let v2 = rollout.version_named(b"v2").unwrap();
        assert_eq!(rollout.intervals().unwrap().width(v2), 100_000, "{ten}");
        assert_eq!(rollout.versions().len(), 2);
    }
}

/// `kubectl apply` makes `{"false": true}` of `off: true` (sigs.k8s.io/yaml), and Envoy makes `"0.5"` of `0.5` when it reads
/// YAML. A kill switch that does not work there is worse than none.
#[test]
fn what_kubernetes_and_envoy_make_of_yaml() {
    let off = rules(&rollout(r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 100, "false": true}}"#));
    assert_eq!(outcome(&off, &Request::new(), 0).answer, "r/v1/slot");
    // A patch is JSON, and brings `off` beside that. Whichever came first, and whichever says so, the version is off.
    for (fields, answer) in [
        (r#""false": false, "off": true"#, "r/v1/slot"),
        (r#""off": false, "false": true"#, "r/v1/slot"),
        (r#""off": true, "false": false"#, "r/v1/slot"),
        (r#""off": null, "false": true"#, "r/v1/slot"),
        (r#""off": false, "false": false"#, "r/v2/slot"),
        (r#""off": null, "false": null"#, "r/v2/slot"),
    ] {
        let both = format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 100, {fields}}}}}"#);
        assert_eq!(outcome(&rules(&rollout(&both)), &Request::new(), 0).answer, answer, "{fields}");
    }
    let junk = rollout(r#""stable": "v1", "versions": {"v1": {}, "v2": {"off": false, "false": "no"}}"#);
    check(&junk, &[r#"rollouts.r.versions.v2.off: found "no"; expected true or false"#]);
    for name in ["false", "off"] {
        let twice = format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"{name}": false, "{name}": true}}}}"#);
        let expected = format!("rollouts.r.versions.v2.{name}: the field stands here twice; expected it once");
        check(&rollout(&twice), &[&expected]);
    }
    check(
        &rollout(r#""stable": "v1", "versions": {"v1": {}}, "false": true"#),
        &[
            "rollouts.r.false: unknown field; expected one of match, stable, versions, total, release, cohort, override, rules, \
         inherit, sticky, split, mark_stable, dry_run, schedule, guard, missing_cluster",
        ],
    );

    let guard =
        |fields: &str| rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}}}, "guard": {{{fields}}}"#));
    rules(&guard(r#""max_percent": "0.5", "confidence": "99.95", "worse_than_stable": "1.5""#));
    for wrong in ["5", "x.y", "99.5", "[0.5]", "\\\"0.5\\\""] {
        let errors =
            Rules::parse(guard(&format!(r#""max_percent": "{wrong}""#)).as_bytes(), &Surroundings::default()).errors;
        assert_eq!(errors.len(), 1, "{wrong}");
    }
}

#[test]
fn a_mistake_in_one_rollout_leaves_the_others_alone() {
    let document = |a: &str, b: &str| {
        format!(
            r#"{{"rollouts": {{
                "a": {{"match": [{{"path": {{"prefix": "/a"}}}}], "stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {a}}}}}}},
                "b": {{"match": [{{"path": {{"prefix": "/b"}}}}], "stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {b}}}}}}}
            }}}}"#
        )
    };
    let good = rules(&document("100", "100"));
    let answers = |rules: &Rules| ["/a", "/b"].map(|path| outcome(rules, &Request::to("h", path), 7).answer);
    assert_eq!(answers(&good), ["a/v2/slot", "b/v2/slot"]);

    let mixed = Rules::parse(
        document("\"x\"", "0").as_bytes(),
        &Surroundings { last_good: Some(&good), ..Surroundings::default() },
    );
    assert_eq!(mixed.errors.len(), 1);
    assert_eq!(mixed.errors[0].rollout(), Some("a"));
    assert_eq!(
        answers(&mixed.rules.unwrap()),
        ["a/v2/slot", "b/v1/slot"],
        "a keeps its last good form, b's change is in force"
    );

    let cold = Rules::parse(document("\"x\"", "100").as_bytes(), &Surroundings::default());
    assert_eq!(
        answers(&cold.rules.unwrap()),
        ["a/v1/broken", "b/v2/slot"],
        "without a last good form stable covers the match"
    );
}

#[test]
fn a_broken_form_is_not_a_last_good_one() {
    let broken = |path: &str, stable: &str| {
        let document = format!(
            r#"{{"rollouts": {{
                "all": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 100}}}}}},
                "r": {{"match": [{{"path": {{"prefix": "{path}"}}}}], "stable": "{stable}", "versions": {{"{stable}": {{}}}}, "total": 0}}
            }}}}"#
        );
        move |last_good: Option<&Rules>| {
            Rules::parse(document.as_bytes(), &Surroundings { last_good, ..Surroundings::default() }).rules.unwrap()
        }
    };
    let first = broken("/a", "v1")(None);
    let second = broken("/b", "w1")(Some(&first));
    let answer = |path: &str| outcome(&second, &Request::to("h", path), 0).answer;
    assert_eq!([answer("/a"), answer("/b")], ["all/v2/slot", "r/w1/broken"], "as at a cold start");
}

#[test]
fn a_last_good_form_that_contradicts_the_output_headers_is_not_kept() {
    let good = rules(&rollout(
        r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 100}}, "override": {"header": "x-c"}"#,
    ));
    let after = |headers: &str| {
        let document = format!(r#"{{"rollouts": {{"r": {{}}}}, "headers": {headers}}}"#);
        let rules =
            Rules::parse(document.as_bytes(), &Surroundings { last_good: Some(&good), ..Surroundings::default() })
                .rules
                .unwrap();
        outcome(&rules, &Request::new(), 0).answer
    };
    assert_eq!(after("{}"), "r/v2/slot");
    assert_eq!(after(r#"{"version": "x-c"}"#), "r/stable/broken", "a client could name its version");
    assert_eq!(after(r#"{"cluster": "x-cluster"}"#), "r/stable/broken", "v2 has no cluster to route to");
}

#[test]
fn what_is_hostile_stays_small_and_quick() {
    let fields: Vec<String> = (0..1_000).map(|n| format!(r#""f{n}": 0"#)).collect();
    let document = format!(r#"{{"rollouts": {{"{}": {{{}}}}}}}"#, "a".repeat(4 << 20), fields.join(","));
    let errors = Rules::parse(document.as_bytes(), &Surroundings::default()).errors;
    assert_eq!(errors.len(), 1_000);
    assert!(errors.iter().all(|error| error.to_string().len() < 500), "{}", errors[0]);

    let hosts = vec![r#""a""#; 100_001].join(",");
    let document =
        rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}}}, "match": [{{"hosts": [{hosts}]}}]"#));
    check(&document, &["rollouts: found 100001 hosts in all; expected at most 100000"]);

    let good = rules(&document.replace(r#""a","a","a"]"#, r#""a"]"#));
    let more = rollout(r#"}, "s": {"stable": "v1", "versions": {"v1": {}}, "match": [{"hosts": ["b", "c"]}]"#);
    let parsed = Rules::parse(more.as_bytes(), &Surroundings { last_good: Some(&good), ..Surroundings::default() });
    assert!(parsed.rules.is_none(), "what r keeps counts beside what s brings");

    let fields = r#""a": 0,"#.repeat(50_000) + &r#""total": 0,"#.repeat(50_000);
    let parsed = Rules::parse(rollout(&format!(r#"{fields} "stable": "v1""#)).as_bytes(), &Surroundings::default());
    assert_eq!(parsed.errors.len(), 1_000);
}

#[test]
fn a_mistake_outside_the_rollouts_leaves_everything_in_force() {
    let spoiled = Rules::parse(
        br#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}}}}, "cookie": 1}"#,
        &Surroundings::default(),
    );
    assert!(spoiled.rules.is_none());
    assert_eq!(spoiled.errors[0].rollout(), None);
}

#[test]
fn what_a_filter_without_rules_removes() {
    #[track_caller]
    fn check(document: &str, expected: &[&str]) {
        let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
        assert!(parsed.rules.is_none());
        let names: Vec<&str> = parsed.outputs.on_request().iter().map(|output| output.name.as_str()).collect();
        assert_eq!(names, expected, "{document}");
    }
    check("nonsense", &["x-canary-version"]);
    check(r#"{"headers": {"version": "x-v", "cluster": "x-c"}, "cookie": 1}"#, &["x-v", "x-c", "x-canary-version"]);
    check(r#"{"headers": {"version": "a b", "cluster": "x-c"}}"#, &["x-canary-version"]);
}

#[test]
fn the_largest_documents() {
    let versions: Vec<String> = (0..64)
        .map(|n| {
            format!(
                r#""v{n}": {{"weight": {}, "place": {}}}"#,
                u32::from(n > 0),
                if n == 0 { "null".into() } else { n.to_string() }
            )
        })
        .map(|version| version.replace(r#""v0": {"weight": 0, "place": null}"#, r#""v0": {}"#))
        .collect();
    let sixty_four = rules(&rollout(&format!(r#""stable": "v0", "versions": {{{}}}"#, versions.join(","))));
    assert_eq!(sixty_four.rollouts().next().unwrap().versions().len(), 64);

    let many: Vec<String> = (0..10_000)
        .map(|n| format!(r#""r{n}": {{"match": [{{"hosts": ["h{n}.example.com"]}}], "stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 100}}}}}}"#))
        .collect();
    let ten_thousand = rules(&format!(r#"{{"rollouts": {{{}}}}}"#, many.join(",")));
    assert_eq!(outcome(&ten_thousand, &Request::to("h9999.example.com", "/"), 0).answer, "r9999/v2/slot");
    assert_eq!(outcome(&ten_thousand, &Request::to("h10000.example.com", "/"), 0).answer, "");
}
