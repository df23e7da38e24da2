//! `serin check`: mistakes, and what is surely not meant.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use serde::Serialize;
use serin_core::WARNINGS;

use super::{Streams, Verdict};
use crate::document::Loaded;
use crate::failure::Failure;
use crate::finding::Severity;
use crate::input::File;
use crate::show::{FindingJson, Output, findings_json, json, show_findings, summary};

/// Options of `serin check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rules documents in YAML or JSON, or what holds some; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Exit with 1 for warnings, too.
    #[arg(long)]
    strict: bool,
    /// Say nothing of this kind of warning; may be given again. The kind stands in brackets behind "warning".
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    allow: Vec<String>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// The kinds of warnings: those of the core, and those of how a file is written.
fn kinds() -> PossibleValuesParser {
    WARNINGS.iter().map(|(kind, _)| *kind).chain(["yaml-word", "empty-field"]).into()
}

#[derive(Serialize)]
struct Report<'a> {
    findings: Vec<FindingJson<'a>>,
    errors: usize,
    warnings: usize,
    documents: usize,
    files: usize,
}

/// Runs `serin check`. A file that cannot be read does not keep the others from being checked.
pub(crate) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<Verdict, Failure> {
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    for path in &args.files {
        match File::read(path) {
            Ok(file) => files.push(loaded(file, &args.allow)),
            Err(failure) => unread.extend(failure.messages().iter().cloned()),
        }
    }
    match args.output {
        Output::Text => {
            for file in &files {
                show_findings(streams.out, file)?;
            }
            if !files.is_empty() {
                writeln!(streams.out, "{}", summary(&files))?;
            }
        }
        Output::Json => json(streams.out, &report(&files))?,
    }
    if !unread.is_empty() {
        return Err(Failure::of(unread));
    }
    let count = |severity| files.iter().map(|file| file.count(severity)).sum::<usize>();
    let is_bad = count(Severity::Error) > 0 || (args.strict && count(Severity::Warning) > 0);
    Ok(if is_bad { Verdict::Bad } else { Verdict::Good })
}

fn loaded(file: File, allowed: &[String]) -> Loaded {
    let mut loaded = Loaded::with_warnings(file);
    let is_allowed = |code: &str| allowed.iter().any(|allowed| allowed == code);
    loaded.findings.retain(|finding| finding.severity != Severity::Warning || !is_allowed(finding.code));
    loaded
}

fn report(files: &[Loaded]) -> Report<'_> {
    let count = |severity| files.iter().map(|file| file.count(severity)).sum();
    Report {
        findings: files.iter().flat_map(findings_json).collect(),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        documents: files.iter().map(|file| file.documents.len()).sum(),
        files: files.len(),
    }
}
