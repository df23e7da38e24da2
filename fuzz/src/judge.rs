//! One request decided, and all that has to hold for every request under every document.

use serin_cli::{Explained, Header, Request};
use serin_core::{Current, Effects, Facts, OutputKind, Reason, ResponseEffects, Rules, Time, decide};

use crate::given::Given;

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    /// The rollout that covers it.
    pub(crate) rollout: Option<String>,
    /// The version, where it is known here.
    pub(crate) version: Option<String>,
    pub(crate) is_stable: bool,
    pub(crate) reason: Option<&'static str>,
    pub(crate) slot: Option<u32>,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) removed: Vec<String>,
    /// `set-cookie` lines.
    pub(crate) cookies: Vec<String>,
    pub(crate) answer: Option<String>,
    pub(crate) private: bool,
}

/// Decides, with these bits for a draw, and checks what has to hold.
pub(crate) fn decided(rules: &Rules, given: &Given, request: &Request, now: Time, bits: u64) -> Judged {
    let judged = outcome(rules, request, now, bits);
    check_headers(rules, given, request, &judged);
    judged.cookies.iter().for_each(|line| check_cookie(given, line));
    judged
}

/// As [`decided`], twice, and explained.
pub(crate) fn judge(rules: &Rules, given: &Given, request: &Request, now: Time, bits: u64) -> Judged {
    let judged = decided(rules, given, request, now, bits);
    assert_eq!(judged, outcome(rules, request, now, bits), "the same input has two outcomes");
    check_explanation(rules, request, now, bits, &judged);
    judged
}

fn outcome(rules: &Rules, request: &Request, now: Time, bits: u64) -> Judged {
    let facts = Facts::new(request);
    let current = Current::new(rules, now);
    let decision = decide(rules, &current, &facts, now, || bits);
    if let Some(decision) = &decision {
        let _ = decision.lessons();
        let listed = decision.version.map(|_| decision.version().expect("a version that is listed"));
        assert!(listed.is_none_or(|version| !version.is_off()), "a version that is off has answered");
        let may_be_unknown = matches!(decision.reason, Reason::Route | Reason::Slot | Reason::Random);
        assert!(listed.is_some() || may_be_unknown, "no version, by {:?}", decision.reason);
        assert_eq!(rules.rollout(decision.index).map(|rollout| rollout.name()), Some(decision.rollout.name()));
    }
    let effects = Effects::of(rules, decision.as_ref(), &facts, now);
    let response = effects.response.as_deref().cloned().unwrap_or_default();
    let ResponseEffects { set_cookies, answer, private } = response;
    let decided = decision.as_ref();
    Judged {
        rollout: decided.map(|decision| decision.rollout.name().to_owned()),
        version: decided.and_then(|decision| Some(decision.version()?.name().to_owned())),
        is_stable: decided.is_some_and(|decision| decision.is_stable()),
        reason: decided.map(|decision| decision.reason.as_str()),
        slot: decided.and_then(|decision| decision.slot).map(serin_core::Slot::number),
        set: effects.set().map(|(name, value)| (name.to_owned(), value.into_owned())).collect(),
        removed: effects.remove.iter().map(|name| (*name).to_owned()).collect(),
        cookies: set_cookies.into_iter().flatten().collect(),
        answer,
        private,
    }
}

