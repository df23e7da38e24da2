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
    let targets = if args.targets.is_empty() { Target::value_variants() } else { &args.targets[..] };
    let sessions = fuzz(targets, args.seconds, args.jobs, &Progress::new())?;
    println!("{}", Summary::title());
    sessions.iter().for_each(|summary| println!("{summary}"));
    found(&sessions)
}

/// All targets, with what their corpora hold and for a few seconds more.
///
/// # Errors
/// As for [`run`].
pub(crate) fn smoke(progress: &Progress) -> Result<()> {
    found(&fuzz(Target::value_variants(), SMOKE_SECONDS, 1, progress)?)
}

fn found(sessions: &[Summary]) -> Result<()> {
    let findings: Vec<&str> = sessions.iter().filter_map(|summary| summary.finding.as_deref()).collect();
    if findings.is_empty() { Ok(()) } else { bail!("{}", findings.join("\n\n")) }
}

/// Runs the targets one after the other, or so many side by side, and tells of each, in their order.
fn fuzz(targets: &[Target], seconds: u64, jobs: u8, progress: &Progress) -> Result<Vec<Summary>> {
    let built = Built::new(targets, progress)?;
    let mut summaries = Vec::new();
    for beside in targets.chunks(jobs.into()) {
        let run = |target: &Target| Session::new(*target, &built)?.run(seconds, progress);
        let outcomes = std::thread::scope(|scope| {
            let threads: Vec<_> = beside.iter().map(|target| scope.spawn(|| run(target))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked")))
                .collect::<Vec<_>>()
        });
        for outcome in outcomes {
            summaries.push(outcome??);
        }
    }
    Ok(summaries)
}

/// A folder below `target/fuzz`, made if it is not there.
fn folder(parts: &[&str]) -> Result<std::path::PathBuf> {
    let folder = parts.iter().fold(workspace::target()?.join("fuzz"), |folder, part| folder.join(part));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
