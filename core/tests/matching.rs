//! Whether an entry matches a request: every matcher and every field, and what is absent, odd or hostile.

mod common;

use common::{Request, outcome, rollout, rules};
use serin_core::{Rules, Surroundings};

/// The rules of a rollout with this one entry.
#[track_caller]
fn matching(entry: &str) -> Rules {
    rules(&rollout(&format!(r#""match": [{entry}], "stable": "v1", "versions": {{"v1": {{}}}}"#)))
}

/// Checks an entry against requests, as a rollout's match and as a rule's `when`.
#[track_caller]
fn check(entry: &str, cases: &[(Request, bool)]) {
    let matched = matching(entry);
    let fields = format!(r#""versions": {{"v1": {{}}, "v2": {{}}}}, "rules": [{{"when": {entry}, "use": "v2"}}]"#);
    let ruled = rules(&rollout(&format!(r#""stable": "v1", {fields}"#)));
    for (number, (request, expected)) in cases.iter().enumerate() {
        assert_eq!(outcome(&matched, request, 0).answer == "r/v1/slot", *expected, "case {number} of {entry}");
        assert_eq!(outcome(&ruled, request, 0).answer == "r/v2/rule", *expected, "case {number} of a rule for {entry}");
    }
}

/// Checks a matcher against the values of a header; `None` where it is absent.
#[track_caller]
fn check_values(matcher: &str, cases: &[(Option<&[u8]>, bool)]) {
    let requests: Vec<(Request, bool)> = cases
        .iter()
        .map(|(value, expected)| {
            let request = Request::to("h", "/");
            (value.map_or(request.clone(), |value| request.with("x-a", value)), *expected)
        })
        .collect();
    let inverted: Vec<(Request, bool)> =
        requests.iter().map(|(request, expected)| (request.clone(), !expected)).collect();
    check(&format!(r#"{{"headers": [{{"name": "X-A", {matcher}}}]}}"#), &requests);
    check(&format!(r#"{{"headers": [{{"name": "X-A", {matcher}, "invert": false}}]}}"#), &requests);
    check(&format!(r#"{{"headers": [{{"name": "X-A", {matcher}, "invert": true}}]}}"#), &inverted);
}

/// Checks paths against a path pattern, on the host `h`.
#[track_caller]
fn check_paths(pattern: &str, cases: &[(&str, bool)]) {
    let cases: Vec<(Request, bool)> = cases.iter().map(|(path, holds)| (Request::to("h", path), *holds)).collect();
    check(&format!(r#"{{"hosts": ["h"], "path": {pattern}}}"#), &cases);
}

#[test]
fn exact() {
    check_values(
        r#""exact": "Eu-1""#,
        &[
            (Some(b"Eu-1"), true),
            (Some(b"eu-1"), false),
            (Some(b"Eu-10"), false),
            (Some(b" Eu-1"), false),
            (Some(b""), false),
            (None, false),
        ],
    );
    check_values(r#""exact": """#, &[(Some(b""), true), (Some(b"a"), false), (None, false)]);
    check_values(
        r#""exact": "eU-É", "ignore_case": true"#,
        &[(Some("Eu-É".as_bytes()), true), (Some("eu-é".as_bytes()), false), (Some(b"EU-\xc3\x89"), true)],
    );
    check_values(r#""exact": "caf\u00e9""#, &[(Some("café".as_bytes()), true), (Some(b"caf\xe9"), false)]);
}

#[test]
fn prefix_suffix_and_contains() {
    check_values(
        r#""prefix": "ab""#,
        &[
            (Some(b"ab"), true),
            (Some(b"abc\xff"), true),
            (Some(b"a"), false),
            (Some(b"AB"), false),
            (Some(b"cab"), false),
            (None, false),
        ],
    );
    check_values(
        r#""suffix": "ab""#,
        &[(Some(b"ab"), true), (Some(b"\xffab"), true), (Some(b"b"), false), (Some(b"abc"), false), (None, false)],
    );
    check_values(
        r#""contains": "ab""#,
        &[
            (Some(b"ab"), true),
            (Some(b"\x80ab\xff"), true),
            (Some(b"aab"), true),
            (Some(b"a b"), false),
            (Some(b"a"), false),
            (Some(b""), false),
            (None, false),
        ],
    );
    for matcher in ["prefix", "suffix", "contains"] {
        check_values(
            &format!(r#""{matcher}": "Ab", "ignore_case": true"#),
            &[(Some(b"aB"), true), (Some(b"AB"), true), (Some(b"a-b"), false), (None, false)],
        );
    }
    let [long, too_long] = [8_191, 8_192].map(|length| [b"a".repeat(length), b"b".to_vec()].concat());
    check_values(r#""contains": "aaab""#, &[(Some(&long), true), (Some(&too_long), false)]);
    check_values(r#""contains": "aaabb""#, &[(Some(&long), false)]);
    check_values(r#""present": true"#, &[(Some(&too_long), true)]);
}

#[test]
fn present() {
    check_values(r#""present": true"#, &[(Some(b""), true), (Some(b"\xff"), true), (None, false)]);
    check_values(r#""present": false"#, &[(Some(b""), false), (None, true)]);
}

#[test]
fn one_of_a_list() {
    check_values(
        r#""in": ["qa", "dev", "", "qa"]"#,
        &[
            (Some(b"qa"), true),
            (Some(b"dev"), true),
            (Some(b""), true),
            (Some(b"QA"), false),
            (Some(b"q"), false),
            (None, false),
        ],
    );
    check_values(r#""in": ["QA", "Dev"], "ignore_case": true"#, &[(Some(b"qA"), true), (Some(b"ops"), false)]);
    let many: Vec<String> = (0..10_000).rev().map(|n| format!(r#""user-{n}""#)).collect();
    check_values(
        &format!(r#""in": [{}]"#, many.join(",")),
        &[(Some(b"user-0"), true), (Some(b"user-9999"), true), (Some(b"user-10000"), false), (None, false)],
    );
}

#[test]
fn regex() {
    check_values(
        r#""regex": "v\\d+|canary""#,
        &[
            (Some(b"v1"), true),
            (Some(b"v12"), true),
            (Some(b"canary"), true),
            (Some(b"v"), false),
            (Some(b"xv1"), false),
            (Some(b"v1x"), false),
            (Some(b"v1\n"), false),
            (Some(b"V1"), false),
            (Some(b"v1\xff"), false),
            (None, false),
        ],
    );
    check_values(r#""regex": "a*""#, &[(Some(b""), true), (Some(b"aa"), true), (None, false)]);
    check_values(r#""regex": "(?i)QA-[a-z]""#, &[(Some(b"qa-X"), true)]);
    check_values(r#""regex": "qa-[a-z]", "ignore_case": true"#, &[(Some(b"QA-X"), true), (Some(b"QA-1"), false)]);
    // Flags of the pattern do not loosen the anchors.
    check_values(r#""regex": "(?m)a""#, &[(Some(b"a"), true), (Some(b"b\na\nb"), false)]);
    check_values(r#""regex": "a|""#, &[(Some(b"a"), true), (Some(b""), true), (Some(b"ab"), false)]);
    check_values(r#""regex": "^a$""#, &[(Some(b"a"), true), (Some(b"ab"), false)]);
    // What is not UTF-8, or too long, matches none.
    check_values(
        r#""regex": "(?s:.)*""#,
        &[(Some("é\n".as_bytes()), true), (Some(b"\xe9"), false), (Some(b"a\xff"), false)],
    );
    check_values(r#""regex": "a*""#, &[(Some(&[b'a'; 2048]), true), (Some(&[b'a'; 2049]), false)]);
}

#[test]
fn the_first_of_several_headers_counts() {
    let twice = |one, other| Request::to("h", "/").with("x-a", one).with("x-a", other);
    check(r#"{"headers": [{"name": "x-a", "exact": "1"}]}"#, &[(twice("1", "2"), true), (twice("2", "1"), false)]);
}

#[test]
fn all_conditions_have_to_hold() {
    let entry = r#"{"methods": ["GET", "PUT"], "headers": [{"name": "x-a", "exact": "1"}, {"name": "x-b", "present": false}],
        "cookies": [{"name": "c", "prefix": "1"}], "query": [{"name": "q", "exact": ""}], "source": ["10.0.0.0/8", "::1"]}"#;
    let request = |path: &str, method: &str, a: &str, cookie: &str, source: &str| {
        Request::to("h", path).with(":method", method).with("x-a", a).with("cookie", cookie).from(source)
    };
    check(
        entry,
        &[
            (request("/?q", "GET", "1", "c=1", "10.1.2.3:4"), true),
            (request("/?q=", "PUT", "1", "c=11", "[::1]:4"), true),
            (request("/?q=1", "GET", "1", "c=1", "10.1.2.3:4"), false),
            (request("/?q", "POST", "1", "c=1", "10.1.2.3:4"), false),
            (request("/?q", "GET", "2", "c=1", "10.1.2.3:4"), false),
            (request("/?q", "GET", "1", "c=2", "10.1.2.3:4"), false),
            (request("/?q", "GET", "1", "c=1", "11.1.2.3:4"), false),
            (request("/?q", "GET", "1", "c=1", "10.1.2.3:4").with("x-b", ""), false),
        ],
    );
}

#[test]
fn methods_are_compared_as_they_are() {
    let request = |method: &str| Request::to("h", "/").with(":method", method);
    check(
        r#"{"methods": ["GET", "M-SEARCH", "VERSION_2"]}"#,
        &[
            (request("GET"), true),
            (request("M-SEARCH"), true),
            (request("VERSION_2"), true),
            (request("get"), false),
            (request("GETS"), false),
            (request(""), false),
            (Request::to("h", "/"), false),
        ],
    );
}

#[test]
fn cookies() {
    let line = |line: &[u8]| Request::to("h", "/").with("cookie", line);
    check(
        r#"{"cookies": [{"name": "beta", "exact": "1"}]}"#,
        &[
            (line(b"beta=1"), true),
            (line(b"a=b; beta=1; c=d"), true),
            (line(b"a=b;\tbeta =\t1 ;c"), true),
            (line(b"beta=1; beta=2"), true),
            (line(b"beta=2; beta=1"), false),
            (line(b"beta=\x011; beta=1"), true),
            (line(b"Beta=1"), false),
            (line(b"beta=\"1\""), false),
            (line(b"beta=%31"), false),
            (line(b"xbeta=1"), false),
            (line(b"beta"), false),
            (line(b"a=b").with("cookie", "beta=1"), true),
            (line(b"beta=2").with("cookie", "beta=1"), false),
            (Request::to("h", "/"), false),
        ],
    );
    check(
        r#"{"cookies": [{"name": "beta", "present": false}]}"#,
        &[
            (line(b"beta="), false),
            (line(b"a=beta"), true),
            (line(b"a=b").with("cookie", "beta"), true),
            (line(b"a=b").with("cookie", "beta=1"), false),
            (Request::to("h", "/"), true),
        ],
    );
}

#[test]
fn query() {
    let to = |path: &str| Request::to("h", path);
    check(
        r#"{"query": [{"name": "q", "exact": "a"}]}"#,
        &[
            (to("/?q=a"), true),
            (to("/x?p=1&q=a&r"), true),
            (to("/?q=a&q=b"), true),
            (to("/?q=b&q=a"), false),
            (to("/?q&q=a"), false),
            (to("/?Q=a"), false),
            (to("/?q=%61"), false),
            (to("/?%71=a"), false),
            (to("/?q=a#q=b"), true),
            (to("/#?q=a"), false),
            (to("/?qq=a"), false),
            (to("/?x=?q=a"), false),
            (to("/?p=1;q=a"), false),
            (to("/q=a"), false),
            (Request::new(), false),
        ],
    );
    check(r#"{"query": [{"name": "q", "exact": "a=b?c"}]}"#, &[(to("/?q=a=b?c"), true), (to("/?q=a"), false)]);
    check(
        r#"{"query": [{"name": "q", "exact": ""}]}"#,
        &[(to("/?q"), true), (to("/?q="), true), (to("/?q&x"), true), (to("/"), false), (to("/?q=a"), false)],
    );
    check(
        r#"{"query": [{"name": "q", "present": true}]}"#,
        &[(to("/?q"), true), (to("/?"), false), (to("/?a&"), false)],
    );
}

#[test]
fn sources() {
    let from = |address: &str| Request::to("h", "/").from(address);
    check(
        r#"{"source": ["10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::1"]}"#,
        &[
            (from("10.0.0.0:1"), true),
            (from("10.255.255.255:65535"), true),
            (from("11.0.0.0:1"), false),
            (from("192.0.2.7:1"), true),
            (from("192.0.2.8:1"), false),
            (from("[::ffff:10.1.2.3]:1"), true),
            (from("[::ffff:a01:203]:1"), true),
            (from("[::10.1.2.3]:1"), false),
            (from("[fd12::1]:1"), true),
            (from("[fe00::1]:1"), false),
            (from("[2001:db8:0::1]:1"), true),
            (from("[2001:db8::2]:1"), false),
            (from("10.1.2.3"), false),
            (from("/tmp/socket"), false),
            (from(""), false),
            (Request::to("h", "/"), false),
        ],
    );
    check(
        r#"{"source": ["0.0.0.0/0"]}"#,
        &[(from("1.2.3.4:5"), true), (from("[::ffff:1.2.3.4]:5"), true), (from("[::1]:5"), false)],
    );
    check(
        r#"{"source": ["::/0"]}"#,
        &[(from("[::1]:5"), true), (from("1.2.3.4:5"), false), (from("[::ffff:1.2.3.4]:5"), false)],
    );
    check(r#"{"source": ["::ffff:10.0.0.0/104"]}"#, &[(from("10.1.2.3:5"), true), (from("11.1.2.3:5"), false)]);
    check(r#"{"source": ["10.0.0.0/31"]}"#, &[(from("10.0.0.1:5"), true), (from("10.0.0.2:5"), false)]);
}

#[test]
fn paths_as_they_stand() {
    check_paths(
        r#"{"prefix": "/a/b"}"#,
        &[
            ("/a/b", true),
            ("/a/b/", true),
            ("/a/b//c", true),
            ("/a/b?c", true),
            ("/a/b#c", true),
            ("/a/b/c;d", true),
            ("/a/b/%2F", true),
            ("/a/b/../c", true),
            ("/a/b;c", false),
            ("/a/b%2Fc", false),
            ("/a%2Fb", false),
            ("/a%2fb/c", false),
            ("//a/b", false),
            ("/a//b", false),
            ("/a/./b", false),
            ("/a/%62", false),
            ("/A/b", false),
            ("a/b", false),
            ("*", false),
            ("http://h/a/b", false),
            ("", false),
        ],
    );
    check_paths(
        r#"{"exact": "/a;v=1/b%2Fc"}"#,
        &[
            ("/a;v=1/b%2Fc", true),
            ("/a;v=1/b%2Fc?x#y", true),
            ("/a;v=1/b%2fc", false),
            ("/a;v=1/b/c", false),
            ("/a/b%2Fc", false),
        ],
    );
    check_paths(r#"{"exact": "/a/"}"#, &[("/a/", true), ("/a", false), ("/a//", false)]);
    check_paths(
        r#"{"regex": "/(?:shop|store)/[0-9]+"}"#,
        &[
            ("/shop/1", true),
            ("/store/22?x", true),
            ("/shop/1#x", true),
            ("/shop/1/", false),
            ("/x/shop/1", false),
            ("/shop/%31", false),
            ("/shop/1\u{e9}", false),
        ],
    );
    check_paths(r#"{"regex": ".*é"}"#, &[("/é", true), ("/%C3%A9", false)]);
    let long = format!("/{}", "a".repeat(2048));
    check_paths(r#"{"regex": "/a*"}"#, &[(&long[..2048], true), (&long, false)]);
    check_paths(r#"{"prefix": "/"}"#, &[("/", true), ("", true), ("*", true), (&long, true)]);
}

#[test]
fn a_hostile_path_is_only_a_path() {
    let slashes = "/".repeat(60_000);
    let segments = "/a".repeat(30_000);
    check_paths(r#"{"prefix": "/a/b"}"#, &[(&slashes, false), (&segments, false)]);
    check_paths(r#"{"prefix": "/a"}"#, &[(&segments, true)]);
}

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
