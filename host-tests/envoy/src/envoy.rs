//! A running Envoy with the filter: new rules and routes while it runs, statistics, log.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::admin::Admin;
use crate::folder::{ACCESS_LOG, Folder, LOG, RESOURCE, ROUTES};
use crate::manifest::{self, Configuration, Plugin};
use crate::process::Process;

/// A running Envoy; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Envoy {
    // Dropped in this order: the process is gone before its folder is.
    pub(crate) process: Process,
    pub(crate) folder: Folder,
    pub(crate) admin: Admin,
    pub(crate) listener: SocketAddr,
    pub(crate) plugin: Plugin,
    pub(crate) resource: String,
    /// The route table in a file of its own, if it is in one.
    pub(crate) routes: Option<String>,
}

impl Envoy {
    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.listener
    }

    /// Where its admin interface is.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// The file that the rules are in; a new one is moved over it.
    pub fn rules_file(&self) -> PathBuf {
        self.folder.path(RESOURCE)
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
        self.replace(RESOURCE, &resource, r"extension_config_discovery\.http_filter\.serin\.config_", "fail").await?;
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
        self.replace(ROUTES, &routes, r"http\.main\.rds\.main\.(config_|update_)", "rejected").await?;
        self.routes = Some(routes);
        Ok(())
    }

    /// The sum of the counters and gauges whose full name matches the regular expression `pattern`.
    ///
    /// # Errors
    /// If the admin interface does not answer, as when Envoy has ended.
    pub async fn sum(&self, pattern: &str) -> Result<u64> {
        self.admin.sum(pattern).await.with_context(|| self.state())
    }

    /// The Prometheus lines of one metric.
    ///
    /// # Errors
    /// As [`Envoy::sum`].
    pub async fn prometheus(&self, metric: &str) -> Result<Vec<String>> {
        self.admin.prometheus(metric).await.with_context(|| self.state())
    }

    /// The log so far.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(self.folder.path(LOG)).context("cannot read Envoy's log")
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
        fs::read_to_string(self.folder.path(ACCESS_LOG)).context("cannot read Envoy's access log")
    }

    /// Waits until Envoy ends by itself, and gives back what tells so with the end of its log.
    pub async fn ended(&self) -> anyhow::Error {
        while self.process.ended().is_none() {
            sleep(POLL).await;
        }
        anyhow::Error::msg(self.state())
    }

    /// Moves a file into place and waits until the counter `<counters>reload` tells that Envoy has taken it up, or
    /// `<counters><refused>` that it has not.
    async fn replace(&self, file: &str, text: &str, counters: &str, refused: &str) -> Result<()> {
        let (reload, refused) = (format!("^{counters}reload$"), format!("^{counters}{refused}$"));
        let (taken, known) = (self.sum(&reload).await?, self.sum(&refused).await?);
        self.folder.replace(file, text)?;
        let end = Instant::now() + TAKE_UP;
        while self.sum(&reload).await? == taken {
            if self.sum(&refused).await? > known {
                bail!("Envoy refused the new {file}; its log ends with\n{}", self.folder.tail());
            }
            if Instant::now() > end {
                bail!("Envoy did not take up {file} within {TAKE_UP:?}; its log ends with\n{}", self.folder.tail());
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    fn state(&self) -> String {
        match self.process.ended() {
            Some(status) => format!("Envoy has ended ({status}); its log ends with\n{}", self.folder.tail()),
            None => "Envoy runs, but its admin interface gave no answer".to_owned(),
        }
    }
}

const TAKE_UP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
