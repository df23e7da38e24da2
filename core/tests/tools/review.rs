//! What is valid and surely not meant, and what is not.

use serde_json::Value;
use serin_core::{Rules, Surroundings, WARNINGS, review};

/// Checks which warnings a document gets, as `code path`, in their order.
#[track_caller]
fn check(document: &str, expected: &[&str]) {
    let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
    let errors: Vec<String> = parsed.errors.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:?}\nin {document}");
    let warnings = review(&parsed.rules.unwrap());
    let found: Vec<String> = warnings.iter().map(|of| format!("{} {}", of.code, of.error.path())).collect();
    assert_eq!(found, expected, "\n{warnings:#?}\nin {document}");
    for warning in &warnings {
        assert!(WARNINGS.iter().any(|(code, _)| *code == warning.code), "{} is not listed", warning.code);
        assert!(warning.error.message().contains("; expected "), "{warning:?} does not say what was expected");
    }
}

/// Checks a rollout `r` with versions v1, v2 and v3, of which v2 has a weight, and these fields.
#[track_caller]
fn check_rollout(fields: &str, expected: &[&str]) {
    let versions =
        r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 10, "place": "low"}, "v3": {"place": "high"}}"#;
    check(&format!(r#"{{"rollouts": {{"r": {{{versions}, {fields}}}}}}}"#), expected);
}

#[track_caller]
fn check_rules(rules: &str, expected: &[&str]) {
    check_rollout(&format!(r#""rules": [{rules}]"#), expected);
}

/// Checks rollouts by name, each with these entries of `match`.
#[track_caller]
fn check_matches(rollouts: &[(&str, &str)], expected: &[&str]) {
    let rollout = |(name, entries): &(&str, &str)| {
        format!(
            r#""{name}": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 1}}}}, "match": [{entries}]}}"#
        )
    };
    let rollouts: Vec<String> = rollouts.iter().map(rollout).collect();
    check(&format!(r#"{{"rollouts": {{{}}}}}"#, rollouts.join(", ")), expected);
}

#[test]
fn good_documents_get_few() {
    let table: Vec<Value> = serde_json::from_str(include_str!("../good-documents.json")).unwrap();
    let env = |name: &str| (name == "SERIN_KEY").then(|| "a key of sixteen bytes or more".to_owned());
    let mut found = Vec::new();
    for case in &table {
        let document = case["document"].to_string();
        let rules = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &env }).rules.unwrap();
        found
            .extend(review(&rules).into_iter().map(|of| format!("{}: {} {}", case["about"], of.code, of.error.path())));
    }
    let open_query = |about: &str| format!("{about:?}: open-query rollouts.r.override.query");
    let remembered = |time: &str| open_query(&format!("an override that is remembered for {time}"));
    let expected = [
        "\"no cookie\": not-sticky rollouts.r".to_owned(),
        open_query("every way to override"),
        remembered("1m"),
        remembered("60s"),
        remembered("90000ms"),
        remembered("400d"),
        // Its conditions are there to be read, and no value fulfils all of them.
        "\"every condition\": unreachable-rollout rollouts.r.match[0]".to_owned(),
        "\"rules\": unreachable-rule rollouts.r.rules[0]".to_owned(),
        "\"rules\": unreachable-rule rollouts.r.rules[3]".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_version_with_the_whole_total() {
    let with = |versions: &str| {
        format!(r#"{{"rollouts": {{"r": {{"stable": "v1", "versions": {{"v1": {{}}, {versions}}}}}}}}}"#)
    };
    check(&with(r#""v2": {"weight": 100}"#), &["whole-weight rollouts.r.versions.v2.weight"]);
    check(&with(r#""v2": {"weight": 99}"#), &[]);
    // Then all of it is stable's.
    check(&with(r#""v2": {"weight": 100, "off": true}"#), &[]);
    // Somebody is to get stable.
    let but_for = |rule: &str| {
        with(r#""v2": {"weight": 100}"#).replace(r#""stable""#, &format!(r#""rules": [{rule}], "stable""#))
    };
    check(&but_for(r#"{"when": {"methods": ["PUT"]}, "use": "v1"}"#), &[]);
    check(&but_for(r#"{"when": {"methods": ["PUT"]}, "weights": {"v2": 50}}"#), &[]);
    let nobody = but_for(r#"{"when": {"methods": ["PUT"]}, "use": "v2"}"#);
    check(&nobody, &["whole-weight rollouts.r.versions.v2.weight"]);
    check(
        &with(r#""v2": {"weight": 60, "place": "low"}, "v3": {"weight": 40, "place": "high"}"#),
        &["whole-weight rollouts.r.stable"],
    );
    check(&with(r#""v2": {"weight": 999999}"#).replace(r#""stable""#, r#""total": 1000000, "stable""#), &[]);
}

#[test]
fn who_may_be_sent_a_link() {
    check_rollout(r#""override": {"query": "canary"}"#, &["open-query rollouts.r.override.query"]);
    check_rollout(r#""override": {"header": "x-canary", "cookie": "lane"}"#, &[]);
    let signed = r#"{"keys": [{"id": "k1", "secret": "sixteen characters"}], "rollouts": {"r": {"stable": "v1", "versions": {"v1": {}},
        "override": {"query": "canary", "trust": "signed"}}}}"#;
    check(signed, &[]);
}

#[test]
fn what_makes_nobody_stick() {
    let without_cookie = |fields: &str| {
        format!(
            r#"{{"cookie": false, "rollouts": {{"r": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 10}}}}{fields}}}}}}}"#
        )
    };
    check(&without_cookie(""), &["not-sticky rollouts.r"]);
    check(&without_cookie(r#", "sticky": {"first": "stable"}"#), &["not-sticky rollouts.r.sticky.first"]);
    check(&without_cookie(r#", "sticky": {"hold": "none"}"#), &[]);
    check(&without_cookie(r#", "sticky": {"unit": [{"header": "x-user-id"}]}"#), &[]);
    check(&without_cookie("").replace(r#""weight": 10"#, ""), &[]);
    check(
        &without_cookie(r#", "rules": [{"when": {"methods": ["GET"]}, "weights": {"v2": 50}}]"#)
            .replace(r#""weight": 10"#, ""),
        &["not-sticky rollouts.r"],
    );
}

#[test]
fn what_changes_nothing() {
    check_rollout(r#""sticky": {"hold": "none", "unit": [{"cookie": "sid"}]}"#, &["no-effect rollouts.r.sticky.unit"]);
    check_rollout(r#""dry_run": true, "guard": {"max_percent": 5}"#, &["no-effect rollouts.r.guard"]);
}

#[test]
fn rules_that_no_request_gets_to() {
    const QA: &str = r#"{"headers": [{"name": "x-team", "exact": "qa"}]}"#;
    const TEAMS: &str = r#"{"headers": [{"name": "x-team", "in": ["dev", "qa"]}]}"#;
    let rule = |when: &str, version: &str| format!(r#"{{"when": {when}, "use": "{version}"}}"#);
    let all = r#"{"use": "v2"}"#;
    let both = |one: &str, other: &str| format!("{one}, {other}");
    check_rules(&both(&rule(QA, "v2"), all), &[]);
    check_rules(&both(all, &rule(QA, "v2")), &["unreachable-rule rollouts.r.rules[1]"]);
    check_rules(&both(&rule(QA, "v2"), &rule(QA, "v3")), &["unreachable-rule rollouts.r.rules[1]"]);
    check_rules(&both(&rule(TEAMS, "v2"), &rule(QA, "v3")), &["unreachable-rule rollouts.r.rules[1]"]);
    check_rules(&both(&rule(QA, "v2"), &rule(TEAMS, "v3")), &[]);
    let weights = r#"{"weights": {"v2": 50}}"#;
    check_rules(&both(weights, &rule(QA, "v3")), &["unreachable-rule rollouts.r.rules[1]"]);
    let contradiction = r#"{"headers": [{"name": "x-a", "exact": "1"}, {"name": "x-a", "exact": "2"}]}"#;
    check_rules(&rule(contradiction, "v2"), &["unreachable-rule rollouts.r.rules[0]"]);
    let absent = r#"{"cookies": [{"name": "a", "present": false}, {"name": "a", "prefix": "x"}]}"#;
    check_rules(&rule(absent, "v2"), &["unreachable-rule rollouts.r.rules[0]"]);

    let matching = |matches: &str, when: &str| format!(r#""match": [{matches}], "rules": [{}]"#, rule(when, "v2"));
    let cart = r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/cart"}, "methods": ["GET"]}"#;
    for elsewhere in [
        r#"{"hosts": ["blog.example.com"]}"#,
        r#"{"hosts": ["*.example.org"]}"#,
        r#"{"path": {"prefix": "/checkout"}}"#,
        r#"{"path": {"exact": "/"}}"#,
        r#"{"path": {"regex": "/check(out|in)/[0-9]+"}}"#,
        r#"{"methods": ["POST", "PUT"]}"#,
    ] {
        check_rollout(&matching(cart, elsewhere), &["unreachable-rule rollouts.r.rules[0]"]);
    }
    for within in [
        r#"{"hosts": ["*.example.com"]}"#,
        r#"{"path": {"prefix": "/"}}"#,
        r#"{"path": {"prefix": "/cart/pay"}}"#,
        r#"{"path": {"regex": "/(cart|pay)/.*"}}"#,
        r#"{"path": {"regex": "/car.*"}}"#,
        r#"{"methods": ["POST", "GET"]}"#,
    ] {
        check_rollout(&matching(cart, within), &[]);
    }
    check_rollout(&matching(&format!("{cart}, {{}}"), r#"{"path": {"exact": "/"}}"#), &[]);

    let off = r#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}, "v2": {"off": true}}, "rules": [{"use": "v2"}, {"use": "v1"}]}}}"#;
    // That is what the kill switch is for.
    check(off, &[]);
}

#[test]
fn rollouts_that_no_request_gets_to() {
    check_matches(&[("a", "{}"), ("b", "{}")], &["unreachable-rollout rollouts.b"]);
    let shop = r#"{"hosts": ["shop.example.com"]}"#;
    check_matches(&[("a", shop), ("b", shop)], &["unreachable-rollout rollouts.b.match"]);
    check_matches(&[("a", shop), ("b", "{}")], &[]);
    // One value is one however it is asked for.
    let asks = |test: &str| format!(r#"{{"headers": [{{"name": "x-b", {test}}}]}}"#);
    let (exact, listed) = (asks(r#""exact": "beta""#), asks(r#""in": ["beta"]"#));
    check_matches(&[("a", &exact), ("b", &listed)], &["unreachable-rollout rollouts.b.match"]);
    check_matches(&[("a", &listed), ("b", &exact)], &["unreachable-rollout rollouts.b.match"]);
    check_matches(&[("a", &exact), ("b", &asks(r#""in": ["beta", "gamma"]"#))], &[]);
    let two = r#"{"hosts": ["shop.example.com", "www.example.com"]}"#;
    check_matches(&[("a", shop), ("b", two)], &[]);
    check_matches(&[("a", two), ("b", shop)], &["unreachable-rollout rollouts.b.match"]);
    // Spelled in another way, and still the same.
    check_matches(
        &[("a", r#"{"path": {"prefix": "/a/"}}"#), ("b", r#"{"path": {"prefix": "/a"}}"#)],
        &["unreachable-rollout rollouts.b.match"],
    );
    check_matches(&[("a", r#"{"path": {"prefix": "/a"}}"#), ("b", r#"{"path": {"prefix": "/a/b"}}"#)], &[]);
    // More conditions come first, so that the one with fewer is never hidden by them.
    let qa = r#"{"headers": [{"name": "x-team", "exact": "qa"}]}"#;
    check_matches(&[("a", qa), ("b", "{}")], &[]);
    check_matches(
        &[("a", r#"{"headers": [{"name": "x-team", "in": ["qa", "dev"]}]}"#), ("b", qa)],
        &["unreachable-rollout rollouts.b.match"],
    );
    check_matches(
        &[("a", r#"{"source": ["10.0.0.0/8"]}"#), ("b", r#"{"source": ["10.1.0.0/16", "10.2.3.4"]}"#)],
        &["unreachable-rollout rollouts.b.match"],
    );
    check_matches(&[("a", r#"{"source": ["::/0"]}"#), ("b", r#"{"source": ["10.1.0.0/16"]}"#)], &[]);
    check_matches(
        &[("a", r#"{"source": ["::/0"]}"#), ("b", r#"{"source": ["fd00::/8"]}"#)],
        &["unreachable-rollout rollouts.b.match"],
    );
    // One entry of two, by another one of the same rollout.
    check_matches(&[("a", &format!("{shop}, {shop}"))], &["unreachable-rollout rollouts.a.match[1]"]);
}

#[test]
fn a_regex_comes_behind_every_prefix() {
    let prefix = r#"{"path": {"prefix": "/reviews"}}"#;
    let check = |regex: &str, expected: &[&str]| {
        let regex = format!(r#"{{"path": {{"regex": "{regex}"}}}}"#);
        check_matches(&[("a", &regex), ("b", prefix)], expected);
    };
    check("/reviews/[0-9]+", &["unreachable-rollout rollouts.a.match"]);
    check("/reviews/(a|b)", &["unreachable-rollout rollouts.a.match"]);
    check("/reviews[0-9]*", &[]);
    check("/(?:de/)?reviews/[0-9]+", &[]);
    check(".*", &[]);
}

#[test]
fn expressions_without_anything_regular() {
    let of_header = |name: &str, regex: &str, expected: &[&str]| {
        let rule = format!(r#"{{"when": {{"headers": [{{"name": "{name}", "regex": "{regex}"}}]}}, "use": "v2"}}"#);
        check_rules(&rule, expected);
    };
    let warned: &[&str] = &["literal-regex rollouts.r.rules[0].when.headers[0].regex"];
    of_header("user-agent", "Firefox", warned);
    of_header("user-agent", "(?i)firefox", warned);
    of_header("user-agent", "^Mozilla", warned);
    of_header("user-agent", "Firefox|Chrome", warned);
    of_header("user-agent", ".*Firefox.*", &[]);
    of_header("user-agent", "^curl/8$", &[]);
    of_header("x-group", "qa|dev", &[]);
    of_header("x-group", "(?i)qa", &[]);
    of_header("accept", "application/json|text/html", &[]);
    check_rules(
        r#"{"when": {"cookies": [{"name": "a", "regex": "x", "ignore_case": true}]}, "use": "v2"}"#,
        &["literal-regex rollouts.r.rules[0].when.cookies[0].regex"],
    );
    check_matches(&[("a", r#"{"path": {"regex": "/reviews"}}"#)], &["literal-regex rollouts.a.match[0].path.regex"]);
}

#[test]
fn stars_in_paths() {
    let check =
        |path: &str, expected: &[&str]| check_matches(&[("a", &format!(r#"{{"path": {{{path}}}}}"#))], expected);
    check(r#""prefix": "/api/*""#, &["literal-star rollouts.a.match[0].path.prefix"]);
    check(r#""exact": "/*/cart""#, &["literal-star rollouts.a.match[0].path.exact"]);
    check(r#""regex": "/api/.*""#, &[]);
    check(r#""prefix": "/api""#, &[]);
}

#[test]
fn cookies_that_browsers_refuse_or_do_not_send() {
    let with = |cookie: &str, matches: &str| {
        format!(
            r#"{{"cookie": {cookie}, "rollouts": {{"r": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 1}}}}, "match": [{matches}]}}}}}}"#
        )
    };
    let shop = r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/shop"}}"#;
    check(&with(r#"{"domain": "example.com"}"#, shop), &[]);
    check(&with(r#"{"domain": "shop.example.com"}"#, shop), &[]);
    check(&with(r#"{"domain": "example.org"}"#, shop), &["cookie-refused cookie.domain"]);
    check(&with(r#"{"domain": "ample.com"}"#, shop), &["cookie-refused cookie.domain"]);
    check(&with(r#"{"domain": "com"}"#, shop), &["cookie-refused cookie.domain"]);
    check(&with(r#"{"domain": "github.io"}"#, "{}"), &["cookie-refused cookie.domain"]);
    check(&with(r#"{"domain": "10.0.0.1"}"#, "{}"), &["cookie-refused cookie.domain"]);
    // A domain that is the host itself is as good as none.
    check(&with(r#"{"domain": "localhost"}"#, r#"{"hosts": ["localhost"]}"#), &[]);
    check(&with(r#"{"domain": "10.0.0.1"}"#, r#"{"hosts": ["10.0.0.1"]}"#), &[]);
    // Machines that are told by their ids do without.
    let api = r#", "sticky": {"unit": [{"header": "x-user-id"}]}, "match": [{"hosts": ["api.internal"]}]"#;
    let ids = with(r#"{"domain": "example.com", "path": "/shop"}"#, shop);
    let rollout = format!(r#""rollouts": {{"api": {{"stable": "v1", "versions": {{"v1": {{}}}}{api}}}, "#);
    check(&ids.replace(r#""rollouts": {"#, &rollout), &[]);
    check(&with(r#"{"domain": "example.com"}"#, r#"{"hosts": ["*.example.com"]}"#), &[]);
    check(&with(r#"{"domain": "a.example.com"}"#, r#"{"hosts": ["*.example.com"]}"#), &[]);
    check(&with(r#"{"path": "/shop"}"#, shop), &[]);
    check(&with(r#"{"path": "/shop/"}"#, shop), &[]);
    check(&with(r#"{"path": "/"}"#, shop), &[]);
    check(&with(r#"{"path": "/cart"}"#, shop), &["cookie-unsent cookie.path"]);
    check(&with(r#"{"path": "/shop/cart"}"#, shop), &[]);
}
