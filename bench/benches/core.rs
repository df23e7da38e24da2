//! What a decision and the reading of a document cost, natively and without an Envoy around.
#![allow(missing_docs)] // The macros of criterion make public functions.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serin_bench::{Request, document};
use serin_core::{Effects, Facts, Rules, Surroundings, Time, decide};

fn decisions(criterion: &mut Criterion) {
    let now = Time::from_unix_seconds(20_778 * 86_400);
    let stable = ("cookie", "theme=dark; canary=nAAAAAAAAAA.d20778; lang=en");
    let scenarios: [(&str, &[(&'static str, &str)]); 4] = [
        ("cookie", &[stable]),
        ("new visitor", &[]),
        ("user id", &[("x-user-id", "0f8fad5b-d9cb-469f-a165-70867728950e")]),
        ("override", &[stable, ("x-canary", "v2")]),
    ];
    for rollouts in [1, 10_000] {
        let rules =
            Rules::parse(document(rollouts).as_bytes(), &Surroundings::default()).rules.expect("the document is sound");
        let mut group = criterion.benchmark_group(format!("decide/{rollouts} rollouts"));
        for (name, headers) in scenarios {
            let request = Request::to("h77.example.com", "/shop/77/reviews?page=2", headers);
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let facts = Facts::new(black_box(&request));
                    let decision = decide(&rules, &facts, now, || 1 << 63);
                    Effects::of(&rules, decision.as_ref(), &facts, now).set().count()
                });
            });
        }
    }
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10);
    for rollouts in [1, 1_000, 10_000] {
        let document = document(rollouts);
        group.bench_function(format!("{rollouts} rollouts"), |bencher| {
            bencher.iter_batched(
                || document.as_bytes(),
                |bytes| Rules::parse(bytes, &Surroundings::default()),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, decisions, parsing);
criterion_main!(benches);
