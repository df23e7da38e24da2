//! Why a request got its version: what covers it, and every layer that was asked, in their order.
//!
//! Asked with the same questions as the decision itself, and in tests held against it.

mod covering;
mod keeping;
mod overrides;
mod timing;
mod units;

use super::{Decision, Reason, Request};
use crate::cookie::Kept;
use crate::current::{Current, OfRollout};
use crate::facts::{Facts, Source};
use crate::rules::{OutputKind, Plan, Rules, Shares, Split, Then, VersionId};
use crate::slot::SLOTS;
use crate::time::Time;
use crate::tools::shown;
pub use covering::{Covered, Uncovered};
use std::cell::Cell;

/// Why a request got its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The entries that fit the request, the most specific first: that one covers it.
    pub covered: Vec<Covered>,
    /// Where nothing covers it: why not.
    pub uncovered: Vec<Uncovered>,
    /// The layers in their order; none where no rollout covers the request.
    pub layers: Vec<Layer>,
    /// Where the last layer answered, by the weights of the document: how many slots lead to each version, with those that are
    /// off, out or missing left to stable.
    pub odds: Vec<(String, u32)>,
    /// In the same case: the first slot of the interval that the unit's slot lies in, and the one behind its last.
    pub interval: Option<(u32, u32)>,
    /// Whether there is a visitor cookie that does not count.
    pub cookie_ignored: bool,
    /// Where the schedule is, if there is one.
    pub schedule: Option<String>,
}

/// One layer of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `inherit`, `override`, `rule`, `held` or `slot`.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// Why: a sentence for each thing that was looked at.
    pub notes: Vec<String>,
}

/// What came of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It had nothing to say, and the next one was asked.
    Passed,
    /// It gave the answer.
    Answered,
    /// An earlier one had answered.
    NotAsked,
}

impl Outcome {
    /// The outcome as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Answered => "answered",
            Self::NotAsked => "not asked",
        }
    }
}

/// Explains what [`decide`](super::decide) has decided for this request, with the same rules, facts and moment.
pub fn explain<'r, S: Source>(
    rules: &'r Rules,
    current: &Current,
    facts: &Facts<'r, S>,
    now: Time,
    decision: Option<&Decision<'r>>,
) -> Explanation {
    let (covered, uncovered) = covering::of(rules, facts);
    match decision {
        None => Explanation { covered, uncovered, ..Explanation::default() },
        Some(decision) => Explanation { covered, ..explain_layers(rules, current, facts, now, decision) },
    }
}

/// As [`explain`], without what else covers the request or does not, for which every entry of every rollout is looked at.
pub fn explain_layers<'r, S: Source>(
    rules: &'r Rules,
    current: &Current,
    facts: &Facts<'r, S>,
    now: Time,
    decision: &Decision<'r>,
) -> Explanation {
    let mut explanation = Explanation::default();
    match &decision.rollout.plan {
        Plan::Broken(_) => {
            let text = "the rollout has a mistake, and there is no earlier form of it: stable serves";
            explanation.layers.push(Layer::answered("broken", text));
        }
        Plan::Share(shared) if rules.lacks_key_for(shared) => {
            let text = "the key that signs cookies is not there, and the rollout writes some: stable serves";
            explanation.layers.push(Layer::answered("broken", text));
        }
        Plan::Share(shared) => {
            let (ignored, current) = (Cell::new(false), current.of(decision.index));
            let request = Request { rules, rollout: decision.rollout, shared, current, facts, now, ignored: &ignored };
            request.explain(decision, &mut explanation);
        }
    }
    explanation
}

impl Layer {
    fn answered(name: &'static str, note: &str) -> Self {
        Self { name, outcome: Outcome::Answered, notes: vec![note.to_owned()] }
    }
}

/// What a layer says: whether it answers, and why.
type Said = (bool, Vec<String>);

