//! One Envoy that runs scenarios side by side: a listener for each, upstreams for all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use serin_envoy::{Running, Scripted};
use serin_host::routes::Cluster;
use serin_host::scenario::{Configuration, Form, Level, Scenario};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::config::{self, Discovery};

/// A running Envoy.
pub(super) struct Site {
    running: Running,
    folder: PathBuf,
    discovery: Discovery,
    workers: usize,
    pub(super) upstreams: Scripted,
    /// Where scenarios take requests, by plugin name, in the first place.
    addresses: BTreeMap<String, SocketAddr>,
    /// What each listener is, or with ECDS what each filter was last offered as. One push at a time may change the file of all.
    listeners: Mutex<BTreeMap<String, Value>>,
    /// With ECDS, the names of those filters that were refused as they were last offered.
    refused: Mutex<BTreeSet<String>>,
}

/// What an Envoy is started for.
pub(super) struct Plan<'a> {
    pub(super) binary: &'a Path,
    pub(super) workers: usize,
    pub(super) discovery: Discovery,
    pub(super) clusters: BTreeMap<String, Cluster>,
    /// The scenarios with their modules.
    pub(super) scenarios: Vec<(&'a Scenario, &'a Path)>,
}

impl Site {
    pub(super) async fn start(plan: &Plan<'_>) -> Result<Self> {
        let serving = plan.clusters.iter().filter(|(_, kind)| **kind == Cluster::Serves);
        let upstreams = Scripted::start(serving.map(|(name, _)| name.as_str())).await?;
        let clusters = config::clusters(&plan.clusters, upstreams.addresses())?;
        let mut place = PathBuf::new();
        let mut listeners = BTreeMap::new();
        let contents = |folder: &Path| {
            folder.clone_into(&mut place);
            let (all, files) = plan.files(folder);
            listeners = all;
            (config::bootstrap(folder, clusters), files)
        };
        let mut envoy = Running::command(plan.binary, u32::try_from(plan.workers)?)?;
        envoy.args(AT_ONCE);
        let running = Running::start_as(envoy, contents).await?;
        let addresses = running.listeners().await?;
        // What Envoy refused would have it refuse the file again with every push.
        listeners.retain(|name, _| addresses.contains_key(name));
        Ok(Self {
            running,
            folder: place,
            discovery: plan.discovery,
            workers: plan.workers,
            upstreams,
            addresses,
            listeners: Mutex::new(listeners),
            refused: Mutex::default(),
        })
    }

    /// Where a scenario takes requests; nowhere if Envoy refused it.
    pub(super) fn address(&self, scenario: &Scenario) -> Option<SocketAddr> {
        self.addresses.get(&scenario.plugin.name).copied()
    }

    /// Whether Envoy took the first configuration of a scenario. What is discovered is counted only once every worker has
    /// it, which may be after Envoy is ready.
    pub(super) async fn has_taken(&self, scenario: &Scenario) -> Result<bool> {
        if self.discovery == Discovery::Lds {
            return Ok(self.address(scenario).is_some());
        }
        let (taken, refused) = (self.counter(scenario, "reload"), self.counter(scenario, "fail"));
        let end = Instant::now() + TAKE_UP;
        while Instant::now() < end {
            let stats = self.running.stats(&format!("^({taken}|{refused})$")).await?;
            let counted = |what: &str| stats.iter().any(|(name, count)| name.ends_with(what) && *count > 0);
            if counted("config_fail") {
                return Ok(false);
            }
            if counted("config_reload") {
                return Ok(true);
            }
            sleep(POLL).await;
        }
        bail!("Envoy neither took nor refused the filter of {} within {TAKE_UP:?}", scenario.plugin.name)
    }

    /// Pushes a configuration, returns once every worker has it, and tells whether Envoy took it.
    pub(super) async fn push(
        &self,
        scenario: &Scenario,
        module: &Path,
        configuration: &Configuration,
        form: Form,
    ) -> Result<bool> {
        let name = &scenario.plugin.name;
        let filter = config::filter(scenario, module, configuration, form);
        match self.discovery {
            Discovery::Ecds => self.push_filter(scenario, filter).await,
            Discovery::Lds => {
                let listener = config::listener(scenario, &filter, &self.folder, self.discovery);
                self.push_listener(name, listener).await
            }
        }
    }

    /// Replaces the file of one filter.
    async fn push_filter(&self, scenario: &Scenario, filter: Value) -> Result<bool> {
        let name = &scenario.plugin.name;
        let text = config::resource(name, &filter);
        let before = self.listeners.lock().await.insert(name.clone(), filter.clone());
        // Envoy skips a resource that it has had, so there would be nothing to wait for.
        if before == Some(filter) {
            return Ok(!self.refused.lock().await.contains(name));
        }
        let (taken, refused) = (self.counter(scenario, "reload"), self.counter(scenario, "fail"));
        let accepted = self.running.offer(&config::filter_file(name), &text, &taken, &refused).await?;
        let mut refused = self.refused.lock().await;
        if accepted {
            refused.remove(name)
        } else {
            refused.insert(name.clone())
        };
        Ok(accepted)
    }

