//! The published vectors of slots, intervals, units, cookies and tokens.
//!
//! What is hashed or signed comes from an implementation that shares nothing with this one, so that both check each
//! other. Other implementations can read `vectors.json`.

mod common;

use common::{Outcome, Request, outcome_at, rollout, rules};
use serde_json::Value;
use serin_core::{Current, Facts, Mark, Rules, SLOTS, Slot, SlotKey, Time, Token, Visitor, VisitorNumber, decide};

/// The beginning of day 20,778, on which most vectors were made.
const NOW: u64 = common::TODAY;

fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let section = all[section].as_array().unwrap().clone();
    assert!(!section.is_empty());
    section
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn slots() {
    for vector in vectors("slots") {
        let key = SlotKey::new(vector["cohort"].as_str().unwrap(), vector["release"].as_str().unwrap());
        let slot = key.slot(&bytes(vector["unit_hex"].as_str().unwrap()));
        assert_eq!(u64::from(slot.number()), vector["slot"].as_u64().unwrap(), "{vector}");
        assert_eq!(key.as_bytes().to_vec(), bytes(vector["key"].as_str().unwrap()), "{vector}");
    }
}

#[test]
fn intervals() {
    for vector in vectors("intervals") {
        let listed: String = vector["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|version| {
                format!(r#", {}: {{"weight": {}, "place": {}}}"#, version["name"], version["weight"], version["place"])
            })
            .collect();
        let rules = rules(&rollout(&format!(
            r#""stable": "stable", "total": {}, "versions": {{"stable": {{}}{listed}}}"#,
            vector["total"]
        )));
        let rollout = rules.rollouts().next().unwrap();
        for (name, interval) in vector["intervals"].as_object().unwrap() {
            let version = rollout.version_named(name.as_bytes()).unwrap();
            let at = |number: u64| rollout.intervals().unwrap().at(Slot::new(u32::try_from(number).unwrap()).unwrap());
            let (start, end) = (interval[0].as_u64().unwrap(), interval[1].as_u64().unwrap());
            assert_eq!(u64::from(rollout.intervals().unwrap().width(version)), end - start, "{name} of {vector}");
            if start < end {
                assert_eq!((at(start), at(end - 1)), (version, version), "{name} of {vector}");
            }
            assert!(end <= u64::from(SLOTS));
        }
    }
}

#[test]
fn visitor_numbers() {
    for vector in vectors("visitor_numbers") {
        let number = VisitorNumber::from_bits(vector["bits"].as_u64().unwrap());
        assert_eq!(number.as_str(), vector["number"].as_str().unwrap());
    }
}

#[test]
fn visitor_cookies() {
    for vector in vectors("visitor_cookies") {
        let read = Visitor::from_value(vector["value"].as_str().unwrap().as_bytes());
        assert_eq!(read.as_ref().map(|visitor| visitor.number.as_str()), vector["number"].as_str(), "{vector}");
        assert_eq!(read.map(|visitor| u64::from(visitor.issued.number())), vector["day"].as_u64(), "{vector}");
    }
}

