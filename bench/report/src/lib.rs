//! The report of a run of the benches: `RESULTS.md` with its plots for people, `envoy.json` for scripts.
//!
//! Everything is computed from the files of the run. What was not measured is said to be so, in words or as `null`.

#![forbid(unsafe_code)]

mod budgets;
mod chains;
mod criterion;
mod markdown;
mod plots;
mod results;
mod scripts;
mod stats;
mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serin_bench::results::{Measured, Module};

pub use criterion::Times;

/// All that a report is made of.
#[derive(Debug)]
pub struct Run {
    /// What a real Envoy showed.
    pub measured: Measured,
    /// What was counted in wasmtime.
    pub module: Module,
    /// What criterion measured.
    pub times: Times,
}

impl Run {
    /// Reads what the parts of a run left in a target folder.
    ///
    /// # Errors
    /// If a file is missing or has another form; the message names it.
    pub fn read(target: &Path) -> Result<Self> {
        let bench = target.join("bench");
        Ok(Self {
            measured: read(&bench.join("measured.json"))?,
            module: read(&bench.join("module.json"))?,
            times: Times::read(&target.join("bench/criterion"))?,
        })
    }

    /// Writes `envoy.json` into one folder, and `RESULTS.md` with its `plots` into another.
    ///
    /// # Errors
    /// If a file cannot be written or a plot not be drawn.
    pub fn write(&self, scripts: &Path, report: &Path) -> Result<()> {
        let plots = report.join("plots");
        fs::create_dir_all(scripts).with_context(|| format!("making {}", scripts.display()))?;
        fs::create_dir_all(&plots).with_context(|| format!("making {}", plots.display()))?;
        let ratios = serde_json::to_string_pretty(&scripts::ratios(self))?;
        write(&scripts.join("envoy.json"), &format!("{ratios}\n"))?;
        let drawn = plots::all(self)?;
        for (name, svg) in &drawn {
            write(&plots.join(format!("{name}.svg")), svg)?;
        }
        let names: Vec<&str> = drawn.iter().map(|(name, _)| *name).collect();
        write(&report.join("RESULTS.md"), &results::text(self, &names))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} has another form", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
