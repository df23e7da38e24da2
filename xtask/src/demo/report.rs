//! What was measured beside what had to be: as a table for people, as JSON for scripts.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Error, Result};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, LineStyle, Table};
use serde_json::{Value, json};

/// All lines of one demo.
#[derive(Default)]
pub(crate) struct Report {
    envoy: Option<String>,
    checks: Vec<Check>,
    logged: Vec<String>,
}

struct Check {
    name: String,
    ok: bool,
    measured: Fact,
    expected: Fact,
}

/// A value in both forms.
struct Fact {
    text: String,
    value: Value,
}

impl Report {
    /// The version of the Envoy that all this is about.
    pub(crate) fn envoy(&mut self, version: &str) {
        self.envoy = Some(version.to_owned());
    }

    /// A share (0 to 1) of `visitors` visitors who each fell to one side by chance, against the probability.
    pub(crate) fn share(&mut self, name: &str, measured: f64, expected: f64, visitors: u64) {
        let tolerance = tolerance(expected, visitors);
        self.checks.push(Check {
            name: name.to_owned(),
            ok: (measured - expected).abs() <= tolerance,
            measured: Fact { text: percent(measured), value: json!(measured) },
            expected: Fact {
                text: format!("{} ± {}", percent(expected), percent(tolerance)),
                value: json!({"share": expected, "tolerance": tolerance}),
            },
        });
    }

    /// A count that has to be `expected` exactly; `of` says out of how many.
    pub(crate) fn count(&mut self, name: &str, measured: u64, expected: u64, of: u64) {
        self.checks.push(Check {
            name: name.to_owned(),
            // Nothing out of nothing proves nothing.
            ok: measured == expected && of > 0,
            measured: Fact { text: format!("{measured} of {of}"), value: json!({"count": measured, "of": of}) },
            expected: Fact { text: expected.to_string(), value: json!({"count": expected}) },
        });
    }

    /// A line that Envoy had to log; `lines` are the new ones. The first one that has `part` in it is shown.
    pub(crate) fn logged(&mut self, name: &str, lines: &[String], part: &str) {
        let line = lines.iter().find(|line| line.contains(part));
        let text = line.map_or_else(|| "not logged".to_owned(), |_| format!("logged, see [{}]", self.logged.len() + 1));
        self.checks.push(Check {
            name: name.to_owned(),
            ok: line.is_some(),
            measured: Fact { text, value: json!(line) },
            expected: Fact { text: "logged with its path".to_owned(), value: json!(part) },
        });
        self.logged.extend(line.cloned());
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.checks.len()
    }

    /// How many lines do not hold.
    pub(crate) fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.ok).count()
    }

    /// Writes all facts to a file; after an error those that there are, and the error.
    pub(crate) fn write(&self, file: &Path, error: Option<&Error>) -> Result<()> {
        let facts = self.facts(error);
        fs::write(file, format!("{facts:#}\n")).with_context(|| format!("cannot write {}", file.display()))
    }

    fn facts(&self, error: Option<&Error>) -> Value {
        let check = |check: &Check| json!({"name": check.name, "ok": check.ok, "measured": check.measured.value, "expected": check.expected.value});
        let mut facts = json!({"envoy": self.envoy, "checks": self.checks.iter().map(check).collect::<Vec<_>>()});
        if let Some(error) = error {
            facts["error"] = json!(format!("{error:#}"));
        }
        facts
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        let style = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
        table.load_style(style).set_header(["", "", "measured", "expected"]);
        for check in &self.checks {
            let mark = if check.ok { "ok" } else { "FAILED" };
            table.add_row([mark, &check.name, &check.measured.text, &check.expected.text].map(Cell::new));
        }
        writeln!(f, "Serin in Envoy {}\n{table}", self.envoy.as_deref().unwrap_or_default())?;
        for (number, line) in self.logged.iter().enumerate() {
            writeln!(f, "[{}] {line}", number + 1)?;
        }
        Ok(())
    }
}

/// Four and a half standard deviations: chance alone leaves it once in about 150,000 runs.
#[expect(clippy::cast_precision_loss, reason = "visitor counts are far below 2^52")]
fn tolerance(share: f64, visitors: u64) -> f64 {
    4.5 * (share * (1.0 - share) / visitors as f64).sqrt()
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_holds_within_four_and_a_half_deviations_only() {
        let mut report = Report::default();
        report.share("inside", 0.13, 0.10, 2_025);
        report.share("outside", 0.1301, 0.10, 2_025);
        report.share("outside below", 0.0699, 0.10, 2_025);
        assert_eq!([true, false, false], [0, 1, 2].map(|i| report.checks[i].ok));
    }

    #[test]
    fn a_count_out_of_nothing_does_not_hold() {
        let mut report = Report::default();
        report.count("some", 0, 0, 10);
        report.count("nothing", 0, 0, 0);
        assert_eq!(1, report.failed());
    }

    #[test]
    fn the_logged_line_is_shown_below_the_table() {
        let mut report = Report::default();
        report.logged("typo", &["other".to_owned(), "rollouts.shop.x: unknown field".to_owned()], "rollouts.shop.x:");
        report.logged("nothing", &["other".to_owned()], "rollouts.shop.y:");
        assert_eq!(1, report.failed());
        assert!(report.to_string().contains("[1] rollouts.shop.x: unknown field"));
    }

    #[test]
    fn an_error_stands_beside_the_facts_that_there_are() {
        let mut report = Report::default();
        report.count("some", 0, 0, 10);
        assert_eq!(None, report.facts(None).get("error"));
        let facts = report.facts(Some(&Error::msg("broken off").context("no demo")));
        assert_eq!(
            (json!("no demo: broken off"), json!("some")),
            (facts["error"].clone(), facts["checks"][0]["name"].clone())
        );
    }
}
