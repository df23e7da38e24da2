//! Decisions and effects: layer by layer, as tables of requests.

mod common;

use common::{Request, outcome, rollout, rules};

/// Visitor numbers whose slots lie in stable's and in v2's interval of the rollout `r` below.
const ON_STABLE: &str = "canary=nAAAAAAAAAA.d20778";
const ON_V2: &str = "canary=nAAAAAAAAAB.d20778";

/// A rollout with v2 at ten percent, v3 listed, v4 off, and further fields.
fn shop(fields: &str) -> String {
    rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 10}}, "v3": {{}}, "v4": {{"off": true}}}},
           "override": {{"header": "x-canary", "query": "canary", "cookie": "canary", "aliases": {{"always": "v2", "never": "v1"}}}}
           {fields}"#
    ))
}

#[track_caller]
fn check(document: &str, request: Request, expected: &str) {
    assert_eq!(outcome(&rules(document), &request, 0).answer, expected);
}

#[test]
fn the_slot_of_a_known_visitor_decides() {
    check(&shop(""), Request::new().with("cookie", ON_STABLE), "r/v1/slot");
    check(&shop(""), Request::new().with("cookie", ON_V2), "r/v2/slot");
    check(&shop(""), Request::new().with("cookie", format!("a=b; {ON_V2}; c=d")), "r/v2/slot");
    check(&shop(""), Request::new().with("cookie", "a=b").with("cookie", ON_V2), "r/v2/slot");
}

#[test]
fn overrides_name_a_version() {
    let request = || Request::to("shop", "/?x=1&canary=v3&canary=v2#canary=v1").with("cookie", ON_V2);
    check(&shop(""), Request::new().with("x-canary", "v3"), "r/v3/override");
    check(&shop(""), Request::new().with("x-canary", " v3\t"), "r/v3/override");
    check(&shop(""), Request::new().with("x-canary", "always"), "r/v2/override");
    check(&shop(""), Request::new().with("x-canary", "never").with("cookie", ON_V2), "r/v1/override");
    check(&shop(""), request(), "r/v3/override");
    check(&shop(""), request().with("x-canary", "v2"), "r/v2/override");
    check(&shop(""), Request::new().with("cookie", "canary=v3"), "r/v3/override");
    check(&shop(""), Request::new().with("cookie", format!("{ON_STABLE}; canary=v3\r; canary=v3")), "r/v3/override");
}

