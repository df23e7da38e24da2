//! `serin simulate`: visitors sent through the rules, and who got what.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use serin_core::{Rollout, Rules};

use super::{Chosen, Streams, Verdict, number, rollout_of, seed};
use crate::crowd::{self, Crowd};
use crate::failure::Failure;
use crate::moment::Moment;
use crate::request::{Request, RequestArgs};
use crate::show::{Output, bar, bold, json, percent, table};

/// The host that is asked for where a rollout asks for none.
const HOST: &str = "example.com";

/// Options of `serin simulate`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A rules document, or what holds one; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
    /// Only this rollout.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// How many visitors come to each rollout.
    #[arg(long, value_name = "N", default_value_t = 10_000, allow_negative_numbers = true, value_parser = number::<1, 10_000_000>)]
    visitors: u32,
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
    rollouts: Vec<crowd::Shares>,
    /// Rollouts that no request was found for, or the request that no rollout covers.
    unreached: Vec<String>,
    /// Whether there is one request that was asked for.
    #[serde(skip)]
    is_one: bool,
}

/// Runs `serin simulate`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    let Some((_, document)) = args.chosen.read(&args.file, streams)? else { return Ok(Verdict::Bad) };
    let Some(rules) = &document.rules else { return Ok(Verdict::Bad) };
    let moment = args.at.unwrap_or_else(Moment::now);
    let mut crowd = Crowd::new(rules, moment.time(), args.visitors, args.requests, args.seed);
    // What is asked for every visitor alike does not tell them apart.
    let told = args.request.onto(Request::default_page(HOST))?;
    let (mut rollouts, mut unreached) = (Vec::new(), Vec::new());
    for (name, request) in journeys(args, rules)? {
        match request.and_then(|request| crowd.visit(&request, &told)) {
            Some(shares) => rollouts.push(shares),
            None => unreached.push(name),
        }
    }
    let (visitors, requests, seed, at) = (args.visitors, args.requests, args.seed, moment.to_string());
    let is_one = args.request.has_host();
    let report = Report { visitors, requests, seed, at, rollouts, unreached, is_one };
    match args.output {
        Output::Text => show(streams.out, &report)?,
        Output::Json => json(streams.out, &report)?,
    }
    // That a request is covered by nothing is an answer, and not the one that was hoped for.
    let is_lost = !args.request.is_empty() && report.rollouts.is_empty();
    Ok(if is_lost { Verdict::Bad } else { Verdict::Good })
}

/// Which rollouts are visited, and by which request: the one that is given, or for each rollout one that it covers, with what is
/// given beside a host.
fn journeys(args: &Args, rules: &Rules) -> Result<Vec<(String, Option<Request>)>, Failure> {
    if args.request.has_host() {
        let request = args.request.request(&[])?;
        let (method, host, path) = (request.shown(":method"), request.shown(":authority"), request.shown(":path"));
        return Ok(vec![(format!("{method} {host}{path}"), Some(request))]);
    }
    let only = args.rollout.as_deref().map(|name| rollout_of(rules, Some(name))).transpose()?;
    let wanted = rules.rollouts().filter(|rollout| only.is_none_or(|only| rollout.name() == only));
    let journey = |rollout: &Rollout| {
        let requests = Request::ways_into(rollout, HOST).into_iter().map(|way| args.request.onto(way));
        let requests = requests.collect::<Result<Vec<Request>, Failure>>()?;
        let covered = |request: &Request| crowd::covering(rules, request) == Some(rollout.name());
        Ok((rollout.name().to_owned(), requests.into_iter().find(covered)))
    };
    wanted.map(journey).collect()
}

fn show(out: &mut dyn Write, report: &Report) -> Result<(), Failure> {
    for shares in &report.rollouts {
        writeln!(
            out,
            "{}, {}: {} visitors with {}, {} each",
            bold(&format!("rollouts.{}", shares.rollout)),
            shares.request,
            report.visitors,
            shares.unit,
            if report.requests == 1 { "1 request".to_owned() } else { format!("{} requests", report.requests) },
        )?;
        let head = ["version", "visitors", "requests", "expected", ""].map(str::to_owned).to_vec();
        let rows = shares.versions.iter().map(|of| {
            let expected = of.expected.map_or_else(
                || "not known".to_owned(),
                |expected| format!("{} ± {}", percent(expected, 2), percent(of.margin, 2)),
            );
            vec![of.version.clone(), percent(of.visitors, 2), percent(of.requests, 2), expected, bar(of.visitors)]
        });
        writeln!(out, "{}\n", table(std::iter::once(head).chain(rows).collect(), &[1, 2, 3]))?;
    }
    for name in &report.unreached {
        let why = if report.is_one {
            "no rollout covers it; serin explain tells why not"
        } else {
            "no request was found that it covers; give one with --host, --path and -H"
        };
        writeln!(out, "{}: {why}\n", bold(name))?;
    }
    if !report.rollouts.is_empty() {
        writeln!(
            out,
            "± is what chance makes of it in 19 of 20 runs; the visitors are those of --seed {}",
            report.seed
        )?;
    }
    Ok(())
}
