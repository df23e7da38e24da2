//! What a run has found: for people, for machines, and whether it is as it has to be.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::load::{Finds, Tally};
use crate::plan::Kind;
use crate::pushes::{Pushed, Pusher};
use crate::readings::Reading;
use crate::timeline::CANARIES;
use crate::troubles::Troubles;
use crate::{Options, WORKERS};

/// What a run has found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    seed: u64,
    seconds: u64,
    workers: u32,
    tally: Tally,
    /// How often upstreams died.
    troubles: Troubles,
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
/// allocators give back late, and of 240 MiB the longest documents take 25 more, which come at any time.
const MORE_MEMORY: u64 = 20;

impl Report {
    pub(crate) fn new(
        options: &Options,
        took: Duration,
        tally: Tally,
        troubles: Troubles,
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
        for stopped in CANARIES.map(|name| format!("{name} stopped")) {
            let of = |counts: &BTreeMap<String, u64>| counts.get(&stopped).copied().unwrap_or_default();
            let (failures, times) = (of(&self.tally.dead), of(&self.troubles));
            if failures > times * UNNOTICED {
                faults.push(format!("{stopped} {times} times, and {failures} requests failed until that was noticed"));
            }
        }
        faults.extend(self.growth());
        faults
    }

    /// What has become more that must not.
    fn growth(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (first, second) = (self.peak(0), self.peak(1));
        if second > first + first * MORE_MEMORY / 100 {
            faults.push(format!("memory grows: at most {first} KiB in the first half, {second} KiB in the second"));
        }
        if let (Some(start), Some(end)) = (self.readings.first(), self.readings.last()) {
            if end.vms != start.vms {
                faults.push(format!("of {} VMs at the start there are {} at the end", start.vms, end.vms));
            }
            if end.metrics > MOST_METRICS {
                faults.push(format!("there are {} metrics of the filter", end.metrics));
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
        let peaks = [0, 1].map(|half| (self.peak(half) / 1024).to_string());
        row("most resident memory in either half, MiB", peaks.join(", "));
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

/// So many requests, overrides apart, may fail by a canary that stopped: what is under way, three for each worker and rollout,
/// and a few that try again. Without a memory that outlasts pushes it would be some twenty a second.
const UNNOTICED: u64 = 100;
/// Rollouts, versions and reasons of what the visitors ask for come to some forty.
const MOST_METRICS: u64 = 60;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(resident: u64) -> Reading {
        Reading { at: 0, requests: 0, resident, allocated: 0, metrics: 20, vms: 4, reloads: 0 }
    }

    fn sound() -> Report {
        Report {
            seed: 1,
            seconds: 60,
            workers: WORKERS,
            tally: Tally { requests: [("HTTP/1", 5_000), ("HTTP/2", 5_000)].into(), ..Tally::default() },
            troubles: [("v2 stopped".to_owned(), 2)].into(),
            pushed: BTreeMap::new(),
            ineffective: Finds::default(),
            deaths: Finds::default(),
            readings: [1_000, 1_200, 1_100, 1_300].map(reading).into(),
            faults: Vec::new(),
        }
    }

    type Plant = fn(&mut Report);

    fn one() -> Finds {
        Finds { count: 1, first: vec!["this one".to_owned()] }
    }

    #[test]
    fn every_fault_is_found() {
        assert_eq!(Vec::<String>::new(), sound().find_faults());
        let plants: [(&str, Plant); 13] = [
            ("v2 stopped 2 times", |report| _ = report.tally.dead.insert("v2 stopped".to_owned(), 201)),
            ("failures", |report| report.tally.failed = one()),
            ("wrong", |report| report.tally.wrong = one()),
            ("moved", |report| report.tally.moved = one()),
            ("number", |report| report.tally.renumbered = one()),
            ("pushes", |report| report.ineffective = one()),
            ("death", |report| report.deaths = one()),
            ("next to no requests", |report| _ = report.tally.requests.remove("HTTP/2")),
            ("next to no requests", |report| _ = report.tally.requests.insert("HTTP/1", 10)),
            ("memory grows", |report| report.readings[3].resident = 1_500),
            ("VMs", |report| report.readings[3].vms = 5),
            ("metrics", |report| report.readings[3].metrics = 100),
            ("started anew", |report| report.readings[3].reloads = 1),
        ];
        for (what, plant) in plants {
            let mut report = sound();
            plant(&mut report);
            let faults = report.find_faults();
            assert!(faults.len() == 1 && faults[0].contains(what), "{what}: {faults:?}");
            assert!(report.to_markdown().contains("| requests | "), "{what}");
        }
    }

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
