//! `cargo xtask fuzz`: bytes that nobody meant, for a while, to everything that reads what others have written.

mod build;
mod session;

use std::fs;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use self::build::Built;
use self::session::{Session, Summary};
use crate::progress::Progress;
use crate::workspace;

/// How long each target runs in the full suite, its corpus included.
const SMOKE_SECONDS: u64 = 10;

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to run; everything, if nothing is named.
    targets: Vec<Target>,
    /// How long each runs.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// So many of them run side by side.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Fuzz nothing: take over into fuzz/corpus what earlier runs have kept and does something new.
    #[arg(long, conflicts_with_all = ["seconds", "jobs"])]
    merge: bool,
}

/// The targets, as `fuzz/README.md` describes them.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Any bytes as a document.
    Document,
    /// Any bytes as `Cookie` lines.
    Cookie,
    /// Any bytes as what visitors bring back.
    Sticky,
    /// Any bytes as host, path and query.
    Path,
    /// Documents and requests, decided.
    Decide,
    /// The built module with requests, pushes and faults.
    Request,
}

impl Target {
    /// The name of its binary, and of its folder below `fuzz/corpus`.
    fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Cookie => "cookie",
            Self::Sticky => "sticky",
            Self::Path => "path",
            Self::Decide => "decide",
            Self::Request => "request",
        }
    }

    /// Whether it runs the module, in wasmtime.
    fn runs_module(self) -> bool {
        self == Self::Request
    }
}

/// Runs `cargo xtask fuzz`.
///
/// # Errors
/// If something cannot be built or had, or if an input was found that must not be; the message shows it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let all = Target::value_variants();
    let is_wanted = |target: &&Target| args.targets.is_empty() || args.targets.contains(target);
    let targets: Vec<Target> = all.iter().filter(is_wanted).copied().collect();
    let progress = Progress::new();
    let built = Built::new(&targets, &progress)?;
    if args.merge {
        return targets.iter().try_for_each(|target| Session::new(*target, &built)?.merge(&progress));
    }
    let outcomes = fuzz(&built, &targets, args.seconds, args.jobs, &progress);
    println!("{}", Summary::title());
    outcomes.iter().flatten().for_each(|summary| println!("{summary}"));
    found(outcomes)
}

/// Whether this machine can build the targets; what can be fetched is.
///
/// # Errors
/// If there is no C++ compiler, or cargo-fuzz is not to be had.
pub(crate) fn check(progress: &Progress) -> Result<()> {
    build::check(progress)
}

/// All targets, with what their corpora hold and for a few seconds more.
///
/// # Errors
/// As for [`run`].
pub(crate) fn smoke(progress: &Progress) -> Result<()> {
    let targets = Target::value_variants();
    found(fuzz(&Built::new(targets, progress)?, targets, SMOKE_SECONDS, 1, progress))
}

/// Everything that was found, and all that could not be run.
fn found(outcomes: Vec<Result<Summary>>) -> Result<()> {
    let told = |outcome: Result<Summary>| match outcome {
        Ok(summary) => summary.finding,
        Err(error) => Some(format!("{error:#}")),
    };
    let findings: Vec<String> = outcomes.into_iter().filter_map(told).collect();
    if findings.is_empty() { Ok(()) } else { bail!("{}", findings.join("\n\n")) }
}

/// Runs the targets one after the other, or so many side by side, and tells of each, in their order.
fn fuzz(built: &Built, targets: &[Target], seconds: u64, jobs: u8, progress: &Progress) -> Vec<Result<Summary>> {
    let run = |target: Target| {
        let summary = Session::new(target, built).and_then(|session| session.run(seconds, progress));
        summary.with_context(|| format!("cannot fuzz {}", target.name()))
    };
    let beside = |targets: &[Target]| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = targets.iter().map(|target| scope.spawn(|| run(*target))).collect();
            let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            ended.map(|outcome| outcome.unwrap_or_else(|_| bail!("a thread panicked"))).collect::<Vec<_>>()
        })
    };
    targets.chunks(jobs.into()).flat_map(beside).collect()
}

/// A folder below `target/fuzz`, made if it is not there.
fn folder(parts: &[&str]) -> Result<std::path::PathBuf> {
    let folder = parts.iter().fold(workspace::target()?.join("fuzz"), |folder, part| folder.join(part));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
