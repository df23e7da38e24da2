//! `serin diff`: who moves when one document follows another.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use serin_core::{Compared, Coverage, Segment, compare};

use super::{Chosen, Streams, Verdict};
use crate::changes::{Change, changes};
use crate::failure::Failure;
use crate::moment::Moment;
use crate::show::{Output, bar, bold, dim, json, percent, short_percent, table};

/// So many changes are shown to people.
const MOST_CHANGES: usize = 20;

/// Options of `serin diff`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The document that is in force, or what holds it.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The document that is to follow it, or what holds it.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
    /// Exit with 1 if more than this share of the units of any rollout, or of any rule's segment, moves, or if it cannot be
    /// known; such as 5%.
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    max_moved: Option<f64>,
    /// For --max-moved let pass what cannot be known, such as which requests a new rollout takes from another one.
    #[arg(long, requires = "max_moved")]
    allow_unknown: bool,
    /// Leave out the segments of rules: only units that no rule is about.
    #[arg(long)]
    no_rules: bool,
    /// The moment, on which schedules depend [default: now].
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// `5%` as 0.05.
fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let expected = || "expected a percentage from 0% to 100%, such as 5% or 0.5%".to_owned();
    number.filter(|number| (0.0..=100.0).contains(number)).map(|number| number / 100.0).ok_or_else(expected)
}

#[derive(Serialize)]
struct Report<'a> {
    at: String,
    rows: Vec<Row<'a>>,
    /// The largest share of a row, 0 to 1.
    most_moved: f64,
    max_moved: Option<f64>,
    /// Whether `max_moved` holds; none without it.
    held: Option<bool>,
    changes: Vec<Change>,
}

/// A rollout, or a segment of it.
#[derive(Serialize)]
struct Row<'a> {
    rollout: &'a str,
    /// Whether both documents have the rollout cover the requests, or only the `new` or the `old` one.
    coverage: &'static str,
    /// The rule that makes the segment, as a path in the new document, or in the old one if only that has it.
    rule: Option<String>,
    rule_of: Option<&'static str>,
    /// Why every unit gets another slot.
    redrawn: &'a [&'static str],
    /// Of the units, 0 to 1; none if it cannot be known.
    moved: Option<f64>,
    moves: Vec<Moved<'a>>,
    /// Why it cannot be known.
    unknown: Option<&'a str>,
}

#[derive(Serialize)]
struct Moved<'a> {
    from: &'a str,
    to: &'a str,
    /// Of the units, 0 to 1.
    share: f64,
    /// The same in parts of 10^12, exactly.
    parts: u64,
}

/// Runs `serin diff`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    if [&args.old, &args.new].iter().all(|path| path.as_os_str() == "-") {
        return Err(Failure::new(
            "both documents are -; expected a file for one of them, as there is one standard input",
        ));
    }
    let mut read = |path| args.chosen.read_sound(path, streams);
    let (Some(before), Some(after)) = (read(&args.old)?, read(&args.new)?) else { return Ok(Verdict::Bad) };
    let (Some(old), Some(new)) = (&before.rules, &after.rules) else { return Ok(Verdict::Bad) };
    let moment = args.at.unwrap_or_else(Moment::now);
    let compared = compare(old, new, moment.time());
    let rows: Vec<&Compared<'_>> = compared.iter().filter(|row| !args.no_rules || row.segment.is_none()).collect();
    let most_moved = rows.iter().filter_map(|row| row.share()).fold(0.0, f64::max);
    let is_known = args.allow_unknown || rows.iter().all(|row| row.moves.is_ok());
    let held = args.max_moved.map(|most| is_known && most_moved <= most);
    let report = Report {
        at: moment.to_string(),
        rows: rows.into_iter().map(row).collect(),
        most_moved,
        max_moved: args.max_moved,
        held,
        changes: changes(&before.tree, &after.tree),
    };
    match args.output {
        Output::Text => show(streams.out, &report)?,
        Output::Json => json(streams.out, &report)?,
    }
    Ok(if held == Some(false) { Verdict::Bad } else { Verdict::Good })
}

