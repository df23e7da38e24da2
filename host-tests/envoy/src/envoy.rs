//! A running Envoy with the filter: start, new rules while it runs, statistics, log.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::admin::Admin;
use crate::manifest::{self, Configuration, LISTENER, Places, Routes};
use crate::process::Process;
use crate::upstream::Upstreams;

/// How an Envoy is to be started.
#[derive(Clone, Debug)]
pub struct Setup {
    binary: PathBuf,
    module: PathBuf,
    routes: Routes,
    strip_early: bool,
    workers: u32,
}

impl Setup {
    /// Envoy from `binary` with the filter from `module`, the fail-safe routes and two workers.
    pub fn new(binary: impl Into<PathBuf>, module: impl Into<PathBuf>) -> Self {
        let (binary, module) = (binary.into(), module.into());
        Self { binary, module, routes: Routes::FailSafe, strip_early: true, workers: 2 }
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

    /// Whether Envoy removes a client's copy of our headers before the filter runs (the default), or leaves it all to
    /// the filter.
    #[must_use]
    pub fn strip_early(self, strip_early: bool) -> Self {
        Self { strip_early, ..self }
    }

    /// The number of worker threads.
    #[must_use]
    pub fn workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }

    /// Starts Envoy and waits until it takes traffic. The upstream with the first name is stable.
    ///
    /// # Errors
    /// If Envoy cannot be started, ends by itself or is not ready within 30 seconds; the message has the end of its log.
    pub async fn start(&self, upstreams: &Upstreams, rules: impl Into<Configuration>) -> Result<Envoy> {
        let folder = Folder::new()?;
        let module = self.module.canonicalize();
        let module = module.with_context(|| format!("there is no module at {}", self.module.display()))?;
        let places = Places {
            watched: &folder.path("rules"),
            resource: &folder.path(RESOURCE),
            access_log: &folder.path(ACCESS_LOG),
        };
        let resource = manifest::resource(&module, &rules.into())?.to_string();
        folder.replace(RESOURCE, &resource)?;
        let bootstrap = manifest::bootstrap(&places, upstreams, self.routes, self.strip_early)?;
        folder.replace(BOOTSTRAP, &bootstrap.to_string())?;

        let process = self.launch(&folder)?;
        let admin = folder.until_ready(&process).await?;
        let listener = admin.listener(LISTENER).await?;
        Ok(Envoy { process, folder, admin, listener, module, resource })
    }

    fn launch(&self, folder: &Folder) -> Result<Process> {
        let mut words = vec![OsString::from(&self.binary)];
        words.extend(["--config-path".into(), folder.path(BOOTSTRAP).into()]);
        words.extend(["--admin-address-path".into(), folder.path(ADMIN).into()]);
        words.extend(["--concurrency".into(), self.workers.to_string().into()]);
        // Without hot restart there is no shared memory, so Envoys do not meet and leave nothing behind.
        words.extend(
            ["--disable-hot-restart", "--log-level", "info", "--file-flush-interval-msec", "100"].map(Into::into),
        );
        let log = File::create(folder.path(LOG))?;
        Process::start(&words, &log).with_context(|| format!("cannot start Envoy from {}", self.binary.display()))
    }
}

/// A running Envoy; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Envoy {
    // Dropped in this order: the process is gone before its folder is.
    process: Process,
    folder: Folder,
    admin: Admin,
    listener: SocketAddr,
    module: PathBuf,
    resource: String,
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
        let resource = manifest::resource(&self.module, &rules.into())?.to_string();
        if resource == self.resource {
            // Envoy skips a resource that it has already, so there would be nothing to wait for.
            return Ok(());
        }
        let (taken, refused) = (self.discovery("config_reload").await?, self.discovery("config_fail").await?);
        self.folder.replace(RESOURCE, &resource)?;
        self.resource = resource;
        let end = Instant::now() + TAKE_UP;
        while self.discovery("config_reload").await? == taken {
            if self.discovery("config_fail").await? > refused {
                bail!("Envoy refused the new rules; its log ends with\n{}", self.folder.tail());
            }
            if Instant::now() > end {
                bail!(
                    "Envoy did not take up the new rules within {TAKE_UP:?}; its log ends with\n{}",
                    self.folder.tail()
                );
            }
            sleep(POLL).await;
        }
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

    async fn discovery(&self, counter: &str) -> Result<u64> {
        self.sum(&format!(r"^extension_config_discovery\.http_filter\.serin\.{counter}$")).await
    }

    fn state(&self) -> String {
        match self.process.ended() {
            Some(status) => format!("Envoy has ended ({status}); its log ends with\n{}", self.folder.tail()),
            None => "Envoy runs, but its admin interface gave no answer".to_owned(),
        }
    }
}

/// The folder of one Envoy, removed at the end.
#[derive(Debug)]
struct Folder(TempDir);

impl Folder {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("serin-envoy-").tempdir().context("no temporary folder")?;
        fs::create_dir(folder.path().join("rules"))?;
        Ok(Self(folder))
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a file in one step, so that Envoy never sees half of it.
    fn replace(&self, name: &str, text: &str) -> Result<()> {
        let (draft, place) = (self.path("draft"), self.path(name));
        fs::write(&draft, text).with_context(|| format!("cannot write {}", draft.display()))?;
        fs::rename(&draft, &place).with_context(|| format!("cannot write {}", place.display()))
    }

    async fn until_ready(&self, process: &Process) -> Result<Admin> {
        let end = Instant::now() + START;
        loop {
            let address = fs::read_to_string(self.path(ADMIN)).ok().and_then(|text| text.trim().parse().ok());
            if let Some(address) = address {
                let admin = Admin { address };
                if admin.is_ready().await {
                    return Ok(admin);
                }
            }
            if let Some(status) = process.ended() {
                bail!("Envoy ended at its start ({status}); its log ends with\n{}", self.tail());
            }
            if Instant::now() > end {
                bail!("Envoy was not ready within {START:?}; its log ends with\n{}", self.tail());
            }
            sleep(POLL).await;
        }
    }

    fn tail(&self) -> String {
        let log = fs::read_to_string(self.path(LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

const RESOURCE: &str = "rules/serin.json";
const BOOTSTRAP: &str = "envoy.json";
const ADMIN: &str = "admin";
const LOG: &str = "log";
const ACCESS_LOG: &str = "access-log";

const START: Duration = Duration::from_secs(30);
const TAKE_UP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
