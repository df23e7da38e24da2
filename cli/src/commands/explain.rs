//! `serin explain`: which version a request gets, and why.

mod show;

use serde::Serialize;
use serin_core::{Current, OutputKind, Rollout, Rules, Time, Version, VersionId};

use super::{Input, Streams, Verdict, expected, seed};
use crate::explained::{Explained, Header};
use crate::failure::Failure;
use crate::moment::Moment;
use crate::request::RequestArgs;
use crate::secrets;
use crate::show::{Output, json};
use show::show;

/// Options of `serin explain`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    request: RequestArgs,
    /// The moment, such as 2026-11-26T09:00:00Z: schedules, cookies and tokens depend on it [default: now].
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// What a new visitor, or a request that nothing makes stick, is drawn by: another number is another visitor [default: one
    /// who gets what most get].
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = seed)]
    seed: Option<u64>,
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
    /// What is left to the routes.
    #[serde(skip)]
    routes: Option<String>,
}

/// The request as it was understood.
#[derive(Serialize)]
struct Asked<'a> {
    at: String,
    /// Pseudo-headers included.
    headers: Vec<Header>,
    source: Option<&'a str>,
    cluster: Option<&'a str>,
    /// What it was drawn by, if it was drawn.
    seed: Option<u64>,
}

/// Runs `serin explain`.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    if args.request.is_empty() && args.curl.is_empty() {
        return Err(Failure::new(
            "there is no request to explain; expected --host, --url, a curl line, or another option of the request",
        ));
    }
    let request = args.request.request(&args.curl)?;
    let Some(document) = args.input.read(streams)? else { return Ok(Verdict::Bad) };
    let Some(rules) = &document.rules else { return Ok(Verdict::Bad) };
    let moment = args.at.unwrap_or_else(Moment::now);
    let now = moment.time();
    let current = current(rules, args, now)?;
    let (seed, explained) = drawn(args.seed, |draw| Explained::new(rules, &current, &request, now, draw));
    let explained = explained.checked_with(&document.unset);
    let secret = secrets::headers(&document.tree);
    let header = |(name, value): &(String, Vec<u8>)| {
        let shown = if secret.contains(name) { "…".into() } else { String::from_utf8_lossy(value) };
        Header { name: name.clone(), value: shown.into_owned() }
    };
    let asked = Asked {
        at: moment.to_string(),
        headers: request.headers.iter().map(header).collect(),
        source: request.source.as_deref(),
        cluster: request.cluster.as_deref(),
        seed: explained.drawn.then_some(seed),
    };
    let (cluster_missing, routes) = (is_missing(args, &explained), left_to_routes(rules, &explained));
    let report = Report { asked, explained: &explained, cluster_missing, routes };
    match args.output {
        Output::Text => show(streams.out, &request, &report)?,
        Output::Json => json(streams.out, &report)?,
    }
    Ok(Verdict::Good)
}

/// The explanation with the draw of a seed; without one, of the first seed whose version is the one that most get.
fn drawn(seed: Option<u64>, explain: impl Fn(&mut dyn FnMut() -> u64) -> Explained) -> (u64, Explained) {
    const MOST_SEEDS: u64 = 100;
    let with = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        (seed, explain(&mut || random.u64(..)))
    };
    let gets_most = |(_, explained): &(u64, Explained)| {
        let most = explained.odds.iter().map(|odds| odds.slots).max();
        explained.odds.iter().any(|odds| Some(odds.slots) == most && Some(&odds.version) == explained.version.as_ref())
    };
    let first = with(seed.unwrap_or(1));
    if seed.is_some() || !first.1.drawn || gets_most(&first) {
        return first;
    }
    (2..=MOST_SEEDS).map(with).find(gets_most).unwrap_or(first)
}

/// What no header says, so that the routes have to know it.
fn left_to_routes(rules: &Rules, explained: &Explained) -> Option<String> {
    let carrying = |kind| rules.outputs().on_request().iter().find(|output| output.kind == kind);
    let (version, cluster) = (carrying(OutputKind::Version)?.name.as_str(), carrying(OutputKind::Cluster));
    let (headers, decided) = (&explained.request_headers, explained.version.as_ref().filter(|_| !explained.dry_run));
    if headers.set.is_empty() {
        let or = cluster.map_or_else(String::new, |of| format!(" and no {}", of.name.as_str()));
        return decided.map(|_| format!("the routes take what carries no {version}{or} for stable"));
    }
    let named = explained.cluster.as_ref().filter(|_| cluster.is_none())?;
    Some(format!("no header carries {named}, without headers.cluster: the routes match {version}"))
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
        if rules.rollout(index).is_some_and(|rollout| rollout.is_stable(version)) {
            return Err(Failure::new(format!("--out {name:?}: it is stable, which no guard takes out")));
        }
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
