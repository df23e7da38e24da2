//! Whose overrides count, and what is remembered of them.

mod common;

use common::{Outcome, Request, TODAY, outcome, outcome_at, rollout, rules};
use serin_core::{Rules, Surroundings};

const HOUR: u64 = 3_600;

/// A rollout with v2 at nothing, and these fields of its override.
fn shop(overrides: &str) -> String {
    let document = rollout(&format!(
        r#""stable": "v1", "versions": {{"v1": {{}}, "v2": {{}}, "v3": {{}}, "v4": {{"off": true}}}},
           "override": {{"header": "x-canary", "query": "canary", "cookie": "lane", "aliases": {{"always": "v2"}}{overrides}}}"#
    ));
    document.replacen('{', r#"{"keys": [{"id": "k", "env": "SERIN_KEY"}], "#, 1)
}

const SECRET: &str = "a secret of this test";

fn with_secret() -> String {
    shop(&format!(r#", "trust": {{"header": "X-Canary-Secret", "secret": "{SECRET}"}}"#))
}

#[test]
fn an_override_beside_a_secret() {
    let rules = rules(&with_secret());
    let check = |request: Request, expected: &str, ignored: bool, removed: bool| {
        let found = outcome(&rules, &request, 0);
        assert_eq!((found.answer.as_str(), found.override_ignored), (expected, ignored));
        assert_eq!(found.removed, if removed { vec!["x-canary-secret".to_owned()] } else { vec![] });
    };
    let plain = || Request::to("h", "/");
    let named = || plain().with("x-canary", "v2");
    check(named().with("x-canary-secret", SECRET), "r/v2/override", false, true);
    check(Request::to("h", "/?canary=v3").with("x-canary-secret", SECRET), "r/v3/override", false, true);
    check(plain().with("cookie", "lane=always").with("x-canary-secret", SECRET), "r/v2/override", false, true);
    check(named(), "r/v1/slot", true, false);
    check(named().with("x-canary-secret", ""), "r/v1/slot", true, true);
    check(named().with("x-canary-secret", &SECRET[1..]), "r/v1/slot", true, true);
    check(named().with("x-canary-secret", SECRET.to_uppercase()), "r/v1/slot", true, true);
    check(plain().with("x-canary-secret", SECRET), "r/v1/slot", false, true);
    check(plain(), "r/v1/slot", false, false);
}

#[test]
fn a_secret_that_the_environment_lacks() {
    let document = shop(r#", "trust": {"header": "x-canary-secret", "env": "NOT_THERE"}"#);
    let env = |name: &str| (name == "SERIN_KEY").then(|| "a key of sixteen bytes or more".to_owned());
    let parsed = Rules::parse(document.as_bytes(), &Surroundings { last_good: None, env: &env });
    let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    let expected =
        "rollouts.r.override.trust.env: the environment has no NOT_THERE with a secret of 16 to 256 characters";
    assert_eq!((parsed.errors, warnings), (vec![], vec![expected.to_owned()]));
    let request = Request::to("h", "/").with("x-canary", "v2").with("x-canary-secret", "");
    let found = outcome(&parsed.rules.unwrap(), &request, 0);
    assert_eq!((found.answer.as_str(), found.override_ignored), ("r/v1/slot", true));
}

/// A browser that keeps what it gets: cookies by name.
#[derive(Default)]
struct Browser(Vec<(String, String)>);

impl Browser {
    fn get(&mut self, rules: &Rules, path: &str, seconds: u64) -> Outcome {
        let cookies: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::to("h", path);
        if !cookies.is_empty() {
            request = request.with("cookie", cookies.join("; "));
        }
        let found = outcome_at(rules, &request, 7, seconds);
        for line in found.set_cookie.iter().chain(&found.kept_cookie) {
            let (name, rest) = line.split_once('=').unwrap();
            self.0.retain(|(known, _)| known != name);
            if !rest.contains("Max-Age=0;") {
                self.0.push((name.into(), rest.split(';').next().unwrap().into()));
            }
        }
        found
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

#[test]
fn an_override_is_remembered_and_taken_back() {
    let rules = rules(&shop(r#", "remember": "8h""#));
    let mut browser = Browser::default();
    let mut check = |path: &str, seconds: u64, expected: &str, written: bool| {
        let found = browser.get(&rules, path, TODAY + seconds);
        assert_eq!((found.answer.as_str(), found.kept_cookie.is_some()), (expected, written), "{path} at {seconds}");
        browser.has("canary-r")
    };
    check("/", 0, "r/v1/slot", false);
    assert!(check("/?canary=v2", 0, "r/v2/override", true));
    check("/", 1, "r/v2/override", false);
    check("/?canary=v2", HOUR, "r/v2/override", false);
    check("/?canary=v2", 3 * HOUR, "r/v2/override", true);
    check("/", 10 * HOUR, "r/v2/override", false);
    check("/", 11 * HOUR, "r/v1/slot", false);
    check("/?canary=v3", 11 * HOUR, "r/v3/override", true);
    check("/?canary=v2", 11 * HOUR, "r/v2/override", true);
    check("/?canary=v9", 11 * HOUR, "r/v2/override", false);
    assert!(!check("/?canary=auto", 11 * HOUR, "r/v1/slot", true), "the cookie is taken from the browser");
    check("/", 11 * HOUR, "r/v1/slot", false);
    check("/?canary=auto", 11 * HOUR, "r/v1/slot", false);
}

#[test]
fn what_is_remembered_lasts_as_long_as_it_says() {
    let rules = rules(&shop(r#", "remember": "8h""#));
    let line = outcome(&rules, &Request::to("h", "/?canary=v2"), 0).kept_cookie.unwrap();
    assert!(line.starts_with(&format!("canary-r=ov2.e{}.d20778.kk.t", TODAY + 8 * HOUR)), "{line}");
    assert!(line.contains("; Max-Age=28800; "), "{line}");
    let back = Request::to("h", "/?canary=auto").with("cookie", line.split(';').next().unwrap());
    let taken = outcome(&rules, &back, 0).kept_cookie.unwrap();
    assert!(taken.starts_with("canary-r=; Max-Age=0; "), "{taken}");
}

/// Workers look at the clock once a second each, so the next request of a visitor may come to one whose time is a little
/// before that of the worker which has written the cookie. It wrote it anew, as what another document had allowed for longer.
#[test]
fn a_worker_whose_clock_is_behind_writes_nothing_anew() {
    let rules = rules(&shop(r#", "remember": "8h""#));
    let line = outcome_at(&rules, &Request::to("h", "/?canary=v2"), 0, TODAY + 100).kept_cookie.unwrap();
    let cookie = line.split(';').next().unwrap();
    for (behind, written) in [(0, false), (1, false), (5, false), (6, true)] {
        let request = Request::to("h", "/?canary=v2").with("cookie", cookie);
        let found = outcome_at(&rules, &request, 0, TODAY + 100 - behind);
        assert_eq!(
            ("r/v2/override", written),
            (found.answer.as_str(), found.kept_cookie.is_some()),
            "{behind} s behind"
        );
    }
}

#[test]
fn what_is_remembered_of_a_version_that_is_off_or_gone_does_not_count() {
    let remembered = outcome(&rules(&shop(r#", "remember": "8h""#)), &Request::to("h", "/?canary=v2"), 0).cookies();
    let check = |document: &str, expected: &str| {
        let request = Request::to("h", "/").with("cookie", &remembered);
        assert_eq!(outcome(&rules(document), &request, 0).answer, expected, "{document}");
    };
    let document = shop(r#", "remember": "8h""#);
    check(&document, "r/v2/override");
    check(&document.replace(r#""v2": {}"#, r#""v2": {"off": true}"#), "r/v1/slot");
    check(
        &document.replace(r#""v2": {}"#, r#""v5": {}"#).replace(r#""always": "v2""#, r#""always": "v3""#),
        "r/v1/slot",
    );
    check(&shop(""), "r/v1/slot");
    check(&document.replace(r#""stable": "v1""#, r#""stable": "v1", "release": "2""#), "r/v2/override");
}

#[test]
fn an_override_and_a_held_version_share_a_cookie() {
    let document = shop(r#", "remember": "8h""#)
        .replace(r#""v2": {}"#, r#""v2": {"weight": 100}"#)
        .replace(r#""stable""#, r#""sticky": {"hold": "version"}, "stable""#);
    let rules = rules(&document);
    let mut browser = Browser::default();
    let mut check =
        |path: &str, expected: &str| assert_eq!(browser.get(&rules, path, TODAY).answer, expected, "{path}");
    check("/", "r/v2/slot");
    check("/", "r/v2/held");
    check("/?canary=v3", "r/v3/override");
    check("/", "r/v3/override");
    check("/?canary=auto", "r/v2/held");
    check("/", "r/v2/held");
}

#[test]
fn what_is_written_again_leaves_out_what_is_over() {
    let document = shop(r#", "remember": "8d""#)
        .replace(r#""v2": {}"#, r#""v2": {"weight": 100}"#)
        .replace(r#""stable""#, r#""sticky": {"hold": "version"}, "stable""#);
    let rules = rules(&document);
    for (second, remembered) in [(0, true), (1, false), (2, false)] {
        let mut browser = Browser::default();
        browser.get(&rules, "/", TODAY);
        browser.get(&rules, "/?canary=v3", TODAY);
        let found = browser.get(&rules, "/", TODAY + 8 * 24 * HOUR - 1 + second);
        let line = found.kept_cookie.unwrap_or_default();
        assert_eq!(found.answer, if remembered { "r/v3/override" } else { "r/v2/held" }, "{second}");
        assert!(!line.contains(".ov3") && line.contains(".vv2") != remembered, "{second}: {line}");
    }
}

/// Envoy gives the first line of an HTTP/1 request alone. A cookie of ours in it says that a browser sent them all in one.
#[test]
fn further_lines_of_cookies_are_read_if_the_first_has_none_of_ours() {
    let document =
        shop("").replace(r#""stable""#, r#""sticky": {"unit": [{"cookie": "id"}], "prefer": "unit"}, "stable""#);
    let rules = rules(&document);
    for (first, expected) in
        [("a=b", "r/v2/override"), ("lane=v9", "r/v1/slot"), ("id=x", "r/v1/slot"), ("canary=x", "r/v1/slot")]
    {
        let request = Request::to("h", "/").with("cookie", first).with("cookie", "lane=v2");
        assert_eq!(outcome(&rules, &request, 0).answer, expected, "{first}");
    }
}

#[test]
fn a_memory_that_a_client_made_itself_counts_only_where_anybody_may_override() {
    let forged = format!("canary-r=ov2.e{}.d20778", TODAY + HOUR);
    let request = || Request::to("h", "/").with("cookie", &forged);
    let plain = |trust: &str| {
        let document = shop(&format!(r#", "remember": "8h"{trust}"#));
        document.replace(r#""keys": [{"id": "k", "env": "SERIN_KEY"}], "#, "")
    };
    assert_eq!(outcome(&rules(&plain("")), &request(), 0).answer, "r/v2/override");
    let signed = shop(&format!(r#", "remember": "8h", "trust": {{"header": "x-s", "secret": "{SECRET}"}}"#));
    assert_eq!(outcome(&rules(&signed), &request(), 0).answer, "r/v1/slot");
    // The last good form may outlive the keys that it was written for.
    let good = rules(&signed);
    let without_keys = plain(r#", "trust": {"header": "x-s", "secret": "a secret of this test"}"#);
    let parsed =
        Rules::parse(without_keys.as_bytes(), &Surroundings { last_good: Some(&good), ..Surroundings::default() });
    assert_eq!(parsed.errors.len(), 1, "{:?}", parsed.errors);
    let rules = parsed.rules.unwrap();
    assert_eq!(outcome(&rules, &request(), 0).answer, "r/v1/slot");
    let named = Request::to("h", "/?canary=v3").with("x-s", SECRET);
    let found = outcome(&rules, &named, 0);
    assert_eq!((found.answer.as_str(), found.kept_cookie), ("r/v3/override", None), "nor is it made one");
}
