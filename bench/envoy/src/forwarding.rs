//! One filter, or none, between a client and upstreams: also what has no filter to make copies of.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use serin_bench::results::Forwarding;
use serin_envoy::{Connection, Running, Upstreams};

use crate::bootstrap::{any_route, bootstrap, header_route, inline};
use crate::chains::{Filter, counts_of, one};
use crate::job::{Brings, Copy, Match, request};
use crate::plan::Plan;
use crate::rounds::{self, Contestant};
use crate::{Tools, load, pump};

/// The names that the only filter has.
const ONLY: Copy = Copy(1);

/// How the route is chosen.
#[derive(Clone, Copy)]
enum Table {
    /// Everything goes to stable.
    Stable,
    /// By the header that the filter writes.
    Written,
    /// By the header that a client names its version with.
    Override,
    /// By weight, anew for each request.
    Weights,
    /// By weight, with the hash of the cookie in place of chance.
    HashedWeights,
}

impl Table {
    fn routes(self) -> Vec<Value> {
        let to = |cluster: &str| ("route", json!({"cluster": cluster}));
        let weights = json!([{"name": "v2", "weight": 10}, {"name": "v1", "weight": 90}]);
        match self {
            Self::Stable => vec![any_route(to("v1"))],
            Self::Written => vec![header_route(&ONLY.version_header(), Some("v2"), to("v2")), any_route(to("v1"))],
            Self::Override => vec![header_route(&ONLY.override_header(), Some("v2"), to("v2")), any_route(to("v1"))],
            Self::Weights => vec![any_route(("route", json!({"weighted_clusters": {"clusters": weights}})))],
            Self::HashedWeights => vec![any_route((
                "route",
                json!({
                    "weighted_clusters": {"clusters": weights, "use_hash_policy": true},
                    "hash_policy": [{"cookie": {"name": ONLY.cookie()}}],
                }),
            ))],
        }
    }
}

/// Who answers.
#[derive(Clone, Copy)]
enum Answers {
    /// This version, each time, and without a cookie.
    Always(&'static str),
    /// Some version, the same each time.
    Same,
    /// Now one and now the other, the canary less often.
    Both,
    /// Whichever, with a cookie.
    Cookie,
}

struct Entry {
    name: &'static str,
    filter: Filter,
    table: Table,
    brings: Brings,
    answers: Answers,
}

/// All contestants, by their names in the results.
fn entries() -> Vec<Entry> {
    let entry = |name, filter, table, brings, answers| Entry { name, filter, table, brings, answers };
    let lua = || Filter::Lua(Match::All);
    let serin = || Filter::Serin(Match::All, json!({}), json!({}));
    let (stable, canary) = (Answers::Always("v1"), Answers::Always("v2"));
    vec![
        entry("none", Filter::None, Table::Stable, Brings::Stable, stable),
        entry("weighted_clusters", Filter::None, Table::Weights, Brings::Stable, Answers::Both),
        entry("hash_policy", Filter::None, Table::HashedWeights, Brings::Stable, Answers::Same),
        entry("header_routes", Filter::None, Table::Override, Brings::Stable, stable),
        entry("empty_sdk", Filter::Empty { trimmed: false }, Table::Written, Brings::Stable, stable),
        entry("lua/stable", lua(), Table::Written, Brings::Stable, stable),
        entry("lua/canary", lua(), Table::Written, Brings::Canary, canary),
        entry("lua/new", lua(), Table::Written, Brings::Nothing, Answers::Cookie),
        entry("serin/stable", serin(), Table::Written, Brings::Stable, stable),
        entry("serin/canary", serin(), Table::Written, Brings::Canary, canary),
        entry("serin/new", serin(), Table::Written, Brings::Nothing, Answers::Cookie),
    ]
}

/// Measures all contestants: CPU with one worker, and what a client sees with each number of workers.
///
/// # Errors
/// If one of them cannot be started, or does not do its job.
pub async fn measure(tools: &Tools, plan: &Plan) -> Result<BTreeMap<String, Forwarding>> {
    let upstreams = Upstreams::start(&["v1", "v2"]).await?;
    let entries = entries();
    let mut results: BTreeMap<String, Forwarding> = BTreeMap::new();
    for &workers in &plan.load.workers {
        let mut envoys = Vec::new();
        for entry in &entries {
            envoys.push(start(tools, entry, &upstreams, workers).await.context(entry.name)?);
        }
        let mut contestants = Vec::new();
        for (entry, envoy) in entries.iter().zip(&envoys) {
            let request = request(&entry.brings, 1)?;
            contestants.push(Contestant { name: entry.name.to_owned(), envoy, request });
        }
        for (entry, contestant) in entries.iter().zip(&contestants) {
            check(entry.table, entry.answers, contestant).await.context(entry.name)?;
        }
        for (entry, counted) in entries.iter().zip(counts_of(&envoys).await?) {
            entry.filter.check_count(counted, u64::try_from(PROBES)?).context(entry.name)?;
        }
        if workers == 1 {
            for (name, series) in rounds::cpu("forwarding", &contestants, plan.forwarding).await? {
                results.entry(name).or_default().cpu = series;
            }
        }
        for (name, load) in load::measure(workers, &contestants, &plan.load).await? {
            results.entry(name).or_default().load.insert(workers, load);
        }
    }
    Ok(results)
}

async fn start(tools: &Tools, entry: &Entry, upstreams: &Upstreams, workers: u32) -> Result<Running> {
    let filters: Vec<Value> = one(tools, &entry.filter, ONLY)?.into_iter().collect();
    let clusters: Vec<_> = upstreams.addresses().collect();
    Running::start(&tools.envoy, workers, &[], |_| bootstrap(&filters, inline(entry.table.routes()), &clusters)).await
}

/// So often a contestant is asked before it is measured. That a tenth of chance gives none, or half of them, or the same
/// version each time, happens less than once in a million runs.
const PROBES: usize = 150;

/// Asks many times, and where routes read a client's override once with it.
async fn check(table: Table, answers: Answers, contestant: &Contestant<'_>) -> Result<()> {
    let mut connection = Connection::to(contestant.envoy.address());
    let mut versions = Vec::new();
    for _ in 0..PROBES {
        let reply = pump::send(&mut connection, &contestant.request).await?;
        let (version, cookies) = (reply.text(), reply.values("set-cookie").len());
        let expected = usize::from(matches!(answers, Answers::Cookie));
        ensure!(cookies == expected, "{cookies} cookies were given, not {expected}");
        ensure!(version == "v1" || version == "v2", "{version:?} is none of the upstreams");
        versions.push(version);
    }
    if matches!(table, Table::Override) {
        let mut request = contestant.request.clone();
        request.headers_mut().insert(HeaderName::try_from(ONLY.override_header())?, HeaderValue::from_static("v2"));
        let version = pump::send(&mut connection, &request).await?.text();
        ensure!(version == "v2", "an override led to {version}");
    }
    match answers {
        Answers::Always(version) => ensure!(versions.iter().all(|found| found == version), "{version}: {versions:?}"),
        Answers::Same => ensure!(versions.windows(2).all(|two| two[0] == two[1]), "not the same: {versions:?}"),
        Answers::Both => {
            let canaries = versions.iter().filter(|version| *version == "v2").count();
            ensure!((1..PROBES / 2).contains(&canaries), "{canaries} of {PROBES} reached the canary");
        }
        Answers::Cookie => {}
    }
    Ok(())
}
