//! The tables of the report, each from one part of the run.

use serin_bench::results::{Grown, SCENARIOS};

use crate::Run;
use crate::chains::{cost, ratio, versus_empty, versus_lua};
use crate::markdown::{number, spread, table};
use crate::scripts::{growth, whole_growth};
use crate::stats::{Spread, differences, ratios};

/// What one copy of each filter adds to a request.
pub(crate) fn chains(run: &Run) -> String {
    let measured = &run.measured;
    let filters = measured.chains.keys().filter(|name| !name.starts_with("none/"));
    let row = |name: &String| {
        let scenario = name.strip_prefix("serin/");
        let lua = scenario.filter(|scenario| measured.chains.contains_key(&format!("lua/{scenario}")));
        vec![
            name.clone(),
            spread(cost(measured, name)),
            spread(versus_empty(measured, name)),
            lua.map_or_else(String::new, |scenario| spread(versus_lua(measured, scenario))),
        ]
    };
    let rows: Vec<_> = filters.map(row).collect();
    let part = |scenario: &str| spread(ratio(measured, &format!("calls/{scenario}"), &format!("serin/{scenario}")));
    format!(
        "{}\nOf what the filter adds, its callbacks and host calls alone are {} (match_all_stable) and {} (hosts_stable).\n",
        table(&["contestant", "µs of CPU a copy", "× empty SDK filter", "× Lua"], &rows),
        part("match_all_stable"),
        part("hosts_stable"),
    )
}

/// The whole request of the chains, without filters and with them.
pub(crate) fn requests(run: &Run) -> String {
    let row =
        |(name, series): (&String, &serin_bench::results::Series)| vec![name.clone(), spread(Spread::of(&series.0))];
    table(&["chain", "µs of CPU a request"], &run.measured.chains.iter().map(row).collect::<Vec<_>>())
}

/// One filter and real upstreams.
pub(crate) fn forwarding(run: &Run) -> String {
    let forwarding = &run.measured.forwarding;
    let cpu = |name: &str| forwarding.get(name).map_or(&[][..], |forwarding| &forwarding.cpu.0);
    let row = |name: &String| {
        let (own, rival) = (cpu(name), name.strip_prefix("serin/").map(|job| cpu(&format!("lua/{job}"))));
        vec![
            name.clone(),
            spread(Spread::of(own)),
            spread(Spread::of(&differences(own, cpu("none")))),
            spread(Spread::of(&ratios(own, cpu("none")))),
            rival.map_or_else(String::new, |lua| spread(Spread::of(&ratios(own, lua)))),
        ]
    };
    let head = ["contestant", "µs of CPU a request", "more than none", "× none", "× Lua"];
    table(&head, &forwarding.keys().map(row).collect::<Vec<_>>())
}

/// What a client sees.
pub(crate) fn load(run: &Run) -> String {
    let mut rows = Vec::new();
    for (name, forwarding) in &run.measured.forwarding {
        for (workers, load) in &forwarding.load {
            rows.push(vec![
                name.clone(),
                workers.to_string(),
                spread(Spread::of(&load.saturated.0)),
                number(load.rate),
                spread(Spread::of(&load.p50.0)),
                spread(Spread::of(&load.p99.0)),
            ]);
        }
    }
    table(&["contestant", "workers", "requests/s at saturation", "fixed rate", "p50 µs", "p99 µs"], &rows)
}

/// One document, or Envoy's routes, with more and more rollouts.
pub(crate) fn growing(run: &Run) -> String {
    let cells =
        |grown: &Grown| [spread(Spread::of(&grown.cpu.0)), number(grown.memory), spread(Spread::of(&grown.push.0))];
    let row = |size: &serin_bench::results::Growth| {
        let mut row = vec![number(size.rollouts.into())];
        row.extend(cells(&size.filter).into_iter().chain(cells(&size.routes)));
        row
    };
    let head = ["rollouts", "filter: µs CPU", "MiB", "push ms", "routes: µs CPU", "MiB", "push ms"];
    let rows: Vec<_> = run.measured.growth.iter().map(row).collect();
    format!(
        "{}\nWith 10,000 rollouts the filter adds {} × of what it adds with one; the whole request takes {} ×.\n",
        table(&head, &rows),
        spread(growth(&run.measured, 10_000)),
        spread(whole_growth(&run.measured, 10_000)),
    )
}

