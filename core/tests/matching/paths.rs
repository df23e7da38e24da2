//! Paths, as they stand in `:path`.

use crate::check;
use crate::common::Request;

/// Checks paths against a path pattern, on the host `h`.
#[track_caller]
fn check_paths(pattern: &str, cases: &[(&str, bool)]) {
    let cases: Vec<(Request, bool)> = cases.iter().map(|(path, holds)| (Request::to("h", path), *holds)).collect();
    check(&format!(r#"{{"hosts": ["h"], "path": {pattern}}}"#), &cases);
}

#[test]
fn prefixes() {
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
}

#[test]
fn exact_paths() {
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
}

#[test]
fn regexes() {
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
    let hundred = format!("/{}", "a1".repeat(50));
    check_paths(r#"{"regex": "/[a-z0-9]{100}"}"#, &[(&hundred, true), (&hundred[1..], false)]);
    let long = format!("/{}", "a".repeat(2048));
    check_paths(r#"{"regex": "/a*"}"#, &[(&long[..2048], true), (&long, false)]);
}

#[test]
fn any_path() {
    let long = format!("/{}", "a".repeat(2048));
    check_paths(r#"{"prefix": "/"}"#, &[("/", true), ("", true), ("*", true), (&long, true)]);
}

#[test]
fn a_hostile_path_is_only_a_path() {
    let slashes = "/".repeat(60_000);
    let segments = "/a".repeat(30_000);
    check_paths(r#"{"prefix": "/a/b"}"#, &[(&slashes, false), (&segments, false)]);
    check_paths(r#"{"prefix": "/a"}"#, &[(&segments, true)]);
}
