//! Who serves which slots, and who gets another server.

use std::collections::BTreeMap;

use super::{Move, Side};
use crate::condition::MatchEntry;
use crate::rules::{OutputKind, Shared, Shares, Split, Then, VersionId};
use crate::slot::SLOTS;
use crate::time::Time;

/// Who serves: a version, and its cluster where a header says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Server<'r> {
    version: &'r str,
    cluster: Option<&'r str>,
}

impl Server<'_> {
    /// Whether the other one is at the same place. Where one of the two has no cluster that a header says, the name tells.
    fn is(self, other: Self) -> bool {
        let elsewhere = self.cluster.zip(other.cluster).is_some_and(|(one, other)| one != other);
        self.version == other.version && !elsewhere
    }
}

/// Who serves which slots: for each part the slot behind it, and the server. They cover all slots.
type Owners<'r> = Vec<(u32, Server<'r>)>;

/// Which units of the requests that fit `when` move at a moment; where slots are drawn anew every one meets every other one.
pub(super) fn moves<'r>(
    old: Side<'r>,
    new: Side<'r>,
    when: Option<&MatchEntry>,
    (now, redrawn): (Time, bool),
) -> Result<Vec<Move<'r>>, &'static str> {
    let (before, after) = (old.owners(when, new, now)?, new.owners(when, old, now)?);
    let mut parts: BTreeMap<(Server<'_>, Server<'_>), u64> = BTreeMap::new();
    if redrawn {
        for (from, before) in widths(&before) {
            for (to, after) in widths(&after) {
                *parts.entry((from, to)).or_default() += before * after;
            }
        }
    } else {
        let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
        let mut start = 0;
        while let (Some((old_end, from)), Some((new_end, to))) = (before.peek(), after.peek()) {
            let end = *old_end.min(new_end);
            *parts.entry((*from, *to)).or_default() += u64::from(end - start) * u64::from(SLOTS);
            before.next_if(|(old_end, _)| *old_end == end);
            after.next_if(|(new_end, _)| *new_end == end);
            start = end;
        }
    }
    let moved = parts.into_iter().filter(|((from, to), parts)| !from.is(*to) && *parts > 0);
    let mut moves: Vec<Move<'_>> =
        moved.map(|((from, to), parts)| Move { from: from.version, to: to.version, parts }).collect();
    moves.sort_by_key(|moved| std::cmp::Reverse(moved.parts));
    Ok(moves)
}

/// How many slots each server has.
fn widths<'r>(owners: &Owners<'r>) -> BTreeMap<Server<'r>, u64> {
    let mut widths = BTreeMap::new();
    let mut start = 0;
    for (end, server) in owners {
        *widths.entry(*server).or_default() += u64::from(end - start);
        start = *end;
    }
    widths
}

impl<'r> Side<'r> {
    /// Who serves which slots of the requests that fit `when`, and otherwise no rule that has one.
    fn owners(self, when: Option<&MatchEntry>, other: Self, now: Time) -> Result<Owners<'r>, &'static str> {
        let Some(shared) = self.shared else {
            let stable = other.shared.map(|shared| other.server(shared, shared.stable));
            return stable
                .map(|stable| vec![(SLOTS, Server { cluster: None, ..stable })])
                .ok_or("the rollout has a mistake");
        };
        if shared.ways.dry_run {
            return Ok(vec![(SLOTS, Server { version: shared.name_of(shared.stable), cluster: None })]);
        }
        if shared.ways.split != Split::Filter {
            return Err("the route has the weights");
        }
        let scheduled = |weights| shared.scheduled(weights, shared.thousandths_at(now)?);
        let laid_out = |shares: Option<Shares>, weights: &Shares| {
            self.laid_out(shared, &shares.unwrap_or_else(|| weights.clone()))
        };
        match shared.governing(when) {
            Some(Then::Use(version)) => Ok(vec![(SLOTS, self.server(shared, *version))]),
            Some(Then::Weights(index)) => {
                let weights = shared.rule_weights.get(*index).ok_or("the rollout has a mistake")?;
                Ok(laid_out(scheduled(weights), &weights.shares))
            }
            None => Ok(laid_out(scheduled(&shared.weights), &shared.weights.shares)),
        }
    }

    fn server(self, shared: &'r Shared, version: VersionId) -> Server<'r> {
        let of = shared.versions.get(version.index());
        let is_said = self.rules.outputs.carrying(OutputKind::Cluster).is_some();
        let cluster = of.and_then(|of| of.cluster.as_deref()).filter(|_| is_said);
        Server { version: shared.name_of(version), cluster }
    }

    fn laid_out(self, shared: &'r Shared, shares: &Shares) -> Owners<'r> {
        let open = |version: VersionId| if shared.is_off(version) { shared.stable } else { version };
        shares.intervals.parts().map(|(end, version)| (end, self.server(shared, open(version)))).collect()
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

    fn is_off(&self, version: VersionId) -> bool {
        self.versions.get(version.index()).is_none_or(|version| version.off)
    }
}
