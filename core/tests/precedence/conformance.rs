//! The cases of Gateway API's conformance tests.

use crate::check;

#[test]
fn paths_and_headers() {
    check(
        &[
            ("v1", r#"[{"path": {"prefix": "/"}}, {"headers": [{"name": "version", "exact": "one"}]}]"#),
            ("v2", r#"[{"path": {"prefix": "/v2"}}, {"headers": [{"name": "version", "exact": "two"}]}]"#),
        ],
        &[
            ("GET h/", "v1"),
            ("GET h/example", "v1"),
            ("GET h/ version:one", "v1"),
            ("GET h/v2", "v2"),
            ("GET h/v2/example", "v2"),
            ("GET h/ version:two", "v2"),
            ("GET h/v2/", "v2"),
            ("GET h/v2example", "v1"),
            ("GET h/foo/v2/example", "v1"),
            ("GET h/v2 version:one", "v2"),
        ],
    );
}

#[test]
fn path_order() {
    check(
        &[
            ("a", r#"[{"path": {"exact": "/match"}}]"#),
            ("b", r#"[{"path": {"exact": "/match/exact"}}]"#),
            ("c", r#"[{"path": {"exact": "/match/exact/one"}}]"#),
            ("d", r#"[{"path": {"prefix": "/match/"}}]"#),
            ("e", r#"[{"path": {"prefix": "/match/prefix/"}}]"#),
            ("f", r#"[{"path": {"prefix": "/match/prefix/one"}}]"#),
            ("g", r#"[{"path": {"regex": "/match/prefix/.*|/[a-z]+"}}]"#),
            ("h", r#"[{"path": {"prefix": "/"}, "methods": ["PUT"]}]"#),
        ],
        &[
            ("GET h/match/exact/one", "c"),
            ("GET h/match/exact", "b"),
            ("GET h/match", "a"),
            ("GET h/match/prefix/one/any", "f"),
            ("GET h/match/prefix/any", "e"),
            ("GET h/match/any", "d"),
            ("PUT h/match/any", "d"),
            ("PUT h/other", "g"),
            ("PUT h/other/", "h"),
            ("GET h/other/", ""),
        ],
    );
}

#[test]
fn exact_paths() {
    check(
        &[("v1", r#"[{"path": {"exact": "/one"}}]"#), ("v2", r#"[{"path": {"exact": "/two"}}]"#)],
        &[
            ("GET h/one", "v1"),
            ("GET h/two", "v2"),
            ("GET h/", ""),
            ("GET h/one/example", ""),
            ("GET h/two/", ""),
            ("GET h/Two", ""),
        ],
    );
}

#[test]
fn headers() {
    let color = |one: &str, other: &str| {
        let entry = |color| format!(r#"{{"headers": [{{"name": "color", "exact": "{color}"}}]}}"#);
        format!("[{}, {}]", entry(one), entry(other))
    };
    check(
        &[
            ("a", r#"[{"headers": [{"name": "version", "exact": "one"}]}]"#),
            ("b", r#"[{"headers": [{"name": "version", "exact": "two"}]}]"#),
            ("c", r#"[{"headers": [{"name": "version", "exact": "two"}, {"name": "color", "exact": "orange"}]}]"#),
            ("d", &color("blue", "green")),
            ("e", &color("red", "yellow")),
        ],
        &[
            ("GET h/ version:one", "a"),
            ("GET h/ version:two", "b"),
            ("GET h/ version:two color:orange", "c"),
            ("GET h/ version:two color:blue", "b"),
            ("GET h/ color:orange", ""),
            ("GET h/ some-other-header:one", ""),
            ("GET h/ color:blue", "d"),
            ("GET h/ color:green", "d"),
            ("GET h/ color:red", "e"),
            ("GET h/ color:yellow", "e"),
            ("GET h/ color:purple", ""),
        ],
    );
}

#[test]
fn query_parameters() {
    check(
        &[
            ("a", r#"[{"query": [{"name": "animal", "exact": "whale"}]}]"#),
            ("b", r#"[{"query": [{"name": "animal", "exact": "dolphin"}]}]"#),
            (
                "c",
                r#"[{"query": [{"name": "animal", "exact": "dolphin"}, {"name": "color", "exact": "blue"}]},
                    {"query": [{"name": "ANIMAL", "exact": "Whale"}]}]"#,
            ),
        ],
        &[
            ("GET h/?animal=whale", "a"),
            ("GET h/?animal=dolphin", "b"),
            ("GET h/?animal=dolphin&color=blue", "c"),
            ("GET h/?ANIMAL=Whale", "c"),
            ("GET h/?animal=whale&otherparam=irrelevant", "a"),
            ("GET h/?animal=dolphin&color=yellow", "b"),
            ("GET h/?color=blue", ""),
            ("GET h/?animal=dog", ""),
            ("GET h/?animal=whaledolphin", ""),
            ("GET h/", ""),
        ],
    );
}

#[test]
fn query_parameters_beside_paths_and_headers() {
    const WHALE: &str = r#""query": [{"name": "animal", "exact": "whale"}]"#;
    let with_whale = |fields: &str| format!("[{{{fields}{WHALE}}}]");
    check(
        &[
            ("a", &with_whale("")),
            ("d", &with_whale(r#""path": {"prefix": "/path1"}, "#)),
            ("e", &with_whale(r#""headers": [{"name": "version", "exact": "one"}], "#)),
            ("f", &with_whale(r#""path": {"prefix": "/path2"}, "headers": [{"name": "version", "exact": "two"}], "#)),
            (
                "g",
                r#"[{"path": {"prefix": "/path3"}, "query": [{"name": "animal", "exact": "shark"}]},
                    {"path": {"prefix": "/path4"}, "headers": [{"name": "version", "exact": "three"}],
                     "query": [{"name": "animal", "exact": "kraken"}]}]"#,
            ),
            ("h", r#"[{"path": {"prefix": "/path5"}}]"#),
            ("i", r#"[{"query": [{"name": "animal", "exact": "hydra"}]}]"#),
            ("j", r#"[{"headers": [{"name": "version", "exact": "four"}]}]"#),
        ],
        &[
            ("GET h/?animal=whale", "a"),
            ("GET h/path1?animal=whale", "d"),
            ("GET h/?animal=whale version:one", "e"),
            ("GET h/path2?animal=whale version:two", "f"),
            ("GET h/path3?animal=shark", "g"),
            ("GET h/path4?animal=kraken version:three", "g"),
            ("GET h/?animal=shark", ""),
            ("GET h/path4?animal=kraken", ""),
            ("GET h/path5?animal=hydra", "h"),
            ("GET h/?animal=hydra version:four", "j"),
        ],
    );
}

#[test]
fn methods() {
    check(
        &[
            ("a", r#"[{"methods": ["POST"]}]"#),
            ("b", r#"[{"methods": ["GET"]}]"#),
            ("c", r#"[{"path": {"prefix": "/path1"}, "methods": ["GET"]}]"#),
            ("d", r#"[{"headers": [{"name": "version", "exact": "one"}], "methods": ["PUT"]}]"#),
            (
                "e",
                r#"[{"path": {"prefix": "/path2"}, "headers": [{"name": "version", "exact": "two"}], "methods": ["POST"]}]"#,
            ),
            (
                "f",
                r#"[{"path": {"prefix": "/path3"}, "methods": ["PATCH"]},
                    {"path": {"prefix": "/path4"}, "headers": [{"name": "version", "exact": "three"}], "methods": ["DELETE"]}]"#,
            ),
            ("g", r#"[{"path": {"prefix": "/path5"}}]"#),
            ("h", r#"[{"methods": ["PATCH"]}]"#),
            ("i", r#"[{"headers": [{"name": "version", "exact": "four"}]}]"#),
        ],
        &[
            ("POST h/", "a"),
            ("GET h/", "b"),
            ("HEAD h/", ""),
            ("GET h/path1", "c"),
            ("PUT h/ version:one", "d"),
            ("POST h/path2 version:two", "e"),
            ("PATCH h/path3", "f"),
            ("DELETE h/path4 version:three", "f"),
            ("PUT h/", ""),
            ("DELETE h/path4", ""),
            ("PATCH h/path5", "g"),
            ("PATCH h/ version:four", "h"),
        ],
    );
}

#[test]
fn across_rollouts() {
    check(
        &[
            (
                "part1",
                r#"[{"hosts": ["example.com", "example.net"], "path": {"prefix": "/"}},
                    {"hosts": ["example.com", "example.net"], "headers": [{"name": "version", "exact": "one"}]}]"#,
            ),
            (
                "part2",
                r#"[{"hosts": ["example.com"], "path": {"prefix": "/v2"}},
                    {"hosts": ["example.com"], "headers": [{"name": "version", "exact": "two"}]}]"#,
            ),
        ],
        &[
            ("GET example.com/", "part1"),
            ("GET example.com/example", "part1"),
            ("GET example.net/example", "part1"),
            ("GET example.com/example version:one", "part1"),
            ("GET example.com/v2", "part2"),
            ("GET example.net/v2", "part1"),
            ("GET example.com/v2/example", "part2"),
            ("GET example.com/ version:two", "part2"),
        ],
    );
}
