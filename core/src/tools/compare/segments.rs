//! The segments of a rollout's requests that rules make, and what decides in each.

use std::collections::{HashMap, HashSet};

use super::moments::AtMoment;
use super::servers::{Deciding, Pair};
use super::{Compared, Segment, Side};
use crate::condition::MatchEntry;
use crate::rules::Then;
use crate::time::Time;

/// A row for the requests that no rule is about, and those of the segments.
pub(super) fn push_rows<'r>(all: &Compared<'r>, pair: Pair<'r>, turns: &[Time], rows: &mut Vec<Compared<'r>>) {
    let segments = Segments::new(pair);
    let mut outcomes = Outcomes { pair, turns, known: HashMap::new() };
    let mut row = |ruling: Ruling, segment, also| {
        let (at, moves) = outcomes.of(ruling);
        Compared { segment, also, at, moves: moves.map_err(str::to_owned), ..all.clone() }
    };
    rows.push(row(segments.fallback, None, None));
    rows.extend(segments.all.iter().map(|of| row(of.ruling, Some(of.segment), None)));
    match segments.overlaps() {
        Err((first, other)) => {
            let moves = Err("more rules have changed places than can be compared for requests of several".to_owned());
            let (segment, also) = (Some(first.segment), Some(other.segment));
            rows.push(Compared { segment, also, moves, ..all.clone() });
        }
        Ok(overlaps) => {
            let of = |(first, other): Two<'_, 'r>| {
                row(first.ruling.and(other.ruling), Some(first.segment), Some(other.segment))
            };
            rows.extend(overlaps.into_iter().map(of).filter(|row| row.share() != Some(0.0)));
        }
    }
}

/// So many pairs of rules are looked at.
const MOST_OVERLAPS: usize = 2_000;

/// The rules that decide about requests, by their indices in the old document and the new one; the last index for none.
#[derive(Clone, Copy)]
struct Ruling {
    old: usize,
    new: usize,
}

impl Ruling {
    /// What decides about requests that both decide about.
    fn and(self, other: Self) -> Self {
        Self { old: self.old.min(other.old), new: self.new.min(other.new) }
    }
}

/// A segment, and what decides in it.
struct Of<'r> {
    segment: Segment,
    when: &'r MatchEntry,
    ruling: Ruling,
}

/// Two segments that some request may both be in.
type Two<'a, 'r> = (&'a Of<'r>, &'a Of<'r>);

struct Segments<'r> {
    pair: Pair<'r>,
    /// For requests that no rule with a `when` holds for.
    fallback: Ruling,
    all: Vec<Of<'r>>,
}

impl<'r> Segments<'r> {
    /// Those that some request may be in.
    fn new(pair: Pair<'r>) -> Self {
        let ruling =
            |when: Option<&MatchEntry>| Ruling { old: pair.old.governing(when), new: pair.new.governing(when) };
        let mut all: Vec<Of<'r>> = Vec::new();
        for (side, segment) in [(pair.new, Segment::New as fn(usize) -> Segment), (pair.old, Segment::Old)] {
            for (index, when) in side.whens() {
                let is_known = all.iter().any(|of| of.when == when);
                if !is_known && !pair.old.never_fits(when) && !pair.new.never_fits(when) {
                    all.push(Of { segment: segment(index), when, ruling: ruling(Some(when)) });
                }
            }
        }
        Self { pair, fallback: ruling(None), all }
    }

    /// Two segments whose rules have changed places, of each outcome that no other row has; or the first ones beyond those that are
    /// looked at.
    fn overlaps(&self) -> Result<Vec<Two<'_, 'r>>, Two<'_, 'r>> {
        let mut known: HashSet<(Decider, Decider)> = self.all.iter().map(|of| self.pair.deciders(of.ruling)).collect();
        let (mut found, mut looked_at) = (Vec::new(), 0);
        for first in &self.all {
            let crossed = |other: &&Of<'r>| other.ruling.old < first.ruling.old && first.ruling.new < other.ruling.new;
            for other in self.all.iter().filter(crossed) {
                let key = self.pair.deciders(first.ruling.and(other.ruling));
                if known.contains(&key) || first.when.excludes(other.when) {
                    continue;
                }
                looked_at += 1;
                if looked_at > MOST_OVERLAPS {
                    return Err((first, other));
                }
                if self.is_decided_by(first, other) {
                    known.insert(key);
                    found.push((first, other));
                }
            }
        }
        Ok(found)
    }

    /// Whether no other rule, that holds wherever both of two do, comes first.
    fn is_decided_by(&self, first: &Of<'r>, other: &Of<'r>) -> bool {
        let both = first.when.and(other.when);
        let when = Some(&both);
        let expected = first.ruling.and(other.ruling);
        !both.is_contradictory()
            && self.pair.old.governing(when) == expected.old
            && self.pair.new.governing(when) == expected.new
    }
}

/// Who moves by which rules: many segments have the same.
struct Outcomes<'r, 't> {
    pair: Pair<'r>,
    turns: &'t [Time],
    known: HashMap<(Decider, Decider), AtMoment<'r>>,
}

/// What [`Then`] says, as a key.
type Decider = Option<(bool, usize)>;

impl<'r> Outcomes<'r, '_> {
    fn of(&mut self, ruling: Ruling) -> AtMoment<'r> {
        let deciding = Deciding { old: self.pair.old.then(ruling.old), new: self.pair.new.then(ruling.new) };
        let key = self.pair.deciders(ruling);
        self.known.entry(key).or_insert_with(|| self.pair.most(deciding, self.turns)).clone()
    }
}

impl Pair<'_> {
    fn deciders(self, ruling: Ruling) -> (Decider, Decider) {
        let key = |then: Option<&Then>| match then? {
            Then::Use(version) => Some((true, version.index())),
            Then::Weights(index) => Some((false, *index)),
        };
        (key(self.old.then(ruling.old)), key(self.new.then(ruling.new)))
    }
}

impl<'r> Side<'r> {
    /// The conditions of the rules that have some, with the indices of the rules.
    fn whens(self) -> impl Iterator<Item = (usize, &'r MatchEntry)> {
        let rules = self.shared.map_or(&[][..], |shared| &shared.rules);
        rules.iter().enumerate().filter_map(|(index, rule)| Some((index, rule.when.as_ref()?)))
    }

    /// Whether no request that the rollout covers fits.
    fn never_fits(self, when: &MatchEntry) -> bool {
        let matches = self.shared.and(self.rollout).map(|rollout| rollout.matches.as_slice());
        when.is_contradictory() || matches.is_some_and(|entries| entries.iter().all(|entry| entry.excludes(when)))
    }

    /// The first rule that holds for whatever fits `when`, and is not passed over.
    fn governing(self, when: Option<&MatchEntry>) -> usize {
        let Some(shared) = self.shared else { return usize::MAX };
        let passed = |then: &Then| matches!(then, Then::Use(version) if shared.is_off(*version));
        let holds = |of: &MatchEntry| when.is_some_and(|when| when == of || when.implies(of));
        let is_first = |rule: &crate::rules::Rule| !passed(&rule.then) && rule.when.as_ref().is_none_or(holds);
        shared.rules.iter().position(is_first).unwrap_or(usize::MAX)
    }

    fn then(self, index: usize) -> Option<&'r Then> {
        self.shared?.rules.get(index).map(|rule| &rule.then)
    }
}
