//! What criterion measured, read from the files it keeps.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use walkdir::WalkDir;

/// The times of all benches in nanoseconds, by group and name.
#[derive(Clone, Debug, Default)]
pub struct Times(pub BTreeMap<(String, String), Time>);

/// The time of one bench in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Time {
    /// Criterion's typical value: the slope of time over iterations, or the mean where there is none.
    pub typical: f64,
    /// The confidence interval of that.
    pub low: f64,
    /// Its other end.
    pub high: f64,
}

#[derive(Deserialize)]
struct Estimates {
    mean: Estimate,
    slope: Option<Estimate>,
}

#[derive(Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
}

impl Times {
    /// Reads the newest results below criterion's folder; none if there is no such folder.
    ///
    /// # Errors
    /// If a file cannot be read or has another form.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut times = BTreeMap::new();
        if !folder.exists() {
            return Ok(Self(times));
        }
        for entry in WalkDir::new(folder) {
            let entry = entry.with_context(|| format!("looking through {}", folder.display()))?;
            let newest = entry.path().parent().is_some_and(|parent| parent.ends_with("new"));
            if newest && entry.file_name() == "estimates.json" {
                let benchmark: Benchmark = read(&entry.path().with_file_name("benchmark.json"))?;
                let estimates: Estimates = read(entry.path())?;
                let name = benchmark.function_id.unwrap_or_default();
                times.insert((benchmark.group_id, name), Time::from(estimates));
            }
        }
        Ok(Self(times))
    }

    /// The time of one bench.
    pub(crate) fn of(&self, group: &str, name: &str) -> Option<Time> {
        self.0.get(&(group.to_owned(), name.to_owned())).copied()
    }
}

impl From<Estimates> for Time {
    fn from(estimates: Estimates) -> Self {
        let Estimate { confidence_interval, point_estimate } = estimates.slope.unwrap_or(estimates.mean);
        Self { typical: point_estimate, low: confidence_interval.lower_bound, high: confidence_interval.upper_bound }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_reader(BufReader::new(file)).with_context(|| format!("{} has another form", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_estimates_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("decide_1 rollouts/override/new");
        std::fs::create_dir_all(&new).unwrap();
        let interval = r#"{"confidence_level": 0.95, "lower_bound": 90.0, "upper_bound": 110.0}"#;
        let estimates = format!(
            r#"{{"mean": {{"confidence_interval": {interval}, "point_estimate": 100.0, "standard_error": 1.0}}, "slope": null}}"#
        );
        std::fs::write(new.join("estimates.json"), estimates).unwrap();
        let benchmark = r#"{"group_id": "decide/1 rollouts", "function_id": "override", "value_str": null}"#;
        std::fs::write(new.join("benchmark.json"), benchmark).unwrap();
        let times = Times::read(folder.path()).unwrap();
        assert_eq!(times.of("decide/1 rollouts", "override"), Some(Time { typical: 100.0, low: 90.0, high: 110.0 }));
        assert_eq!(times.of("decide/1 rollouts", "user id"), None);
    }

    #[test]
    fn without_a_folder_there_are_none() {
        assert!(Times::read(Path::new("/nowhere/at/all")).unwrap().0.is_empty());
    }
}
