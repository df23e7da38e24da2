//! What one copy of a filter adds to a request, and how that compares.

use serin_bench::results::{Measured, kind_of};

use crate::stats::{Spread, differences, ratios};

/// What one copy of this contestant's filter adds to a request in each round, in microseconds of CPU: the chain minus the
/// chain without filters that got the same request, over the number of copies. `None` if either was not measured.
pub(crate) fn added(measured: &Measured, contestant: &str) -> Option<Vec<f64>> {
    let kind = kind(contestant)?;
    let chain = &measured.chains.get(contestant)?.0;
    let none = &measured.chains.get(&format!("none/{kind}"))?.0;
    let copies = f64::from(measured.copies.max(1));
    Some(differences(chain, none).into_iter().map(|all| all / copies).collect())
}

/// [`added`], over all rounds.
pub(crate) fn cost(measured: &Measured, contestant: &str) -> Option<Spread> {
    Spread::of(&added(measured, contestant)?)
}

/// What a contestant adds over what the empty SDK filter adds, with the same request.
pub(crate) fn versus_empty(measured: &Measured, contestant: &str) -> Option<Spread> {
    ratio(measured, contestant, &format!("empty_sdk/{}", kind(contestant)?))
}

/// What our filter adds in a scenario over what the Lua script adds in it.
pub(crate) fn versus_lua(measured: &Measured, scenario: &str) -> Option<Spread> {
    ratio(measured, &format!("serin/{scenario}"), &format!("lua/{scenario}"))
}

/// How far apart the rounds of the chains without filters are, per copy: no difference below it means anything.
pub(crate) fn noise(measured: &Measured) -> Option<f64> {
    let bare = measured.chains.iter().filter(|(name, _)| name.starts_with("none/"));
    let widths = bare.filter_map(|(_, series)| Some(Spread::of(&series.0)?.width()));
    widths.reduce(f64::max).map(|width| width / f64::from(measured.copies.max(1)))
}

/// What one contestant adds over what another adds with the same request.
pub(crate) fn ratio(measured: &Measured, this: &str, that: &str) -> Option<Spread> {
    Spread::of(&ratios(&added(measured, this)?, &added(measured, that)?))
}

/// The kind of request that a contestant got.
fn kind(contestant: &str) -> Option<&str> {
    let (_, asked) = contestant.split_once('/')?;
    Some(kind_of(asked).unwrap_or(asked))
}

#[cfg(test)]
mod tests {
    use serin_bench::results::{Memory, Series};

    use super::*;

    fn measured(chains: &[(&str, &[f64])]) -> Measured {
        let chains = chains.iter().map(|(name, rounds)| ((*name).to_owned(), Series(rounds.to_vec()))).collect();
        let machine = crate::results::tests::machine();
        Measured {
            machine,
            quick: false,
            copies: 2,
            chains,
            forwarding: [].into(),
            growth: Vec::new(),
            memory: Memory::default(),
        }
    }

    #[test]
    fn a_copy_costs_its_part_of_what_the_chain_adds() {
        let measured = measured(&[("none/cookie", &[10.0, 20.0]), ("serin/hosts_stable", &[14.0, 28.0])]);
        assert_eq!(added(&measured, "serin/hosts_stable"), Some(vec![2.0, 4.0]));
        assert_eq!(cost(&measured, "serin/hosts_stable").unwrap().median, 3.0);
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let measured = measured(&[
            ("none/cookie", &[10.0, 20.0, 30.0]),
            ("empty_sdk/cookie", &[12.0, 24.0, 30.0]),
            ("serin/hosts_stable", &[16.0, 28.0, 40.0]),
            ("lua/hosts_stable", &[22.0, 36.0, 50.0]),
        ]);
        // Round by round 3 and 2; the third has no cost of the empty filter to compare with.
        assert_eq!(versus_empty(&measured, "serin/hosts_stable").unwrap().median, 2.5);
        assert_eq!(versus_lua(&measured, "hosts_stable").unwrap().median, 0.5);
    }

    #[test]
    fn what_is_missing_has_no_ratio() {
        let all: [(&str, &[f64]); 3] =
            [("none/new", &[10.0]), ("empty_sdk/cookie", &[12.0]), ("serin/hosts_stable", &[16.0])];
        assert_eq!(added(&measured(&all), "serin/hosts_stable"), None);
        assert_eq!(versus_empty(&measured(&all), "serin/hosts_stable"), None);
        assert_eq!(versus_lua(&measured(&all), "hosts_stable"), None);
        assert_eq!(versus_empty(&measured(&[]), "serin/guard"), None);
    }

    #[test]
    fn noise_is_the_widest_chain_without_filters() {
        let measured =
            measured(&[("none/new", &[10.0, 12.0, 14.0]), ("none/cookie", &[10.0]), ("serin/new", &[0.0, 99.0])]);
        assert_eq!(noise(&measured), Some(1.0));
    }
}
