//! What a run of the benches measured, in the files under `target/bench` that the parts of the run hand to the report.
//!
//! Times are microseconds of CPU per request unless a field says otherwise, from the process's own accounting
//! (`/proc/PID/schedstat` of all its threads). Nothing here is rounded or summarised: the report does that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a chain of the filter, or of the script, is asked to do, with the kind of request that asks for it: `new` carries
/// nothing, `cookie` the visitor cookie, `large` that cookie among twenty more headers, `signed` that cookie with a signature,
/// `user` the id of a user in a header.
///
/// Only chains that got the same kind of request are compared.
pub const SCENARIOS: [(&str, &str); 16] = [
    ("match_all_stable", "cookie"),
    ("match_all_canary", "cookie"),
    ("new", "new"),
    ("hosts_stable", "cookie"),
    ("hosts_canary", "cookie"),
    ("hosts_new", "new"),
    ("paths_stable", "cookie"),
    ("paths_canary", "cookie"),
    ("paths_new", "new"),
    ("user_hash", "user"),
    ("signed", "signed"),
    ("guard", "cookie"),
    ("hosts_not_covered", "cookie"),
    ("match_all_stable_large", "large"),
    ("hosts_stable_large", "large"),
    ("paths_stable_large", "large"),
];

/// The kind of request of a scenario, if there is such a scenario.
pub fn kind_of(scenario: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(name, _)| *name == scenario).map(|(_, kind)| *kind)
}

/// What the part with a real Envoy measured: `target/bench/measured.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The version of Envoy, and what it ran on.
    pub machine: Machine,
    /// Whether this was a short run, whose numbers are for trying only.
    pub quick: bool,
    /// How many copies of a filter a chain has.
    pub copies: u32,
    /// Chains of copies over a direct response, by contestant: `none/KIND` (no filter), `empty_sdk/KIND`,
    /// `empty_trimmed/KIND`, `callbacks/KIND` (our callbacks and nothing else), `calls/SCENARIO` (these with our host calls),
    /// `lua/SCENARIO` and `serin/SCENARIO`, with the names of [`SCENARIOS`], and twins of two of them as `empty_twin/KIND` and
    /// `serin_twin/SCENARIO`. The CPU is that of the request, all copies and the rest of Envoy included.
    pub chains: BTreeMap<String, Series>,
    /// One filter and real upstreams, by contestant.
    pub forwarding: BTreeMap<String, Forwarding>,
    /// One document, or Envoy's route table, with more and more rollouts.
    pub growth: Vec<Growth>,
    /// Resident memory.
    pub memory: Memory,
}

/// What the numbers were measured on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// As Envoy says it.
    pub envoy: String,
    /// The model of the processor, and how many of them.
    pub processor: String,
    /// The kernel's release.
    pub kernel: String,
}

/// The CPU of a request in each round, in the order of the rounds: the same index is the same round for all contestants.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Series(pub Vec<f64>);

/// One contestant between a client and upstreams.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Forwarding {
    /// CPU of Envoy per request, by round.
    pub cpu: Series,
    /// By number of workers.
    pub load: BTreeMap<u32, Load>,
}

/// What the client saw, by round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// Requests a second with every connection always busy.
    pub saturated: Series,
    /// The fixed rate of the latencies below, in requests a second.
    pub rate: f64,
    /// Median latency at the fixed rate in microseconds, from when a request was due.
    pub p50: Series,
    /// The 99th percentile of the same.
    pub p99: Series,
}

/// One size of the document or the route table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Growth {
    /// Rollouts of the document, or header-match routes of the table.
    pub rollouts: u32,
    /// With the filter.
    pub filter: Grown,
    /// With Envoy's own routes.
    pub routes: Grown,
}

/// What one size costs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Grown {
    /// CPU of a request that the last of them covers, by round.
    pub cpu: Series,
    /// Resident memory of the process in MiB.
    pub memory: f64,
    /// From the push to the first answer that shows it, in milliseconds, by push.
    pub push: Series,
}

/// Resident memory of processes in MiB.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// By contestant (`none`, `empty SDK`, `serin`), then by number of workers.
    pub workers: BTreeMap<String, BTreeMap<u32, f64>>,
    /// The filter, over the life of a process: before, after the requests, after the pushes.
    pub soak: Vec<Soak>,
}

/// One reading in the life of a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Soak {
    /// Streams that the filter has seen so far.
    pub streams: u64,
    /// Documents pushed so far.
    pub pushes: u32,
    /// Resident memory of the process in MiB.
    pub resident: f64,
}

/// What the module is and costs in wasmtime, exactly: `target/bench/module.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Module {
    /// Size of the file.
    pub bytes: u64,
    /// What it exports, by name.
    pub exports: Vec<String>,
    /// What it imports, by name.
    pub imports: Vec<String>,
    /// Linear memory in pages of 64 KiB.
    pub pages: Pages,
    /// What a request costs, by scenario.
    pub scenarios: BTreeMap<String, Exact>,
}

/// Linear memory of one VM, in pages of 64 KiB.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pages {
    /// Before a document.
    pub start: u64,
    /// With a small document, after its first requests.
    pub small: u64,
    /// After so many requests and pushes of small documents.
    pub used: u64,
    /// So many requests were those.
    pub requests: u64,
    /// So many pushes.
    pub pushes: u64,
    /// With a document of so many rollouts: at start, after pushes that change one in a hundred, after pushes that change all.
    pub rollouts: BTreeMap<u32, [u64; 3]>,
}

/// What one request costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exact {
    /// In words.
    pub title: String,
    /// By name.
    pub host_calls: BTreeMap<String, u64>,
    /// Bytes of values that the host copied into the module.
    pub bytes_in: u64,
    /// Bytes that the host read from it.
    pub bytes_out: u64,
    /// Fuel of the module's instructions.
    pub fuel: u64,
}

/// The target folder, in whose folder `bench` the files are: that of `CARGO_TARGET_DIR`, or else of the workspace.
pub fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".."));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |folder| workspace.join(folder))
}
