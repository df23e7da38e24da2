//! The ratios for scripts: `envoy.json`. What was not measured is null.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serin_bench::results::{Growth, Measured, SCENARIOS};

use crate::Run;
use crate::chains::{added, versus_empty, versus_lua};
use crate::stats::{Spread, differences, ratios as by_round};

/// All of them.
pub(crate) fn ratios(run: &Run) -> Value {
    let measured = &run.measured;
    let names = SCENARIOS.iter().map(|(name, _)| *name);
    let empty: BTreeMap<&str, Option<Spread>> =
        names.map(|name| (name, versus_empty(measured, &format!("serin/{name}")))).collect();
    let lua = by_script(measured);
    let host_calls = |(name, exact): (&String, &serin_bench::results::Exact)| {
        (name.clone(), json!(exact.host_calls.values().sum::<u64>()))
    };
    json!({
        "quick": measured.quick,
        "versus_empty_sdk": medians(&empty),
        "versus_empty_sdk_quartiles": quartiles(&empty),
        "versus_lua": worst(&lua).map(rounded),
        "versus_lua_by_scenario": medians(&lua),
        "growth_10000": growth(measured, 10_000).map(|ratio| rounded(ratio.median)),
        "growth_10000_with_envoy": whole_growth(measured, 10_000).map(|ratio| rounded(ratio.median)),
        "microseconds": costs(measured),
        "module_bytes": run.module.bytes,
        "pages_start": run.module.pages.start,
        "pages_small": run.module.pages.small,
        "host_calls": run.module.scenarios.iter().map(host_calls).collect::<Map<_, _>>(),
        "host_calls_by_name": run.module.scenarios.iter()
            .map(|(name, exact)| (name.clone(), json!(exact.host_calls))).collect::<Map<_, _>>(),
        "fuel": run.module.scenarios.iter()
            .map(|(name, exact)| (name.clone(), json!(exact.fuel))).collect::<Map<_, _>>(),
    })
}

/// Ours over the script's, in the scenarios that the script can do.
pub(crate) fn by_script(measured: &Measured) -> BTreeMap<&'static str, Option<Spread>> {
    let done = SCENARIOS.iter().filter(|(name, _)| measured.chains.contains_key(&format!("lua/{name}")));
    done.map(|(name, _)| (*name, versus_lua(measured, name))).collect()
}

/// The largest median.
pub(crate) fn worst(ratios: &BTreeMap<&str, Option<Spread>>) -> Option<f64> {
    ratios.values().flatten().map(|ratio| ratio.median).reduce(f64::max)
}

/// What the filter adds with so many rollouts over what it adds with one. The request without it is that of a route table
/// with a single route.
pub(crate) fn growth(measured: &Measured, rollouts: u32) -> Option<Spread> {
    let one = size(measured, 1)?;
    let added = |grown: &Growth| differences(&grown.filter.cpu.0, &one.routes.cpu.0);
    Spread::of(&by_round(&added(size(measured, rollouts)?), &added(one)))
}

/// The same for the whole request.
pub(crate) fn whole_growth(measured: &Measured, rollouts: u32) -> Option<Spread> {
    Spread::of(&by_round(&size(measured, rollouts)?.filter.cpu.0, &size(measured, 1)?.filter.cpu.0))
}

/// The measurements of one size.
pub(crate) fn size(measured: &Measured, rollouts: u32) -> Option<&Growth> {
    measured.growth.iter().find(|grown| grown.rollouts == rollouts)
}

fn medians(ratios: &BTreeMap<&str, Option<Spread>>) -> Value {
    ratios.iter().map(|(name, ratio)| ((*name).to_owned(), json!(ratio.map(|ratio| rounded(ratio.median))))).collect()
}

fn quartiles(ratios: &BTreeMap<&str, Option<Spread>>) -> Value {
    let pair = |ratio: Spread| [rounded(ratio.low), rounded(ratio.high)];
    ratios.iter().map(|(name, ratio)| ((*name).to_owned(), json!(ratio.map(pair)))).collect()
}

/// What each contestant adds to a request, in microseconds of CPU per copy.
fn costs(measured: &Measured) -> Value {
    let filters = measured.chains.keys().filter(|name| !name.starts_with("none/"));
    let cost = |name: &String| Some(rounded(Spread::of(&added(measured, name)?)?.median));
    filters.map(|name| (name.clone(), json!(cost(name)))).collect()
}

/// To a thousandth, which is finer than any of the numbers.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::run;

    #[test]
    fn the_keys_are_those_that_scripts_know() {
        let ratios = ratios(&run());
        for scenario in ["match_all_stable", "hosts_stable", "paths_stable", "match_all_canary", "new", "user_hash"] {
            assert!(ratios["versus_empty_sdk"][scenario].is_number(), "{scenario}: {ratios}");
        }
        assert_eq!(ratios["versus_empty_sdk"]["guard"], Value::Null, "not measured in this run");
        assert_eq!(ratios["versus_empty_sdk"]["signed"], Value::Null, "not measured in this run");
        assert_eq!(ratios["versus_lua"], 0.6, "the worst of {}", ratios["versus_lua_by_scenario"]);
        assert_eq!(ratios["growth_10000"], 1.5);
        assert_eq!(ratios["host_calls"]["match_all_stable"], 3);
        assert_eq!((&ratios["module_bytes"], &ratios["pages_start"]), (&json!(250_000), &json!(2)));
    }

    #[test]
    fn what_was_not_measured_is_null() {
        let mut run = run();
        run.measured.chains.clear();
        run.measured.growth.clear();
        let ratios = ratios(&run);
        for key in ["versus_lua", "growth_10000", "growth_10000_with_envoy"] {
            assert_eq!(ratios[key], Value::Null, "{key}");
        }
        assert_eq!(ratios["versus_empty_sdk"]["new"], Value::Null);
    }
}
