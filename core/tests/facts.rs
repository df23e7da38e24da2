//! Facts: whatever is asked of them, the source is asked once.

mod common;

use std::borrow::Cow;
use std::cell::RefCell;

use common::{TODAY, rollout, rules};
use serin_core::{Current, Effects, Facts, Source, Time, decide};

/// Has a header for every name that ends with an even number, and notes what it is asked for.
#[derive(Default)]
struct Noting(RefCell<Vec<String>>);

impl Source for Noting {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.0.borrow_mut().push(name.to_owned());
        name.ends_with(['0', '2', '4', '6', '8']).then(|| name.as_bytes().to_vec().into())
    }

    fn headers(&self, _: &str) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        None
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn every_header_is_read_once_however_many_there_are() {
    let names: Vec<String> = (0..400).map(|n| format!("x-{n}")).collect();
    for count in [1, 5, 6, 15, 16, 35, 36, 400] {
        let (source, names) = (Noting::default(), &names[..count]);
        let facts = Facts::new(&source);
        for _ in 0..2 {
            for (n, name) in names.iter().enumerate() {
                let expected = n.is_multiple_of(2).then_some(name.as_bytes());
                assert_eq!(facts.header(name), expected, "{name} of {count}");
            }
        }
        assert_eq!(*source.0.borrow(), names, "of {count}");
    }
}

/// What is read of a request that has a header for every name with an even number; each is a call to the host.
fn reads(document: &str) -> Vec<String> {
    let (rules, now) = (rules(document), Time::from_unix_seconds(TODAY));
    let source = Noting::default();
    let facts = Facts::new(&source);
    let decision = decide(&rules, &Current::new(&rules, now), &facts, now, || 7);
    Effects::of(&rules, decision.as_ref(), &facts, now);
    source.0.take()
}

#[test]
fn the_scheme_is_read_only_where_a_cookie_depends_on_it() {
    let document = rollout(r#""stable": "v1", "versions": {"v1": {}}"#);
    for (secure, expected) in [(r#""auto""#, true), ("true", false), ("false", false)] {
        let document = document.replacen('{', &format!(r#"{{"cookie": {{"secure": {secure}}}, "#), 1);
        assert_eq!(reads(&document).iter().any(|name| name == ":scheme"), expected, "{secure}");
    }
}

#[test]
fn cookies_are_read_only_where_they_may_decide() {
    for (fields, expected) in [
        (r#""sticky": {"hold": "slot"}"#, true),
        (r#""sticky": {"hold": "none"}"#, false),
        (r#""sticky": {"hold": "version"}"#, true),
        // The request names the version, and that is not remembered.
        (r#""sticky": {"hold": "version"}, "override": {"header": "v2"}"#, false),
        (r#""sticky": {"hold": "none"}, "override": {"header": "x-1", "remember": "1h"}"#, true),
    ] {
        let document = rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{}}}}, {fields}"#));
        assert_eq!(reads(&document).iter().any(|name| name == "cookie"), expected, "{fields}");
    }
}
