//! Which scenarios share an Envoy, and all of them side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream;
use serin_host::routes::Cluster;
use serin_host::scenario::{Outcome, Scenario, Step};

use super::play::Play;
use super::site::{Plan, Site};
use super::{Combination, Discovery, InWasmtime, Options};

/// How many scenarios of one Envoy are under way at a time. Most of them wait.
const AT_A_TIME: usize = 64;
/// How many discovered filters one Envoy may have: each takes an inotify instance, of which Linux by default gives a user 128.
const DISCOVERED: usize = 48;

/// Runs those scenarios that suit a combination; outcomes by number.
pub(super) async fn run(
    scenarios: &[Scenario],
    options: &Options,
    combination: &Combination<'_>,
    known: &InWasmtime,
) -> Result<Vec<(usize, Result<Outcome>)>> {
    let suited: Vec<(usize, &Scenario)> =
        scenarios.iter().enumerate().filter(|(_, scenario)| combination.suits(scenario)).collect();
    let mut outcomes = Vec::new();
    let most = if combination.discovery == Discovery::Ecds { DISCOVERED } else { usize::MAX };
    for group in groups(&suited, known, most) {
        outcomes.extend(run_group(options, combination, &group).await.with_context(|| combination.name())?);
    }
    Ok(outcomes)
}

async fn run_group(
    options: &Options,
    combination: &Combination<'_>,
    group: &Group<'_>,
) -> Result<Vec<(usize, Result<Outcome>)>> {
    let with_module = |(_, scenario): &(usize, &'_ Scenario)| options.module_of(scenario);
    let modules: Vec<&Path> = group.scenarios.iter().map(with_module).collect::<Result<_>>()?;
    let plan = Plan {
        binary: &combination.envoy.binary,
        workers: combination.workers,
        discovery: combination.discovery,
        clusters: group.clusters.clone(),
        scenarios: group.scenarios.iter().map(|(_, scenario)| *scenario).zip(modules.iter().copied()).collect(),
    };
    let site = Site::start(&plan).await?;
    let plays = group.scenarios.iter().zip(&modules).map(|((number, scenario), module)| {
        let play = Play::new(&site, scenario, module, combination.http);
        async move { (*number, play.run().await) }
    });
    Ok(stream::iter(plays).buffer_unordered(AT_A_TIME).collect().await)
}

/// Scenarios that share an Envoy.
#[derive(Default)]
struct Group<'a> {
    scenarios: Vec<(usize, &'a Scenario)>,
    /// All of their clusters.
    clusters: BTreeMap<String, Cluster>,
    /// Names that are of no cluster for one of them, although it may speak of them.
    unknown: BTreeSet<String>,
}

/// Divides scenarios so that those of a group, `most` of them, mean the same by the names of clusters and of metrics.
fn groups<'a>(scenarios: &[(usize, &'a Scenario)], known: &InWasmtime, most: usize) -> Vec<Group<'a>> {
    let alone = alone(scenarios, known);
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (number, scenario) in scenarios {
        let apart = alone.contains(number);
        let open = |group: &Group<'_>| group.scenarios.len() < most && !group.is_closed(&alone);
        let fits = groups.iter_mut().find(|group| !apart && open(group) && group.fits(scenario));
        let group = match fits {
            Some(group) => group,
            None => {
                groups.push(Group::default());
                let Some(group) = groups.last_mut() else { continue };
                group
            }
        };
        group.clusters.extend(scenario.routes.clusters.clone());
        group.unknown.extend(unknown_clusters(scenario));
        group.scenarios.push((*number, scenario));
    }
    groups
}

impl Group<'_> {
    fn is_closed(&self, alone: &BTreeSet<usize>) -> bool {
        self.scenarios.iter().any(|(number, _)| alone.contains(number))
    }

    fn fits(&self, scenario: &Scenario) -> bool {
        let clusters = &scenario.routes.clusters;
        let same = clusters.iter().all(|(name, kind)| self.clusters.get(name).is_none_or(|known| known == kind));
        let unknown = unknown_clusters(scenario);
        same && !clusters.keys().any(|name| self.unknown.contains(name))
            && !unknown.iter().any(|name| self.clusters.contains_key(name))
    }
}

