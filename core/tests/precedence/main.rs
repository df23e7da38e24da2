//! Which of several matching rollouts covers a request: Gateway API's precedence, as its conformance tests check it, and
//! the same answer whatever the order in the document.

#[path = "../common/mod.rs"]
mod common;
mod conformance;
mod order;
mod reference;

use common::{Request, outcome, rules};
use serin_core::Rules;

/// The rules of rollouts given as `(name, match)`.
#[track_caller]
fn listed<'a>(rollouts: impl IntoIterator<Item = (&'a str, String)>) -> Rules {
    let listed: Vec<String> = rollouts
        .into_iter()
        .map(|(name, entries)| {
            format!(r#""{name}": {{"match": {entries}, "stable": "v1", "versions": {{"v1": {{}}}}}}"#)
        })
        .collect();
    rules(&format!(r#"{{"rollouts": {{{}}}}}"#, listed.join(",")))
}

/// A request out of `METHOD host/path name:value …`.
fn request(text: &str) -> Request {
    let mut words = text.split(' ');
    let method = words.next().expect("a method");
    let (host, path) = words.next().and_then(|url| url.split_once('/')).expect("a host and a path");
    let request = Request::to(host, &format!("/{path}")).with(":method", method);
    words.fold(request, |request, header| {
        let (name, value) = header.split_once(':').expect("a header");
        request.with(name, value)
    })
}

/// Checks which of the rollouts `(name, match)` covers each request.
#[track_caller]
fn check(rollouts: &[(&str, &str)], requests: &[(&str, &str)]) {
    let owned = || rollouts.iter().map(|(name, entries)| (*name, (*entries).to_owned()));
    for rules in [listed(owned()), listed(owned().rev())] {
        for (text, expected) in requests {
            assert_eq!(covering(&rules, &request(text)), *expected, "{text}");
        }
    }
}

/// The rollout that covers a request, or nothing.
fn covering(rules: &Rules, request: &Request) -> String {
    outcome(rules, request, 0).answer.split('/').next().unwrap_or_default().to_owned()
}
