//! `serin simulate`: visitors sent through the rules, and who got what.

use std::io::Write;

use serde::{Serialize, Serializer};
use serin_core::{Rollout, Rules};

use super::{Input, Streams, Verdict, number, rollout_of, seed};
use crate::crowd::{self, Crowd, Shares};
use crate::failure::Failure;
use crate::moment::Moment;
use crate::request::{Request, RequestArgs};
use crate::show::{Output, bar, bold, json, percent, table};

/// The host that is asked for where a rollout asks for none.
const HOST: &str = "example.com";

const NOT_COVERED: &str = "no rollout covers it; serin explain tells why not";

/// Options of `serin simulate`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    /// Only this rollout.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// How many visitors come to each rollout [default: 10000, or, with more than a thousand rollouts, ten million in all].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::<1, 10_000_000>)]
    visitors: Option<u32>,
    /// How many requests each visitor makes.
    #[arg(long, value_name = "N", default_value_t = 3, allow_negative_numbers = true, value_parser = number::<1, 1_000>)]
    requests: u32,
    #[command(flatten)]
    request: RequestArgs,
    /// The moment of all requests [default: now].
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// What visitors are drawn by: another number, other visitors.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, allow_negative_numbers = true, value_parser = seed)]
    seed: u64,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Serialize)]
struct Report {
    visitors: u32,
    requests: u32,
    seed: u64,
    at: String,
    rollouts: Vec<Shares>,
    /// What no visitor got to: rollouts, or the request that none covers.
    unreached: Vec<Unreached>,
}

/// What no visitor got to.
struct Unreached {
    name: String,
    why: String,
}

impl Serialize for Unreached {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

/// Runs `serin simulate`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    let Some(document) = args.input.read(streams)? else { return Ok(Verdict::Bad) };
    let Some(rules) = &document.rules else { return Ok(Verdict::Bad) };
    let moment = args.at.unwrap_or_else(Moment::now);
    let journeys = journeys(args, rules)?;
    let visitors = args.visitors.unwrap_or_else(|| visitors_of_each(journeys.len()));
    let mut crowd = Crowd::new(rules, moment.time(), visitors, args.requests, args.seed);
    // What is asked for every visitor alike does not tell them apart.
    let told = args.request.onto(Request::default_page(HOST))?;
    let (mut rollouts, mut unreached) = (Vec::new(), Vec::new());
    for (name, request) in journeys {
        match request.and_then(|request| crowd.visit(&request, &told).ok_or_else(|| NOT_COVERED.to_owned())) {
            Ok(shares) => rollouts.push(shares),
            Err(why) => unreached.push(Unreached { name, why }),
        }
    }
    let (requests, seed, at) = (args.requests, args.seed, moment.to_string());
    let report = Report { visitors, requests, seed, at, rollouts, unreached };
    match args.output {
        Output::Text => show(streams.out, &report)?,
        Output::Json => json(streams.out, &report)?,
    }
    Ok(if is_bad(args, rules, &report) { Verdict::Bad } else { Verdict::Good })
}

/// Whether the answer is not the one that was hoped for: what was asked for by its name was not reached, or cannot be used.
fn is_bad(args: &Args, rules: &Rules, report: &Report) -> bool {
    let is_named = args.rollout.is_some() || args.request.has_host();
    let is_lost = is_named && !report.unreached.is_empty();
    let is_empty = !args.request.is_empty() && report.rollouts.is_empty();
    let is_broken = |unreached: &Unreached| rules.rollout_named(&unreached.name).is_some_and(is_mistaken);
    is_lost || is_empty || report.rollouts.iter().any(|shares| shares.broken) || report.unreached.iter().any(is_broken)
}

/// So many visitors come to each of so many rollouts: enough for shares that mean something, and all of them within a minute.
fn visitors_of_each(rollouts: usize) -> u32 {
    const MOST: u32 = 10_000;
    const MOST_OF_ALL: usize = 10_000_000;
    u32::try_from(MOST_OF_ALL / rollouts.max(1)).map_or(MOST, |each| each.clamp(1, MOST))
}

fn is_mistaken(rollout: &Rollout) -> bool {
    rollout.intervals().is_none()
}