/// What stands in a scenario where names of clusters stand, and is none of its clusters.
fn unknown_clusters(scenario: &Scenario) -> BTreeSet<String> {
    let Ok(text) = scenario.to_yaml() else { return BTreeSet::new() };
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    words.filter(|word| !scenario.routes.clusters.contains_key(*word)).map(str::to_owned).collect()
}

/// The scenarios that look at a metric which another one changes as well, or may change: nobody knows what those do that do
/// not run in wasmtime.
fn alone(scenarios: &[(usize, &Scenario)], known: &InWasmtime) -> BTreeSet<usize> {
    let mut defined: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for ((number, ..), outcome) in known {
        for name in &outcome.metrics {
            defined.entry(name).or_default().insert(*number);
        }
    }
    let shared =
        |number: usize, name: &str| defined.get(name).is_some_and(|by| by.iter().any(|other| *other != number));
    let looks = |(number, scenario): &&(usize, &Scenario)| {
        let metrics = scenario.steps.iter().filter_map(|step| match step {
            Step::Metrics(metrics) => Some(metrics),
            _ => None,
        });
        metrics.flat_map(BTreeMap::keys).any(|name| shared(*number, name))
    };
    scenarios.iter().filter(looks).map(|(number, _)| *number).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serin_host::scenario::{Http, Setting};
    use serin_host::{Delivery, Profile};

    use super::*;

    /// Which scenarios share an Envoy, for some with these fields that define these metrics; number N looks at `mN`.
    fn check(fields: &[&str], metrics: &[&[&str]], most: usize, expected: &[&[usize]]) {
        let read = |(number, fields): (usize, &&str)| {
            let text = format!("{{about: a, steps: [{{metrics: {{m{number}: 1}}}}], {fields}}}");
            Scenario::parse(&text, &format!("s{number}"), Duration::ZERO).unwrap()
        };
        let scenarios: Vec<Scenario> = fields.iter().enumerate().map(read).collect();
        let numbered: Vec<(usize, &Scenario)> = scenarios.iter().enumerate().collect();
        let outcome = |names: &[&str]| Outcome {
            metrics: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Outcome::default()
        };
        let setting = Setting { http: Http::One, workers: 1, profile: Profile::default(), delivery: Delivery::Ecds };
        let known = metrics.iter().enumerate().map(|(number, names)| ((number, setting), outcome(names))).collect();
        let found: Vec<Vec<usize>> = groups(&numbered, &known, most)
            .iter()
            .map(|group| group.scenarios.iter().map(|(number, _)| *number).collect())
            .collect();
        assert_eq!(expected, found, "{fields:?}");
    }

    #[test]
    fn scenarios_share_an_envoy_where_clusters_mean_the_same() {
        let plain = "http: [1]";
        check(&[plain, plain, plain], &[], 9, &[&[0, 1, 2]]);
        check(&[plain, plain, plain], &[], 2, &[&[0, 1], &[2]]);
        check(&["clusters: {v1: {}}", "clusters: {v1: {endpoints: none}}", plain], &[], 9, &[&[0, 2], &[1]]);
        check(&["configuration: {cluster: v3}", "clusters: {v3: {}}", plain], &[], 9, &[&[0, 2], &[1]]);
    }

    #[test]
    fn who_looks_at_a_metric_of_others_is_alone() {
        let plain = "http: [1]";
        check(&[plain, plain, plain], &[&["m0"], &["m1"], &["m2"]], 9, &[&[0, 1, 2]]);
        check(&[plain, plain, plain], &[&["m0"], &["m1", "m0"], &["m2"]], 9, &[&[0], &[1, 2]]);
    }
}
