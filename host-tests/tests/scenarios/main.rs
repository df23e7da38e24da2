//! The scenarios of `host-tests/scenarios`: all of them in the wasmtime host, a part in the real Envoy that `ENVOY` names,
//! and what they have to cover. `cargo xtask scenarios` and `cargo xtask test --full` run all of them in all ways.

mod coverage;
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

#[track_caller]
fn assert_alike(report: &Report) {
    assert!(report.ran() > 0 && report.differing() == 0, "\n{report}");
}

#[tokio::test]
async fn all_in_the_wasmtime_host() -> Result<()> {
    assert_alike(&run(&scenarios()?, &options()?).await?);
    Ok(())
}

/// Every scenario once, and every way to run them: each takes its turn.
#[tokio::test]
async fn a_part_in_envoy() -> Result<()> {
    let ways = [(Http::One, Discovery::Ecds, 4), (Http::Two, Discovery::Lds, 4), (Http::Two, Discovery::Ecds, 1)];
    for (turn, (http, discovery, workers)) in ways.into_iter().enumerate() {
        let (http, discovery, workers) = (vec![http], vec![discovery], vec![workers]);
        let envoys = vec![Envoy { name: "Envoy".to_owned(), binary: path_in("ENVOY")? }];
        let in_turn = scenarios()?.into_iter().enumerate().filter(|(number, _)| number % ways.len() == turn);
        let part: Vec<Scenario> = in_turn.map(|(_, scenario)| scenario).collect();
        assert_alike(&run(&part, &Options { envoys, http, discovery, workers, ..options()? }).await?);
    }
    Ok(())
}
