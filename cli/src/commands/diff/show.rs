//! What `serin diff` has found, for people.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::Value;

use super::{Moved, Report, Row};
use crate::changes::Change;
use crate::failure::Failure;
use crate::show::{bar, bold, dim, percent, short_percent, table};

/// So many changes are shown.
const MOST_CHANGES: usize = 20;
/// So many characters of a value are shown.
const LONGEST: usize = 60;

/// Shows who moves, where the documents differ, and whether a limit holds.
pub(super) fn show(out: &mut dyn Write, report: &Report<'_>) -> Result<(), Failure> {
    let moves = |row: &&Row<'_>| row.moved != Some(0.0);
    for row in report.rows.iter().filter(moves) {
        show_row(out, row, &report.at)?;
    }
    for (beginning, names) in [("nobody moves in", still(report, false)), ("nobody else moves in", still(report, true))]
    {
        if !names.is_empty() {
            writeln!(out, "{beginning} {}", listed(&names))?;
        }
    }
    show_changes(out, &report.changes)?;
    let (Some(most), Some(held)) = (report.max_moved, report.held) else { return Ok(()) };
    let verdict = match held {
        true => "within the limit",
        false if !report.is_over => "not known to be within the limit",
        false => "over the limit",
    };
    let (most, moved) = (short_percent(most), short_percent(report.most_moved));
    writeln!(out, "\n{}: at most {most} may move; {moved} do", bold(verdict))?;
    Ok(())
}

/// The rollouts that nobody moves in but for the segments of rules, with those of which somebody does, or without.
fn still(report: &Report<'_>, with_segments: bool) -> Vec<String> {
    let moves = |row: &Row<'_>| row.moved != Some(0.0);
    let in_segments = report.rows.iter().filter(|row| row.rule.is_some() && moves(row)).map(|row| row.rollout);
    let in_segments: BTreeSet<&str> = in_segments.collect();
    let still = report.rows.iter().filter(|row| !moves(row) && row.rule.is_none());
    still.filter(|row| in_segments.contains(row.rollout) == with_segments).map(name).collect()
}

/// Where the documents differ, whether somebody moves by it or not.
fn show_changes(out: &mut dyn Write, changes: &[Change]) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(writeln!(out, "\nthe documents say the same")?);
    }
    writeln!(out, "\nchanged")?;
    for Change { path, from, to } in changes.iter().take(MOST_CHANGES) {
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), cut);
        writeln!(out, "  {path}: {} → {}", shown(from), shown(to))?;
    }
    let more = changes.len().saturating_sub(MOST_CHANGES);
    if more > 0 {
        writeln!(out, "  {}", dim(&format!("and {more} more")))?;
    }
    Ok(())
}

/// A value as JSON, in so many characters.
fn cut(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The first few names, and how many more there are.
fn listed(names: &[String]) -> String {
    const MOST: usize = 10;
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ") + &more
}

/// Which requests a row is about.
fn name(row: &Row<'_>) -> String {
    let named = |rule: &Option<String>, of: Option<&str>| {
        let of = if of == Some("old") { " of the old document" } else { "" };
        rule.as_ref().map(|rule| format!("{rule}{of}"))
    };
    let rule = named(&row.rule, row.rule_of).unwrap_or_else(|| format!("rollouts.{}", row.rollout));
    let both = named(&row.also, row.also_of).map_or_else(String::new, |also| format!(" together with {also}"));
    match row.coverage {
        "both" => rule + &both,
        document => format!("{rule}{both}, requests that it covers in the {document} document alone"),
    }
}

fn show_row(out: &mut dyn Write, row: &Row<'_>, first: &str) -> Result<(), Failure> {
    let redrawn = match row.redrawn.split_last() {
        None => String::new(),
        Some((units, [])) if units.starts_with("the units") => {
            format!(", as slots are drawn anew: {units} have changed")
        }
        Some((last, [])) => format!(", as slots are drawn anew: {last} has changed"),
        Some((last, rest)) => format!(", as slots are drawn anew: {} and {last} have changed", rest.join(", ")),
    };
    let later = if row.at == first { String::new() } else { format!(" at {}, when it is most", row.at) };
    let moved = match (row.moved, row.unknown) {
        (Some(moved), _) => format!("{} move{later}{redrawn}", short_percent(moved)),
        (None, why) => format!("it cannot be known who moves: {}", why.unwrap_or_default()),
    };
    writeln!(out, "{}: {moved}", bold(&name(row)))?;
    if row.rule.is_some() && row.moved.is_some_and(|moved| moved > 0.0) {
        let which = if row.also.is_some() { "both rules hold" } else { "this rule holds" };
        writeln!(out, "{}", dim(&format!("  of the requests that {which} for, and no other one with a when")))?;
    }
    let elsewhere = |of: &Moved<'_>| if of.from == of.to { ", at another cluster" } else { "" };
    let line =
        |of: &Moved<'_>| vec![format!("{} → {}{}", of.from, of.to, elsewhere(of)), percent(of.share, 4), bar(of.share)];
    if !row.moves.is_empty() {
        writeln!(out, "{}", table(row.moves.iter().map(line).collect(), &[1]))?;
    }
    Ok(())
}
