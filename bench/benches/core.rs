//! What a decision and the reading of a document cost, natively and without an Envoy around.
#![allow(missing_docs)] // The macros of criterion make public functions.

use std::hint::black_box;

use criterion::{BatchSize, Bencher, Criterion, criterion_group, criterion_main};
use serin_bench::{Covers, Request, document};
use serin_core::{Effects, Facts, Rules, Surroundings, Time, decide};

/// A visitor who is on stable.
const STABLE: (&str, &str) = ("cookie", "theme=dark; canary=nAAAAAAAAAA.d20778; lang=en");

fn decisions(criterion: &mut Criterion) {
    let scenarios: [(&str, &[(&'static str, &str)]); 4] = [
        ("cookie", &[STABLE]),
        ("new visitor", &[]),
        ("user id", &[("x-user-id", "0f8fad5b-d9cb-469f-a165-70867728950e")]),
        ("override", &[STABLE, ("x-canary", "v2")]),
    ];
    for rollouts in [1, 10_000] {
        let rules = sound(rollouts, Covers::Hosts);
        let mut group = criterion.benchmark_group(format!("decide/{rollouts} rollouts"));
        for (name, headers) in scenarios {
            let request = Request::to("h77.example.com", "/shop/77/reviews?page=2", headers);
            group.bench_function(name, |bencher| one_decision(bencher, &rules, &request));
        }
    }
}

/// The same visitor among rollouts that differ in what they cover.
fn covers(criterion: &mut Criterion) {
    for rollouts in [1, 10_000] {
        let mut group = criterion.benchmark_group(format!("cover/{rollouts} rollouts"));
        for (name, covers) in Covers::ALL {
            let rules = sound(rollouts, covers);
            let request = covers.request(&[STABLE]);
            group.bench_function(name, |bencher| one_decision(bencher, &rules, &request));
        }
    }
}

/// A regex on a short path and on the longest that is tried.
fn regexes(criterion: &mut Criterion) {
    let document = r#"{"rollouts": {"r": {"match": [{"path": {"regex": "/(?:shop|store)/[0-9a-z]+/reviews(?:/.*)?"}}],
        "stable": "v1", "versions": {"v1": {}}}}}"#;
    let rules = Rules::parse(document.as_bytes(), &Surroundings::default()).rules.expect("the document is sound");
    let mut group = criterion.benchmark_group("regex");
    for length in [32, 4_096] {
        let path = format!("/store/4711/reviews/{:a<1$}", "", length - "/store/4711/reviews/".len());
        let request = Request::to("shop.example.com", &path, &[STABLE]);
        group.bench_function(format!("{length} bytes"), |bencher| one_decision(bencher, &rules, &request));
    }
}

fn one_decision(bencher: &mut Bencher<'_>, rules: &Rules, request: &Request) {
    let now = Time::from_unix_seconds(20_778 * 86_400);
    bencher.iter(|| {
        let facts = Facts::new(black_box(request));
        let decision = decide(rules, &facts, now, || 1 << 63);
        Effects::of(rules, decision.as_ref(), &facts, now).set().count()
    });
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10);
    for rollouts in [1, 1_000, 10_000] {
        for (name, covers) in Covers::ALL {
            let document = document(rollouts, covers);
            group.bench_function(format!("{rollouts} rollouts, {name}"), |bencher| {
                bencher.iter_batched(
                    || document.as_bytes(),
                    |bytes| Rules::parse(bytes, &Surroundings::default()),
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

/// The rules of a document of the benches.
fn sound(rollouts: usize, covers: Covers) -> Rules {
    let parsed = Rules::parse(document(rollouts, covers).as_bytes(), &Surroundings::default());
    assert!(parsed.errors.is_empty(), "{}", parsed.errors[0]);
    parsed.rules.expect("a document without errors has rules")
}

criterion_group!(benches, decisions, covers, regexes, parsing);
criterion_main!(benches);
