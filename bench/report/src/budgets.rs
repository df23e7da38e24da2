//! The budgets of the design, held against what was measured.

use serin_bench::Covers;
use serin_bench::results::{Grown, SCENARIOS};

use crate::chains::{versus_empty, versus_lua};
use crate::markdown::{MISSING, number, spread, table};
use crate::scripts::size;
use crate::stats::Spread;
use crate::{Run, criterion};

/// The callbacks and functions that the module may export.
const EXPORTS: f64 = 11.0;
/// Functions of WASI that the standard library needs.
const WASI: f64 = 5.0;
/// How far resident memory may move and still count as constant: allocators give back late.
const CONSTANT_PERCENT: f64 = 5.0;

/// One budget.
struct Line {
    what: String,
    measured: Option<Spread>,
    most: f64,
    unit: &'static str,
}

/// All budgets as a table.
pub(crate) fn text(run: &Run) -> String {
    let mut lines = counted(run);
    lines.extend(in_envoy(run));
    lines.extend(timed(run));
    lines.extend(memory(run));
    let rows: Vec<Vec<String>> = lines.iter().map(Line::row).collect();
    let missed = lines.iter().filter(|line| line.is_held() == Some(false)).count();
    let unknown = lines.iter().filter(|line| line.is_held().is_none()).count();
    let held = lines.len() - missed - unknown;
    let head = ["what", "measured", "budget", "held"];
    format!("{held} held, {missed} missed, {unknown} {MISSING}.\n\n{}", table(&head, &rows))
}

impl Line {
    /// A figure that has no spread.
    fn exact(what: impl Into<String>, measured: Option<f64>, most: f64, unit: &'static str) -> Self {
        let spread = |value| Spread { low: value, median: value, high: value };
        Self { what: what.into(), measured: measured.map(spread), most, unit }
    }

    fn is_held(&self) -> Option<bool> {
        self.measured.map(|measured| measured.median <= self.most)
    }

    /// Whether the quartiles lie on both sides of the budget, so that another run might say the opposite.
    fn is_close(&self) -> bool {
        self.measured.is_some_and(|measured| measured.low <= self.most && measured.high > self.most)
    }

    fn row(&self) -> Vec<String> {
        let verdict = match (self.is_held(), self.is_close()) {
            (None, _) => MISSING,
            (Some(true), false) => "yes",
            (Some(true), true) => "yes, within the noise",
            (Some(false), false) => "**no**",
            (Some(false), true) => "**no**, within the noise",
        };
        let measured = match self.measured {
            Some(exact) if exact.width() == 0.0 => number(exact.median),
            measured => spread(measured),
        };
        let with_unit = |text: String| if self.measured.is_none() { text } else { format!("{text}{}", self.unit) };
        let budget = format!("≤ {}{}", number(self.most), self.unit);
        vec![self.what.clone(), with_unit(measured), budget, verdict.to_owned()]
    }
}

/// Host calls and fuel.
fn counted(run: &Run) -> Vec<Line> {
    let exact = |name: &str| run.module.scenarios.get(name);
    let calls = [("match_all_stable", 3.0), ("hosts_stable", 4.0), ("paths_stable", 5.0)].map(|(name, most)| {
        let measured = exact(name).map(|exact| exact.host_calls.values().sum::<u64>() as f64);
        Line::exact(format!("host calls, {name}"), measured, most, "")
    });
    let fuels = [
        ("match_all_stable", 5_000.0),
        ("match_all_canary", 5_000.0),
        ("new", 5_000.0),
        ("hosts_stable", 5_000.0),
        ("hosts_canary", 5_000.0),
        ("hosts_new", 5_000.0),
        ("paths_stable", 5_000.0),
        ("paths_canary", 5_000.0),
        ("paths_new", 5_000.0),
        ("user_hash", 3_000.0),
        ("override", 2_500.0),
    ];
    let fuel = fuels
        .map(|(name, most)| Line::exact(format!("fuel, {name}"), exact(name).map(|exact| exact.fuel as f64), most, ""));
    calls.into_iter().chain(fuel).collect()
}

/// Ratios to the empty SDK filter and to the script.
fn in_envoy(run: &Run) -> Vec<Line> {
    let mut lines = Vec::new();
    for (covers, stable) in [("match_all", 1.3), ("hosts", 1.75), ("paths", 2.2)] {
        for (version, most) in [("stable", stable), ("canary", stable + 0.4)] {
            let scenario = format!("{covers}_{version}");
            let measured = versus_empty(&run.measured, &format!("serin/{scenario}"));
            lines.push(Line {
                what: format!("Envoy, against an empty SDK filter, {scenario}"),
                measured,
                most,
                unit: " ×",
            });
        }
    }
    for (scenario, _) in SCENARIOS {
        if run.measured.chains.contains_key(&format!("lua/{scenario}")) {
            let measured = versus_lua(&run.measured, scenario);
            lines.push(Line { what: format!("Envoy, against Lua, {scenario}"), measured, most: 0.5, unit: " ×" });
        }
    }
    lines
}