impl<'r, S: Source> Request<'_, 'r, S> {
    /// Asks the layers until one answers.
    fn explain(&self, decision: &Decision<'_>, explanation: &mut Explanation) {
        explanation.schedule = self.explain_schedule();
        explanation.cookie_ignored = self.visitor_cookie().is_some() && self.visitor().is_none();
        let kept = if self.shared.keeps_cookie() { self.kept() } else { None };
        let kept = kept.as_deref();
        let shares = self.shares_for(kept);
        let layers: [(&str, &dyn Fn() -> Said); 5] = [
            ("inherit", &|| self.explain_inherit()),
            ("override", &|| self.explain_override(kept)),
            ("rule", &|| self.explain_rules(kept)),
            ("held", &|| self.explain_held(shares, kept)),
            ("slot", &|| self.explain_slot(shares, decision)),
        ];
        let mut answered = false;
        for (name, ask) in layers {
            let (outcome, notes) = match answered {
                true => (Outcome::NotAsked, Vec::new()),
                false => {
                    let (answers, notes) = ask();
                    answered = answers;
                    (if answers { Outcome::Answered } else { Outcome::Passed }, notes)
                }
            };
            explanation.layers.push(Layer { name, outcome, notes });
        }
        let by_slot = matches!(explanation.layers.last(), Some(Layer { outcome: Outcome::Answered, .. }));
        // Elsewhere the route's own weights count, which are not known here.
        if by_slot && self.shared.ways.split == Split::Filter {
            explanation.odds = self.odds(shares, kept);
            explanation.interval = decision.slot.map(|slot| shares.intervals.around(slot));
        }
    }

    /// The weights that count in the last layers.
    fn shares_for(&self, kept: Option<&Kept>) -> &Shares {
        let now = match self.rule(kept) {
            Some(Then::Weights(index)) => self.rule_shares(*index),
            _ => self.current.and_then(OfRollout::shares),
        };
        now.unwrap_or(&self.shared.weights.shares)
    }

    fn explain_inherit(&self) -> Said {
        if !self.shared.ways.inherit {
            return (false, vec!["inherit is off".to_owned()]);
        }
        let Some(name) = self.rules.outputs.carrying(OutputKind::Version) else { return (false, Vec::new()) };
        let Some(value) = self.facts.header(name.as_str()) else {
            return (false, vec![format!("no header {} came in", name.as_str())]);
        };
        let told = format!("header {} is {}", name.as_str(), shown(value));
        match self.rollout.version_named(value) {
            None => (false, vec![format!("{told}, which is no version here")]),
            Some(version) => match self.why_not_serving(version, None) {
                Some(why) => (false, vec![format!("{told}, and that version {why}")]),
                None => (true, vec![format!("{told}, which an earlier hop has chosen")]),
            },
        }
    }

    fn explain_rules(&self, kept: Option<&Kept>) -> Said {
        if self.shared.rules.is_empty() {
            return (false, vec!["there are no rules".to_owned()]);
        }
        let mut notes = Vec::new();
        for (index, rule) in self.shared.rules.iter().enumerate() {
            if let Then::Use(version) = rule.then
                && let Some(why) = self.why_not_serving(version, kept)
            {
                notes.push(format!("rules[{index}]: its version {} {why}", self.shared.name_of(version)));
                continue;
            }
            match (rule.when.as_ref().and_then(|when| when.why_not(self.facts)), &rule.then) {
                (Some(why), _) => notes.push(format!("rules[{index}]: {why}")),
                (None, Then::Use(version)) => {
                    notes.push(format!(
                        "rules[{index}] holds: {}, so use: {}",
                        holds(rule),
                        self.shared.name_of(*version)
                    ));
                    return (true, notes);
                }
                (None, Then::Weights(_)) => {
                    notes.push(format!("rules[{index}] holds: {}, so its weights count", holds(rule)));
                    return (false, notes);
                }
            }
        }
        (false, notes)
    }

    /// Why a version does not serve this unit.
    fn why_not_serving(&self, version: VersionId, kept: Option<&Kept>) -> Option<&'static str> {
        if !self.is_open(version) {
            return Some("is off");
        }
        self.barred(version, kept, None).map(why_barred)
    }

    /// How many slots lead to each version.
    fn odds(&self, shares: &Shares, kept: Option<&Kept>) -> Vec<(String, u32)> {
        let mut widths = vec![0; self.shared.versions.len()];
        let mut start = 0;
        for (end, owner) in shares.intervals.parts() {
            // One that is let in with a tenth of its slots counts as out.
            let serves = self.why_not_serving(owner, kept).is_none();
            let version = if serves { owner } else { self.shared.stable };
            if let Some(width) = widths.get_mut(version.index()) {
                *width += end - start;
            }
            start = end;
        }
        let names = self.shared.versions.iter().map(|version| version.name.clone());
        names.zip(widths).filter(|(_, width)| *width > 0).collect()
    }
}

/// Why a version gets no traffic.
fn why_barred(reason: Reason) -> &'static str {
    match reason {
        Reason::Missing => "has no cluster right now",
        _ => "has been taken out by a guard",
    }
}

/// What a rule asks for that a request fulfils.
fn holds(rule: &crate::rules::Rule) -> String {
    rule.when.as_ref().map_or_else(|| "every request".to_owned(), crate::condition::MatchEntry::in_words)
}

/// A number of slots as a percentage, exactly.
fn percent(slots: u32) -> String {
    format!("{} %", short(&format!("{}.{:04}", slots / (SLOTS / 100), slots % (SLOTS / 100))))
}

/// A decimal without what adds nothing.
fn short(decimals: &str) -> &str {
    decimals.trim_end_matches('0').trim_end_matches('.')
}
