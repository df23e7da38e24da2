//! What a decision and the reading of a document cost, natively and without an Envoy around.
#![allow(missing_docs)] // The macros of criterion make public functions.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Bencher, Criterion, SamplingMode, criterion_group, criterion_main};
use serin_bench::{Covers, Request, document, document_with};
use serin_core::{Current, Effects, Facts, Rules, Surroundings, Time, decide};

/// Three rules, of which the last holds for a request with `x-lane: blue`.
const RULES: &str = r#""rules": [{"when": {"headers": [{"name": "x-beta", "exact": "yes"}]}, "use": "v2"},
    {"when": {"headers": [{"name": "x-staff", "present": true}]}, "use": "v2"},
    {"when": {"headers": [{"name": "x-lane", "exact": "blue"}]}, "use": "v2"}],"#;

type Headers<'a> = &'a [(&'static str, &'a str)];

/// A key that signs cookies, as fields of a document.
const KEYS: &str = r#""keys": [{"id": "k1", "secret": "a key of sixteen bytes or more"}]"#;

/// The id of a user.
const USER: (&str, &str) = ("x-user-id", "0f8fad5b-d9cb-469f-a165-70867728950e");

/// A day in the life of a cookie.
const NOW: Time = Time::from_unix_seconds(20_778 * 86_400);

/// Every way to come to a decision, in documents of three sizes.
fn decisions(criterion: &mut Criterion) {
    for rollouts in [1, 100, 10_000] {
        let document = document(rollouts, Covers::Hosts);
        let plain = sound(&document);
        let signed = sound(&document.replacen('{', &format!("{{{KEYS},"), 1));
        let ruled = sound(&document_with(rollouts, Covers::Hosts, RULES));
        let stable = cookie(&plain, Covers::Hosts, "v1");
        let scenarios: [(&str, &Rules, Headers<'_>); 8] = [
            ("cookie holds stable", &plain, &[("cookie", &stable)]),
            ("cookie holds canary", &plain, &[("cookie", &cookie(&plain, Covers::Hosts, "v2"))]),
            ("new visitor", &plain, &[]),
            ("signed cookie holds stable", &signed, &[("cookie", &cookie(&signed, Covers::Hosts, "v1"))]),
            ("user id", &plain, &[USER]),
            ("override", &plain, &[("cookie", &stable), ("x-canary", "v2")]),
            ("three rules that do not hold", &ruled, &[("cookie", &stable)]),
            ("the last of three rules holds", &ruled, &[("cookie", &stable), ("x-lane", "blue")]),
        ];
        let mut group = criterion.benchmark_group(format!("decide/{rollouts} rollouts"));
        for (name, rules, headers) in scenarios {
            let request = Covers::Hosts.request(rollouts - 1, headers);
            group.bench_function(name, |bencher| one_decision(bencher, rules, &request));
        }
    }
}

/// The visitor cookie last among others, which all are passed over.
fn cookie_headers(criterion: &mut Criterion) {
    let rules = sound(&document(1, Covers::Hosts));
    let ours = cookie(&rules, Covers::Hosts, "v1");
    let mut group = criterion.benchmark_group("cookie header");
    for length in [0_usize, 100, 4_096] {
        // Cookies of other names in front, of which the first is as long as it takes.
        let others =
            "theme=dark; ".repeat(length.saturating_sub(ours.len() + "padding=; ".len()) / "theme=dark; ".len());
        let padding = length.saturating_sub(ours.len() + others.len() + "padding=; ".len());
        let header = format!("padding={:x<padding$}; {others}{ours}", "");
        let headers: Headers<'_> = if length == 0 { &[] } else { &[("cookie", &header)] };
        let request = Covers::Hosts.request(0, headers);
        group.bench_function(format!("{length} bytes"), |bencher| one_decision(bencher, &rules, &request));
    }
}

/// The same visitor among rollouts that differ in what they cover.
fn covers(criterion: &mut Criterion) {
    for rollouts in [1, 10_000] {
        let mut group = criterion.benchmark_group(format!("cover/{rollouts} rollouts"));
        for (name, covers) in Covers::ALL {
            let rules = sound(&document(rollouts, covers));
            let request = covers.request(rollouts - 1, &[("cookie", &cookie(&rules, covers, "v1"))]);
            group.bench_function(name, |bencher| one_decision(bencher, &rules, &request));
        }
    }
}

/// A regex on a short path and on the longest that is tried.
fn regexes(criterion: &mut Criterion) {
    let document = r#"{"rollouts": {"r": {"match": [{"path": {"regex": "/(?:shop|store)/[0-9a-z]+/reviews(?:/.*)?"}}],
        "stable": "v1", "versions": {"v1": {}}}}}"#;
    let rules = sound(document);
    let mut group = criterion.benchmark_group("regex");
    for length in [32, 4_096] {
        let path = format!("/store/4711/reviews/{:a<1$}", "", length - "/store/4711/reviews/".len());
        let request = Request::to("shop.example.com", &path, &[]);
        group.bench_function(format!("{length} bytes"), |bencher| one_decision(bencher, &rules, &request));
    }
}

fn one_decision(bencher: &mut Bencher<'_>, rules: &Rules, request: &Request) {
    bencher.iter(|| {
        let facts = Facts::new(black_box(request));
        let decision = decide(rules, &Current::default(), &facts, NOW, || 1 << 63);
        Effects::of(rules, decision.as_ref(), &facts, NOW).set().count()
    });
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for rollouts in [1, 100, 10_000] {
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

/// The rules of a document without a mistake.
fn sound(document: &str) -> Rules {
    let parsed = Rules::parse(document.as_bytes(), &Surroundings::default());
    assert!(parsed.errors.is_empty(), "{}", parsed.errors[0]);
    parsed.rules.expect("a document without errors has rules")
}

/// A `cookie` header that keeps a visitor on this version of the last rollout.
fn cookie(rules: &Rules, covers: Covers, version: &str) -> String {
    let last = rules.rollouts().len() - 1;
    let visitor = |number: u64| {
        let request = covers.request(last, &[]);
        let facts = Facts::new(&request);
        let decision = decide(rules, &Current::default(), &facts, NOW, || number << 40)?;
        let effects = Effects::of(rules, Some(&decision), &facts, NOW);
        let line = effects.response?.set_cookies[0].take()?;
        let pair = line.split(';').next().map(str::to_owned);
        pair.filter(|_| decision.version().is_some_and(|found| found.name() == version))
    };
    (1..10_000).find_map(visitor).expect("one visitor in 10,000 is on the version")
}

criterion_group!(
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900))
        .nresamples(10_000);
    targets = decisions, cookie_headers, covers, regexes, parsing
);
criterion_main!(benches);