#[test]
fn overrides_that_do_not_count_change_nothing() {
    for value in ["v9", "V2", "v4", "v2 v3", "v2,v3", "", "\u{e9}", "AAAAAAAAAA"] {
        check(&shop(""), Request::new().with("x-canary", value).with("cookie", ON_STABLE), "r/v1/slot");
        check(&shop(""), Request::new().with("x-canary", value).with("cookie", ON_V2), "r/v2/slot");
    }
    check(&shop(""), Request::to("shop", "/?xcanary=v3&canary=&canar=v3").with("cookie", ON_STABLE), "r/v1/slot");
    check(&shop(""), Request::to("shop", "/canary=v3").with("cookie", ON_STABLE), "r/v1/slot");
    check(&shop(""), Request::to("shop", "/?canary=%763").with("cookie", ON_STABLE), "r/v1/slot");
    check(&shop(""), Request::to("shop", "/?canary=v2").with("x-canary", "v9"), "r/v2/override");
    check(
        &rollout(r#""stable": "v1", "versions": {"v1": {}, "v2": {}}"#),
        Request::new().with("x-canary", "v2"),
        "r/v1/slot",
    );
}

#[test]
fn an_override_writes_no_cookie() {
    let overridden = outcome(&rules(&shop("")), &Request::new().with("x-canary", "v3"), 0);
    assert_eq!((overridden.set_cookie, overridden.slot), (None, None));
}

#[test]
fn the_first_value_that_names_an_open_version_counts() {
    check(&shop(""), Request::to("shop", "/?canary=junk&canary=&canary=v4&canary=v3"), "r/v3/override");
    check(&shop(""), Request::new().with("cookie", "canary=junk; canary=; canary=v3; canary=v2"), "r/v3/override");
    check(&shop(""), Request::to("shop", "/?canary=junk").with("cookie", "canary=v3"), "r/v3/override");
}

#[test]
fn what_is_ignored_is_told() {
    #[track_caller]
    fn ignored(request: Request, expected: bool) {
        assert_eq!(outcome(&rules(&shop("")), &request, 0).override_ignored, expected);
    }
    ignored(Request::new(), false);
    ignored(Request::new().with("x-canary", ""), false);
    ignored(Request::new().with("x-canary", "v9"), true);
    ignored(Request::to("shop", "/?canary=v4"), true);
    ignored(Request::new().with("cookie", "canary=v9"), true);
    ignored(Request::new().with("cookie", ON_STABLE), false);
}

#[test]
fn a_version_that_is_off_is_nobodys_answer() {
    let off = shop("").replace(r#""v2": {"weight": 10}"#, r#""v2": {"weight": 10, "off": true}"#);
    check(&off, Request::new().with("cookie", ON_V2), "r/v1/slot");
    check(&off, Request::new().with("x-canary", "v2").with("cookie", ON_STABLE), "r/v1/slot");
    check(&off, Request::new().with("x-canary", "always").with("cookie", ON_STABLE), "r/v1/slot");
}

#[test]
fn ids_stick_without_a_cookie() {
    let by_id = shop(r#", "sticky": {"unit": [{"header": "X-User-Id"}, {"cookie": "sid"}]}"#);
    let rules = rules(&by_id);
    let header = outcome(&rules, &Request::new().with("x-user-id", "alice"), 0);
    let cookie = outcome(&rules, &Request::new().with("cookie", "sid=alice"), 0);
    assert_eq!(header, cookie, "the same id is the same unit");
    assert_eq!(header.set_cookie, None);
    let empty = outcome(&rules, &Request::new().with("x-user-id", " ").with("cookie", "sid=alice"), 0);
    assert_eq!(empty, cookie, "an empty id does not count");
    let other = outcome(&rules, &Request::new().with("x-user-id", "bob"), 0);
    assert_ne!(other.slot, header.slot);
}

#[test]
fn which_of_visitor_and_id_wins() {
    let with = |prefer: &str| shop(&format!(r#", "sticky": {{"unit": [{{"header": "x-id"}}], "prefer": "{prefer}"}}"#));
    let both = || Request::new().with("x-id", "alice").with("cookie", ON_V2);
    let id_alone = outcome(&rules(&with("unit")), &Request::new().with("x-id", "alice"), 0).slot;
    let visitor_alone = outcome(&rules(&with("unit")), &Request::new().with("cookie", ON_V2), 0).slot;
    assert_eq!(outcome(&rules(&with("visitor")), &both(), 0).slot, visitor_alone);
    assert_eq!(outcome(&rules(&with("unit")), &both(), 0).slot, id_alone);
    assert_ne!(id_alone, visitor_alone);
}

#[test]
fn hold_none_draws_for_every_request() {
    let drawn = rules(&shop(r#", "sticky": {"hold": "none"}"#));
    for (bits, expected) in [(0, "r/v2/random"), (u64::MAX / 10 - 1, "r/v2/random"), (u64::MAX / 10 * 2, "r/v1/random")]
    {
        let outcome = outcome(&drawn, &Request::new().with("cookie", ON_STABLE), bits);
        assert_eq!((outcome.answer.as_str(), outcome.set_cookie), (expected, None));
    }
}

#[test]
fn without_a_cookie_and_an_id_every_request_draws() {
    let none = shop("").replacen('{', r#"{"cookie": false, "#, 1);
    let drawn = outcome(&rules(&none), &Request::new().with("cookie", ON_STABLE), 0);
    assert_eq!((drawn.answer.as_str(), drawn.set_cookie), ("r/v2/random", None));
    let first = none.replace(r#""stable": "v1""#, r#""stable": "v1", "sticky": {"first": "stable"}"#);
    check(&first, Request::new(), "r/v1/first");
}

#[test]
fn first_stable_serves_the_first_request_and_draws_the_second() {
    let rules = rules(&shop(r#", "sticky": {"first": "stable"}"#));
    let first = outcome(&rules, &Request::new(), 1);
    assert_eq!(first.answer, "r/v1/first");
    let cookie = format!("canary={}", first.cookie_value().unwrap());
    assert_eq!(outcome(&rules, &Request::new().with("cookie", cookie), 0).answer, "r/v2/slot");
}

#[test]
fn the_cookie_is_written_when_something_changes() {
    let rules = rules(&shop(""));
    let written =
        |cookie: &str| outcome(&rules, &Request::new().with("cookie", cookie), 0).cookie_value().map(str::to_owned);
    assert_eq!(written("canary=nAAAAAAAAAB.d20778"), None, "today's");
    assert_eq!(written("canary=nAAAAAAAAAB.d20771"), None, "seven days old");
    assert_eq!(written("canary=nAAAAAAAAAB.d20770"), Some("nAAAAAAAAAB.d20778".into()), "past a quarter of its age");
    assert_eq!(written("canary=nAAAAAAAAAB.d20747"), Some("nAAAAAAAAAA.d20778".into()), "past its age: a new visitor");
    assert_eq!(written("canary=nAAAAAAAAAB.d20779"), None, "a clock that runs ahead a little");
    assert_eq!(written("canary=nAAAAAAAAAB.d9999999"), Some("nAAAAAAAAAB.d20778".into()), "dated far ahead");
    assert_eq!(written("other=1"), Some("nAAAAAAAAAA.d20778".into()), "a new visitor");
}

#[test]
fn the_cookie_is_secure_as_the_scheme_is() {
    let rules = rules(&shop(""));
    let secure = |request: Request| outcome(&rules, &request, 0).set_cookie.unwrap().contains("; Secure");
    assert!(secure(Request::new().with(":scheme", "https")));
    assert!(!secure(Request::new().with(":scheme", "http")));
    assert!(!secure(Request::new()));
}

#[test]
fn a_decision_for_stable_touches_nothing() {
    let rules =
        rules(&shop("").replacen('{', r#"{"headers": {"cluster": "", "slot": "x-slot", "reason": "x-reason"}, "#, 1));
    let stable = outcome(&rules, &Request::new().with("cookie", ON_STABLE), 0);
    assert_eq!((stable.set, stable.removed), (vec![], vec![]));
    let forged = Request::new().with("cookie", ON_STABLE).with("x-canary-version", "v2").with("x-slot", "7");
    assert_eq!(outcome(&rules, &forged, 0).removed, ["x-canary-version", "x-slot"], "a client's copies are removed");
}

#[test]
fn a_decision_for_a_canary_sets_what_the_document_asks_for() {
    let document = r#"{"rollouts": {"r": {"stable": "v1", "versions": {"v1": {"cluster": "c1"}, "v2": {"cluster": "c2", "weight": 10}}}},
        "headers": {"version": "x-v", "cluster": "x-c", "slot": "x-s", "reason": "x-r"}}"#;
    let canary = outcome(&rules(document), &Request::new().with("cookie", ON_V2).with("x-v", "v1"), 0);
    let set: Vec<(&str, &str)> = canary.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let slot = canary.slot.unwrap().to_string();
    assert_eq!(set, [("x-v", "v2"), ("x-c", "c2"), ("x-s", slot.as_str()), ("x-r", "slot")]);
    assert_eq!(canary.removed, Vec::<String>::new(), "what is set need not be removed first");
}

#[test]
fn mark_stable_writes_the_headers_for_stable_too() {
    let marked = outcome(&rules(&shop(r#", "mark_stable": true"#)), &Request::new().with("cookie", ON_STABLE), 0);
    assert_eq!(marked.set, [("x-canary-version".into(), "v1".into())]);
}

#[test]
fn a_request_that_no_rollout_covers_only_loses_our_names() {
    let rules = rules(&shop(r#", "match": [{"hosts": ["shop"]}]"#));
    let other = outcome(&rules, &Request::to("blog", "/").with("x-canary", "v2").with("x-canary-version", "v2"), 0);
    assert_eq!((other.answer.as_str(), other.set_cookie), ("", None));
    assert_eq!(other.removed, ["x-canary-version"]);
}

#[test]
fn what_the_response_or_the_access_log_tells() {
    let document = rollout(r#""stable": "v1", "versions": {"v1": {}, "v2": {"weight": 100}}"#);
    for (fields, expected) in [
        (r#""headers": {"answer": "x-answer"}"#, Some("r/v2/slot")),
        (r#""access_log": true"#, Some("r/v2/slot")),
        (r#""access_log": false"#, None),
    ] {
        let document = document.replacen('{', &format!("{{{fields}, "), 1);
        assert_eq!(outcome(&rules(&document), &Request::new(), 7).told.as_deref(), expected, "{fields}");
    }
}

#[test]
fn any_bytes_anywhere_have_a_sound_answer() {
    let rules = rules(&shop(
        r#", "match": [{"hosts": ["shop"], "path": {"prefix": "/a"}}, {"path": {"prefix": "/"}}], "sticky": {"unit": [{"header": "x-id"}, {"cookie": "sid"}]}"#,
    ));
    for byte in 0..=255_u8 {
        for name in [":authority", ":path", "cookie", "x-canary", "x-id", "x-canary-version"] {
            for value in [
                vec![byte],
                vec![byte; 9],
                [b"canary=".as_slice(), &[byte], b"; sid=", &[byte]].concat(),
                [b"/?canary=".as_slice(), &[byte]].concat(),
            ] {
                let answer = outcome(&rules, &Request::new().with(name, &value), 1 << 63).answer;
                assert!(matches!(answer.as_str(), "r/v1/slot" | "r/v2/slot"), "{name}: {value:?} gave {answer}");
            }
        }
    }
}

#[test]
fn large_and_many_cookies() {
    let rules = rules(&shop(""));
    let many: Vec<String> = (0..200).map(|n| format!("c{n}={n}")).collect();
    for line in
        [format!("big={}; {ON_V2}", "x".repeat(8192)), format!("{}; {ON_V2}", many.join("; ")), ";".repeat(500) + ON_V2]
    {
        assert_eq!(outcome(&rules, &Request::new().with("cookie", line), 0).answer, "r/v2/slot");
    }
}
