//! What requests cost, by case and callback, and the checked-in file that holds it: a change of it is a change that
//! somebody reviews.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serin_host::{Cost, Module};

/// Fuel differs a little with the compiler that built the module.
const FUEL_TOLERANCE: f64 = 0.03;

/// The figures of all cases, by title and by callback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Figures(BTreeMap<String, BTreeMap<String, Row>>);

/// What a callback costs in one case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// How often the callback is made.
    pub times: u64,
    /// Host calls by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host_calls: BTreeMap<String, u64>,
    /// Bytes that the host copied into the guest's memory.
    pub bytes_in: u64,
    /// Bytes that the host read from there.
    pub bytes_out: u64,
    /// How often the guest allocated for the host.
    pub allocations: u64,
    /// Pages by which the memory grew.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pages_grown: u64,
    /// Fuel, by the compiler that built the module.
    pub fuel: BTreeMap<String, u64>,
}

/// A figure that is not what the file says.
#[derive(Debug)]
pub struct Difference {
    place: String,
    recorded: String,
    measured: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the file says {}, measured {}", self.place, self.recorded, self.measured)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(pages: &u64) -> bool {
    *pages == 0
}

impl Row {
    fn new(cost: &Cost, compiler: &str) -> Self {
        let calls = cost.host_calls().into_iter().map(|(name, count)| (name.to_owned(), count));
        Self {
            times: cost.times,
            host_calls: calls.collect(),
            bytes_in: cost.bytes_in,
            bytes_out: cost.bytes_out,
            allocations: cost.allocations,
            pages_grown: cost.pages_grown,
            fuel: BTreeMap::from([(compiler.to_owned(), cost.fuel)]),
        }
    }

    /// Everything but the fuel, which is exact whatever the compiler.
    fn exact(&self) -> Self {
        Self { fuel: BTreeMap::new(), ..self.clone() }
    }

    /// Whether the fuel is what was recorded for its compiler, or near what was recorded for another.
    fn has_fuel_of(&self, recorded: &Self) -> bool {
        let near = |now: u64, before: u64| now.abs_diff(before) as f64 <= before as f64 * FUEL_TOLERANCE;
        self.fuel.iter().all(|(compiler, now)| match recorded.fuel.get(compiler) {
            Some(before) => now == before,
            None => recorded.fuel.values().any(|before| near(*now, *before)),
        })
    }
}

impl Figures {
    /// Where the file is.
    pub fn file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.json")
    }

    /// Measures all cases with a module that this compiler built.
    ///
    /// # Errors
    /// If a case does not run.
    pub fn measure(module: &Module, compiler: &str) -> Result<Self> {
        let figures = crate::all().into_iter().map(|case| {
            let usage = case.start(module)?.cost()?;
            let rows = usage.by_callback().iter().map(|cost| (cost.callback().to_owned(), Row::new(cost, compiler)));
            Ok((case.title.to_owned(), rows.collect()))
        });
        figures.collect::<Result<_>>().map(Self)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it is not there or not readable; the message names it.
    pub fn read() -> Result<Self> {
        let file = Self::file();
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} does not hold figures", file.display()))
    }

    /// Writes the file. Of what it held, the fuel of other compilers stays where nothing else has changed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn bless(mut self) -> Result<()> {
        // What cannot be read holds nothing that should stay.
        let before = Self::read().unwrap_or_default();
        for (title, rows) in &mut self.0 {
            for (callback, row) in rows {
                let known = before.0.get(title).and_then(|rows| rows.get(callback));
                let known = known.filter(|known| known.exact() == row.exact() && row.has_fuel_of(known));
                let others = known.map(|known| known.fuel.clone()).unwrap_or_default();
                row.fuel = others.into_iter().chain(std::mem::take(&mut row.fuel)).collect();
            }
        }
        let file = Self::file();
        std::fs::write(&file, serde_json::to_string_pretty(&self)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// The figures that are not what `recorded` says, and those that only one of both has.
    pub fn differences(&self, recorded: &Self) -> Vec<Difference> {
        let places = |figures: &Self| {
            let of = |(title, rows): (&String, &BTreeMap<String, Row>)| {
                rows.keys().map(|callback| (title.clone(), callback.clone())).collect::<Vec<_>>()
            };
            figures.0.iter().flat_map(of).collect::<std::collections::BTreeSet<_>>()
        };
        let all = places(self).union(&places(recorded)).cloned().collect::<Vec<_>>();
        let find = |figures: &Self, (title, callback): &(String, String)| {
            figures.0.get(title).and_then(|rows| rows.get(callback)).cloned()
        };
        let compare = |place: &(String, String)| difference(place, find(self, place), find(recorded, place));
        all.iter().flat_map(compare).collect()
    }

    /// The fuel and the host calls of a case over all callbacks.
    pub fn totals(&self, title: &str) -> Option<(u64, u64)> {
        let rows = self.0.get(title)?;
        let fuel = rows.values().filter_map(|row| row.fuel.values().next_back()).sum();
        Some((fuel, rows.values().flat_map(|row| row.host_calls.values()).sum()))
    }

    /// Every case's title, callback and cost.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str, &Row)> {
        self.0
            .iter()
            .flat_map(|(title, rows)| rows.iter().map(move |(callback, row)| (title.as_str(), callback.as_str(), row)))
    }
}

fn difference(place: &(String, String), measured: Option<Row>, recorded: Option<Row>) -> Vec<Difference> {
    let at = |what: &str, recorded: String, measured: String| Difference {
        place: format!("{}, {}{what}", place.0, place.1),
        recorded,
        measured,
    };
    let nothing = || "nothing".to_owned();
    let (measured, recorded) = match (measured, recorded) {
        (Some(measured), Some(recorded)) => (measured, recorded),
        (measured, recorded) => {
            let show = |row: Option<Row>| row.map_or_else(nothing, |row| format!("{row:?}"));
            return vec![at("", show(recorded), show(measured))];
        }
    };
    let mut differences = Vec::new();
    let exact: [(&str, String, String); 6] = [
        (", times", recorded.times.to_string(), measured.times.to_string()),
        (", host calls", format!("{:?}", recorded.host_calls), format!("{:?}", measured.host_calls)),
        (", bytes in", recorded.bytes_in.to_string(), measured.bytes_in.to_string()),
        (", bytes out", recorded.bytes_out.to_string(), measured.bytes_out.to_string()),
        (", allocations", recorded.allocations.to_string(), measured.allocations.to_string()),
        (", pages grown", recorded.pages_grown.to_string(), measured.pages_grown.to_string()),
    ];
    differences.extend(exact.into_iter().filter(|(_, one, other)| one != other).map(|(what, r, m)| at(what, r, m)));
    if !measured.has_fuel_of(&recorded) {
        differences.push(at(", fuel", format!("{:?}", recorded.fuel), format!("{:?}", measured.fuel)));
    }
    differences
}
