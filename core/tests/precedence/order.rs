//! What the more specific rollout leaves, and the order of kinds of conditions.

use crate::{check, covering, listed, request};

#[test]
fn what_the_more_specific_leaves_falls_to_the_less_specific() {
    check(
        &[
            ("exact", r#"[{"hosts": ["a.h"], "path": {"exact": "/x/y"}, "methods": ["GET"]}]"#),
            (
                "long",
                r#"[{"hosts": ["a.h"], "path": {"prefix": "/x/y"}, "cookies": [{"name": "beta", "exact": "1"}]}]"#,
            ),
            ("short", r#"[{"hosts": ["a.h"], "path": {"prefix": "/x"}, "query": [{"name": "q", "present": true}]}]"#),
            (
                "regex",
                r#"[{"hosts": ["a.h"], "path": {"regex": "/x.*"}, "headers": [{"name": "r", "present": true}]}]"#,
            ),
            ("any", r#"[{"hosts": ["a.h"], "headers": [{"name": "p", "present": true}]}]"#),
            ("wild", r#"[{"hosts": ["*.h"], "headers": [{"name": "w", "present": true}]}]"#),
            ("all", "[{}]"),
        ],
        &[
            ("GET a.h/x/y?q cookie:beta=1 r:1 p:1 w:1", "exact"),
            ("PUT a.h/x/y?q cookie:beta=1 r:1 p:1 w:1", "long"),
            ("PUT a.h/x/y?q cookie:beta=2 r:1 p:1 w:1", "short"),
            ("PUT a.h/x/y r:1 p:1 w:1", "regex"),
            ("PUT a.h/x/y p:1 w:1", "any"),
            ("PUT a.h/x/y w:1", "wild"),
            ("PUT a.h/x/y", "all"),
        ],
    );
}

#[test]
fn conditions_in_their_order() {
    const METHODS: &str = r#""methods": ["GET"]"#;
    let named = |kind: &str, count: usize| {
        let one: Vec<String> = (0..count).map(|n| format!(r#"{{"name": "n{n}", "present": false}}"#)).collect();
        format!(r#""{kind}": [{}]"#, one.join(","))
    };
    let source = r#""source": ["0.0.0.0/0"]"#.to_owned();
    // Each alone is more specific than all that come after it together.
    let ladder = [
        METHODS.to_owned(),
        named("headers", 2),
        named("headers", 1),
        named("query", 2),
        named("query", 1),
        named("cookies", 2),
        named("cookies", 1),
        source,
    ];
    for (at, wins) in ladder.iter().enumerate() {
        let kind = |fields: &str| fields.split(':').next().unwrap_or_default().to_owned();
        let mut rest: Vec<String> = Vec::new();
        for fields in ladder.iter().skip(at + 1) {
            if !rest.iter().chain([wins]).any(|earlier| kind(earlier) == kind(fields)) {
                rest.push(fields.clone());
            }
        }
        let rules = listed([("a", format!("[{{{}}}]", rest.join(","))), ("b", format!("[{{{wins}}}]"))]);
        let request = request("GET h/").from("192.0.2.7:1");
        assert_eq!(covering(&rules, &request), "b", "{wins} against {rest:?}");
    }
}
