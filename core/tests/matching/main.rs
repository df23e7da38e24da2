//! Whether an entry matches a request: every matcher and every field, and what is absent, odd or hostile.

#[path = "../common/mod.rs"]
mod common;
mod conditions;
mod limits;
mod paths;
mod values;

use common::{Request, outcome, rollout, rules};
use serin_core::Rules;

/// The rules of a rollout with this one entry.
#[track_caller]
fn matching(entry: &str) -> Rules {
    rules(&rollout(&format!(r#""match": [{entry}], "stable": "v1", "versions": {{"v1": {{}}}}"#)))
}

/// Checks an entry against requests, as a rollout's match and as a rule's `when`.
#[track_caller]
fn check(entry: &str, cases: &[(Request, bool)]) {
    let matched = matching(entry);
    let fields = format!(r#""versions": {{"v1": {{}}, "v2": {{}}}}, "rules": [{{"when": {entry}, "use": "v2"}}]"#);
    let ruled = rules(&rollout(&format!(r#""stable": "v1", {fields}"#)));
    for (number, (request, expected)) in cases.iter().enumerate() {
        assert_eq!(outcome(&matched, request, 0).answer == "r/v1/slot", *expected, "case {number} of {entry}");
        assert_eq!(outcome(&ruled, request, 0).answer == "r/v2/rule", *expected, "case {number} of a rule for {entry}");
    }
}
