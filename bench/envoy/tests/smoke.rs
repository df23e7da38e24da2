//! Every kind of measurement, with a handful of requests: every contestant does its job, and the numbers are numbers.
#![cfg(target_os = "linux")] // CPU and memory of a process are read from `/proc`.

use std::path::PathBuf;

use serin_bench::results::{SCENARIOS, Series};
use serin_bench_envoy::{Plan, Tools, chains, forwarding, growth, machine, memory};

fn tools() -> Tools {
    let path = |name| {
        let path = std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"));
        std::path::absolute(PathBuf::from(path)).unwrap()
    };
    Tools { envoy: path("ENVOY"), module: path("SERIN_WASM"), empty: path("SERIN_EMPTY") }
}

#[track_caller]
fn check(name: &str, series: &Series) {
    assert!(!series.0.is_empty(), "{name} was not measured");
    assert!(series.0.iter().all(|value| value.is_finite() && *value > 0.0), "{name}: {series:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn chains_are_measured() {
    let measured = chains(&tools(), &Plan::smoke()).await.unwrap();
    measured.iter().for_each(|(name, series)| check(name, series));
    for (scenario, kind) in SCENARIOS {
        let lua = (!["user_hash", "signed", "guard", "hosts_not_covered"].contains(&scenario))
            .then(|| format!("lua/{scenario}"));
        let others = ["none", "empty_sdk", "empty_trimmed"].map(|filter| format!("{filter}/{kind}"));
        for name in others.into_iter().chain([format!("serin/{scenario}")]).chain(lua) {
            assert!(measured.contains_key(&name), "{name} was not measured");
        }
    }
    for name in [
        "callbacks/cookie",
        "calls/match_all_stable",
        "calls/hosts_stable",
        "empty_twin/cookie",
        "serin_twin/match_all_stable",
    ] {
        assert!(measured.contains_key(name), "{name} was not measured");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn forwarding_is_measured() {
    let all = forwarding(&tools(), &Plan::smoke()).await.unwrap();
    let rivals = ["lua/stable", "lua/canary", "lua/new", "serin/stable", "serin/canary", "serin/new"];
    let natives = ["none", "weighted_clusters", "hash_policy", "header_routes", "empty_sdk"];
    for name in natives.into_iter().chain(rivals) {
        assert!(all.contains_key(name), "{name} was not measured");
    }
    for (name, measured) in all {
        check(&name, &measured.cpu);
        for load in measured.load.values() {
            [&load.saturated, &load.p50, &load.p99].into_iter().for_each(|series| check(&name, series));
        }
        assert!(!measured.load.is_empty(), "{name} had no load");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn growth_is_measured() {
    let plan = Plan::smoke();
    let measured = growth(&tools(), &plan).await.unwrap();
    assert_eq!(measured.iter().map(|growth| growth.rollouts).collect::<Vec<_>>(), plan.sizes);
    for growth in measured {
        for grown in [growth.filter, growth.routes] {
            let name = format!("{} rollouts", growth.rollouts);
            check(&name, &grown.cpu);
            check(&name, &grown.push);
            check(&name, &Series(vec![grown.memory]));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn memory_is_measured() {
    let plan = Plan::smoke();
    let measured = memory(&tools(), &plan).await.unwrap();
    assert_eq!(measured.workers.len(), 3);
    for (name, workers) in measured.workers {
        check(&name, &Series(workers.into_values().collect()));
    }
    check("soak", &Series(measured.soak.iter().map(|reading| reading.resident).collect()));
    let last = measured.soak.last().unwrap();
    let streams = u64::from(plan.soak.requests) * u64::from(plan.copies);
    assert_eq!((last.streams, last.pushes), (streams, plan.soak.pushes));
}

#[test]
fn the_machine_is_named() {
    let machine = machine(&tools().envoy).unwrap();
    assert!(
        machine.envoy.contains('/') && !machine.kernel.is_empty() && machine.processor.contains('×'),
        "{machine:?}"
    );
}
