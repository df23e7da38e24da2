//! Who gets another version under another document: exactly, over the slots.

mod coverage;
mod servers;

use std::collections::BTreeSet;

use coverage::Entries;
use servers::moves;

use crate::condition::MatchEntry;
use crate::keys::Keys;
use crate::rules::{Hold, Rollout, Rules, Shared};
use crate::slot::SLOTS;
use crate::time::Time;

/// Shares are counted in so many parts: where slots are drawn anew, each of the million old ones meets each of the new ones.
const PARTS: u64 = SLOTS as u64 * SLOTS as u64;

/// What becomes of the units of a rollout, or of a segment of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared<'r> {
    /// The rollout's name.
    pub rollout: &'r str,
    /// Which of its requests.
    pub coverage: Coverage,
    /// The rule whose segment it is; `None` for the requests that no rule with a `when` holds for.
    pub segment: Option<Segment>,
    /// Why every unit gets another slot; empty if they keep theirs.
    pub redrawn: Vec<&'static str>,
    /// The moment at which it is compared.
    pub at: Time,
    /// Which units move, the most first; or why that cannot be known.
    pub moves: Result<Vec<Move<'r>>, String>,
}

/// Requests of a rollout, by the documents in which it covers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// In both.
    Both,
    /// In the new document alone.
    New,
    /// In the old document alone.
    Old,
}

/// A segment of the requests, by its rule: those that it holds for, and that no other rule with a `when` of its own holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The rule with this index of the new document.
    New(usize),
    /// The rule with this index of the old document, which the new one lacks.
    Old(usize),
}

/// Units that get another version, or the same one from another cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move<'r> {
    /// The version before.
    pub from: &'r str,
    /// The version after.
    pub to: &'r str,
    /// How many units, of 10^12.
    pub parts: u64,
}

impl Move<'_> {
    /// The share of the units, 0 to 1.
    #[allow(clippy::cast_precision_loss)] // Both are far below 2^53.
    pub fn share(&self) -> f64 {
        self.parts as f64 / PARTS as f64
    }
}

impl Compared<'_> {
    /// The share of the units that move, 0 to 1; `None` if it cannot be known.
    #[allow(clippy::cast_precision_loss)] // As above.
    pub fn share(&self) -> Option<f64> {
        let moves = self.moves.as_ref().ok()?;
        Some(moves.iter().map(|moved| moved.parts).sum::<u64>() as f64 / PARTS as f64)
    }
}

/// The moments at which documents are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This one.
    At(Time),
    /// This one and all later ones: of each row that one counts at which most units move.
    From(Time),
}

/// What becomes of the units of every rollout when one document follows another: a row for each rollout, and one for each segment
/// that a rule of either document makes; apart for the requests that only one of the documents has it cover.
///
/// Versions are the same if their names are, and, where both documents write clusters into a header, their clusters. Where a
/// document does not have the rollout cover a request, whoever sends it counts as on stable, as do all of a dry run. Held versions,
/// overrides and guards are left out: this is where the documents lead.
pub fn compare<'r>(old: &'r Rules, new: &'r Rules, when: When) -> Vec<Compared<'r>> {
    let names: BTreeSet<&str> = old.rollouts().chain(new.rollouts()).map(Rollout::name).collect();
    let (old_entries, new_entries) = (Entries::new(old), Entries::new(new));
    let mut rows = Vec::new();
    for name in names {
        let side = |rules: &'r Rules| Side { rules, shared: rules.rollout_named(name).and_then(Rollout::shared) };
        let (before, after) = (side(old), side(new));
        for (coverage, unknown) in coverage::of(name, &old_entries, &new_entries) {
            let (before, after) = match coverage {
                Coverage::Both => (before, after),
                Coverage::New => (Side { shared: None, ..before }, after),
                Coverage::Old => (before, Side { shared: None, ..after }),
            };
            let (redrawn, moments) = (redrawn(before, after), moments(before, after, when));
            let at = moments.first().copied().unwrap_or_default();
            let all = Compared { rollout: name, coverage, segment: None, redrawn, at, moves: Ok(Vec::new()) };
            match unknown {
                Some(why) => rows.push(Compared { moves: Err(why), ..all }),
                None => push_rows(&all, (before, after), &moments, &mut rows),
            }
        }
    }
    rows
}

