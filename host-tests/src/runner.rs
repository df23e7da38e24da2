//! Runs scenarios in the wasmtime host and in real Envoys, and tells where these are not as expected or not alike.

mod config;
mod plan;
mod play;
mod report;
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serin_host::scenario::{Host, Http, Outcome, Scenario, Setting};
use serin_host::{Delivery, Module, Profile};

pub use config::Discovery;
pub use report::Report;

/// What to run scenarios in.
#[derive(Clone, Debug)]
pub struct Options {
    /// The modules by the names that scenarios give them.
    pub modules: BTreeMap<String, PathBuf>,
    /// The module of scenarios that name none.
    pub module: String,
    /// Whether to run in the wasmtime host.
    pub wasmtime: bool,
    /// The Envoys to run in.
    pub envoys: Vec<Envoy>,
    /// The versions of HTTP that clients speak.
    pub http: Vec<Http>,
    /// How configurations get to the filter in Envoy.
    pub discovery: Vec<Discovery>,
    /// The numbers of workers.
    pub workers: Vec<usize>,
}

/// An Envoy that can be started.
#[derive(Clone, Debug)]
pub struct Envoy {
    /// What it is called in reports.
    pub name: String,
    /// The executable.
    pub binary: PathBuf,
}

/// One way to run a scenario in Envoy.
#[derive(Clone, Copy, Debug)]
struct Combination<'a> {
    envoy: &'a Envoy,
    http: Http,
    discovery: Discovery,
    workers: usize,
}

impl Combination<'_> {
    fn name(&self) -> String {
        let http = if self.http == Http::One { "HTTP/1" } else { "HTTP/2" };
        let discovery = if self.discovery == Discovery::Lds { "LDS" } else { "ECDS" };
        format!("{}, {http}, {discovery}, workers: {}", self.envoy.name, self.workers)
    }

    /// What the wasmtime host has to be like.
    fn setting(&self) -> Setting {
        let profile = if self.envoy.name.contains("1.36") { Profile::Envoy1_36 } else { Profile::Envoy1_40 };
        let delivery = match self.discovery {
            Discovery::Lds => Delivery::Lds(DRAIN),
            Discovery::Ecds => Delivery::Ecds,
        };
        Setting { http: self.http, workers: self.workers, profile, delivery }
    }

    /// Whether a scenario is for it.
    fn suits(&self, scenario: &Scenario) -> bool {
        let workers = scenario.workers.within(self.workers).is_some();
        workers && scenario.http.contains(&self.http) && scenario.hosts.contains(&Host::Envoy)
    }
}

/// How long listeners of the Envoys that are started here drain.
const DRAIN: Duration = Duration::from_secs(1);

/// Outcomes in the wasmtime host, by the number of the scenario and by what the host was like.
type InWasmtime = BTreeMap<(usize, Setting), Outcome>;

/// Runs scenarios.
///
/// # Errors
/// If a module is not known or cannot be loaded, or if an Envoy does not start.
pub async fn run(scenarios: &[Scenario], options: &Options) -> Result<Report> {
    let mut report = Report::new(scenarios);
    // Also where only Envoy is asked for: which metrics a scenario touches says with which others it can share an Envoy.
    let known = in_wasmtime(scenarios, options, &mut report)?;
    for combination in options.combinations() {
        let outcomes = plan::run(scenarios, options, &combination, &known).await?;
        report.begin_combination();
        for (number, outcome) in outcomes {
            let Some(scenario) = scenarios.get(number) else { continue };
            let host = combination.name();
            match outcome {
                Err(error) => report.fail(number, scenario, &host, &error),
                Ok(outcome) => {
                    report.hold(number, scenario, &host, &outcome);
                    let twin = known.get(&(number, combination.setting())).filter(|_| options.wasmtime);
                    if let Some(twin) = twin {
                        report.compare(number, scenario, ("wasmtime", twin), (&host, &outcome));
                    }
                }
            }
        }
    }
    Ok(report)
}

fn in_wasmtime(scenarios: &[Scenario], options: &Options, report: &mut Report) -> Result<InWasmtime> {
    let mut modules: BTreeMap<&Path, Module> = BTreeMap::new();
    let mut outcomes = InWasmtime::new();
    for setting in options.settings() {
        if options.wasmtime {
            report.begin_combination();
        }
        for (number, scenario) in scenarios.iter().enumerate() {
            let fits = scenario.workers.within(setting.workers).is_some() && scenario.http.contains(&setting.http);
            if !fits || !scenario.hosts.contains(&Host::Wasmtime) {
                continue;
            }
            let path = options.module_of(scenario)?;
            let module = match modules.get(path) {
                Some(module) => module.clone(),
                None => modules.entry(path).or_insert(Module::open(path)?).clone(),
            };
            match scenario.run(&module, setting) {
                Ok(outcome) => {
                    if options.wasmtime {
                        report.hold(number, scenario, "wasmtime", &outcome);
                    }
                    outcomes.insert((number, setting), outcome);
                }
                Err(error) if options.wasmtime => report.fail(number, scenario, "wasmtime", &error),
                Err(_) => {}
            }
        }
    }
    Ok(outcomes)
}

impl Options {
    fn module_of(&self, scenario: &Scenario) -> Result<&Path> {
        let name = scenario.module.as_ref().unwrap_or(&self.module);
        let path = self.modules.get(name);
        path.map(PathBuf::as_path).with_context(|| format!("{scenario} is for the module {name}: name its file"))
    }

    /// What the wasmtime host is to be like: each of the Envoys that are asked for, or the newest one.
    fn settings(&self) -> BTreeSet<Setting> {
        let newest = [Envoy { name: String::new(), binary: PathBuf::new() }];
        let envoys = if self.envoys.is_empty() { &newest[..] } else { &self.envoys };
        self.combinations_in(envoys).map(|combination| combination.setting()).collect()
    }

    fn combinations(&self) -> impl Iterator<Item = Combination<'_>> {
        self.combinations_in(&self.envoys)
    }

    fn combinations_in<'a>(&'a self, envoys: &'a [Envoy]) -> impl Iterator<Item = Combination<'a>> {
        envoys.iter().flat_map(move |envoy| {
            self.workers.iter().flat_map(move |&workers| {
                self.discovery.iter().flat_map(move |&discovery| {
                    self.http.iter().map(move |&http| Combination { envoy, http, discovery, workers })
                })
            })
        })
    }
}
