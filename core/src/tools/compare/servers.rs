//! Who serves which slots, and who gets another server.

use std::collections::BTreeMap;

use super::{Move, Side};
use crate::rules::{OutputKind, Shared, Shares, Split, Then, Version, VersionId, Weights};
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

/// What decides about requests in each of the documents: what a rule says, or, without one, the weights of the rollout.
#[derive(Clone, Copy)]
pub(super) struct Deciding<'r> {
    pub(super) old: Option<&'r Then>,
    pub(super) new: Option<&'r Then>,
}

/// A rollout in both documents.
#[derive(Clone, Copy)]
pub(super) struct Pair<'r> {
    pub(super) old: Side<'r>,
    pub(super) new: Side<'r>,
    /// Whether every old slot meets every new one.
    pub(super) is_redrawn: bool,
}

impl<'r> Pair<'r> {
    /// Which units move at a moment.
    pub(super) fn moves(self, deciding: Deciding<'r>, now: Time) -> Result<Vec<Move<'r>>, &'static str> {
        if self.is_left_to_the_route(deciding) {
            return Ok(Vec::new());
        }
        let before = self.old.owners(deciding.old, self.new, now)?;
        let after = self.new.owners(deciding.new, self.old, now)?;
        let parts = if self.is_redrawn { crossed(&before, &after) } else { overlaid(&before, &after) };
        let moved = parts.into_iter().filter(|((from, to), parts)| !from.is(*to) && *parts > 0);
        let mut moves: Vec<Move<'_>> =
            moved.map(|((from, to), parts)| Move { from: from.version, to: to.version, parts }).collect();
        moves.sort_by_key(|moved| std::cmp::Reverse(moved.parts));
        Ok(moves)
    }
}

impl Pair<'_> {
    /// Whether the route has the weights in both documents, and both make the same of its choice, so that nobody moves by one.
    fn is_left_to_the_route(self, deciding: Deciding<'_>) -> bool {
        let (Some(old), Some(new)) = (self.old.shared, self.new.shared) else { return false };
        let is_weights = |then: Option<&Then>| !matches!(then, Some(Then::Use(_)));
        let is_asked = is_weights(deciding.old) && is_weights(deciding.new);
        let is_dry = old.ways.dry_run || new.ways.dry_run;
        let is_same = match (old.ways.split, new.ways.split) {
            (Split::Native, Split::Native) => true,
            (Split::Route, Split::Route) => old.by_cluster() == new.by_cluster(),
            _ => false,
        };
        is_asked && is_same && !is_dry && !self.is_redrawn
    }
}

type Parts<'r> = BTreeMap<(Server<'r>, Server<'r>), u64>;

/// How much of the slots of each old server each new one has, where slots are kept.
fn overlaid<'r>(before: &Owners<'r>, after: &Owners<'r>) -> Parts<'r> {
    let mut parts = Parts::new();
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    let mut start = 0;
    while let (Some((old_end, from)), Some((new_end, to))) = (before.peek(), after.peek()) {
        let end = *old_end.min(new_end);
        *parts.entry((*from, *to)).or_default() += u64::from(end - start) * u64::from(SLOTS);
        before.next_if(|(old_end, _)| *old_end == end);
        after.next_if(|(new_end, _)| *new_end == end);
        start = end;
    }
    parts
}

/// The same where every old slot meets every new one.
fn crossed<'r>(before: &Owners<'r>, after: &Owners<'r>) -> Parts<'r> {
    let mut parts = Parts::new();
    for (from, before) in widths(before) {
        for (to, after) in widths(after) {
            *parts.entry((from, to)).or_default() += before * after;
        }
    }
    parts
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
    /// Who serves which slots.
    fn owners(self, then: Option<&'r Then>, other: Self, now: Time) -> Result<Owners<'r>, &'static str> {
        let Some(shared) = self.shared else {
            let stable = other.shared.map(|shared| other.server(shared, shared.stable));
            return stable
                .map(|stable| vec![(SLOTS, Server { cluster: None, ..stable })])
                .ok_or("the rollout has a mistake");
        };
        if shared.ways.dry_run {
            return Ok(vec![(SLOTS, Server { version: shared.name_of(shared.stable), cluster: None })]);
        }
        if let Some(Then::Use(version)) = then {
            return Ok(vec![(SLOTS, self.server(shared, *version))]);
        }
        if shared.ways.split != Split::Filter {
            return Err("the route has the weights");
        }
        let weights = shared.weights_of(then).ok_or("the rollout has a mistake")?;
        let scheduled = shared.thousandths_at(now).and_then(|weight| shared.scheduled(weights, weight));
        let shares = scheduled.as_ref().unwrap_or(&weights.shares);
        let open = |version: VersionId| if shared.is_off(version) { shared.stable } else { version };
        Ok(shares.intervals.parts().map(|(end, version)| (end, self.server(shared, open(version)))).collect())
    }

    /// The slots behind the parts at a moment; as many as at any other one until a schedule begins, and from then on.
    pub(super) fn edges(self, then: Option<&Then>, now: Time) -> Vec<i64> {
        let ends = |shares: &Shares| shares.intervals.parts().map(|(end, _)| end.into()).collect();
        let Some(shared) = self.shared.filter(|shared| !shared.ways.dry_run) else { return Vec::new() };
        let Some(weights) = shared.weights_of(then) else { return Vec::new() };
        // A weight of 0 would have no part.
        let scheduled = shared.thousandths_at(now).and_then(|weight| shared.scheduled(weights, weight.max(1)));
        scheduled.as_ref().map_or_else(|| ends(&weights.shares), ends)
    }

    fn server(self, shared: &'r Shared, version: VersionId) -> Server<'r> {
        let of = shared.versions.get(version.index());
        let is_marked = version != shared.stable || shared.ways.marks_stable();
        let is_said = is_marked && self.rules.outputs.carrying(OutputKind::Cluster).is_some();
        let cluster = of.and_then(|of| of.cluster.as_deref()).filter(|_| is_said);
        Server { version: shared.name_of(version), cluster }
    }
}

impl Shared {
    /// The weights that count; `None` for a rule without any.
    fn weights_of(&self, then: Option<&Then>) -> Option<&Weights> {
        match then {
            Some(Then::Use(_)) => None,
            Some(Then::Weights(index)) => self.rule_weights.get(*index),
            None => Some(&self.weights),
        }
    }

    /// The version that serves where the route has chosen a cluster, and the one that serves where it has chosen another.
    fn by_cluster<'s>(&'s self) -> (BTreeMap<&'s str, &'s str>, &'s str) {
        let stable = self.name_of(self.stable);
        let served = |version: &'s Version| if version.off { stable } else { version.name() };
        let known = self.versions.iter().filter_map(|version| Some((version.cluster()?, served(version))));
        (known.collect(), stable)
    }

    pub(super) fn is_off(&self, version: VersionId) -> bool {
        self.versions.get(version.index()).is_none_or(|version| version.off)
    }
}
