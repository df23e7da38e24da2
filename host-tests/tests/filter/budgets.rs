//! What a request costs: host calls, bytes and allocations exactly as in a checked file; fuel as it holds it for the compiler
//! that built the module, or near that; memory. `cargo xtask budgets --bless` writes the file anew, for a change that is meant.

use std::sync::LazyLock;

use serde_json::json;
use serin_scenarios::budgets::Figures;

use crate::site::{module, proxy, shop_with, visitor_on};

/// The compiler is named by `cargo xtask test`.
static MEASURED: LazyLock<Figures> = LazyLock::new(|| {
    let compiler = std::env::var("SERIN_COMPILER").unwrap_or_else(|_| "some compiler".to_owned());
    Figures::measure(module(), &compiler).unwrap()
});

#[test]
fn a_request_costs_what_the_file_says() {
    let differences = MEASURED.differences(&Figures::read().unwrap());
    let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "if it is meant: cargo xtask budgets --bless\n{}", lines.join("\n"));
}

#[test]
fn every_figure_can_differ() {
    let text = std::fs::read_to_string(Figures::file()).unwrap();
    let row = "/new visitor, match-all/proxy_on_request_headers";
    for (figure, value) in [
        ("times", json!(2)),
        ("bytes_in", json!(26)),
        ("bytes_out", json!(1)),
        ("allocations", json!(7)),
        ("pages_grown", json!(1)),
        ("host_calls", json!({"proxy_log": 1})),
        ("fuel", json!({"some other compiler": 9})),
    ] {
        let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file.pointer_mut(row).unwrap()[figure] = value;
        let changed: Figures = serde_json::from_value(file).unwrap();
        let differences = MEASURED.differences(&changed);
        assert!(
            differences.len() == 1 && differences[0].to_string().contains("new visitor"),
            "{figure}: {differences:?}"
        );
    }
    let renamed: Figures = serde_json::from_str(&text.replacen("new visitor, match-all", "newer", 1)).unwrap();
    assert!(MEASURED.differences(&renamed).len() > 1);
}

#[test]
fn the_budgets_are_kept() {
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
    let over = |budgets: &[(&'static str, u64)], cost: fn((u64, u64)) -> u64| {
        let spent = budgets.iter().map(|(name, budget)| (*name, cost(MEASURED.totals(name).unwrap()), *budget));
        spent.filter(|(_, spent, budget)| spent > budget).collect::<Vec<_>>()
    };
    assert_eq!(over(&host_calls, |(_, calls)| calls), [], "host calls: name, spent, budget");
    assert_eq!(over(&fuel, |(fuel, _)| fuel), [], "fuel: name, spent, budget");
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
