//! What a report holds that must not be, and what it has to hold: a run without pushes or deaths shows nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::LOOK;
use crate::load::Finds;
use crate::plan::Kind;
use crate::readings::Reading;
use crate::report::Report;
use crate::timeline::CANARIES;
use crate::troubles;

/// A run of this time has every kind of push and every kind of trouble.
const WHOLE: Duration = Duration::from_secs(60);
/// So many requests, overrides apart, may fail by a canary that stopped: what is under way, three for each worker and rollout,
/// and a few that try again. Without a memory that outlasts pushes it would be some twenty a second.
const UNNOTICED: u64 = 100;
/// Rollouts, versions and reasons of what the visitors ask for come to some forty.
const MOST_METRICS: u64 = 60;
/// Fewer are no load.
const FEWEST: u64 = 1_000;
/// The least resident memory of the last quarter may be so much more than that of the first, in parts of a hundred. In ten
/// minutes it differed by one; readings after a document of one kind, of which a quarter of a minute has a few, by four, so a
/// short run may differ by three times as much.
const MORE_AT_LEAST: u64 = 5;
/// The same for the most resident memory of each half, which is that after a longest document: it differed by three.
const MORE_AT_MOST: u64 = 10;
/// From here on a run has enough readings for these bounds.
const LONG: Duration = Duration::from_secs(300);

impl Report {
    /// What is not as it has to be after a run that was to take this time, in words.
    pub(crate) fn find_faults(&self, time: Duration) -> Vec<String> {
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
        // What broke off has an end that is like no other, and not everything.
        if self.broken.count == 0 {
            faults.extend(self.growth(if time < LONG { 3 } else { 1 }));
            if time >= WHOLE {
                faults.extend(self.absent());
            }
        }
        faults.extend(self.injuries());
        faults
    }

