//! Envoy's admin interface: readiness, the port it took, statistics.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use hyper::Request;
use serde_json::Value;

use crate::client::Connection;

/// Asks one Envoy; every question is a connection of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admin {
    pub(crate) address: SocketAddr,
}

impl Admin {
    /// Whether Envoy takes traffic. An Envoy that does not answer yet does not.
    pub(crate) async fn is_ready(self) -> bool {
        self.get("/ready").await.is_ok()
    }

    /// The address that the listener `name` is bound to, or the only one that there is.
    pub(crate) async fn listener(self, name: &str) -> Result<SocketAddr> {
        let mut listeners = self.listeners().await?;
        let only = if listeners.len() == 1 { listeners.values().next().copied() } else { None };
        listeners.remove(name).or(only).with_context(|| format!("Envoy has no listener {name:?}"))
    }

    /// The addresses that listeners are bound to, by name.
    pub(crate) async fn listeners(self) -> Result<BTreeMap<String, SocketAddr>> {
        let listeners: Value = serde_json::from_str(&self.get("/listeners?format=json").await?)?;
        let all = listeners["listener_statuses"].as_array().context("Envoy lists no listeners")?;
        let named = |listener: &Value| {
            let name = listener["name"].as_str().context("a listener has no name")?;
            let socket = &listener["local_address"]["socket_address"];
            let host = socket["address"].as_str().context("the listener has no address")?;
            let port = socket["port_value"].as_u64().context("the listener has no port")?;
            Ok((name.to_owned(), SocketAddr::new(host.parse()?, u16::try_from(port)?)))
        };
        all.iter().map(named).collect()
    }

    /// The values of the counters and gauges whose full name matches the regular expression.
    pub(crate) async fn values(self, pattern: &str) -> Result<Vec<u64>> {
        Ok(self.stats(pattern).await?.into_values().collect())
    }

    /// The counters and gauges whose full name matches the regular expression, by name.
    pub(crate) async fn stats(self, pattern: &str) -> Result<BTreeMap<String, u64>> {
        let query: String = url::form_urlencoded::byte_serialize(pattern.as_bytes()).collect();
        let stats: Value = serde_json::from_str(&self.get(&format!("/stats?format=json&filter={query}")).await?)?;
        let stats = stats["stats"].as_array().context("Envoy lists no statistics")?;
        let named = |stat: &Value| Some((stat["name"].as_str()?.to_owned(), stat["value"].as_u64()?));
        Ok(stats.iter().filter_map(named).collect())
    }

    /// The lines of the Prometheus page whose metric is called `metric`, without comments.
    pub(crate) async fn prometheus(self, metric: &str) -> Result<Vec<String>> {
        let page = self.get("/stats/prometheus").await?;
        let wanted = |line: &&str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' ']));
        Ok(page.lines().filter(wanted).map(str::to_owned).collect())
    }

    async fn get(self, path: &str) -> Result<String> {
        let reply = Connection::to(self.address).get(Request::get(path)).await?;
        if reply.status != 200 {
            bail!("Envoy's admin interface answered {path} with {}: {}", reply.status, reply.text());
        }
        Ok(reply.text())
    }
}
