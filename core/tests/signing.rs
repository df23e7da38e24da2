//! Keys: signed cookies and tokens, what is forged, and what is missing.

mod common;

use common::{Outcome, Request, TODAY, outcome, outcome_at};
use proptest::prelude::*;
use serin_core::{Rules, Surroundings, Time, Token};

const K1: &str = r#"{"id": "k1", "secret": "the first secret of this test"}"#;
const K2: &str = r#"{"id": "k2", "secret": "the second secret of this test"}"#;
const NOW: Time = Time::from_unix_seconds(TODAY);

/// Two rollouts that hold versions and take tokens, with these keys.
fn with_keys(keys: &str) -> Rules {
    let rollout = |host: &str| {
        format!(
            r#"{{"match": [{{"hosts": ["{host}"]}}], "stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 50}}}},
                "sticky": {{"hold": "version"}}, "override": {{"header": "x-canary", "query": "canary", "trust": "signed", "remember": "8h"}}}}"#
        )
    };
    let document =
        format!(r#"{{"keys": [{keys}], "rollouts": {{"shop": {}, "blog": {}}}}}"#, rollout("shop"), rollout("blog"));
    common::rules(&document)
}

/// A request to the shop that brings these cookies.
fn bringing(cookies: &str) -> Request {
    Request::to("shop", "/").with("cookie", cookies)
}

fn visitor(cookies: &str) -> &str {
    cookies.split("; ").find(|pair| pair.starts_with("canary=")).unwrap()
}

fn kept(cookies: &str) -> &str {
    cookies.split("; ").find(|pair| pair.starts_with("canary-")).unwrap()
}

/// Whether a request was taken for that of a new visitor.
fn is_new(outcome: &Outcome) -> bool {
    outcome.cookie_value().is_some()
}

#[test]
fn signed_cookies_come_back() {
    let rules = with_keys(K1);
    let first = outcome(&rules, &bringing(""), 7);
    let cookies = first.cookies();
    assert!(visitor(&cookies).contains(".kk1.t") && kept(&cookies).contains(".kk1.t"), "{cookies}");
    let again = outcome(&rules, &bringing(&cookies), 8);
    assert_eq!(
        (again.answer, is_new(&outcome(&rules, &bringing(&cookies), 8))),
        (format!("shop/{}/held", first.version()), false)
    );
}

