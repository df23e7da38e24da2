//! What the built module costs in wasmtime: from the push of a document to the rules that work.
//!
//! Needs `SERIN_WASM`, the path of the module. The host counts fuel, so a proxy is somewhat faster.
#![allow(missing_docs, clippy::print_stdout)] // The macros of criterion make public functions; results are printed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use serin_bench::{Covers, document};
use serin_host::{Module, ProxyBuilder};

/// A proxy with one worker configures a canary VM, the main thread's VM and the worker's.
const VMS: u32 = 3;

/// The time that one VM takes to read a document.
fn configuration(criterion: &mut Criterion) {
    let path = PathBuf::from(std::env::var_os("SERIN_WASM").expect("SERIN_WASM is the path of the module"));
    let module = Module::open(&path).expect("the module loads");
    for (name, covers) in Covers::ALL {
        let mut group = criterion.benchmark_group(format!("configure/{name}"));
        group.sample_size(10);
        for rollouts in [1, 1_000, 10_000] {
            let document = document(rollouts, covers);
            // The same bytes again would be the same root, which nobody configures anew.
            let pushed = |n: u64| format!("{document}{}", " ".repeat(usize::try_from(n % 2).unwrap_or_default()));
            let mut proxy = ProxyBuilder::new(&module).start(pushed(0)).expect("the document is sound");
            let first = proxy.worker(0).pages();
            let mut pushes = 0;
            group.bench_function(format!("{rollouts} rollouts"), |bencher| {
                bencher.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        pushes += 1;
                        let bytes = pushed(pushes);
                        let started = Instant::now();
                        proxy.push(bytes).expect("the document is sound");
                        spent += started.elapsed();
                    }
                    spent / VMS
                });
            });
            let mebibytes = |pages: u64| pages.div_ceil(16);
            println!(
                "configure/{name}/{rollouts} rollouts: {} KiB of document; a VM has {} MiB, {} MiB after pushes",
                document.len() / 1024,
                mebibytes(first),
                mebibytes(proxy.worker(0).pages()),
            );
        }
    }
}

criterion_group!(benches, configuration);
criterion_main!(benches);
