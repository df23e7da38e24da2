//! Matchers: what a value has to be, and one that is absent, no text or too long.

use crate::check;
use crate::common::Request;

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
fn prefix_and_suffix() {
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
}

#[test]
fn contains() {
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
    let [long, too_long] = [8_191, 8_192].map(|length| [b"a".repeat(length), b"b".to_vec()].concat());
    check_values(r#""contains": "aaab""#, &[(Some(&long), true), (Some(&too_long), false)]);
    check_values(r#""contains": "aaabb""#, &[(Some(&long), false)]);
    check_values(r#""present": true"#, &[(Some(&too_long), true)]);
}

#[test]
fn parts_of_a_value_in_any_case() {
    for matcher in ["prefix", "suffix", "contains"] {
        check_values(
            &format!(r#""{matcher}": "Ab", "ignore_case": true"#),
            &[(Some(b"aB"), true), (Some(b"AB"), true), (Some(b"a-b"), false), (None, false)],
        );
    }
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
