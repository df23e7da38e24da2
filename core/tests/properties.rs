//! What has to hold for every visitor and every weight, tried with random ones.

mod common;

use common::{Outcome, Request, outcome, rollout, rules};
use proptest::prelude::*;
use serin_core::{Rules, Surroundings};

/// A rollout with v2 at a weight, and further fields.
fn weighted(weight: u32, fields: &str) -> Rules {
    rules(&rollout(&format!(r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": {weight}}}}}{fields}"#)))
}

fn with_cookie_of(first: &Outcome) -> Request {
    Request::new().with("cookie", format!("canary={}", first.cookie_value().expect("a new visitor gets a cookie")))
}

proptest! {
    #[test]
    fn the_first_answer_is_the_stored_answer(bits: u64, weight in 0_u32..=100) {
        let rules = weighted(weight, "");
        let first = outcome(&rules, &Request::new(), bits);
        let again = outcome(&rules, &with_cookie_of(&first), !bits);
        prop_assert_eq!(&first.answer, &again.answer);
        prop_assert_eq!(first.slot, again.slot);
        prop_assert_eq!(again.set_cookie, None);
    }

    #[test]
    fn a_ramp_moves_only_into_the_canary(bits: u64, low in 0_u32..=100, high in 0_u32..=100) {
        let (low, high) = (low.min(high), low.max(high));
        let cookie = with_cookie_of(&outcome(&weighted(low, ""), &Request::new(), bits));
        let before = outcome(&weighted(low, ""), &cookie, 0);
        let after = outcome(&weighted(high, ""), &cookie, 0);
        prop_assert!(before.version() == after.version() || (before.version(), after.version()) == ("v1", "v2"));
    }

    #[test]
    fn an_id_that_turns_up_later_moves_nobody(bits: u64, id in "[!-~]{1,40}", weight in 0_u32..=100) {
        let rules = weighted(weight, r#", "sticky": {"unit": [{"header": "x-user-id"}, {"cookie": "sid"}], "prefer": "visitor"}"#);
        let first = outcome(&rules, &Request::new(), bits);
        let value = first.cookie_value().unwrap();
        let logged_in = Request::new().with("cookie", format!("canary={value}; sid=s{bits}")).with("x-user-id", id);
        prop_assert_eq!(outcome(&rules, &logged_in, !bits).answer, first.answer);
    }

    #[test]
    fn a_version_without_weight_moves_nobody(bits: u64, weight in 0_u32..=100) {
        let listed = rules(&rollout(&format!(
            r#""stable": "v1", "versions": {{"a": {{}}, "v1": {{}}, "v2": {{"weight": {weight}}}, "z": {{"cluster": "c"}}}}"#
        )));
        let first = outcome(&weighted(weight, ""), &Request::new(), bits);
        let cookie = with_cookie_of(&first);
        prop_assert_eq!(outcome(&listed, &cookie, 0).answer, first.answer);
    }

    #[test]
    fn one_cohort_and_release_is_one_slot(bits: u64) {
        let slot = |name: &str, fields: &str| {
            let document = format!(r#"{{"rollouts": {{"{name}": {{"stable": "v1", "versions": {{"v1": {{}}}}{fields}}}}}}}"#);
            outcome(&rules(&document), &Request::new(), bits).slot
        };
        let shop = slot("cart", r#", "cohort": "shop", "release": "1""#);
        prop_assert_eq!(slot("reviews", r#", "cohort": "shop", "release": "1""#), shop);
        prop_assert_eq!(slot("shop", r#", "release": "1""#), shop, "the default cohort is the rollout's name");
    }

    #[test]
    fn a_document_that_is_accepted_decides(at in any::<proptest::sample::Index>(), byte: u8, cut in any::<proptest::sample::Index>()) {
        let mut bytes = DOCUMENT.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let parsed = Rules::parse(&bytes, &Surroundings::default());
        prop_assert!(parsed.rules.is_some() || !parsed.errors.is_empty());
        if let Some(rules) = parsed.rules {
            outcome(&rules, &Request::to("shop.example.com", "/reviews/1").with("x-canary", "v2"), 0);
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Rules::parse(&bytes, &Surroundings::default()).rules.is_none(), "half a document is none");
    }
}

/// Uses every field of a rollout.
const DOCUMENT: &str = r#"{"rollouts": {"r": {
    "match": [{"hosts": ["shop.example.com", "*.example.org"], "path": {"prefix": "/reviews"}}], "stable": "v1",
    "versions": {"v1": {"cluster": "c1"}, "v2": {"cluster": "c2", "weight": 10, "place": "low"}, "v3": {"weight": 5, "place": -1, "off": true}},
    "total": 100, "release": "2026-11", "cohort": "shop", "mark_stable": true,
    "override": {"header": "x-canary", "query": "canary", "cookie": "canary", "aliases": {"always": "v2"}, "trust": "open"},
    "sticky": {"unit": [{"header": "x-user-id"}, {"cookie": "sid"}], "prefer": "unit", "hold": "slot", "first": "draw"}
}}, "cookie": {"name": "canary", "max_age": "30d"}, "headers": {"version": "x-v", "slot": "x-s"}, "inbound": "decide"}"#;

#[test]
fn visitors_share_as_the_weights_say_and_a_release_shuffles_them() {
    const VISITORS: u32 = 100_000;
    let (one, two) = (weighted(10, r#", "release": "1""#), weighted(10, r#", "release": "2""#));
    let mut random = fastrand::Rng::with_seed(7);
    let (mut first, mut both) = (0_u32, 0_u32);
    for _ in 0..VISITORS {
        let bits = random.u64(..);
        let on_v2 = |rules: &Rules| outcome(rules, &Request::new(), bits).version() == "v2";
        first += u32::from(on_v2(&one));
        both += u32::from(on_v2(&one) && on_v2(&two));
    }
    let within = |found: u32, share: f64| {
        let visitors = f64::from(VISITORS);
        (f64::from(found) / visitors - share).abs() < 4.5 * (share * (1.0 - share) / visitors).sqrt()
    };
    assert!(within(first, 0.1), "{first} of {VISITORS} at ten percent");
    assert!(within(both, 0.01), "{both} of {VISITORS} in both of two independent releases");
}
