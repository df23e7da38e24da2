//! The published vectors of slots, intervals, visitor numbers and visitor cookies.
//!
//! Slots come from an implementation of `SipHash` that shares nothing with this one, so that both check each other. Other
//! implementations can read `vectors.json`.

mod common;

use common::{Request, rollout, rules};
use serde_json::Value;
use serin_core::{Facts, SLOTS, Slot, SlotKey, Time, Visitor, VisitorNumber, decide};

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
        let found = match decide(&rules, &facts, now, || 0).unwrap().visitor {
            None => "fresh",
            Some(visitor) if visitor.number.as_str() == "EjRWeJq83v" => "due",
            Some(_) => "refused",
        };
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
        let decision = decide(&rules, &facts, now, || 0).unwrap();
        let expected = vector["number"].as_str().map(|number| SlotKey::new("r", "").slot(number.as_bytes()));
        let found = decision.slot.filter(|_| decision.visitor.is_none());
        assert_eq!(found, expected, "{vector}");
    }
}
