//! What the built module costs in wasmtime: a stream from its first callback to its last, and the push of a document. Beside
//! the times, the exact figures are written to `target/bench/module.json`.
//!
//! Needs `SERIN_WASM`, the path of the module. The host counts fuel, so a proxy is somewhat faster.
#![allow(missing_docs)] // The macros of criterion make public functions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use criterion::{BatchSize, Criterion, SamplingMode, criterion_group, criterion_main};
use serin_bench::results::{self, Exact, Pages};
use serin_bench::{Covers, document};
use serin_host::{Module, ProxyBuilder};
use serin_scenarios::Case;

/// A proxy with one worker configures a canary VM, the main thread's VM and the worker's.
const VMS: u32 = 3;

fn path() -> PathBuf {
    PathBuf::from(std::env::var_os("SERIN_WASM").expect("SERIN_WASM is the path of the module"))
}

/// Compiled once for all benches.
static MODULE: LazyLock<Module> = LazyLock::new(|| Module::open(&path()).expect("the module loads"));

/// Whole streams: create, request headers, response headers, delete.
fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    for (n, case) in serin_scenarios::all().into_iter().enumerate() {
        let running = case.start(&MODULE).expect("the case starts");
        let request = running.request();
        if n == 0 {
            // On a listener without a filter, the host alone is measured: its header maps, its book-keeping.
            let unfiltered = request.clone().on("no filter");
            group.bench_function("host alone", |bencher| {
                bencher.iter_batched(|| unfiltered.clone(), serin_host::Request::send, BatchSize::SmallInput);
            });
        }
        group.bench_function(case.title, |bencher| {
            bencher.iter_batched(|| request.clone(), serin_host::Request::send, BatchSize::SmallInput);
        });
    }
}

/// The time that one VM takes to read a document.
fn configuration(criterion: &mut Criterion) {
    for (name, covers) in Covers::ALL {
        let mut group = criterion.benchmark_group(format!("configure/{name}"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(1));
        for rollouts in [1, 1_000, 10_000] {
            let document = document(rollouts, covers);
            let mut proxy = ProxyBuilder::new(&MODULE).start(pushed(&document, 0)).expect("the document is sound");
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

/// Writes what can be counted. A test only counts it, a little of it.
fn figures(_: &mut Criterion) {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    // `cargo bench` says so, `cargo test` does not.
    let (requests, pushes) = if has("--bench") && !has("--quick") { (10_000_000, 1_000) } else { (1_000, 10) };
    let figures = counted(requests, pushes).expect("the figures are counted");
    if has("--bench") {
        write(&figures).expect("the figures are written");
    }
}

fn counted(requests: u64, pushes: u64) -> Result<results::Module> {
    let module = &*MODULE;
    let exact = |case: Case| anyhow::Ok((case.name.to_owned(), exact(&case, module)?));
    Ok(results::Module {
        bytes: std::fs::metadata(path()).context("looking at the module")?.len(),
        exports: module.exports(),
        imports: module.imports(),
        pages: pages(module, requests, pushes)?,
        scenarios: serin_scenarios::all().into_iter().map(exact).collect::<Result<_>>()?,
    })
}

fn write(figures: &results::Module) -> Result<()> {
    let folder = results::target().join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join("module.json");
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))
}

fn exact(case: &Case, module: &Module) -> Result<Exact> {
    let cost = case.start(module)?.cost()?;
    Ok(Exact {
        title: case.title.to_owned(),
        host_calls: cost.host_calls().iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect(),
        bytes_in: cost.bytes_in(),
        bytes_out: cost.bytes_out(),
        fuel: cost.fuel(),
    })
}

fn pages(module: &Module, requests: u64, pushes: u64) -> Result<Pages> {
    let small = serin_scenarios::shop();
    let mut proxy = serin_scenarios::start(module, &small)?;
    let worker = proxy.worker(0);
    worker.get("/cart").send()?;
    let small_pages = worker.pages();
    for _ in 0..requests {
        worker.get("/cart").send()?;
    }
    for n in 1..=pushes {
        proxy.push(pushed(&small.to_string(), n))?;
        worker.get("/cart").send()?;
    }
    let mut rollouts = BTreeMap::new();
    for count in [1, 1_000, 10_000] {
        rollouts.insert(count, grown(module, usize::try_from(count)?)?);
    }
    Ok(Pages { start: module.initial_pages(), small: small_pages, used: worker.pages(), requests, pushes, rollouts })
}

/// Pages with so many rollouts of the kind that takes most: at start, after pushes that change one in a hundred of them, and
/// after pushes that change all.
fn grown(module: &Module, rollouts: usize) -> Result<[u64; 3]> {
    let first = document(rollouts, Covers::Headers);
    let with_weight = |weight: u32, part: usize| {
        let changed = format!(r#""weight": {weight}"#);
        first.split_inclusive('\n').enumerate().map(move |(line, text)| {
            // A rollout has two lines.
            if line / 2 % part == 0 { text.replace(r#""weight": 10"#, &changed) } else { text.to_owned() }
        })
    };
    let mut pages = Vec::new();
    for part in [100, 1] {
        let mut proxy = ProxyBuilder::new(module).start(first.clone())?;
        pages.push(proxy.worker(0).pages());
        for weight in 11..15 {
            proxy.push(with_weight(weight, part).collect::<String>())?;
        }
        pages.push(proxy.worker(0).pages());
    }
    Ok([pages[0], pages[1], pages[3]])
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
