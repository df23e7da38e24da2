//! The scenarios of `host-tests/scenarios`: all of them in the wasmtime host in all ways, each in one way in the real Envoy
//! that `ENVOY` names, and what they have to cover. `cargo xtask scenarios` and `cargo xtask test --full` run all of them in all ways.

mod coverage;
mod defaults;
mod refusals;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serin_host::scenario::{Http, Scenario};
use serin_scenarios::runner::{Discovery, Envoy, Options, Report, run};

fn scenarios() -> Result<Vec<Scenario>> {
    Scenario::load_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"))
}

fn path_in(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.with_context(|| format!("{variable} is not set: run `cargo xtask test`"))
}

fn options() -> Result<Options> {
    Ok(Options {
        modules: [("serin".to_owned(), path_in("SERIN_WASM")?)].into(),
        module: "serin".to_owned(),
        wasmtime: true,
        envoys: Vec::new(),
        http: vec![Http::One, Http::Two],
        discovery: vec![Discovery::Lds, Discovery::Ecds],
        workers: vec![1, 4],
    })
}

/// Asserts that all of these scenarios ran, as they expect and in all hosts alike.
#[track_caller]
fn assert_alike(scenarios: &[Scenario], report: &Report) {
    assert!(report.ran() == scenarios.len() && report.differing() == 0, "\n{report}");
}

/// One after the other, for what is waited for in Envoy is real time.
#[tokio::test]
async fn all_scenarios_in_wasmtime_and_each_once_in_envoy() -> Result<()> {
    let scenarios = scenarios()?;
    assert_alike(&scenarios, &run(&scenarios, &options()?).await?);
    each_once_in_envoy(scenarios).await
}

/// Every scenario once, and more than one way to run them: each takes the first that suits it from its turn on.
async fn each_once_in_envoy(all: Vec<Scenario>) -> Result<()> {
    let ways = [
        (Http::One, Discovery::Ecds, 4),
        (Http::Two, Discovery::Lds, 4),
        (Http::Two, Discovery::Ecds, 1),
        (Http::One, Discovery::Lds, 1),
    ];
    let binary = path_in("ENVOY")?;
    let mut parts = ways.map(|_| Vec::new());
    for (number, scenario) in all.into_iter().enumerate() {
        let suits = |(http, _, workers): (Http, Discovery, usize)| {
            scenario.http.contains(&http) && scenario.workers.within(workers).is_some()
        };
        let turn = (0..ways.len()).map(|later| (number + later) % ways.len()).find(|turn| suits(ways[*turn]));
        parts[turn.with_context(|| format!("{scenario} suits none of the ways"))?].push(scenario);
    }
    for ((http, discovery, workers), part) in ways.into_iter().zip(parts) {
        let (http, discovery, workers) = (vec![http], vec![discovery], vec![workers]);
        // Its path tells its version.
        let envoys = vec![Envoy { name: binary.display().to_string(), binary: binary.clone() }];
        let report = run(&part, &Options { envoys, http, discovery, workers, ..options()? }).await?;
        assert_alike(&part, &report);
        assert_eq!(part.len(), report.compared(), "\n{report}");
    }
    Ok(())
}
