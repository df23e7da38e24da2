//! What a request gets, and why, in a form that can be shown and compared.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde::Serialize;
use serin_core::{Current, Decision, Effects, Explanation, Facts, Rules, SLOTS, Time, decide, explain};

use crate::request::Request;

/// What a request gets, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The rollout that covers the request; none if nothing is decided.
    pub rollout: Option<String>,
    /// The version; `-` where the route chooses it, none if nothing is decided.
    pub version: Option<String>,
    /// The version's cluster, if it has one.
    pub cluster: Option<String>,
    /// The layer that decided, as the answer header and the counters call it.
    pub reason: Option<&'static str>,
    /// Whether the rollout decides and changes nothing.
    pub dry_run: bool,
    /// Whether chance had a say: a new visitor, or a request that nothing makes stick.
    pub drawn: bool,
    /// Whether the request asked for a version that it does not get.
    pub override_ignored: bool,
    /// The entries of `match` that fit, the most specific first.
    pub covered: Vec<Fits>,
    /// Where nothing fits: why not.
    pub uncovered: Vec<FitsNot>,
    /// Where the schedule is, if there is one.
    pub schedule: Option<String>,
    /// Whether there is a visitor cookie that does not count.
    pub cookie_ignored: bool,
    /// Every layer in its order.
    pub layers: Vec<Layer>,
    /// The unit's slot, if one was worked out.
    pub slot: Option<Slot>,
    /// Where the slot decided: what each version has of all slots.
    pub odds: Vec<Odds>,
    /// What becomes of the request's headers.
    pub request_headers: RequestHeaders,
    /// What becomes of the response's headers, unless it is a 5xx, which gets no cookie.
    pub response_headers: ResponseHeaders,
    /// What goes into the filter state `wasm.serin`, for the access log.
    pub access_log: Option<String>,
}

/// An entry of `match` that fits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fits {
    /// The rollout.
    pub rollout: String,
    /// The entry's index; none for a rollout without `match`.
    pub entry: Option<usize>,
    /// What it asks for.
    pub what: String,
    /// Why it comes after the first one; none for that.
    pub after: Option<&'static str>,
}

/// An entry of `match` that does not fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitsNot {
    /// The rollout.
    pub rollout: String,
    /// The entry's index.
    pub entry: usize,
    /// The first thing that does not fit.
    pub why: String,
}

/// One layer of the decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// `inherit`, `override`, `rule`, `held`, `slot`, or `broken`.
    pub name: &'static str,
    /// `passed`, `answered` or `not asked`.
    pub outcome: &'static str,
    /// Why.
    pub notes: Vec<String>,
}

/// Where a unit's slot lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slot {
    /// 0 to 999,999.
    pub number: u32,
    /// The same as a percentage of all slots.
    pub percent: f64,
    /// The first slot of the interval that it lies in.
    pub from: Option<u32>,
    /// The slot behind that interval.
    pub to: Option<u32>,
}

/// What a version has of all slots.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Odds {
    /// The version.
    pub version: String,
    /// Of 1,000,000.
    pub slots: u32,
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    /// In lower case.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What becomes of a request's headers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RequestHeaders {
    /// Those that are set, in the place of any of the name.
    pub set: Vec<Header>,
    /// The names of those that are removed.
    pub removed: Vec<String>,
}

/// What becomes of a response's headers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResponseHeaders {
    /// The `set-cookie` lines that are added.
    pub cookies: Vec<String>,
    /// The header that tells the decision.
    pub answer: Option<Header>,
    /// Whether `cache-control: private` is set, beside what the application says.
    pub private: bool,
}

impl Explained {
    /// With secrets that are not here what they sign was not checked, and nothing can be said of it.
    pub(crate) fn checked_with(mut self, unset: &BTreeSet<String>) -> Self {
        let names: Vec<&str> = unset.iter().map(String::as_str).collect();
        if names.is_empty() {
            return self;
        }
        let why = format!("cannot be checked, since {} is not set here", names.join(" or "));
        for note in self.layers.iter_mut().flat_map(|layer| &mut layer.notes) {
            *note = note.replace("is not signed by one of the keys", &why).replace("is not the secret", &why);
        }
        self
    }