/// The decision, and the way from a document to the rules.
fn timed(run: &Run) -> Vec<Line> {
    let decision = |rollouts: &str, what: &str| run.times.of(&format!("decide/{rollouts} rollouts"), what);
    let (one, most) = (decision("1", "cookie holds stable"), decision("10000", "cookie holds stable"));
    let more = one.zip(most).map(|(one, most)| Spread {
        low: most.low - one.high,
        median: most.typical - one.typical,
        high: most.high - one.low,
    });
    let visitors = ["cookie holds stable", "cookie holds canary", "new visitor", "user id", "override"];
    let mut lines: Vec<Line> = visitors
        .into_iter()
        .map(|what| {
            let measured = decision("1", what).map(interval);
            Line { what: format!("decision in core, 1 rollout, {what}"), measured, most: 150.0, unit: " ns" }
        })
        .collect();
    let what = "decision in core, cookie holds stable, 10,000 rollouts: more".to_owned();
    lines.push(Line { what, measured: more, most: 250.0, unit: " ns" });
    for (rollouts, most) in [(1_000, 25.0), (10_000, 150.0)] {
        let dearest = configuration(run, rollouts);
        let measured = dearest.map(|time| interval(time).scaled(1e-6));
        let what = format!("configuration of {} rollouts in wasmtime, the dearest kind", number(f64::from(rollouts)));
        lines.push(Line { what, measured, most, unit: " ms" });
        let pushes = |grown: &Grown| Spread::of(&grown.push.0);
        let measured = size(&run.measured, rollouts).and_then(|grown| pushes(&grown.filter));
        let what = format!("configuration of {} rollouts in Envoy, push to effect", number(f64::from(rollouts)));
        lines.push(Line { what, measured, most, unit: " ms" });
    }
    lines
}

/// The configuration of so many rollouts of the kind that takes longest; `None` if a kind was not measured.
fn configuration(run: &Run, rollouts: u32) -> Option<criterion::Time> {
    let of = |(name, _)| run.times.of(&format!("configure/{name}"), &format!("{rollouts} rollouts"));
    let times: Option<Vec<_>> = Covers::ALL.into_iter().map(of).collect();
    times?.into_iter().max_by(|one, other| one.typical.total_cmp(&other.typical))
}

/// Criterion's confidence interval in place of quartiles.
fn interval(time: criterion::Time) -> Spread {
    Spread { low: time.low, median: time.typical, high: time.high }
}

/// The module's size, what it exports and imports, and its memory.
fn memory(run: &Run) -> Vec<Line> {
    let module = &run.module;
    let pages = &module.pages;
    let wasi = module.imports.iter().filter(|name| !name.starts_with("proxy_")).count();
    let many = |which: usize| pages.rollouts.get(&10_000).map(|pages| pages[which] as f64 / 16.0);
    let used = format!("… after {} requests and {} pushes", number(pages.requests as f64), number(pages.pushes as f64));
    let exact = |what: &str, measured: f64, most, unit| Line::exact(what, Some(measured), most, unit);
    vec![
        exact("exports", module.exports.len() as f64, EXPORTS, ""),
        exact("imports from WASI", wasi as f64, WASI, ""),
        exact("module", module.bytes as f64 / 1_024.0, 320.0, " KiB"),
        exact("linear memory at start", pages.start as f64, 2.0, " pages"),
        exact("linear memory with a small document", pages.small as f64, 4.0, " pages"),
        exact(&used, pages.used as f64, pages.small as f64, " pages"),
        Line::exact("linear memory with 10,000 rollouts", many(0), 32.0, " MiB"),
        Line::exact("… after pushes that change one in a hundred", many(1), 32.0, " MiB"),
        Line::exact("… after pushes that change all of them", many(2), 32.0, " MiB"),
        Line::exact("memory of the process over its life: change", soaked(run), CONSTANT_PERCENT, " %"),
    ]
}

/// By how much the last reading of a process's memory differs from the first, in percent; less memory is no change.
fn soaked(run: &Run) -> Option<f64> {
    let soak = &run.measured.memory.soak;
    let (first, last) = (soak.first()?.resident, soak.last()?.resident);
    (soak.len() > 1 && first > 0.0).then(|| ((last / first - 1.0) * 100.0).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(measured: Option<[f64; 3]>, expected: &str) {
        let measured = measured.map(|[low, median, high]| Spread { low, median, high });
        assert_eq!(Line { what: String::new(), measured, most: 2.0, unit: "" }.row()[3], expected);
    }

    #[test]
    fn a_budget_is_held_by_the_median() {
        check(None, "not measured");
        check(Some([1.0, 1.5, 2.0]), "yes");
        check(Some([1.0, 2.0, 2.1]), "yes, within the noise");
        check(Some([1.9, 2.1, 2.3]), "**no**, within the noise");
        check(Some([2.1, 2.2, 2.3]), "**no**");
    }

    #[test]
    fn figures_of_a_run_are_judged() {
        let text = text(&crate::results::tests::run());
        for line in [
            "| host calls, match_all_stable | 3 | ≤ 3 | yes |",
            "| fuel, match_all_stable | 5,001 | ≤ 5,000 | **no** |",
            "| host calls, paths_stable | not measured | ≤ 5 | not measured |",
            "| module | 244 KiB | ≤ 320 KiB | yes |",
            "| memory of the process over its life: change | 10 % | ≤ 5 % | **no** |",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
