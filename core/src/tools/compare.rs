//! Who gets another version under another document: exactly, over the slots.

mod coverage;
mod entries;
mod moments;
mod redrawn;
mod segments;
mod servers;

use std::collections::BTreeSet;

use entries::Entries;
use redrawn::redrawn;
use segments::push_rows;
use servers::Pair;

use crate::rules::{Rollout, Rules, Shared};
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
    /// Another rule, that holds for them as well; then the first one decides in the new document, and this one in the old one.
    pub also: Option<Segment>,
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

/// A segment of the requests, by a rule: those that it holds for, and that no rule with a `when` which is not named holds for.
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
    pub fn share(&self) -> f64 {
        share_of(self.parts)
    }
}

impl Compared<'_> {
    /// How many units move, of 10^12; `None` if it cannot be known.
    pub fn parts(&self) -> Option<u64> {
        self.moves.as_ref().ok().map(|moves| moves.iter().map(|moved| moved.parts).sum())
    }

    /// The share of the units that move, 0 to 1; `None` if it cannot be known.
    pub fn share(&self) -> Option<f64> {
        self.parts().map(share_of)
    }
}

/// The share that so many of 10^12 are, 0 to 1.
#[allow(clippy::cast_precision_loss)] // Both are far below 2^53.
pub fn share_of(parts: u64) -> f64 {
    parts as f64 / PARTS as f64
}

/// The moments at which documents are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This one.
    At(Time),
    /// This one and all later ones: of each row that one counts at which most units move.
    From(Time),
}

/// What is known of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// All those of both documents are.
    Known,
    /// The one that cookies are signed with is not, and is the same in both where the key is.
    Same,
    /// It is not, for this reason, and may be another one.
    Unknown(String),
}

/// What becomes of the units of every rollout when one document follows another: a row for each rollout, one for each segment
/// that a rule of either document makes, and one for requests of two segments where the rules have changed places; apart for the
/// requests that only one of the documents has it cover.
///
/// Versions are the same if their names are, and, where both documents write clusters into a header, their clusters. Where a
/// document does not have the rollout cover a request, whoever sends it counts as on stable, as do all of a dry run. Held versions,
/// overrides and guards are left out: this is where the documents lead.
pub fn compare<'r>(old: &'r Rules, new: &'r Rules, when: When, secrets: &Secrets) -> Vec<Compared<'r>> {
    let names: BTreeSet<&str> = old.rollouts().chain(new.rollouts()).map(Rollout::name).collect();
    let (old_entries, new_entries) = (Entries::new(old), Entries::new(new));
    let mut rows = Vec::new();
    for name in names {
        let side = |rules: &'r Rules| {
            let rollout = rules.rollout_named(name);
            Side { rules, rollout, shared: rollout.and_then(Rollout::shared) }
        };
        let (before, after) = (side(old), side(new));
        for (coverage, unknown) in coverage::of(name, &old_entries, &new_entries) {
            let (old, new) = match coverage {
                Coverage::Both => (before, after),
                Coverage::New => (Side { shared: None, ..before }, after),
                Coverage::Old => (before, Side { shared: None, ..after }),
            };
            let redrawn = redrawn(old, new, secrets);
            let why = redrawn.as_ref().err().cloned();
            let redrawn = redrawn.unwrap_or_default();
            let pair = Pair { old, new, is_redrawn: !redrawn.is_empty() };
            let turns = pair.turns(when);
            let at = turns.first().copied().unwrap_or_default();
            let all =
                Compared { rollout: name, coverage, segment: None, also: None, redrawn, at, moves: Ok(Vec::new()) };
            match unknown.or(why) {
                Some(why) => rows.push(Compared { moves: Err(why), ..all }),
                None => push_rows(&all, pair, &turns, &mut rows),
            }
        }
    }
    rows
}

/// A rollout in one of the documents.
#[derive(Clone, Copy)]
struct Side<'r> {
    rules: &'r Rules,
    rollout: Option<&'r Rollout>,
    /// `None` if the document does not have it cover the requests.
    shared: Option<&'r Shared>,
}
