//! What the built module costs in wasmtime: a stream from its first callback to its last, and the push of a document. Beside
//! the times, the exact figures are written to `target/bench/module.json`.
//!
//! Needs `SERIN_WASM`, the path of the module. The host counts fuel, so a proxy is somewhat faster.
#![allow(missing_docs)] // The macros of criterion make public functions.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use criterion::{BatchSize, Criterion, SamplingMode, criterion_group, criterion_main};
use serin_bench::results::{self, Exact, Pages};
use serin_bench::{Covers, document};
use serin_host::{Module, ProxyBuilder};
use serin_scenarios::Scenario;

/// A proxy with one worker configures a canary VM, the main thread's VM and the worker's.
const VMS: u32 = 3;

/// How many requests and pushes linear memory must stay the same for; a real Envoy gets more of both.
const REQUESTS: u64 = 100_000;
const PUSHES: u64 = 1_000;

fn path() -> PathBuf {
    PathBuf::from(std::env::var_os("SERIN_WASM").expect("SERIN_WASM is the path of the module"))
}

fn module() -> Module {
    Module::open(&path()).expect("the module loads")
}

/// Whole streams: create, request headers, response headers, delete.
fn streams(criterion: &mut Criterion) {
    let module = module();
    let mut group = criterion.benchmark_group("stream");
    for (n, scenario) in serin_scenarios::all().into_iter().enumerate() {
        let running = scenario.start(&module).expect("the scenario starts");
        let request = running.request();
        if n == 0 {
            // On a listener without a filter, the host alone is measured: its header maps, its book-keeping.
            let unfiltered = request.clone().on("no filter");
            group.bench_function("host alone", |bencher| {
                bencher.iter_batched(|| unfiltered.clone(), serin_host::Request::send, BatchSize::SmallInput);
            });
        }
        group.bench_function(scenario.title, |bencher| {
            bencher.iter_batched(|| request.clone(), serin_host::Request::send, BatchSize::SmallInput);
        });
    }
}

/// The time that one VM takes to read a document.
fn configuration(criterion: &mut Criterion) {
    let module = module();
    for (name, covers) in Covers::ALL {
        let mut group = criterion.benchmark_group(format!("configure/{name}"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(1));
        for rollouts in [1, 1_000, 10_000] {
            let document = document(rollouts, covers);
            let mut proxy = ProxyBuilder::new(&module).start(pushed(&document, 0)).expect("the document is sound");
            let mut pushes = 0;
            group.bench_function(format!("{rollouts} rollouts"), |bencher| {
                bencher.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        pushes += 1;
                        let bytes = pushed(&document, pushes);
                        let started = Instant::now();
                        proxy.push(bytes).expect("the document is sound");
                        spent += started.elapsed();
                    }
                    spent / VMS
                });
            });
        }
    }
}

/// The document as it is pushed for the nth time: the same bytes again would be the same root, which nobody configures anew.
fn pushed(document: &str, n: u64) -> String {
    format!("{document}{}", if n.is_multiple_of(2) { "" } else { " " })
}

/// Writes what can be counted.
fn figures(_: &mut Criterion) {
    write_figures().expect("the figures are counted and written");
}

fn write_figures() -> Result<()> {
    let module = module();
    let exact = |scenario: Scenario| anyhow::Ok((scenario.name.to_owned(), exact(&scenario, &module)?));
    let figures = results::Module {
        bytes: std::fs::metadata(path()).context("looking at the module")?.len(),
        exports: module.exports(),
        imports: module.imports(),
        pages: pages(&module)?,
        scenarios: serin_scenarios::all().into_iter().map(exact).collect::<Result<_>>()?,
    };
    let folder = results::target().join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    write(&folder.join("module.json"), &serde_json::to_string_pretty(&figures)?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, format!("{text}\n")).with_context(|| format!("writing {}", path.display()))
}

fn exact(scenario: &Scenario, module: &Module) -> Result<Exact> {
    let cost = scenario.start(module)?.cost()?;
    Ok(Exact {
        title: scenario.title.to_owned(),
        host_calls: cost.host_calls.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect(),
        bytes_in: cost.bytes_in,
        bytes_out: cost.bytes_out,
        fuel: cost.fuel,
    })
}

fn pages(module: &Module) -> Result<Pages> {
    let small = serin_scenarios::shop();
    let mut proxy = serin_scenarios::start(module, &small)?;
    let worker = proxy.worker(0);
    worker.get("/cart").send()?;
    let small_pages = worker.pages();
    for _ in 0..REQUESTS {
        worker.get("/cart").send()?;
    }
    for n in 1..=PUSHES {
        proxy.push(pushed(&small.to_string(), n))?;
        worker.get("/cart").send()?;
    }
    let grown = |rollouts: u32| {
        let document = document(usize::try_from(rollouts)?, Covers::Hosts);
        anyhow::Ok((rollouts, ProxyBuilder::new(module).start(document)?.worker(0).pages()))
    };
    Ok(Pages {
        start: module.initial_pages(),
        small: small_pages,
        used: worker.pages(),
        requests: REQUESTS,
        pushes: PUSHES,
        rollouts: [1, 1_000, 10_000].into_iter().map(grown).collect::<Result<_>>()?,
    })
}

criterion_group!(
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_200))
        .nresamples(10_000);
    targets = streams, configuration, figures
);
criterion_main!(benches);