/// Only names and values of the document are written, only what came in is removed, and stable is left alone.
fn check_headers(rules: &Rules, given: &Given, request: &Request, judged: &Judged) {
    for (name, value) in &judged.set {
        assert!(given.has_header(name), "{name} stands in no document");
        let is_slot = value.len() <= 7 && value.bytes().all(|byte| byte.is_ascii_digit());
        let is_reason = Reason::ALL.iter().any(|reason| reason.as_str() == value);
        assert!(given.has(value) || is_slot || is_reason, "{name}: {value:?} stands in no document");
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name}: {value:?}");
    }
    let touches_stable = judged.is_stable && !judged.set.is_empty();
    let marks_stable = judged.rollout.as_ref().is_some_and(|rollout| given.marks_stable(rollout));
    assert!(!touches_stable || marks_stable, "stable gets {:?}", judged.set);
    for name in &judged.removed {
        assert!(given.has_header(name), "{name} stands in no document");
        assert!(request.headers.iter().any(|(sent, _)| sent == name), "{name} did not come in");
        assert!(judged.set.iter().all(|(set, _)| set != name), "{name} is set and removed");
    }
    for output in rules.outputs().on_request() {
        let name = output.name.as_str();
        let came = request.headers.iter().any(|(sent, _)| sent == name);
        let is_gone = judged.removed.iter().chain(judged.set.iter().map(|(set, _)| set)).any(|gone| gone == name);
        let is_inherited = judged.reason == Some("inherit") && output.kind == OutputKind::Version;
        assert!(!came || is_gone || is_inherited, "a client's {name} goes on");
    }
}

/// Every octet of RFC 6265bis' `cookie-octet`.
pub(crate) fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

pub(crate) fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// The grammar of RFC 6265bis §4.1.1, and in the value nothing that a client could have chosen.
fn check_cookie(given: &Given, line: &str) {
    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    let (pair, attributes) = line.split_once("; ").expect("a pair and attributes");
    let (name, value) = pair.split_once('=').expect("a name and a value");
    assert!(!name.is_empty() && value.bytes().all(is_cookie_octet), "{line:?}");
    let known = ["Max-Age=", "Path=", "Domain=", "HttpOnly", "SameSite=", "Partitioned", "Secure"];
    let is_known = |attribute: &str| known.iter().any(|known| attribute.starts_with(known));
    assert!(attributes.split("; ").next().is_some_and(|age| age.starts_with("Max-Age=")), "{line:?}");
    // A path may hold a space, but no semicolon.
    assert!(attributes.split("; ").all(is_known), "{line:?}");
    if value.is_empty() {
        assert!(attributes.starts_with("Max-Age=0;"), "{line:?}");
        return;
    }
    for field in value.split('.') {
        let (letter, text) = field.split_at_checked(1).unwrap_or_else(|| panic!("an empty field in {line:?}"));
        let digits = |most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let base64 = |length: usize| text.len() == length && text.bytes().all(is_base64url);
        let is_sound = match letter {
            "n" => base64(10),
            "u" | "x" => base64(4),
            "t" => base64(22),
            "d" => digits(7),
            "e" | "f" => digits(11),
            "r" | "v" | "o" | "k" => given.has(text),
            _ => false,
        };
        assert!(is_sound, "{field:?} in {line:?}");
    }
}

/// The command tells what the filter does.
fn check_explanation(rules: &Rules, request: &Request, now: Time, bits: u64, judged: &Judged) {
    let explained = Explained::new(rules, &Current::new(rules, now), request, now, || bits);
    assert_eq!((&explained.rollout, explained.reason), (&judged.rollout, judged.reason), "{explained:#?}");
    let pair = |header: &Header| (header.name.clone(), header.value.clone());
    assert_eq!(explained.request_headers.set.iter().map(pair).collect::<Vec<_>>(), judged.set);
    assert_eq!(explained.request_headers.removed, judged.removed);
    assert_eq!(explained.response_headers.cookies, judged.cookies);
    let layer = match judged.reason {
        None => None,
        Some("random" | "first" | "route") => Some("slot"),
        Some(reason) => Some(reason),
    };
    let answered: Vec<&str> = explained.layers.iter().filter(|of| of.outcome == "answered").map(|of| of.name).collect();
    let first_covers = explained.covered.first().map(|of| &of.rollout);
    assert_eq!(answered, layer.into_iter().collect::<Vec<_>>(), "{explained:#?}");
    assert_eq!(first_covers, explained.rollout.as_ref(), "{explained:#?}");
}

#[cfg(test)]
mod tests;