/// What is visited, by its name, and the request that does so, or why there is none.
type Journey = (String, Result<Request, String>);

/// Which rollouts are visited, and by which request: the one that is given, or for each rollout one that it covers, with what is
/// given beside a host.
fn journeys(args: &Args, rules: &Rules) -> Result<Vec<Journey>, Failure> {
    let only = args.rollout.as_deref().map(|name| rollout_of(rules, Some(name))).transpose()?;
    if args.request.has_host() {
        return Ok(vec![given(args.request.request(&[])?, rules, only)]);
    }
    let wanted = rules.rollouts().filter(|rollout| only.is_none_or(|only| rollout.name() == only));
    wanted.map(|rollout| made_up(args, rules, rollout)).collect()
}

/// The request that is given, if the rollout covers it that is wanted.
fn given(request: Request, rules: &Rules, only: Option<&str>) -> Journey {
    let (method, host, path) = (request.shown(":method"), request.shown(":authority"), request.shown(":path"));
    let shown = format!("{method} {host}{path}");
    match (crowd::covering(rules, &request), only) {
        (Some(found), Some(only)) if found != only => {
            (only.to_owned(), Err(format!("{shown} is covered by rollouts.{found}")))
        }
        (None, Some(only)) => (only.to_owned(), Err(format!("{shown}: {NOT_COVERED}"))),
        (_, _) => (shown, Ok(request)),
    }
}

/// The first request for a rollout that it covers.
fn made_up(args: &Args, rules: &Rules, rollout: &Rollout) -> Result<Journey, Failure> {
    let requests = Request::ways_into(rollout, HOST).into_iter().map(|way| args.request.onto(way));
    let requests = requests.collect::<Result<Vec<Request>, Failure>>()?;
    let covered = |request: &Request| crowd::covering(rules, request) == Some(rollout.name());
    let why = match is_mistaken(rollout) {
        true => "it has a mistake, and no request was found that it covers",
        false => "no request was found that it covers; give one with --host, --path and -H",
    };
    Ok((rollout.name().to_owned(), requests.into_iter().find(covered).ok_or_else(|| why.to_owned())))
}

fn show(out: &mut dyn Write, report: &Report) -> Result<(), Failure> {
    for shares in &report.rollouts {
        show_shares(out, report, shares)?;
    }
    for Unreached { name, why } in &report.unreached {
        writeln!(out, "{}: {why}\n", bold(name))?;
    }
    match (report.rollouts.as_slice(), report.unreached.as_slice()) {
        ([], []) => writeln!(out, "no rollouts")?,
        ([], _) => {}
        _ => writeln!(
            out,
            "± is what chance makes of it in 19 of 20 runs; the visitors are those of --seed {}",
            report.seed
        )?,
    }
    Ok(())
}

fn show_shares(out: &mut dyn Write, report: &Report, shares: &Shares) -> Result<(), Failure> {
    writeln!(
        out,
        "{}, {}: {} visitors with {}, {} each",
        bold(&format!("rollouts.{}", shares.rollout)),
        shares.request,
        report.visitors,
        shares.unit,
        if report.requests == 1 { "1 request".to_owned() } else { format!("{} requests", report.requests) },
    )?;
    if let Some(why) = &shares.why_broken {
        writeln!(out, "  {}: {why}", bold("broken"))?;
    }
    let head = ["version", "visitors", "requests", "expected", ""].map(str::to_owned).to_vec();
    let rows = shares.versions.iter().map(|of| {
        let expected = of.expected.map_or_else(
            || "not known".to_owned(),
            |expected| format!("{} ± {}", percent(expected, 2), percent(of.margin, 2)),
        );
        vec![of.version.clone(), percent(of.visitors, 2), percent(of.requests, 2), expected, bar(of.visitors)]
    });
    Ok(writeln!(out, "{}\n", table(std::iter::once(head).chain(rows).collect(), &[1, 2, 3]))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_are_shared_out() {
        for (rollouts, expected) in [(0, 10_000), (1, 10_000), (1_000, 10_000), (2_000, 5_000), (9_990, 1_001)] {
            assert_eq!(visitors_of_each(rollouts), expected, "{rollouts}");
        }
    }
}
