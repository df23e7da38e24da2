//! The judge is no rubber stamp: each outcome here has one thing wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::sound;

const DOCUMENT: &str = r#"{"headers": {"slot": "x-s", "reason": "x-r"}, "rollouts": {"r": {"stable": "v1",
    "versions": {"v1": {}, "v2": {"weight": 100, "set_headers": {"x-set": "text"}}}, "sticky": {"unit": [{"header": "x-unit"}]}}}}"#;
const NOW: Time = Time::from_unix_seconds(20_778 * 86_400);

fn case() -> (Rules, Given, Request, Judged) {
    let (rules, mut given) = (sound(DOCUMENT), Given::default());
    given.add(DOCUMENT.as_bytes());
    let headers = [("x-unit", "somebody"), ("x-canary-version", "v1")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
    let request = Request { headers, ..Request::default() };
    let judged = judge(&rules, &given, &request, NOW, 1);
    (rules, given, request, judged)
}

fn fails(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

fn set(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

type Plant = fn(&mut Judged);

#[test]
fn wrong_headers_are_found() {
    let plants: [(&str, Plant); 9] = [
        ("a name of no document", |judged| judged.set.push(set("x-other", "text"))),
        ("a client's bytes", |judged| judged.set.push(set("x-set", "somebody"))),
        ("a slot of too many digits", |judged| judged.set.push(set("x-s", "12345678"))),
        ("stable is touched", |judged| judged.is_stable = true),
        ("what did not come in is removed", |judged| judged.removed.push("text".to_owned())),
        ("a name of no document is removed", |judged| judged.removed.push("x-other".to_owned())),
        ("a name that came in, but of no document", |judged| judged.removed.push("x-canary".to_owned())),
        ("it is set and removed", |judged| judged.removed.push("x-canary-version".to_owned())),
        ("a client's version goes on", |judged| judged.set.retain(|(name, _)| name != "x-canary-version")),
    ];
    let (rules, given, mut request, judged) = case();
    request.headers.push(("x-canary".to_owned(), b"v1".to_vec()));
    assert_eq!(judged.version.as_deref(), Some("v2"));
    check_headers(&rules, &given, &request, &judged);
    for (name, plant) in plants {
        let mut planted = judged.clone();
        plant(&mut planted);
        assert!(fails(|| check_headers(&rules, &given, &request, &planted)), "{name}");
    }
}

#[test]
fn stable_is_marked_by_its_own_rollout_alone() {
    let mut given = Given::default();
    given.add(
        br#"{"rollouts": {"a": {"mark_stable": true}, "b": {"split": "native"}, "c": {"mark_stable": false, "split": "filter"}}}"#,
    );
    let found = ["a", "b", "c", "d"].map(|rollout| given.marks_stable(rollout));
    assert_eq!(found, [true, true, false, false]);
}

#[test]
fn wrong_cookies_are_found() {
    let (_, given, _, _) = case();
    for value in ["nEjRWeJq83v.d20778", "uAAAA.vv2.d20778", "ov2.e1795248000.d20778"] {
        check_cookie(&given, &format!("canary={value}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"));
    }
    check_cookie(&given, "canary=; Max-Age=0; Path=/");
    let wrong = [
        "canary=nEjRWeJq83v.d20778",
        "canary=nEjRWeJq83v.d20778; Path=/; Max-Age=60",
        "canary=nEjRWeJq83v.d20778; Max-Age=60; Pfad=/",
        "canary=nEjRWeJq83v.d20778; Max-Age=60; Path=/\u{e9}",
        "=nEjRWeJq83v.d20778; Max-Age=60",
        "canary=nEjRWeJq83v,d20778; Max-Age=60",
        "canary=nEjRWeJq8.d20778; Max-Age=60",
        "canary=nEjRWeJq83v.d; Max-Age=60",
        "canary=nEjRWeJq83v..d20778; Max-Age=60",
        "canary=uAAAA.vsomebody.d20778; Max-Age=60",
        "canary=zAAAA.d20778; Max-Age=60",
        "canary=; Max-Age=60",
    ];
    for line in wrong {
        assert!(fails(|| check_cookie(&given, line)), "{line}");
    }
}

#[test]
fn an_explanation_that_tells_something_else_is_found() {
    let plants: [Plant; 6] = [
        |judged| judged.rollout = None,
        |judged| judged.reason = Some("rule"),
        |judged| judged.reason = None,
        |judged| judged.set.clear(),
        |judged| judged.removed.push("x-s".to_owned()),
        |judged| judged.cookies.push("canary=v2; Max-Age=60".to_owned()),
    ];
    let (rules, _, request, judged) = case();
    for plant in plants {
        let mut planted = judged.clone();
        plant(&mut planted);
        assert!(fails(|| check_explanation(&rules, &request, NOW, 1, &planted)), "{planted:?}");
    }
}
