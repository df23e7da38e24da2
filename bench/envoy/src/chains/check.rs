//! Whether every copy of a chain does its job: what does not, must not be measured.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use serin_envoy::{Connection, Reply, Running};

use super::{Does, Filter};
use crate::job::Copy;
use crate::pump;

/// A request with this header is answered with the header [`SEEN`].
pub(super) const PROBE: &str = "x-probe";
/// The versions that the copies wrote, nothing for none, with commas between.
pub(super) const SEEN: &str = "x-seen";

/// Holds what a chain does with a request against what it should do.
///
/// # Errors
/// If a copy does something else, or does not follow an override, as all do that decide.
pub(super) async fn does(
    envoy: &Running,
    filter: &Filter,
    request: &Request<()>,
    does: Does,
    copies: u32,
) -> Result<()> {
    let mut connection = Connection::to(envoy.address());
    let reply = probe(&mut connection, request, &[]).await?;
    let (seen, cookies) = (seen(&reply, copies)?, reply.values("set-cookie").len());
    let wrote = |version: &str| seen.iter().all(|seen| *seen == version);
    let given = if does == Does::Cookie { copies } else { 0 };
    ensure!(cookies == usize::try_from(given)?, "{cookies} cookies were given, not {given}");
    match does {
        Does::Nothing | Does::Stable => ensure!(wrote(""), "all should leave the request alone: {seen:?}"),
        Does::Canary => ensure!(wrote("v2"), "all should decide for v2: {seen:?}"),
        Does::Cookie => {}
    }
    if does == Does::Nothing {
        return is_there(envoy, filter, copies).await;
    }
    let overrides: Vec<_> = Copy::all(copies).map(Copy::override_header).collect();
    let reply = probe(&mut connection, request, &overrides).await?;
    let seen = self::seen(&reply, copies)?;
    ensure!(seen.iter().all(|seen| *seen == "v2"), "all should follow an override to v2: {seen:?}");
    Ok(())
}

/// That a filter is there which leaves requests alone, nobody but Envoy can tell.
async fn is_there(envoy: &Running, filter: &Filter, copies: u32) -> Result<()> {
    let machines = envoy.sum(r"^wasm\.envoy\.wasm\.runtime\.v8\.active$").await?;
    let is_module = matches!(filter, Filter::Empty { .. } | Filter::Calls(_) | Filter::Serin(..));
    ensure!((machines > 0) == is_module, "there are {machines} VMs");
    let sound = envoy.sum(r"^wasmcustom\.serin_config_ok\.").await?;
    let due = if matches!(filter, Filter::Serin(..)) { u64::from(copies) } else { 0 };
    ensure!(sound == due, "{sound} copies have sound rules, not {due}");
    Ok(())
}

/// What the filters of each Envoy have counted so far: ours their decisions, Envoy the times that it has called a script, if
/// it is not too old to count them.
///
/// # Errors
/// If an Envoy does not tell.
pub(crate) async fn counts_of(envoys: &[Running]) -> Result<Vec<Option<u64>>> {
    // The filter hands its counts over once a second.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let mut counts = Vec::new();
    for envoy in envoys {
        let values = envoy.values(r"^wasmcustom\.serin_decisions\.|\.lua\.(.*\.)?executions$").await?;
        counts.push((!values.is_empty()).then(|| values.into_iter().sum()));
    }
    Ok(counts)
}

/// Checks that no script has failed: Envoy goes on without it, and the request would be cheap.
///
/// # Errors
/// If one has.
pub(super) async fn scripts_work(envoys: &[Running]) -> Result<()> {
    for envoy in envoys {
        let errors = envoy.sum(r"\.lua\.(.*\.)?errors$").await?;
        ensure!(errors == 0, "a script has failed {errors} times");
    }
    Ok(())
}

async fn probe(connection: &mut Connection, request: &Request<()>, overrides: &[String]) -> Result<Reply> {
    let mut request = request.clone();
    request.headers_mut().insert(PROBE, HeaderValue::from_static("1"));
    for name in overrides {
        request.headers_mut().insert(HeaderName::try_from(name)?, HeaderValue::from_static("v2"));
    }
    pump::send(connection, &request).await
}

/// What each copy wrote.
fn seen(reply: &Reply, copies: u32) -> Result<Vec<String>> {
    let line = reply.values(SEEN).pop().context("the route that shows what was written did not answer")?;
    let seen: Vec<String> = line.split(',').map(str::to_owned).collect();
    ensure!(seen.len() == usize::try_from(copies)?, "{copies} copies, but {line:?}");
    Ok(seen)
}