#[test]
fn what_is_forged_counts_as_absent() {
    let rules = with_keys(K1);
    let cookies = outcome(&rules, &bringing(""), 7).cookies();
    let visitor = visitor(&cookies);
    let (body, tag) = visitor.split_once(".t").unwrap();
    let other = outcome(&with_keys(&K1.replace("first", "other")), &bringing(""), 7).cookies();
    let unsigned =
        outcome(&common::rules(&common::rollout(r#""stable": "v1", "versions": {"v1": {}}"#)), &Request::new(), 7);
    for forged in [
        body.to_owned(),
        format!("{body}.t"),
        format!("{body}.t{}", &tag[..21]),
        format!("{body}.t{tag}A"),
        format!("{body}.t{}", tag.to_lowercase()),
        format!("{body}.t{}", "A".repeat(22)),
        format!("{}.t{tag}", body.replace(".kk1", ".kk2")),
        format!("{}.t{tag}", body.replace(".kk1", "")),
        format!("{}.t{tag}", body.replace("d20778", "d20779")),
        visitor.replace("canary=n", "canary=n.n"),
        format!("{visitor}.x1"),
        self::visitor(&other).to_owned(),
        unsigned.cookies(),
        kept(&cookies).replace("canary-shop", "canary"),
    ] {
        assert!(is_new(&outcome(&rules, &bringing(&forged), 8)), "{forged}");
    }
    assert!(!is_new(&outcome(&rules, &bringing(&format!("canary=junk; {visitor}")), 8)), "the first valid one counts");
}

#[test]
fn a_flood_of_forged_cookies_costs_little() {
    let rules = with_keys(K1);
    let visitor = outcome(&rules, &bringing(""), 7).cookies();
    let forged = format!("canary=nAAAAAAAAAA.d20778.kk1.t{}; ", "A".repeat(22));
    assert!(!is_new(&outcome(&rules, &bringing(&format!("{}{visitor}", forged.repeat(7))), 8)));
    assert!(
        is_new(&outcome(&rules, &bringing(&format!("{}{visitor}", forged.repeat(8))), 8)),
        "only the first few are tried"
    );
}

#[test]
fn a_held_version_cannot_be_chosen_nor_carried_over() {
    let rules = with_keys(K1);
    let first = outcome(&rules, &bringing(""), 7);
    let cookies = first.cookies();
    let other = if first.version() == "v1" { "v2" } else { "v1" };
    let forged = cookies.replace(&format!(".v{}", first.version()), &format!(".v{other}"));
    assert_ne!(forged, cookies);
    assert_eq!(outcome(&rules, &bringing(&forged), 8).answer, format!("shop/{}/slot", first.version()));
    let elsewhere = cookies.replace("canary-shop=", "canary-blog=");
    let found = outcome(&rules, &Request::to("blog", "/").with("cookie", elsewhere), 8);
    assert!(found.answer.ends_with("/slot"), "{}: of another rollout", found.answer);
}

#[test]
fn keys_rotate() {
    let old = outcome(&with_keys(K1), &bringing(""), 7).cookies();
    let both = with_keys(&format!("{K2}, {K1}"));
    assert!(!is_new(&outcome(&both, &bringing(&old), 8)), "the second key verifies");
    let new = outcome(&both, &bringing(""), 7).cookies();
    assert!(new.contains(".kk2.t"), "the first one signs: {new}");
    assert!(is_new(&outcome(&with_keys(K2), &bringing(&old), 8)), "a key that is gone verifies no more");
}

#[test]
fn without_keys_a_signature_is_not_asked_for() {
    let cookies = outcome(&with_keys(K1), &bringing(""), 7).cookies();
    let plain = common::rules(&common::rollout(r#""stable": "v1", "versions": {"v1": {}}"#));
    assert!(!is_new(&outcome(&plain, &Request::new().with("cookie", visitor(&cookies)), 8)));
}

#[test]
fn tokens() {
    let rules = with_keys(&format!("{K1}, {K2}"));
    let keys = rules.keys().unwrap();
    let token = |rollout: &str, version: &str, seconds: u32| keys.token(rollout, version, NOW.plus(seconds)).unwrap();
    let good = token("shop", "v2", 60);
    let check = |value: &str, expected: &str, ignored: bool| {
        let found = outcome(&rules, &Request::to("shop", "/").with("x-canary", value), 0);
        assert_eq!((found.answer.rsplit('/').next().unwrap(), found.override_ignored), (expected, ignored), "{value}");
    };
    check(&good, "override", false);
    check(&with_keys(K2).keys().unwrap().token("shop", "v2", NOW.plus(60)).unwrap(), "override", false);
    check("auto", "slot", false);
    for bad in [
        "v2".to_owned(),
        token("blog", "v2", 60),
        token("shop", "v9", 60),
        token("shop", "v2", 0),
        good.replace("v2.", "v1."),
        good[..good.len() - 1].to_owned(),
        good.replace(".kk1", ".kk2"),
        good.replace(".e", ".e1"),
        good.split(".t").next().unwrap().to_owned(),
        ".....".to_owned(),
    ] {
        check(&bad, "slot", true);
    }
    let link = Request::to("shop", &format!("/?a=1&canary={good}"));
    assert_eq!(outcome(&rules, &link, 0).answer, "shop/v2/override");
    let late = outcome_at(&rules, &link, 0, TODAY + 60);
    assert!(late.override_ignored && late.answer.ends_with("/slot"), "{}: a token ends", late.answer);
}

#[test]
fn what_is_longer_than_anything_that_is_signed_is_not_checked() {
    let rules = with_keys(K1);
    let keys = rules.keys().unwrap();
    for (length, expected) in [(1_023, true), (1_024, true), (1_025, false), (2_048, false)] {
        let rest = keys.token("shop", "", NOW.plus(60)).unwrap().len();
        let token = keys.token("shop", &"v".repeat(length - rest), NOW.plus(60)).unwrap();
        let found = Token::read(token.as_bytes(), keys, "shop", NOW);
        assert_eq!((token.len(), found.is_some()), (length, expected));
    }
}

#[test]
fn keys_of_the_environment() {
    let env = |name: &str| match name {
        "GOOD" => Some(" a secret with a line end, as files have it\n".to_owned()),
        "SHORT" => Some("fifteen letters".to_owned()),
        _ => None,
    };
    let document = |keys: &str, sticky: &str| {
        format!(
            r#"{{"keys": [{keys}], "rollouts": {{"r": {{"stable": "v1", "versions": {{"v1": {{}}, "v2": {{"weight": 100}}}}, {sticky}}}}}}}"#
        )
    };
    #[track_caller]
    fn check(document: &str, env: &dyn Fn(&str) -> Option<String>, errors: &[&str], warnings: &[&str], answer: &str) {
        let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env });
        let texts = |list: &[serin_core::ConfigError]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((texts(&parsed.errors), texts(&parsed.warnings)), (texts_of(errors), texts_of(warnings)));
        assert_eq!(outcome(&parsed.rules.unwrap(), &Request::new(), 0).answer, answer);
    }
    fn texts_of(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }
    let slot = r#""sticky": {"hold": "slot"}"#;
    let none = r#""sticky": {"hold": "none"}"#;
    let good = r#"{"id": "a", "env": "GOOD"}"#;
    let missing = r#"{"id": "b", "env": "MISSING"}"#;
    let short = r#"{"id": "c", "env": "SHORT"}"#;
    let text = |at: usize, name: &str| {
        format!("keys[{at}].env: the environment has no {name} with a secret of 16 to 256 characters")
    };
    check(&document(good, slot), &env, &[], &[], "r/v2/slot");
    check(&document(&format!("{good}, {missing}"), slot), &env, &[], &[&text(1, "MISSING")], "r/v2/slot");
    check(&document(missing, slot), &env, &[&text(0, "MISSING")], &[], "r/v1/broken");
    check(&document(&format!("{short}, {good}"), slot), &env, &[&text(0, "SHORT")], &[], "r/v1/broken");
    check(&document(missing, none), &env, &[&text(0, "MISSING")], &[], "r/v2/random");
    let no_cookie = document(missing, slot).replacen('{', r#"{"cookie": false, "#, 1);
    check(&no_cookie, &env, &[&text(0, "MISSING")], &[], "r/v2/random");
    check(
        &document(missing, r#""sticky": {"hold": "none"}, "override": {"query": "c", "remember": "1h"}"#),
        &env,
        &[&text(0, "MISSING")],
        &[],
        "r/v1/broken",
    );
}

#[test]
fn no_secret_is_shown() {
    let shown = format!("{:?}", with_keys(K1));
    assert!(shown.contains("k1") && !shown.contains("the first secret"), "{shown}");
    let document = common::rollout(
        r#""stable": "v1", "versions": {"v1": {}}, "override": {"header": "x", "trust": {"header": "x-secret", "secret": "a secret of this test"}}"#,
    );
    let shown = format!("{:?}", common::rules(&document));
    assert!(!shown.contains("a secret of this test"), "{shown}");
}

proptest! {
    #[test]
    fn one_wrong_byte_is_enough(bits: u64, at in any::<proptest::sample::Index>(), byte in 0x21_u8..0x7f) {
        let rules = with_keys(K1);
        let cookies = outcome(&rules, &bringing(""), bits).cookies();
        let mut pair = visitor(&cookies).as_bytes().to_vec();
        let value = "canary=".len();
        let at = value + at.index(pair.len() - value);
        prop_assume!(pair[at] != byte && byte != b';');
        pair[at] = byte;
        let found = outcome(&rules, &Request::to("shop", "/").with("cookie", pair), !bits);
        prop_assert!(is_new(&found));
    }

    #[test]
    fn a_token_names_its_version_for_its_rollout_until_its_end(seconds in 1_u32..100_000, later in 0_u32..200_000) {
        let rules = with_keys(K1);
        let token = rules.keys().unwrap().token("shop", "v2", NOW.plus(seconds)).unwrap();
        let at = TODAY + u64::from(later);
        let found = outcome_at(&rules, &Request::to("shop", "/").with("x-canary", &token), 0, at);
        prop_assert_eq!(found.answer == "shop/v2/override", later < seconds);
        let blog = outcome_at(&rules, &Request::to("blog", "/").with("x-canary", &token), 0, at);
        prop_assert!(blog.override_ignored);
    }
}
