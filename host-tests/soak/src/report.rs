//! What a run has found: for people, for machines, and whether it is as it has to be.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::load::{Finds, Tally};
use crate::plan::Kind;
use crate::pushes::{Pushed, Pusher};
use crate::readings::Reading;
use crate::troubles::Troubles;
use crate::{Options, WORKERS};

/// What a run has found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) workers: u32,
    pub(crate) tally: Tally,
    /// How often upstreams died.
    pub(crate) troubles: Troubles,
    pub(crate) pushed: BTreeMap<Kind, Pushed>,
    pub(crate) ineffective: Finds,
    /// Lines of the log that tell of a VM that died.
    pub(crate) deaths: Finds,
    /// The first one is taken after every worker has done everything once.
    pub(crate) readings: Vec<Reading>,
    /// What ended the run before its time.
    pub(crate) broken: Finds,
    /// What is not as it has to be, in words.
    pub(crate) faults: Vec<String>,
}

/// What a run has come to.
#[derive(Debug)]
pub(crate) struct Found {
    /// How long it took.
    pub(crate) took: Duration,
    /// What was said of the answers.
    pub(crate) tally: Tally,
    /// How often upstreams died.
    pub(crate) troubles: Troubles,
    /// After each push.
    pub(crate) readings: Vec<Reading>,
    /// What ended it before its time.
    pub(crate) broken: Finds,
}

impl Report {
    pub(crate) fn new(options: &Options, found: Found, pusher: &Pusher, log: &str) -> Self {
        let mut deaths = Finds::default();
        for line in log.lines().filter(|line| tells_of_a_death(line)) {
            deaths.add(|| line.to_owned());
        }
        let Found { took, tally, troubles, readings, broken } = found;
        let mut report = Self {
            seed: options.seed,
            seconds: took.as_secs(),
            workers: WORKERS,
            tally,
            troubles,
            pushed: pusher.pushed.clone(),
            ineffective: pusher.ineffective.clone(),
            deaths,
            readings,
            broken,
            faults: Vec::new(),
        };
        report.faults = report.find_faults(options.time);
        report
    }

    /// What is not as it has to be, in words; nothing if all is well.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The tables for people.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        let requests: u64 = self.tally.requests.values().sum();
        let mut row = |what: &str, value: String| writeln!(text, "| {what} | {value} |").unwrap_or_default();
        row("what", "found".into());
        row("---", "---".into());
        row("time, workers, seed", format!("{} s, {}, {}", self.seconds, self.workers, self.seed));
        row("requests", format!("{requests} ({})", counts(&self.tally.requests)));
        row("answers by status", counts(&self.tally.statuses));
        row("deaths of upstreams", counts(&self.troubles));
        row("failures of an upstream that was dead", counts(&self.tally.dead));
        for (what, finds) in self.finds() {
            row(what, format!("**{}**", finds.count));
        }
        if let (Some(start), Some(end)) = (self.readings.first(), self.readings.last()) {
            let middle = &self.readings[self.readings.len() / 2];
            let three =
                |of: fn(&Reading) -> u64| [start, middle, end].map(|reading| of(reading).to_string()).join(", ");
            row("VMs started anew", format!("**{}**", end.reloads));
            row("VMs at start, middle, end", three(|reading| reading.vms));
            row("metrics of the filter", three(|reading| reading.metrics));
            row("requests until then", three(|reading| reading.requests));
            row("resident memory, MiB", three(|reading| reading.resident / 1024));
            row("Envoy's own allocations, MiB", three(|reading| reading.allocated / 1024));
        }
        let mebibytes = |[before, after]: [u64; 2]| format!("{}, {}", before / 1024, after / 1024);
        row("most resident memory in either half, MiB", mebibytes(self.peaks()));
        for (kind, floors) in self.floors() {
            row(&format!("least after {kind}, first and last quarter, MiB"), mebibytes(floors));
        }
        text + &self.pushes()
    }

    /// What became of the pushes, by kind.
    fn pushes(&self) -> String {
        let mut text = String::new();
        text.push_str("\n| push | times | as expected | median ms | longest ms |\n|---|---|---|---|---|\n");
        for (kind, pushed) in &self.pushed {
            let mut times = pushed.milliseconds.clone();
            times.sort_unstable();
            let (median, longest) = (times.get(times.len() / 2), times.last());
            let (median, longest) = (median.copied().unwrap_or_default(), longest.copied().unwrap_or_default());
            writeln!(text, "| {kind} | {} | {} | {median} | {longest} |", pushed.count, pushed.as_expected)
                .unwrap_or_default();
        }
        text
    }
}

fn counts<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name}: {count}")).collect::<Vec<_>>().join(", ")
}

/// Envoy logs every trap as an error of the function that was called.
fn tells_of_a_death(line: &str) -> bool {
    line.contains("[wasm]") && (line.contains("RuntimeError") || line.contains("Function: "))
        || line.contains("[critical]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_in_the_log_is_a_death() {
        for (line, expected) in [
            ("[critical][wasm] Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable", true),
            ("[error][wasm] [source/wasm.cc:1] Function: proxy_on_tick failed", true),
            ("[error][wasm] wasm log serin: serin: document: EOF while parsing", false),
            ("[info][upstream] cm init: all clusters initialized", false),
        ] {
            assert_eq!(expected, tells_of_a_death(line), "{line}");
        }
    }
}
