//! What the tests with a real Envoy share: a started site, rules for it, and waiting for something to become true.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use serin_envoy::{Configuration, Connection, Envoy, Reply, Setup, Upstreams, Visitor, exchange, manifest};
use tokio::time::{Instant, sleep};

/// The visitors' site.
pub(crate) const HOST: &str = "shop.example.com";

/// A running site: upstreams `v1` (stable) and `v2`, with Envoy in front of them.
pub(crate) struct Site {
    pub(crate) envoy: Envoy,
    pub(crate) upstreams: Upstreams,
}

impl Site {
    pub(crate) async fn start(setup: &Setup, rules: impl Into<Configuration>) -> Result<Self> {
        Self::of(&["v1", "v2"], setup, rules).await
    }

    /// A site with these upstreams, each a cluster of its name.
    pub(crate) async fn of(versions: &[&str], setup: &Setup, rules: impl Into<Configuration>) -> Result<Self> {
        let upstreams = Upstreams::start(versions).await?;
        let envoy = setup.start(&upstreams, rules).await?;
        Ok(Self { envoy, upstreams })
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::to(self.envoy.address())
    }

    /// A request of somebody who was never here before.
    pub(crate) async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        Visitor::of(HOST)?.get(&mut self.connection(), path, headers).await
    }
}

/// What came back on a request in raw bytes.
pub(crate) struct Raw {
    /// 0 if Envoy closed without an answer.
    pub(crate) status: u16,
    /// The status line and the header lines.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Raw {
    /// The value of the first header called `name` (in lower case, as Envoy writes them).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Sends this very request line and these header lines, each with its end.
pub(crate) async fn raw(address: SocketAddr, line: &str, headers: &str) -> Result<Raw> {
    raw_to(HOST, address, line, headers).await
}

/// As [`raw`], for another host.
pub(crate) async fn raw_to(host: &str, address: SocketAddr, line: &str, headers: &str) -> Result<Raw> {
    let request = format!("{line} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n");
    raw_bytes(address, request.as_bytes()).await
}

/// Sends these very bytes, which ask for the connection to be closed.
pub(crate) async fn raw_bytes(address: SocketAddr, request: &[u8]) -> Result<Raw> {
    let answer = exchange(address, request).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Raw { status, head: head.to_owned(), body: body.trim().to_owned() })
}

/// Fields of a connection manager that takes the client's address from the one hop in front of it that it trusts.
pub(crate) fn behind_a_proxy() -> Value {
    json!({"use_remote_address": true, "xff_num_trusted_hops": 1})
}

/// The document of `manifests/envoy` with other fields for `v2`.
pub(crate) fn with_v2(fields: &Value) -> Result<Value> {
    let mut document = manifest::document()?;
    for (name, value) in fields.as_object().into_iter().flatten() {
        document["rollouts"]["shop"]["versions"]["v2"][name] = value.clone();
    }
    Ok(document)
}

/// That document with a weight for `v2`.
pub(crate) fn weight(weight: u32) -> Result<Value> {
    with_v2(&json!({ "weight": weight }))
}

/// A route for the requests whose version header names this version, to the cluster of the same name.
pub(crate) fn by_version(version: &str) -> Value {
    let header = json!({"name": "x-canary-version", "string_match": {"exact": version}});
    json!({"match": {"prefix": "/", "headers": [header]}, "route": {"cluster": version}})
}

/// A route for all other requests.
pub(crate) fn rest_to(cluster: &str) -> Value {
    json!({"match": {"prefix": "/"}, "route": {"cluster": cluster}})
}

/// The pairs that `/headers` shows of a header, in their order.
pub(crate) fn values_of(seen: &Reply, name: &str) -> Result<Vec<String>> {
    let pairs: Vec<(String, String)> = serde_json::from_slice(&seen.body).context("these are no headers")?;
    Ok(pairs.into_iter().filter(|(found, _)| found == name).map(|(_, value)| value).collect())
}

/// How often each decision was made, by `rollout/version/reason`.
pub(crate) async fn decisions(envoy: &Envoy) -> Result<BTreeMap<String, u64>> {
    let lines = envoy.prometheus("serin_decisions").await?;
    let decision = |line: &String| {
        let (labels, count) = line.rsplit_once(' ')?;
        let label = |name: &str| labels.split_once(&format!("{name}=\""))?.1.split('"').next();
        let name = [label("serin_rollout")?, label("serin_version")?, label("serin_reason")?].join("/");
        Some((name, count.parse().ok()?))
    };
    lines.iter().map(|line| decision(line).with_context(|| format!("{line:?} is no decision"))).collect()
}

/// Decisions as [`decisions`] gives them.
pub(crate) fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.map(|(decision, count)| (decision.to_owned(), count)).into()
}

/// Whether a share is one that chance gives: within 4.5 standard deviations.
#[track_caller]
pub(crate) fn assert_share(measured: f64, expected: f64, visitors: u32) {
    let tolerance = 4.5 * (expected * (1.0 - expected) / f64::from(visitors)).sqrt();
    assert!((measured - expected).abs() <= tolerance, "{measured} is not {expected} ± {tolerance}");
}

/// Asks until the answer is `wanted`, for ten seconds at most.
pub(crate) async fn eventually<T: PartialEq + std::fmt::Debug>(
    wanted: T,
    ask: impl AsyncFn() -> Result<T>,
) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let found = ask().await?;
        if found == wanted {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("still {found:?} after ten seconds, not {wanted:?}");
        }
        sleep(Duration::from_millis(50)).await;
    }
}
