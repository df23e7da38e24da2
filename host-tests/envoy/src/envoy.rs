//! A running Envoy with the filter: new rules and routes while it runs, statistics, log.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::folder::{ACCESS_LOG, CLUSTERS, RESOURCE, ROUTES};
use crate::manifest::{self, Configuration, Plugin};
use crate::running::Running;

/// A running Envoy; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Envoy {
    pub(crate) running: Running,
    pub(crate) plugin: Plugin,
    pub(crate) resource: String,
    /// The route table in a file of its own, if it is in one.
    pub(crate) routes: Option<String>,
}

impl Envoy {
    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// Where its admin interface is.
    pub fn admin_address(&self) -> SocketAddr {
        self.running.admin_address()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// The file that the rules are in; a new one is moved over it.
    pub fn rules_file(&self) -> PathBuf {
        self.running.path(RESOURCE)
    }

    /// Moves a new configuration into place and returns once every worker uses it.
    ///
    /// # Errors
    /// If Envoy itself refuses the configuration, has ended, or does not take it up within thirty seconds.
    pub async fn push(&mut self, rules: impl Into<Configuration>) -> Result<()> {
        let resource = manifest::resource(&self.plugin, &rules.into())?.to_string();
        if resource == self.resource {
            // Envoy skips a resource that it has already, so there would be nothing to wait for.
            return Ok(());
        }
        self.running.push(RESOURCE, &resource, &format!("{COUNTERS}reload"), &format!("{COUNTERS}fail")).await?;
        self.resource = resource;
        Ok(())
    }

    /// Moves other fields of the virtual host (as for [`Routes::Table`](crate::Routes::Table)) into place and returns once
    /// Envoy has taken them up; a worker in the middle of a request follows after it.
    ///
    /// # Errors
    /// If it was not started with such a table, refuses this one, has ended, or does not take it up within thirty seconds.
    pub async fn push_routes(&mut self, fields: &Value) -> Result<()> {
        let known = self.routes.as_ref().context("this Envoy was started with routes that do not change")?;
        let routes = manifest::routes(fields)?.to_string();
        ensure!(*known != routes, "Envoy has these routes already");
        let of = |what: &str| format!(r"http\.main\.rds\.main\.{what}");
        self.running.push(ROUTES, &routes, &of("config_reload"), &of("update_rejected")).await?;
        self.routes = Some(routes);
        Ok(())
    }

    /// Moves another list of clusters into place of those that Envoy discovers (see
    /// [`Setup::discover`](crate::Setup::discover)), and returns once Envoy has taken it up.
    ///
    /// # Errors
    /// If Envoy refuses the list, has ended, or does not take it up within thirty seconds.
    pub async fn push_clusters(&self, clusters: &[Value]) -> Result<()> {
        let text = manifest::clusters(clusters).to_string();
        let of = |what: &str| format!(r"cluster_manager\.cds\.update_{what}");
        self.running.push(CLUSTERS, &text, &of("success"), &of("rejected")).await
    }

    /// The values of the counters and gauges whose full name matches the regular expression `pattern`.
    ///
    /// # Errors
    /// If the admin interface does not answer, as when Envoy has ended.
    pub async fn values(&self, pattern: &str) -> Result<Vec<u64>> {
        self.running.values(pattern).await
    }

    /// The sum of the counters and gauges whose full name matches the regular expression `pattern`.
    ///
    /// # Errors
    /// If the admin interface does not answer, as when Envoy has ended.
    pub async fn sum(&self, pattern: &str) -> Result<u64> {
        self.running.sum(pattern).await
    }

    /// The counters and gauges whose full name matches the regular expression `pattern`, by name.
    ///
    /// # Errors
    /// As [`Envoy::sum`].
    pub async fn stats(&self, pattern: &str) -> Result<BTreeMap<String, u64>> {
        self.running.stats(pattern).await
    }

    /// The Prometheus lines of one metric.
    ///
    /// # Errors
    /// As [`Envoy::sum`].
    pub async fn prometheus(&self, metric: &str) -> Result<Vec<String>> {
        self.running.prometheus(metric).await
    }

    /// The log so far.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn log(&self) -> Result<String> {
        self.running.log()
    }

    /// The lines of the log that the filter wrote at error level, in order, as Envoy logged them. Every VM writes its own.
    ///
    /// # Errors
    /// As [`Envoy::log`].
    pub fn filter_errors(&self) -> Result<Vec<String>> {
        let log = self.log()?;
        let wanted = |line: &&str| line.contains("[error][wasm]") && line.contains("wasm log");
        Ok(log.lines().filter(wanted).map(str::to_owned).collect())
    }

    /// The access log so far; Envoy writes it with a delay of a tenth of a second.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn access_log(&self) -> Result<String> {
        fs::read_to_string(self.running.path(ACCESS_LOG)).context("cannot read Envoy's access log")
    }

    /// Waits until Envoy ends by itself, and gives back what tells so with the end of its log.
    pub async fn ended(&self) -> anyhow::Error {
        self.running.ended().await
    }
}

/// How the counters of a resource begin, as a regular expression.
const COUNTERS: &str = r"extension_config_discovery\.http_filter\.serin\.config_";
