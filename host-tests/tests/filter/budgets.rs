//! What a request costs: host calls and bytes copied, exactly as in a checked file; fuel near what it holds; memory.
//!
//! `SERIN_RECORD=1 SERIN_WASM=$PWD/target/serin.wasm cargo test -p serin-scenarios --test filter budgets` writes the file anew, for
//! a change that is meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use serin_host::Usage;
use serin_scenarios::Scenario;

use crate::site::{module, proxy, shop_with, visitor_on};

/// Fuel differs a little with the compiler that built the module.
const FUEL_TOLERANCE: f64 = 0.03;

/// What each scenario costs, by its title.
fn measured() -> BTreeMap<&'static str, Usage> {
    let cost = |scenario: Scenario| (scenario.title, scenario.start(module()).unwrap().cost().unwrap());
    serin_scenarios::all().into_iter().map(cost).collect()
}

#[test]
fn a_request_costs_what_the_file_says() {
    let measured: BTreeMap<_, _> = measured().into_iter().map(|(name, usage)| (name.to_owned(), row(&usage))).collect();
    if std::env::var_os("SERIN_RECORD").is_some() {
        let text = serde_json::to_string_pretty(&measured).unwrap();
        std::fs::write(file(), text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(file()).unwrap();
    let recorded: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(measured.keys().collect::<Vec<_>>(), recorded.keys().collect::<Vec<_>>());
    for (name, now) in &measured {
        let before = &recorded[name];
        for exact in ["host_calls", "bytes_in", "bytes_out"] {
            assert_eq!(now[exact], before[exact], "{name}: {exact}; if it is meant, record it anew");
        }
        let (now, before) = (now["fuel"].as_f64().unwrap(), before["fuel"].as_f64().unwrap());
        assert!((now / before - 1.0).abs() <= FUEL_TOLERANCE, "{name}: fuel was {before}, is {now}");
    }
}

fn row(usage: &Usage) -> Value {
    json!({
        "host_calls": usage.host_calls(), "bytes_in": usage.bytes_in(), "bytes_out": usage.bytes_out(), "fuel": usage.fuel(),
    })
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filter/budgets.json")
}

#[test]
fn the_budgets_are_kept() {
    let measured = measured();
    let host_calls = [
        ("cookie holds stable, match-all", 3),
        ("cookie holds stable, hosts", 4),
        ("cookie holds stable, hosts and paths", 5),
        ("cookie holds canary, match-all", 5),
    ];
    let fuel = [
        ("cookie holds stable, match-all", 5_000),
        ("cookie holds canary, match-all", 5_000),
        ("new visitor, match-all", 5_000),
        ("user id, match-all", 3_000),
        ("override, match-all", 2_500),
    ];
    let over = |budgets: &[(&'static str, u64)], cost: fn(&Usage) -> u64| {
        let spent = budgets.iter().map(|(name, budget)| (*name, cost(&measured[name]), *budget));
        spent.filter(|(_, spent, budget)| spent > budget).collect::<Vec<_>>()
    };
    assert_eq!(over(&host_calls, Usage::total_host_calls), [], "host calls: name, spent, budget");
    assert_eq!(over(&fuel, Usage::fuel), [], "fuel: name, spent, budget");
}

#[test]
fn memory_is_small_from_the_start() {
    assert_eq!(module().initial_pages(), 2);
    let proxy = proxy(&shop_with(30, &json!({"override": {"header": "x-canary"}})));
    for worker in proxy.workers() {
        visitor_on(&worker, "v2");
        assert!(worker.pages() <= 4, "{}", worker.pages());
    }
}

#[test]
fn only_the_callbacks_that_are_used_are_exported() {
    let callbacks: Vec<_> = module().exports().into_iter().filter(|name| name.starts_with("proxy_on_")).collect();
    for unused in ["body", "trailers", "log", "done", "data", "grpc", "queue", "foreign", "http_call", "connection"] {
        assert!(!callbacks.iter().any(|name| name.contains(unused)), "{callbacks:?}");
    }
    assert!(module().exports().len() <= 11, "{:?}", module().exports());
}

#[test]
fn nothing_is_imported_but_proxy_functions_and_five_of_wasi() {
    const WASI: [&str; 5] = ["clock_time_get", "environ_get", "environ_sizes_get", "proc_exit", "random_get"];
    let imports = module().imports();
    let others = imports.iter().filter(|name| !name.starts_with("proxy_") && !WASI.contains(&name.as_str()));
    assert_eq!(others.count(), 0, "{imports:?}");
    let called = ["proxy_get_header_map_value", "proxy_replace_header_map_value", "proxy_get_property", "random_get"];
    assert!(called.iter().all(|name| imports.iter().any(|import| import == name)), "{imports:?}");
}

/// The budget of linear memory with 10,000 rollouts is 32 MiB, also while the rules before a push that changes some of them are
/// still in use. Where every push changes all of them, the benches show more.
#[test]
fn ten_thousand_rollouts_fit_into_their_memory() {
    const MOST_PAGES: u64 = 32 * 16;
    let document = |changed: usize| {
        let rollout = |n: usize| {
            let entry = json!({
                "hosts": [format!("h{n}.example.com")],
                "headers": [{"name": "x-region", "exact": "eu"}, {"name": "x-team", "in": ["dev", "qa"]}],
            });
            let weight = if n < changed { 20 } else { 10 };
            let versions = json!({"v1": {"cluster": "c1"}, "v2": {"cluster": "c2", "weight": weight}});
            let fields = json!({
                "match": [entry], "stable": "v1", "versions": versions, "override": {"header": "x-canary"},
                "sticky": {"unit": [{"header": "x-user-id"}]},
            });
            (format!("r{n}"), fields)
        };
        json!({"rollouts": (0..10_000).map(rollout).collect::<serde_json::Map<_, _>>()})
    };
    let mut proxy = proxy(&document(0));
    let mut pages = vec![proxy.worker(0).pages()];
    for changed in [100, 200, 300] {
        proxy.push(document(changed).to_string()).unwrap();
        pages.push(proxy.worker(0).pages());
    }
    assert!(pages.iter().all(|pages| *pages <= MOST_PAGES), "{pages:?}");
    assert_eq!(pages[2], pages[3], "{pages:?}");
}