/// Resident memory by contestant and number of workers.
pub(crate) fn memory(run: &Run) -> String {
    let all = &run.measured.memory.workers;
    let mut rows = Vec::new();
    for (name, by_workers) in all {
        let mut before: Option<(u32, f64)> = None;
        for (&workers, &resident) in by_workers {
            let more_than = |other: &str| {
                let other = all.get(other).filter(|_| name != other).and_then(|other| other.get(&workers));
                other.map_or_else(String::new, |other| number(resident - other))
            };
            let per_worker = before.map(|(count, memory)| (resident - memory) / f64::from(workers - count));
            let per_worker = per_worker.map_or_else(String::new, number);
            before = Some((workers, resident));
            let (bare, empty) = (more_than("none"), more_than("empty SDK"));
            rows.push(vec![name.clone(), workers.to_string(), number(resident), bare, empty, per_worker]);
        }
    }
    let head = ["contestant", "workers", "MiB", "more than none", "more than empty SDK", "a further worker"];
    table(&head, &rows)
}

/// Resident memory over the life of a process.
pub(crate) fn soak(run: &Run) -> String {
    let row = |soak: &serin_bench::results::Soak| {
        vec![number(soak.streams as f64), number(soak.pushes.into()), number(soak.resident)]
    };
    let readings = &run.measured.memory.soak;
    let text = table(&["streams", "pushes", "MiB"], &readings.iter().map(row).collect::<Vec<_>>());
    let served: Vec<_> = readings.iter().filter(|reading| reading.pushes == 0).collect();
    // The first readings hold what is made at first use.
    let per_million = served
        .get(1)
        .zip(served.last())
        .filter(|(first, last)| last.streams > first.streams)
        .map(|(first, last)| (last.resident - first.resident) / (last.streams - first.streams) as f64 * 1e6);
    let (first, last) = (served.last(), readings.last());
    let per_push = first
        .zip(last)
        .filter(|(_, last)| last.pushes > 0)
        .map(|(first, last)| (last.resident - first.resident) * 1_024.0 / f64::from(last.pushes));
    let shown = |value: Option<f64>| value.map_or_else(|| crate::markdown::MISSING.to_owned(), number);
    format!(
        "{text}\nThat is {} MiB for a million streams after the first reading of them, and {} KiB for a push.\n",
        shown(per_million),
        shown(per_push)
    )
}

/// What was counted in wasmtime, in the order of the chains, then the others.
pub(crate) fn counted(run: &Run) -> String {
    let scenarios = &run.module.scenarios;
    let place = |name: &str| SCENARIOS.iter().position(|(known, _)| *known == name).unwrap_or(SCENARIOS.len());
    let mut names: Vec<&String> = scenarios.keys().collect();
    names.sort_by_key(|name| place(name));
    let row = |name: &&String| {
        let exact = &scenarios[*name];
        let time = run.times.of("stream", &exact.title).map(|time| number(time.typical));
        let calls =
            exact.host_calls.iter().map(|(call, times)| format!("{times} {}", call.trim_start_matches("proxy_")));
        vec![
            exact.title.clone(),
            calls.collect::<Vec<_>>().join(", "),
            number(exact.bytes_in as f64),
            number(exact.bytes_out as f64),
            number(exact.fuel as f64),
            time.unwrap_or_else(|| crate::markdown::MISSING.to_owned()),
        ]
    };
    let head = ["scenario", "host calls", "bytes in", "bytes out", "fuel", "ns a stream, host included"];
    table(&head, &names.iter().map(row).collect::<Vec<_>>())
}

/// What criterion measured of the core and of configuration, by group.
pub(crate) fn times(run: &Run) -> String {
    let others = run.times.0.iter().filter(|((group, name), _)| group != "stream" || name == "host alone");
    let row = |((group, name), time): (&(String, String), &crate::criterion::Time)| {
        vec![
            format!("{group}: {name}"),
            duration(time.typical),
            format!("{} to {}", duration(time.low), duration(time.high)),
        ]
    };
    table(&["bench", "time", "95 % confidence"], &others.map(row).collect::<Vec<_>>())
}

/// Nanoseconds in the unit that reads best.
fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < 1e3 => format!("{} ns", number(short)),
        middle if middle < 1e6 => format!("{} µs", number(middle / 1e3)),
        long => format!("{} ms", number(long / 1e6)),
    }
}
