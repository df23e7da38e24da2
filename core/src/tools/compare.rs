//! Who gets another version under another document: exactly, over the slots.

mod coverage;

use std::collections::{BTreeMap, BTreeSet};

use coverage::Entries;

use crate::condition::MatchEntry;
use crate::keys::Keys;
use crate::rules::{Hold, Rollout, Rules, Shared, Shares, Split, Then, VersionId};
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

/// Units that get another version.
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

/// What becomes of the units of every rollout when one document follows another at a moment: a row for each rollout, and one
/// for each segment that a rule of either document makes; apart for the requests that only one of the documents has it cover.
///
/// Versions are the same if their names are. Where a document does not have the rollout cover a request, whoever sends it counts
/// as on stable, as do all of a dry run. Held versions, overrides and guards are left out: this is where the documents lead.
pub fn compare<'r>(old: &'r Rules, new: &'r Rules, now: Time) -> Vec<Compared<'r>> {
    let names: BTreeSet<&str> = old.rollouts().chain(new.rollouts()).map(Rollout::name).collect();
    let (old_entries, new_entries) = (Entries::new(old), Entries::new(new));
    let mut rows = Vec::new();
    for name in names {
        let side = |rules: &'r Rules| Side { rules, shared: rules.rollout_named(name).and_then(Rollout::shared), now };
        let (before, after) = (side(old), side(new));
        for (coverage, unknown) in coverage::of(name, &old_entries, &new_entries) {
            let (before, after) = match coverage {
                Coverage::Both => (before, after),
                Coverage::New => (Side { shared: None, ..before }, after),
                Coverage::Old => (before, Side { shared: None, ..after }),
            };
            let all = Compared {
                rollout: name,
                coverage,
                segment: None,
                redrawn: redrawn(before, after),
                moves: Ok(Vec::new()),
            };
            match unknown {
                Some(why) => rows.push(Compared { moves: Err(why), ..all }),
                None => push_rows(all, before, after, &mut rows),
            }
        }
    }
    rows
}

/// A row for the requests that no rule is about, and one for each segment.
fn push_rows<'r>(all: Compared<'r>, old: Side<'r>, new: Side<'r>, rows: &mut Vec<Compared<'r>>) {
    let row = |segment, when| {
        let moves = moves(old, new, when, !all.redrawn.is_empty()).map_err(str::to_owned);
        Compared { segment, moves, ..all.clone() }
    };
    rows.push(row(None, None));
    rows.extend(segments(old, new).into_iter().map(|(segment, when)| row(Some(segment), Some(when))));
}

/// A rollout in one of the documents.
#[derive(Clone, Copy)]
struct Side<'r> {
    rules: &'r Rules,
    /// `None` if the document does not have it cover the requests.
    shared: Option<&'r Shared>,
    now: Time,
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

/// Who serves which slots: for each part the slot behind it, and the version. They cover all slots.
type Owners<'r> = Vec<(u32, &'r str)>;

fn moves<'r>(
    old: Side<'r>,
    new: Side<'r>,
    when: Option<&MatchEntry>,
    redrawn: bool,
) -> Result<Vec<Move<'r>>, &'static str> {
    let (before, after) = (old.owners(when, new)?, new.owners(when, old)?);
    let mut parts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    if redrawn {
        for (from, before) in widths(&before) {
            for (to, after) in widths(&after) {
                *parts.entry((from, to)).or_default() += before * after;
            }
        }
    } else {
        let ends: BTreeSet<u32> = before.iter().chain(&after).map(|(end, _)| *end).collect();
        let mut start = 0;
        for end in ends {
            *parts.entry((owner(&before, start), owner(&after, start))).or_default() +=
                u64::from(end - start) * u64::from(SLOTS);
            start = end;
        }
    }
    let moved = parts.into_iter().filter(|((from, to), parts)| from != to && *parts > 0);
    let mut moves: Vec<Move<'_>> = moved.map(|((from, to), parts)| Move { from, to, parts }).collect();
    moves.sort_by_key(|moved| std::cmp::Reverse(moved.parts));
    Ok(moves)
}

fn owner<'r>(owners: &Owners<'r>, slot: u32) -> &'r str {
    owners.iter().find(|(end, _)| slot < *end).map_or("", |(_, version)| version)
}

/// How many slots each version has.
fn widths<'r>(owners: &Owners<'r>) -> BTreeMap<&'r str, u64> {
    let mut widths = BTreeMap::new();
    let mut start = 0;
    for (end, version) in owners {
        *widths.entry(*version).or_default() += u64::from(end - start);
        start = *end;
    }
    widths
}

impl<'r> Side<'r> {
    /// Who serves which slots of the requests that fit `when`, and otherwise no rule that has one.
    fn owners(self, when: Option<&MatchEntry>, other: Self) -> Result<Owners<'r>, &'static str> {
        let Some(shared) = self.shared else {
            let stable = other.shared.map(|shared| shared.name_of(shared.stable));
            return stable.map(|stable| vec![(SLOTS, stable)]).ok_or("the rollout has a mistake");
        };
        if shared.ways.dry_run {
            return Ok(vec![(SLOTS, shared.name_of(shared.stable))]);
        }
        if shared.ways.split != Split::Filter {
            return Err("the route has the weights");
        }
        let scheduled = |weights| shared.scheduled(weights, shared.thousandths_at(self.now)?);
        let laid_out =
            |shares: Option<Shares>, weights: &Shares| shared.owners_of(&shares.unwrap_or_else(|| weights.clone()));
        match shared.governing(when) {
            Some(Then::Use(version)) => Ok(vec![(SLOTS, shared.name_of(*version))]),
            Some(Then::Weights(index)) => {
                let weights = shared.rule_weights.get(*index).ok_or("the rollout has a mistake")?;
                Ok(laid_out(scheduled(weights), &weights.shares))
            }
            None => Ok(laid_out(scheduled(&shared.weights), &shared.weights.shares)),
        }
    }
}

impl Shared {
    /// What the first rule says that holds for whatever fits `when`.
    fn governing(&self, when: Option<&MatchEntry>) -> Option<&Then> {
        let passed = |then: &Then| matches!(then, Then::Use(version) if self.is_off(*version));
        let holds = |of: &MatchEntry| when.is_some_and(|when| when.implies(of));
        let mut rules = self.rules.iter().filter(|rule| !passed(&rule.then));
        rules.find(|rule| rule.when.as_ref().is_none_or(holds)).map(|rule| &rule.then)
    }

    fn owners_of(&self, shares: &Shares) -> Owners<'_> {
        let open = |version: VersionId| if self.is_off(version) { self.stable } else { version };
        shares.intervals.parts().map(|(end, version)| (end, self.name_of(open(version)))).collect()
    }

    fn is_off(&self, version: VersionId) -> bool {
        self.versions.get(version.index()).is_none_or(|version| version.off)
    }
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