#[test]
fn visitor_cookie_ages() {
    for vector in vectors("visitor_cookie_ages") {
        let document = rollout(r#""stable": "v1", "versions": {"v1": {}}"#);
        let age = format!(r#"{{"cookie": {{"max_age": "{}d"}}, "#, vector["max_age_days"]);
        let cookie = format!("canary=nEjRWeJq83v.d{}", vector["issued"]);
        let now = Time::from_unix_seconds(vector["today"].as_u64().unwrap() * 86_400);
        let rules = rules(&document.replacen('{', &age, 1));
        let request = Request::new().with("cookie", cookie);
        let facts = Facts::new(&request);
        let decision = decide(&rules, &Current::default(), &facts, now, || 0).unwrap();
        let found = match decision.visitor {
            None => "fresh",
            Some(visitor) if visitor.number.as_str() == "EjRWeJq83v" => "due",
            Some(_) => "refused",
        };
        assert_eq!(decision.is_drawn(&facts), found == "refused", "{vector}");
        assert_eq!(found, vector["outcome"].as_str().unwrap(), "{vector}");
    }
}

#[test]
fn cookie_headers() {
    let rules = rules(&rollout(r#""stable": "v1", "versions": {"v1": {}}"#));
    for vector in vectors("cookie_headers") {
        let request = Request::new().with("cookie", vector["line"].as_str().unwrap());
        let facts = Facts::new(&request);
        let now = Time::from_unix_seconds(vector["today"].as_u64().unwrap() * 86_400);
        let decision = decide(&rules, &Current::default(), &facts, now, || 0).unwrap();
        let expected = vector["number"].as_str().map(|number| SlotKey::new("r", "").slot(number.as_bytes()));
        let found = decision.slot.filter(|_| decision.visitor.is_none());
        assert_eq!(found, expected, "{vector}");
    }
}

#[test]
fn marks() {
    for vector in vectors("marks") {
        let key = SlotKey::new(vector["cohort"].as_str().unwrap(), vector["release"].as_str().unwrap());
        let hash = key.hash(&bytes(vector["unit_hex"].as_str().unwrap()));
        assert_eq!(format!("{hash:016x}"), vector["hash"], "{vector}");
        assert_eq!(u64::from(Slot::from_bits(hash).number()), vector["slot"].as_u64().unwrap(), "{vector}");
        assert_eq!(Mark::from_hash(hash).as_str(), vector["mark"], "{vector}");
    }
}

#[test]
fn units() {
    for vector in vectors("units") {
        let fields = format!(
            r#""stable": "v1", "versions": {{"v1": {{}}}}, "cohort": {}, "release": {}, "sticky": {{"unit": [{}]}}"#,
            vector["cohort"], vector["release"], vector["unit"]
        );
        // Without a cookie, so that who has no unit is drawn.
        let rules = rules(&rollout(&fields).replacen('{', r#"{"cookie": false, "#, 1));
        let headers = vector["request"].as_object().unwrap();
        let request = headers.iter().fold(Request::new(), |request, (name, value)| match name.as_str() {
            "source address" => request.from(value.as_str().unwrap()),
            _ => request.with(name, value.as_str().unwrap()),
        });
        let found = outcome_at(&rules, &request, 0, NOW);
        let slot = vector["slot"].as_u64();
        assert_eq!(found.answer, if slot.is_some() { "r/v1/slot" } else { "r/v1/random" }, "{vector}");
        if let Some(unit) = vector["unit_hex"].as_str() {
            let key = SlotKey::new(vector["cohort"].as_str().unwrap(), vector["release"].as_str().unwrap());
            assert_eq!(found.slot.map(u64::from), slot, "{vector}");
            assert_eq!(Some(u64::from(key.slot(&bytes(unit)).number())), slot, "{vector}");
        }
    }
}

#[test]
fn native_slots() {
    for vector in vectors("native_slots") {
        let fields = format!(
            r#""stable": "v1", "versions": {{"v1": {{}}}}, "cohort": {}, "total": {}, "split": "native",
                "sticky": {{"unit": [{{"header": "x-user-id"}}]}}"#,
            vector["cohort"], vector["total"]
        );
        assert_eq!(vector["release"], "");
        let rules = rules(&rollout(&fields).replacen('{', r#"{"headers": {"slot": "x-slot"}, "#, 1));
        let request = Request::new().with("x-user-id", vector["unit"].as_str().unwrap());
        let found = outcome_at(&rules, &request, 0, NOW);
        assert_eq!(found.slot.map(u64::from), vector["slot"].as_u64(), "{vector}");
        assert!(found.set.contains(&("x-slot".into(), vector["value"].to_string())), "{:?} of {vector}", found.set);
    }
}

/// The keys of the vectors, as the front part of a document.
fn keys() -> String {
    let all: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    format!(r#""keys": {}, "#, all["keys"])
}

#[test]
fn signed_cookies() {
    for vector in vectors("signed_cookies") {
        let front = format!(r#"{{{}"cookie": {{"name": {}, "secure": true}}, "#, keys(), vector["name"]);
        let rules = rules(&rollout(r#""stable": "v1", "versions": {"v1": {}}"#).replacen('{', &front, 1));
        let (name, value) = (vector["name"].as_str().unwrap(), vector["value"].as_str().unwrap());
        let found = outcome_at(&rules, &Request::new().with("cookie", format!("{name}={value}")), 0, NOW);
        let known = vector["number"].as_str();
        assert_eq!(found.set_cookie.is_none(), known.is_some(), "{vector}");
        if let Some(number) = known {
            let slot = SlotKey::new("r", "").slot(number.as_bytes()).number();
            assert_eq!(found.slot, Some(slot), "{vector}");
        }
    }
}

#[test]
fn the_first_signed_cookie_is_what_is_written() {
    let signed = vectors("signed_cookies");
    let first = &signed[0];
    let front = format!("{{{}", keys());
    let rules = rules(&rollout(r#""stable": "v1", "versions": {"v1": {}}"#).replacen('{', &front, 1));
    // The bits of the number `EjRWeJq83v`.
    let found = outcome_at(&rules, &Request::new(), 81_985_529_216_486_895, NOW);
    assert_eq!(found.cookie_value(), first["value"].as_str());
}

#[test]
fn tokens() {
    let front = format!("{{{}", keys());
    let rules = rules(&rollout(r#""stable": "v1", "versions": {"v1": {}}"#).replacen('{', &front, 1));
    let keys = rules.keys().unwrap();
    for (at, vector) in vectors("tokens").iter().enumerate() {
        let text = |field: &str| vector[field].as_str().unwrap();
        let now = Time::from_unix_seconds(vector["now"].as_u64().unwrap());
        let read = Token::read(text("text").as_bytes(), keys, text("rollout"), now);
        assert_eq!(read.map(|token| token.version), vector["version"].as_str().map(str::as_bytes), "{vector}");
        assert_eq!(read.map(|token| token.expiry.unix_seconds()), vector["expiry"].as_u64(), "{vector}");
        if at == 0 {
            let expiry = Time::from_unix_seconds(vector["expiry"].as_u64().unwrap());
            let made = keys.token(text("rollout"), text("version"), expiry);
            assert_eq!(made.as_deref(), Some(text("text")));
        }
    }
}

/// What a browser with these cookies gets of the rollout `shop`, whose v2 has all slots. A version that is held counts
/// whatever its weight.
fn shop(vector: &Value, kept: &Value, wish: Option<&str>, seconds: u64) -> Outcome {
    let signed = vector["signed"].as_bool().unwrap();
    let keys = if signed { keys() } else { String::new() };
    let release =
        if vector["release"] == "" { String::new() } else { format!(r#""release": {}, "#, vector["release"]) };
    let rules: Rules = rules(&format!(
        r#"{{{keys}"rollouts": {{"shop": {{{release}"stable": "v1",
            "versions": {{"v1": {{}}, "v2": {{"weight": 100}}, "v3": {{}}}},
            "override": {{"header": "x-canary", "remember": "8h"}},
            "sticky": {{"hold": "version", "at_zero": "drain"}}}}}}}}"#
    ));
    assert_eq!(vector["visitor"], "EjRWeJq83v");
    let visitor = match signed {
        true => vectors("signed_cookies")[0]["value"].as_str().unwrap().to_owned(),
        false => "nEjRWeJq83v.d20778".to_owned(),
    };
    let kept = kept.as_str().map_or_else(String::new, |kept| format!("; canary-shop={kept}"));
    let request = Request::to("shop", "/").with("cookie", format!("canary={visitor}{kept}"));
    let request = wish.iter().fold(request, |request, wish| request.with("x-canary", wish));
    outcome_at(&rules, &request, 0, seconds)
}

#[test]
fn rollout_cookies() {
    for vector in vectors("rollout_cookies") {
        let now = vector["today"].as_u64().unwrap() * 86_400;
        let answer = |version: &Value, reason: &str| version.as_str().map(|version| format!("shop/{version}/{reason}"));
        let held = answer(&vector["held"], "held").unwrap_or_else(|| "shop/v2/slot".into());
        let expected = answer(&vector["remembered"], "override").unwrap_or_else(|| held.clone());
        assert_eq!(shop(&vector, &vector["value"], None, now).answer, expected, "{vector}");
        assert_eq!(shop(&vector, &vector["value"], Some("auto"), now).answer, held, "{vector}");
    }
}

#[test]
fn rollout_cookies_written() {
    for vector in vectors("rollout_cookies_written") {
        let found = shop(&vector, &vector["before"], vector["override"].as_str(), vector["now"].as_u64().unwrap());
        assert_eq!(found.kept_cookie.as_deref(), vector["set_cookie"].as_str(), "{vector}");
    }
}
