//! What a run has found: for people, for machines, and whether it is as it has to be.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::load::{Finds, Tally};
use crate::plan::Kind;
use crate::pushes::{Pushed, Pusher};
use crate::readings::Reading;
use crate::{Options, WORKERS};

/// What a run has found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    seed: u64,
    seconds: u64,
    workers: u32,
    tally: Tally,
    /// How often an upstream died.
    troubles: u64,
    pushed: BTreeMap<Kind, Pushed>,
    ineffective: Finds,
    /// Lines of the log that tell of a VM that died.
    deaths: Finds,
    /// The first one is taken after every worker has done everything once.
    readings: Vec<Reading>,
    /// What is not as it has to be, in words.
    faults: Vec<String>,
}

/// Resident memory of the second half may be so much more than that of the first, in parts of a hundred: V8's and Envoy's own
/// allocators give back late, and the longest documents come at any time.
const MORE_MEMORY: u64 = 10;

impl Report {
    pub(crate) fn new(
        options: &Options,
        took: Duration,
        tally: Tally,
        troubles: u64,
        pusher: &Pusher,
        readings: Vec<Reading>,
        log: &str,
    ) -> Self {
        let mut deaths = Finds::default();
        for line in log.lines().filter(|line| tells_of_a_death(line)) {
            deaths.add(|| line.to_owned());
        }
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
            faults: Vec::new(),
        };
        report.faults = report.find_faults();
        report
    }

    /// What is not as it has to be, in words; nothing if all is well.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    fn find_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (what, finds) in self.finds() {
            if finds.count > 0 {
                faults.push(format!("{what}: {}, such as\n  {}", finds.count, finds.first.join("\n  ")));
            }
        }
        if self.tally.requests.len() < 2 || self.tally.requests.values().any(|count| *count < FEWEST) {
            faults.push(format!("there were next to no requests: {:?}", self.tally.requests));
        }
        let (first, second) = (self.peak(0), self.peak(1));
        if second > first + first * MORE_MEMORY / 100 {
            faults.push(format!("memory grows: at most {first} KiB in the first half, {second} KiB in the second"));
        }
        if let (Some(start), Some(end)) = (self.readings.first(), self.readings.last()) {
            if end.vms != start.vms {
                faults.push(format!("of {} VMs at the start there are {} at the end", start.vms, end.vms));
            }
            if end.reloads > 0 {
                faults.push(format!("VMs were started anew {} times", end.reloads));
            }
        }
        faults
    }

    /// What has to be nothing.
    fn finds(&self) -> [(&'static str, &Finds); 6] {
        [
            ("failures other than those of a dead upstream", &self.tally.failed),
            ("wrong versions, reasons, headers or cookies", &self.tally.wrong),
            ("visitors that moved against the rules", &self.tally.moved),
            ("visitors that got another number", &self.tally.renumbered),
            ("pushes that took not the effect they had to", &self.ineffective),
            ("lines that tell of a VM's death", &self.deaths),
        ]
    }

    /// The most memory in one half of the readings.
    fn peak(&self, half: usize) -> u64 {
        let halves = self.readings.split_at(self.readings.len() / 2);
        let readings = if half == 0 { halves.0 } else { halves.1 };
        readings.iter().map(|reading| reading.resident).max().unwrap_or_default()
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
        row("deaths of upstreams", self.troubles.to_string());
        row("failures of an upstream that was dead", self.tally.dead.to_string());
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
        let peaks = [0, 1].map(|half| (self.peak(half) / 1024).to_string());
        row("most resident memory in either half, MiB", peaks.join(", "));
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

/// Fewer are no load.
const FEWEST: u64 = 1_000;

fn counts<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name}: {count}")).collect::<Vec<_>>().join(", ")
}

/// Envoy logs every trap as an error of the function that was called.
fn tells_of_a_death(line: &str) -> bool {
    line.contains("[wasm]") && (line.contains("RuntimeError") || line.contains("Function: "))
        || line.contains("[critical]")
}
