//! Documents, good and bad: every kind of mistake with its message, and what stays in force.

mod common;

use common::{Request, outcome, rollout, rules};
use serin_core::Rules;

/// Checks that a document has exactly these mistakes, in this order.
#[track_caller]
fn check(document: &str, expected: &[&str]) {
    let found: Vec<String> = Rules::parse(document.as_bytes(), None).errors.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "\nin {document}");
}

/// Checks the mistakes of a rollout that is otherwise sound: `fields` come on top of stable and versions.
#[track_caller]
fn check_rollout(fields: &str, expected: &[&str]) {
    let comma = if fields.is_empty() { "" } else { ", " };
    check(
        &rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 10}}}}{comma}{fields}"#)),
        expected,
    );
}

/// Checks the mistakes of a rollout's versions, with v1 as stable.
#[track_caller]
fn check_versions(versions: &str, expected: &[&str]) {
    check(&rollout(&format!(r#""stable": "v1", "versions": {versions}"#)), expected);
}

/// Checks the mistakes of a top-level field beside a sound rollout.
#[track_caller]
fn check_top(fields: &str, expected: &[&str]) {
    check(&format!(r#"{{"rollouts": {{"r": {{"stable": "v1", "versions": {{"v1": {{}}}}}}}}, {fields}}}"#), expected);
}

#[test]
fn what_cannot_be_read_at_all() {
    check("", &["document: missing; expected an object with rollouts"]);
    check(" \n\t", &["document: missing; expected an object with rollouts"]);
    check("nonsense", &["document: neither JSON nor a Struct: expected ident at line 1 column 2"]);
    check(
        r#"{"rollouts": {}"#,
        &["document: neither JSON nor a Struct: EOF while parsing an object at line 1 column 15"],
    );
    check(r#"{"rollouts": {}} {}"#, &["document: neither JSON nor a Struct: trailing characters at line 1 column 18"]);
    check(
        r#"{"rollouts": {"r": 1e999}}"#,
        &["document: neither JSON nor a Struct: number out of range at line 1 column 24"],
    );
    check("[]", &["document: found a list; expected an object"]);
    check("3", &["document: found 3; expected an object"]);
    check("null", &["document: found null; expected an object"]);
    check(
        &format!("{{\"rollouts\": {{}}, \"x\": \"{}\"}}", "x".repeat(8 << 20)),
        &["document: found 8388633 bytes; expected at most 8388608"],
    );
}

#[test]
fn the_top_level() {
    check("{}", &["rollouts: missing; expected an object of rollouts by name"]);
    check(r#"{"rollouts": null}"#, &["rollouts: missing; expected an object of rollouts by name"]);
    check(r#"{"rollouts": []}"#, &["rollouts: found a list; expected an object of rollouts by name"]);
    check(r#"{"rollouts": {}, "rollouts": {}}"#, &["rollouts: the field stands here twice; expected it once"]);
    check(
        r#"{"rollout": {}}"#,
        &[
            r#"rollout: unknown field; did you mean "rollouts"?"#,
            "rollouts: missing; expected an object of rollouts by name",
        ],
    );
    check_top(r#""zebra": 1"#, &["zebra: unknown field; expected one of rollouts, cookie, headers, inbound"]);
    check_top(
        r#""inbound": "decided""#,
        &[r#"inbound: found "decided"; expected skip or decide; did you mean "decide"?"#],
    );
    check_top(r#""inbound": true"#, &["inbound: found true; expected skip or decide"]);
    let many: Vec<String> = (0..10_001).map(|n| format!(r#""r{n}": {{}}"#)).collect();
    check(
        &format!(r#"{{"rollouts": {{{}}}}}"#, many.join(",")),
        &["rollouts: found 10001 rollouts; expected at most 10000"],
    );
}

#[test]
fn output_headers() {
    let expected = r#"expected the name of a header that HTTP does not reserve, or "" for none"#;
    check_top(r#""headers": []"#, &["headers: found a list; expected an object"]);
    check_top(r#""headers": {"versions": "x"}"#, &[r#"headers.versions: unknown field; did you mean "version"?"#]);
    check_top(r#""headers": {"version": "a b"}"#, &[&format!(r#"headers.version: found "a b"; {expected}"#)]);
    check_top(r#""headers": {"version": ":path"}"#, &[&format!(r#"headers.version: found ":path"; {expected}"#)]);
    check_top(r#""headers": {"version": "Cookie"}"#, &[&format!(r#"headers.version: found "Cookie"; {expected}"#)]);
    check_top(r#""headers": {"slot": 7}"#, &[&format!("headers.slot: found 7; {expected}")]);
    check_top(
        r#""headers": {"reason": "x\r\ny"}"#,
        &[&format!(r#"headers.reason: found "x\u{{d}}\u{{a}}y"; {expected}"#)],
    );
    check_top(
        r#""headers": {"cluster": "X-Canary-Version"}"#,
        &[r#"headers: two of them are named "x-canary-version"; expected different names"#],
    );
}

#[test]
fn the_visitor_cookie() {
    check_top(r#""cookie": true"#, &["cookie: found true; expected false or an object"]);
    check_top(r#""cookie": {"nam": "c"}"#, &[r#"cookie.nam: unknown field; did you mean "name"?"#]);
    check_top(r#""cookie": {"name": "a b"}"#, &[r#"cookie.name: found "a b"; expected the name of a cookie"#]);
    check_top(r#""cookie": {"name": ""}"#, &[r#"cookie.name: found ""; expected the name of a cookie"#]);
    for bad in ["30", "30 d", "1w", "12h", "0d", "401d", "-1d", "99999999999999999999d", "36h"] {
        let message = format!(r#"cookie.max_age: found "{bad}"; expected a duration of whole days from 1d to 400d"#);
        check_top(&format!(r#""cookie": {{"max_age": "{bad}"}}"#), &[&message]);
    }
    check_top(
        r#""cookie": {"max_age": 30}"#,
        &["cookie.max_age: found 30; expected a duration of whole days from 1d to 400d"],
    );
    check_top(
        r#""cookie": {"path": "/a;b"}"#,
        &[r#"cookie.path: found "/a;b"; expected a path that begins with / and has no ; or control character"#],
    );
    check_top(
        r#""cookie": {"domain": "a b"}"#,
        &[r#"cookie.domain: found "a b"; expected a domain such as example.com"#],
    );
    check_top(
        r#""cookie": {"same_site": "laxx"}"#,
        &[r#"cookie.same_site: found "laxx"; expected strict, lax or none; did you mean "lax"?"#],
    );
    check_top(r#""cookie": {"secure": "yes"}"#, &[r#"cookie.secure: found "yes"; expected auto, true or false"#]);
    check_top(r#""cookie": {"http_only": 1}"#, &["cookie.http_only: found 1; expected true or false"]);
}

#[test]
fn cookies_that_browsers_would_refuse() {
    check_top(
        r#""cookie": {"name": "__Host-c"}"#,
        &["cookie.name: a cookie named __Host- needs secure: true, path: / and no domain"],
    );
    check_top(
        r#""cookie": {"name": "__Host-c", "secure": true, "domain": "example.com"}"#,
        &["cookie.name: a cookie named __Host- needs secure: true, path: / and no domain"],
    );
    check_top(r#""cookie": {"name": "__secure-c"}"#, &["cookie.secure: a cookie named __Secure- needs secure: true"]);
    check_top(
        r#""cookie": {"name": "__Http-c", "secure": true, "http_only": false}"#,
        &["cookie.name: a cookie named __Http- or __Host-Http- needs secure: true and http_only: true"],
    );
    check_top(
        r#""cookie": {"same_site": "none", "secure": false}"#,
        &["cookie.same_site: same_site: none needs a secure cookie; expected secure: true or auto"],
    );
    check_top(
        r#""cookie": {"partitioned": true, "secure": false}"#,
        &["cookie.partitioned: a partitioned cookie needs a secure one; expected secure: true or auto"],
    );
    check_top(r#""cookie": {"name": "__Host-c", "secure": true}"#, &[]);
}

#[test]
fn rollouts() {
    let name = "expected a name of 1 to 63 characters out of a-z, 0-9 and -";
    check(r#"{"rollouts": {"r": 1}}"#, &["rollouts.r: found 1; expected an object"]);
    check(
        r#"{"rollouts": {"Shop": {"stable": "v1", "versions": {"v1": {}}}}}"#,
        &[&format!("rollouts.Shop: the name does not fit; {name}")],
    );
    check(
        r#"{"rollouts": {"a.b": {"stable": "v1", "versions": {"v1": {}}}}}"#,
        &[&format!(r#"rollouts["a.b"]: the name does not fit; {name}"#)],
    );
    check(
        r#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}}}, "r": {"stable": "v1", "versions": {"v1": {}}}}}"#,
        &["rollouts.r: the field stands here twice; expected it once"],
    );
    check(
        r#"{"rollouts": {"r": {}}}"#,
        &[
            "rollouts.r.stable: missing; expected the name of the stable version",
            "rollouts.r.versions: missing; expected an object of versions by name",
        ],
    );
    check_rollout(r#""stabel": "v1""#, &[r#"rollouts.r.stabel: unknown field; did you mean "stable"?"#]);
    check_rollout(r#""total": 0"#, &["rollouts.r.total: found 0; expected a whole number from 1 to 1000000"]);
    check_rollout(
        r#""total": 1000001"#,
        &["rollouts.r.total: found 1000001; expected a whole number from 1 to 1000000"],
    );
    check_rollout(r#""total": 99.5"#, &["rollouts.r.total: found 99.5; expected a whole number from 1 to 1000000"]);
    check_rollout(
        r#""total": "100""#,
        &[r#"rollouts.r.total: found "100"; expected a whole number from 1 to 1000000"#],
    );
    check_rollout(r#""mark_stable": "yes""#, &[r#"rollouts.r.mark_stable: found "yes"; expected true or false"#]);
    let label = "expected a name of 1 to 63 characters out of A-Z, a-z, 0-9, _ and -";
    check_rollout(r#""release": 2026"#, &[&format!("rollouts.r.release: found 2026; {label}")]);
    check_rollout(r#""cohort": "a b""#, &[&format!(r#"rollouts.r.cohort: found "a b"; {label}"#)]);
    check(&rollout(r#""stable": 1, "versions": {"v1": {}}"#), &[&format!("rollouts.r.stable: found 1; {label}")]);
    check(
        &rollout(r#""stable": "v2", "versions": {"v1": {}}"#),
        &[r#"rollouts.r.stable: found "v2"; expected the name of a listed version; did you mean "v1"?"#],
    );
}

#[test]
fn versions() {
    check_versions("[]", &["rollouts.r.versions: found a list; expected an object of versions by name"]);
    check_versions(
        r#"{"v1": {}, "v2": {"wieght": 10}}"#,
        &[r#"rollouts.r.versions.v2.wieght: unknown field; did you mean "weight"?"#],
    );
    check_versions(r#"{"v1": {}, "v2": 10}"#, &["rollouts.r.versions.v2: found 10; expected an object"]);
    check_versions(
        r#"{"v1": {}, "v2": {}, "v2": {}}"#,
        &["rollouts.r.versions.v2: the field stands here twice; expected it once"],
    );
    check_versions(
        r#"{"v1": {}, "v 2": {}}"#,
        &[
            r#"rollouts.r.versions["v 2"]: the name does not fit; expected a name of 1 to 63 characters out of A-Z, a-z, 0-9, _ and -"#,
        ],
    );
    for bad in ["-1", "1000001", "0.5", "\"10\"", "true", "[]"] {
        let found = if bad == "[]" { "a list" } else { bad };
        check_versions(
            &format!(r#"{{"v1": {{}}, "v2": {{"weight": {bad}}}}}"#),
            &[&format!("rollouts.r.versions.v2.weight: found {found}; expected a whole number from 0 to 1000000")],
        );
    }
    check_versions(
        r#"{"v1": {}, "v2": {"weight": 101}}"#,
        &["rollouts.r.versions: the weights add up to 101; expected at most the total, 100"],
    );
    check_versions(
        r#"{"v1": {"weight": 50}, "v2": {"weight": 10}}"#,
        &["rollouts.r.versions: with stable's the weights add up to 60; expected exactly the total, 100"],
    );
    check_versions(
        r#"{"v1": {"off": true}}"#,
        &["rollouts.r.versions.v1.off: stable cannot be off; expected another stable, or off on the others"],
    );
    check_versions(
        r#"{"v1": {"place": "low"}}"#,
        &["rollouts.r.versions.v1.place: stable has no place: it takes what the others leave"],
    );
    check_versions(r#"{"v1": {}, "v2": {"off": 1}}"#, &["rollouts.r.versions.v2.off: found 1; expected true or false"]);
    for bad in ["", "a b", "a\\n"] {
        let found = bad.replace("\\n", "\\u{a}");
        check_versions(
            &format!(r#"{{"v1": {{}}, "v2": {{"cluster": "{bad}"}}}}"#),
            &[&format!(
                r#"rollouts.r.versions.v2.cluster: found "{found}"; expected the name of an Envoy cluster: 1 to 255 printable characters without spaces"#
            )],
        );
    }
    let many: Vec<String> = (1..=65).map(|n| format!(r#""v{n}": {{}}"#)).collect();
    check_versions(
        &format!("{{{}}}", many.join(",")),
        &["rollouts.r.versions: found 65 versions; expected at most 64"],
    );
}

#[test]
fn places() {
    let place = "low, high or a whole number from -64 to 63";
    check_versions(
        r#"{"v1": {}, "v2": {"weight": 5, "place": "middle"}}"#,
        &[&format!(r#"rollouts.r.versions.v2.place: found "middle"; expected {place}"#)],
    );
    for bad in ["64", "-65", "0.5"] {
        check_versions(
            &format!(r#"{{"v1": {{}}, "v2": {{"weight": 5, "place": {bad}}}}}"#),
            &[&format!("rollouts.r.versions.v2.place: found {bad}; expected {place}")],
        );
    }
    check_versions(
        r#"{"v1": {}, "v2": {"weight": 5}, "v3": {"weight": 0, "place": "high"}}"#,
        &[&format!("rollouts.r.versions.v2.place: missing; expected {place}, since 2 versions here have a weight")],
    );
    check_versions(
        r#"{"v1": {}, "v2": {"weight": 5, "place": 0}, "v3": {"weight": 5, "place": "low"}}"#,
        &[r#"rollouts.r.versions.v3.place: the same place as that of "v2"; expected a place of its own"#],
    );
}

#[test]
fn a_cluster_header_needs_clusters() {
    check(
        r#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}, "v2": {"weight": 1}}}}, "headers": {"cluster": "x-canary-cluster"}}"#,
        &[
            "rollouts.r.versions.v2.cluster: missing; expected the name of an Envoy cluster, which headers.cluster (x-canary-cluster) carries",
        ],
    );
}

#[test]
fn matches() {
    let host = r#"expected a host such as "shop.example.com" or "*.example.com", without a port"#;
    let path = "expected a path that begins with / and has no ?, # or space";
    check_rollout(
        r#""match": {}"#,
        &["rollouts.r.match: found an object; expected a list of objects with hosts or path"],
    );
    check_rollout(
        r#""match": []"#,
        &[
            "rollouts.r.match: found an empty list, which matches nothing; expected an entry, or no match for every request",
        ],
    );
    check_rollout(
        r#""match": [{"host": ["a"]}]"#,
        &[r#"rollouts.r.match[0].host: unknown field; did you mean "hosts"?"#],
    );
    check_rollout(
        r#""match": [{}, {"hosts": "a"}]"#,
        &[r#"rollouts.r.match[1].hosts: found "a"; expected a list of hosts"#],
    );
    check_rollout(
        r#""match": [{"hosts": []}]"#,
        &[
            "rollouts.r.match[0].hosts: found an empty list, which matches nothing; expected a host, or no hosts for every one",
        ],
    );
    for bad in ["a:80", "*", "*.", "*a.b", "a..b", "", "http://a", "[::1", "[x]", "a.*.b", "é"] {
        let found = bad.replace('é', "\\u{e9}");
        let message = format!(r#"rollouts.r.match[0].hosts[0]: found "{found}"; {host}"#);
        check_rollout(&format!(r#""match": [{{"hosts": ["{bad}"]}}]"#), &[&message]);
    }
    for bad in ["", "reviews", "/a?b", "/a#b", "/a b"] {
        let message = format!(r#"rollouts.r.match[0].path.prefix: found "{bad}"; {path}"#);
        check_rollout(&format!(r#""match": [{{"path": {{"prefix": "{bad}"}}}}]"#), &[&message]);
    }
    check_rollout(r#""match": [{"path": "/a"}]"#, &[r#"rollouts.r.match[0].path: found "/a"; expected an object"#]);
    check_rollout(r#""match": [{"path": {}}]"#, &["rollouts.r.match[0].path: expected one of exact and prefix"]);
    check_rollout(
        r#""match": [{"path": {"exact": "/a", "prefix": "/b"}}]"#,
        &["rollouts.r.match[0].path: expected one of exact and prefix"],
    );
}

#[test]
fn overrides() {
    check_rollout(r#""override": "x-canary""#, &[r#"rollouts.r.override: found "x-canary"; expected an object"#]);
    check_rollout(
        r#""override": {"headers": "x"}"#,
        &[r#"rollouts.r.override.headers: unknown field; did you mean "header"?"#],
    );
    check_rollout(
        r#""override": {"header": ":path"}"#,
        &[r#"rollouts.r.override.header: found ":path"; expected the name of a header"#],
    );
    check_rollout(
        r#""override": {"header": "X-Canary-Version"}"#,
        &[
            r#"rollouts.r.override.header: found "x-canary-version", which is one of the output headers and never comes in from a client; expected another header"#,
        ],
    );
    check_rollout(
        r#""override": {"query": "a=b"}"#,
        &[r#"rollouts.r.override.query: found "a=b"; expected the name of a query parameter"#],
    );
    check_rollout(
        r#""override": {"cookie": ""}"#,
        &[r#"rollouts.r.override.cookie: found ""; expected the name of a cookie"#],
    );
    check_rollout(
        r#""override": {"trust": "signed"}"#,
        &[r#"rollouts.r.override.trust: found "signed"; expected open"#],
    );
    check_rollout(
        r#""override": {"aliases": {"always": "v3"}}"#,
        &[
            r#"rollouts.r.override.aliases.always: found "v3"; expected the name of a listed version; did you mean "v1"?"#,
        ],
    );
    check_rollout(
        r#""override": {"aliases": {"v1": "v2"}}"#,
        &["rollouts.r.override.aliases.v1: the alias is also the name of a version; expected another name"],
    );
    check_rollout(
        r#""override": {"aliases": {"a b": "v2"}}"#,
        &[
            r#"rollouts.r.override.aliases["a b"]: the alias does not fit; expected a name of 1 to 63 characters out of A-Z, a-z, 0-9, _ and -"#,
        ],
    );
    check_rollout(
        r#""override": {"aliases": {"a": "v1", "a": "v2"}}"#,
        &["rollouts.r.override.aliases.a: the field stands here twice; expected it once"],
    );
}

#[test]
fn sticky() {
    check_rollout(r#""sticky": true"#, &["rollouts.r.sticky: found true; expected an object"]);
    check_rollout(
        r#""sticky": {"hold": "slots"}"#,
        &[r#"rollouts.r.sticky.hold: found "slots"; expected slot or none; did you mean "slot"?"#],
    );
    check_rollout(
        r#""sticky": {"prefer": "cookie"}"#,
        &[r#"rollouts.r.sticky.prefer: found "cookie"; expected visitor or unit"#],
    );
    check_rollout(r#""sticky": {"first": 1}"#, &["rollouts.r.sticky.first: found 1; expected draw or stable"]);
    check_rollout(
        r#""sticky": {"unit": {"header": "x"}}"#,
        &["rollouts.r.sticky.unit: found an object; expected a list such as [{header: x-user-id}, {cookie: sid}]"],
    );
    check_rollout(r#""sticky": {"unit": [{}]}"#, &["rollouts.r.sticky.unit[0]: expected one of header and cookie"]);
    check_rollout(
        r#""sticky": {"unit": [{"header": "x-id"}, {"header": "x", "cookie": "y"}]}"#,
        &["rollouts.r.sticky.unit[1]: expected one of header and cookie"],
    );
    check_rollout(
        r#""sticky": {"unit": [{"cookie": "a;b"}]}"#,
        &[r#"rollouts.r.sticky.unit[0].cookie: found "a;b"; expected the name of a cookie"#],
    );
    check_rollout(
        r#""sticky": {"unit": [{"heder": "x"}]}"#,
        &[
            r#"rollouts.r.sticky.unit[0].heder: unknown field; did you mean "header"?"#,
            "rollouts.r.sticky.unit[0]: expected one of header and cookie",
        ],
    );
}

#[test]
fn all_mistakes_at_once() {
    check(
        r#"{"rollouts": {
            "b": {"stable": "v1", "versions": {"v1": {}, "v2": {"wieght": 10}}, "total": 0},
            "a": {"stable": "v1", "versions": {"v1": {}}, "mark_stable": 1}
        }, "inbound": "x"}"#,
        &[
            r#"inbound: found "x"; expected skip or decide"#,
            "rollouts.a.mark_stable: found 1; expected true or false",
            "rollouts.b.total: found 0; expected a whole number from 1 to 1000000",
            r#"rollouts.b.versions.v2.wieght: unknown field; did you mean "weight"?"#,
        ],
    );
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

    let mixed = Rules::parse(document("\"x\"", "0").as_bytes(), Some(&good));
    assert_eq!(mixed.errors.len(), 1);
    assert_eq!(mixed.errors[0].rollout(), Some("a"));
    assert_eq!(
        answers(&mixed.rules.unwrap()),
        ["a/v2/slot", "b/v1/slot"],
        "a keeps its last good form, b's change is in force"
    );

    let cold = Rules::parse(document("\"x\"", "100").as_bytes(), None);
    assert_eq!(
        answers(&cold.rules.unwrap()),
        ["a/v1/broken", "b/v2/slot"],
        "without a last good form stable covers the match"
    );
}

#[test]
fn a_mistake_outside_the_rollouts_leaves_everything_in_force() {
    let spoiled = Rules::parse(br#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {}}}}, "cookie": 1}"#, None);
    assert!(spoiled.rules.is_none());
    assert_eq!(spoiled.errors[0].rollout(), None);
}

#[test]
fn what_a_filter_without_rules_removes() {
    #[track_caller]
    fn check(document: &str, expected: &[&str]) {
        let parsed = Rules::parse(document.as_bytes(), None);
        assert!(parsed.rules.is_none());
        let names: Vec<&str> = parsed.outputs.on_request().iter().map(|output| output.name.as_str()).collect();
        assert_eq!(names, expected, "{document}");
    }
    check("nonsense", &["x-canary-version"]);
    check(r#"{"headers": {"version": "x-v", "cluster": "x-c"}, "cookie": 1}"#, &["x-v", "x-c"]);
    check(r#"{"headers": {"version": "a b", "cluster": "x-c"}}"#, &["x-canary-version"]);
}

#[test]
fn a_flood_of_mistakes_is_counted_and_not_kept() {
    let fields: Vec<String> = (0..50_000).map(|n| format!(r#""field{n}": 0"#)).collect();
    let document = rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}}}, {}, "total": 0"#, fields.join(",")));
    let parsed = Rules::parse(document.as_bytes(), None);
    assert_eq!((parsed.errors.len(), parsed.more_errors), (1_000, 49_001));
    assert_eq!(outcome(&parsed.rules.unwrap(), &Request::new(), 0).answer, "r/v1/broken");
    let aliases: Vec<String> = (0..257).map(|n| format!(r#""a{n}": "v1""#)).collect();
    check_rollout(
        &format!(r#""override": {{"aliases": {{{}}}}}"#, aliases.join(",")),
        &["rollouts.r.override.aliases: found 257 aliases; expected at most 256"],
    );
    let units = vec![r#"{"header": "x-id"}"#; 17].join(",");
    check_rollout(
        &format!(r#""sticky": {{"unit": [{units}]}}"#),
        &["rollouts.r.sticky.unit: found 17 units; expected at most 16"],
    );
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