    /// Replaces one listener in the file of all.
    async fn push_listener(&self, name: &str, listener: Value) -> Result<bool> {
        let mut all = self.listeners.lock().await;
        let before = all.insert(name.to_owned(), listener.clone());
        if before.as_ref() == Some(&listener) {
            return Ok(true);
        }
        let known = self.listener_stats().await?;
        self.running.replace(config::LISTENERS, &config::listeners(all.values()))?;
        let end = Instant::now() + TAKE_UP;
        loop {
            let now = self.listener_stats().await?;
            if now.rejected > known.rejected {
                // Envoy keeps what it had. The file will have that again with the next push, which is to be judged by itself.
                before.map(|before| all.insert(name.to_owned(), before));
                return Ok(false);
            }
            if now.added >= known.added + self.workers as u64 {
                return Ok(true);
            }
            if Instant::now() > end {
                bail!("Envoy did not take up the listener {name} within {TAKE_UP:?}");
            }
            sleep(POLL).await;
        }
    }

    async fn listener_stats(&self) -> Result<ListenerStats> {
        let stats = self.running.stats(r"^listener_manager\.(listener_create_success|lds\.update_rejected)$").await?;
        let of = |name: &str| stats.get(name).copied().unwrap_or(0);
        Ok(ListenerStats {
            added: of("listener_manager.listener_create_success"),
            rejected: of("listener_manager.lds.update_rejected"),
        })
    }

    /// A counter of a scenario's discovered filter, as a regular expression.
    fn counter(&self, scenario: &Scenario, what: &str) -> String {
        format!(r"extension_config_discovery\.http_filter\.{}\.config_{what}", scenario.plugin.name)
    }

    /// How much there is of the log.
    pub(super) fn log_size(&self) -> Result<usize> {
        Ok(self.running.log()?.len())
    }

    /// What a scenario's plugin logged from this size of the log on.
    pub(super) fn log_lines(&self, scenario: &Scenario, from: usize) -> Result<Vec<(Level, String)>> {
        let log = self.running.log()?;
        let (plugin, vm) = (&scenario.plugin, config::vm_id(&scenario.plugin));
        let ids = |ids: &[&str]| ids.iter().copied().filter(|id| !id.is_empty()).collect::<Vec<_>>().join(" ");
        let prefixes = [ids(&[&plugin.root_id, &vm]), ids(&[&plugin.name, &plugin.root_id, &vm])];
        let new = log.get(from..).context("the log has become shorter")?;
        Ok(new.lines().filter_map(|line| guest_line(line, &prefixes)).collect())
    }

    /// A metric by the name that the filter gave it.
    pub(super) async fn metric(&self, name: &str) -> Result<Option<u64>> {
        let full = format!("wasmcustom.{name}");
        let pattern = full.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\{c}") });
        Ok(self.running.stats(&format!("^{}$", pattern.collect::<String>())).await?.get(&full).copied())
    }
}

impl Plan<'_> {
    /// All listeners, or with ECDS all filters, by name; and the files of them.
    fn files(&self, folder: &Path) -> (BTreeMap<String, Value>, BTreeMap<String, String>) {
        let (mut known, mut listeners, mut files) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for (scenario, module) in &self.scenarios {
            let name = &scenario.plugin.name;
            let filter = config::filter(scenario, module, &scenario.configuration, scenario.form);
            let listener = config::listener(scenario, &filter, folder, self.discovery);
            if self.discovery == Discovery::Ecds {
                files.insert(config::filter_file(name), config::resource(name, &filter));
                known.insert(name.clone(), filter);
            } else {
                known.insert(name.clone(), listener.clone());
            }
            listeners.push(listener);
        }
        files.insert(config::LISTENERS.to_owned(), config::listeners(listeners.iter()));
        (known, files)
    }
}

struct ListenerStats {
    added: u64,
    rejected: u64,
}

/// A line that a plugin logged, from its root or from a stream: `[…][error][wasm] […] wasm log ROOT VM: text` or
/// `… wasm log NAME ROOT VM: text`.
fn guest_line(line: &str, prefixes: &[String]) -> Option<(Level, String)> {
    let (head, said) = line.split_once(" wasm log ")?;
    let text = prefixes.iter().find_map(|prefix| said.strip_prefix(prefix.as_str())?.strip_prefix(": "))?;
    let level = ["trace", "debug", "info", "warning", "error", "critical"].iter().zip(LEVELS);
    let level = level.into_iter().find(|(name, _)| head.contains(&format!("[{name}][wasm]")))?.1;
    Some((level, text.to_owned()))
}

const LEVELS: [Level; 6] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical];
/// What a pushed listener replaces has no reason to stay.
const AT_ONCE: [&str; 4] = ["--drain-time-s", "1", "--drain-strategy", "immediate"];
const TAKE_UP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_belongs_to_the_ids_that_it_names() {
        let check = |said: &str, prefixes: &[&str], text: Option<&str>| {
            let line = format!("[2026-01-01 00:00:00.000][7][error][wasm] [source/x.cc:1] {said}");
            let prefixes: Vec<String> = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
            let expected = text.map(|text| (Level::Error, text.to_owned()));
            assert_eq!(expected, guest_line(&line, &prefixes), "{said} {prefixes:?}");
        };
        let (root, stream) = ("wasm log shop vm: serin: b: c", "wasm log name shop vm: serin: b: c");
        let both = ["shop vm", "name shop vm"];
        check(root, &both, Some("serin: b: c"));
        check(stream, &both, Some("serin: b: c"));
        for prefix in ["shop", "shop v", "other vm", "name shop", "name vm"] {
            check(root, &[prefix], None);
            check(stream, &[prefix], None);
        }
        check("starting", &both, None);
    }
}
