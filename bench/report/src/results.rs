//! `RESULTS.md` as a whole.

use std::fmt::Write as _;

use crate::Run;
use crate::chains::{noise, ratio};
use crate::markdown::{MISSING, number, spread};
use crate::{budgets, tables};

/// What the numbers of the first sections are, and how they come about.
const METHOD: &str = include_str!("method.md");

/// The page, with these plots in its folder `plots`.
pub(crate) fn text(run: &Run, plots: &[&str]) -> String {
    let mut text = opening(run);
    let mut section = |title: &str, body: &str, names: &[&str]| {
        let _ = write!(text, "\n## {title}\n\n{}\n", body.trim_end());
        for name in names.iter().filter(|name| plots.contains(name)) {
            let _ = write!(text, "\n![{title}](plots/{name}.svg)\n");
        }
    };
    section("Budgets", &budgets::text(run), &[]);
    section("What a filter adds to a request", &tables::chains(run), &["filter-cpu"]);
    section("Forwarding: CPU", &tables::forwarding(run), &["forwarding-cpu"]);
    section("Forwarding: what a client sees", &tables::load(run), &["latency"]);
    section("Growth", &tables::growing(run), &["growth-cpu", "growth-push"]);
    section("Memory", &tables::memory(run), &[]);
    section("Memory over the life of a process", &tables::soak(run), &["soak"]);
    section("The module, counted", &tables::counted(run), &[]);
    section("Requests through the chains", &tables::requests(run), &[]);
    section("Core and configuration", &tables::times(run), &[]);
    text
}

fn opening(run: &Run) -> String {
    let machine = &run.measured.machine;
    let quick = if run.measured.quick {
        "**This was a short run. Its numbers show that the benches work, and nothing else.**\n\n"
    } else {
        ""
    };
    format!(
        "# What Serin costs\n\n{quick}Written by `cargo xtask bench`; [README.md](README.md) says how to run it.\n\n\
         ## Machine\n\n{}, kernel {}, Envoy {}. {} copies of a filter in a chain.\n\n\
         ## Method\n\n{METHOD}\n## What is noise\n\n{}",
        machine.processor,
        machine.kernel,
        machine.envoy,
        run.measured.copies,
        noise_text(run),
    )
}

fn noise_text(run: &Run) -> String {
    let floor = noise(&run.measured).map_or_else(|| MISSING.to_owned(), |floor| format!("{floor:.3} µs"));
    let rounds = run.measured.chains.values().map(|series| series.0.len()).max().unwrap_or(0);
    format!(
        "Behind a median stand, in brackets, the quartiles over the rounds ({} of the chains, fewer of loads and pushes): \
         half of the rounds lie between them. Where the \
         quartiles of two contestants overlap, the run does not tell the two apart. Without any filter, the quartiles of a \
         chain's rounds were up to {floor} a copy apart, so a smaller difference between two filters means nothing. \
         Quartiles do not show what stays \
         the same for the life of a process, such as where its code lies in the caches; for that there are twins, the same \
         chain in another process: {}. The 99th percentile of a load comes from some thousand requests a round, of which a \
         few dozen decide it; on a machine with few processors it shows the scheduler as much as the filter. A \
         budget whose limit lies between the quartiles is held or missed \"within the noise\". Counted figures have no \
         spread.\n",
        number(rounds as f64),
        twins(run),
    )
}