    /// Decides for a request, and explains the decision. `draw` gives the random bits of a new visitor, or of a request that
    /// nothing makes stick.
    pub fn new(rules: &Rules, current: &Current, request: &Request, now: Time, draw: impl FnOnce() -> u64) -> Self {
        let facts = Facts::new(request);
        let drawn = Cell::new(false);
        let decision = decide(rules, current, &facts, now, || {
            drawn.set(true);
            draw()
        });
        let effects = Effects::of(rules, decision.as_ref(), &facts, now);
        let explanation = explain(rules, current, &facts, now, decision.as_ref());
        let (request_headers, response_headers, access_log) = changes(rules, &effects);
        let of_decision = |tell: &dyn Fn(&Decision<'_>) -> Option<String>| decision.as_ref().and_then(tell);
        let slot = decision.as_ref().and_then(|decision| decision.slot).map(|slot| Slot::new(slot, &explanation));
        let Explanation { covered, uncovered, layers, odds, schedule, cookie_ignored, .. } = explanation;
        Self {
            rollout: of_decision(&|decision| Some(decision.rollout.name().to_owned())),
            version: of_decision(&|decision| Some(decision.version().map_or("-", |version| version.name()).to_owned())),
            cluster: of_decision(&|decision| decision.version()?.cluster().map(str::to_owned)),
            reason: decision.as_ref().map(|decision| decision.reason.as_str()),
            dry_run: decision.as_ref().is_some_and(|decision| decision.rollout.is_dry_run()),
            drawn: drawn.get(),
            override_ignored: decision.as_ref().is_some_and(|decision| decision.override_ignored),
            covered: covered.into_iter().map(Fits::from).collect(),
            uncovered: uncovered.into_iter().map(FitsNot::from).collect(),
            schedule,
            cookie_ignored,
            layers: layers.into_iter().map(Layer::from).collect(),
            slot,
            odds: odds.into_iter().map(|(version, slots)| Odds { version, slots }).collect(),
            request_headers,
            response_headers,
            access_log,
        }
    }
}

impl From<serin_core::Covered> for Fits {
    fn from(of: serin_core::Covered) -> Self {
        Self { rollout: of.rollout, entry: of.entry, what: of.what, after: of.after }
    }
}

impl From<serin_core::Uncovered> for FitsNot {
    fn from(of: serin_core::Uncovered) -> Self {
        Self { rollout: of.rollout, entry: of.entry, why: of.why }
    }
}

impl From<serin_core::Layer> for Layer {
    fn from(of: serin_core::Layer) -> Self {
        Self { name: of.name, outcome: of.outcome.as_str(), notes: of.notes }
    }
}

impl Slot {
    fn new(slot: serin_core::Slot, explanation: &Explanation) -> Self {
        Self {
            number: slot.number(),
            percent: f64::from(slot.number()) * 100.0 / f64::from(SLOTS),
            from: explanation.interval.map(|(from, _)| from),
            to: explanation.interval.map(|(_, to)| to),
        }
    }
}

/// The effects as changes of the messages.
fn changes(rules: &Rules, effects: &Effects<'_>) -> (RequestHeaders, ResponseHeaders, Option<String>) {
    let header = |name: &str, value: String| Header { name: name.to_owned(), value };
    let request = RequestHeaders {
        set: effects.set().map(|(name, value)| header(name, value.into_owned())).collect(),
        removed: effects.remove.iter().map(|name| (*name).to_owned()).collect(),
    };
    let wanted = effects.response.as_deref().cloned().unwrap_or_default();
    let cookies: Vec<String> = wanted.set_cookies.into_iter().flatten().collect();
    let answer = rules.outputs().answer().and_then(|name| Some(header(name.as_str(), wanted.answer.clone()?)));
    let response = ResponseHeaders { private: wanted.private || !cookies.is_empty(), cookies, answer };
    (request, response, wanted.answer.filter(|_| rules.access_log()))
}
