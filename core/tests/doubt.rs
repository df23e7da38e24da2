//! A source that does not tell everything: stable serves, nothing is kept, and a client's copies of our headers go.

mod common;

use std::borrow::Cow;
use std::cell::Cell;

use common::{Request, TODAY, outcome, outcome_with, rollout, rules};
use serin_core::{Current, Source, Time};

/// A request of which one thing is not told.
struct Refusing<'a> {
    request: &'a Request,
    refused: &'a str,
    in_doubt: Cell<bool>,
}

impl Refusing<'_> {
    fn refuses(&self, what: &str) -> bool {
        self.in_doubt.set(self.in_doubt.get() || what == self.refused);
        what == self.refused
    }
}

impl Source for Refusing<'_> {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        if self.refuses(name) { Some(Cow::default()) } else { self.request.header(name) }
    }

    fn headers(&self, name: &str) -> Vec<Vec<u8>> {
        if self.refuses(name) { Vec::new() } else { self.request.headers(name) }
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        if self.refuses("address") { None } else { self.request.source_address() }
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        if self.refuses("cluster") { None } else { self.request.cluster_name() }
    }

    fn in_doubt(&self) -> bool {
        self.in_doubt.get()
    }
}

/// A rollout whose visitors are all on v2, with these fields more.
fn shop(fields: &str) -> String {
    rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 100, "set_headers": {{"x-lane": "two"}}}}}}{fields}"#
    ))
}

/// What comes of a request with a client's copies of our headers, if each of these things is refused: the answer and the
/// headers that are set.
#[track_caller]
fn check(document: &str, things: &[&str], expected: (&str, &[(&str, &str)])) {
    let request =
        Request::to("shop.example.com", "/cart?canary=no&u=1").with(":method", "GET").with(":scheme", "https");
    let request = request.with("cookie", "a=1").with("x-user-id", "7").with("x-canary-version", "spoofed");
    let request = request.with("x-lane", "spoofed").from("192.0.2.7:80");
    let rules = rules(document);
    let current = Current::new(&rules, Time::from_unix_seconds(TODAY));
    assert!(outcome(&rules, &request, 7).answer.starts_with("r/v2/"), "{document}");
    for refused in things {
        let source = Refusing { request: &request, refused, in_doubt: Cell::new(false) };
        let found = outcome_with(&rules, &current, &source, 7, TODAY);
        let set: Vec<_> = found.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((found.answer.as_str(), &*set), expected, "{document} without {refused}");
        assert_eq!(found.cookies(), "", "{document} without {refused}");
        for name in ["x-canary-version", "x-lane"] {
            let stays = set.iter().all(|(set, _)| *set != name) && !found.removed.iter().any(|removed| removed == name);
            assert!(!stays, "{name} stays: {document} without {refused}");
        }
    }
}

#[test]
fn where_it_is_not_known_who_asks_stable_serves() {
    const STABLE: (&str, &[(&str, &str)]) = ("r/v1/broken", &[]);
    check(&shop(""), &["cookie"], STABLE);
    check(&shop(r#", "sticky": {"hold": "version"}"#), &["cookie"], STABLE);
    check(&shop(r#", "sticky": {"unit": [{"header": "x-user-id"}], "prefer": "unit"}"#), &["x-user-id"], STABLE);
    check(&shop(r#", "sticky": {"unit": [{"query": "u"}], "prefer": "unit"}"#), &[":path"], STABLE);
    check(&shop(r#", "sticky": {"unit": [{"source": "address"}], "prefer": "unit"}"#), &["address"], STABLE);
    check(&shop(r#", "override": {"header": "x-canary", "query": "canary"}"#), &["x-canary", ":path"], STABLE);
    let rule = r#", "rules": [{"when": {"headers": [{"name": "x-team", "exact": "qa"}]}, "use": "v1"}]"#;
    check(&shop(rule), &["x-team"], STABLE);
    let marked = ("r/v1/broken", &[("x-canary-version", "v1")][..]);
    check(&shop(r#", "mark_stable": true"#), &["cookie"], marked);
}

#[test]
fn where_it_is_not_known_what_covers_a_request_nothing_does() {
    const NOTHING: (&str, &[(&str, &str)]) = ("", &[]);
    let matching = |entry: &str| shop(&format!(r#", "mark_stable": true, "match": [{entry}]"#));
    check(
        &matching(r#"{"hosts": ["shop.example.com"], "path": {"prefix": "/cart"}}"#),
        &[":authority", ":path"],
        NOTHING,
    );
    check(&matching(r#"{"methods": ["GET"], "source": ["192.0.2.0/24"]}"#), &[":method", "address"], NOTHING);
    check(&matching(r#"{"headers": [{"name": "x-user-id", "exact": "7"}]}, {}"#), &["x-user-id"], NOTHING);
}

/// So it is with what is asked once it is decided: whether something is to be removed, and how a cookie is written.
#[test]
fn what_may_be_there_is_removed_and_no_cookie_is_written_for_an_unknown_scheme() {
    check(&shop(""), &[":scheme"], ("r/v1/broken", &[]));
    let document = shop(r#", "rules": [{"use": "v1"}]"#);
    let rules = rules(&document);
    let current = Current::new(&rules, Time::from_unix_seconds(TODAY));
    for refused in ["x-canary-version", "x-lane"] {
        let request = Request::to("h", "/");
        let source = Refusing { request: &request, refused, in_doubt: Cell::new(false) };
        assert_eq!(outcome_with(&rules, &current, &source, 7, TODAY).removed, [refused]);
    }
}

/// Where routes choose by weights, no header at all would be a draw.
#[test]
fn stable_is_named_to_routes_that_would_draw() {
    let versions = r#""stable": "v1", "versions": {"v1": {"cluster": "c1"}, "v2": {"cluster": "c2"}}"#;
    let native = rollout(&format!(r#"{versions}, "split": "native""#));
    let native = native.replacen('{', r#"{"headers": {"version": "", "slot": "x-slot"}, "#, 1);
    let route = rollout(&format!(r#"{versions}, "split": "route", "sticky": {{"hold": "version"}}"#));
    for (document, refused, set) in [
        (&native, "cookie", ("x-slot", "99")),
        (&route, "cookie", ("x-canary-version", "v1")),
        (&route, "x-canary-version", ("x-canary-version", "v1")),
        (&route, "cluster", ("x-canary-version", "v1")),
    ] {
        let rules = rules(document);
        let request = Request::to("h", "/").with("cluster name", "c2");
        let source = Refusing { request: &request, refused, in_doubt: Cell::new(false) };
        let current = Current::new(&rules, Time::from_unix_seconds(TODAY));
        let found = outcome_with(&rules, &current, &source, 7, TODAY);
        assert_eq!(
            (found.answer.as_str(), found.cookies()),
            ("r/v1/broken", String::new()),
            "{document} without {refused}"
        );
        assert_eq!(found.set, [(set.0.to_owned(), set.1.to_owned())], "{document} without {refused}");
    }
}
