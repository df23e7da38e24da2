//! An Envoy that a control plane keeps up to date.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serin_envoy::Running;
use tokio::time::{Instant, sleep};

use crate::draft::{CLUSTERS, Configuration, File, LISTENERS};
use crate::environment::Secret;

/// A running Envoy with what it has taken up.
#[derive(Debug)]
pub struct Plane {
    running: Running,
    sent: Configuration,
}

impl Plane {
    /// Starts Envoy from `binary` with those of these Secrets that its environment names, and waits until it takes traffic.
    ///
    /// # Errors
    /// As [`Running::start`]; also if Envoy refuses a part of the configuration, or if a Secret is not there.
    pub async fn start(binary: &Path, secrets: &[Secret<'_>], configuration: Configuration) -> Result<Self> {
        let mut command = Running::command(binary, WORKERS)?;
        command.args(&configuration.options);
        for variable in &configuration.variables {
            command.env(&variable.name, variable.value(secrets)?);
        }
        let files = configuration.files.iter().map(|(name, file)| (name.clone(), file.text.clone())).collect();
        let running = Running::start_as(command, |_| (configuration.bootstrap.clone(), files)).await?;
        let plane = Self { running, sent: configuration };
        for (name, file) in &plane.sent.files {
            let refused = plane.running.sum(&format!("^{}$", file.refused)).await?;
            ensure!(refused == 0, "Envoy refused {name}: {}\n{}", file.text, plane.complaints()?);
        }
        Ok(plane)
    }

    /// Sends what is new in a configuration, in the order of a control plane, and waits until Envoy uses it.
    ///
    /// # Errors
    /// If Envoy refuses a part of it, or if it needs a restart.
    pub async fn send(&mut self, configuration: Configuration) -> Result<()> {
        if let Some(name) = self.offer(configuration).await? {
            bail!("Envoy refused {name}\n{}", self.complaints()?);
        }
        Ok(())
    }

    /// As [`Plane::send`]; the name of the part that Envoy has refused, if there is one.
    ///
    /// # Errors
    /// If Envoy does not answer, or if the configuration needs a restart.
    pub async fn offer(&mut self, configuration: Configuration) -> Result<Option<String>> {
        ensure!(configuration.bootstrap == self.sent.bootstrap, "a new bootstrap needs a restart");
        ensure!(configuration.variables == self.sent.variables, "a new environment needs a restart");
        let is_new = |file: &(&String, &File)| self.sent.files.get(file.0) != Some(file.1);
        let mut files: Vec<_> = configuration.files.iter().filter(is_new).collect();
        files.sort_by_key(|(name, _)| place(name));
        for (name, file) in files {
            if !self.sent.files.contains_key(name) {
                // It is read as soon as something refers to it.
                self.running.replace(name, &file.text)?;
            } else if !self.running.offer(name, &file.text, &file.taken, &file.refused).await? {
                return Ok(Some(name.clone()));
            }
            self.sent.files.insert(name.clone(), file.clone());
        }
        self.settle().await?;
        self.sent = configuration;
        Ok(None)
    }

    /// Waits until listeners and clusters that came anew are in use.
    async fn settle(&self) -> Result<()> {
        let end = Instant::now() + SETTLE;
        while self
            .running
            .sum(r"^(listener_manager\.total_listeners_warming|cluster_manager\.warming_clusters)$")
            .await?
            > 0
        {
            ensure!(Instant::now() < end, "still warming after {SETTLE:?}\n{}", self.complaints()?);
            sleep(POLL).await;
        }
        Ok(())
    }

    /// What Envoy does not like, in its log.
    fn complaints(&self) -> Result<String> {
        let log = self.running.log()?;
        let lines = log.lines().filter(|line| !line.contains("][info]"));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// The Envoy.
    pub fn running(&self) -> &Running {
        &self.running
    }
}

/// Clusters come before their endpoints, then what refers to them. New files are there before what names them.
fn place(name: &str) -> usize {
    let order = ["endpoints/", CLUSTERS, "extensions/", LISTENERS, "routes/"];
    order.iter().position(|part| name.starts_with(part)).unwrap_or(order.len())
}

const WORKERS: u32 = 2;
const SETTLE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
