//! How a decision reaches the routes: splits, inherited versions, headers that go with a version, caches, dry runs.

mod common;

use common::{Outcome, Request, outcome, rollout, rules};
use serin_core::{Rules, private_cache_control};

/// A document with this rollout and these fields at its top.
fn document(top: &str, fields: &str) -> Rules {
    rules(&rollout(fields).replacen('{', &format!("{{{top}"), 1))
}

fn set(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

const VERSIONS: &str = r#""stable": "v1", "versions": {"v1": {"cluster": "c1"}, "v2": {"cluster": "c2"}, "v3": {"cluster": "c3", "off": true}}"#;

mod by_route {
    use super::*;

    fn by_route(fields: &str) -> Rules {
        document(
            "",
            &format!(
                r#"{VERSIONS}, "split": "route", "sticky": {{"hold": "version"}}, "override": {{"header": "x-canary"}}{fields}"#
            ),
        )
    }

    /// A request that the route's weights would send to this cluster.
    fn to(cluster: &str) -> Request {
        Request::to("h", "/").with("cluster name", cluster)
    }

    #[test]
    fn what_the_route_chose_is_held() {
        let rules = by_route("");
        for (cluster, version) in [("c1", "v1"), ("c2", "v2")] {
            let first = outcome(&rules, &to(cluster), 7);
            assert_eq!(
                (first.answer.clone(), set(&first)),
                (format!("r/{version}/route"), vec![("x-canary-version", version)])
            );
            let other = if cluster == "c1" { "c2" } else { "c1" };
            let again = outcome(&rules, &to(other).with("cookie", first.cookies()), 8);
            assert_eq!(again.answer, format!("r/{version}/held"));
            assert_eq!(set(&again), [("x-canary-version", version)], "for stable as well");
            assert_eq!((again.set_cookie, again.kept_cookie), (None, None));
            assert!(first.slot.is_some() && first.slot == again.slot, "{:?} then {:?}", first.slot, again.slot);
        }
    }

    #[test]
    fn what_is_not_known_is_not_held() {
        let rules = by_route("");
        let spoofed = to("c2").with("x-canary-version", "v2");
        for request in [Request::to("h", "/"), to("another"), to(""), spoofed] {
            let found = outcome(&rules, &request, 7);
            assert_eq!((found.answer.as_str(), set(&found), found.kept_cookie.clone()), ("r/-/route", vec![], None));
            assert!(found.set_cookie.is_some(), "a visitor all the same");
        }
        let spoofed = outcome(&rules, &to("c2").with("x-canary-version", "v2"), 7);
        assert_eq!(spoofed.removed, ["x-canary-version"]);
    }

    #[test]
    fn a_version_that_is_off_is_steered_away_from() {
        let found = outcome(&by_route(""), &to("c3"), 7);
        assert_eq!((found.answer.as_str(), set(&found)), ("r/v1/route", vec![("x-canary-version", "v1")]));
    }

    #[test]
    fn overrides_and_rules_name_their_version() {
        let rules = by_route(r#", "rules": [{"when": {"query": [{"name": "qa", "present": true}]}, "use": "v1"}]"#);
        let overridden = outcome(&rules, &to("c2").with("x-canary", "v1"), 7);
        assert_eq!((overridden.answer.as_str(), set(&overridden)), ("r/v1/override", vec![("x-canary-version", "v1")]));
        let ruled = outcome(&rules, &Request::to("h", "/?qa").with("cluster name", "c2"), 7);
        assert_eq!((ruled.answer.as_str(), set(&ruled)), ("r/v1/rule", vec![("x-canary-version", "v1")]));
    }
}

mod native {
    use super::*;

    fn native(fields: &str) -> Rules {
        let versions = VERSIONS.replace(r#", "off": true"#, "");
        let fields = format!(r#"{versions}, "split": "native", "override": {{"header": "x-canary"}}{fields}"#);
        document(r#""headers": {"slot": "x-slot"}, "#, &fields)
    }

    #[test]
    fn the_slot_is_scaled_to_the_total_of_the_route() {
        for total in [2, 100, 1_000, 1_000_000] {
            let rules = native(&format!(r#", "total": {total}"#));
            for bits in 0..200 {
                let found = outcome(&rules, &Request::new(), bits);
                let slot = u64::from(found.slot.unwrap());
                assert_eq!(found.answer, "r/-/slot");
                assert_eq!(set(&found), [("x-slot", (slot * total / 1_000_000).to_string().as_str())]);
                let again = outcome(&rules, &Request::new().with("cookie", found.cookies()), !bits);
                assert_eq!(set(&again), set(&found), "a visitor keeps the slot");
            }
        }
    }

    #[test]
    fn a_version_that_is_named_stands_in_the_version_header() {
        let found = |version| outcome(&native(""), &Request::new().with("x-canary", version), 7);
        assert_eq!(set(&found("v2")), [("x-canary-version", "v2")]);
        assert_eq!(set(&found("v1")), [("x-canary-version", "v1"), ("x-slot", "99")], "stable owns the last slot");
        let unknown = outcome(&native(""), &Request::new().with("x-canary", "v9"), 7);
        assert_eq!((unknown.answer.as_str(), unknown.override_ignored), ("r/-/slot", true));
    }

    #[test]
    fn stable_owns_the_last_slot() {
        let first = outcome(&native(r#", "sticky": {"first": "stable"}"#), &Request::new(), 0);
        assert_eq!(
            (first.answer.as_str(), set(&first)),
            ("r/v1/first", vec![("x-canary-version", "v1"), ("x-slot", "99")])
        );
    }

    #[test]
    fn without_a_hold_every_request_has_a_slot_of_its_own() {
        let rules = native(r#", "sticky": {"hold": "none"}"#);
        let (one, two) = (outcome(&rules, &Request::new(), 0), outcome(&rules, &Request::new(), u64::MAX));
        assert_eq!((set(&one), set(&two)), (vec![("x-slot", "0")], vec![("x-slot", "99")]));
        assert_eq!((one.answer.as_str(), one.set_cookie), ("r/-/random", None));
    }
}

#[test]
fn a_version_is_inherited() {
    let rules = document(
        r#""headers": {"cluster": "x-cluster"}, "#,
        &format!(r#"{VERSIONS}, "inherit": true, "override": {{"header": "x-canary"}}"#),
    );
    let from = |version: &str| outcome(&rules, &Request::new().with("x-canary-version", version), 7);
    let canary = from("v2");
    assert_eq!((canary.answer.as_str(), set(&canary)), ("r/v2/inherit", vec![("x-cluster", "c2")]));
    assert_eq!((canary.removed.len(), canary.set_cookie), (0, None), "the header stands as it came in");
    let stable = from("v1");
    assert_eq!((stable.answer.as_str(), set(&stable), stable.removed.len()), ("r/v1/inherit", vec![], 0));
    for unknown in ["v9", "v3", "", "V2"] {
        let found = from(unknown);
        assert_eq!(
            (found.answer.as_str(), found.removed),
            ("r/v1/slot", vec!["x-canary-version".to_owned()]),
            "{unknown:?}"
        );
    }
    let overridden = outcome(&rules, &Request::new().with("x-canary-version", "v2").with("x-canary", "v1"), 7);
    assert_eq!(overridden.answer, "r/v2/inherit", "the outer hop has judged the override already");
}

#[test]
fn headers_go_with_a_version_and_never_come_in() {
    let fields = |stable: &str| {
        format!(
            r#""stable": "v1", "versions": {{"v1": {{{stable}}}, "v2": {{"set_headers": {{"X-Lane": "canary", "x-debug": "1"}}}}}}, "override": {{"header": "x-canary"}}"#
        )
    };
    let rules = document("", &fields(""));
    let spoofed = || Request::new().with("x-lane", "gold").with("x-debug", "2");
    let canary = outcome(&rules, &spoofed().with("x-canary", "v2"), 7);
    assert_eq!(set(&canary), [("x-canary-version", "v2"), ("x-lane", "canary"), ("x-debug", "1")]);
    assert_eq!(canary.removed.len(), 0, "what is set need not be removed");
    let stable = outcome(&rules, &spoofed(), 7);
    assert_eq!((set(&stable), stable.removed.as_slice()), (vec![], ["x-lane".to_owned(), "x-debug".into()].as_slice()));
    let marked = document("", &(fields(r#""set_headers": {"x-lane": ""}"#) + r#", "mark_stable": true"#));
    let stable = outcome(&marked, &spoofed(), 7);
    assert_eq!(set(&stable), [("x-canary-version", "v1"), ("x-lane", "")]);
    assert_eq!(stable.removed, ["x-debug"]);
}

#[test]
fn headers_of_one_rollout_are_cleared_for_all() {
    let rules = rules(
        r#"{"rollouts": {"a": {"match": [{"hosts": ["a"]}], "stable": "v1", "versions": {"v1": {}, "v2": {"set_headers": {"x-lane": "2"}}}},
            "b": {"match": [{"hosts": ["b"]}], "stable": "v1", "versions": {"v1": {}}}}}"#,
    );
    for host in ["a", "b", "elsewhere"] {
        assert_eq!(outcome(&rules, &Request::to(host, "/").with("x-lane", "2"), 7).removed, ["x-lane"], "{host}");
    }
}

#[test]
fn a_dry_run_decides_and_changes_nothing() {
    let fields = r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 100, "set_headers": {"x-lane": "2"}}}, "mark_stable": true, "dry_run": true, "sticky": {"hold": "version", "cache": "all"}"#;
    let found = outcome(&document("", fields), &Request::new(), 7);
    assert_eq!((found.answer.as_str(), set(&found)), ("r/v2/slot", vec![]));
    assert_eq!((found.set_cookie, found.kept_cookie, found.private), (None, None, false));
    let spoofed = outcome(&document("", fields), &Request::new().with("x-canary-version", "v2"), 7);
    assert_eq!(spoofed.removed, ["x-canary-version"], "a client's copies go all the same");
}

#[test]
fn responses_that_shared_caches_must_not_keep() {
    let shop = |cache: &str| {
        document(
            "",
            &format!(
                r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{}}}}, "override": {{"header": "x-canary"}}, "sticky": {{"cache": "{cache}"}}"#
            ),
        )
    };
    for (cache, stable, canary) in [("cookie", false, false), ("all", false, true)] {
        assert_eq!(outcome(&shop(cache), &Request::new(), 7).private, stable);
        assert_eq!(outcome(&shop(cache), &Request::new().with("x-canary", "v2"), 7).private, canary);
    }
}

#[test]
fn cache_control() {
    #[track_caller]
    fn check(sent: Option<&str>, expected: Option<&str>) {
        let made = private_cache_control(sent.map(str::as_bytes));
        assert_eq!(made.as_deref().map(String::from_utf8_lossy).as_deref(), expected, "{sent:?}");
    }
    check(None, Some("private"));
    check(Some(""), Some("private"));
    check(Some("public"), Some("private"));
    check(Some("Public, max-age=60"), Some("private, max-age=60"));
    check(Some("max-age=60,s-maxage=600 , must-revalidate"), Some("private, max-age=60, must-revalidate"));
    check(Some("no-cache=\"a, b\", max-age=1"), Some("private, no-cache=\"a, b\", max-age=1"));
    check(Some("private=\"set-cookie\", max-age=1"), Some("private, max-age=1"));
    for left in ["private", "max-age=60, PRIVATE", "no-store", "public, no-store"] {
        check(Some(left), None);
    }
}

mod broken {
    use super::*;
    use serin_core::Surroundings;

    /// What a request with a client's copies of our headers gets of a rollout that is broken, by a mistake and by a key that is
    /// missing.
    #[track_caller]
    fn check(fields: &str, expected: &[(&str, &str)]) {
        let whole = |keys: &str, mistake: &str| {
            rollout(&format!(
                r#""stable": "v1", "versions": {{"v1": {{"cluster": "c1"}}, "v2": {{"cluster": "c2"{mistake}}}}}, {fields}"#
            ))
            .replacen('{', &format!(r#"{{{keys}"headers": {{"cluster": "x-cluster", "slot": "x-slot"}}, "#), 1)
        };
        for document in [whole("", r#", "wieght": 1"#), whole(r#""keys": [{"id": "k", "env": "NOT_THERE"}], "#, "")] {
            let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
            assert_eq!(parsed.errors.len(), 1, "{document}");
            let request = Request::new().with("x-canary-version", "v2").with("x-secret", "of this test");
            let found = outcome(&parsed.rules.unwrap(), &request, 7);
            assert_eq!((found.answer.as_str(), set(&found).as_slice()), ("r/v1/broken", expected), "{document}");
            for (name, is_set) in [("x-canary-version", !expected.is_empty()), ("x-secret", false)] {
                assert_eq!(found.removed.iter().any(|removed| removed == name), !is_set, "{name} in {document}");
            }
        }
    }

    const SECRET: &str =
        r#""override": {"header": "x-canary", "trust": {"header": "x-secret", "secret": "a secret of this test"}}"#;

    #[test]
    fn stable_is_reached_however_the_routes_choose() {
        check(SECRET, &[]);
        let marked = [("x-canary-version", "v1"), ("x-cluster", "c1")];
        check(&format!(r#"{SECRET}, "mark_stable": true"#), &marked);
        check(&format!(r#"{SECRET}, "split": "route", "sticky": {{"hold": "version"}}"#), &marked);
        check(
            &format!(r#"{SECRET}, "split": "native""#),
            &[("x-canary-version", "v1"), ("x-cluster", "c1"), ("x-slot", "99")],
        );
        check(&format!(r#"{SECRET}, "mark_stable": true, "dry_run": true"#), &[]);
    }

    #[test]
    fn a_key_that_comes_back_finds_the_rollout_as_it_was() {
        let document =
            |weight: &str| {
                rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {weight}}}}}"#))
                    .replacen('{', r#"{"keys": [{"id": "k", "env": "KEY"}], "#, 1)
            };
        let key = |_: &str| Some("a key of sixteen bytes or more".to_owned());
        let parse = |document: String, last_good: Option<&Rules>, env: &dyn Fn(&str) -> Option<String>| {
            Rules::parse(document.as_bytes(), &Surroundings { last_good, env }).rules.unwrap()
        };
        let good = parse(document("100"), None, &key);
        let missing = parse(document("100"), Some(&good), &|_| None);
        assert_eq!(outcome(&missing, &Request::new(), 7).answer, "r/v1/broken");
        let typo = parse(document("\"x\""), Some(&missing), &key);
        assert_eq!(outcome(&typo, &Request::new(), 7).answer, "r/v2/slot", "the last good form");
    }
}