    /// What has to be nothing.
    pub(crate) fn finds(&self) -> [(&'static str, &Finds); 7] {
        [
            ("failures other than those of a dead upstream", &self.tally.failed),
            ("wrong versions, reasons, headers or cookies", &self.tally.wrong),
            ("visitors that moved against the rules", &self.tally.moved),
            ("visitors that got another number", &self.tally.renumbered),
            ("pushes that took not the effect they had to", &self.ineffective),
            ("lines that tell of a VM's death", &self.deaths),
            ("reasons that ended the run before its time", &self.broken),
        ]
    }

    /// What should have happened and has not.
    fn absent(&self) -> Vec<String> {
        let pushes = Kind::ALL.into_iter().filter(|kind| !self.pushed.contains_key(kind));
        let pushes = pushes.map(|kind| format!("nothing was pushed of this kind: {kind}"));
        let deaths = troubles::kinds().filter(|kind| !self.troubles.contains_key(kind));
        let deaths = deaths.map(|kind| format!("no upstream failed in this way: {kind}"));
        let unseen = self.tally.dead.is_empty().then(|| "no visitor met a dead upstream".to_owned());
        pushes.chain(deaths).chain(unseen).collect()
    }

    /// How memory has grown.
    fn growth(&self, times: u64) -> Vec<String> {
        let mut faults = Vec::new();
        let [first, second] = self.peaks();
        if second > first + first * MORE_AT_MOST * times / 100 {
            faults.push(format!("memory peaks: at most {first} KiB in the first half, {second} KiB in the second"));
        }
        for (kind, [first, last]) in self.floors() {
            if last > first + first * MORE_AT_LEAST * times / 100 {
                faults.push(format!("memory grows: {first} KiB in the first quarter after {kind}, {last} in the last"));
            }
        }
        faults
    }

    /// What else has become more that must not.
    fn injuries(&self) -> Vec<String> {
        let mut faults = Vec::new();
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

    /// The most memory in each half of the readings.
    pub(crate) fn peaks(&self) -> [u64; 2] {
        let (first, second) = self.readings.split_at(self.readings.len() / 2);
        [first, second].map(|half| half.iter().map(|reading| reading.resident).max().unwrap_or_default())
    }

    /// The least memory in the first and in the last quarter of the readings, of those after a short document, by the long one
    /// that came before it: what is left of the two kinds is not the same.
    pub(crate) fn floors(&self) -> BTreeMap<Kind, [u64; 2]> {
        let quarter = (self.readings.len() / 4).max(LOOK.len());
        let mut floors = BTreeMap::new();
        let mut long = None;
        for (index, Reading { push, resident, .. }) in self.readings.iter().enumerate() {
            if push.is_long() {
                long = Some(*push);
            } else if let Some(long) = long {
                let floor = floors.entry(long).or_insert([u64::MAX; 2]);
                if index < quarter {
                    floor[0] = floor[0].min(*resident);
                } else if index + quarter >= self.readings.len() {
                    floor[1] = floor[1].min(*resident);
                }
            }
        }
        floors.retain(|_, floor| !floor.contains(&u64::MAX));
        floors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WORKERS;
    use crate::load::Tally;

    fn reading((push, resident): (Kind, u64)) -> Reading {
        Reading { push, at: 0, requests: 0, resident, allocated: 0, metrics: 20, vms: 4, reloads: 0 }
    }

    fn sound() -> Report {
        let readings = [
            (Kind::TooLong, 1_200),
            (Kind::Huge, 1_100),
            (Kind::Weights, 1_000),
            (Kind::TooLong, 1_080),
            (Kind::Weights, 900),
            (Kind::Empty, 920),
            (Kind::TooLong, 1_250),
            (Kind::Weights, 1_100),
            (Kind::Huge, 1_200),
            (Kind::Empty, 1_040),
        ];
        Report {
            seed: 1,
            seconds: 60,
            workers: WORKERS,
            tally: Tally {
                requests: [("HTTP/1", 5_000), ("HTTP/2", 5_000)].into(),
                dead: [("v2 stopped".to_owned(), 1)].into(),
                ..Tally::default()
            },
            troubles: troubles::kinds().map(|kind| (kind, 2)).collect(),
            pushed: Kind::ALL.map(|kind| (kind, Default::default())).into(),
            ineffective: Finds::default(),
            deaths: Finds::default(),
            readings: readings.map(reading).into(),
            broken: Finds::default(),
            faults: Vec::new(),
        }
    }

    type Plant = fn(&mut Report);

    fn one() -> Finds {
        Finds { count: 1, first: vec!["this one".to_owned()] }
    }

    #[test]
    fn every_fault_is_found() {
        assert_eq!(Vec::<String>::new(), sound().find_faults(LONG));
        let plants: [(&str, Plant); 18] = [
            ("v2 stopped 2 times", |report| _ = report.tally.dead.insert("v2 stopped".to_owned(), 201)),
            ("failures", |report| report.tally.failed = one()),
            ("wrong", |report| report.tally.wrong = one()),
            ("moved", |report| report.tally.moved = one()),
            ("number", |report| report.tally.renumbered = one()),
            ("pushes", |report| report.ineffective = one()),
            ("death", |report| report.deaths = one()),
            ("before its time", |report| report.broken = one()),
            ("next to no requests", |report| _ = report.tally.requests.remove("HTTP/2")),
            ("next to no requests", |report| _ = report.tally.requests.insert("HTTP/1", 10)),
            ("this kind: empty", |report| _ = report.pushed.remove(&Kind::Empty)),
            ("this way: v3 reset", |report| _ = report.troubles.remove("v3 reset")),
            ("no visitor met", |report| report.tally.dead.clear()),
            ("memory grows", |report| report.readings[9].resident = 1_060),
            ("memory peaks", |report| report.readings[6].resident = 1_350),
            ("VMs", |report| report.readings[9].vms = 5),
            ("metrics", |report| report.readings[9].metrics = 100),
            ("started anew", |report| report.readings[9].reloads = 1),
        ];
        for (what, plant) in plants {
            let mut report = sound();
            plant(&mut report);
            let faults = report.find_faults(LONG);
            assert!(faults.len() == 1 && faults[0].contains(what), "{what}: {faults:?}");
            assert!(report.to_markdown().contains("| requests | "), "{what}");
        }
    }

    #[test]
    fn a_short_run_need_not_have_everything() {
        let mut report = sound();
        report.troubles.clear();
        report.pushed.clear();
        report.tally.dead.clear();
        assert_eq!(Vec::<String>::new(), report.find_faults(WHOLE / 2));
        assert_eq!(Kind::ALL.len() + troubles::kinds().count() + 1, report.find_faults(WHOLE).len());
    }

    #[test]
    fn a_short_run_may_grow_more() {
        let mut report = sound();
        report.readings[9].resident = 1_140;
        assert_eq!(Vec::<String>::new(), report.find_faults(WHOLE));
        report.readings[9].resident = 1_200;
        assert_eq!(1, report.find_faults(WHOLE).len());
    }

    #[test]
    fn what_broke_off_has_that_fault_alone() {
        let mut report = sound();
        report.broken = one();
        report.pushed.clear();
        report.readings.truncate(1);
        assert_eq!(1, report.find_faults(WHOLE).len());
    }

    #[test]
    fn floors_are_of_readings_that_are_alike() {
        assert_eq!(BTreeMap::from([(Kind::Huge, [1_000, 1_040])]), sound().floors());
        assert_eq!(BTreeMap::new(), Report { readings: Vec::new(), ..sound() }.floors());
    }
}
