//! `serin explain`: which version a request gets, and why.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use serin_core::{Current, Rollout, Rules, SLOTS, Time, Version, VersionId};

use super::{Chosen, Streams, Verdict, expected, seed};
use crate::explained::{Explained, Header, Layer, Odds};
use crate::failure::Failure;
use crate::moment::Moment;
use crate::request::{Request, RequestArgs};
use crate::show::{Output, bar, bold, dim, json, percent, short_percent, table};

/// So many notes of a layer are shown to people.
const MOST_NOTES: usize = 12;

/// Options of `serin explain`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A rules document, or what holds one; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    request: RequestArgs,
    /// The moment, such as 2026-11-26T09:00:00Z: schedules, cookies and tokens depend on it [default: now].
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// What a new visitor, or a request that nothing makes stick, is drawn by: another number is another visitor.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, allow_negative_numbers = true, value_parser = seed)]
    seed: u64,
    /// A version, as ROLLOUT/VERSION, whose cluster is missing; may be given again.
    #[arg(long, value_name = "ROLLOUT/VERSION")]
    missing: Vec<String>,
    /// A version, as ROLLOUT/VERSION, that a guard has taken out; may be given again.
    #[arg(long, value_name = "ROLLOUT/VERSION")]
    out: Vec<String>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// A curl line in place of the options of the request; it is the end of the command, so options stand before it.
    #[arg(value_name = "curl …", trailing_var_arg = true, allow_hyphen_values = true)]
    curl: Vec<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    asked: Asked<'a>,
    #[serde(flatten)]
    explained: &'a Explained,
    /// Whether the version is one of `--missing`, and serves all the same.
    cluster_missing: bool,
}

/// The request as it was understood.
#[derive(Serialize)]
struct Asked<'a> {
    at: String,
    /// Pseudo-headers included.
    headers: Vec<Header>,
    source: Option<&'a str>,
    cluster: Option<&'a str>,
}

/// Runs `serin explain`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    if args.request.is_empty() && args.curl.is_empty() {
        return Err(Failure::new("there is no request to explain; expected --host and --path, --url, or a curl line"));
    }
    let request = args.request.request(&args.curl)?;
    let Some((_, document)) = args.chosen.read(&args.file, streams)? else { return Ok(Verdict::Bad) };
    let Some(rules) = &document.rules else { return Ok(Verdict::Bad) };
    let moment = args.at.unwrap_or_else(Moment::now);
    let now = moment.time();
    let current = current(rules, args, now)?;
    let mut random = fastrand::Rng::with_seed(args.seed);
    let explained = Explained::new(rules, &current, &request, now, || random.u64(..)).checked_with(&document.unset);
    let header = |(name, value): &(String, Vec<u8>)| Header {
        name: name.clone(),
        value: String::from_utf8_lossy(value).into_owned(),
    };
    let asked = Asked {
        at: moment.to_string(),
        headers: request.headers.iter().map(header).collect(),
        source: request.source.as_deref(),
        cluster: request.cluster.as_deref(),
    };
    let report = Report { asked, explained: &explained, cluster_missing: is_missing(args, &explained) };
    match args.output {
        Output::Text => show(streams.out, &request, &report)?,
        Output::Json => json(streams.out, &report)?,
    }
    Ok(Verdict::Good)
}

/// Whether a version without a cluster serves: an override, or a rollout that does not mind.
fn is_missing(args: &Args, explained: &Explained) -> bool {
    let (Some(rollout), Some(version)) = (&explained.rollout, &explained.version) else { return false };
    args.missing.contains(&format!("{rollout}/{version}"))
}

/// What the clock makes of the rules, without the versions that are missing or out.
fn current(rules: &Rules, args: &Args, now: Time) -> Result<Current, Failure> {
    let mut current = Current::new(rules, now);
    let mut missing = Vec::new();
    for name in &args.missing {
        let (index, version) = version_named(rules, "--missing", name)?;
        let identity = rules.rollout(index).and_then(|rollout| rollout.identity(version));
        missing.extend(identity.map(|identity| (identity, now)));
    }
    current.miss(rules, &missing, now);
    for name in &args.out {
        let (index, version) = version_named(rules, "--out", name)?;
        current.take_out(index, version);
    }
    Ok(current)
}

/// The version that an option names, such as `shop/v2`, and the index of its rollout.
fn version_named(rules: &Rules, option: &str, name: &str) -> Result<(usize, VersionId), Failure> {
    let wrong = || Failure::new(format!("{option} {name:?}; expected a rollout and a version, such as shop/v2"));
    let (rollout, version) = name.split_once('/').ok_or_else(wrong)?;
    let index = rules.rollouts().position(|known| known.name() == rollout).ok_or_else(|| {
        let names = rules.rollouts().map(Rollout::name);
        Failure::new(format!("{option} {name:?}: no such rollout{}", expected(rollout, names)))
    })?;
    let of = rules.rollout(index);
    let found = of.and_then(|of| of.version_named(version.as_bytes()));
    let found = found.ok_or_else(|| {
        let names = of.into_iter().flat_map(Rollout::versions).map(Version::name);
        Failure::new(format!("{option} {name:?}: no such version{}", expected(version, names)))
    })?;
    Ok((index, found))
}

fn show(out: &mut dyn Write, request: &Request, report: &Report<'_>) -> Result<(), Failure> {
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
    for layer in &explained.layers {
        show_layer(out, layer)?;
    }
    show_odds(out, explained)?;
    show_changes(out, explained)
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
    format!("{share}{dry}{missing}")
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
        line(out, "", &dim(&format!("{} fits, too, and comes after it", entry(&other.rollout, other.entry))))?;
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

fn show_changes(out: &mut dyn Write, explained: &Explained) -> Result<(), Failure> {
    let shown = |what: &str, of: &Header| format!("{what} {}: {}", of.name, of.value);
    let request = &explained.request_headers;
    let set = request.set.iter().map(|header| shown("set", header));
    let removed = request.removed.iter().map(|name| format!("remove {name}"));
    show_list(out, "request", set.chain(removed).collect())?;
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
