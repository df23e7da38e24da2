//! The moment at which most units move.
//!
//! Between the turns of the schedules all edges between slots run straight. Where slots are kept, what moves then runs straight as
//! well, but where an old edge crosses a new one; where they are drawn anew it is a parabola. So the most of a piece is at one of
//! its ends, at a crossing, or at the top of the parabola. Weights are told in thousandths and whole slots, so that another moment
//! may come out higher by some slots.

use std::collections::BTreeSet;

use super::servers::{Deciding, Pair};
use super::{Move, Side, When};
use crate::rules::Then;
use crate::time::Time;

/// Who moves, and when; or why that cannot be known.
pub(super) type AtMoment<'r> = (Time, Result<Vec<Move<'r>>, &'static str>);

impl<'r> Pair<'r> {
    /// The moments at which weights begin to run in another way, or jump, the one asked for first.
    pub(super) fn turns(self, when: When) -> Vec<Time> {
        let (When::At(now) | When::From(now)) = when;
        let schedules = [self.old, self.new].into_iter().filter_map(|side| side.shared?.schedule.as_deref());
        let turns = schedules.filter(|_| when == When::From(now)).flat_map(|schedule| schedule.turns(now));
        std::iter::once(now).chain(turns.collect::<BTreeSet<Time>>()).collect()
    }

    /// Who moves at whichever moment most do, of several the first.
    pub(super) fn most(self, deciding: Deciding<'r>, turns: &[Time]) -> AtMoment<'r> {
        let mut moments: BTreeSet<Time> = turns.iter().copied().collect();
        for piece in turns.windows(2) {
            if let [from, to] = piece {
                moments.extend(self.tops(deciding, *from, *to));
            }
        }
        let at = |moment: Time| (moment, self.moves(deciding, moment));
        let count = |of: &AtMoment<'_>| of.1.iter().flatten().map(|moved| moved.parts).sum::<u64>();
        let all = moments.into_iter().map(at);
        all.reduce(|most, next| if count(&next) > count(&most) { next } else { most })
            .unwrap_or((Time::default(), Ok(Vec::new())))
    }

    /// The moments between two turns at which there may be more than at either.
    fn tops(self, deciding: Deciding<'r>, from: Time, to: Time) -> Vec<Time> {
        let seconds = to.seconds_since(from);
        if seconds < 2 {
            return Vec::new();
        }
        let offsets = if self.is_redrawn {
            self.top_of_parabola(deciding, from, seconds / 2).into_iter().collect()
        } else {
            self.crossings(deciding, from, to)
        };
        // The moment before the top, and the one behind.
        let around = offsets.into_iter().flat_map(|offset: u64| [offset, offset + 1]);
        let moments = around.filter(|offset| *offset < seconds);
        moments.map(|offset| Time::from_unix_seconds(from.unix_seconds() + offset)).collect()
    }

    /// The seconds at which an old edge crosses a new one.
    fn crossings(self, deciding: Deciding<'r>, from: Time, to: Time) -> Vec<u64> {
        let run = |side: Side<'r>, then: Option<&Then>| -> Vec<(i64, i64)> {
            side.edges(then, from).into_iter().zip(side.edges(then, to)).collect()
        };
        let (old, new) = (run(self.old, deciding.old), run(self.new, deciding.new));
        let pairs = old.iter().flat_map(|old| new.iter().map(move |new| (old.0 - new.0, old.1 - new.1)));
        let crossing = pairs.filter(|(before, after)| before.signum() * after.signum() < 0);
        let seconds = to.seconds_since(from);
        crossing
            .map(|(before, after)| seconds * before.unsigned_abs() / (before.unsigned_abs() + after.unsigned_abs()))
            .collect()
    }

    /// The second at which a parabola through three moments, so many seconds apart, is at its top, if that lies between them.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Far below 2^53.
    fn top_of_parabola(self, deciding: Deciding<'r>, from: Time, apart: u64) -> Option<u64> {
        let moved = |offset: u64| {
            let at = Time::from_unix_seconds(from.unix_seconds() + offset);
            let moves = self.moves(deciding, at).unwrap_or_default();
            moves.iter().map(|moved| moved.parts).sum::<u64>() as f64
        };
        let (first, middle, last) = (moved(0), moved(apart), moved(2 * apart));
        let bend = first - 2.0 * middle + last;
        let top = (first - last) / (2.0 * bend);
        (bend < 0.0 && top.abs() < 1.0).then_some(((1.0 + top) * apart as f64) as u64)
    }
}
