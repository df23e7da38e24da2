//! Which rollout covers a request: the most specific one, whatever the order in the document.

mod common;

use common::{Request, outcome, rules};

/// Checks requests `(host, path, rollout)` against rollouts given as `(name, match)`.
#[track_caller]
fn check(rollouts: &[(&str, &str)], requests: &[(&str, &str, &str)]) {
    let listed = |rollouts: Vec<&(&str, &str)>| {
        let listed: Vec<String> = rollouts
            .iter()
            .map(|(name, entries)| {
                format!(r#""{name}": {{"match": {entries}, "stable": "v1", "versions": {{"v1": {{}}}}}}"#)
            })
            .collect();
        rules(&format!(r#"{{"rollouts": {{{}}}}}"#, listed.join(",")))
    };
    for rules in [listed(rollouts.iter().collect()), listed(rollouts.iter().rev().collect())] {
        for (host, path, expected) in requests {
            let answer = outcome(&rules, &Request::to(host, path), 0).answer;
            assert_eq!(answer.split('/').next().unwrap(), *expected, "{host}{path}");
        }
    }
}

#[test]
fn hosts() {
    check(
        &[
            ("exact", r#"[{"hosts": ["a.shop.example.com"]}]"#),
            ("long", r#"[{"hosts": ["*.shop.example.com"]}]"#),
            ("short", r#"[{"hosts": ["*.Example.com", "[::1]"]}]"#),
        ],
        &[
            ("a.shop.example.com", "/", "exact"),
            ("A.Shop.EXAMPLE.com:8443", "/", "exact"),
            ("b.shop.example.com", "/", "long"),
            ("c.b.shop.example.com", "/", "long"),
            ("shop.example.com", "/", "short"),
            ("x.example.com", "/", "short"),
            ("example.com", "/", ""),
            (".example.com", "/", ""),
            ("xexample.com", "/", ""),
            ("a.shop.example.com:", "/", "exact"),
            // No port: by RFC 3986 the host of this one is `h`.
            ("a.shop.example.com:80@h", "/", ""),
            ("[::1]:80", "/", "short"),
            ("[::1]:8o", "/", ""),
            ("[::1]", "/", "short"),
            ("", "/", ""),
        ],
    );
}

#[test]
fn a_host_of_dots_is_only_a_host() {
    let dots = format!("a{}", ".".repeat(59_000));
    check(&[("r", r#"[{"hosts": ["*.example.com"]}]"#)], &[(&dots, "/", ""), ("a.example.com", "/", "r")]);
}

#[test]
fn a_host_is_at_most_253_octets_and_a_port() {
    let named = |length: usize, port: &str| format!("{}.example.com{port}", "a".repeat(length - ".example.com".len()));
    let entry = [("r", r#"[{"hosts": ["*.example.com"]}]"#)];
    for (host, expected) in
        [(named(253, ""), "r"), (named(253, ":65535"), "r"), (named(254, ":65535"), ""), (named(300, ""), "")]
    {
        check(&entry, &[(&host, "/", expected)]);
    }
}

#[test]
fn paths() {
    check(
        &[
            ("exact", r#"[{"path": {"exact": "/a/b"}}]"#),
            ("long", r#"[{"path": {"prefix": "/a/b"}}]"#),
            ("short", r#"[{"path": {"prefix": "/a/"}}]"#),
        ],
        &[
            ("h", "/a/b", "exact"),
            ("h", "/a/b?x=/a", "exact"),
            ("h", "/a/b/", "long"),
            ("h", "/a/b/c/d", "long"),
            ("h", "/a/bc", "short"),
            ("h", "/a", "short"),
            ("h", "/a/", "short"),
            ("h", "/a?b", "short"),
            ("h", "/a#b", "short"),
            ("h", "/ab", ""),
            ("h", "/", ""),
            ("h", "", ""),
            ("h", "/A/b", ""),
        ],
    );
}

#[test]
fn a_host_counts_more_than_a_path_and_a_name_decides_last() {
    check(
        &[
            ("any-host", r#"[{"path": {"exact": "/a"}}]"#),
            ("host", r#"[{"hosts": ["h"], "path": {"prefix": "/"}}]"#),
            ("host-too", r#"[{"hosts": ["h"]}]"#),
            ("wild", r#"[{"hosts": ["*.h"], "path": {"exact": "/a"}}]"#),
        ],
        &[("h", "/a", "host"), ("x.h", "/a", "wild"), ("x.h", "/b", ""), ("y", "/a", "any-host")],
    );
}

#[test]
fn a_less_specific_host_covers_what_the_more_specific_one_leaves() {
    check(
        &[("exact", r#"[{"hosts": ["a.h"], "path": {"prefix": "/x"}}]"#), ("wild", r#"[{"hosts": ["*.h"]}]"#)],
        &[("a.h", "/x/1", "exact"), ("a.h", "/y", "wild")],
    );
}

#[test]
fn entries_are_an_or() {
    check(
        &[("r", r#"[{"hosts": ["a", "b"]}, {"path": {"exact": "/c"}}]"#)],
        &[("a", "/", "r"), ("b", "/", "r"), ("z", "/c", "r"), ("z", "/", "")],
    );
}

#[test]
fn a_request_without_a_host_is_covered_by_rollouts_for_every_host() {
    let rules = rules(
        r#"{"rollouts": {
            "all": {"stable": "v1", "versions": {"v1": {}}},
            "h": {"match": [{"hosts": ["h"]}], "stable": "v1", "versions": {"v1": {}}}
        }}"#,
    );
    assert_eq!(outcome(&rules, &Request::new(), 0).answer, "all/v1/slot");
}
