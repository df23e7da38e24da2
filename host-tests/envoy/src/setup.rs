//! How an Envoy is to be started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::envoy::Envoy;
use crate::folder::{ACCESS_LOG, BOOTSTRAP, CLUSTERS, Folder, RESOURCE, ROUTES};
use crate::manifest::{self, Configuration, Places, Plugin, Routes, Shape};
use crate::running::Running;
use crate::upstream::Upstreams;

/// How an Envoy is to be started.
#[derive(Clone, Debug)]
pub struct Setup {
    binary: PathBuf,
    module: PathBuf,
    routes: Routes,
    listener: Value,
    manager: Value,
    variables: BTreeMap<String, String>,
    capabilities: Vec<String>,
    strip_early: bool,
    discovered: Option<String>,
    workers: u32,
}

impl Setup {
    /// Envoy from `binary` with the filter from `module`, the fail-safe routes and two workers.
    pub fn new(binary: impl Into<PathBuf>, module: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            module: module.into(),
            routes: Routes::FailSafe,
            listener: json!({}),
            manager: json!({}),
            variables: BTreeMap::new(),
            capabilities: Vec::new(),
            strip_early: true,
            discovered: None,
            workers: 2,
        }
    }

    /// The binary that `ENVOY` names and the module that `SERIN_WASM` names, as `cargo xtask test` sets them.
    ///
    /// # Errors
    /// If one of them is not set.
    pub fn from_env() -> Result<Self> {
        let path = |name| std::env::var_os(name).with_context(|| format!("{name} is not set: run `cargo xtask test`"));
        Ok(Self::new(path("ENVOY")?, path("SERIN_WASM")?))
    }

    /// Another module.
    #[must_use]
    pub fn module(self, module: impl Into<PathBuf>) -> Self {
        Self { module: module.into(), ..self }
    }

    /// Another table of routes.
    #[must_use]
    pub fn routes(self, routes: Routes) -> Self {
        Self { routes, ..self }
    }

    /// Fields of the listener, such as `{"traffic_direction": "INBOUND"}`, in place of the manifest's.
    #[must_use]
    pub fn listener(self, fields: Value) -> Self {
        Self { listener: fields, ..self }
    }

    /// Fields of the HTTP connection manager, such as `{"normalize_path": true}`, in place of the manifest's. Whatever the
    /// access log, its first one is written to the file of [`Envoy::access_log`].
    #[must_use]
    pub fn manager(self, fields: Value) -> Self {
        Self { manager: fields, ..self }
    }

    /// An environment variable of the filter's VM.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The functions that the filter's VM may call and be called for, in place of all of them
    /// (`wasm.v3.CapabilityRestrictionConfig`).
    #[must_use]
    pub fn capabilities(self, names: &[&str]) -> Self {
        Self { capabilities: names.iter().map(|name| (*name).to_owned()).collect(), ..self }
    }

    /// Whether Envoy removes a client's copy of our headers before the filter runs (the default), or leaves it all to
    /// the filter.
    #[must_use]
    pub fn strip_early(self, strip_early: bool) -> Self {
        Self { strip_early, ..self }
    }

    /// A cluster that Envoy reads from a file, so that it can be removed while Envoy runs.
    #[must_use]
    pub fn discover(self, cluster: &str) -> Self {
        Self { discovered: Some(cluster.to_owned()), ..self }
    }

    /// The number of worker threads.
    #[must_use]
    pub fn workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }

    /// Starts Envoy and waits until it takes traffic. The upstream with the first name is stable.
    ///
    /// # Errors
    /// If Envoy cannot be started, ends by itself or is not ready within 30 seconds, or if it refuses the
    /// routes; the message has the end of its log.
    pub async fn start(&self, upstreams: &Upstreams, rules: impl Into<Configuration>) -> Result<Envoy> {
        self.start_before(&upstreams.addresses().collect::<Vec<_>>(), rules).await
    }

    /// As [`Setup::start`], with whatever answers at these addresses (another Envoy, say) as the clusters of these names.
    ///
    /// # Errors
    /// As [`Setup::start`].
    pub async fn start_before(
        &self,
        clusters: &[(&str, SocketAddr)],
        rules: impl Into<Configuration>,
    ) -> Result<Envoy> {
        let folder = Folder::new()?;
        let module = self.module.canonicalize();
        let module = module.with_context(|| format!("there is no module at {}", self.module.display()))?;
        let plugin = Plugin { module, variables: self.variables.clone(), capabilities: self.capabilities.clone() };
        let resource = manifest::resource(&plugin, &rules.into())?.to_string();
        folder.replace(RESOURCE, &resource)?;
        let Self { routes, listener, manager, strip_early, .. } = self;
        let shape = Shape { clusters, routes, listener, manager, strip_early: *strip_early };
        let places = Places {
            resource: &folder.path(RESOURCE),
            routes: &folder.path(ROUTES),
            access_log: &folder.path(ACCESS_LOG),
        };
        let mut bootstrap = manifest::bootstrap(&places, &shape)?;
        if let Some(name) = &self.discovered {
            let cluster = manifest::discover(&mut bootstrap, name, &folder.path(CLUSTERS))?;
            folder.replace(CLUSTERS, &manifest::clusters(&[cluster]).to_string())?;
        }
        folder.replace(BOOTSTRAP, &bootstrap.to_string())?;
        let routes = match &self.routes {
            Routes::Table(fields) => Some(manifest::routes(fields)?.to_string()),
            _ => None,
        };
        if let Some(routes) = &routes {
            folder.replace(ROUTES, routes)?;
        }

        let running = Running::launch(folder, Running::command(&self.binary, self.workers)?).await?;
        // Envoy starts all the same with routes that it refuses, and has none.
        if routes.is_some() && running.sum(r"^http\.main\.rds\.main\.update_rejected$").await? > 0 {
            bail!("Envoy refused the routes; its log ends with\n{}", running.tail());
        }
        Ok(Envoy { running, plugin, resource, routes })
    }
}