fn row<'a>(compared: &'a Compared<'a>) -> Row<'a> {
    let rule = |index: usize| format!("rollouts.{}.rules[{index}]", compared.rollout);
    let (rule, rule_of) = match compared.segment {
        None => (None, None),
        Some(Segment::New(index)) => (Some(rule(index)), Some("new")),
        Some(Segment::Old(index)) => (Some(rule(index)), Some("old")),
    };
    let moves = compared.moves.as_deref().unwrap_or_default().iter();
    Row {
        rollout: compared.rollout,
        coverage: match compared.coverage {
            Coverage::Both => "both",
            Coverage::New => "new",
            Coverage::Old => "old",
        },
        rule,
        rule_of,
        redrawn: &compared.redrawn,
        moved: compared.share(),
        moves: moves.map(|of| Moved { from: of.from, to: of.to, share: of.share(), parts: of.parts }).collect(),
        unknown: compared.moves.as_ref().err().map(String::as_str),
    }
}

fn show(out: &mut dyn Write, report: &Report<'_>) -> Result<(), Failure> {
    let moves = |row: &&Row<'_>| row.moved != Some(0.0);
    for row in report.rows.iter().filter(moves) {
        show_row(out, row)?;
    }
    let still = report.rows.iter().filter(|row| !moves(row) && row.rule.is_none());
    let still: Vec<String> = still.map(name).collect();
    if !still.is_empty() {
        writeln!(out, "nobody moves in {}", listed(&still))?;
    }
    show_changes(out, &report.changes)?;
    let (Some(most), Some(held)) = (report.max_moved, report.held) else { return Ok(()) };
    let verdict = match held {
        true => "within the limit",
        false if report.most_moved <= most => "not known to be within the limit",
        false => "over the limit",
    };
    let (most, moved) = (short_percent(most), short_percent(report.most_moved));
    writeln!(out, "\n{}: at most {most} may move; {moved} do", bold(verdict))?;
    Ok(())
}

/// Where the documents differ, whether somebody moves by it or not.
fn show_changes(out: &mut dyn Write, changes: &[Change]) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(writeln!(out, "\nthe documents say the same")?);
    }
    writeln!(out, "\nchanged")?;
    for Change { path, from, to } in changes.iter().take(MOST_CHANGES) {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        writeln!(out, "  {path}: {} → {}", value(from), value(to))?;
    }
    let more = changes.len().saturating_sub(MOST_CHANGES);
    if more > 0 {
        writeln!(out, "  {}", dim(&format!("and {more} more")))?;
    }
    Ok(())
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
    let rule = match (&row.rule, row.rule_of) {
        (Some(rule), Some("old")) => format!("{rule} of the old document"),
        (Some(rule), _) => rule.clone(),
        (None, _) => format!("rollouts.{}", row.rollout),
    };
    match row.coverage {
        "both" => rule,
        document => format!("{rule}, requests that it covers in the {document} document alone"),
    }
}

fn show_row(out: &mut dyn Write, row: &Row<'_>) -> Result<(), Failure> {
    let redrawn = match row.redrawn.split_last() {
        None => String::new(),
        Some((last, [])) => format!(", as slots are drawn anew: {last} has changed"),
        Some((last, rest)) => format!(", as slots are drawn anew: {} and {last} have changed", rest.join(", ")),
    };
    let moved = match (row.moved, row.unknown) {
        (Some(moved), _) => format!("{} move{redrawn}", short_percent(moved)),
        (None, why) => format!("it cannot be known who moves: {}", why.unwrap_or_default()),
    };
    writeln!(out, "{}: {moved}", bold(&name(row)))?;
    if row.rule.is_some() && row.moved.is_some_and(|moved| moved > 0.0) {
        writeln!(out, "{}", dim("  of the requests that this rule holds for, and no other one with a when"))?;
    }
    let line = |of: &Moved<'_>| vec![format!("{} → {}", of.from, of.to), percent(of.share, 4), bar(of.share)];
    if !row.moves.is_empty() {
        writeln!(out, "{}", table(row.moves.iter().map(line).collect(), &[1]))?;
    }
    Ok(())
}