/// What the twins show.
fn twins(run: &Run) -> String {
    let pair = |name: &str, twin: &str| format!("{name} takes {} × its twin", spread(ratio(&run.measured, name, twin)));
    [pair("empty_sdk/cookie", "empty_twin/cookie"), pair("serin/match_all_stable", "serin_twin/match_all_stable")]
        .join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use serin_bench::results::{
        Exact, Forwarding, Grown, Growth, Load, Machine, Measured, Memory, Module, Pages, Series, Soak,
    };

    use super::*;
    use crate::Times;
    use crate::criterion::Time;

    pub(crate) fn machine() -> Machine {
        Machine { envoy: "1.40.0".into(), processor: "a <fast> one, 2 of them".into(), kernel: "6.1".into() }
    }

    fn series(base: f64) -> Series {
        Series(vec![base, base, base])
    }

    /// A small run that nobody measured.
    pub(crate) fn run() -> Run {
        let mut chains = BTreeMap::new();
        for kind in ["new", "cookie", "user"] {
            chains.insert(format!("none/{kind}"), series(20.0));
            chains.insert(format!("empty_sdk/{kind}"), series(60.0));
        }
        for (scenario, added) in [("match_all_stable", 44.0), ("new", 60.0), ("user_hash", 30.0)] {
            chains.insert(format!("serin/{scenario}"), series(20.0 + added));
            chains.insert(format!("lua/{scenario}"), series(120.0));
        }
        for scenario in ["hosts_stable", "paths_stable", "match_all_canary"] {
            chains.insert(format!("serin/{scenario}"), series(90.0));
        }
        let measured = Measured {
            machine: machine(),
            quick: false,
            copies: 20,
            chains,
            forwarding: forwarding(),
            growth: growth(),
            memory: Memory {
                workers: [("none", 40.0), ("serin", 60.5)].map(|(name, mib)| (name.into(), [(1, mib)].into())).into(),
                soak: [(0, 0, 60.0), (1_000, 0, 61.0), (1_000, 10, 66.0)]
                    .map(|(streams, pushes, resident)| Soak { streams, pushes, resident })
                    .into(),
            },
        };
        Run { measured, module: module(), times: times() }
    }

    fn forwarding() -> BTreeMap<String, Forwarding> {
        let load = Load { saturated: series(9_000.0), rate: 3_000.0, p50: series(210.0), p99: series(700.0) };
        let forwarding = |cpu| Forwarding { cpu: series(cpu), load: [(1, load.clone()), (2, load.clone())].into() };
        [("none", 60.0), ("native weights & hash", 61.0), ("serin", 64.0)]
            .map(|(name, cpu)| (name.to_owned(), forwarding(cpu)))
            .into()
    }

    fn growth() -> Vec<Growth> {
        let grown = |cpu, push| Grown { cpu: series(cpu), memory: 60.0, push: series(push) };
        let size = |(rollouts, filter, routes)| Growth {
            rollouts,
            filter: grown(filter, 5.0 + f64::from(rollouts) / 100.0),
            routes: grown(routes, 10.0),
        };
        [(1, 34.0, 30.0), (1_000, 35.0, 90.0), (10_000, 36.0, 600.0)].map(size).into()
    }

    fn module() -> Module {
        let exact = Exact {
            title: "cookie holds stable, match-all".into(),
            host_calls: [("proxy_get_header_map_value".to_owned(), 3)].into(),
            bytes_in: 25,
            bytes_out: 30,
            fuel: 5_001,
        };
        Module {
            bytes: 250_000,
            exports: vec!["memory".into(); 11],
            imports: vec!["proxy_log".into(), "fd_write".into()],
            pages: Pages {
                start: 2,
                small: 4,
                used: 4,
                requests: 10,
                pushes: 10,
                rollouts: [(10_000, [320, 400, 528])].into(),
            },
            scenarios: [("match_all_stable".to_owned(), exact)].into(),
        }
    }

    fn times() -> Times {
        let time = |typical| Time { typical, low: typical - 5.0, high: typical + 5.0 };
        let bench = |group: &str, name: &str, typical| ((group.to_owned(), name.to_owned()), time(typical));
        Times(
            [
                bench("decide/1 rollouts", "cookie holds stable", 140.0),
                bench("decide/10000 rollouts", "cookie holds stable", 300.0),
                bench("stream", "cookie holds stable, match-all", 1_300.0),
                bench("configure/hosts", "10000 rollouts", 90e6),
            ]
            .into(),
        )
    }

    #[test]
    fn the_page_has_all_sections_and_no_number_that_is_none() {
        let text = text(&run(), &["filter-cpu", "soak"]);
        for part in ["## Budgets", "## Growth", "1.10 (1.10 to 1.10)", "not built", "(plots/soak.svg)", "90 ms"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
        assert!(!text.contains("plots/latency.svg"), "a plot that was not drawn");
    }

    #[test]
    fn a_run_that_measured_nothing_has_a_page() {
        let mut run = run();
        run.measured.chains.clear();
        run.measured.forwarding.clear();
        run.measured.growth.clear();
        run.measured.memory = Memory::default();
        run.times = Times::default();
        let text = text(&run, &[]);
        assert!(text.contains("not measured") && !text.contains("NaN"), "{text}");
    }
}
