//! `serin diff`: who moves when one document follows another.

mod show;

use std::path::PathBuf;

use serde::Serialize;
use serin_core::{Compared, Coverage, Secrets, Segment, When, compare, share_of};

use super::{Chosen, Streams, Verdict};
use crate::changes::{Change, changes};
use crate::document::Document;
use crate::failure::Failure;
use crate::moment::Moment;
use crate::show::{Output, json};
use crate::tree::Tree;
use show::show;

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
    #[arg(long, value_name = "PERCENT", value_parser = parts)]
    max_moved: Option<u64>,
    /// For --max-moved let pass what cannot be known, such as which requests a new rollout takes from another one.
    #[arg(long, requires = "max_moved")]
    allow_unknown: bool,
    /// Leave out the segments of rules: only units that no rule is about.
    #[arg(long)]
    no_rules: bool,
    /// Compare at this moment alone [default: at whichever of now and all later moments of the schedules most units move].
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// `5%` in parts of 10^12, in which units are counted.
fn parts(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let number = number.filter(|number| (0.0..=100.0).contains(number));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 10^12.
    let parts = number.map(|number| (number * 1e10).round() as u64);
    parts.ok_or_else(|| "expected a percentage from 0% to 100%, such as 5% or 0.5%".to_owned())
}

#[derive(Serialize)]
struct Report<'a> {
    /// The moment that is compared at, or the first of all that are.
    at: String,
    rows: Vec<Row<'a>>,
    /// The largest share of a row, 0 to 1.
    most_moved: f64,
    max_moved: Option<f64>,
    /// Whether `max_moved` holds; none without it.
    held: Option<bool>,
    /// Whether more move than may, of those of whom it is known.
    #[serde(skip)]
    is_over: bool,
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
    /// Another rule that holds for the requests as well, and decides in the old document.
    also: Option<String>,
    also_of: Option<&'static str>,
    /// Why every unit gets another slot.
    redrawn: &'a [&'static str],
    /// The moment that the shares are those of.
    at: String,
    /// Of the units, 0 to 1; none if it cannot be known.
    moved: Option<f64>,
    moves: Vec<Moved<'a>>,
    /// Why it cannot be known.
    unknown: Option<&'a str>,
}

#[derive(Serialize)]
struct Moved<'a> {
    from: &'a str,
    /// The same version where only its cluster is another one.
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
    let Some([before, after]) = args.chosen.read_both([&args.old, &args.new], streams)? else {
        return Ok(Verdict::Bad);
    };
    let (Some(old), Some(new)) = (&before.rules, &after.rules) else { return Ok(Verdict::Bad) };
    let moment = args.at.unwrap_or_else(Moment::now);
    let when = if args.at.is_some() { When::At(moment.time()) } else { When::From(moment.time()) };
    let compared = compare(old, new, when, &secrets(&before, &after));
    let rows: Vec<&Compared<'_>> = compared.iter().filter(|row| !args.no_rules || row.segment.is_none()).collect();
    let most_moved = rows.iter().filter_map(|row| row.parts()).max().unwrap_or_default();
    let is_known = args.allow_unknown || rows.iter().all(|row| row.moves.is_ok());
    let held = args.max_moved.map(|most| is_known && most_moved <= most);
    let report = Report {
        at: moment.to_string(),
        rows: rows.into_iter().map(row).collect(),
        most_moved: share_of(most_moved),
        max_moved: args.max_moved.map(share_of),
        is_over: args.max_moved.is_some_and(|most| most_moved > most),
        held,
        changes: changes(&before.tree, &after.tree),
    };
    match args.output {
        Output::Text => show(streams.out, &report)?,
        Output::Json => json(streams.out, &report)?,
    }
    Ok(if held == Some(false) { Verdict::Bad } else { Verdict::Good })
}

/// What is known of the secret that cookies are signed with: one that the environment lacks is not read.
fn secrets<'a>(before: &'a Document, after: &'a Document) -> Secrets {
    let keys = |document: &'a Document| document.tree.get("keys").map_or(&[][..], Tree::items);
    let text = |key: &'a Tree, name: &str| key.get(name).and_then(Tree::text);
    let Some(signer) = keys(before).first() else { return Secrets::Known };
    let id = text(signer, "id");
    let Some(known) = keys(after).iter().find(|key| text(key, "id") == id) else { return Secrets::Known };
    let (variable, later) = (before.signing_variable.as_deref(), text(known, "env"));
    let unset = |document: &Document, name: Option<&'a str>| name.filter(|name| document.unset.contains(*name));
    match unset(before, variable).or_else(|| unset(after, later)) {
        None => Secrets::Known,
        Some(_) if variable == later => Secrets::Same,
        Some(name) => Secrets::Unknown(format!(
            "the secret of the key {} may be another one, and {name} is not set here",
            id.unwrap_or_default()
        )),
    }
}

fn row<'a>(compared: &'a Compared<'a>) -> Row<'a> {
    let named = |segment: Option<Segment>| {
        let rule = |index: usize| format!("rollouts.{}.rules[{index}]", compared.rollout);
        match segment {
            None => (None, None),
            Some(Segment::New(index)) => (Some(rule(index)), Some("new")),
            Some(Segment::Old(index)) => (Some(rule(index)), Some("old")),
        }
    };
    let ((rule, rule_of), (also, also_of)) = (named(compared.segment), named(compared.also));
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
        also,
        also_of,
        redrawn: &compared.redrawn,
        at: Moment::of(compared.at).to_string(),
        moved: compared.share(),
        moves: moves.map(|of| Moved { from: of.from, to: of.to, share: of.share(), parts: of.parts }).collect(),
        unknown: compared.moves.as_ref().err().map(String::as_str),
    }
}
