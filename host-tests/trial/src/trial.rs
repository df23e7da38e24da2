//! The running trial, and what its README has people do with it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_envoy::{Process, Running};
use tempfile::TempDir;

use crate::FOLDER;
use crate::app;
use crate::programs::Programs;
use crate::server::Server;

/// The secret of the trial's key, in the variable that its rules name.
pub const KEY: (&str, &str) = ("SERIN_KEY", "known-to-everybody-who-tries-serin");

/// A running trial; dropping it ends all of its programs.
#[derive(Debug)]
pub struct Trial {
    envoy: Running,
    apps: BTreeMap<String, Server>,
    rules: String,
    folder: TempDir,
}

impl Trial {
    /// Starts the app's versions and Envoy.
    ///
    /// # Errors
    /// If one of them cannot be started, or if a file of the trial is not as expected.
    pub async fn start(programs: &Programs) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("serin-trial-").tempdir()?;
        copy(&Path::new(FOLDER).join("app"), folder.path())?;
        let mut apps = BTreeMap::new();
        for name in ["v1", "v2"] {
            apps.insert(name.to_owned(), app::start(&programs.nginx, folder.path(), name).await?);
        }
        let rules = rules(&programs.module)?;
        let bootstrap = bootstrap(&apps)?;
        let mut envoy = Running::command(&programs.envoy, WORKERS)?;
        envoy.env(KEY.0, KEY.1);
        let files = BTreeMap::from([(RULES.to_owned(), rules.clone())]);
        let envoy = Running::start_as(envoy, |_| (bootstrap, files)).await?;
        Ok(Self { envoy, apps, rules, folder })
    }

    /// The Envoy of the trial.
    pub fn envoy(&self) -> &Running {
        &self.envoy
    }

    /// The process ids of the versions' servers that run.
    pub fn servers(&self) -> BTreeMap<&str, u32> {
        let running = self.apps.iter().filter(|(_, server)| server.ended().is_none());
        running.map(|(version, server)| (version.as_str(), server.id())).collect()
    }

    /// Where the site is.
    pub fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    /// The file of the rules as it is now.
    pub fn rules(&self) -> &str {
        &self.rules
    }

    /// Replaces a text in the file of the rules, as `sed` does, and waits until Envoy has taken the file up.
    ///
    /// # Errors
    /// If the text is not there once, or if Envoy does not take the file up.
    pub async fn edit(&mut self, text: &str, other: &str) -> Result<()> {
        ensure!(self.rules.matches(text).count() == 1, "`{text}` is not in the rules once:\n{}", self.rules);
        if text == other {
            // Envoy does not take up what it has already, and would be waited for.
            return Ok(());
        }
        self.rules = self.rules.replace(text, other);
        self.envoy.push(RULES, &self.rules, &format!("{COUNTERS}reload"), &format!("{COUNTERS}fail")).await
    }

    /// Gives v2 a weight, as [`Trial::edit`] does.
    ///
    /// # Errors
    /// As [`Trial::edit`].
    pub async fn set_weight(&mut self, weight: u32) -> Result<()> {
        let version = self.rules.lines().map(str::trim).find(|line| line.starts_with("v2: {"));
        let version = version.context("the rules have no version v2")?.to_owned();
        self.edit(&version, &format!("v2: {{cluster: v2, weight: {weight}}}")).await
    }

    /// Whether `GET api/stock` of a version fails, as by `touch broken`.
    ///
    /// # Errors
    /// If the file cannot be written or removed.
    pub fn set_broken(&self, version: &str, broken: bool) -> Result<()> {
        let file = self.folder.path().join(version).join("broken");
        if broken { fs::write(&file, "") } else { fs::remove_file(&file) }
            .with_context(|| format!("cannot change {}", file.display()))
    }

    /// Stops the servers of a version.
    ///
    /// # Errors
    /// If it does not run.
    pub fn stop(&mut self, version: &str) -> Result<()> {
        self.apps.remove(version).map(drop).with_context(|| format!("{version} does not run"))
    }

    /// The trial's visitors, who come until they are dropped.
    ///
    /// # Errors
    /// If they cannot be started, as where there is no curl.
    pub fn visitors(&self, visitors: u32, pause: Duration) -> Result<Process> {
        let curl = std::process::Command::new("curl").arg("--version").output();
        curl.context("visitors.sh needs curl, which is not on the path")?;
        let mut command = std::process::Command::new("sh");
        command.arg(Path::new(FOLDER).join("visitors.sh"));
        command.args([format!("http://{}", self.address()), visitors.to_string(), pause.as_secs_f64().to_string()]);
        // Their cookies are gone with the folder, however they end.
        command.env("TMPDIR", self.folder.path());
        Process::start(&command, &fs::File::create(self.folder.path().join("visitors.log"))?)
    }

    /// A folder for what belongs to the trial and ends with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The trial's bootstrap with free ports, and with the servers that run here.
fn bootstrap(apps: &BTreeMap<String, Server>) -> Result<Value> {
    let mut root: Value = serde_saphyr::from_str(&read("envoy.yaml")?).context("envoy.yaml is not valid YAML")?;
    for bound in ["/admin/address/socket_address", "/static_resources/listeners/0/address/socket_address"] {
        *at(&mut root, bound)? = json!({"address": "127.0.0.1", "port_value": 0});
    }
    let clusters = at(&mut root, "/static_resources/clusters")?.as_array_mut().context("clusters are a list")?;
    ensure!(clusters.len() == apps.len(), "there are {} clusters", clusters.len());
    for cluster in clusters {
        let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
        let name = cluster["name"].as_str().and_then(|name| apps.get(name)).context("a cluster is no version")?;
        let (address, port) = (name.address.ip(), name.address.port());
        *at(cluster, endpoint)? = json!({"address": address, "port_value": port});
    }
    Ok(root)
}

/// The trial's file of the filter and its rules with this module.
fn rules(module: &Path) -> Result<String> {
    let rules = read(RULES)?;
    ensure!(rules.matches(MODULE).count() == 1, "{RULES} does not name {MODULE} once");
    let module = module.canonicalize().with_context(|| format!("there is no module at {}", module.display()))?;
    Ok(rules.replace(MODULE, &module.to_string_lossy()))
}

fn read(name: &str) -> Result<String> {
    let path = Path::new(FOLDER).join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn at<'a>(root: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    root.pointer_mut(pointer).with_context(|| format!("the trial's envoy.yaml has no {pointer}"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let (entry, to) = (entry?.path(), to.to_owned());
        let to = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            copy(&entry, &to)?;
        } else {
            fs::copy(&entry, &to).with_context(|| format!("cannot copy {}", entry.display()))?;
        }
    }
    Ok(())
}

const WORKERS: u32 = 2;
const RULES: &str = "serin.yaml";
const MODULE: &str = "/serin/serin.wasm";
const COUNTERS: &str = r"extension_config_discovery\.http_filter\.serin\.config_";
