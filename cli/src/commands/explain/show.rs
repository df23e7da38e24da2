//! What `serin explain` has found out, for people.

use std::io::Write;

use serin_core::SLOTS;

use super::Report;
use crate::explained::{Explained, Header, Layer, Odds};
use crate::failure::Failure;
use crate::request::Request;
use crate::show::{bar, bold, dim, percent, short_percent, table};

/// So many notes of a layer are shown.
const MOST_NOTES: usize = 12;

/// Shows who answers, what each layer says, and what becomes of the messages.
pub(super) fn show(out: &mut dyn Write, request: &Request, report: &Report<'_>) -> Result<(), Failure> {
    let explained = report.explained;
    let (method, host, path) = (request.shown(":method"), request.shown(":authority"), request.shown(":path"));
    let shown =
        |version: &str| if version == "-" { "whatever the route chooses".to_owned() } else { version.to_owned() };
    let answer = match (&explained.rollout, &explained.version, explained.reason) {
        (Some(rollout), Some(version), Some(reason)) => {
            let cluster = explained.cluster.as_ref().map_or_else(String::new, |name| format!(" (cluster {name})"));
            let (version, why, beside) = (bold(&shown(version)), why(reason), beside(report, version));
            format!("{version}{cluster} of rollout {rollout}, {why}{beside}")
        }
        _ => format!("{}: no rollout covers it, so the routes decide", bold("nothing")),
    };
    writeln!(out, "{method} {host}{path} gets {answer}\n")?;
    show_covering(out, explained)?;
    if let Some(schedule) = &explained.schedule {
        line(out, "schedule", schedule)?;
    }
    for layer in &explained.layers {
        show_layer(out, layer)?;
    }
    show_odds(out, explained)?;
    show_changes(out, report)
}

/// The reason in words.
fn why(reason: &str) -> String {
    match reason {
        "first" => "as a first visit".to_owned(),
        "guard" => "since a guard has taken out the version that it would be".to_owned(),
        "missing" => "since the version that it would be has no cluster".to_owned(),
        "broken" => "since the rollout cannot be used".to_owned(),
        _ => format!("by {reason}"),
    }
}

/// What else there is to know of the answer.
fn beside(report: &Report<'_>, version: &str) -> String {
    let explained = report.explained;
    let share = explained.odds.iter().find(|odds| odds.version == version).map(share_of);
    let by_chance = explained.drawn && matches!(explained.reason, Some("slot" | "random"));
    let share = share.filter(|share| by_chance && *share < 1.0);
    let share = share.map_or_else(String::new, |share| format!("; by chance: {} of all get it", short_percent(share)));
    let dry = if explained.dry_run { "; a dry run, so that nothing is changed" } else { "" };
    let missing = if report.cluster_missing { "; its cluster is missing, so that Envoy answers 503" } else { "" };
    let ignored = if explained.cookie_ignored { "; the visitor's cookie does not count" } else { "" };
    format!("{share}{ignored}{dry}{missing}")
}

fn share_of(odds: &Odds) -> f64 {
    f64::from(odds.slots) / f64::from(SLOTS)
}

/// A line behind a name in the first column, which only the first line of several has.
fn line(out: &mut dyn Write, name: &str, text: &str) -> Result<(), Failure> {
    Ok(writeln!(out, "  {name:<10}{text}")?)
}

fn show_covering(out: &mut dyn Write, explained: &Explained) -> Result<(), Failure> {
    let entry = |rollout: &str, entry: Option<usize>| {
        let entry = entry.map(|index| format!(".match[{index}]")).unwrap_or_default();
        format!("rollouts.{rollout}{entry}")
    };
    let Some((first, others)) = explained.covered.split_first() else {
        for (index, why) in explained.uncovered.iter().take(MOST_NOTES).enumerate() {
            let name = if index == 0 { "match" } else { "" };
            line(out, name, &format!("{}: {}", entry(&why.rollout, Some(why.entry)), why.why))?;
        }
        return more(out, explained.uncovered.len());
    };
    line(out, "match", &format!("{} covers it: {}", entry(&first.rollout, first.entry), first.what))?;
    for other in others.iter().take(MOST_NOTES) {
        let (place, after) = (entry(&other.rollout, other.entry), other.after.unwrap_or_default());
        line(out, "", &dim(&format!("{place} fits, too, and comes after it: {after}")))?;
    }
    more(out, others.len())
}

fn more(out: &mut dyn Write, count: usize) -> Result<(), Failure> {
    if count > MOST_NOTES {
        line(out, "", &dim(&format!("and {} more", count - MOST_NOTES)))?;
    }
    Ok(())
}

fn show_layer(out: &mut dyn Write, layer: &Layer) -> Result<(), Failure> {
    if layer.outcome == "not asked" {
        return line(out, layer.name, &dim("not asked"));
    }
    // The last note says what came of it all, so it comes first where something did.
    let mut notes: Vec<&String> = layer.notes.iter().collect();
    let outcome = if layer.outcome == "answered" {
        notes.rotate_right(1);
        bold("answered")
    } else {
        layer.outcome.to_owned()
    };
    let mut name = layer.name;
    for (index, note) in notes.iter().take(MOST_NOTES).enumerate() {
        let text = if index == 0 { format!("{outcome}: {note}") } else { format!("  {note}") };
        line(out, name, &text)?;
        name = "";
    }
    more(out, notes.len())
}

fn show_odds(out: &mut dyn Write, explained: &Explained) -> Result<(), Failure> {
    if explained.odds.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\nof all units")?;
    let row = |odds: &Odds| vec![odds.version.clone(), percent(share_of(odds), 4), bar(share_of(odds))];
    writeln!(out, "{}", table(explained.odds.iter().map(row).collect(), &[1]))?;
    Ok(())
}

fn show_changes(out: &mut dyn Write, report: &Report<'_>) -> Result<(), Failure> {
    let explained = report.explained;
    let shown = |what: &str, of: &Header| format!("{what} {}: {}", of.name, of.value);
    let request = &explained.request_headers;
    let set = request.set.iter().map(|header| shown("set", header));
    let removed = request.removed.iter().map(|name| format!("remove {name}"));
    show_list(out, "request", set.chain(removed).collect())?;
    if let Some(routes) = &report.routes {
        writeln!(out, "  {}", dim(routes))?;
    }
    let response = &explained.response_headers;
    let cookies = response.cookies.iter().map(|cookie| format!("add set-cookie: {cookie}"));
    let private = response.private.then(|| "set cache-control: private, beside what the application says".to_owned());
    let answer = response.answer.iter().map(|header| shown("set", header));
    show_list(out, "response", cookies.chain(private).chain(answer).collect())?;
    match &explained.access_log {
        Some(logged) => show_list(out, "access log", vec![format!("wasm.serin is {logged}")]),
        None => Ok(()),
    }
}

fn show_list(out: &mut dyn Write, name: &str, lines: Vec<String>) -> Result<(), Failure> {
    writeln!(out, "\n{name}")?;
    if lines.is_empty() {
        writeln!(out, "  {}", dim("left as it is"))?;
    }
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}
