//! Resident memory: with more workers, after many requests, after many pushes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_bench::results::{Memory, Soak};
use serin_envoy::{RULES, Running};

use crate::bootstrap::{answer, any_route, bootstrap, discovered_filter, filter_file, inline};
use crate::chains::{Filter, one};
use crate::job::{Brings, Copy, Match, request};
use crate::plan::{self, Plan};
use crate::pump::Pump;
use crate::{Tools, usage};

/// Enough to have every worker do everything once.
const FIRST_REQUESTS: u32 = 1_000;
/// Connections, for each worker.
const CONNECTIONS: u32 = 16;

/// Measures all of it.
///
/// # Errors
/// If an Envoy cannot be started, a request fails, or a push is not taken up.
pub async fn measure(tools: &Tools, plan: &Plan) -> Result<Memory> {
    let contestants = [
        ("none", Filter::None),
        ("empty SDK", Filter::Empty { trimmed: false }),
        ("serin", Filter::Serin(Match::All, json!({}), json!({}))),
    ];
    let mut workers: BTreeMap<String, BTreeMap<u32, f64>> = BTreeMap::new();
    for (name, filter) in &contestants {
        for &count in &plan.workers {
            eprintln!("memory: {name}, {count} workers");
            let resident =
                with_workers(tools, filter, count).await.with_context(|| format!("{name}, {count} workers"))?;
            workers.entry((*name).to_owned()).or_default().insert(count, resident);
        }
    }
    Ok(Memory { workers, soak: soak(tools, plan.copies, plan.soak).await.context("soak")? })
}

/// Memory of an Envoy with one filter or none, after some requests.
async fn with_workers(tools: &Tools, filter: &Filter, workers: u32) -> Result<f64> {
    let filters: Vec<Value> = one(tools, filter, Copy(1))?.into_iter().collect();
    let routes = || inline(vec![any_route(answer("answer"))]);
    let envoy = Running::start(&tools.envoy, workers, &[], |_| bootstrap(&filters, routes(), &[])).await?;
    let mut pump = Pump::to(envoy.address(), CONNECTIONS * workers);
    pump.send(&request(&Brings::Stable, 1)?, FIRST_REQUESTS * workers).await?;
    usage::resident(envoy.id())
}

/// One process with a chain of the filter: memory along its requests, and then along pushes to its last copy.
async fn soak(tools: &Tools, copies: u32, plan: plan::Soak) -> Result<Vec<Soak>> {
    let filter = Filter::Serin(Match::All, json!({}), json!({}));
    let before = Copy::all(copies - 1).filter_map(|copy| one(tools, &filter, copy).transpose());
    let mut filters = before.collect::<Result<Vec<Value>>>()?;
    let last = Copy(copies);
    let envoy = Running::start(&tools.envoy, 1, &[(RULES, &pushed(tools, last, 0)?)], |folder| {
        filters.push(discovered_filter(&last.name(), &folder.join(RULES)));
        bootstrap(&filters, inline(vec![any_route(answer("answer"))]), &[])
    })
    .await?;
    let mut readings = Vec::new();
    let mut read = |requests: u32, pushes: u32| {
        let resident = usage::resident(envoy.id())?;
        readings.push(Soak { streams: u64::from(requests) * u64::from(copies), pushes, resident });
        anyhow::Ok(())
    };
    let requests = [Brings::Stable, Brings::Canary, Brings::Nothing].map(|brings| request(&brings, copies));
    let requests: Vec<_> = requests.into_iter().collect::<Result<_>>()?;
    let mut pump = Pump::to(envoy.address(), CONNECTIONS);
    read(0, 0)?;
    for reading in 1..=plan.readings {
        let until = share(plan.requests, reading, plan.readings);
        eprintln!("memory: {until} of {} requests to {copies} copies", plan.requests);
        let next = until - share(plan.requests, reading - 1, plan.readings);
        for (request, kind) in requests.iter().zip(1..) {
            pump.send(request, share(next, kind, 3) - share(next, kind - 1, 3)).await?;
        }
        read(until, 0)?;
    }
    let counters = format!(r"extension_config_discovery\.http_filter\.{}\.config_", last.name());
    for push in 1..=plan.pushes {
        envoy
            .push(RULES, &pushed(tools, last, push)?, &format!("{counters}reload"), &format!("{counters}fail"))
            .await?;
        if (1..=plan.readings).any(|reading| share(plan.pushes, reading, plan.readings) == push) {
            eprintln!("memory: {push} of {} pushes", plan.pushes);
            // What was pushed is used, too.
            for request in &requests {
                pump.send(request, CONNECTIONS).await?;
            }
            read(plan.requests, push)?;
        }
    }
    Ok(readings)
}

/// How much of a whole is done by the `n`th of so many steps.
fn share(whole: u32, n: u32, steps: u32) -> u32 {
    u32::try_from(u64::from(whole) * u64::from(n) / u64::from(steps)).unwrap_or(whole)
}

/// The file with the rules of a copy; each push has other rules.
fn pushed(tools: &Tools, copy: Copy, push: u32) -> Result<String> {
    let release = json!({"release": format!("push-{push}")});
    let filter = one(tools, &Filter::Serin(Match::All, release, json!({})), copy)?;
    Ok(filter_file(&filter.context("the filter is none")?))
}
