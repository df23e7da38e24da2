//! What was found: one difference for each scenario, and how many ran.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serin_host::scenario::{Difference, Outcome, Scenario};

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    scenarios: Vec<String>,
    ran: BTreeMap<usize, usize>,
    /// Those that ran in two hosts which were held against each other.
    compared: BTreeSet<usize>,
    combinations: usize,
    /// The first of each scenario, as text.
    differences: BTreeMap<usize, String>,
}

impl Report {
    pub(super) fn new(scenarios: &[Scenario]) -> Self {
        let scenarios = scenarios.iter().map(ToString::to_string).collect();
        Self {
            scenarios,
            ran: BTreeMap::new(),
            compared: BTreeSet::new(),
            combinations: 0,
            differences: BTreeMap::new(),
        }
    }

    pub(super) fn begin_combination(&mut self) {
        self.combinations += 1;
    }

    /// Holds an outcome against what the scenario expects.
    pub(super) fn hold(&mut self, number: usize, scenario: &Scenario, host: &str, outcome: &Outcome) {
        *self.ran.entry(number).or_default() += 1;
        self.keep(number, scenario.difference(host, outcome));
    }

    /// Holds the outcomes of two hosts against each other.
    pub(super) fn compare(
        &mut self,
        number: usize,
        scenario: &Scenario,
        one: (&str, &Outcome),
        other: (&str, &Outcome),
    ) {
        self.compared.insert(number);
        self.keep(number, scenario.compare(one, other));
    }

    /// A scenario that did not come to its end.
    pub(super) fn fail(&mut self, number: usize, scenario: &Scenario, host: &str, error: &anyhow::Error) {
        *self.ran.entry(number).or_default() += 1;
        self.differences.entry(number).or_insert_with(|| format!("{scenario}: {host}: {error:#}\n"));
    }

    fn keep(&mut self, number: usize, difference: Option<Difference>) {
        if let Some(difference) = difference {
            self.differences.entry(number).or_insert_with(|| difference.to_string());
        }
    }

    /// How many scenarios differ.
    pub fn differing(&self) -> usize {
        self.differences.len()
    }

    /// How many scenarios ran in both hosts, which were held against each other.
    pub fn compared(&self) -> usize {
        self.compared.len()
    }

    /// How many scenarios ran at all.
    pub fn ran(&self) -> usize {
        self.ran.len()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in self.differences.values() {
            writeln!(f, "{difference}")?;
        }
        let idle = self.scenarios.iter().enumerate().filter(|(number, _)| !self.ran.contains_key(number));
        for (_, scenario) in idle {
            writeln!(f, "{scenario}: did not run, for it suits none of the combinations that were asked for")?;
        }
        let runs: usize = self.ran.values().sum();
        let (ran, all) = (self.ran(), self.scenarios.len());
        let (combinations, compared) = (self.combinations, self.compared());
        write!(f, "{ran} of {all} scenarios in {combinations} combinations, {runs} runs, ")?;
        write!(f, "{compared} held against each other in both hosts: ")?;
        match self.differing() {
            0 => f.write_str("none differs"),
            1 => f.write_str("1 differs"),
            number => write!(f, "{number} differ"),
        }
    }
}