/// The moments at which one of the two may differ the most from the other.
fn moments(old: Side<'_>, new: Side<'_>, when: When) -> Vec<Time> {
    let (When::At(now) | When::From(now)) = when;
    let schedules = [old, new].into_iter().filter_map(|side| side.shared?.schedule.as_deref());
    let turns = schedules.filter(|_| when == When::From(now)).flat_map(|schedule| schedule.turns(now));
    std::iter::once(now).chain(turns.collect::<BTreeSet<Time>>()).collect()
}

/// A row for the requests that no rule is about, and one for each segment.
fn push_rows<'r>(all: &Compared<'r>, (old, new): (Side<'r>, Side<'r>), moments: &[Time], rows: &mut Vec<Compared<'r>>) {
    let segments = segments(old, new).into_iter().map(|(segment, when)| (Some(segment), Some(when)));
    for (segment, when) in std::iter::once((None, None)).chain(segments) {
        let row = |at: &Time| {
            let moves = moves(old, new, when, (*at, !all.redrawn.is_empty())).map_err(str::to_owned);
            Compared { segment, moves, at: *at, ..all.clone() }
        };
        let parts = |row: &Compared<'_>| row.moves.iter().flatten().map(|moved| moved.parts).sum::<u64>();
        // Of several moments with as many the first one counts.
        rows.extend(moments.iter().map(row).reduce(|most, next| if parts(&next) > parts(&most) { next } else { most }));
    }
}

/// A rollout in one of the documents.
#[derive(Clone, Copy)]
struct Side<'r> {
    rules: &'r Rules,
    /// `None` if the document does not have it cover the requests.
    shared: Option<&'r Shared>,
}

/// The segments that rules make, those of the new document first.
fn segments<'r>(old: Side<'r>, new: Side<'r>) -> Vec<(Segment, &'r MatchEntry)> {
    let mut found: Vec<(Segment, &MatchEntry)> = Vec::new();
    for (side, segment) in [(new, Segment::New as fn(usize) -> Segment), (old, Segment::Old)] {
        let rules = side.shared.map_or(&[][..], |shared| &shared.rules);
        for (index, when) in rules.iter().enumerate().filter_map(|(index, rule)| Some((index, rule.when.as_ref()?))) {
            if !found.iter().any(|(_, known)| *known == when) {
                found.push((segment(index), when));
            }
        }
    }
    found
}

/// Why no unit keeps its slot.
fn redrawn(old: Side<'_>, new: Side<'_>) -> Vec<&'static str> {
    let (Some(before), Some(after)) = (old.shared, new.shared) else { return Vec::new() };
    let (sticky, then) = (&before.sticky, &after.sticky);
    let cookie = |side: Side<'_>| side.rules.cookie.as_ref().map(|cookie| cookie.name.clone());
    let reasons = [
        (before.release != after.release, "release"),
        (before.release == after.release && before.key != after.key, "cohort"),
        ((&sticky.units, sticky.prefer) != (&then.units, then.prefer), "the units of sticky"),
        ((sticky.hold == Hold::None) != (then.hold == Hold::None), "hold: none"),
        (cookie(old) != cookie(new), "the visitor cookie"),
        (forgets(old.rules.keys(), new.rules.keys()), "the key that signed cookies"),
    ];
    reasons.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect()
}

/// Whether what was written with some keys does not count with others.
fn forgets(before: Option<&Keys>, after: Option<&Keys>) -> bool {
    let Some(after) = after else { return false };
    let signer = before.and_then(Keys::signer);
    signer.is_none_or(|signer| !after.knows(signer))
}
