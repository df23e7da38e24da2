//! The plots of the report, as SVG.

mod bars;
mod lines;

use anyhow::Result;
use plotters::style::RGBColor;
use serin_bench::results::{Grown, Growth, SCENARIOS, Series};

use crate::Run;
use crate::chains::cost;
use crate::markdown::number;
use crate::stats::Spread;
use bars::{Bar, bars};
use lines::{Line, lines};

/// Told apart by people who see colours differently, too, and by their lightness in print.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const GREY: RGBColor = RGBColor(130, 130, 130);

/// All plots that there are numbers for, by name.
///
/// # Errors
/// If one cannot be drawn.
pub(crate) fn all(run: &Run) -> Result<Vec<(&'static str, String)>> {
    let growing = |of: fn(&Grown) -> &Series| growing(&run.measured.growth, of);
    let plots = [
        ("filter-cpu", bars("What one copy of a filter adds to a request", "µs of CPU", &filters(run))?),
        ("forwarding-cpu", bars("Forwarding to an upstream", "µs of Envoy's CPU a request", &forwarding(run))?),
        ("latency", bars("Latency at a fixed rate", "µs, median and 99th percentile", &latency(run))?),
        ("growth-cpu", lines("A request that the last rollout covers", "µs of CPU", &growing(|grown| &grown.cpu))?),
        ("growth-push", lines("From push to effect", "ms", &growing(|grown| &grown.push))?),
        ("soak", bars("Memory over the life of a process", "MiB resident", &soak(run))?),
    ];
    Ok(plots.into_iter().filter_map(|(name, svg)| Some((name, svg?))).collect())
}

/// The yardsticks, then each scenario of ours with the script's beside it.
fn filters(run: &Run) -> Vec<Bar> {
    let measured = &run.measured;
    let is_yardstick = |name: &&String| ["empty_", "calls/"].iter().any(|start| name.starts_with(start));
    let yardsticks = measured.chains.keys().filter(is_yardstick).map(|name| (name.clone(), GREY));
    let scenarios = SCENARIOS
        .iter()
        .flat_map(|(scenario, _)| [(format!("serin/{scenario}"), BLUE), (format!("lua/{scenario}"), ORANGE)]);
    let bar = |(name, colour): (String, RGBColor)| Some(Bar { value: cost(measured, &name)?, label: name, colour });
    yardsticks.chain(scenarios).filter_map(bar).collect()
}

fn forwarding(run: &Run) -> Vec<Bar> {
    let bar = |(name, forwarding): (&String, &serin_bench::results::Forwarding)| {
        Some(Bar { label: name.clone(), value: Spread::of(&forwarding.cpu.0)?, colour: colour_of(name) })
    };
    run.measured.forwarding.iter().filter_map(bar).collect()
}

fn latency(run: &Run) -> Vec<Bar> {
    let mut all = Vec::new();
    for (name, forwarding) in &run.measured.forwarding {
        for (workers, load) in &forwarding.load {
            let workers = if *workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
            for (which, series) in [("p50", &load.p50), ("p99", &load.p99)] {
                let label = format!("{name}, {workers}, {which}");
                all.extend(Spread::of(&series.0).map(|value| Bar { label, value, colour: colour_of(name) }));
            }
        }
    }
    all
}

fn soak(run: &Run) -> Vec<Bar> {
    let bar = |soak: &serin_bench::results::Soak| {
        let [streams, pushes] = [soak.streams as f64, soak.pushes.into()].map(number);
        let label = format!("{streams} streams, {pushes} pushes");
        Bar { label, value: Spread { low: soak.resident, median: soak.resident, high: soak.resident }, colour: BLUE }
    };
    run.measured.memory.soak.iter().map(bar).collect()
}

fn growing(sizes: &[Growth], of: fn(&Grown) -> &Series) -> Vec<Line> {
    let line = |name, colour, grown: fn(&Growth) -> &Grown| {
        let point = |size: &Growth| Some((f64::from(size.rollouts), Spread::of(&of(grown(size)).0)?));
        Line { name, colour, points: sizes.iter().filter_map(point).collect() }
    };
    vec![line("Serin", BLUE, |size| &size.filter), line("Envoy's routes", ORANGE, |size| &size.routes)]
}

fn colour_of(contestant: &str) -> RGBColor {
    match contestant {
        ours if ours.starts_with("serin") => BLUE,
        script if script.starts_with("lua") => ORANGE,
        _ => GREY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::run;

    #[test]
    fn every_plot_is_xml_with_a_background_and_without_nan() {
        let drawn = all(&run()).unwrap();
        let names: Vec<_> = drawn.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["filter-cpu", "forwarding-cpu", "latency", "growth-cpu", "growth-push", "soak"]);
        for (name, svg) in drawn {
            let document = roxmltree::Document::parse(&svg).unwrap();
            assert!(document.descendants().any(|node| node.attribute("fill") == Some("#FFFFFF")), "{name}");
            assert!(!svg.contains("NaN"), "{name}");
        }
    }

    #[test]
    fn without_numbers_there_is_no_plot() {
        let mut run = run();
        run.measured.chains.clear();
        run.measured.forwarding.clear();
        run.measured.growth.clear();
        run.measured.memory.soak.clear();
        assert!(all(&run).unwrap().is_empty());
    }
}
