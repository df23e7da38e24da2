//! What an answer has to be, by the rules that may have been in force, and whether it is.
//!
//! Two judges look at each answer. One asks the core, natively, for the whole outcome: upstream, reason, headers, cookies.
//! The other knows slots and edges alone, and looks at whether a visitor has moved who had no reason to.

use std::time::{SystemTime, UNIX_EPOCH};

use serin_core::{Effects, Facts, SlotKey, Time, VisitorNumber, decide};

use crate::scene::{CLUSTER, LANE, RELEASE};
use crate::timeline::{Document, Failure, Window};
use crate::visitor::{Answer, Kind, Seen, Sent, VISITOR_COOKIE, Visitor, number_in, pair};

/// What is said of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was answered as it had to be.
    Right,
    /// It failed, and the upstream that it may have gone to was down: this one, in this way.
    Dead(&'static str, Failure),
    /// It failed for no reason that is known.
    Failed(String),
    /// It was answered, but not so.
    Wrong(String),
}

/// What an answer has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    upstream: String,
    decision: Option<String>,
    lane: Option<String>,
    cookies: Vec<String>,
}

/// Judges an answer, or the error in its place, of a request for which this may have been so.
pub(crate) fn judge(sent: &Sent, answer: &Result<Answer, String>, window: &Window) -> Verdict {
    match answer {
        Ok(answer) if answer.status == 200 => judge_answer(sent, answer, window),
        Ok(answer) => {
            let what = format!("status {}: {}, {:?}", answer.status, answer.upstream, answer.decision);
            judge_failure(sent, &what, Some(&answer.decision), window)
        }
        Err(error) => judge_failure(sent, error, None, window),
    }
}

fn judge_answer(sent: &Sent, answer: &Answer, window: &Window) -> Verdict {
    let found = Outcome {
        upstream: answer.upstream.clone(),
        decision: answer.decision.clone(),
        lane: answer.lane.clone(),
        cookies: answer.cookies.clone(),
    };
    let bits = drawn(&answer.cookies);
    let now = now();
    // The filter has the date as of its last tick.
    let moments = [now, Time::from_unix_seconds(now.unix_seconds().saturating_sub(LATE_SECONDS))];
    let mut expected = Vec::new();
    for now in moments {
        let outcomes = outcomes(sent, window, now, bits);
        if outcomes.contains(&found) {
            return Verdict::Right;
        }
        expected.extend(outcomes);
    }
    expected.dedup();
    Verdict::Wrong(format!("{sent:?}\n  got {found:?}\n  not one of {expected:#?}"))
}

/// A failure that Envoy has answered tells for whom it was decided; one that broke the connection does not.
fn judge_failure(sent: &Sent, what: &str, decision: Option<&Option<String>>, window: &Window) -> Verdict {
    // Who is new may have drawn anything.
    let draws = if sent.is_of_somebody_new() { DRAWS } else { 1 };
    let mut bits = (0..draws).map(|draw| draw.wrapping_mul(SPREAD));
    let now = now();
    let may_be = |outcome: &&Outcome| decision.is_none_or(|decision| *decision == outcome.decision);
    let dead = |bits| {
        let outcomes = outcomes(sent, window, now, bits);
        outcomes.iter().filter(may_be).find_map(|outcome| window.failure_of(&outcome.upstream))
    };
    match bits.find_map(dead) {
        Some((upstream, failure)) => Verdict::Dead(upstream, failure),
        None => Verdict::Failed(format!("{what}; {sent:?}, down: {:?}", window.down)),
    }
}

/// So many draws find every version whose weight is not below five of a hundred.
const DRAWS: u64 = 256;
/// 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// A worker that reads a long document comes late to its tick.
const LATE_SECONDS: u64 = 5;

fn now() -> Time {
    Time::from_unix_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()))
}

fn outcomes(sent: &Sent, window: &Window, now: Time, bits: u64) -> Vec<Outcome> {
    let documents = window.documents.iter();
    documents.flat_map(|document| window.sets().map(|set| outcome(sent, document, set, now, bits))).collect()
}

fn outcome(sent: &Sent, document: &Document, missing: usize, now: Time, bits: u64) -> Outcome {
    let facts = Facts::new(sent);
    let decision = decide(&document.rules, document.current(missing), &facts, now, || bits);
    let effects = Effects::of(&document.rules, decision.as_ref(), &facts, now);
    let set = |wanted: &str| effects.set().find(|(name, _)| *name == wanted).map(|(_, value)| value.into_owned());
    let response = effects.response.as_deref().cloned().unwrap_or_default();
    Outcome {
        upstream: set(CLUSTER).unwrap_or_else(|| STABLE.to_owned()),
        decision: response.answer,
        lane: set(LANE),
        cookies: response.set_cookies.into_iter().flatten().collect(),
    }
}

/// Where requests go that nothing else is said about.
const STABLE: &str = "v1";

/// The random bits that a new visitor number was made of: the first answer has to be the stored answer.
fn drawn(cookies: &[String]) -> u64 {
    let mut values = cookies.iter().filter_map(|line| pair(line)).filter(|(name, _)| *name == VISITOR_COOKIE);
    let number = values.find_map(|(_, value)| VisitorNumber::from_text(number_in(value)?.as_bytes()));
    number.map_or(0, |number| number.bits())
}

/// What to hold a visitor's next answer against. `visitor` has kept this answer's cookies, and `held` is the version that they
/// held before. `None` for those who are not kept by slot or cookie.
pub(crate) fn seen(visitor: &Visitor, held: Option<&str>, version: &str, window: &Window) -> Option<Seen> {
    let scenes = window.documents.iter().map(|document| &document.scene);
    let unit = visitor.unit()?;
    let mut owners: Vec<&'static str> = match visitor.kind {
        Kind::Cookie | Kind::UserId | Kind::Region => {
            let slot = SlotKey::new("shop", RELEASE).slot(unit.as_bytes()).number();
            scenes.map(|scene| scene.shop.owner(slot, visitor.kind == Kind::Region)).collect()
        }
        Kind::Extra => {
            let slot = SlotKey::new("extra", RELEASE).slot(unit.as_bytes()).number();
            scenes.map(|scene| if scene.extra && slot < 500_000 { "v3" } else { STABLE }).collect()
        }
        Kind::Holder => {
            let slot = SlotKey::new("forms", RELEASE).slot(unit.as_bytes()).number();
            scenes.map(|scene| holder(held, scene.forms, slot)).collect()
        }
        _ => return None,
    };
    owners.sort_unstable();
    owners.dedup();
    let excused = owners.iter().any(|owner| window.may_miss(owner));
    Some(Seen { version: version.to_owned(), owners, excused })
}

/// Who serves a visitor that holds a version: that one, while it has a weight.
fn holder(held: Option<&str>, weight: u32, slot: u32) -> &'static str {
    match held {
        Some("v1") if weight < 100 => "v1",
        Some("v2") if weight > 0 => "v2",
        _ if slot < weight * 10_000 => "v2",
        _ => "v1",
    }
}

/// Whether a visitor has moved from one version to another, and one of the two was neither the owner of their slot then nor
/// stable in the place of one that was missing.
pub(crate) fn has_moved(before: &Seen, after: &Seen) -> bool {
    let explained = |seen: &Seen| {
        let stands_in = seen.excused && seen.version == STABLE;
        stands_in || seen.owners.contains(&seen.version.as_str())
    };
    before.version != after.version && !(explained(before) && explained(after))
}

#[cfg(test)]
mod tests;
